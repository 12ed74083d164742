"""Remembers what the models of one manager turned out not to take."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from bestehorn_llmmanager._fork import start_afresh_after_fork

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOTHING: frozenset[str] = frozenset()


class Learned:
    """What refusals have taught, by id of the base model; shared by the threads of a manager.

    Readers look at dicts whose values are replaced, never changed; writers hold the lock.

    Attributes:
        parameters: Additional request fields that a model does not take.
        features: Features that a model does not have.
        prefill: Whether a model continues a given beginning of its answer.
    """

    def __init__(self) -> None:
        self._start_afresh()
        self.parameters: dict[str, frozenset[str]] = {}
        self.features: dict[str, frozenset[str]] = {}
        self.prefill: dict[str, bool] = {}

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()
        start_afresh_after_fork(self)

    def refuses_parameters(self, model_id: str, names: Iterable[str]) -> None:
        with self._lock:
            self.parameters[model_id] = self.parameters.get(model_id, _NOTHING).union(names)

    def lacks_feature(self, model_id: str, feature: str) -> None:
        with self._lock:
            self.features[model_id] = self.features.get(model_id, _NOTHING) | {feature}
