"""Tests of the object that a stream fills: its iteration, its state, and how it is read."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
from dataclasses import fields
from datetime import datetime, timezone
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.models import (
    bedrock_response,
    llm_manager_structures,
    streaming_response,
)
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.models.cache_detail import CacheDetail
from bestehorn_llmmanager.bedrock.models.citation import Citation
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RequestAttempt
from bestehorn_llmmanager.bedrock.models.reasoning_content import ReasoningContent
from bestehorn_llmmanager.bedrock.models.stop_reason import StopReasonCategory
from bestehorn_llmmanager.bedrock.models.streaming_response import (
    StreamingResponse,
    StreamRestart,
)
from bestehorn_llmmanager.bedrock.models.tool_use import ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

USAGE = {
    "input_tokens": 10,
    "output_tokens": 2,
    "total_tokens": 18,
    "cache_read_tokens": 5,
    "cache_write_tokens": 1,
}
RESTART = StreamRestart(2, "Nova Lite", "us-west-2", "the connection broke")
COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
}


def streaming(*pieces: str, on_close: Callable[[], None] = lambda: None) -> StreamingResponse:
    """A response with a stream of nothing but text."""
    response = StreamingResponse(success=True)

    def run() -> Generator[str]:
        try:
            yield from pieces
        finally:
            on_close()

    response.attach(run(), lambda: None)
    return response


def finished(*pieces: str) -> StreamingResponse:
    response = streaming(*pieces)
    for _ in response:
        pass
    return response


def error(text: str = "broken") -> Exception:
    return ValueError(text)


# The class


@pytest.mark.parametrize("module", [bedrock_response, llm_manager_structures])
def test_there_is_one_streaming_response_class_under_all_paths(module: Any) -> None:
    assert module.StreamingResponse is streaming_response.StreamingResponse
    assert llm_manager_structures.BedrockResponse is BedrockResponse


def test_who_does_not_stream_does_not_import_it() -> None:
    home = streaming_response.__name__
    code = f"import sys, {bedrock_response.__name__}; sys.exit({home!r} in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_both_kinds_of_responses_can_be_asked_the_same_about_tokens_and_origin() -> None:
    origin: dict[str, Any] = {
        "model_used": "Nova Lite",
        "region_used": "us-east-1",
        "access_method_used": "regional_cris",
        "inference_profile_used": True,
        "inference_profile_id": "us.amazon.nova-lite-v1:0",
        "attempts": [
            RequestAttempt("Nova Lite", "eu-west-1", "direct", 1, datetime.now(timezone.utc)),
            RequestAttempt(
                "Nova Lite", "us-east-1", "direct", 2, datetime.now(timezone.utc), success=True
            ),
        ],
        "warnings": ["slow"],
        "features_disabled": ["prompt_caching"],
        "parameters_removed": ["a", "b"],
    }
    usage = {"inputTokens": 10, "cacheReadInputTokens": 5, "cacheWriteInputTokens": 1}
    whole = BedrockResponse(success=True, response_data={"usage": usage}, **origin)
    streamed = StreamingResponse(success=True, usage_info=whole.get_usage(), **origin)
    assert whole.get_cached_share() == 5 / 16
    shared = [
        "was_successful",
        "get_warnings",
        "get_disabled_features",
        "get_last_error",
        "get_all_errors",
        "get_attempt_count",
        "get_successful_attempt",
        "had_parameters_removed",
        "get_parameter_warnings",
        "get_access_method",
        "was_profile_used",
        "get_profile_id",
        "get_access_method_info",
        "get_usage",
        "get_input_tokens",
        "get_output_tokens",
        "get_total_tokens",
        "get_cache_read_tokens",
        "get_cache_write_tokens",
        "get_cached_tokens_info",
        "get_cached_share",
        "get_cache_efficiency",
    ]
    assert {name: getattr(streamed, name)() for name in shared} == {
        name: getattr(whole, name)() for name in shared
    }


def test_what_is_made_by_hand_is_an_empty_stream_without_recovery() -> None:
    response = StreamingResponse(success=True, content_parts=["a", "b"])
    assert response.get_full_content() == "ab"
    assert response.get_metrics() == {"content_parts": 2, "stream_position": 0, "stream_errors": 0}
    assert response.get_recovery_info() == {
        "total_exceptions": 0,
        "recovered_exceptions": 0,
        "target_switches": 0,
        "recovery_enabled": False,
    }
    assert (response.get_mid_stream_exceptions(), response.get_target_switches()) == ([], 0)
    assert not response.is_streaming_complete()
    response.close()
    assert not response.closed
    assert list(response) == []
    assert response.is_streaming_complete()


# Iteration


def test_a_response_is_its_own_iterator_and_gives_its_stream_once() -> None:
    response = streaming("he", "y")
    assert iter(response) is response
    assert next(response) == "he"
    assert response.get_content_parts() == ["he"]
    assert not response.is_streaming_complete()
    assert list(response) == ["y"]
    assert response.is_streaming_complete()
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(response)
    assert (response.get_full_content(), response.stream_position) == ("hey", 3)


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (streaming("he", "y"), "STREAMING"),
        (finished("he", "y"), "SUCCESS"),
        (StreamingResponse(success=False), "STREAMING"),
    ],
)
def test_the_repr_has_state_and_counts_but_no_text(
    response: StreamingResponse, status: str
) -> None:
    parts, position = len(response.content_parts), response.stream_position
    assert repr(response) == (
        f"StreamingResponse(status={status}, parts={parts}, position={position}, errors=0)"
    )


def test_the_repr_of_a_failed_response_says_so_once_it_is_over() -> None:
    response = StreamingResponse(success=False)
    response.add_stream_error(error())
    assert list(response) == []
    assert repr(response) == "StreamingResponse(status=FAILED, parts=0, position=0, errors=1)"


def test_closing_ends_the_iteration_and_the_stream_once() -> None:
    calls: list[str] = []
    response = StreamingResponse(success=True)
    response.attach(iter(["he", "y"]), lambda: calls.append("close"))
    assert (next(response), response.closed) == ("he", False)
    for _ in range(2):
        response.close()
    assert calls == ["close"]
    assert list(response) == []
    assert response.closed
    assert not response.is_streaming_complete()
    assert repr(response) == "StreamingResponse(status=CLOSED, parts=1, position=2, errors=0)"


def test_what_came_before_closing_stays() -> None:
    response = streaming("he", "y")
    next(response)
    response.close()
    assert response.get_full_content() == "he"


def test_a_with_block_closes_what_was_not_read_to_the_end() -> None:
    ends: list[str] = []
    with streaming("he", "y", on_close=lambda: ends.append("end")) as response:
        assert next(response) == "he"
        assert ends == []
    assert ends == ["end"]
    assert response.closed


def test_closing_after_the_end_changes_nothing() -> None:
    calls: list[str] = []
    response = StreamingResponse(success=True)
    response.attach(iter(["he"]), lambda: calls.append("close"))
    assert list(response) == ["he"]
    response.close()
    assert (calls, response.closed, response.is_streaming_complete()) == ([], False, True)


def test_an_interrupted_iteration_is_closed_not_complete() -> None:
    def run() -> Generator[str]:
        yield "he"
        raise KeyboardInterrupt

    response = StreamingResponse(success=True)
    stream = run()
    response.attach(stream, stream.close)
    assert next(response) == "he"
    with pytest.raises(KeyboardInterrupt):
        next(response)
    assert list(response) == []
    assert (response.closed, response.is_streaming_complete()) == (True, False)


def test_a_response_that_nobody_holds_ends_its_stream() -> None:
    ends: list[str] = []
    next(streaming("he", "y", on_close=lambda: ends.append("end")))
    gc.collect()
    assert ends == ["end"]


def test_a_response_that_was_read_is_freed_without_the_collector() -> None:
    class Noticed(str):
        __slots__ = ()

        def __del__(self) -> None:
            freed.append(True)

    freed: list[bool] = []
    response = streaming("he")
    response.model_used = Noticed("Nova Lite")
    gc.disable()
    try:
        for _ in response:
            pass
        del response, _
        assert freed == [True]
    finally:
        gc.enable()


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES.keys())
def test_a_finished_response_can_be_copied(duplicate: Callable[[Any], Any]) -> None:
    response = finished("he", "y")
    response.restarts.append(RESTART)
    twin = duplicate(response)
    assert twin == response
    assert repr(twin) == repr(response)
    assert twin.get_metrics() == response.get_metrics()
    assert list(twin) == []
    assert twin.is_streaming_complete()


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES.keys())
def test_the_copy_of_a_running_stream_has_what_came_so_far_and_no_stream(
    duplicate: Callable[[Any], Any],
) -> None:
    response = streaming("he", "y")
    next(response)
    twin = duplicate(response)
    assert list(twin) == []
    assert (twin.get_full_content(), twin.closed, twin.is_streaming_complete()) == (
        "he",
        True,
        False,
    )
    assert list(response) == ["y"]
    assert response.is_streaming_complete()


# Text


@given(st.lists(st.text()))
def test_the_position_is_the_length_of_the_text(pieces: list[str]) -> None:
    response = finished(*pieces)
    assert response.get_content_parts() == pieces
    assert response.stream_position == len(response.get_full_content())


def test_lists_are_given_away_as_copies() -> None:
    response = finished("he")
    response.add_stream_error(error())
    for values in (response.get_content_parts(), response.get_stream_errors()):
        values.clear()
    assert (len(response.content_parts), len(response.stream_errors)) == (1, 1)


def test_an_error_by_itself_does_not_change_the_outcome() -> None:
    response, problem = StreamingResponse(success=True), error()
    response.add_stream_error(problem)
    assert (response.success, response.get_stream_errors()) == (True, [problem])


def test_a_restart_leaves_nothing_of_what_the_broken_stream_said() -> None:
    response = StreamingResponse(
        success=True,
        model_used="Nova Lite",
        warnings=["slow"],
        final_response=BedrockResponse(success=True),
        stop_reason="end_turn",
        api_latency_ms=1.0,
        usage_info=USAGE,
        metrics_info={"latencyMs": 1},
        trace_info={"guardrail": {}},
        additional_model_response_fields={"a": 1},
        current_message_role="assistant",
        reasoning_text_parts=["hm"],
        reasoning_signature="s",
        reasoning_redacted_content=b"x",
        citation_blocks=[{"title": "a"}],
        performance_config={"latency": "standard"},
        service_tier={"type": "flex"},
    )
    response.add_content_part("he")
    parts = response.content_parts
    response.start_again(RESTART)
    blank = StreamingResponse(
        success=True, model_used="Nova Lite", warnings=["slow"], restarts=[RESTART]
    )
    assert response == blank
    assert response.get_metrics() == blank.get_metrics()
    response.add_content_part("hello")
    assert (response.get_full_content(), response.stream_position) == ("hello", 5)
    assert response.content_parts is parts


def test_the_fields_of_a_restart_are_those_that_a_stream_fills() -> None:
    """A field that is added later has to be thought of in `start_again`, or be listed here."""
    kept = {
        *("success", "stream_errors", "model_used", "region_used", "access_method_used"),
        *("inference_profile_used", "inference_profile_id", "total_duration_ms", "model_id_used"),
        *("request_attempt", "warnings", "attempts", "attempt_log", "restarts"),
        *("features_disabled", "parameters_removed", "original_additional_fields"),
        *("final_additional_fields", "mid_stream_exceptions", "target_switches"),
        "recovery_enabled",
    }
    filled: dict[str, Any] = {each.name: [0] for each in fields(StreamingResponse)}
    response = StreamingResponse(**filled)
    response.start_again(RESTART)
    assert {name for name in filled if getattr(response, name)} == kept


# Reading


@pytest.mark.parametrize(
    ("values", "reasoning"),
    [
        ({}, None),
        ({"reasoning_signature": "s"}, None),
        ({"reasoning_redacted_content": b"x"}, ReasoningContent(redacted_content=b"x")),
        (
            {"reasoning_signature": "s", "reasoning_redacted_content": b"x"},
            ReasoningContent(redacted_content=b"x"),
        ),
        (
            {"reasoning_text_parts": ["h", "m"], "reasoning_signature": "s"},
            ReasoningContent("hm", "s"),
        ),
    ],
)
def test_reasoning_is_the_joined_text_or_what_was_redacted(
    values: dict[str, Any], reasoning: ReasoningContent | None
) -> None:
    assert StreamingResponse(success=True, **values).get_reasoning() == reasoning


def test_citations_are_read_where_they_are_some() -> None:
    blocks: list[Any] = [{"title": "a", "sourceContent": [{"text": "t"}]}, None, {"source": "s"}]
    assert StreamingResponse(success=True, citation_blocks=blocks).get_citations() == [
        Citation(title="a", source_content=[{"text": "t"}]),
        Citation(source="s"),
    ]


@pytest.mark.parametrize("usage", [None, {}, [], "many", 3])
def test_there_is_no_usage_before_it_arrives(usage: Any) -> None:
    response = StreamingResponse(success=True, usage_info=usage)
    assert response.get_usage() is None
    assert response.get_total_tokens() == 0
    assert response.get_cache_details() == []


def test_usage_is_read_by_our_names() -> None:
    details: list[Any] = [{"inputTokens": 1, "ttl": "5m"}, None]
    response = StreamingResponse(success=False, usage_info={**USAGE, "cache_details": details})
    assert response.get_usage() == USAGE
    assert {
        "input_tokens": response.get_input_tokens(),
        "output_tokens": response.get_output_tokens(),
        "total_tokens": response.get_total_tokens(),
        "cache_read_tokens": response.get_cache_read_tokens(),
        "cache_write_tokens": response.get_cache_write_tokens(),
    } == USAGE
    assert response.get_cache_details() == [CacheDetail(1, "5m")]


def test_counts_that_are_no_numbers_are_zero() -> None:
    usage = {"input_tokens": None, "output_tokens": "2", "cache_details": 1}
    response = StreamingResponse(success=True, usage_info=usage)
    assert response.get_usage() == dict.fromkeys(USAGE, 0)
    assert response.get_cache_details() == []


@pytest.mark.parametrize(
    ("trace", "guardrail"),
    [
        (None, None),
        ({}, None),
        (["guardrail"], None),
        ({"guardrail": None}, None),
        ({"guardrail": {"action": "BLOCK"}}, {"action": "BLOCK"}),
    ],
)
def test_the_guardrail_trace_is_part_of_the_trace(trace: Any, guardrail: Any) -> None:
    assert StreamingResponse(success=True, trace_info=trace).get_guardrail_trace() == guardrail


def test_tool_uses_are_those_of_the_whole_message() -> None:
    block = {"toolUse": {"toolUseId": "1", "name": "clock", "input": {}}}
    data = {"output": {"message": {"content": [block]}}}
    response = StreamingResponse(
        success=True, final_response=BedrockResponse(success=True, response_data=data)
    )
    assert response.get_tool_uses() == [ToolUse("1", "clock", {})]
    assert response.has_tool_use()


@pytest.mark.parametrize(
    ("reason", "has_tool_use", "category"),
    [
        (None, False, StopReasonCategory.UNKNOWN),
        ("tool_use", True, StopReasonCategory.TERMINAL),
        ("malformed_tool_use", False, StopReasonCategory.RETRYABLE),
    ],
)
def test_the_stop_reason_says_what_to_do(
    reason: str | None, has_tool_use: bool, category: StopReasonCategory
) -> None:
    response = StreamingResponse(success=True, stop_reason=reason)
    assert response.get_stop_reason() == reason
    assert response.get_stop_reason_category() is category
    assert response.has_tool_use() is has_tool_use
    assert response.get_tool_uses() == []


def test_what_the_model_says_beside_the_answer_is_handed_on() -> None:
    response = StreamingResponse(
        success=True,
        additional_model_response_fields={"a": 1},
        performance_config={"latency": "standard"},
        service_tier={"type": "flex"},
    )
    assert response.get_additional_model_response_fields() == {"a": 1}
    assert response.get_performance_config() == {"latency": "standard"}
    assert response.get_service_tier() == {"type": "flex"}


# Times and troubles


def test_times_count_from_the_making_of_the_response() -> None:
    response = StreamingResponse(success=True, total_duration_ms=7.0, api_latency_ms=3.0)
    made = perf_counter()
    sleep(0.002)
    response.add_content_part("he")
    first_piece = perf_counter()
    sleep(0.002)
    response.add_content_part("y")
    metrics = response.get_metrics()
    read = perf_counter()
    assert list(metrics) == [
        "api_latency_ms",
        "total_duration_ms",
        "time_to_first_token_ms",
        "time_to_last_token_ms",
        "token_generation_duration_ms",
        "content_parts",
        "stream_position",
        "stream_errors",
    ]
    first, last = metrics["time_to_first_token_ms"], metrics["time_to_last_token_ms"]
    assert 1 < first < last
    assert (first_piece - made) * 1000 < last < (read - made) * 1000 + 1000
    assert metrics["token_generation_duration_ms"] == pytest.approx(last - first)
    assert last - first > 1
    assert (metrics["content_parts"], metrics["stream_position"]) == (2, 3)


def test_troubles_are_recorded_with_their_place_and_whether_they_were_overcome() -> None:
    response = StreamingResponse(success=True, model_used="Nova Pro", region_used="eu-west-1")
    response.recovery_enabled = True
    before = datetime.now(timezone.utc)
    response.add_mid_stream_exception(error("one"), model="Nova Lite", region="us-east-1")
    response.mark_recovered()
    response.add_content_part("he")
    response.target_switches = 1
    response.add_mid_stream_exception(OSError("two"), model="Nova Pro", region="eu-west-1")
    first, second = response.get_mid_stream_exceptions()
    times = [datetime.fromisoformat(each.pop("timestamp")) for each in (first, second)]
    assert before <= times[0] <= times[1] <= datetime.now(timezone.utc)
    assert first == {
        "error_type": "ValueError",
        "error_message": "one",
        "position": 0,
        "model": "Nova Lite",
        "region": "us-east-1",
        "recovered": True,
    }
    assert second == {
        "error_type": "OSError",
        "error_message": "two",
        "position": 2,
        "model": "Nova Pro",
        "region": "eu-west-1",
        "recovered": False,
    }
    assert response.get_target_switches() == 1
    assert response.get_recovery_info() == {
        "total_exceptions": 2,
        "recovered_exceptions": 1,
        "target_switches": 1,
        "recovery_enabled": True,
        "final_model": "Nova Pro",
        "final_region": "eu-west-1",
        "partial_content_preserved": True,
    }


@pytest.mark.parametrize(
    ("pieces", "restarts", "preserved"),
    [(["he"], [], True), ([], [], False), (["he"], [RESTART], False)],
)
def test_text_is_preserved_where_there_is_some_and_none_was_dropped(
    pieces: list[str], restarts: list[StreamRestart], preserved: bool
) -> None:
    response = StreamingResponse(
        success=True, content_parts=pieces, restarts=restarts, recovery_enabled=True
    )
    assert response.get_recovery_info()["partial_content_preserved"] is preserved
