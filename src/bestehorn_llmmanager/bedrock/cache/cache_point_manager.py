"""Puts cache points into requests, as configured and as far as the models take them."""

from __future__ import annotations

import logging
import re
import threading
import time
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager._fork import start_afresh_after_fork
from bestehorn_llmmanager.bedrock.cache.placement import (
    MOST_POINTS,
    SHORTEST_TTL_SECONDS,
    estimated_tokens,
    new_points,
)
from bestehorn_llmmanager.bedrock.cache.request_points import (
    has_points,
    is_point,
    messages_without_points,
    points_in,
    with_points,
    without_points,
)
from bestehorn_llmmanager.bedrock.models.cache_structures import (
    CacheAvailabilityTracker,
    CacheConfig,
    CacheErrorHandling,
    CachePointInfo,
    CacheStrategy,
)
from bestehorn_llmmanager.bedrock.models.claude_version import slug

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

_BEDROCK_ID = re.compile(r"[a-z0-9-]+\.[a-z0-9.:-]+")


class CachePointManager:
    """Adds cache points to the requests of one manager, and remembers where they were refused.

    Neither a request nor anything in it is ever modified. Safe to share between threads.

    Args:
        cache_config: May be changed later, save for the duration of the blacklist.
        now: A clock in seconds that never goes back.
    """

    def __init__(
        self, cache_config: CacheConfig, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = cache_config
        self._tracker = CacheAvailabilityTracker(cache_config.blacklist_duration_minutes, now=now)
        self._warned_of_none = False
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()  # guards what is said once
        start_afresh_after_fork(self)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start_afresh()

    @property
    def fails_fast(self) -> bool:
        """Whether a call whose cache points are refused is to fail."""
        return self._config.error_handling is CacheErrorHandling.FAIL_FAST

    def with_cache_points(
        self,
        request: dict[str, Any],
        *,
        model: str,
        region: str,
        min_tokens: int | None,
        name: str | None = None,
    ) -> dict[str, Any]:
        """The request as it is to be sent to a target.

        Args:
            request: The members of a Converse request, as the API names them.
            model: The model id, else what is sent in its place; `refused` and `accepted` go by
                the same.
            region: The region that is called.
            min_tokens: The shortest prefix that the model caches, None if not known.
            name: The model as the caller wrote it.

        Returns:
            The same object where nothing is to be added. Without any cache point, also without
            the caller's, where the model is known to refuse them.
        """
        config = self._config
        if not config.enabled:
            return request
        if self._refuses_points(model, region, name):
            return without_points(request)
        if config.cache_availability_check and not _may_take_points(model, min_tokens):
            return request
        points = []
        if config.max_cache_ttl is None or config.max_cache_ttl >= SHORTEST_TTL_SECONDS:
            points = new_points(request, config, model=model, min_tokens=min_tokens or 0)
        if points:
            return with_points(request, points)
        if not self._warned_of_none and not has_points(request):
            self._warn_of_none(min_tokens)
        return request

    def refused(self, model: str, region: str) -> str | None:
        """Remember that the service refused a request for its cache points.

        Returns:
            What to tell the caller, None where `error_handling` does not ask for a warning.
        """
        if self.fails_fast:
            return None
        with self._lock:
            is_news = self._tracker.is_cache_supported(model, region) is not False
            self._tracker.mark_unsupported(model, region)
        warns = self._config.error_handling is CacheErrorHandling.WARN_AND_CONTINUE
        sentence = (
            f"The model {model!r} does not take the cache points of this request in {region!r}: "
            "it was called without"
        )
        if self._config.cache_availability_check:
            minutes = self._config.blacklist_duration_minutes
            sentence += f", and is for the next {minutes} minutes"
        if is_news and self._config.log_cache_failures:
            logger.log(logging.WARNING if warns else logging.INFO, "%s.", sentence)
        return sentence if warns else None

    def accepted(self, model: str, region: str) -> None:
        """Remember that a request with cache points succeeded; a refusal holds nevertheless."""
        if self._tracker.is_cache_supported(model, region) is None:
            self._tracker.mark_supported(model, region)

    def inject_cache_points(
        self,
        messages: list[dict[str, Any]],
        model: str | None = None,
        region: str | None = None,
    ) -> list[dict[str, Any]]:
        """The messages with cache points by the strategy.

        The same object where there is nothing to add: caching is disabled, no message is long
        enough, or the model is known to refuse cache points.
        """
        if not self._config.enabled:
            return messages
        if model and self._refuses_points(model, region or "", None):
            return messages
        request = {"messages": messages}
        points = new_points(request, self._config, model=model, min_tokens=0)
        result: list[dict[str, Any]] = with_points(request, points)["messages"]
        return result

    def remove_cache_points(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Copies of the messages without cache points; a message of nothing else goes."""
        return messages_without_points(messages)

    def optimize_cache_placement(
        self, conversation_history: list[dict[str, Any]]
    ) -> list[CachePointInfo]:
        """The cache points that stand in the messages."""
        found: list[CachePointInfo] = []
        for message in conversation_history:
            blocks = message.get("content") or []
            found += [
                CachePointInfo(
                    position=index,
                    cache_type=_type(block),
                    estimated_tokens=sum(map(estimated_tokens, blocks[:index])),
                )
                for index, block in enumerate(blocks)
                if is_point(block)
            ]
        return found

    def validate_cache_configuration(self, request: dict[str, Any]) -> list[str]:
        """What is odd about the cache points of a request, one sentence each."""
        if "messages" not in request:
            return []
        points = points_in(request)
        sections = [point.place.section for point in points]
        problems = []
        if self._config.strategy is CacheStrategy.CONSERVATIVE:
            problems += [
                f"Message {index} has {sections.count(index)} cache points; the conservative "
                "strategy means one"
                for index in dict.fromkeys(sections)
                if index >= 0 and sections.count(index) > 1
            ]
        if len(points) > MOST_POINTS:
            problems.append(f"There are {len(points)} cache points; Bedrock takes {MOST_POINTS}")
        ttls = [point.ttl for point in points]
        if "5m" in ttls and "1h" in ttls[ttls.index("5m") :]:
            problems.append(
                "A cache point of one hour follows one of five minutes, which Bedrock refuses; it "
                "reads tools, system prompt and messages in this order"
            )
        if self._config.enabled and not points:
            problems.append("Caching is enabled, but there are no cache points in the request")
        return problems

    def get_availability_tracker(self) -> CacheAvailabilityTracker:
        """What is known of models and regions."""
        return self._tracker

    def _refuses_points(self, model: str, region: str, name: str | None) -> bool:
        config = self._config
        if config.custom_unsupported_models and any(
            _means(entry, model) or (name and _means(entry, name))
            for entry in config.custom_unsupported_models
        ):
            return True
        return (
            config.cache_availability_check
            and self._tracker.is_cache_supported(model, region) is False
        )

    def _warn_of_none(self, min_tokens: int | None) -> None:
        with self._lock:
            if self._warned_of_none:
                return
            self._warned_of_none = True
        longest = self._config.max_cache_ttl
        if longest is not None and longest < SHORTEST_TTL_SECONDS:
            logger.warning(
                "Caching is enabled, but requests get no cache points: `max_cache_ttl` is %r and "
                "Bedrock keeps entries for %d seconds at least.",
                longest,
                SHORTEST_TTL_SECONDS,
            )
            return
        logger.warning(
            "Caching is enabled, but a request has no cache point: nothing in it reaches "
            "`cache_point_threshold` (%r) and the model's shortest prefix (%s). This is said once.",
            self._config.cache_point_threshold,
            "unknown" if min_tokens is None else min_tokens,
        )


def _may_take_points(model: str, min_tokens: int | None) -> bool:
    """Whether the model is one that takes explicit points, or one that is not known at all.

    Of the ids that Bedrock gives, Claude and Nova take them; others refuse them or cache by
    themselves: docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html, BerriAI/litellm
    #39210 (September 2026). What an ARN or a name stands for is not known here.
    """
    if min_tokens is not None or "claude" in model or "amazon.nova" in model:
        return True
    return not _BEDROCK_ID.fullmatch(model)


def _means(entry: str, model: str) -> bool:
    """Whether an entry names the model: by a spelling of its name, its id, a profile, an ARN."""
    return (
        slug(entry) == slug(model)
        or model.endswith((f".{entry}", f"/{entry}"))
        or entry.endswith((f".{model}", f"/{model}"))
    )


def _type(block: Mapping[str, Any]) -> str:
    details = block["cachePoint"]
    return details.get("type", "default") if isinstance(details, dict) else "default"
