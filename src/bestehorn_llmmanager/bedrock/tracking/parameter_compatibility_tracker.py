"""Remembers, for the whole process, which additional request fields a model takes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from typing import Any, ClassVar

from bestehorn_llmmanager._fork import start_afresh_after_fork

_MOST_COMBINATIONS = 10_000


class ParameterCompatibilityTracker:
    """Whether a model took a combination of fields in a region, the last time it was sent.

    A record for whoever wants to know: `LLMManager` writes it and does not read it. What a model
    does not take each manager remembers for itself, and leaves out from then on.

    `get_instance` gives the object that the process shares; a constructor call makes one of its
    own. Keeps no parameters, only a hash of them; of very many combinations the oldest go.

    Safe to share between threads: a lock guards the changes, looking up takes none.
    """

    _instance: ClassVar[ParameterCompatibilityTracker | None] = None
    _making: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str, str], bool] = {}
        self._refusing: set[tuple[str, str]] = set()
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()
        start_afresh_after_fork(self)

    @classmethod
    def get_instance(cls) -> ParameterCompatibilityTracker:
        """The object that the process shares."""
        if cls._instance is None:
            with cls._making:
                if cls._instance is None:
                    cls._instance = cls()
        return cls._instance

    def record_success(self, model_id: str, region: str, parameters: dict[str, Any]) -> None:
        """Remember that the model took the parameters."""
        self._record(model_id, region, parameters, taken=True)

    def record_failure(
        self,
        model_id: str,
        region: str,
        parameters: dict[str, Any],
        error: Exception,  # noqa: ARG002  (part of the 0.9.0 interface)
    ) -> None:
        """Remember that the model refused the parameters."""
        self._record(model_id, region, parameters, taken=False)

    def is_known_incompatible(self, model_id: str, region: str, parameters: dict[str, Any]) -> bool:
        """Whether these parameters were refused last; costs next to nothing where none ever were."""
        if (model_id, region) not in self._refusing:
            return False
        return self._taken.get((model_id, region, _digest(parameters))) is False

    def get_statistics(self) -> dict[str, Any]:
        """Counts of combinations, with the models and regions that they are about."""
        with self._lock:
            taken = dict(self._taken)
        compatible = sum(taken.values())
        return {
            "total_combinations": len(taken),
            "compatible_count": compatible,
            "incompatible_count": len(taken) - compatible,
            "models_tracked": sorted({model_id for model_id, _, _ in taken}),
            "regions_tracked": sorted({region for _, region, _ in taken}),
        }

    def _record(
        self, model_id: str, region: str, parameters: dict[str, Any], *, taken: bool
    ) -> None:
        key = (model_id, region, _digest(parameters))
        with self._lock:
            self._taken.pop(key, None)
            if len(self._taken) >= _MOST_COMBINATIONS:
                del self._taken[next(iter(self._taken))]
            self._taken[key] = taken
            if not taken:
                self._refusing.add((model_id, region))


def _digest(parameters: object) -> str:
    try:
        text = _canonical(parameters)
    except RecursionError:  # contains itself, or as good as that: cannot be sent anyway
        text = "endless"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _canonical(value: Any) -> str:
    """Equal for equal values, whatever the order of keys and of sets; for any object at all."""
    if isinstance(value, Mapping):
        items = sorted(f"{_canonical(key)}:{_canonical(item)}" for key, item in value.items())
        return f"{{{','.join(items)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_canonical, value))}]"
    if isinstance(value, (set, frozenset)):
        return f"set({','.join(sorted(map(_canonical, value)))})"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"bytes({bytes(value).hex()})"
    if value is None or isinstance(value, (str, bool, int, float)):
        return repr(value)
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}({_shown(value)})"


def _shown(value: object) -> str:
    if type(value).__repr__ is object.__repr__:
        return ""  # it has an address, which another object may have next time
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  (a call must not fail because a value cannot be shown)
        return ""
