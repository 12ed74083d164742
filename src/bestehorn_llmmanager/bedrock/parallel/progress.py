"""Tells how far a run of many requests is."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import ParallelConfigurationError
from bestehorn_llmmanager.bedrock.retry.decisions import Decision

if TYPE_CHECKING:
    from collections.abc import Callable

    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse

logger = logging.getLogger(__name__)

Figures = TypeVar("Figures")

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


class Audience(Generic[Figures]):
    """Passes figures on: to a bar, to a function, or to nobody.

    What goes wrong there costs the work nothing: it is logged once, and nothing is passed on after.

    Args:
        progress: False for nobody, True for a bar (needs the extra ``progress``), or a callable.

    Attributes:
        unit: What the bar counts.

    Raises:
        ParallelConfigurationError: It is none of these, or `tqdm` is not installed.
    """

    unit: str

    def __init__(self, progress: object) -> None:
        self._tell: Callable[[Figures], object] | None = None
        self._bar: Any = None
        if callable(progress):
            self._tell = lambda figures: progress(copy(figures))
        elif progress is True:
            self._bar = _bar_class()
        elif progress is not False and progress is not None:
            raise ParallelConfigurationError(
                f"`progress` must be True, False or a callable, got {progress!r}",
                invalid_parameter="progress",
                provided_value=progress,
            )

    def start(self, total: int | None = None) -> None:
        """Show an empty bar, if it is a bar.

        Args:
            total: How many there are in all, None if not known.
        """
        if self._bar is not None:
            self._bar = self._bar(total=total, unit=self.unit, miniters=1)
            self._tell = self._show

    def tell(self, figures: Figures) -> None:
        """Pass the figures on, as they are now."""
        if self._tell is None:
            return
        try:
            self._tell(figures)
        except Exception as error:  # noqa: BLE001  (the work is worth more than its announcement)
            self._tell = None
            logger.warning(
                "error=%s | showing progress failed; all else goes on", type(error).__name__
            )

    def close(self) -> None:
        """End the bar, if there is one."""
        if self._bar is not None:
            with suppress(Exception):  # of a terminal that has gone
                self._bar.close()

    def _show(self, figures: Figures) -> None:
        """Put the figures on the bar."""
        raise NotImplementedError


class Listener(Audience[RunProgress]):
    """Shows how far a run is."""

    unit = "request"

    def _show(self, figures: RunProgress) -> None:
        self._bar.set_postfix(
            answered=figures.succeeded,
            failed=figures.failed,
            throttled=figures.throttles,
            tokens=figures.tokens,
            refresh=False,
        )
        if figures.done > self._bar.n:
            self._bar.update(figures.done - self._bar.n)
        else:
            self._bar.refresh()  # nothing finishes, but it is seen to live


def _bar_class() -> Any:
    try:
        from tqdm import tqdm  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise ParallelConfigurationError(
            '`progress=True` needs `pip install "bestehorn-llmmanager[progress]"`',
            invalid_parameter="progress",
            provided_value=True,
        ) from error

    class Bar(tqdm):  # type: ignore[type-arg]  # generic for type checkers only
        monitor_interval = 0  # else tqdm starts a thread that stays

    return Bar
