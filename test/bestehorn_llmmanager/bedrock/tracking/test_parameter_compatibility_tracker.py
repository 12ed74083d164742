"""Tests what is remembered of parameters that models took and refused."""

from __future__ import annotations

import threading
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.tracking import ParameterCompatibilityTracker

MODEL, REGION = "amazon.nova-lite-v1:0", "us-east-1"
ERROR = ValueError("unknown parameter")


@pytest.fixture
def tracker() -> ParameterCompatibilityTracker:
    return ParameterCompatibilityTracker()


def test_the_process_shares_one_object_and_a_constructor_makes_another() -> None:
    shared = ParameterCompatibilityTracker.get_instance()
    assert ParameterCompatibilityTracker.get_instance() is shared
    assert ParameterCompatibilityTracker() is not shared


def test_threads_that_ask_at_once_get_the_same_object() -> None:
    class Fresh(ParameterCompatibilityTracker):
        pass

    start, seen = threading.Barrier(8), set[int]()

    def ask() -> None:
        start.wait()
        seen.add(id(Fresh.get_instance()))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1


def test_only_a_refusal_makes_parameters_incompatible(
    tracker: ParameterCompatibilityTracker,
) -> None:
    fields = {"top_k": 1}
    assert not tracker.is_known_incompatible(MODEL, REGION, fields)
    tracker.record_success(MODEL, REGION, fields)
    assert not tracker.is_known_incompatible(MODEL, REGION, fields)
    tracker.record_failure(MODEL, REGION, fields, ERROR)
    assert tracker.is_known_incompatible(MODEL, REGION, fields)
    tracker.record_failure(MODEL, REGION, fields, ERROR)
    tracker.record_success(MODEL, REGION, fields)
    assert not tracker.is_known_incompatible(MODEL, REGION, fields)


def test_nothing_is_known_of_other_models_regions_and_parameters(
    tracker: ParameterCompatibilityTracker,
) -> None:
    tracker.record_failure(MODEL, REGION, {"top_k": 1}, ERROR)
    tracker.record_failure("other", "eu-west-1", {"top_k": 2}, ERROR)
    assert not tracker.is_known_incompatible(MODEL, "eu-west-1", {"top_k": 1})
    assert not tracker.is_known_incompatible("other", REGION, {"top_k": 1})
    assert not tracker.is_known_incompatible(MODEL, REGION, {"top_k": 2})
    assert not tracker.is_known_incompatible(MODEL, REGION, {})


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError


class Plain:
    pass


class Odd:
    def __repr__(self) -> str:
        return "\ud800"


ENDLESS: dict[str, Any] = {}
ENDLESS["self"] = ENDLESS


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}),
        ({"a": b"\x00"}, {"a": bytearray(b"\x00")}),
        ({"a": {"x", "y", "z"}}, {"a": {"z", "x", "y"}}),
        ({"a": [1]}, {"a": (1,)}),
        ({"a": date(2026, 1, 1)}, {"a": date(2026, 1, 1)}),
        ({"a": Plain()}, {"a": Plain()}),
        ({"a": Broken()}, {"a": Broken()}),
        ({"a": Odd()}, {"a": Odd()}),
        ({"a": float("nan")}, {"a": float("nan")}),
        ({"a": "\ud800"}, {"a": "\ud800"}),
        (ENDLESS, ENDLESS),
    ],
)
def test_equal_parameters_are_the_same_whatever_they_hold(
    tracker: ParameterCompatibilityTracker, first: dict[str, Any], second: dict[str, Any]
) -> None:
    tracker.record_failure(MODEL, REGION, first, ERROR)
    assert tracker.is_known_incompatible(MODEL, REGION, second)
    assert tracker.get_statistics()["total_combinations"] == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"a": 1}, {"a": 1.0}),
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": "1"}),
        ({"a": None}, {}),
        ({"a": "b"}, {"a": b"b"}),
        ({"a": ["b", "c"]}, {"a": ["b', 'c"]}),
        ({"a": ["b"]}, {"a": {"b"}}),
        ({"a": {"b": 1}}, {"a": {"b": {}}}),
        ({"a": Decimal(1)}, {"a": Decimal(2)}),
        ({"a": date(2026, 1, 1)}, {"a": date(2026, 1, 2)}),
        ({1: "a", "b": 2}, {"b": 2}),
    ],
)
def test_different_parameters_are_told_apart(
    tracker: ParameterCompatibilityTracker, first: dict[Any, Any], second: dict[Any, Any]
) -> None:
    tracker.record_failure(MODEL, REGION, first, ERROR)
    assert not tracker.is_known_incompatible(MODEL, REGION, second)


def test_combinations_are_counted(tracker: ParameterCompatibilityTracker) -> None:
    tracker.record_success("b", "us-east-1", {"x": 1})
    tracker.record_failure("a", "us-east-1", {"x": 1}, ERROR)
    tracker.record_failure("a", "eu-west-1", {"x": 1}, ERROR)
    tracker.record_failure("a", "eu-west-1", {"x": 1}, ERROR)
    assert tracker.get_statistics() == {
        "total_combinations": 3,
        "compatible_count": 1,
        "incompatible_count": 2,
        "models_tracked": ["a", "b"],
        "regions_tracked": ["eu-west-1", "us-east-1"],
    }


def test_nothing_of_the_parameters_is_kept(tracker: ParameterCompatibilityTracker) -> None:
    tracker.record_failure(MODEL, REGION, {"secret-name": "secret-value"}, ERROR)
    assert "secret" not in repr(vars(tracker))


def test_the_oldest_of_very_many_combinations_go(tracker: ParameterCompatibilityTracker) -> None:
    for number in range(10_050):
        tracker.record_failure(MODEL, REGION, {"x": number}, ERROR)
    assert tracker.get_statistics()["total_combinations"] == 10_000
    assert not tracker.is_known_incompatible(MODEL, REGION, {"x": 49})
    assert tracker.is_known_incompatible(MODEL, REGION, {"x": 50})


def test_what_was_recorded_again_is_not_old(tracker: ParameterCompatibilityTracker) -> None:
    for number in [*range(10_000), 1, 10_000, 10_001]:
        tracker.record_failure(MODEL, REGION, {"x": number}, ERROR)
    known = [tracker.is_known_incompatible(MODEL, REGION, {"x": number}) for number in range(3)]
    assert known == [False, True, False]


def test_threads_can_record_and_ask_at_once(tracker: ParameterCompatibilityTracker) -> None:
    start = threading.Barrier(6)

    def work(number: int) -> None:
        start.wait()
        for index in range(200):
            tracker.record_failure(MODEL, REGION, {"x": [number, index]}, ERROR)
            tracker.is_known_incompatible(MODEL, REGION, {"x": index})
            tracker.get_statistics()
            tracker.record_success(MODEL, REGION, {"x": [number, index]})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = tracker.get_statistics()
    assert (found["compatible_count"], found["incompatible_count"]) == (6 * 200, 0)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PARAMETERS = st.dictionaries(st.text(), VALUES, max_size=4)


@given(PARAMETERS)
def test_law_the_order_of_keys_does_not_matter(parameters: dict[str, Any]) -> None:
    tracker = ParameterCompatibilityTracker()
    tracker.record_failure(MODEL, REGION, parameters, ERROR)
    turned = dict(reversed(list(parameters.items())))
    assert tracker.is_known_incompatible(MODEL, REGION, turned)


@given(PARAMETERS, PARAMETERS)
def test_law_what_differs_is_told_apart(first: dict[str, Any], second: dict[str, Any]) -> None:
    tracker = ParameterCompatibilityTracker()
    tracker.record_failure(MODEL, REGION, first, ERROR)
    if first != second:
        assert not tracker.is_known_incompatible(MODEL, REGION, second)
