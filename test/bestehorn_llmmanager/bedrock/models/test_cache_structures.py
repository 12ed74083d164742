"""Tests which cache configurations are accepted, and what is remembered of models and regions."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from bestehorn_llmmanager.bedrock.models.cache_structures import (
    CacheAvailabilityTracker,
    CacheConfig,
    CacheErrorHandling,
    CacheMetrics,
    CacheStrategy,
)

PAIR = ("anthropic.claude-sonnet-4-6", "eu-west-1")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("cache_point_threshold", -1),
        ("cache_point_threshold", "100"),
        ("cache_point_threshold", None),
        ("cache_point_threshold", float("nan")),
        ("blacklist_duration_minutes", -1),
        ("max_cache_ttl", -1),
        ("max_cache_ttl", "1h"),
        ("strategy", "reckless"),
        ("error_handling", None),
        ("custom_unsupported_models", "Nova Lite"),
        ("custom_unsupported_models", [None]),
    ],
)
def test_an_option_out_of_range_is_refused_by_name(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"`{option}`.*{value!r}"):
        CacheConfig(**{option: value})


def test_all_wrong_options_are_reported_at_once() -> None:
    with pytest.raises(
        ValueError, match=r"cache_point_threshold.*cache_text_blocks_over.*strategy"
    ):
        CacheConfig(
            cache_point_threshold=-1,
            custom_rules={"cache_text_blocks_over": -1},
            strategy="x",  # type: ignore[arg-type]  # that is the point
        )


def test_the_ends_of_the_ranges_are_accepted() -> None:
    config = CacheConfig(
        cache_point_threshold=0, blacklist_duration_minutes=0, max_cache_ttl=0, custom_rules={}
    )
    assert (config.cache_point_threshold, config.max_cache_ttl) == (0, 0)


@pytest.mark.parametrize("strategy", CacheStrategy)
@pytest.mark.parametrize("handling", CacheErrorHandling)
def test_strategy_and_error_handling_are_also_taken_by_their_values(
    strategy: CacheStrategy, handling: CacheErrorHandling
) -> None:
    by_value: Any = {"strategy": strategy.value, "error_handling": handling.value}
    assert CacheConfig(**by_value) == CacheConfig(strategy=strategy, error_handling=handling)


def test_configurations_share_no_list_and_no_dict() -> None:
    first, second = CacheConfig(), CacheConfig()
    first.custom_rules["a"] = 1
    first.custom_unsupported_models.append("a")
    assert second == CacheConfig()


def test_metrics_show_their_cost_as_text() -> None:
    assert CacheMetrics(0.5, 1000, 1.234, 10, 3, 3).to_dict() == {
        "cache_hit_ratio": 0.5,
        "cache_savings_tokens": 1000,
        "cache_savings_cost": "$1.23",
        "latency_reduction_ms": 10,
        "total_cache_hits": 3,
        "total_cache_misses": 3,
    }
    assert CacheMetrics().to_dict()["cache_savings_cost"] == "$0.00"


def stats(tracker: CacheAvailabilityTracker) -> tuple[int, int, int]:
    found = tracker.get_stats()
    assert len(found) == 3
    return (
        found["supported_combinations"],
        found["blacklisted_combinations"],
        found["total_tracked"],
    )


def test_a_mark_undoes_the_other() -> None:
    tracker = CacheAvailabilityTracker()
    assert tracker.is_cache_supported(*PAIR) is None
    assert stats(tracker) == (0, 0, 0)
    tracker.mark_unsupported(*PAIR)
    assert tracker.is_cache_supported(*PAIR) is False
    assert stats(tracker) == (0, 1, 1)
    tracker.mark_supported(*PAIR)
    assert tracker.is_cache_supported(*PAIR) is True
    assert stats(tracker) == (1, 0, 1)
    tracker.mark_unsupported(*PAIR)
    assert tracker.is_cache_supported(*PAIR) is False


def test_model_and_region_belong_together() -> None:
    tracker = CacheAvailabilityTracker()
    tracker.mark_unsupported("a", "b")
    assert tracker.is_cache_supported("b", "a") is None
    assert tracker.is_cache_supported("a", "c") is None


def test_an_old_refusal_is_forgotten() -> None:
    seconds = [0.0]
    tracker = CacheAvailabilityTracker(2, now=lambda: seconds[0])
    tracker.mark_unsupported(*PAIR)
    seconds[0] = 119.9
    assert tracker.is_cache_supported(*PAIR) is False
    seconds[0] = 120.0
    assert tracker.is_cache_supported(*PAIR) is None
    assert stats(tracker) == (0, 0, 0)


def test_a_duration_of_nothing_remembers_nothing() -> None:
    tracker = CacheAvailabilityTracker(0)
    tracker.mark_unsupported(*PAIR)
    assert tracker.is_cache_supported(*PAIR) is None


def test_refusals_can_be_forgotten_while_successes_stay() -> None:
    tracker = CacheAvailabilityTracker()
    tracker.mark_unsupported(*PAIR)
    tracker.mark_supported("b", "eu-west-1")
    tracker.clear_blacklist()
    assert tracker.is_cache_supported(*PAIR) is None
    assert tracker.is_cache_supported("b", "eu-west-1") is True


def test_threads_can_mark_and_ask_at_once() -> None:
    tracker, start = CacheAvailabilityTracker(0), threading.Barrier(6)

    def work(number: int) -> None:
        start.wait()
        for index in range(300):
            model = f"{number}-{index}"
            tracker.mark_unsupported("shared", str(index % 3))
            tracker.is_cache_supported("shared", str(index % 3))
            tracker.mark_supported(model, "r")
            tracker.get_stats()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tracker.get_stats()["supported_combinations"] == 6 * 300
