"""Answers what to try next, given what failed; never sends anything itself."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, NamedTuple

from bestehorn_llmmanager.bedrock.retry.decisions import Decision

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryConfig
    from bestehorn_llmmanager.bedrock.retry.decisions import Verdict
    from bestehorn_llmmanager.bedrock.retry.health import TargetHealth
    from bestehorn_llmmanager.bedrock.retry.targets import Target, Way

# A second generation is paid for: no target gets it twice, and a call gets one in all.
_REPEATS_OF_LOST_ANSWERS = 1
# No attempt starts with less than a second left; a call that was given one still has it here.
_SHORTEST_ATTEMPT_SECONDS = 0.95
_LONGEST_WAIT_SECONDS = 300.0
# Pauses of a call that waits throttling out. They only keep it from asking all the time: in a run of
# many requests the pacer sends fewer at once to a target that throttles.
_SHORTEST_PATIENT_SECONDS = 0.1
_LONGEST_PATIENT_SECONDS = 5.0


class Attempt(NamedTuple):
    """One request that is to go out.

    Attributes:
        target: Which model in which region.
        way: The identifier to send.
        pause: Seconds to wait before.
    """

    target: Target
    way: Way
    pause: float = 0.0


class _Waiting(NamedTuple):
    """A target that may be tried again from `ready` on."""

    ready: float
    target: Target
    way: Way
    lost_an_answer: bool = False


class Deadline(NamedTuple):
    """When a call must end.

    Attributes:
        at: Monotonic time.
        is_hard: Whether attempts under way end there, too; otherwise none starts after it.
    """

    at: float
    is_hard: bool

    @property
    def last_start(self) -> float:
        """When the last attempt may start."""
        return self.at - _SHORTEST_ATTEMPT_SECONDS if self.is_hard else self.at


class Plan:
    """The attempts of one call, produced one by one.

    Targets not tried yet come first, in their order, those that rest last. When there is none
    left, those that failed in a way that may pass are tried again, up to `max_retries` times
    each, after pauses with full jitter. Targets without a feature that the request uses come
    after all that. For one thread.

    Args:
        targets: In order of preference.
        retry: How often, and with which pauses.
        health: Which targets rest.
        needs_profile: Whether a target is known to refuse direct access.
        lacking: Ids of models known to lack a feature that the request uses; may grow meanwhile.
        deadline: When to stop.
        waits_out_throttling: Whether targets that throttle are tried until the deadline, however
            often; the pauses then leave time for another attempt, unless the service asks for more.
        now: Monotonic clock, in seconds.
        rand: Uniformly from 0 to 1.

    Attributes:
        out_of_time: Whether the deadline ended the call.
        missed: The attempt for which there was no time any more.
    """

    __slots__ = (
        "_deadline",
        "_failures",
        "_health",
        "_is_patient",
        "_lacking",
        "_lost_answers",
        "_needs_profile",
        "_now",
        "_parked",
        "_rand",
        "_retry",
        "_same",
        "_untried",
        "_waiting",
        "missed",
        "out_of_time",
    )

    def __init__(
        self,
        targets: Sequence[Target],
        retry: RetryConfig,
        health: TargetHealth,
        *,
        needs_profile: Callable[[Target], bool],
        lacking: Container[str] = (),
        deadline: Deadline | None = None,
        waits_out_throttling: bool = False,
        now: Callable[[], float] = time.monotonic,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self._retry = retry
        self._health = health
        self._needs_profile = needs_profile
        self._deadline = deadline
        self._is_patient = waits_out_throttling and deadline is not None
        self._now = now
        self._rand = rand
        self._lacking = lacking
        self._untried = list(targets)
        self._parked: list[Target] = []
        self._waiting: list[_Waiting] = []
        self._same: Attempt | None = None
        self._failures: dict[tuple[Target, bool], int] = {}
        self._lost_answers = 0
        self.out_of_time = False
        self.missed: Attempt | None = None

    def next(self) -> Attempt | None:
        """The next attempt; None when nothing is left, or no time."""
        attempt, self._same = self._same, None
        if attempt is None or not self._is_in_time(attempt):
            attempt = self._first_try() or self._another_try() or self._last_resort() or attempt
        if attempt is not None and attempt.pause and not self._is_in_time(attempt):
            attempt = self._last_resort() or attempt
        if attempt is None or self._is_in_time(attempt):
            return attempt
        self.out_of_time, self.missed = True, attempt
        return None

    @property
    def has_untried(self) -> bool:
        """Whether targets are left that have not been asked."""
        return bool(self._untried)

    def failed(self, attempt: Attempt, verdict: Verdict) -> None:
        """Take note of a failure, and plan accordingly."""
        target = attempt.target
        match verdict.decision:
            case Decision.REST | Decision.AGAIN | Decision.GENERATE_AGAIN:
                self._health.failed(target, retry_after=verdict.retry_after)
                self._wait(attempt, verdict)
            case Decision.OUT_FOR_TODAY:
                self._health.failed(target, for_today=True)
            case Decision.NEXT_TARGET | Decision.NEXT_CREDENTIALS:
                self._health.failed(target)
            case Decision.NEXT_METHOD:
                later = target.ways[target.ways.index(attempt.way) + 1 :]
                way = next((way for way in later if way.method != "direct"), None)
                self._same = way and Attempt(target, way)
            case Decision.WITHOUT_FEATURE:
                self._park(target)
            case Decision.NEXT_MODEL:
                self._drop_model(target.model_id)
            case Decision.REFUSED | Decision.NO_CREDENTIALS | Decision.NO_VERDICT:
                self._end()
            case Decision.REJECTED:
                pass
            case _:
                self._same = attempt._replace(pause=verdict.retry_after or 0.0)

    def held_back(self) -> None:
        """Take note that the attempt that was next could not be sent in time.

        It says nothing of the target, which does not rest; in this call it is not tried again.
        """
        self.out_of_time = True

    def _is_in_time(self, attempt: Attempt) -> bool:
        if self._deadline is None:
            return True
        left = self._deadline.at - self._now() - attempt.pause
        return left > 0 and (left >= _SHORTEST_ATTEMPT_SECONDS or not self._deadline.is_hard)

    def _first_try(self) -> Attempt | None:
        if not self._untried:
            return None
        position = 0
        if len(self._untried) > 1 and self._health:
            rests = [self._health.rests_until(target) for target in self._untried]
            position = min(range(len(rests)), key=rests.__getitem__)
        target = self._untried.pop(position)
        if target.model_id in self._lacking:
            self._park(target)
            return self._first_try()
        return self._attempt(target)

    def _attempt(self, target: Target) -> Attempt:
        way = target.ways[0]
        if len(target.ways) > 1 and way.method == "direct" and self._needs_profile(target):
            way = target.ways[1]
        return Attempt(target, way)

    def _another_try(self) -> Attempt | None:
        if not self._waiting:
            return None
        chosen = min(self._waiting, key=lambda waiting: waiting.ready)
        self._waiting.remove(chosen)
        if chosen.lost_an_answer:
            if self._lost_answers >= _REPEATS_OF_LOST_ANSWERS:
                return self._another_try()
            self._lost_answers += 1
        return Attempt(chosen.target, chosen.way, max(0.0, chosen.ready - self._now()))

    def _last_resort(self) -> Attempt | None:
        return self._attempt(self._parked.pop(0)) if self._parked else None

    def _wait(self, attempt: Attempt, verdict: Verdict) -> None:
        is_patient = self._is_patient and verdict.decision is Decision.REST
        # Throttling that is waited out leaves the target its tries after other errors.
        key = attempt.target, is_patient
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        if failures > self._retry.max_retries and not is_patient:
            return
        longest = self._longest_pause(failures)
        if is_patient:
            longest = self._with_time_left(longest)
        pause = max(longest * self._rand(), verdict.retry_after or 0.0)
        if pause > max(_LONGEST_WAIT_SECONDS, self._retry.max_retry_delay):
            return  # the service asks for more than a call should last
        lost = verdict.decision is Decision.GENERATE_AGAIN
        self._waiting.append(_Waiting(self._now() + pause, attempt.target, attempt.way, lost))

    def _longest_pause(self, failures: int) -> float:
        retry = self._retry
        if not retry.retry_delay:
            return 0.0
        try:
            grown = retry.retry_delay * float(retry.backoff_multiplier) ** (failures - 1)
        except OverflowError:
            return retry.max_retry_delay
        return min(grown, retry.max_retry_delay)

    def _with_time_left(self, pause: float) -> float:
        """A pause after which there is time for an attempt, and for another pause."""
        assert self._deadline is not None
        half = (self._deadline.last_start - self._now()) / 2
        return max(min(pause, half, _LONGEST_PATIENT_SECONDS), _SHORTEST_PATIENT_SECONDS)

    def _park(self, target: Target) -> None:
        waiting = [w.target for w in self._waiting if not w.lost_an_answer]
        candidates = [target, *self._untried, *waiting, *self._parked]
        self._drop_model(target.model_id)
        self._parked += dict.fromkeys(t for t in candidates if t.model_id == target.model_id)

    def _drop_model(self, model_id: str) -> None:
        self._untried = [t for t in self._untried if t.model_id != model_id]
        self._waiting = [w for w in self._waiting if w.target.model_id != model_id]
        self._parked = [t for t in self._parked if t.model_id != model_id]

    def _end(self) -> None:
        self._untried, self._waiting, self._parked = [], [], []
