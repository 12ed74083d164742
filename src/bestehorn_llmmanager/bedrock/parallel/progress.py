"""Tells how far a run of many requests is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import ParallelConfigurationError
from bestehorn_llmmanager.bedrock.retry.decisions import Decision

if TYPE_CHECKING:
    from collections.abc import Callable

    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse

_THROTTLED = {Decision.REST.value, Decision.OUT_FOR_TODAY.value}


@dataclass
class RunProgress:
    """Figures of a run, as they are after each result.

    Attributes:
        total: Requests in all, None for a generator.
        done: Results, those read from the journal included.
        succeeded: Answers.
        failed: Results that are none.
        resumed: Results read from the journal.
        throttles: Sendings that AWS throttled.
        tokens: Input and output tokens of the answers.
        started_at: Monotonic time.
    """

    total: int | None = None
    done: int = 0
    succeeded: int = 0
    failed: int = 0
    resumed: int = 0
    throttles: int = 0
    tokens: int = 0
    started_at: float = field(default_factory=time.monotonic)

    @property
    def rate(self) -> float:
        """Results per second, without those from the journal."""
        seconds = time.monotonic() - self.started_at
        return (self.done - self.resumed) / seconds if seconds > 0 else 0.0

    def add(self, response: BedrockResponse, *, resumed: bool = False) -> None:
        """Count one result."""
        self.done += 1
        self.resumed += resumed
        self.succeeded += response.success
        self.failed += not response.success
        self.tokens += response.get_total_tokens()
        if len(response.attempt_log) > 1 or not response.success:
            self.throttles += sum(
                getattr(entry, "decision", None) in _THROTTLED for entry in response.attempt_log
            )


def listener(progress: object, total: int | None) -> tuple[Callable[[RunProgress], object], Any]:
    """What is called after each result, and what is closed at the end.

    Args:
        progress: False for nothing, True for a bar (needs the extra ``progress``), or a callable.
        total: Requests in all, None if not known.

    Raises:
        ParallelConfigurationError: It is none of these, or `tqdm` is not installed.
    """
    if progress is False or progress is None:
        return _nothing, None
    if callable(progress):
        return progress, None
    if progress is not True:
        raise ParallelConfigurationError(
            f"`progress` must be True, False or a callable, got {progress!r}",
            invalid_parameter="progress",
        )
    try:
        from tqdm import tqdm  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise ParallelConfigurationError(
            "`progress=True` needs `pip install bestehorn-llmmanager[progress]`",
            invalid_parameter="progress",
        ) from error
    bar = tqdm(total=total, unit="request", smoothing=0.1)

    def show(figures: RunProgress) -> None:
        bar.set_postfix(
            failed=figures.failed, throttled=figures.throttles, tokens=figures.tokens, refresh=False
        )
        bar.update(figures.done - bar.n)

    return show, bar


def _nothing(_: RunProgress) -> None:
    return None
