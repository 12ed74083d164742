"""Tests the worked traces of the contract, with their corrected outcomes, over HTTP."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from bestehorn_llmmanager import LLMManager
from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog, CacheMode
from bestehorn_llmmanager.bedrock.exceptions import ConfigurationError, RetryExhaustedError
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.models.cache_structures import CacheConfig, CacheStrategy
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    ResponseValidationConfig,
    RetryConfig,
    RetryStrategy,
    ValidationResult,
)
from bestehorn_llmmanager.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bestehorn_llmmanager.testing import LocalBedrock
    from bestehorn_llmmanager.testing._replies import ReceivedRequest

EAST, WEST = "us-east-1", "us-west-2"
LITE, MICRO = "amazon.nova-lite-v1:0", "amazon.nova-micro-v1:0"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
PROMPT = [{"role": "user", "content": [{"text": "Hello"}]}]
ON_DEMAND = (
    f"Invocation of model ID {LITE} with on-demand throughput isn\u2019t supported. Retry your "
    "request with the ID or ARN of an inference profile that contains this model."
)


def new_manager(
    models: Sequence[str] = ("Nova Lite",), regions: Sequence[str] = (EAST,), **more: Any
) -> LLMManager:
    """A manager that knows the bundled catalogue, and neither waits nor asks AWS for another."""
    options = {
        "catalog_cache_mode": CacheMode.NONE,
        "catalog_refresh": "never",
        "retry_config": RetryConfig(retry_delay=0),
        **more,
    }
    return LLMManager(list(models), list(regions), **options)


def called(bedrock: LocalBedrock) -> list[tuple[str | None, str | None]]:
    """Region and identifier of every model call, in order."""
    return [(r.region, r.model_id) for r in bedrock.requests if r.operation.startswith("Converse")]


def bodies(bedrock: LocalBedrock) -> list[Mapping[str, Any]]:
    return [r.body for r in bedrock.requests if r.body and r.operation.startswith("Converse")]


def says(*pieces: str, role: str = "assistant") -> list[dict[str, Any]]:
    """The events of a stream that says so."""
    deltas = [
        {"contentBlockDelta": {"delta": {"text": piece}, "contentBlockIndex": 0}}
        for piece in pieces
    ]
    return [
        {"messageStart": {"role": role}},
        *deltas,
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
    ]


def test_trace_01_the_first_model_in_the_first_region_answers(bedrock: LocalBedrock) -> None:
    response = new_manager(["Nova Lite", "Nova Micro"], [EAST, WEST]).converse(PROMPT)
    assert called(bedrock) == [(EAST, LITE)]
    assert (response.model_used, response.region_used) == ("Nova Lite", EAST)
    assert response.access_method_used == "direct"
    assert len(response.attempts) == 1
    assert response.warnings == []
    metrics = response.get_metrics()
    assert metrics is not None
    assert metrics.keys() == {
        "api_latency_ms",
        "total_duration_ms",
        "attempts_made",
        "successful_attempt_number",
    }


def test_trace_02_the_second_region_answers_where_the_first_throttles(
    bedrock: LocalBedrock,
) -> None:
    bedrock.fail(Fault.throttling(), operation="Converse", region=EAST)
    response = new_manager(regions=[EAST, WEST]).converse(PROMPT)
    assert called(bedrock) == [(EAST, LITE), (WEST, LITE)]
    first, second = response.attempts
    assert (first.attempt_number, first.success) == (1, False)
    assert (second.attempt_number, second.success) == (2, True)
    assert isinstance(first.error, ClientError)
    assert first.error.response["Error"]["Code"] == "ThrottlingException"
    assert response.get_last_error() is first.error
    assert response.get_all_errors() == [first.error]


@pytest.mark.parametrize(
    ("trace", "preference", "method", "profile"),
    [
        (3, None, "regional_cris", f"us.{HAIKU}"),
        (4, "global_cris", "global_cris", f"global.{HAIKU}"),
    ],
)
def test_traces_03_and_04_a_profile_is_used_and_named(
    bedrock: LocalBedrock, trace: int, preference: str | None, method: str, profile: str
) -> None:
    manager = new_manager(["Claude Haiku 4.5"], access_method_preference=preference)
    response = manager.converse(PROMPT)
    assert called(bedrock) == [(EAST, profile)]
    assert response.access_method_used == method
    assert response.was_profile_used() is True
    assert response.get_profile_id() == profile


def test_trace_05_a_model_that_needs_a_profile_gets_it_and_keeps_it(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.validation(ON_DEMAND), operation="Converse", model_id=LITE)
    manager = new_manager()
    response = manager.converse(PROMPT)
    assert called(bedrock) == [(EAST, LITE), (EAST, f"us.{LITE}")]
    (attempt,) = response.attempts
    assert attempt.success is True
    assert isinstance(attempt.error, ClientError)
    assert response.access_method_used == "regional_cris"
    assert response.get_profile_id() == f"us.{LITE}"
    (warning,) = response.warnings
    for part in ("Nova Lite", EAST, "regional_cris", f"us.{LITE}"):
        assert part in warning
    again = manager.converse(PROMPT)
    assert called(bedrock)[2:] == [(EAST, f"us.{LITE}")]
    assert again.access_method_used == "regional_cris"


def test_trace_06_a_parameter_that_is_refused_is_left_out_now_and_later(
    bedrock: LocalBedrock,
) -> None:
    bedrock.fail(Fault.validation("unknown parameter 'foo'"), operation="Converse", times=1)
    manager = new_manager()
    response = manager.converse(PROMPT, additional_model_request_fields={"foo": 1})
    assert called(bedrock) == [(EAST, LITE), (EAST, LITE)]
    assert [body.get("additionalModelRequestFields") for body in bodies(bedrock)] == [
        {"foo": 1},
        None,
    ]
    (warning,) = response.warnings
    assert "foo" in warning
    assert response.parameters_removed == ["foo"]
    again = manager.converse(PROMPT, additional_model_request_fields={"foo": 1})
    assert bodies(bedrock)[2:] == [{"messages": PROMPT}]
    assert again.warnings == [warning]
    assert again.parameters_removed == ["foo"]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (
            RetryStrategy.REGION_FIRST,
            [(EAST, LITE), (WEST, LITE), (EAST, MICRO), (WEST, f"us.{MICRO}")],
        ),
        (
            RetryStrategy.MODEL_FIRST,
            [(EAST, LITE), (EAST, MICRO), (WEST, LITE), (WEST, f"us.{MICRO}")],
        ),
    ],
)
def test_trace_07_the_strategy_decides_the_order_of_the_targets(
    bedrock: LocalBedrock, strategy: RetryStrategy, expected: list[tuple[str, str]]
) -> None:
    bedrock.fail(Fault.access_denied(), operation="Converse")
    manager = new_manager(
        ["Nova Lite", "Nova Micro"],
        [EAST, WEST],
        retry_config=RetryConfig(retry_delay=0, retry_strategy=strategy),
    )
    with pytest.raises(RetryExhaustedError) as raised:
        manager.converse(PROMPT)
    assert called(bedrock) == expected
    error = raised.value
    assert error.attempts_made == 4
    codes = [each.response["Error"]["Code"] for each in error.last_errors]  # type: ignore[attr-defined]  # a `ClientError`
    assert codes == ["AccessDeniedException"] * 4
    assert error.models_tried == ["Nova Lite", "Nova Micro"]
    assert error.regions_tried == [EAST, WEST]


def test_trace_08_throttled_targets_are_all_tried_once_and_then_again(
    bedrock: LocalBedrock,
) -> None:
    """0.9.0 makes six calls and waits between them; here each target gets its retries, too."""
    bedrock.fail(Fault.throttling(), operation="Converse")
    models = ["Nova Lite", "Nova Micro", "Nova Pro"]
    pauses = RetryConfig(
        max_retries=3, retry_delay=0.002, backoff_multiplier=2.0, max_retry_delay=0.005
    )
    with pytest.raises(RetryExhaustedError) as raised:
        new_manager(models, [EAST, WEST], retry_config=pauses).converse(PROMPT)
    everywhere = [(model, region) for model in models for region in (EAST, WEST)]
    log = raised.value.attempt_log
    assert [(r.region, r.model_id) for r in log] == called(bedrock)
    assert [(r.model, r.region) for r in log[:6]] == everywhere
    assert [r.pause_ms for r in log[:6]] == [0.0] * 6
    for target in everywhere:
        waited = [r.pause_ms for r in log if (r.model, r.region) == target][1:]
        assert all(ms <= most for ms, most in zip(waited, (2.0, 4.0, 5.0), strict=True))
    assert raised.value.attempts_made == 6


def test_trace_08_one_throttled_target_is_waited_for(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.throttling(), operation="Converse", times=3)
    pauses = RetryConfig(max_retries=3, retry_delay=0.002, max_retry_delay=0.005)
    response = new_manager(retry_config=pauses).converse(PROMPT)
    assert called(bedrock) == [(EAST, LITE)] * 4
    first, *waited = [record.pause_ms for record in response.attempt_log]
    assert first == 0
    assert all(0 < ms <= most for ms, most in zip(waited, (2.0, 4.0, 5.0), strict=True))
    assert response.get_attempt_count() == 1


def test_trace_09_regions_rotate_from_call_to_call(bedrock: LocalBedrock) -> None:
    regions = [EAST, WEST, "us-east-2"]
    manager = new_manager(["Claude Haiku 4.5"], regions, region_order="rotate")
    used = [manager.converse(PROMPT).region_used for _ in range(5)]
    assert used == [*regions, *regions[:2]]
    assert [region for region, _ in called(bedrock)] == used


def test_trace_10_a_rejected_answer_is_asked_for_again(bedrock: LocalBedrock) -> None:
    bedrock.reply_with("no good", times=1)
    bedrock.reply_with("good")
    seen: list[str | None] = []

    def judge(response: BedrockResponse) -> ValidationResult:
        seen.append(response.get_content())
        return ValidationResult(success=seen[-1] == "good", error_message="not good")

    response = new_manager(regions=[EAST, WEST]).converse(
        PROMPT, response_validation_config=ResponseValidationConfig(judge)
    )
    assert called(bedrock) == [(EAST, LITE), (EAST, LITE)]
    assert seen == ["no good", "good"]
    assert response.get_content() == "good"
    rejected, accepted = response.validation_attempts
    assert (rejected.attempt_number, rejected.validation_result.success) == (1, False)
    assert rejected.failed_content == "no good"
    assert (accepted.attempt_number, accepted.validation_result.success) == (2, True)
    assert response.had_validation_failures() is True
    assert response.get_validation_errors() == [{"success": False, "error_message": "not good"}]


def test_trace_10_answers_that_are_always_rejected_exhaust_all_regions(
    bedrock: LocalBedrock,
) -> None:
    rejection = ResponseValidationConfig(lambda _: ValidationResult(success=False))
    with pytest.raises(RetryExhaustedError) as raised:
        new_manager(regions=[EAST, WEST]).converse(PROMPT, response_validation_config=rejection)
    assert called(bedrock) == [(EAST, LITE)] * 4 + [(WEST, LITE)] * 4
    assert raised.value.attempts_made == 2
    assert raised.value.regions_tried == [EAST, WEST]


def test_trace_11_a_broken_stream_goes_on_elsewhere_without_repetition(
    bedrock: LocalBedrock,
) -> None:
    def rest(request: ReceivedRequest) -> list[dict[str, Any]]:
        last = request.body["messages"][-1]
        return says("y" if last["role"] == "assistant" else "hey")

    bedrock.reply_with(says("he", "y"), region=EAST)
    bedrock.reply_with(rest, region=WEST)
    bedrock.fail(Fault.stream_cut(after_events=2), region=EAST)
    prompt = copy.deepcopy(PROMPT)
    response = new_manager(regions=[EAST, WEST]).converse_stream(prompt)
    assert list(response) == ["he", "y"]
    assert called(bedrock) == [(EAST, LITE), (WEST, LITE)]
    begun = {"role": "assistant", "content": [{"text": "he"}]}
    assert [body["messages"] for body in bodies(bedrock)] == [PROMPT, [*PROMPT, begun]]
    assert response.get_full_content() == "hey"
    assert response.restarts == []
    assert response.get_target_switches() == 1
    assert response.get_recovery_info()["recovered_exceptions"] == 1
    assert response.success is True
    assert response.stream_errors == []
    assert prompt == PROMPT


def test_trace_11_a_model_that_cannot_continue_starts_again_visibly(bedrock: LocalBedrock) -> None:
    bedrock.reply_with(says("he", "y"))
    bedrock.fail(Fault.stream_cut(after_events=2), region=EAST)
    told: list[int] = []
    # Its facts say that it does not continue a given beginning.
    manager = new_manager(["Claude Sonnet 5"], [EAST, WEST])
    response = manager.converse_stream(PROMPT, on_restart=lambda r: told.append(r.position))
    assert list(response) == ["he", "he", "y"]
    assert told == [2]
    assert [(r.position, r.region) for r in response.restarts] == [(2, WEST)]
    assert response.get_full_content() == "hey"
    assert response.get_target_switches() == 1
    assert response.get_recovery_info()["recovered_exceptions"] == 1
    assert (response.success, response.stream_errors) == (True, [])
    assert [body["messages"] for body in bodies(bedrock)] == [PROMPT, PROMPT]


def test_trace_12_a_stream_that_nobody_gives_ends_silently_and_truthfully(
    bedrock: LocalBedrock,
) -> None:
    bedrock.fail(Fault.access_denied(), operation="ConverseStream")
    response = new_manager(regions=[EAST, WEST]).converse_stream(PROMPT)
    assert list(response) == []
    assert called(bedrock) == [(EAST, LITE), (WEST, LITE)]
    assert response.success is False
    codes = [error.response["Error"]["Code"] for error in response.stream_errors]  # type: ignore[attr-defined]  # a `ClientError`
    assert codes == ["AccessDeniedException"] * 2
    assert [each["recovered"] for each in response.get_mid_stream_exceptions()] == [False, False]


def test_trace_13_an_exception_event_ends_a_stream_that_has_no_other_target(
    bedrock: LocalBedrock,
) -> None:
    bedrock.reply_with(says("he", "y"))
    bedrock.fail(Fault.stream_error("throttlingException", after_events=2))
    manager = new_manager(retry_config=RetryConfig(max_retries=0, retry_delay=0))
    response = manager.converse_stream(PROMPT)
    assert list(response) == ["he"]
    assert response.success is False
    (error,) = response.stream_errors
    assert error.response["Error"]["Code"] == "throttlingException"  # type: ignore[attr-defined]  # a `ClientError`


LONG = {"text": "x" * 4000}
SHORT = {"text": "q"}
IMAGE = {"image": {"format": "png", "source": {"bytes": b"\x89PNG\r\n\x1a\n"}}}


@pytest.mark.needs_member("cachePoint")
@pytest.mark.parametrize(
    ("config", "content", "expected"),
    [
        (CacheConfig(enabled=True), [LONG, SHORT], "text cachePoint text"),
        (CacheConfig(enabled=True), [LONG], "text cachePoint"),
        (CacheConfig(enabled=True), [LONG, LONG, SHORT], "text text cachePoint text"),
        (
            CacheConfig(enabled=True, strategy=CacheStrategy.AGGRESSIVE),
            [LONG, IMAGE, LONG, SHORT],
            "text cachePoint image text cachePoint text",
        ),
        (
            CacheConfig(
                enabled=True,
                strategy=CacheStrategy.CUSTOM,
                custom_rules={"cache_all_images": True},
            ),
            [IMAGE, LONG, SHORT],
            "image cachePoint text cachePoint text",
        ),
    ],
)
def test_trace_15_the_strategy_decides_where_cache_points_go(
    bedrock: LocalBedrock, config: CacheConfig, content: list[dict[str, Any]], expected: str
) -> None:
    messages = [{"role": "user", "content": list(content)}]
    new_manager(cache_config=config).converse(messages)
    (body,) = bodies(bedrock)
    sent = [kind for block in body["messages"][0]["content"] for kind in block]
    assert " ".join(sent) == expected
    assert messages == [{"role": "user", "content": content}]


def test_trace_16_access_information_has_five_keys_or_is_none() -> None:
    manager = new_manager()
    assert manager.get_model_access_info("Nova Lite", EAST) == {
        "access_methods": ["direct", "regional_cris"],
        "model_id": LITE,
        "regional_cris_profile_id": f"us.{LITE}",
        "global_cris_profile_id": None,
        "region": EAST,
    }
    assert manager.get_model_access_info("zzz", EAST) is None


def test_trace_17_a_model_that_nobody_has_is_refused_with_names_of_others() -> None:
    with pytest.raises(ConfigurationError) as raised:
        new_manager(["zzz"])
    message = str(raised.value)
    assert "zzz" in message
    assert EAST in message
    catalog = BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")
    assert any(model.model_name in message for model in catalog.list_models(region=EAST))


def test_trace_18_a_response_without_the_expected_members_gives_nothing() -> None:
    response = BedrockResponse(success=True, response_data={"a": 1})
    assert response.get_usage() == {
        "input_tokens": 0,
        "output_tokens": 0,
        "total_tokens": 0,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
    }
    assert response.get_content() is None
    assert response.get_metrics() == {"attempts_made": 0}
