"""Answers one request, in this process or in one that got everything by pickle."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from bestehorn_llmmanager.bedrock.parallel.pacing import PacedHealth, Pacer
from bestehorn_llmmanager.bedrock.retry.plan import Deadline
from bestehorn_llmmanager.llm_manager import Lane

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
    from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
        ResponseValidationConfig,
    )
    from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig
    from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
    from bestehorn_llmmanager.llm_manager import LLMManager


class Order(NamedTuple):
    """One request with how it is to be answered."""

    request: BedrockConverseRequest
    columns: tuple[int, ...]
    timeout: float
    validation: ResponseValidationConfig | None
    model_specific_config: ModelSpecificConfig | None


class Stopped(BaseException):
    """The run was stopped while a request waited; it has neither an answer nor an error."""


@dataclass(frozen=True)
class Worker:
    """A manager with what the calls of a run share. Safe to share between threads.

    Attributes:
        manager: Resolves and sends.
        most: Calls at once per target.
        tokens_per_minute: Quota per target, None if unknown.
    """

    manager: LLMManager
    most: int
    tokens_per_minute: Mapping[str, int] | int | None = None
    pacer: Pacer = field(init=False)
    stopping: threading.Event = field(init=False)

    def __post_init__(self) -> None:
        self._start()

    def _start(self) -> None:
        pacer = Pacer(self.most, self.tokens_per_minute)
        stopping = threading.Event()
        equipment = replace(
            self.manager._equipment,  # noqa: SLF001  (this library's own)
            health=PacedHealth(pacer),
            gate=pacer,
            sleep=self._sleep,
            waits_out_throttling=True,
        )
        for name, value in (
            ("pacer", pacer),
            ("stopping", stopping),
            ("_equipment", equipment),
        ):
            object.__setattr__(self, name, value)

    def __getstate__(self) -> tuple[object, ...]:
        return self.manager, self.most, self.tokens_per_minute

    def __setstate__(self, state: tuple[object, ...]) -> None:
        for name, value in zip(("manager", "most", "tokens_per_minute"), state, strict=True):
            object.__setattr__(self, name, value)
        self._start()

    def answer(self, order: Order) -> BedrockResponse:
        """Answer one request.

        Raises:
            Exception: As `LLMManager.converse`.
            Stopped: The run was stopped before there was an answer.
        """
        if self.stopping.is_set():
            raise Stopped
        arguments = order.request.to_converse_args()
        if order.model_specific_config is not None:
            arguments.setdefault("model_specific_config", order.model_specific_config)
        return self.manager._answer(  # noqa: SLF001  (this library's own)
            arguments,
            order.validation,
            deadline=Deadline(time.monotonic() + order.timeout, is_hard=True),
            lane=Lane(self._equipment, order.columns),  # type: ignore[attr-defined]  # made in `_start`
        )

    def stop(self) -> None:
        """Let nothing more be sent; what is under way ends by itself."""
        self.stopping.set()
        self.pacer.stop()

    def _sleep(self, seconds: float) -> None:
        if self.stopping.wait(seconds):
            raise Stopped


class Parcel(NamedTuple):
    """A worker for another process, which unpacks it once.

    Attributes:
        key: Tells parcels apart.
        content: The pickled worker.
    """

    key: str
    content: bytes


_unpacked: dict[str, Worker] = {}
_unpacking = threading.Lock()


def answer_elsewhere(parcel: Parcel, order: Order) -> BedrockResponse:
    """Answer one request in a process that may never have seen the manager."""
    import pickle  # noqa: PLC0415  (only where something travels)

    worker = _unpacked.get(parcel.key)
    if worker is None:
        with _unpacking:
            worker = _unpacked.get(parcel.key)
            if worker is None:
                # Our own bytes, which the executor brought as it brought this function.
                worker = _unpacked[parcel.key] = pickle.loads(parcel.content)  # noqa: S301
    return worker.answer(order)
