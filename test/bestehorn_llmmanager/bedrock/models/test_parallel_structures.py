"""Tests how many requests are described, and that nothing of what became of them is lost."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import pickle
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.models.cache_structures import CacheMetrics
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RequestAttempt
from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig
from bestehorn_llmmanager.bedrock.models.parallel_structures import (
    BedrockConverseRequest,
    FailureEntry,
    FailureHandlingStrategy,
    LoadBalancingStrategy,
    ParallelExecutionStats,
    ParallelProcessingConfig,
    ParallelResponse,
    RegionAssignment,
)
from bestehorn_llmmanager.llm_manager import LLMManager

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = datetime(2025, 1, 1, 12, tzinfo=timezone.utc)
SECRET = "a very private prompt"
MESSAGES = [{"role": "user", "content": [{"text": SECRET}]}]


def request(**options: Any) -> BedrockConverseRequest:
    return BedrockConverseRequest(**{"messages": MESSAGES, **options})


# Configuration


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("max_concurrent_requests", 0),
        ("max_concurrent_requests", -1),
        ("max_concurrent_requests", "5"),
        ("max_concurrent_requests", None),
        ("max_concurrent_requests", float("nan")),
        ("max_concurrent_requests", float("inf")),
        ("request_timeout_seconds", 0),
        ("request_timeout_seconds", -0.5),
        ("request_timeout_seconds", float("nan")),
        ("failure_handling_strategy", "panic"),
        ("failure_handling_strategy", None),
        ("load_balancing_strategy", "fair"),
        ("failure_threshold", -0.01),
        ("failure_threshold", 1.01),
        ("failure_threshold", float("nan")),
        ("failure_threshold", "0.5"),
        ("max_retries_per_request", -1),
        ("max_retries_per_request", 1.5),
        ("tokens_per_minute", 0),
        ("tokens_per_minute", 1.5),
        ("tokens_per_minute", "100"),
        ("tokens_per_minute", True),
        ("tokens_per_minute", {"*": True}),
        ("tokens_per_minute", {"*": 0}),
        ("tokens_per_minute", {"*": None}),
        ("tokens_per_minute", {1: 100}),
    ],
)
def test_an_option_out_of_range_is_refused_by_name_and_value(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"`{option}` must .*{re.escape(repr(value))}"):
        ParallelProcessingConfig(**{option: value})


def test_all_wrong_options_are_reported_at_once() -> None:
    wrong: dict[str, Any] = {
        "max_concurrent_requests": 0,
        "request_timeout_seconds": -1,
        "failure_handling_strategy": "x",
        "load_balancing_strategy": "y",
        "failure_threshold": 2,
        "max_retries_per_request": -1,
        "tokens_per_minute": 0,
    }
    with pytest.raises(ValueError, match="must") as caught:
        ParallelProcessingConfig(**wrong)
    assert re.findall("`([a-z_]+)`", str(caught.value)) == list(wrong)


@pytest.mark.parametrize(
    "options",
    [
        {"max_concurrent_requests": 1, "request_timeout_seconds": 0.01},
        {"failure_threshold": 0, "max_retries_per_request": 0},
        {"failure_threshold": 1},
        {"tokens_per_minute": 1},
        {"tokens_per_minute": {"*": 1, "amazon.nova-lite-v1:0": 200_000}},
        {"tokens_per_minute": {}},
    ],
)
def test_the_ends_of_the_ranges_are_accepted(options: dict[str, Any]) -> None:
    config = ParallelProcessingConfig(**options)
    assert {name: getattr(config, name) for name in options} == options


@pytest.mark.parametrize(("given", "meant"), [(4.0, 4), (2.5, 3), (0.5, 1)])
def test_a_fraction_of_a_request_is_rounded_up(given: Any, meant: int) -> None:
    most = ParallelProcessingConfig(max_concurrent_requests=given).max_concurrent_requests
    assert (most, type(most)) == (meant, int)


def test_strategies_are_also_taken_by_their_values() -> None:
    by_value: dict[str, Any] = {
        "failure_handling_strategy": "stop_on_threshold",
        "load_balancing_strategy": "least_loaded",
    }
    assert ParallelProcessingConfig(**by_value) == ParallelProcessingConfig(
        failure_handling_strategy=FailureHandlingStrategy.STOP_ON_THRESHOLD,
        load_balancing_strategy=LoadBalancingStrategy.LEAST_LOADED,
    )


def test_a_configuration_is_a_value() -> None:
    one, other = (ParallelProcessingConfig(tokens_per_minute={"*": 1}) for _ in range(2))
    assert one == other == pickle.loads(pickle.dumps(one))
    assert hash(one) == hash(other)
    assert one != ParallelProcessingConfig(tokens_per_minute={"*": 2})
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.max_concurrent_requests = 1  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    ("strategy", "threshold", "failed", "total", "verdict"),
    [
        ("continue_on_failure", 0.0, 0, 2, True),
        ("continue_on_failure", 0.0, 1, 2, True),
        ("continue_on_failure", 0.0, 2, 2, False),
        ("continue_on_failure", 0.0, 0, 0, False),
        ("stop_on_first_failure", 1.0, 0, 2, True),
        ("stop_on_first_failure", 1.0, 1, 2, False),
        ("stop_on_threshold", 0.5, 1, 2, True),
        ("stop_on_threshold", 0.5, 2, 3, False),
        ("stop_on_threshold", 0.29, 29, 100, True),
        ("stop_on_threshold", 0.0, 0, 0, True),
    ],
)
def test_the_failure_strategy_decides_about_success(
    strategy: Any, threshold: float, failed: int, total: int, verdict: bool
) -> None:
    config = ParallelProcessingConfig(
        failure_handling_strategy=strategy, failure_threshold=threshold
    )
    assert config.is_success(failed=failed, total=total) is verdict


# Requests: ids


def digits(made: BedrockConverseRequest) -> str:
    found = re.fullmatch(r"req_([0-9a-f]{12})_\d{16}", str(made.request_id))
    assert found, made.request_id
    return found[1]


def test_equal_requests_have_equal_digits_but_ids_of_their_own() -> None:
    made = [request(system=[{"text": "s"}], inference_config={"a": 1}) for _ in range(1000)]
    assert len({digits(each) for each in made}) == 1
    assert len({each.request_id for each in made}) == 1000


@pytest.mark.parametrize(
    "other",
    [
        {"messages": [{"role": "user", "content": [{"text": "other"}]}]},
        {"system": [{"text": "other"}]},
        {"inference_config": {"maxTokens": 1}},
    ],
)
def test_the_digits_are_of_messages_system_and_inference_configuration(other: Any) -> None:
    assert digits(request(**other)) != digits(request())


def test_what_comes_after_them_does_not_change_the_digits() -> None:
    assert digits(request(tool_config={"tools": []}, max_retries=1)) == digits(request())


@pytest.mark.parametrize("place", ["messages", "system"])
def test_bytes_anywhere_get_digits_by_their_content(place: str) -> None:
    def with_image(content: bytes) -> str:
        return digits(request(**{place: [{"image": {"source": {"bytes": content}}}]}))

    assert with_image(b"\x00\xff") == with_image(b"\x00\xff")
    assert with_image(b"\x00\xff") != with_image(b"\x00\xfe")


@pytest.mark.parametrize(
    "messages", [None, [], "text", object(), [object()], 5], ids=lambda value: type(value).__name__
)
def test_messages_of_any_kind_are_for_the_validation_to_refuse(messages: Any) -> None:
    made = request(messages=messages)
    assert re.fullmatch(r"BedrockConverseRequest\(id=req_\w+, messages=\d, .*\)", repr(made))


@pytest.mark.parametrize("request_id", ["", "mine", "req_000000000000_1"])
def test_an_id_that_is_given_is_kept_and_known_as_given(request_id: str) -> None:
    made = request(request_id=request_id)
    assert (made.request_id, made.has_generated_id) == (request_id, False)


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_knows_whether_its_id_was_made(
    duplicate: Callable[[BedrockConverseRequest], BedrockConverseRequest],
) -> None:
    for made in (request(), request(request_id="mine")):
        copied = duplicate(made)
        assert copied == made
        assert copied.has_generated_id == made.has_generated_id == (made.request_id != "mine")
        assert copied.content_key == made.content_key


def test_an_id_that_is_put_in_later_is_no_made_one() -> None:
    made = request()
    made.request_id = "mine"
    assert not made.has_generated_id


def test_what_is_known_of_the_id_is_no_field() -> None:
    assert {each.name for each in dataclasses.fields(request())} == set(ALL_ARGUMENTS) | {
        "request_id",
        "retry_count",
        "failure_history",
        "max_retries",
    }


# Requests: content

ALL_ARGUMENTS: dict[str, Any] = {
    "messages": MESSAGES,
    "system": [{"text": "s"}],
    "inference_config": {"maxTokens": 1},
    "additional_model_request_fields": {"top_k": 1},
    "additional_model_response_field_paths": ["/a"],
    "guardrail_config": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
    "tool_config": {"tools": []},
    "request_metadata": {"a": "b"},
    "prompt_variables": {"a": {"text": "b"}},
    "model_specific_config": ModelSpecificConfig(custom_fields={"a": 1}),
    "output_config": {"effort": "low"},
    "performance_config": {"latency": "optimized"},
    "service_tier": {"type": "flex"},
    "extra_request_fields": {"newMember": 1},
    "enable_extended_context": True,
}
OLD_KEYS = [
    "request_id",
    "messages",
    "system",
    "inference_config",
    "additional_model_request_fields",
    "additional_model_response_field_paths",
    "guardrail_config",
    "tool_config",
    "request_metadata",
    "prompt_variables",
]


def test_the_arguments_are_those_that_were_given_and_converse_takes_them() -> None:
    assert request(request_id="r", max_retries=1).to_converse_args() == {"messages": MESSAGES}
    assert request(system=[], inference_config={}).to_converse_args() == {
        "messages": MESSAGES,
        "system": [],
        "inference_config": {},
    }
    arguments = request(**ALL_ARGUMENTS).to_converse_args()
    assert arguments == ALL_ARGUMENTS
    inspect.signature(LLMManager.converse).bind(None, **arguments)


def test_the_fields_keep_their_old_positions() -> None:
    old = [name for name in OLD_KEYS if name != "request_id"] + [
        "model_specific_config",
        "request_id",
        "retry_count",
        "failure_history",
        "max_retries",
    ]
    assert [each.name for each in dataclasses.fields(BedrockConverseRequest)][:14] == old


def test_a_request_without_new_options_has_the_old_keys_only() -> None:
    data = request(request_id="r", system=[{"text": "s"}]).to_dict()
    assert list(data) == OLD_KEYS
    assert {name: value for name, value in data.items() if value is not None} == {
        "request_id": "r",
        "messages": MESSAGES,
        "system": [{"text": "s"}],
    }
    assert data["messages"] is MESSAGES


def test_a_request_comes_back_from_json_with_all_its_options() -> None:
    made = request(**ALL_ARGUMENTS, request_id="r", max_retries=0)
    data = json.loads(json.dumps(made.to_dict()))
    assert set(data) == {*ALL_ARGUMENTS, "request_id", "max_retries"}
    assert BedrockConverseRequest.from_dict(data) == made


@given(st.sets(st.sampled_from(sorted(ALL_ARGUMENTS.keys() - {"messages"}))))
def test_any_choice_of_options_comes_back(chosen: set[str]) -> None:
    made = request(**{name: ALL_ARGUMENTS[name] for name in chosen})
    assert BedrockConverseRequest.from_dict(made.to_dict()) == made


def test_a_saved_request_has_a_given_id_and_past_failures_stay_behind() -> None:
    made = request()
    made.record_failure(ValueError("x"))
    read = BedrockConverseRequest.from_dict({**made.to_dict(), "unknown": 1})
    assert read.request_id == made.request_id
    assert not read.has_generated_id
    assert (read.retry_count, read.failure_history) == (0, [])


def test_messages_are_required_and_an_id_is_not() -> None:
    with pytest.raises(KeyError, match="messages"):
        BedrockConverseRequest.from_dict({"request_id": "r"})
    assert BedrockConverseRequest.from_dict({"messages": MESSAGES}).has_generated_id


def test_a_model_specific_config_of_an_unknown_kind_passes_through() -> None:
    assert request(model_specific_config=5).to_dict()["model_specific_config"] == 5


def test_the_content_key_is_the_same_in_another_process_and_for_any_id(
    elsewhere: Callable[[object, str], str],
) -> None:
    made = request(**ALL_ARGUMENTS, request_id="r")
    again = request(**ALL_ARGUMENTS, max_retries=3)
    again.record_failure(ValueError("x"))
    key = elsewhere(made, "print(it.content_key)")
    assert re.fullmatch("[0-9a-f]{64}", key)
    assert key == made.content_key == again.content_key


@pytest.mark.parametrize("name", ALL_ARGUMENTS)
def test_whatever_is_sent_makes_another_content_key(name: str) -> None:
    if name == "messages":
        assert request(messages=[]).content_key != request().content_key
    else:
        assert request(**{name: ALL_ARGUMENTS[name]}).content_key != request().content_key


def test_the_content_key_follows_changes() -> None:
    made = request()
    made.inference_config = {"maxTokens": 2}
    assert made.content_key == request(inference_config={"maxTokens": 2}).content_key


def test_the_text_of_a_request_counts_and_shows_nothing() -> None:
    made = request(request_id="r", system=[], messages=MESSAGES * 3)
    assert repr(made) == (
        "BedrockConverseRequest(id=r, messages=3, system=True, inference_config=False)"
    )


# Requests: failures


def test_each_failure_is_counted_and_kept() -> None:
    made = request()
    assert made.get_last_failure() is None
    first, second = ValueError("one"), KeyError("two")
    before = datetime.now()  # noqa: DTZ005  (local, as ever)
    made.record_failure(first)
    made.record_failure(second, model="Nova Lite", region="us-east-1")
    assert made.retry_count == 2
    last = made.get_last_failure()
    assert last is made.failure_history[-1]
    assert last
    assert before <= last.timestamp <= datetime.now()  # noqa: DTZ005
    assert made.failure_history == [
        FailureEntry(1, made.failure_history[0].timestamp, first, "ValueError", "one"),
        FailureEntry(2, last.timestamp, second, "KeyError", "'two'", "Nova Lite", "us-east-1"),
    ]


def test_requests_share_no_history() -> None:
    one, other = request(), request()
    one.record_failure(ValueError("x"))
    assert other.failure_history == []


@pytest.mark.parametrize(
    ("own", "argument", "failures", "verdict"),
    [(None, 1, 0, True), (None, 1, 1, False), (2, 0, 1, True), (0, 5, 0, False)],
)
def test_the_own_limit_of_retries_wins(
    own: int | None, argument: int, failures: int, verdict: bool
) -> None:
    made = request(max_retries=own, retry_count=failures)
    assert made.can_retry(argument) is verdict


def test_a_failure_entry_can_be_written_and_shown() -> None:
    entry = FailureEntry(5, NOON, ValueError("x"), "ValueError", "m" * 60, "Nova", "eu-west-1")
    assert entry.to_dict() == {
        "attempt_number": 5,
        "timestamp": "2025-01-01T12:00:00+00:00",
        "exception_type": "ValueError",
        "error_message": "m" * 60,
        "model": "Nova",
        "region": "eu-west-1",
    }
    assert repr(entry) == (
        f"FailureEntry(attempt=5, type=ValueError, message='{'m' * 50}...', "
        "model=Nova, region=eu-west-1)"
    )


def test_a_region_assignment_shows_all_it_has() -> None:
    shown = repr(RegionAssignment("r", ["us-east-1"]))
    assert shown == "RegionAssignment(id=r, regions=['us-east-1'], priority=0)"


# Statistics


@pytest.mark.parametrize(
    ("total", "successful", "rates"), [(0, 0, (0.0, 100.0)), (4, 3, (75.0, 25.0))]
)
def test_rates_are_percentages(total: int, successful: int, rates: tuple[float, float]) -> None:
    stats = ParallelExecutionStats(total, successful, total - successful, 0.0, 0.0, 0.0, 1)
    assert (stats.success_rate, stats.failure_rate) == rates


def test_statistics_are_written_under_the_names_of_the_fields() -> None:
    stats = ParallelExecutionStats(3, 2, 1, 1.5, 2.0, 1.0, 4, {"us-east-1": 3})
    written = stats.to_dict()
    assert ParallelExecutionStats(**written) == stats
    assert written["region_distribution"] is not stats.region_distribution


def test_durations_are_of_the_successes_whose_duration_is_known() -> None:
    responses = [
        BedrockResponse(success=True, total_duration_ms=1.0),
        BedrockResponse(success=True, total_duration_ms=4.0),
        BedrockResponse(success=True),
        BedrockResponse(success=False, total_duration_ms=100.0),
    ]
    regions = {"us-east-1": 4}
    assert ParallelExecutionStats.of(
        responses, concurrent_executions=2, region_distribution=regions
    ) == ParallelExecutionStats(4, 3, 1, 2.5, 4.0, 1.0, 2, regions)
    assert ParallelExecutionStats.of(
        [], concurrent_executions=0, region_distribution={}
    ) == ParallelExecutionStats(0, 0, 0, 0.0, 0.0, 0.0, 0)


# Responses


def attempt(error: Exception | None) -> RequestAttempt:
    return RequestAttempt("Nova", "us-east-1", "direct", 1, NOON, NOON, error, error is None)


def succeeded(read: int = 0, **options: Any) -> BedrockResponse:
    usage = {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3, "cacheReadInputTokens": read}
    return BedrockResponse(success=True, response_data={"usage": usage}, **options)


def failed(*warnings: str, error: Exception | None = None, **options: Any) -> BedrockResponse:
    return BedrockResponse(
        success=False,
        warnings=list(warnings),
        attempts=[attempt(error)] if error else [],
        **options,
    )


def run(
    responses: dict[str, BedrockResponse],
    config: ParallelProcessingConfig | None = None,
    duration: float = 10.0,
    concurrent: int = 2,
    regions: dict[str, int] | None = None,
    requests: dict[str, BedrockConverseRequest] | None = None,
) -> ParallelResponse:
    return ParallelResponse.of(
        responses,
        config=config or ParallelProcessingConfig(),
        total_duration_ms=duration,
        concurrent_executions=concurrent,
        region_distribution=regions or {},
        original_requests=requests or {},
    )


CACHED = succeeded(
    read=5, api_latency_ms=10.0, access_method_used="direct", parameters_removed=["a", "b"]
)
UNCACHED = succeeded(
    api_latency_ms=20.0,
    access_method_used="regional_cris",
    inference_profile_used=True,
    inference_profile_id="eu.nova",
    parameters_removed=["b"],
    warnings=["slow"],
)
STRANGE = BedrockResponse(
    success=True,
    response_data={"usage": "none"},
    access_method_used="global_cris",
    inference_profile_used=True,
    inference_profile_id="eu.nova",
)
BROKEN = failed("Request broken failed: KeyError", error=KeyError("k"), api_latency_ms=999.0)
LATE = failed("Request late Timed Out after 5 seconds", error=TimeoutError())
RESPONSES = {"cached": CACHED, "broken": BROKEN, "uncached": UNCACHED, "late": LATE, "odd": STRANGE}
RUN = run(RESPONSES, requests={name: request(request_id=name) for name in RESPONSES})
EMPTY = run({})


def test_responses_are_sorted_into_successes_failures_and_timeouts() -> None:
    requests = {"cached": request(request_id="cached")}
    assert run(RESPONSES, regions={"us-east-1": 5}, requests=requests) == ParallelResponse(
        success=True,
        request_responses=RESPONSES,
        total_duration_ms=10.0,
        parallel_execution_stats=ParallelExecutionStats(
            5, 3, 2, 0.0, 0.0, 0.0, 2, {"us-east-1": 5}
        ),
        warnings=[
            "Request broken failed: KeyError",
            "slow",
            "Request late Timed Out after 5 seconds",
        ],
        failed_requests=["broken", "late"],
        successful_request_ids=["cached", "uncached", "odd"],
        failed_request_ids=["broken"],
        timed_out_request_ids=["late"],
        original_requests=requests,
    )


def test_the_strategy_decides_about_the_run() -> None:
    strict = ParallelProcessingConfig(
        failure_handling_strategy=FailureHandlingStrategy.STOP_ON_FIRST_FAILURE
    )
    assert not run(RESPONSES, strict).success
    assert run({"cached": CACHED}, strict).success
    assert not run({"late": LATE}).success


def test_no_accessor_copies_a_response() -> None:
    successes, failures = RUN.get_successful_responses(), RUN.get_failed_responses()
    assert list(successes) == ["cached", "uncached", "odd"]
    assert list(failures) == ["broken", "late"]
    assert all(each is RESPONSES[name] for name, each in {**successes, **failures}.items())
    assert RUN.get_response_by_id("late") is LATE
    assert RUN.get_response_by_id("nobody") is None


def test_the_figures_are_of_the_successes() -> None:
    assert RUN.get_success_rate() == 60.0
    assert RUN.get_total_tokens_used() == {
        "input_tokens": 2,
        "output_tokens": 4,
        "total_tokens": 6,
        "cache_read_tokens": 5,
        "cache_write_tokens": 0,
    }
    assert RUN.get_average_latency() == 15.0
    assert RUN.get_cache_metrics() == CacheMetrics(
        cache_hit_ratio=1 / 3, cache_savings_tokens=5, total_cache_hits=1, total_cache_misses=2
    )


def test_a_run_without_responses_has_figures_too() -> None:
    assert EMPTY.get_success_rate() == 0.0
    assert set(EMPTY.get_total_tokens_used().values()) == {0}
    assert EMPTY.get_average_latency() is None
    assert EMPTY.get_cache_metrics() == CacheMetrics()
    assert EMPTY.get_retryable_request_ids() == []
    assert EMPTY.get_access_method_statistics()["profile_usage_percentage"] == 0.0
    assert EMPTY.get_parameter_compatibility_summary() == {
        "total_requests_with_parameters": 0,
        "requests_with_removed_parameters": 0,
        "most_common_incompatible_parameters": [],
        "affected_request_ids": [],
    }


def test_failures_are_found_by_the_class_of_their_last_error() -> None:
    assert RUN.get_failed_by_exception_type("KeyError") == {"broken": BROKEN}
    assert RUN.get_failed_by_exception_type("TimeoutError") == {"late": LATE}
    assert RUN.get_failed_by_exception_type("LookupError") == {}


def test_a_failure_without_an_attempt_is_found_by_what_its_request_recorded() -> None:
    refused = request(request_id="refused")
    refused.record_failure(KeyError("x"))
    refused.record_failure(ValueError("x"))
    refused.record_failure(ValueError("x"))
    response = failed("Request refused failed")
    answer = run({"refused": response, "unknown": failed()}, requests={"refused": refused})
    assert answer.get_failed_by_exception_type("ValueError") == {"refused": response}
    assert answer.get_failed_by_exception_type("KeyError") == {}


def test_failures_can_be_chosen_by_a_function_whose_errors_are_its_own() -> None:
    assert RUN.filter_failed_requests(lambda name, each: name == "late" and each is LATE) == [
        "late"
    ]
    with pytest.raises(ZeroDivisionError):
        RUN.filter_failed_requests(lambda _, __: bool(1 / 0))


def test_what_can_be_retried_has_timeouts_last() -> None:
    assert run({"late": LATE, "broken": BROKEN}).get_retryable_request_ids() == ["broken", "late"]


def test_parameters_that_were_left_out_are_counted_by_name() -> None:
    assert RUN.get_requests_with_removed_parameters() == {
        "cached": ["a", "b"],
        "uncached": ["b"],
    }
    requests = {
        "cached": request(additional_model_request_fields={"a": 1, "b": 1}),
        "odd": request(additional_model_request_fields={"c": 1}),
        "late": request(),
    }
    assert run(RESPONSES, requests=requests).get_parameter_compatibility_summary() == {
        "total_requests_with_parameters": 3,
        "requests_with_removed_parameters": 2,
        "most_common_incompatible_parameters": [("b", 2), ("a", 1)],
        "affected_request_ids": ["cached", "uncached"],
    }


def test_access_methods_are_counted() -> None:
    assert RUN.get_access_method_statistics() == {
        "total_requests": 5,
        "direct_access_count": 1,
        "regional_cris_count": 1,
        "global_cris_count": 1,
        "profile_usage_count": 2,
        "profile_usage_percentage": 40.0,
        "access_method_breakdown": {"direct": 1, "regional_cris": 1, "global_cris": 1},
    }
    assert RUN.get_requests_by_access_method("regional_cris") == {"uncached": UNCACHED}
    assert RUN.get_profile_usage_details() == {
        "requests_using_profiles": ["uncached", "odd"],
        "profile_ids_used": ["eu.nova"],
        "profile_usage_by_request": {"uncached": "eu.nova", "odd": "eu.nova"},
    }


def test_the_percentage_of_profiles_has_two_digits() -> None:
    some = {"uncached": UNCACHED, "cached": CACHED, "broken": BROKEN}
    assert run(some).get_access_method_statistics()["profile_usage_percentage"] == 33.33


def test_a_run_is_written_with_its_responses_and_without_its_requests() -> None:
    answer = run({"cached": CACHED, "late": LATE})
    assert answer.parallel_execution_stats
    assert answer.to_dict() == {
        "success": True,
        "request_responses": {"cached": CACHED.to_dict(), "late": LATE.to_dict()},
        "total_duration_ms": 10.0,
        "parallel_execution_stats": answer.parallel_execution_stats.to_dict(),
        "warnings": ["Request late Timed Out after 5 seconds"],
        "failed_requests": ["late"],
    }
    assert ParallelResponse(success=False).to_dict()["parallel_execution_stats"] is None


def test_the_text_of_a_run_has_counts_only() -> None:
    assert repr(run(RESPONSES, duration=12.345)) == (
        "ParallelResponse(success=True, responses=3/5, duration=12.3ms)"
    )


ASKED = {name: request(request_id=name) for name in ("a", "b", "c")}


def test_a_run_that_ended_early_is_no_success_and_names_what_it_did_not_finish() -> None:
    partial = run({"b": CACHED}, requests=ASKED)
    assert partial.success is False
    assert partial.unfinished_request_ids == ["a", "c"]
    assert partial.get_retryable_request_ids() == []
    complete = run({"b": CACHED, "a": BROKEN, "c": LATE}, requests=ASKED)
    assert complete.success is True
    assert complete.unfinished_request_ids == []
    assert run({"b": CACHED}).unfinished_request_ids == []


# A second run over what failed


def test_what_was_not_finished_takes_its_place_in_the_order_of_the_requests() -> None:
    merged = run({"b": CACHED}, requests=ASKED).merged_with_retry(run({"c": LATE, "a": BROKEN}))
    assert list(merged.request_responses) == ["a", "b", "c"]
    assert merged.success


def test_a_retry_replaces_what_it_repeated_and_keeps_all_else() -> None:
    first = run(
        {"ok": CACHED, "again": LATE, "left out": BROKEN},
        duration=10.0,
        concurrent=3,
        regions={"us-east-1": 2, "us-west-2": 1},
        requests={name: request(request_id=name) for name in ("ok", "again", "left out")},
    )
    retry = run(
        {"again": UNCACHED}, duration=5.0, concurrent=1, regions={"us-west-2": 1, "eu-west-1": 1}
    )
    assert first.merged_with_retry(retry) == run(
        {"ok": CACHED, "again": UNCACHED, "left out": BROKEN},
        duration=15.0,
        concurrent=3,
        regions={"us-east-1": 2, "us-west-2": 2, "eu-west-1": 1},
        requests=first.original_requests,
    )
    assert first.request_responses["again"] is LATE


def test_the_strategy_also_decides_about_a_merged_run() -> None:
    strict = ParallelProcessingConfig(
        failure_handling_strategy=FailureHandlingStrategy.STOP_ON_FIRST_FAILURE
    )
    first = run({"ok": CACHED, "again": LATE, "left out": BROKEN}, strict)
    healed = run({"again": UNCACHED}, strict)
    assert first.merged_with_retry(healed).success
    assert not first.merged_with_retry(healed, strict).success
    assert first.merged_with_retry(run({"again": CACHED, "left out": CACHED}), strict).success


def test_runs_without_statistics_can_be_merged() -> None:
    merged = ParallelResponse(success=False).merged_with_retry(ParallelResponse(success=False))
    assert merged.parallel_execution_stats == ParallelExecutionStats(0, 0, 0, 0.0, 0.0, 0.0, 0)
