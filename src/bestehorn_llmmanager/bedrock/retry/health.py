"""Remembers which targets rest: those that throttled or failed a moment ago."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from bestehorn_llmmanager._fork import start_afresh_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable

    from bestehorn_llmmanager.bedrock.retry.targets import Target

_FIRST_REST_SECONDS = 1.0
_LONGEST_REST_SECONDS = 60.0
_REST_FOR_TODAY_SECONDS = 3600.0


class _Rest(NamedTuple):
    until: float
    failures: int


class TargetHealth:
    """How the targets of one manager do; shared by its threads.

    A target that fails rests: first up to a second, then twice as long after each rest that ends
    in another failure, up to a minute, shortened at random by up to half. It is tried last
    meanwhile. A success ends it.

    Safe to share between threads: readers look at a dict, writers hold the lock.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self._now = now
        self._rand = rand
        self._start_afresh()
        self._rests: dict[tuple[str, str], _Rest] = {}

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()
        start_afresh_after_fork(self)

    def __bool__(self) -> bool:
        """Whether any target is remembered to have failed."""
        return bool(self._rests)

    def rests_until(self, target: Target) -> float:
        """The monotonic time at which the rest of `target` ends; 0.0 if it does not rest."""
        rest = self._rests.get(target.key)
        return rest.until if rest and rest.until > self._now() else 0.0

    def failed(
        self, target: Target, *, retry_after: float | None = None, for_today: bool = False
    ) -> None:
        """Let `target` rest, at least `retry_after` seconds."""
        with self._lock:
            now, before = self._now(), self._rests.get(target.key)
            # Calls that were under way together fail together: that is one failure.
            resting = before is not None and before.until > now
            failures = (before.failures if before else 0) + (not resting)
            longest = min(_FIRST_REST_SECONDS * 2.0 ** min(failures - 1, 30), _LONGEST_REST_SECONDS)
            seconds = longest * (1 + self._rand()) / 2
            if for_today:
                seconds = _REST_FOR_TODAY_SECONDS
            until = max(now + max(seconds, retry_after or 0.0), before.until if before else 0.0)
            self._rests[target.key] = _Rest(until, failures)

    def succeeded(self, target: Target) -> None:
        """Forget that `target` ever failed."""
        if target.key in self._rests:
            with self._lock:
                self._rests.pop(target.key, None)
