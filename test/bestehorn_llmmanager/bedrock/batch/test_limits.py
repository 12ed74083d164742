"""Tests how records are split into jobs and files."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.batch import BatchLimits
from bestehorn_llmmanager.bedrock.batch.limits import split
from bestehorn_llmmanager.bedrock.exceptions import ConfigurationError, RequestValidationError


def shape(sizes: list[int], **limits: Any) -> list[list[tuple[int, int]]]:
    jobs = split(sizes, BatchLimits(**{"min_records": 1, **limits}))
    return [[(part.first, part.last) for part in files] for files in jobs]


@pytest.mark.parametrize(
    ("sizes", "limits", "expected"),
    [
        pytest.param([1] * 5, {}, [[(0, 5)]], id="one job of one file"),
        pytest.param([1] * 4, {"max_records": 4}, [[(0, 4)]], id="exactly full by records"),
        pytest.param([1] * 5, {"max_records": 4}, [[(0, 4)], [(4, 5)]], id="one record too many"),
        pytest.param([2] * 4, {"max_job_bytes": 8}, [[(0, 4)]], id="exactly full by bytes"),
        pytest.param([2] * 4, {"max_job_bytes": 7}, [[(0, 3)], [(3, 4)]], id="a byte too many"),
        pytest.param(
            [1] * 5, {"max_records_per_file": 2}, [[(0, 2), (2, 4), (4, 5)]], id="files by records"
        ),
        pytest.param([3] * 3, {"max_file_bytes": 6}, [[(0, 2), (2, 3)]], id="files by bytes"),
        pytest.param(
            [1] * 5,
            {"max_records": 4, "min_records": 2},
            [[(0, 3)], [(3, 5)]],
            id="the last job gets what it lacks from the one before",
        ),
        pytest.param(
            [1] * 9,
            {"max_records": 4, "min_records": 4},
            None,
            id="no two jobs are large enough",
        ),
        pytest.param(
            [1, 1, 9, 9],
            {"max_job_bytes": 18, "max_records": 3, "min_records": 2},
            [[(0, 2)], [(2, 4)]],
            id="the last job is filled up to its very limit",
        ),
        pytest.param(
            [1, 9, 9, 1],
            {"max_job_bytes": 18, "min_records": 3},
            None,
            id="large records make jobs too small",
        ),
        pytest.param([1] * 3, {"min_records": 4}, None, id="too few records"),
        pytest.param([], {}, None, id="no records"),
        pytest.param([1, 5], {"max_file_bytes": 4}, None, id="a record too large for a file"),
        pytest.param([5, 1], {"max_job_bytes": 4}, None, id="a record too large for a job"),
    ],
)
def test_records_are_split(
    sizes: list[int], limits: dict[str, int], expected: list[list[tuple[int, int]]] | None
) -> None:
    if expected is None:
        with pytest.raises(RequestValidationError):
            shape(sizes, **limits)
    else:
        assert shape(sizes, **limits) == expected


@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=60),
    st.integers(1, 10),
    st.integers(1, 15),
    st.integers(1, 15),
    st.integers(20, 100),
    st.integers(20, 60),
)
def test_every_record_is_in_one_file_and_no_limit_is_broken(
    sizes: list[int], low: int, high: int, per_file: int, job_bytes: int, file_bytes: int
) -> None:
    limits = BatchLimits(
        min_records=min(low, high),
        max_records=high,
        max_records_per_file=per_file,
        max_job_bytes=job_bytes,
        max_file_bytes=file_bytes,
    )
    try:
        jobs = split(sizes, limits)
    except RequestValidationError:
        return
    files = [part for job in jobs for part in job]
    assert [n for part in files for n in range(part.first, part.last)] == list(range(len(sizes)))
    for job in jobs:
        assert limits.min_records <= sum(part.records for part in job) <= limits.max_records
        assert sum(sizes[job[0].first : job[-1].last]) <= limits.max_job_bytes
    for part in files:
        assert 1 <= part.records <= limits.max_records_per_file
        assert sum(sizes[part.first : part.last]) <= limits.max_file_bytes


@given(st.integers(200, 3000), st.integers(200, 1000))
def test_small_records_can_always_be_split(count: int, most: int) -> None:
    jobs = split([10] * count, BatchLimits(max_records=most))
    assert len(jobs) == -(-count // most)


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_records": 0},
        {"max_records": -1},
        {"max_file_bytes": 1.5},
        {"max_job_bytes": "5 GB"},
        {"max_records_per_file": True},
        {"min_records": 101, "max_records": 100},
    ],
)
def test_limits_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"`{next(iter(wrong))}`"):
        BatchLimits(**wrong)


def test_the_message_for_too_few_requests_says_what_takes_fewer() -> None:
    with pytest.raises(RequestValidationError, match=r"Got 99 .* at least 100.*ParallelLLMManager"):
        split([1] * 99, BatchLimits())
