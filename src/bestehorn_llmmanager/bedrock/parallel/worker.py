"""Answers one request of a run with what its calls share."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from bestehorn_llmmanager.bedrock.parallel.pacing import PacedHealth, Stopped
from bestehorn_llmmanager.bedrock.retry.plan import Deadline
from bestehorn_llmmanager.llm_manager import Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
    from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
        ResponseValidationConfig,
    )
    from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig
    from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
    from bestehorn_llmmanager.bedrock.parallel.pacing import Pacer, Slot
    from bestehorn_llmmanager.bedrock.retry.targets import Target
    from bestehorn_llmmanager.llm_manager import LLMManager

__all__ = ["Order", "Stopped", "Worker"]


class Order(NamedTuple):
    """One request with how it is to be answered."""

    request: BedrockConverseRequest
    columns: tuple[int, ...]
    timeout: float
    validation: ResponseValidationConfig | None
    model_specific_config: ModelSpecificConfig | None


class Worker:
    """A manager that answers the requests of one run, until it is stopped.

    Safe to share between threads.

    Args:
        manager: Resolves and sends.
        health: How the targets do, and their pacer; may be shared by several runs.
    """

    def __init__(self, manager: LLMManager, health: PacedHealth) -> None:
        self.manager = manager
        self.pacer = health.pacer
        self._stopping = threading.Event()
        self._at_stop: list[Callable[[], object]] = []
        self._equipment = replace(
            manager._equipment,  # noqa: SLF001  (this library's own)
            health=health,
            gate=_Gate(self.pacer, self._stopping),
            sleep=self._sleep,
            waits_out_throttling=True,
        )

    def answer(self, order: Order) -> BedrockResponse:
        """Answer one request.

        Raises:
            Exception: As `LLMManager.converse`.
            Stopped: The run was stopped before there was an answer.
        """
        if self._stopping.is_set():
            raise Stopped
        arguments = order.request.to_converse_args()
        if order.model_specific_config is not None:
            arguments.setdefault("model_specific_config", order.model_specific_config)
        return self.manager._answer(  # noqa: SLF001  (this library's own)
            arguments,
            order.validation,
            deadline=Deadline(time.monotonic() + order.timeout, is_hard=True),
            lane=Lane(self._equipment, order.columns),
        )

    def at_stop(self, action: Callable[[], object]) -> None:
        """Have `action` called by `stop`."""
        self._at_stop.append(action)

    def stop(self) -> None:
        """Let nothing more be sent; what is under way ends by itself."""
        self._stopping.set()
        self.pacer.wake()
        for action in self._at_stop:
            action()

    def _sleep(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise Stopped


class _Gate:
    """The pacer, for one run."""

    def __init__(self, pacer: Pacer, stopping: threading.Event) -> None:
        self._pacer = pacer
        self._stopping = stopping

    def enter(self, target: Target, request: Mapping[str, Any], until: float | None) -> Slot | None:
        return self._pacer.enter(target, request, until, self._stopping)
