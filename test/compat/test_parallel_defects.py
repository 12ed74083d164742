"""Shows defects 43 to 52 of 0.9.0 put right, and trace 14 with its corrected outcome, over HTTP."""

from __future__ import annotations

import inspect
import logging
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import ParallelLLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import RetryExhaustedError
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import (
    ParallelExecutionError,
    RequestValidationError,
)
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryConfig
from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig
from bestehorn_llmmanager.bedrock.models.parallel_structures import (
    BedrockConverseRequest,
    FailureHandlingStrategy,
    LoadBalancingStrategy,
    ParallelProcessingConfig,
)
from bestehorn_llmmanager.llm_manager import LLMManager
from bestehorn_llmmanager.testing import Fault

if TYPE_CHECKING:
    from bestehorn_llmmanager.testing import LocalBedrock
    from bestehorn_llmmanager.testing._replies import ReceivedRequest

EAST, WEST = "us-east-1", "us-west-2"
NO_RETRY = RetryConfig(max_retries=0, retry_delay=0)


def new_manager(
    *regions: str, retry_config: RetryConfig | None = NO_RETRY, **config: Any
) -> ParallelLLMManager:
    """A manager that knows the bundled catalogue, and neither waits nor asks AWS for another."""
    return ParallelLLMManager(
        ["Nova Lite"],
        list(regions or (EAST, WEST)),
        retry_config=retry_config,
        parallel_config=ParallelProcessingConfig(**config),
        catalog_cache_mode=CacheMode.NONE,
        catalog_refresh="never",
    )


def request(text: str, **options: Any) -> BedrockConverseRequest:
    return BedrockConverseRequest(
        [{"role": "user", "content": [{"text": text}]}], request_id=text, **options
    )


def requests(*names: str) -> list[BedrockConverseRequest]:
    return [request(name) for name in names]


def refuse(bedrock: LocalBedrock, *names: str) -> None:
    """Answer all requests but those with these texts: they get a status 500."""

    def reply(received: ReceivedRequest) -> str:
        if text_of(received) in names:
            raise ValueError("refused by the test")
        return "ok"

    bedrock.reply_with(reply)


def text_of(received: ReceivedRequest) -> str:
    return str(received.body["messages"][0]["content"][0]["text"])


def regions_asked(bedrock: LocalBedrock) -> Counter[str | None]:
    return Counter(r.region for r in bedrock.requests if r.operation == "Converse")


# --- trace 14 -------------------------------------------------------------------------------------


def test_trace_14_one_of_four_requests_always_fails(bedrock: LocalBedrock) -> None:
    refuse(bedrock, "fail1")
    manager = new_manager(enable_automatic_retry=False)
    response = manager.converse_parallel(requests("ok1", "fail1", "ok2", "ok3"))
    assert response.success
    assert response.get_success_rate() == 75.0
    assert response.failed_requests == ["fail1"]
    entry = response.request_responses["fail1"]
    assert entry.success is False
    (warning,) = entry.warnings
    assert warning.startswith("Request fail1 failed:")
    assert "InternalServerException" in str(entry.get_last_error())
    assert response.parallel_execution_stats is not None
    assert response.parallel_execution_stats.region_distribution == {EAST: 4, WEST: 4}


# --- 43, 44: requests -----------------------------------------------------------------------------


def test_defect_43_equal_requests_have_ids_of_their_own_bytes_or_not() -> None:
    system: list[Any] = [{"guardContent": {"image": {"source": {"bytes": b"\x00"}}}}]
    messages = [{"role": "user", "content": [{"text": "Hi"}]}]
    made = [BedrockConverseRequest(messages, system) for _ in range(500)]
    ids = [str(each.request_id).split("_") for each in made]
    assert {(prefix, digits) for prefix, digits, _ in ids} == {("req", ids[0][1])}
    assert len({microseconds for _, _, microseconds in ids}) == 500


def test_defect_44_every_option_of_a_call_can_be_given_and_survives(bedrock: LocalBedrock) -> None:
    config = ModelSpecificConfig(custom_fields={"a": 1})
    given = request(
        "Hi",
        model_specific_config=config,
        max_retries=7,
        output_config={"effort": "low"},
        performance_config={"latency": "optimized"},
        service_tier={"type": "flex"},
        extra_request_fields={"x": 1},
        enable_extended_context=True,
    )
    again = BedrockConverseRequest.from_dict(given.to_dict())
    assert again == given
    options = set(inspect.signature(LLMManager.converse).parameters)
    options -= {"self", "response_validation_config", "timeout"}  # those of the whole run
    everything: dict[str, Any] = dict.fromkeys(options, True)
    assert BedrockConverseRequest(**everything).to_converse_args() == everything


# --- 45: ordinary calls ---------------------------------------------------------------------------


def test_defect_45_an_ordinary_call_logs_no_warning(
    bedrock: LocalBedrock, caplog: pytest.LogCaptureFixture
) -> None:
    manager = new_manager()
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "bestehorn_llmmanager"):
        manager.converse_parallel(requests("a"))
    about = [r for r in caplog.records if "regions_per_request=2" in r.getMessage()]
    assert [record.levelno for record in about] == [logging.DEBUG]
    assert all(record.levelno < logging.WARNING for record in caplog.records)


# --- 46: regions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", LoadBalancingStrategy)
@pytest.mark.parametrize("per_request", [None, 1])
def test_defect_46_requests_start_in_their_assigned_regions(
    bedrock: LocalBedrock, strategy: LoadBalancingStrategy, per_request: int | None
) -> None:
    manager = new_manager(EAST, WEST, load_balancing_strategy=strategy)
    manager.converse_parallel(requests(*map(str, range(40))), per_request)
    asked = regions_asked(bedrock)
    assert set(asked) == {EAST, WEST}
    if strategy is not LoadBalancingStrategy.RANDOM:
        assert asked == {EAST: 20, WEST: 20}


def test_defect_46_and_fall_back_to_the_others(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.access_denied(), region=EAST)
    response = new_manager(EAST, WEST).converse_parallel(requests("a", "b"), 1)
    assert response.get_success_rate() == 100.0


# --- 47: failed entries ---------------------------------------------------------------------------


def test_defect_47_a_failed_entry_has_its_attempts_and_errors(bedrock: LocalBedrock) -> None:
    refuse(bedrock, "bad")
    response = new_manager(EAST, WEST).converse_parallel(requests("bad", "good"))
    entry = response.request_responses["bad"]
    assert {attempt.region for attempt in entry.attempts} == {EAST, WEST}
    error = entry.get_last_error()
    assert type(error).__name__ == "InternalServerException"
    assert entry.get_all_errors()[-1] is error
    assert list(response.get_failed_by_exception_type("InternalServerException")) == ["bad"]
    recorded = response.original_requests["bad"].get_last_failure()
    assert recorded is not None
    assert isinstance(recorded.exception, RetryExhaustedError)


# --- 48: timeouts and pauses ----------------------------------------------------------------------


def test_defect_48_a_timeout_frees_its_place_and_is_not_asked_again(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.hang(), operation="Converse", times=2)
    manager = new_manager(
        EAST,
        retry_config=RetryConfig(max_retries=3, retry_delay=0.001),
        request_timeout_seconds=2,
        max_concurrent_requests=2,
    )
    start = time.monotonic()
    response = manager.converse_parallel(requests(*"abcdef"))
    assert time.monotonic() - start < 8
    assert not [t for t in threading.enumerate() if t.name.startswith("bestehorn-llmmanager")]
    assert len(response.timed_out_request_ids) == 2
    assert all("timed out after 2 seconds" in warning for warning in response.warnings)
    assert bedrock.count("Converse") == 6


def test_defect_48_a_pause_does_not_stop_the_others(bedrock: LocalBedrock) -> None:
    refuse(bedrock, "bad")
    manager = new_manager(
        retry_config=RetryConfig(max_retries=1, retry_delay=0.4, backoff_multiplier=1),
        max_concurrent_requests=1,
    )
    names = ("bad", *map(str, range(20)))
    finished = [name for name, _ in manager.iter_converse_parallel(requests(*names))]
    assert finished[0] != "bad"  # all others, if the machine is fast enough


# --- 49: stop strategies --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        {"failure_handling_strategy": FailureHandlingStrategy.STOP_ON_FIRST_FAILURE},
        {
            "failure_handling_strategy": FailureHandlingStrategy.STOP_ON_THRESHOLD,
            "failure_threshold": 0.01,
        },
    ],
    ids=["first", "threshold"],
)
def test_defect_49_a_stop_stops_and_keeps_what_was_answered(
    bedrock: LocalBedrock, config: Any
) -> None:
    refuse(bedrock, "bad")
    manager = new_manager(EAST, max_concurrent_requests=1, **config)
    names = ("a", "b", "bad", *map(str, range(60)))
    with pytest.raises(ParallelExecutionError) as caught:
        manager.converse_parallel(requests(*names))
    assert bedrock.count("Converse") < 10
    assert caught.value.failed_requests == ["bad"]
    assert caught.value.total_requests == 63
    partial = caught.value.partial_response
    assert partial is not None
    assert partial.successful_request_ids[:2] == ["a", "b"]
    assert partial.failed_request_ids == ["bad"]


# --- 50: retrying ---------------------------------------------------------------------------------


def test_defect_50_failures_that_the_filter_left_out_stay_in_the_result(
    bedrock: LocalBedrock,
) -> None:
    refuse(bedrock, "a", "b")
    manager = new_manager()
    before = manager.converse_parallel(requests("a", "b", "c"))
    refuse(bedrock)
    after = manager.retry_failed_requests(before, lambda name, _: name == "a")
    assert set(after.request_responses) == {"a", "b", "c"}
    assert after.failed_requests == ["b"]
    assert after.successful_request_ids == ["a", "c"]


# --- 51, 52: validation ---------------------------------------------------------------------------

REASONING = {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "x"}}}
CITATIONS = {"citationsContent": {"content": [{"text": "It is so."}], "citations": []}}
GUARDED = {"guardContent": {"text": {"text": "Check this"}}}


@pytest.mark.needs_member("reasoningContent")
@pytest.mark.parametrize("block", [REASONING, CITATIONS], ids=lambda block: next(iter(block)))
def test_defect_51_what_a_model_said_can_be_sent_back(
    bedrock: LocalBedrock, block: dict[str, Any]
) -> None:
    asked = request("Why?")
    asked.messages += [
        {"role": "assistant", "content": [block, {"text": "Because."}]},
        {"role": "user", "content": [{"text": "Really?"}, GUARDED]},
    ]
    assert new_manager().converse_parallel([asked]).success


@pytest.mark.needs_member("cachePoint")
def test_defect_52_cache_points_and_guard_content_in_the_system_prompt_are_accepted(
    bedrock: LocalBedrock,
) -> None:
    system: list[Any] = [{"text": "Be kind."}, GUARDED, {"cachePoint": {"type": "default"}}]
    assert new_manager().converse_parallel([request("Hi", system=system)]).success
    with pytest.raises(RequestValidationError):
        new_manager().converse_parallel([request("Hi", system=[{"nothing": 1, "known": 2}])])
