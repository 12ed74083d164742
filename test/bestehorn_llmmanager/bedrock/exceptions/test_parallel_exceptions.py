"""Tests what the errors of a batch tell about it."""

from __future__ import annotations

from typing import Any

import pytest

from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import (
    ParallelConfigurationError,
    ParallelExecutionError,
    RegionDistributionError,
    RequestIdCollisionError,
    RequestTimeoutError,
    RequestValidationError,
)

# Stand-ins: the errors only count the requests.
COLLISION: dict[str, list[Any]] = {"a": [1, 2], "b": [3, 4, 5]}


def test_a_collision_names_each_id_and_counts_the_requests() -> None:
    error = RequestIdCollisionError(COLLISION)
    assert "'a' (2 requests)" in error.message
    assert "'b' (3 requests)" in error.message
    assert error.get_collision_count() == 2
    assert error.get_total_colliding_requests() == 5
    assert error.details == {
        "collision_count": 2,
        "total_colliding_requests": 5,
        "collision_ids": ["a", "b"],
    }


def test_what_a_collision_hands_out_is_a_copy() -> None:
    error = RequestIdCollisionError(dict(COLLISION))
    error.get_duplicated_ids().clear()
    assert error.duplicated_ids == COLLISION


@pytest.mark.parametrize(("details", "expected"), [(None, None), ({}, {})])
def test_no_collision_has_no_details_of_its_own(
    details: dict[str, Any] | None, expected: object
) -> None:
    assert RequestIdCollisionError({}, details).details == expected


@pytest.mark.parametrize(
    ("failed", "total", "failure_rate", "success_rate", "detail"),
    [(["a"], 4, 25.0, 75.0, 75.0), (["a", "b"], 2, 100.0, 0.0, 0.0), ([], 0, 0.0, 100.0, 0.0)],
)
def test_rates_are_in_percent(
    failed: list[str], total: int, failure_rate: float, success_rate: float, detail: float
) -> None:
    error = ParallelExecutionError("m", failed, total)
    assert error.get_failure_rate() == failure_rate
    assert error.get_success_rate() == success_rate
    assert error.details == {
        "failed_request_count": len(failed),
        "total_request_count": total,
        "success_rate": detail,
        "failed_request_ids": failed,
    }


def test_what_a_failed_batch_hands_out_is_a_copy() -> None:
    error = ParallelExecutionError("m", ["a"], 4)
    error.get_failed_requests().clear()
    assert error.failed_requests == ["a"]


@pytest.mark.parametrize(("wanted", "there", "shortage"), [(3, 1, 2), (1, 3, 0), (2, 2, 0)])
def test_a_shortage_of_regions_is_never_negative(wanted: int, there: int, shortage: int) -> None:
    error = RegionDistributionError("m", wanted, there)
    assert error.get_shortage() == shortage
    assert error.details == {
        "requested_regions": wanted,
        "available_regions": there,
        "shortage": shortage,
    }


@pytest.mark.parametrize(
    ("name", "value", "details"),
    [
        (None, 3, None),
        ("max_workers", None, {"invalid_parameter": "max_workers", "provided_value": None}),
        ("max_workers", 0, {"invalid_parameter": "max_workers", "provided_value": 0}),
    ],
)
def test_a_bad_option_is_in_the_details_when_it_is_named(
    name: str | None, value: object, details: object
) -> None:
    error = ParallelConfigurationError("m", name, value)
    assert error.details == details
    assert (error.get_invalid_parameter(), error.get_provided_value()) == (name, value)


def test_a_timeout_tells_what_was_allowed_and_what_was_measured() -> None:
    error = RequestTimeoutError("m", "a", 3.0, 3.5)
    assert (error.get_request_id(), error.get_timeout_duration()) == ("a", 3.0)
    assert error.get_elapsed_time() == 3.5
    assert RequestTimeoutError("m", "a", 3.0).details == {
        "request_id": "a",
        "timeout_seconds": 3.0,
        "elapsed_seconds": None,
    }


def test_a_malformed_request_lists_its_faults() -> None:
    error = RequestValidationError("m", "a", ["one", "two"])
    error.get_validation_errors().clear()
    assert error.validation_errors == ["one", "two"]
    assert (error.get_request_id(), error.get_validation_error_count()) == ("a", 2)
    assert error.details == {
        "request_id": "a",
        "validation_error_count": 2,
        "validation_errors": ["one", "two"],
    }
    assert RequestValidationError("m").validation_errors == []


def test_given_details_are_not_replaced() -> None:
    given = {"own": 1}
    assert RequestIdCollisionError(COLLISION, given).details is given
    assert ParallelExecutionError("m", [], 0, given).details is given
    assert RegionDistributionError("m", 1, 1, given).details is given
    assert ParallelConfigurationError("m", "p", 1, given).details is given
    assert RequestTimeoutError("m", "a", 1.0, None, given).details is given
    assert RequestValidationError("m", "a", None, given).details is given
