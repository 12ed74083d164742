"""Tests what becomes of a run that is interrupted, throttled, or loses a region or its disk."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import ParallelLLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import ParallelProcessingError
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import Boto3Config, RetryConfig
from bestehorn_llmmanager.bedrock.models.parallel_structures import (
    BedrockConverseRequest,
    ParallelProcessingConfig,
)
from bestehorn_llmmanager.testing import Fault

if TYPE_CHECKING:
    from pathlib import Path

    from bestehorn_llmmanager.testing import LocalBedrock

EAST, WEST = "us-east-1", "us-west-2"
QUICK = RetryConfig(max_retries=3, retry_delay=0.005, max_retry_delay=0.05)


def new_manager(*, most: int = 16, **options: Any) -> ParallelLLMManager:
    return ParallelLLMManager(
        ["Nova Lite"],
        [EAST, WEST],
        parallel_config=ParallelProcessingConfig(
            max_concurrent_requests=most,
            request_timeout_seconds=options.pop("request_timeout_seconds", 60),
        ),
        catalog_cache_mode=CacheMode.NONE,
        catalog_refresh="never",
        **{"retry_config": QUICK, **options},
    )


def request(name: str) -> BedrockConverseRequest:
    messages = [{"role": "user", "content": [{"text": name}]}]
    return BedrockConverseRequest(messages, request_id=name)


def requests(count: int) -> list[BedrockConverseRequest]:
    return [request(f"r{number}") for number in range(count)]


def keys_in(journal: Path) -> list[str]:
    """The keys of the whole lines of a journal."""
    content = journal.read_bytes() if journal.exists() else b""
    lines = content.splitlines(keepends=True)
    return [json.loads(line)["key"] for line in lines if line.endswith(b"\n")]


# --- an interrupt ---------------------------------------------------------------------------------


def test_an_interrupt_of_the_consumer_stops_the_run_too(
    bedrock: LocalBedrock, tmp_path: Path
) -> None:
    def consume() -> None:
        for _ in new_manager().iter_converse_parallel(requests(1000), journal=tmp_path / "j"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consume()
    assert not [t for t in threading.enumerate() if t.name.startswith("bestehorn")]
    assert len(keys_in(tmp_path / "j")) == bedrock.count("Converse") < 100


# --- an unkind service ----------------------------------------------------------------------------


def test_with_a_third_of_all_calls_throttled_every_request_is_answered(
    bedrock: LocalBedrock,
) -> None:
    bedrock.fail(Fault.throttling(), operation="Converse", share=0.3)
    response = new_manager(most=32).converse_parallel(requests(400))
    assert response.get_success_rate() == 100.0
    served = [r for r in bedrock.requests if r.operation == "Converse"]
    throttled = sum(r.status == 429 for r in served)
    assert throttled > 80
    assert len(served) == 400 + throttled
    logged = sum(len(each.attempt_log) for each in response.request_responses.values())
    assert logged == len(served)


@pytest.mark.parametrize("fault", [Fault.unavailable(), Fault.access_denied(), Fault.reset()])
def test_a_region_that_dies_at_half_time_costs_no_request(
    bedrock: LocalBedrock, fault: Fault
) -> None:
    bedrock.fail(fault, operation="Converse", region=EAST, after=100)
    response = new_manager().converse_parallel(requests(400))
    assert response.get_success_rate() == 100.0
    used = Counter(each.region_used for each in response.request_responses.values())
    assert used == {EAST: 100, WEST: 300}
    # It is left alone while it rests.
    assert bedrock.count("Converse", EAST) < 100 + 60


def test_a_region_that_falls_silent_at_half_time_costs_no_request(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.hang(), operation="Converse", region=EAST, after=50)
    manager = new_manager(most=8, boto3_config=Boto3Config(read_timeout=1))
    start = time.monotonic()
    response = manager.converse_parallel(requests(200))
    assert response.get_success_rate() == 100.0
    assert time.monotonic() - start < 20
    assert bedrock.count("Converse", EAST) < 50 + 60


# --- a full disk ----------------------------------------------------------------------------------


def test_a_full_disk_ends_the_run_and_costs_no_answer(
    bedrock: LocalBedrock, small_disk: Path, tmp_path: Path
) -> None:
    journal = small_disk / "run.jsonl"
    with pytest.raises(ParallelProcessingError, match="No space left on device") as caught:
        new_manager(most=4).converse_parallel(requests(500), journal=journal)
    assert [t for t in threading.enumerate() if t.name.startswith("bestehorn-llmmanager-")] == []
    partial = caught.value.partial_response
    assert partial is not None
    asked = bedrock.count("Converse")
    assert len(partial.successful_request_ids) == asked < 500
    kept = keys_in(journal)
    assert 0 < len(kept) < asked
    assert set(kept) <= set(partial.successful_request_ids)
    # Where there is room, the rest is asked.
    elsewhere = tmp_path / "run.jsonl"
    elsewhere.write_bytes(journal.read_bytes())
    response = new_manager().converse_parallel(requests(500), journal=elsewhere)
    assert response.get_success_rate() == 100.0
    assert bedrock.count("Converse") == asked + 500 - len(kept)


def test_a_full_disk_ends_an_iteration_after_the_answers(
    bedrock: LocalBedrock, small_disk: Path
) -> None:
    results = new_manager(most=4).iter_converse_parallel(
        requests(500), journal=small_disk / "run.jsonl"
    )
    given: list[str] = []
    with pytest.raises(ParallelProcessingError, match="No space left on device"):
        given.extend(name for name, _ in results)
    assert len(set(given)) == len(given) == bedrock.count("Converse") < 500
