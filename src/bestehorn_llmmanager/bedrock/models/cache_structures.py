"""Describes how prompts are to be cached, plus what is known of where that works."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager._fork import start_afresh_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable

# For code that refers to them; decisions about errors are made elsewhere, by what they say.
CACHE_UNSUPPORTED_ERRORS = ("ValidationException", "InvalidRequestException")
CACHE_COST_PER_1K_TOKENS = 0.03


class CacheStrategy(Enum):
    """Where cache points go."""

    CONSERVATIVE = "conservative"
    """At most one per message, after the bulk of it."""

    AGGRESSIVE = "aggressive"
    """After every substantial block, and after system prompt and tools both."""

    CUSTOM = "custom"
    """By `CacheConfig.custom_rules`."""


class CacheErrorHandling(Enum):
    """What becomes of a call whose cache points the service refuses."""

    GRACEFUL_DEGRADATION = "graceful"
    """It is sent again without them."""

    WARN_AND_CONTINUE = "warn"
    """The same, with a warning in the response and in the log."""

    FAIL_FAST = "fail"
    """It fails."""


@dataclass
class CacheConfig:
    """Whether and where a manager puts cache points into requests.

    Attributes:
        enabled: Nothing happens otherwise; points that a caller puts are sent as they are.
        strategy: Where points go in messages. Also taken by its value, ``"aggressive"``.
        error_handling: What follows a refusal. Also taken by its value, ``"warn"``.
        auto_cache_system_messages: Whether the system prompt gets a point.
        cache_point_threshold: Estimated tokens that are worth a point.
        max_cache_ttl: Most seconds that an entry may live, None for Bedrock's default of 300.
            From 3600 on, models that offer an hour get it (writing such an entry costs more).
            Bedrock has nothing shorter than 300: below that, no points are put.
        cache_availability_check: Whether a model that refused cache points, or that is not known
            to take them, is sent none.
        blacklist_duration_minutes: How long a refusal is remembered.
        log_cache_failures: Whether a refusal leaves a log record, one for each model and region.
        custom_rules: For `CacheStrategy.CUSTOM`: ``"cache_all_images"`` (bool),
            ``"cache_text_blocks_over"`` (tokens; the threshold if absent).
        custom_unsupported_models: Names or ids of models that get no cache points.

    Raises:
        ValueError: A value is out of its range; all such values are named.
    """

    enabled: bool = False
    strategy: CacheStrategy = CacheStrategy.CONSERVATIVE
    error_handling: CacheErrorHandling = CacheErrorHandling.GRACEFUL_DEGRADATION
    auto_cache_system_messages: bool = True
    cache_point_threshold: int = 100
    max_cache_ttl: int | None = None
    cache_availability_check: bool = True
    blacklist_duration_minutes: int = 60
    log_cache_failures: bool = True
    custom_rules: dict[str, Any] = field(default_factory=dict)
    custom_unsupported_models: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        numbers = {
            "cache_point_threshold": self.cache_point_threshold,
            "blacklist_duration_minutes": self.blacklist_duration_minutes,
            "max_cache_ttl": 0 if self.max_cache_ttl is None else self.max_cache_ttl,
        }
        if self.custom_rules and "cache_text_blocks_over" in self.custom_rules:
            numbers["cache_text_blocks_over"] = self.custom_rules["cache_text_blocks_over"]
        problems = [
            f"`{name}` must be a number of at least 0, got {value!r}"
            for name, value in numbers.items()
            if not _is_at_least_zero(value)
        ]
        models: Any = self.custom_unsupported_models
        if isinstance(models, str) or not all(isinstance(model, str) for model in models):
            problems.append(f"`custom_unsupported_models` must be a list of names, got {models!r}")
        self.strategy = _member(CacheStrategy, "strategy", self.strategy, problems)
        self.error_handling = _member(
            CacheErrorHandling, "error_handling", self.error_handling, problems
        )
        if problems:
            raise ValueError("; ".join(problems))


def _is_at_least_zero(value: Any) -> bool:
    try:
        return bool(value >= 0)
    except TypeError:
        return False


def _member(kind: type[Enum], name: str, value: Any, problems: list[str]) -> Any:
    try:
        return kind(value)
    except ValueError:
        choices = ", ".join(f"{kind.__name__}.{member.name}" for member in kind)
        problems.append(f"`{name}` must be one of {choices}, got {value!r}")
        return value


@dataclass
class CachePointInfo:
    """A cache point that stands in a message.

    Attributes:
        position: Its index among the blocks of the message.
        cache_type: ``"default"``, whatever AWS adds passes through.
        estimated_tokens: What stands before it in the message.
        is_auto_inserted: Whether the library put it; not known of points that are found.
    """

    position: int
    cache_type: str = "default"
    estimated_tokens: int = 0
    is_auto_inserted: bool = False


@dataclass
class CacheMetrics:
    """Figures about prompt caching; the cost is in US dollars."""

    cache_hit_ratio: float = 0.0
    cache_savings_tokens: int = 0
    cache_savings_cost: float = 0.0
    latency_reduction_ms: int = 0
    total_cache_hits: int = 0
    total_cache_misses: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The figures under their names, the cost as text: ``"$0.00"``."""
        return {**asdict(self), "cache_savings_cost": f"${self.cache_savings_cost:.2f}"}


class CacheAvailabilityTracker:
    """Where cache points were taken and where they were refused.

    Safe to share between threads: a lock guards the changes, looking up takes none. A pickled
    copy knows of successes only, because its clock may be another one.

    Args:
        blacklist_duration_minutes: How long a refusal is remembered.
        now: A clock in seconds that never goes back.
    """

    def __init__(
        self,
        blacklist_duration_minutes: int = 60,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = blacklist_duration_minutes * 60
        self._now = now
        self._supported: set[tuple[str, str]] = set()
        self._refused_since: dict[tuple[str, str], float] = {}
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()
        start_afresh_after_fork(self)

    def __getstate__(self) -> dict[str, Any]:
        state = {**vars(self), "_refused_since": {}}
        del state["_lock"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start_afresh()

    def is_cache_supported(self, model: str, region: str) -> bool | None:
        """Whether points were taken last; None if not known, or if the refusal is too long ago."""
        pair = (model, region)
        if pair in self._supported:
            return True
        since = self._refused_since.get(pair)
        if since is None:
            return None
        if self._now() - since < self._seconds:
            return False
        with self._lock:
            if self._refused_since.get(pair) == since:
                del self._refused_since[pair]
        return None

    def mark_supported(self, model: str, region: str) -> None:
        """Remember that points were taken; forgets a refusal."""
        with self._lock:
            self._supported.add((model, region))
            self._refused_since.pop((model, region), None)

    def mark_unsupported(self, model: str, region: str) -> None:
        """Remember that points were refused just now."""
        with self._lock:
            self._supported.discard((model, region))
            self._refused_since[model, region] = self._now()

    def clear_blacklist(self) -> None:
        """Forget all refusals."""
        with self._lock:
            self._refused_since.clear()

    def get_stats(self) -> dict[str, Any]:
        """Numbers of pairs of model and region."""
        with self._lock:
            supported, refused = len(self._supported), len(self._refused_since)
        return {
            "supported_combinations": supported,
            "blacklisted_combinations": refused,
            "total_tracked": supported + refused,
        }
