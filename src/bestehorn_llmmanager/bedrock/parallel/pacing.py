"""Says how many calls a target takes at once, and holds back what would be throttled."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager._fork import start_afresh_after_fork
from bestehorn_llmmanager.bedrock.models.token_quota import (
    counted_input,
    counted_tokens,
    output_weight,
)
from bestehorn_llmmanager.bedrock.retry.decisions import Decision, classify
from bestehorn_llmmanager.bedrock.retry.health import TargetHealth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bestehorn_llmmanager.bedrock.retry.targets import Target

logger = logging.getLogger(__name__)

_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_OTHER_BLOCK = 1000
_LONGEST_ANSWER_WHERE_UNKNOWN = 4096
_THROTTLED = {Decision.REST, Decision.OUT_FOR_TODAY}
# The service counts from when it has the request, which is later than we count from.
_LATENESS = 1.02
_SHARE_OF_THE_LATEST = 0.1
_TRUSTED_ESTIMATE = 1000.0


class Stopped(BaseException):
    """The run was stopped while a request waited; it has neither an answer nor an error."""


class Charge:
    """One call in the books of a lane.

    Attributes:
        at: When it started.
        tokens: What it counts against the quota: the reservation, later what it used.
        input_estimate: Tokens that its prompt was taken for; 0 without a quota.
    """

    __slots__ = ("at", "input_estimate", "tokens")

    def __init__(self, at: float, tokens: int, input_estimate: int) -> None:
        self.at = at
        self.tokens = tokens
        self.input_estimate = input_estimate


class Lane:
    """The books of one target. Knows no time of its own; whoever uses it holds `lock`.

    Begins with `most` calls at once. A throttled call halves that, once for all calls that were
    under way together; each answer adds a fraction, so that a round of answers adds one (additive
    increase, multiplicative decrease). With a quota, a call reserves its estimated input and its
    `maxTokens`, as Bedrock does, and settles on what it used.

    Args:
        most: Calls at once, at most.
        quota: Tokens in any window of `period` seconds; None for any number. A call that needs
            more than that starts when nothing else counts.
        period: Seconds.
        weight: What an output token counts.

    Attributes:
        limit: Calls at once; a fraction, so that it can grow slowly.
        calls: Calls under way.
        tokens: What counts against the quota, as of the last look.
        queue: Those who wait, in the order in which they came.
        is_too_small: Whether a call was seen that reserves more than the quota.
    """

    def __init__(
        self, most: int, quota: int | None = None, *, period: float = 60.0, weight: int = 1
    ) -> None:
        self.quota = quota
        self.weight = weight
        self.limit = float(most)
        self.calls = 0
        self.tokens = 0
        self.lock = threading.Lock()
        self.queue: deque[threading.Condition] = deque()
        self.is_too_small = False
        self._most = most
        self._period = period
        self._charges: deque[Charge] = deque()
        self._cut_at = -math.inf
        # Estimated tokens of past prompts, and what they were; old ones fade.
        self._estimated, self._counted = _TRUSTED_ESTIMATE, _TRUSTED_ESTIMATE
        self._usual_tokens = 0.0
        self._usual_seconds = 0.0

    def reservation(self, input_estimate: int, max_tokens: int) -> int:
        """Tokens that a call reserves."""
        return math.ceil(input_estimate * self._counted / self._estimated) + max_tokens

    def wait(self, now: float, tokens: int) -> float:
        """Seconds until it is worth looking again.

        Returns:
            0.0 if a call with this reservation may start now; infinity if only the end of another
            one makes room.
        """
        if self.calls + 1 > self.limit:
            return math.inf
        if self.quota is None:
            return 0.0
        self._forget_old(now)
        if self.tokens + tokens <= self.quota or not self.tokens:
            return 0.0
        return max(self._charges[0].at + self._period * _LATENESS - now, self._period / 1000)

    def start(self, now: float, tokens: int = 0, input_estimate: int = 0) -> Charge:
        """Begin a call."""
        charge = Charge(now, tokens, input_estimate)
        self.calls += 1
        if self.quota is not None:
            self._charges.append(charge)
            self.tokens += tokens
        return charge

    def answered(self, charge: Charge, now: float, usage: Mapping[str, Any]) -> None:
        """End a call that was answered."""
        self.calls -= 1
        if self.limit < self._most:
            self.limit = min(self.limit + 1 / self.limit, float(self._most))
        self._usual_seconds = _follow(self._usual_seconds, now - charge.at)
        if self.quota is not None:
            used = counted_tokens(usage, self.weight)
            self._usual_tokens = _follow(self._usual_tokens, used)
            self._settle(charge, used)
            fading = 1 - _SHARE_OF_THE_LATEST
            self._estimated = self._estimated * fading + charge.input_estimate
            self._counted = self._counted * fading + counted_input(usage)

    def throttled(self, charge: Charge, now: float) -> None:
        """End a call that was throttled; it counts nothing."""
        if charge.at >= self._cut_at:
            self._cut_at = now
            self.limit = max(1.0, min(self.limit, self.calls) / 2)
        self.calls -= 1
        self._settle(charge, 0)

    def failed(self, charge: Charge, *, counts: bool) -> None:
        """End a call that failed otherwise.

        Args:
            charge: What `start` gave.
            counts: Whether the service may have counted it: then the reservation stands.
        """
        self.calls -= 1
        if not counts:
            self._settle(charge, 0)

    def pressure(self, now: float) -> float:
        """0.0 if a usual call could start now, else something below 1 that grows with the wait."""
        waiting = len(self.queue)
        if not waiting and self.wait(now, math.ceil(self._usual_tokens)) == 0.0:
            return 0.0
        seconds = self._usual_seconds / self.limit
        if self.quota is not None:
            seconds = max(seconds, self._usual_tokens * self._period / self.quota)
        expected = (waiting + 1) * max(seconds, 1e-6)
        return expected / (1 + expected)

    def _settle(self, charge: Charge, used: int) -> None:
        # One that has been forgotten has a reservation of 0 here.
        if charge.tokens:
            self.tokens += used - charge.tokens
            charge.tokens = used

    def _forget_old(self, now: float) -> None:
        oldest = now - self._period * _LATENESS
        charges = self._charges
        while charges and charges[0].at <= oldest:
            charge = charges.popleft()
            self.tokens -= charge.tokens
            charge.tokens = 0


def _follow(usual: float, latest: float) -> float:
    return usual + _SHARE_OF_THE_LATEST * (latest - usual) if usual else float(latest)


class Slot:
    """Leave to make one call; ends with `answered` or `failed`."""

    __slots__ = ("_charge", "_lane", "_now")

    def __init__(self, lane: Lane, charge: Charge, now: Callable[[], float]) -> None:
        self._lane = lane
        self._charge = charge
        self._now = now

    def answered(self, answer: Mapping[str, Any]) -> None:
        """The call was answered: its reservation shrinks to what it used."""
        with self._lane.lock:
            self._lane.answered(self._charge, self._now(), answer.get("usage") or {})
            _call_the_next(self._lane)

    def failed(self, error: BaseException) -> None:
        """The call failed; a target that throttled it takes fewer calls from now on."""
        throttled = classify(error).decision in _THROTTLED
        with self._lane.lock:
            if throttled:
                self._lane.throttled(self._charge, self._now())
            else:
                # The service answers what it refuses; what it did with the others, nobody knows.
                self._lane.failed(self._charge, counts=getattr(error, "response", None) is None)
            _call_the_next(self._lane)


def _call_the_next(lane: Lane) -> None:
    if lane.queue:
        lane.queue[0].notify()


class Pacer:
    """Holds calls back so that targets are kept busy and not throttled; see `Lane` for the rules.

    Who waits for a target is served in order. Pickles without what it has learned. Safe to share
    between threads: each lane has a lock.

    Args:
        most: Calls at once per target, at most.
        tokens_per_minute: Quota per target: one for all, or by the id of the model or of what is
            called, with ``"*"`` for the others; None means unknown.
        period: Seconds over which the quota counts.
        now: Monotonic clock.
    """

    def __init__(
        self,
        most: int,
        tokens_per_minute: Mapping[str, int] | int | None = None,
        *,
        period: float = 60.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most = most
        self._quotas = (
            {"*": tokens_per_minute}
            if isinstance(tokens_per_minute, int)
            else dict(tokens_per_minute or {})
        )
        self._period = period
        self._now = now
        self._start_afresh()
        start_afresh_after_fork(self)

    def _start_afresh(self) -> None:
        self._making = threading.Lock()
        self._lanes: dict[tuple[str, str], Lane] = {}

    def __reduce__(self) -> tuple[object, ...]:
        return _pacer, (self.most, self._quotas, self._period)

    def part(self, of: int) -> Pacer:
        """A pacer for one of several processes that share the quota."""
        quotas = {name: max(quota // of, 1) for name, quota in self._quotas.items()}
        return Pacer(self.most, quotas, period=self._period, now=self._now)

    def enter(
        self,
        target: Target,
        request: Mapping[str, Any],
        until: float | None,
        stopping: threading.Event | None = None,
    ) -> Slot | None:
        """Wait for leave to call `target`.

        Args:
            target: What will be called.
            request: Members of Converse; only their sizes are looked at.
            until: Monotonic time after which not to wait any longer.
            stopping: Ends the waiting, once it is set and `wake` was called.

        Returns:
            None if there was no leave in time.

        Raises:
            Stopped: `stopping` is set.
        """
        lane = self._lanes.get(target.key) or self._make_lane(target)
        estimate = longest = 0
        if lane.quota is not None:
            estimate, longest = estimated_input(request), _longest_answer(target, request)
            if estimate + longest > lane.quota and not lane.is_too_small:
                self._warn_once(lane, target, estimate + longest)
        with lane.lock:
            if stopping is not None and stopping.is_set():
                raise Stopped
            tokens = lane.reservation(estimate, longest) if lane.quota is not None else 0
            now = self._now()
            if (lane.queue or lane.wait(now, tokens)) and not self._wait_for_turn(
                lane, tokens, until, stopping
            ):
                return None
            return Slot(lane, lane.start(self._now(), tokens, estimate), self._now)

    def why_full(self, target: Target, request: Mapping[str, Any]) -> str:
        """Why a request got no leave to call `target`: the end of a sentence."""
        lane = self._lanes.get(target.key) or self._make_lane(target)
        estimate, longest = estimated_input(request), _longest_answer(target, request)
        with lane.lock:
            tokens = lane.reservation(estimate, longest)
            is_crowded = lane.wait(self._now(), 0) == math.inf
        if lane.quota is not None and tokens > lane.quota:
            return (
                f"the request reserves {tokens} tokens, more than the whole quota of {lane.quota} "
                "tokens per minute, and waits until nothing else counts; a smaller `maxTokens` "
                "reserves less"
            )
        if lane.quota is None or is_crowded:
            return "it took no more calls at once"
        return f"its quota of {lane.quota} tokens per minute had no room in time"

    def pressure(self, target: Target) -> float:
        """How full `target` is: 0.0 if it takes a call now, else something below 1."""
        lane = self._lanes.get(target.key)
        if lane is None:
            return 0.0
        with lane.lock:
            return lane.pressure(self._now())

    def wake(self) -> None:
        """Let all who wait look whether they are to stop."""
        for lane in list(self._lanes.values()):
            with lane.lock:
                for turn in lane.queue:
                    turn.notify()

    def _make_lane(self, target: Target) -> Lane:
        with self._making:
            lane = self._lanes.get(target.key)
            if lane is None:
                lane = self._lanes[target.key] = Lane(
                    self.most,
                    self._quota(target),
                    period=self._period,
                    weight=output_weight(target.model_id),
                )
            return lane

    def _warn_once(self, lane: Lane, target: Target, tokens: int) -> None:
        with self._making:
            if lane.is_too_small:
                return
            lane.is_too_small = True
        logger.warning(
            "model=%s region=%s reserved=%d quota=%d | one call reserves more than the quota of a "
            "minute, so such calls go one by one, about one a minute; a smaller `maxTokens` "
            "reserves less",
            target.model,
            target.region,
            tokens,
            lane.quota,
        )

    def _quota(self, target: Target) -> int | None:
        called = (way.identifier for way in target.ways)
        names = (target.model_id, *called, target.model, "*")
        return next((self._quotas[name] for name in names if name in self._quotas), None)

    def _wait_for_turn(
        self, lane: Lane, tokens: int, until: float | None, stopping: threading.Event | None
    ) -> bool:
        """Whether there was room before `until`."""
        turn = threading.Condition(lane.lock)
        lane.queue.append(turn)
        try:
            while True:
                now = self._now()
                left = math.inf if until is None else until - now
                if left <= 0:
                    return False
                wait = lane.wait(now, tokens) if lane.queue[0] is turn else math.inf
                if not wait:
                    return True
                shortest = min(wait, left)
                turn.wait(None if shortest == math.inf else shortest)
                if stopping is not None and stopping.is_set():
                    raise Stopped
        finally:
            lane.queue.remove(turn)
            _call_the_next(lane)


def _pacer(most: int, quotas: Mapping[str, int], period: float) -> Pacer:
    return Pacer(most, quotas, period=period)


class PacedHealth(TargetHealth):
    """Health in which a target that is full comes after those that are free."""

    def __init__(self, pacer: Pacer) -> None:
        super().__init__()
        self.pacer = pacer

    def __bool__(self) -> bool:
        return True

    def rests_until(self, target: Target) -> float:
        """The end of its rest, else how full it is: less than any time at which a rest ends."""
        return super().rests_until(target) or self.pacer.pressure(target)


def _longest_answer(target: Target, request: Mapping[str, Any]) -> int:
    """Tokens that Bedrock reserves for the answer: without `maxTokens`, all that the model can say."""
    given = (request.get("inferenceConfig") or {}).get("maxTokens")
    return int(given or target.max_output_tokens or _LONGEST_ANSWER_WHERE_UNKNOWN)


def estimated_input(request: Mapping[str, Any]) -> int:
    """Roughly the tokens of the prompt: four characters each; what is no text a flat number."""
    tokens = 0
    for message in request.get("messages") or ():
        for block in message.get("content") or ():
            tokens += _estimated(block)
    for block in request.get("system") or ():
        tokens += _estimated(block)
    if request.get("toolConfig"):
        tokens += len(str(request["toolConfig"])) // _CHARACTERS_PER_TOKEN
    return tokens


def _estimated(block: Any) -> int:
    text = block.get("text") if isinstance(block, dict) else None
    if isinstance(text, str):  # most are
        return len(text) // _CHARACTERS_PER_TOKEN + 1
    match block:
        case {"reasoningContent": {"reasoningText": {"text": str(said)}}} | {
            "guardContent": {"text": {"text": str(said)}}
        }:
            return len(said) // _CHARACTERS_PER_TOKEN + 1
        case {"toolUse": {"input": value}} | {"json": value}:
            return len(str(value)) // _CHARACTERS_PER_TOKEN + 1
        case {"toolResult": {"content": [*blocks]}}:
            return sum(map(_estimated, blocks))
        case {"cachePoint": _}:
            return 0
    return _TOKENS_PER_OTHER_BLOCK
