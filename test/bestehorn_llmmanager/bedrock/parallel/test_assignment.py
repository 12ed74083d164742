"""Tests that requests are spread over regions as the strategy says."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.models.parallel_structures import LoadBalancingStrategy
from bestehorn_llmmanager.bedrock.parallel.assignment import RegionAssignment

ROUND_ROBIN = LoadBalancingStrategy.ROUND_ROBIN
RANDOM = LoadBalancingStrategy.RANDOM
LEAST_LOADED = LoadBalancingStrategy.LEAST_LOADED


def test_round_robin_moves_its_start() -> None:
    assignment = RegionAssignment(["a", "b", "c"], ROUND_ROBIN, 2)
    assert [assignment.next() for _ in range(4)] == [(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 1, 2)]
    assert assignment.distribution() == {"a": 3, "b": 3, "c": 2}


def test_least_loaded_takes_those_with_the_fewest_requests_so_far() -> None:
    assignment = RegionAssignment(["a", "b", "c"], LEAST_LOADED, 2)
    assert [assignment.next()[:2] for _ in range(3)] == [(0, 1), (2, 0), (1, 2)]
    assert assignment.distribution() == {"a": 2, "b": 2, "c": 2}


@given(
    st.sampled_from(LoadBalancingStrategy),
    st.integers(1, 9),
    st.data(),
    st.integers(0, 50),
)
def test_every_request_may_go_everywhere_and_counts_where_it_is_assigned(
    strategy: LoadBalancingStrategy, regions: int, data: st.DataObject, requests: int
) -> None:
    per_request = data.draw(st.integers(1, regions))
    names = [f"r{number}" for number in range(regions)]
    assignment = RegionAssignment(names, strategy, per_request)
    orders = [assignment.next() for _ in range(requests)]
    assert all(sorted(order) == list(range(regions)) for order in orders)
    counted = Counter(names[position] for order in orders for position in order[:per_request])
    assert assignment.distribution() == counted


@pytest.mark.parametrize("strategy", [ROUND_ROBIN, LEAST_LOADED])
@pytest.mark.parametrize("per_request", [1, 3, 8])
def test_all_regions_are_where_equally_many_requests_start(
    strategy: LoadBalancingStrategy, per_request: int
) -> None:
    assignment = RegionAssignment([f"r{number}" for number in range(8)], strategy, per_request)
    starts = Counter(assignment.next()[0] for _ in range(80))
    assert starts == dict.fromkeys(range(8), 10)


def test_random_starts_everywhere() -> None:
    assignment = RegionAssignment(["a", "b", "c"], RANDOM, 1)
    # Each of them 300 times on average; less than 200 once in 10 ** 14 runs.
    assert all(count > 200 for count in Counter(assignment.next()[0] for _ in range(900)).values())


def test_threads_share_one_count() -> None:
    assignment = RegionAssignment(["a", "b", "c", "d"], LEAST_LOADED, 1)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: assignment.next(), range(4000)))
    assert assignment.distribution() == dict.fromkeys("abcd", 1000)
