"""Says how many calls a target takes at once, and holds back what would be throttled."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.retry.decisions import Decision, classify
from bestehorn_llmmanager.bedrock.retry.health import TargetHealth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bestehorn_llmmanager.bedrock.retry.targets import Target

_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_OTHER_BLOCK = 1000
_DEFAULT_MAX_TOKENS = 4096
_THROTTLED = {Decision.REST, Decision.OUT_FOR_TODAY}
# Models of which an output token counts five times against the quota: Claude from 3.7 on.
# docs.aws.amazon.com/bedrock/latest/userguide/quotas-token-burndown.html
_BURNS_FIVE_TIMES = re.compile(r"anthropic\.claude-(?!3-5|3-haiku|3-sonnet|3-opus|v2|instant)")


@dataclass(slots=True)
class _Charge:
    """Tokens that count against the quota since `at`."""

    at: float
    tokens: int


@dataclass(slots=True)
class _Lane:
    """One target.

    Attributes:
        limit: Calls at once; a fraction, so that it can grow slowly.
        calls: Calls under way.
        shrunk_at: When the limit was last halved.
        charges: What counts against the quota, oldest first.
        tokens: Their sum.
    """

    limit: float
    calls: int = 0
    shrunk_at: float = 0.0
    charges: deque[_Charge] = field(default_factory=deque)
    tokens: int = 0


class Slot:
    """Leave to make one call; ends with `answered` or `failed`."""

    __slots__ = ("_charge", "_key", "_pacer", "_started")

    def __init__(self, pacer: Pacer, key: tuple[str, str], charge: _Charge | None) -> None:
        self._pacer = pacer
        self._key = key
        self._charge = charge
        self._started = charge.at if charge else 0.0

    def answered(self, answer: Mapping[str, Any]) -> None:
        """The call was answered: the reservation shrinks to what was used."""
        used = tokens_used(answer.get("usage") or {}, self._key[0])
        self._pacer.leave(self._key, self._charge, used=used)

    def failed(self, error: BaseException) -> None:
        """The call failed: nothing counts; a throttled target takes fewer calls from now on."""
        throttled = classify(error).decision in _THROTTLED
        self._pacer.leave(self._key, self._charge, used=0, throttled=throttled)


class Pacer:
    """Holds calls back so that targets are kept busy and not throttled.

    A target begins with `most` calls at once. A throttled call halves that, at most once for all
    calls that were under way together; each answer adds a fraction, so that a whole round of
    answers adds one (additive increase, multiplicative decrease). With a token quota, a call
    reserves its estimated input and its `maxTokens`, as Bedrock does, and settles on what it used.

    Safe to share between threads; one lock guards all lanes.

    Args:
        most: Calls at once per target, at most.
        tokens_per_minute: Quota per target, by model id or ``"*"``; None means unknown.
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
        self._most = most
        self._quotas = (
            {"*": tokens_per_minute} if isinstance(tokens_per_minute, int) else tokens_per_minute
        )
        self._period = period
        self._now = now
        self._changed = threading.Condition()
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._stopped = False
        self.throttles = 0

    def enter(self, target: Target, request: Mapping[str, Any], until: float | None) -> Slot | None:
        """Wait for leave to call `target`.

        Args:
            target: What will be called.
            request: Members of Converse; only their sizes are looked at.
            until: Monotonic time after which not to wait any longer.

        Returns:
            None if there was no leave in time, or everything was stopped.
        """
        key, tokens = target.key, self._reservation(target, request)
        with self._changed:
            lane = self._lane(key)
            while (wait := self._wait(lane, key[0], tokens)) is not None:
                left = None if until is None else until - self._now()
                if self._stopped or (left is not None and left <= 0):
                    return None
                self._changed.wait(wait if left is None else min(wait, left))
            if self._stopped:
                return None
            lane.calls += 1
            charge = _Charge(self._now(), tokens) if tokens else None
            if charge:
                lane.charges.append(charge)
                lane.tokens += tokens
            return Slot(self, key, charge)

    def is_full(self, target: Target) -> bool:
        """Whether a call of `target` would have to wait."""
        lane = self._lanes.get(target.key)
        return lane is not None and (
            lane.calls >= lane.limit or bool(self._quotas and self._over_quota(lane, target.key[0]))
        )

    def leave(
        self, key: tuple[str, str], charge: _Charge | None, *, used: int, throttled: bool = False
    ) -> None:
        """Give a slot back."""
        with self._changed:
            lane = self._lanes[key]
            lane.calls -= 1
            if charge is not None:
                lane.tokens += used - charge.tokens
                charge.tokens = used
            if throttled:
                self._shrink(lane)
            elif lane.limit < self._most:
                lane.limit = min(lane.limit + 1 / lane.limit, float(self._most))
            self._changed.notify()

    def stop(self) -> None:
        """Let nobody through any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _lane(self, key: tuple[str, str]) -> _Lane:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(float(self._most))
        return lane

    def _shrink(self, lane: _Lane) -> None:
        self.throttles += 1
        now = self._now()
        if now - lane.shrunk_at >= _SECONDS_BETWEEN_CUTS:
            lane.shrunk_at = now
            lane.limit = max(1.0, min(lane.limit, lane.calls + 1) / 2)

    def _wait(self, lane: _Lane, model_id: str, tokens: int) -> float | None:
        """Seconds until it is worth looking again; None if the call may go now."""
        if lane.calls >= lane.limit:
            return _SECONDS_BETWEEN_LOOKS
        quota = self._quota(model_id)
        if quota is None:
            return None
        self._forget_old(lane)
        if lane.tokens + tokens <= quota or not lane.charges:
            return None
        return max(lane.charges[0].at + self._period - self._now(), 0.001)

    def _over_quota(self, lane: _Lane, model_id: str) -> bool:
        quota = self._quota(model_id)
        return quota is not None and lane.tokens >= quota

    def _forget_old(self, lane: _Lane) -> None:
        oldest = self._now() - self._period
        while lane.charges and lane.charges[0].at <= oldest:
            lane.tokens -= lane.charges.popleft().tokens

    def _quota(self, model_id: str) -> int | None:
        if not self._quotas:
            return None
        return self._quotas.get(model_id, self._quotas.get("*"))

    def _reservation(self, target: Target, request: Mapping[str, Any]) -> int:
        if self._quota(target.model_id) is None:
            return 0
        config = request.get("inferenceConfig") or {}
        return estimated_input(request) + int(config.get("maxTokens") or _DEFAULT_MAX_TOKENS)


_SECONDS_BETWEEN_CUTS = 0.5
_SECONDS_BETWEEN_LOOKS = 1.0


class PacedHealth(TargetHealth):
    """Health in which a target that is full counts as resting, so that others are tried first."""

    def __init__(self, pacer: Pacer) -> None:
        super().__init__()
        self._pacer = pacer

    def __bool__(self) -> bool:
        return True

    def rests_until(self, target: Target) -> float:
        """The end of its rest; a moment ago for one that is only full."""
        until = super().rests_until(target)
        return until or (1.0 if self._pacer.is_full(target) else 0.0)


def tokens_used(usage: Mapping[str, Any], model_id: str) -> int:
    """What a call counts against the quota: output weighs five times on some models."""
    weight = 5 if _BURNS_FIVE_TIMES.search(model_id) else 1
    counted = _count(usage, "inputTokens") + _count(usage, "cacheWriteInputTokens")
    return counted + weight * _count(usage, "outputTokens")


def estimated_input(request: Mapping[str, Any]) -> int:
    """Roughly the tokens of the prompt: four characters each; other blocks a flat number."""
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
    if isinstance(text, str):
        return len(text) // _CHARACTERS_PER_TOKEN + 1
    return _TOKENS_PER_OTHER_BLOCK


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) else 0
