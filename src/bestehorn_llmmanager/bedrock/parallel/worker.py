"""Answers one request of a run with what its calls share."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import RetryExhaustedError
from bestehorn_llmmanager.bedrock.parallel.pacing import Stopped
from bestehorn_llmmanager.bedrock.retry.plan import Deadline
from bestehorn_llmmanager.llm_manager import Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bestehorn_llmmanager.bedrock.calls.call import Gate
    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
    from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
        ResponseValidationConfig,
    )
    from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig
    from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
    from bestehorn_llmmanager.bedrock.parallel.pacing import PacedHealth, Pacer, Slot
    from bestehorn_llmmanager.bedrock.retry.targets import Target
    from bestehorn_llmmanager.llm_manager import LLMManager


class Order(NamedTuple):
    """One request with how it is to be answered.

    Attributes:
        timeout: Seconds that it may still take.
        waited: Seconds that it took before, in this try.
    """

    request: BedrockConverseRequest
    columns: tuple[int, ...]
    timeout: float
    validation: ResponseValidationConfig | None
    model_specific_config: ModelSpecificConfig | None
    waited: float = 0.0


class Worker:
    """A manager that answers the requests of one run, until it is stopped.

    Safe to share between threads.

    Args:
        manager: Resolves and sends.
        health: How the targets do, and their pacer; may be shared by several runs.
        gate: Gives leave for each sending; None for the pacer, until the worker is stopped.
    """

    def __init__(
        self, manager: LLMManager, health: PacedHealth, *, gate: Gate | None = None
    ) -> None:
        self.manager = manager
        self.pacer = health.pacer
        self._stopping = threading.Event()
        self._at_stop: list[Callable[[], object]] = []
        self._equipment = replace(
            manager._equipment,  # noqa: SLF001  (this library's own)
            health=health,
            gate=gate or _Gate(self.pacer, self._stopping),
            why_closed=self.pacer.why_full,
            sleep=self._sleep,
            waits_out_throttling=True,
        )

    def answer(self, order: Order) -> BedrockResponse:
        """Answer one request.

        Raises:
            Exception: As `LLMManager.converse`; `duration_seconds` of a `RetryExhaustedError` is
                set.
            Stopped: The run was stopped before there was an answer.
        """
        if self._stopping.is_set():
            raise Stopped
        arguments = order.request.to_converse_args()
        config = order.model_specific_config
        if config is not None and "model_specific_config" not in arguments:
            if arguments.get("enable_extended_context"):  # which the request asks for by itself
                config = replace(config, enable_extended_context=True)
            arguments["model_specific_config"] = config
        started = time.monotonic()
        try:
            return self.manager._answer(  # noqa: SLF001  (this library's own)
                arguments,
                order.validation,
                deadline=Deadline(started + order.timeout, is_hard=True),
                lane=Lane(self._equipment, order.columns),
            )
        except RetryExhaustedError as error:
            error.duration_seconds = order.waited + time.monotonic() - started
            raise

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
