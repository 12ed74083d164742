"""Tests what is remembered of how models have to be called."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from bestehorn_llmmanager.bedrock.tracking import AccessMethodTracker
from bestehorn_llmmanager.bedrock.tracking.access_method_tracker import (
    AccessMethodTracker as FromItsModule,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL, REGION = "amazon.nova-lite-v1:0", "us-east-1"


@pytest.fixture(autouse=True)
def tracker() -> Iterator[AccessMethodTracker]:
    AccessMethodTracker.reset_for_testing()
    yield AccessMethodTracker()
    AccessMethodTracker.reset_for_testing()


def test_the_package_offers_the_class() -> None:
    assert AccessMethodTracker is FromItsModule


def ask_twice(start: threading.Barrier, seen: set[int]) -> None:
    start.wait()
    seen.add(id(AccessMethodTracker()))
    seen.add(id(AccessMethodTracker.get_instance()))


def test_there_is_one_object_also_for_threads_that_ask_at_once() -> None:
    for _ in range(20):
        AccessMethodTracker.reset_for_testing()
        start, seen = threading.Barrier(8), set[int]()
        threads = [threading.Thread(target=ask_twice, args=(start, seen)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == {id(AccessMethodTracker())}


def test_making_it_again_keeps_what_is_known(tracker: AccessMethodTracker) -> None:
    tracker.record_profile_requirement(MODEL, REGION)
    assert AccessMethodTracker().requires_profile(MODEL, REGION)


@pytest.mark.parametrize("method", ["direct", "regional_cris", "global_cris"])
def test_a_success_is_a_preference_and_no_requirement(
    tracker: AccessMethodTracker, method: str
) -> None:
    tracker.record_success(MODEL, REGION, method, "us.amazon.nova-lite-v1:0")
    preference = tracker.get_preference(MODEL, REGION)
    assert preference is not None
    assert preference.get_preferred_method() == method
    assert not preference.learned_from_error
    assert not tracker.requires_profile(MODEL, REGION)


def test_an_unknown_method_sets_no_flag(tracker: AccessMethodTracker) -> None:
    tracker.record_success(MODEL, REGION, "telepathy", MODEL)
    preference = tracker.get_preference(MODEL, REGION)
    assert preference is not None
    assert preference.get_preferred_method() == "unknown"


def test_an_error_is_a_requirement_until_a_success_replaces_it(
    tracker: AccessMethodTracker,
) -> None:
    tracker.record_success(MODEL, REGION, "direct", MODEL)
    tracker.record_profile_requirement(MODEL, REGION)
    preference = tracker.get_preference(MODEL, REGION)
    assert preference is not None
    assert (preference.prefer_direct, preference.prefer_regional_cris) == (False, True)
    assert (preference.prefer_global_cris, preference.learned_from_error) == (False, True)
    assert tracker.requires_profile(MODEL, REGION)
    tracker.record_success(MODEL, REGION, "direct", MODEL)
    assert not tracker.requires_profile(MODEL, REGION)


def test_nothing_is_known_of_other_models_and_regions(tracker: AccessMethodTracker) -> None:
    tracker.record_profile_requirement(MODEL, REGION)
    for pair in ((MODEL, "eu-west-1"), ("other", REGION), (REGION, MODEL)):
        assert tracker.get_preference(*pair) is None
        assert not tracker.requires_profile(*pair)


def test_each_pair_counts_once(tracker: AccessMethodTracker) -> None:
    tracker.record_success("a", REGION, "direct", "a")
    tracker.record_success("b", REGION, "global_cris", "global.b")
    tracker.record_success("c", REGION, "regional_cris", "us.c")
    tracker.record_profile_requirement("d", REGION)
    tracker.record_profile_requirement("d", REGION)
    assert tracker.get_statistics() == {
        "total_tracked": 4,
        "profile_required_count": 1,
        "direct_access_count": 1,
        "regional_cris_count": 2,
        "global_cris_count": 1,
        "learned_from_error_count": 1,
    }


def test_a_reset_forgets_everything_and_the_object(tracker: AccessMethodTracker) -> None:
    tracker.record_profile_requirement(MODEL, REGION)
    AccessMethodTracker.reset_for_testing()
    assert not tracker.requires_profile(MODEL, REGION)
    assert AccessMethodTracker() is not tracker
    assert AccessMethodTracker().get_statistics()["total_tracked"] == 0


def test_threads_can_record_and_ask_at_once(tracker: AccessMethodTracker) -> None:
    start = threading.Barrier(6)

    def work(number: int) -> None:
        start.wait()
        for index in range(300):
            tracker.record_success(f"{number}-{index}", REGION, "direct", "x")
            tracker.requires_profile(f"{number}-{index}", REGION)
            tracker.get_statistics()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tracker.get_statistics()["total_tracked"] == 6 * 300
