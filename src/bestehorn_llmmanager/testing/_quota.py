"""Throttles calls for which a token quota has no room, as the service is documented to do."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.models.token_quota import counted_tokens, output_weight
from bestehorn_llmmanager.testing._errors import too_many_tokens
from bestehorn_llmmanager.testing._replies import count_tokens

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_ANSWER_WHERE_UNKNOWN = 4096


@dataclass(frozen=True, slots=True)
class _Limit:
    tokens: int
    period: float
    model_id: str | None
    region: str | None

    def concerns(self, region: str, model_id: str) -> bool:
        return self.region in {None, region} and self.model_id in {None, model_id}


@dataclass(slots=True)
class _Charge:
    at: float
    tokens: int


@dataclass(slots=True)
class _Bucket:
    """What counts against one limit, for one identifier in one region; oldest first."""

    charges: deque[_Charge] = field(default_factory=deque)
    tokens: int = 0

    def forget_older_than(self, moment: float) -> None:
        while self.charges and self.charges[0].at <= moment:
            charge = self.charges.popleft()
            self.tokens -= charge.tokens
            charge.tokens = 0


class Reservation:
    """The tokens of one call, until `settle`."""

    def __init__(self, book: QuotaBook, bucket: _Bucket, charge: _Charge, weight: int) -> None:
        self._book = book
        self._bucket = bucket
        self._charge = charge
        self._weight = weight
        self._used = 0

    def will_use(self, usage: Mapping[str, Any]) -> None:
        """Say what is to count after `settle`; without that, nothing."""
        self._used = counted_tokens(usage, self._weight)

    def settle(self) -> None:
        """The call has ended."""
        with self._book.lock:
            if self._charge.tokens:  # else it was long ago
                self._bucket.tokens += self._used - self._charge.tokens
                self._charge.tokens = self._used


class QuotaBook:
    """Safe to share between threads; `lock` guards everything.

    Args:
        now: Monotonic clock.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.lock = threading.Lock()
        self._now = now
        self._limits: list[_Limit] = []
        self._buckets: dict[tuple[_Limit, str, str], _Bucket] = {}

    def __bool__(self) -> bool:
        """Whether there is any limit."""
        return bool(self._limits)

    def add(self, tokens: int, *, model_id: str | None, region: str | None, period: float) -> None:
        if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 1:
            raise ValueError(f"`tokens_per_minute` must be a number from 1 on, got {tokens!r}")
        if not period > 0:
            raise ValueError(f"`period` must be above 0, got {period!r}")
        with self.lock:
            self._limits.insert(0, _Limit(tokens, period, model_id, region))

    def clear(self) -> None:
        with self.lock:
            self._limits.clear()
            self._buckets.clear()

    def reserve(
        self, region: str, identifier: str, model_id: str, body: Mapping[str, Any]
    ) -> Reservation | None:
        """Reserve what a call may use; None where no limit concerns it.

        Args:
            region: Where it was sent.
            identifier: What was sent as `modelId`: profiles and models have quotas of their own.
            model_id: The model behind it.
            body: The request.

        Raises:
            ServiceError: The quota has no room for it.
        """
        tokens = count_tokens(body) + _longest_answer(model_id, body)
        with self.lock:
            limit = next((each for each in self._limits if each.concerns(region, identifier)), None)
            if limit is None:
                return None
            bucket = self._buckets.setdefault((limit, region, identifier), _Bucket())
            now = self._now()
            bucket.forget_older_than(now - limit.period)
            if bucket.tokens + tokens > limit.tokens:
                raise too_many_tokens()
            charge = _Charge(now, tokens)
            bucket.charges.append(charge)
            bucket.tokens += tokens
            return Reservation(self, bucket, charge, output_weight(model_id))


def usage_in(reply: Any) -> Mapping[str, Any]:
    """The usage that an output of Converse, or the events of its stream, say."""
    if isinstance(reply, Mapping):
        return reply.get("usage") or {}
    return usage_in(next((event["metadata"] for event in reply if "metadata" in event), {}))


def _longest_answer(model_id: str, body: Mapping[str, Any]) -> int:
    given = (body.get("inferenceConfig") or {}).get("maxTokens")
    return int(given or _longest_answers().get(model_id) or _LONGEST_ANSWER_WHERE_UNKNOWN)


@cache
def _longest_answers() -> dict[str, int]:
    from bestehorn_llmmanager.bedrock.catalog.bundled_loader import (  # noqa: PLC0415  (large)
        bundled_catalog,
    )

    return {
        model.model_id: model.facts.max_output_tokens
        for model in bundled_catalog().models.values()
        if model.model_id and model.facts and model.facts.max_output_tokens
    }
