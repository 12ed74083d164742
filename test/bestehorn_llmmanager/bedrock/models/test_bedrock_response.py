"""Tests that an answer is read right, and that no shape of it breaks the reading."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.models.cache_detail import CacheDetail
from bestehorn_llmmanager.bedrock.models.citation import Citation
from bestehorn_llmmanager.bedrock.models.content_block_types import ResponseContentType
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    RequestAttempt,
    ValidationAttempt,
    ValidationResult,
)
from bestehorn_llmmanager.bedrock.models.reasoning_content import ReasoningContent
from bestehorn_llmmanager.bedrock.models.stop_reason import StopReasonCategory
from bestehorn_llmmanager.bedrock.models.tool_use import ToolUse

NOON = datetime(2025, 1, 1, 12, tzinfo=timezone.utc)
IMAGE = {"format": "png", "source": {"bytes": b"\x89PNG"}}
BLOCKS: list[Any] = [
    {"text": "one"},
    {"text": ""},
    "not a block",
    {"image": IMAGE},
    {"toolUse": {"toolUseId": "1", "name": "clock", "input": {}}},
    {"hologram": 1},
    {"reasoningContent": {"reasoningText": {"text": "hm"}}},
    {"citationsContent": {"citations": [{"title": "a"}, {"title": "b"}]}},
    {"text": "two"},
]
ANSWER: dict[str, Any] = {
    "output": {"message": {"role": "assistant", "content": BLOCKS}},
    "stopReason": "guardrail_intervened",
    "usage": {
        "inputTokens": 10,
        "outputTokens": 2,
        "totalTokens": 18,
        "cacheReadInputTokens": 5,
        "cacheWriteInputTokens": 1,
        "cacheDetails": [{"inputTokens": 1, "ttl": "5m"}],
    },
    "metrics": {"latencyMs": 7},
    "trace": {"guardrail": {"action": "BLOCK"}},
    "additionalModelResponseFields": {"a": 1},
    "performanceConfig": {"latency": "optimized"},
    "serviceTier": {"type": "priority"},
}
# Every accessor of the answer with what it gives where there is none.
NOTHING: dict[str, Any] = {
    "get_content_blocks": None,
    "get_text_blocks": [],
    "get_image_blocks": [],
    "get_tool_uses": [],
    "has_tool_use": False,
    "get_reasoning": None,
    "get_citations": [],
    "get_content": None,
    "get_structured_output": None,
    "get_usage": None,
    "get_input_tokens": 0,
    "get_output_tokens": 0,
    "get_total_tokens": 0,
    "get_cache_read_tokens": 0,
    "get_cache_write_tokens": 0,
    "get_cache_details": [],
    "get_cached_tokens_info": None,
    "get_cached_share": None,
    "get_cache_efficiency": None,
    "get_metrics": None,
    "get_stop_reason": None,
    "get_stop_reason_category": StopReasonCategory.UNKNOWN,
    "get_additional_model_response_fields": None,
    "get_performance_config": None,
    "get_service_tier": None,
    "get_guardrail_trace": None,
}


def answer(**data: Any) -> BedrockResponse:
    return BedrockResponse(success=True, response_data=data)


def message(*blocks: Any) -> BedrockResponse:
    return answer(output={"message": {"content": list(blocks)}})


def read_all(response: BedrockResponse) -> dict[str, Any]:
    return {name: getattr(response, name)() for name in NOTHING}


def attempt(
    number: int, *, success: bool = False, error: Exception | None = None
) -> RequestAttempt:
    return RequestAttempt("m", "r", "direct", number, NOON, NOON, error, success)


def verdict(number: int, *, success: bool) -> ValidationAttempt:
    return ValidationAttempt(number, ValidationResult(success=success), None)


def test_every_accessor_reads_its_part_of_the_answer() -> None:
    response = BedrockResponse(success=True, response_data=ANSWER, total_duration_ms=12.0)
    usage = {
        "input_tokens": 10,
        "output_tokens": 2,
        "total_tokens": 18,
        "cache_read_tokens": 5,
        "cache_write_tokens": 1,
    }
    assert read_all(response) == {
        "get_content_blocks": BLOCKS,
        "get_text_blocks": ["one", "", "two"],
        "get_image_blocks": [IMAGE],
        "get_tool_uses": [ToolUse("1", "clock", {})],
        "has_tool_use": True,
        "get_reasoning": ReasoningContent("hm"),
        "get_citations": [Citation("a"), Citation("b")],
        "get_content": "one\n\ntwo",
        "get_structured_output": None,
        "get_usage": usage,
        **{f"get_{name}": count for name, count in usage.items()},
        "get_cache_details": [CacheDetail(1, "5m")],
        "get_cached_tokens_info": {
            "cache_read_tokens": 5,
            "cache_write_tokens": 1,
            "cache_hit": True,
            "cache_write": True,
        },
        "get_cached_share": 5 / 16,
        "get_cache_efficiency": {
            "cache_hit_ratio": 0.5,
            "cache_savings_tokens": 5,
            "cache_savings_cost": "$0.00",
            "latency_reduction_ms": 0,
            "cache_write_tokens": 1,
            "cache_read_tokens": 5,
            "cache_effectiveness": 50.0,
            "cached_share": 5 / 16,
        },
        "get_metrics": {"api_latency_ms": 7, "total_duration_ms": 12.0, "attempts_made": 0},
        "get_stop_reason": "guardrail_intervened",
        "get_stop_reason_category": StopReasonCategory.RETRY_DIFFERENT_TARGET,
        "get_additional_model_response_fields": {"a": 1},
        "get_performance_config": {"latency": "optimized"},
        "get_service_tier": {"type": "priority"},
        "get_guardrail_trace": {"action": "BLOCK"},
    }


@pytest.mark.parametrize(
    "response",
    [
        BedrockResponse(success=False, response_data=ANSWER),
        BedrockResponse(success=True),
        BedrockResponse(success=True, response_data={}),
        BedrockResponse(success=True, response_data=[ANSWER]),  # type: ignore[arg-type]
    ],
    ids=["failed", "none", "empty", "list"],
)
def test_without_an_answer_every_accessor_gives_nothing(response: BedrockResponse) -> None:
    assert read_all(response) == NOTHING


KEYS = st.sampled_from(
    [
        "output",
        "message",
        "content",
        "text",
        "image",
        "toolUse",
        "reasoningContent",
        "reasoningText",
        "citationsContent",
        "citations",
        "sourceContent",
        "usage",
        "inputTokens",
        "cacheReadInputTokens",
        "cacheDetails",
        "metrics",
        "latencyMs",
        "stopReason",
        "trace",
        "guardrail",
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
ODD_BLOCKS = st.lists(ANYTHING | st.dictionaries(KEYS, ANYTHING, max_size=2), max_size=4)
ODD_ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "output": st.fixed_dictionaries({"message": st.fixed_dictionaries({"content": ODD_BLOCKS})})
        | ANYTHING,
        "usage": st.dictionaries(KEYS, ANYTHING) | ANYTHING,
        "metrics": ANYTHING,
        "stopReason": ANYTHING,
        "trace": ANYTHING,
    },
)


@given(data=ODD_ANSWERS | ANYTHING, kind=st.text() | st.sampled_from(ResponseContentType))
def test_no_shape_breaks_an_accessor(data: Any, kind: str) -> None:
    response = BedrockResponse(success=True, response_data=data)
    read_all(response)
    response.get_content_blocks_by_type(kind)
    json.loads(response.to_json())


@pytest.mark.parametrize("name", ["toolUse", "image", "reasoningContent", "citationsContent"])
@pytest.mark.parametrize("payload", [None, 3, "x", []])
def test_a_block_without_a_proper_payload_is_left_out(name: str, payload: object) -> None:
    response = message({name: payload}, {"text": payload if payload != "x" else None})
    assert {
        **read_all(response),
        "get_content_blocks": None,
        "has_tool_use": False,
        "get_usage": None,
        "get_cached_tokens_info": None,
        "get_metrics": None,
    } == NOTHING


def test_absent_usage_counts_as_zero_and_null_usage_as_unknown() -> None:
    assert set((answer(output=1).get_usage() or {"": 1}).values()) == {0}
    assert answer(usage=None).get_usage() is None
    assert answer(usage={"inputTokens": "7", "outputTokens": None}).get_input_tokens() == 0


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ResponseContentType.TEXT, [BLOCKS[0], BLOCKS[1], BLOCKS[8]]),
        ("toolUse", [BLOCKS[4]]),
        ("unknown", [BLOCKS[5]]),
        ("hologram", [BLOCKS[5]]),
        ("video", []),
    ],
)
def test_blocks_are_selected_by_type(wanted: str, expected: list[Any]) -> None:
    assert answer(**ANSWER).get_content_blocks_by_type(wanted) == expected


def test_the_list_of_blocks_is_the_callers_own() -> None:
    response = message({"text": "a"})
    (response.get_content_blocks() or []).clear()
    assert response.get_content() == "a"


def test_a_stop_reason_alone_announces_tool_use() -> None:
    assert answer(stopReason="tool_use").has_tool_use()


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (['{"a": 1}'], {"a": 1}),
        (["[1,", "2]"], [1, 2]),
        (["3"], None),
        (['"a"'], None),
        (["{"], None),
        (["[" * 100_000], None),
    ],
)
def test_structured_output_is_an_object_or_an_array(texts: list[str], expected: object) -> None:
    assert message(*({"text": text} for text in texts)).get_structured_output() == expected


def test_a_prompt_read_wholly_from_the_cache_has_a_share_of_one() -> None:
    response = answer(usage={"inputTokens": 0, "cacheReadInputTokens": 2000})
    assert response.get_cached_share() == 1.0
    assert response.get_cache_efficiency() is None


@given(
    counts=st.tuples(*[st.integers(0, 10**9)] * 3),
)
def test_the_cached_share_is_a_share(counts: tuple[int, int, int]) -> None:
    names = ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    share = answer(usage=dict(zip(names, counts, strict=True))).get_cached_share()
    assert (share is None) if sum(counts) == 0 else (share is not None and 0 <= share <= 1)


def test_cache_efficiency_keeps_its_old_figures() -> None:
    efficiency = answer(usage={"inputTokens": 3, "cacheReadInputTokens": 1000})
    figures = efficiency.get_cache_efficiency() or {}
    share = figures.pop("cached_share")
    assert math.isclose(share, 1000 / 1003)
    assert figures == {
        "cache_hit_ratio": 333.33,
        "cache_savings_tokens": 1000,
        "cache_savings_cost": "$0.03",
        "latency_reduction_ms": 10,
        "cache_write_tokens": 0,
        "cache_read_tokens": 1000,
        "cache_effectiveness": 33333.3,
    }


def test_errors_of_attempts_are_told_apart_by_outcome() -> None:
    first, second = ValueError("first"), ValueError("second")
    response = BedrockResponse(
        success=True,
        response_data=ANSWER,
        attempts=[attempt(1, error=first), attempt(2), attempt(3, success=True, error=second)],
    )
    assert response.get_last_error() is first
    assert response.get_all_errors() == [first, second]
    assert response.get_attempt_count() == 3
    assert response.get_successful_attempt() is response.attempts[2]
    assert (response.get_metrics() or {})["successful_attempt_number"] == 3


def test_without_attempts_there_is_no_error_and_no_success() -> None:
    response = BedrockResponse(success=True)
    assert response.get_last_error() is None
    assert response.get_successful_attempt() is None


@pytest.mark.parametrize(
    ("verdicts", "failed", "successful"),
    [
        ([], False, {}),
        ([verdict(1, success=True)], False, {"successful_validation_attempt": 1}),
        ([verdict(1, success=False)], True, {}),
        (
            [verdict(1, success=False), verdict(2, success=True)],
            True,
            {"successful_validation_attempt": 2},
        ),
    ],
)
def test_only_a_refusal_is_a_validation_failure(
    verdicts: list[ValidationAttempt], *, failed: bool, successful: dict[str, int]
) -> None:
    response = BedrockResponse(
        success=True, validation_attempts=verdicts, validation_errors=[{"success": False}]
    )
    assert response.had_validation_failures() is failed
    assert response.get_validation_metrics() == {
        "validation_attempts": len(verdicts),
        "validation_errors": 1,
        "had_validation_failures": failed,
        **successful,
    }
    assert response.get_validation_attempt_count() == len(verdicts)
    assert response.get_last_validation_error() == {"success": False}


@pytest.mark.parametrize(
    ("removed", "sentences"), [(None, 0), ([], 0), (["topK"], 1), (["topK", "seed"], 3)]
)
def test_each_removed_parameter_is_named(removed: list[str] | None, sentences: int) -> None:
    response = BedrockResponse(success=True, parameters_removed=removed)
    warnings = response.get_parameter_warnings()
    assert response.had_parameters_removed() is bool(removed)
    assert len(warnings) == sentences
    assert all(name in text for name, text in zip(removed or [], warnings, strict=False))


def test_lists_that_are_handed_out_are_copies() -> None:
    response = BedrockResponse(
        success=True,
        warnings=["w"],
        features_disabled=["f"],
        validation_errors=[{"success": False}],
    )
    response.get_warnings().clear()
    response.get_disabled_features().clear()
    response.get_validation_errors().clear()
    assert (response.warnings, response.features_disabled) == (["w"], ["f"])
    assert response.validation_errors == [{"success": False}]


def test_the_profile_is_reported_only_where_one_was_used() -> None:
    used = BedrockResponse(
        success=True,
        model_used="Nova Pro",
        region_used="eu-west-1",
        access_method_used="regional_cris",
        inference_profile_used=True,
        inference_profile_id="eu.amazon.nova-pro-v1:0",
    )
    assert used.get_profile_id() == "eu.amazon.nova-pro-v1:0"
    assert used.get_access_method_info() == {
        "access_method": "regional_cris",
        "profile_used": True,
        "profile_id": "eu.amazon.nova-pro-v1:0",
        "model_id": "Nova Pro",
        "region": "eu-west-1",
    }
    assert BedrockResponse(success=True, inference_profile_id="x").get_profile_id() is None


def test_the_repr_has_the_outcome_and_not_the_answer() -> None:
    response = BedrockResponse(False, ANSWER, "m", "r", attempts=[attempt(1)])
    assert repr(response) == "BedrockResponse(status=FAILED, model=m, region=r, attempts=1)"


FULL = BedrockResponse(
    success=True,
    response_data={"output": {"message": {"content": [{"text": "größer"}]}}},
    model_used="m",
    region_used="r",
    access_method_used="direct",
    inference_profile_used=True,
    inference_profile_id="p",
    attempts=[attempt(1), RequestAttempt("m", "r", "direct", 2, NOON)],
    total_duration_ms=1.5,
    api_latency_ms=1.0,
    warnings=["w"],
    features_disabled=["f"],
    validation_attempts=[
        ValidationAttempt(1, ValidationResult(False, "bad", {"k": 1}), "text"),
        ValidationAttempt(2, ValidationResult(True)),
    ],
    validation_errors=[{"success": False}],
    parameters_removed=["topK"],
    original_additional_fields={"topK": 1},
    final_additional_fields={},
    model_id_used="id",
    attempt_log=[{"target": 1}],
)


@pytest.mark.parametrize("response", [FULL, BedrockResponse(success=False)])
def test_a_response_comes_back_from_json_unchanged(response: BedrockResponse) -> None:
    assert BedrockResponse.from_dict(json.loads(response.to_json(indent=2))) == response


def test_an_error_comes_back_as_its_text() -> None:
    data = BedrockResponse(False, attempts=[attempt(1, error=KeyError("gone"))]).to_dict()
    error = BedrockResponse.from_dict(data).attempts[0].error
    assert (type(error), str(error)) == (Exception, "'gone'")


def test_json_keeps_letters_and_encodes_bytes_as_the_api_does() -> None:
    text = message({"text": "größer"}, {"image": {"source": {"bytes": b"\x00\xff"}}}).to_json()
    assert "größer" in text
    assert '"bytes": "AP8="' in text


def test_a_dict_needs_only_the_outcome_and_ignores_what_it_does_not_know() -> None:
    assert BedrockResponse.from_dict({"success": True, "later": 1}) == BedrockResponse(True)
    assert BedrockResponse.from_dict({"success": True, "warnings": None}).warnings == []
    with pytest.raises(KeyError):
        BedrockResponse.from_dict({})


def test_a_response_shares_no_list_with_the_dict_it_was_read_from() -> None:
    data = {"success": True, "warnings": ["w"]}
    BedrockResponse.from_dict(data).warnings.append("later")
    assert data["warnings"] == ["w"]
