"""Tests what a stream brings, which targets it asks for it, and what a response says of both."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.exceptions import (
    AuthenticationError,
    ConfigurationError,
    RequestValidationError,
    RetryExhaustedError,
    StreamingError,
)
from bestehorn_llmmanager.bedrock.models.cache_structures import CacheConfig, CacheStrategy
from bestehorn_llmmanager.bedrock.models.citation import Citation
from bestehorn_llmmanager.bedrock.models.reasoning_content import ReasoningContent
from bestehorn_llmmanager.bedrock.models.tool_use import ToolUse
from bestehorn_llmmanager.bedrock.tracking import (
    AccessMethodTracker,
    ParameterCompatibilityTracker,
)
from bestehorn_llmmanager.testing import Fault, LocalBedrock
from bestehorn_llmmanager.testing._event_stream import event_frame, exception_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from bestehorn_llmmanager import LLMManager
    from bestehorn_llmmanager.bedrock.models.streaming_response import StreamingResponse

    NewManager = Callable[..., LLMManager]

NOVA = "amazon.nova-lite-v1:0"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
PROMPT = [{"role": "user", "content": [{"text": "Hi"}]}]
TWO_REGIONS = (["Nova Lite"], ["us-east-1", "us-west-2"])
START = {"messageStart": {"role": "assistant"}}
STOP = {"contentBlockStop": {"contentBlockIndex": 0}}
END = {"messageStop": {"stopReason": "end_turn"}}
PROFILE_NEEDED = (
    f"Invocation of model ID {NOVA} with on-demand throughput isn\u2019t supported. Retry your "
    "request with the ID or ARN of an inference profile that contains this model."
)


def delta(content: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": content}}


def text(piece: str, index: int = 0) -> dict[str, Any]:
    return delta({"text": piece}, index)


def start(content: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return {"contentBlockStart": {"contentBlockIndex": index, "start": content}}


def called(bedrock: LocalBedrock) -> list[tuple[str | None, str | None]]:
    """Region and identifier of every ConverseStream request, in order."""
    return [(r.region, r.model_id) for r in bedrock.requests if r.operation == "ConverseStream"]


def bodies(bedrock: LocalBedrock) -> list[dict[str, Any]]:
    return [dict(r.body) for r in bedrock.requests if r.operation == "ConverseStream" and r.body]


def content_of(response: StreamingResponse) -> list[Any] | None:
    assert response.final_response is not None
    return response.final_response.get_content_blocks()


# --- what a stream brings -------------------------------------------------------------------------


@pytest.mark.needs_member("cacheDetails")
def test_a_response_has_what_the_stream_brought(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    usage = {
        "inputTokens": 3,
        "outputTokens": 4,
        "totalTokens": 7,
        "cacheReadInputTokens": 2,
        "cacheWriteInputTokens": 1,
        "cacheDetails": [{"ttl": "5m", "inputTokens": 1}],
    }
    output = {
        "output": {"message": {"role": "assistant", "content": [{"text": "one two"}]}},
        "stopReason": "max_tokens",
        "additionalModelResponseFields": {"stop_sequence": None, "n": 1},
        "usage": usage,
        "metrics": {"latencyMs": 12},
        "trace": {
            "guardrail": {"modelOutput": ["x"]},
            "promptRouter": {"invokedModelId": "some-model"},
        },
        "performanceConfig": {"latency": "optimized"},
        "serviceTier": {"type": "flex"},
    }
    bedrock.reply_with(output)
    response = new_manager().converse_stream(PROMPT)
    assert list(response) == ["one ", "two"]
    assert response.success
    assert (response.model_used, response.region_used) == ("Nova Lite", "us-east-1")
    assert response.get_access_method_info() == {
        "access_method": "direct",
        "profile_used": False,
        "profile_id": None,
        "model_id": "Nova Lite",
        "region": "us-east-1",
    }
    assert response.model_id_used == NOVA
    assert response.current_message_role == "assistant"
    assert response.get_stop_reason() == "max_tokens"
    assert response.get_additional_model_response_fields() == {"stop_sequence": None, "n": 1}
    assert response.get_usage() == {
        "input_tokens": 3,
        "output_tokens": 4,
        "total_tokens": 7,
        "cache_read_tokens": 2,
        "cache_write_tokens": 1,
    }
    assert [(each.ttl, each.input_tokens) for each in response.get_cache_details()] == [("5m", 1)]
    assert response.metrics_info == {"latencyMs": 12}
    assert response.api_latency_ms == 12
    assert response.trace_info == output["trace"]
    assert response.get_guardrail_trace() == {"modelOutput": ["x"]}
    assert response.get_performance_config() == {"latency": "optimized"}
    assert response.get_service_tier() == {"type": "flex"}
    assert response.request_attempt is response.get_successful_attempt()
    assert [each.decision for each in response.attempt_log] == ["answered"]
    metrics = response.get_metrics()
    assert 0 < metrics["time_to_first_token_ms"] <= metrics["time_to_last_token_ms"]
    assert metrics["time_to_last_token_ms"] <= metrics["total_duration_ms"]
    final = response.final_response
    assert final is not None
    assert final.response_data == output
    assert (final.success, final.attempts) == (True, response.attempts)
    assert (final.model_id_used, final.region_used) == (NOVA, "us-east-1")
    assert final.total_duration_ms is not None


def test_a_listener_gets_every_event_before_its_text_is_given(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    events = [START, text("he"), text("y"), STOP, END]
    bedrock.reply_with(events)
    order: list[Any] = []
    response = new_manager().converse_stream(PROMPT, on_event=order.append)
    order.append(next(response))
    order.append(next(response))
    assert list(response) == []
    assert order == [START, text("he"), "he", text("y"), "y", STOP, END]


@pytest.mark.needs_member("reasoningContent")
def test_reasoning_is_no_content(bedrock: LocalBedrock, new_manager: NewManager) -> None:
    bedrock.reply_with(
        [
            START,
            delta({"reasoningContent": {"text": "Let me "}}),
            delta({"reasoningContent": {"text": "think."}}),
            delta({"reasoningContent": {"signature": "c2ln"}}),
            STOP,
            text("Four.", 1),
            {"contentBlockStop": {"contentBlockIndex": 1}},
            END,
        ]
    )
    response = new_manager().converse_stream(PROMPT)
    assert list(response) == ["Four."]
    assert response.get_reasoning() == ReasoningContent("Let me think.", "c2ln")
    assert response.final_response is not None
    assert response.final_response.get_reasoning() == ReasoningContent("Let me think.", "c2ln")
    assert response.final_response.get_content() == "Four."


def test_a_tool_call_is_put_together(bedrock: LocalBedrock, new_manager: NewManager) -> None:
    bedrock.reply_with(
        [
            START,
            text("I look."),
            STOP,
            start({"toolUse": {"toolUseId": "t1", "name": "clock"}}, 1),
            delta({"toolUse": {"input": '{"zone": "Eur'}}, 1),
            delta({"toolUse": {"input": 'ope/Berlin"}'}}, 1),
            {"contentBlockStop": {"contentBlockIndex": 1}},
            start({"toolUse": {"toolUseId": "t2", "name": "bell"}}, 2),
            {"contentBlockStop": {"contentBlockIndex": 2}},
            {"messageStop": {"stopReason": "tool_use"}},
        ]
    )
    response = new_manager().converse_stream(PROMPT)
    assert not response.has_tool_use()
    assert list(response) == ["I look."]
    assert response.has_tool_use()
    assert response.get_tool_uses() == [
        ToolUse("t1", "clock", {"zone": "Europe/Berlin"}),
        ToolUse("t2", "bell", {}),
    ]


@pytest.mark.needs_member("CitationsDelta")
def test_citations_belong_to_their_text(bedrock: LocalBedrock, new_manager: NewManager) -> None:
    citation = {"title": "Clock", "sourceContent": [{"text": "IV"}]}
    bedrock.reply_with([START, text("Four."), delta({"citation": citation}), STOP, END])
    response = new_manager().converse_stream(PROMPT)
    assert list(response) == ["Four."]
    assert response.get_citations() == [Citation("Clock", None, [{"text": "IV"}])]
    assert content_of(response) == [
        {"citationsContent": {"content": [{"text": "Four."}], "citations": [citation]}}
    ]


@pytest.mark.needs_member("ImageBlockDelta")
def test_images_and_results_of_tools_come_in_pieces_too(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.reply_with(
        [
            START,
            start({"image": {"format": "png"}}),
            delta({"image": {"source": {"bytes": b"\x89PN"}}}),
            delta({"image": {"source": {"bytes": b"G"}}}),
            start({"toolResult": {"toolUseId": "t1", "status": "success"}}, 1),
            delta({"toolResult": [{"text": "fo"}]}, 1),
            delta({"toolResult": [{"text": "ur"}, {"json": {"hour": 4}}]}, 1),
            END,
        ]
    )
    response = new_manager().converse_stream(PROMPT)
    assert list(response) == []
    assert response.success
    assert content_of(response) == [
        {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}},
        {
            "toolResult": {
                "toolUseId": "t1",
                "status": "success",
                "content": [{"text": "four"}, {"json": {"hour": 4}}],
            }
        },
    ]


# --- what no service sends ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("brandNew", {"contentBlockIndex": 0, "news": [1]}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"brandNew": {"a": 1}}}),
        ("contentBlockStart", {"contentBlockIndex": 0, "start": {"brandNew": {"a": 1}}}),
        ("messageStart", {"role": "assistant", "brandNew": 1}),
        ("metadata", {"brandNew": {"a": 1}}),
    ],
)
def test_what_is_new_passes(raw: Any, new_manager: NewManager, kind: str, payload: Any) -> None:
    raw.answer(START, text("he"), {kind: payload}, text("y"), STOP, END)
    response = new_manager().converse_stream(PROMPT)
    assert "".join(response) == "hey"
    assert (response.success, response.stream_errors) == (True, [])
    assert content_of(response) == [{"text": "hey"}]


NONSENSE: list[Any] = [None, {}, [], "?", 7, {"": None}]
KINDS = [
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
    "brandNew",
]


@pytest.mark.parametrize("kind", KINDS)
def test_no_event_crashes_the_iteration(raw: Any, new_manager: NewManager, kind: str) -> None:
    manager = new_manager()
    for payload in nonsense(kind):
        raw.answer(START, text("he"), {kind: payload}, text("y"), STOP, END)
        response = manager.converse_stream(PROMPT)
        pieces = list(response)
        assert "".join(pieces) in {"hey", "he?y", "he"}, payload
        assert response.success is (pieces[-1] == "y" and not response.stream_errors), payload
        assert [type(error).__name__ for error in response.stream_errors] in (
            [],
            ["StreamingError"],
            ["ResponseParserError"],
        ), payload
        for read in (response.get_reasoning, response.get_citations, response.get_usage):
            read()
        if response.final_response is not None:
            json.dumps(response.final_response.response_data, default=repr)
    assert len(raw.bodies) == len(nonsense(kind))


def nonsense(kind: str) -> list[Any]:
    members = {
        "messageStart": ["role"],
        "contentBlockStart": ["start", "contentBlockIndex"],
        "contentBlockDelta": ["delta", "contentBlockIndex"],
        "contentBlockStop": ["contentBlockIndex"],
        "messageStop": ["stopReason", "additionalModelResponseFields"],
        "metadata": ["usage", "metrics", "trace", "performanceConfig", "serviceTier"],
        "brandNew": ["x"],
    }[kind]
    inner = {
        "delta": ["text", "toolUse", "toolResult", "reasoningContent", "citation", "image"],
        "start": ["toolUse", "toolResult", "image"],
        "usage": ["inputTokens", "cacheDetails"],
        "metrics": ["latencyMs"],
    }
    found = list(NONSENSE)
    for member in members:
        found += [{member: value} for value in NONSENSE]
        for name in inner.get(member, []):
            found += [{member: {name: value}, "contentBlockIndex": 0} for value in NONSENSE]
            found += [
                {member: {name: {deep: value}}}
                for deep in ("text", "input", "signature", "redactedContent", "source")
                for value in NONSENSE
            ]
    return found


@pytest.mark.parametrize(
    "frame",
    [
        exception_frame("brandNewException", b'{"message": "?"}'),
        exception_frame("throttlingException", b"null"),
        exception_frame("throttlingException", b"[]"),
        event_frame("contentBlockDelta", b'{"delta": {"te'),
        event_frame("contentBlockDelta", b"\xff\xfe"),
        b"no frame at all, but long enough for its prelude",
    ],
    ids=["new exception", "null", "list", "half a JSON", "no UTF-8", "no frame"],
)
def test_what_cannot_be_read_breaks_the_stream(
    raw: Any, new_manager: NewManager, frame: bytes
) -> None:
    raw.answer(START, text("he"), frame, text("y"), STOP, END)
    raw.answer(START, text("y"), STOP, END)
    response = new_manager(["Claude Haiku 4.5"], max_retries=1).converse_stream(PROMPT)
    assert "".join(response) == "hey"
    assert (response.success, response.stream_errors) == (True, [])


# --- errors ---------------------------------------------------------------------------------------


def test_a_stream_that_breaks_goes_on_in_the_next_region(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    messages = copy.deepcopy(PROMPT)
    bedrock.reply_with([START, text("he"), text("y"), STOP, END])
    bedrock.fail(Fault.stream_cut(2), operation="ConverseStream", region="us-east-1")
    response = new_manager(*TWO_REGIONS).converse_stream(messages)
    assert list(response) == ["he", "y"]
    assert response.get_target_switches() == 1
    assert response.get_recovery_info()["recovered_exceptions"] == 1
    assert (response.success, response.stream_errors) == (True, [])
    assert messages == PROMPT


def test_no_access_anywhere_is_told_in_the_end(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.access_denied(), operation="ConverseStream")
    response = new_manager(*TWO_REGIONS).converse_stream(PROMPT)
    assert list(response) == []
    assert not response.success
    codes = [error.response["Error"]["Code"] for error in response.stream_errors]  # type: ignore[attr-defined]
    assert codes == ["AccessDeniedException"] * 2
    assert [each["recovered"] for each in response.get_mid_stream_exceptions()] == [False] * 2
    assert response.get_recovery_info() == {
        "total_exceptions": 2,
        "recovered_exceptions": 0,
        "target_switches": 1,
        "recovery_enabled": True,
        "final_model": "Nova Lite",
        "final_region": "us-west-2",
        "partial_content_preserved": False,
    }
    assert response.get_attempt_count() == 2
    assert [each.region for each in response.attempt_log] == ["us-east-1", "us-west-2"]
    assert repr(response).startswith("StreamingResponse(status=FAILED")


def test_an_error_that_was_overcome_is_none_in_the_end(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.reply_with(lambda request: "y!" if len(request.body["messages"]) > 1 else "he y!")
    bedrock.fail(Fault.stream_cut(2), operation="ConverseStream", times=2)
    bedrock.fail(Fault.access_denied(), operation="ConverseStream")
    regions = ["us-east-1", "us-west-2", "us-east-2"]
    response = new_manager(["Claude Haiku 4.5"], regions).converse_stream(PROMPT)
    assert list(response) == ["he ", "y!"]
    assert not response.success
    assert [type(error).__name__ for error in response.stream_errors] == [
        "ProtocolError",
        "AccessDeniedException",
    ]
    recovered = [each.recovered for each in response.mid_stream_exceptions]
    assert recovered == [True, False, False]
    assert response.final_response is None


def test_a_failed_response_has_its_warnings_as_well(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    document = {"name": "a_b", "format": "txt", "source": {"bytes": b"text"}}
    messages = [{"role": "user", "content": [{"text": "Read."}, {"document": document}]}]
    bedrock.fail(Fault.access_denied(), operation="ConverseStream")
    response = new_manager().converse_stream(messages)
    assert list(response) == []
    (warning,) = response.get_warnings()
    assert "document" in warning


def test_throttling_in_the_stream_ends_it_where_there_is_nothing_else(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.reply_with([START, text("he"), text("y"), STOP, END])
    bedrock.fail(Fault.stream_error("throttlingException", after_events=2))
    response = new_manager(max_retries=0).converse_stream(PROMPT)
    assert list(response) == ["he"]
    assert not response.success
    (error,) = response.stream_errors
    assert error.response["Error"]["Code"] == "throttlingException"  # type: ignore[attr-defined]


@pytest.mark.parametrize("stream", [True, False], ids=["in the stream", "instead of one"])
def test_the_next_call_goes_to_the_target_that_did_not_throttle(
    bedrock: LocalBedrock, new_manager: NewManager, stream: bool
) -> None:
    fault = Fault.stream_error("throttlingException") if stream else Fault.throttling()
    bedrock.fail(fault, operation="ConverseStream", region="us-east-1")

    def regions_of_two_calls() -> list[str | None]:
        manager, before = new_manager(*TWO_REGIONS), len(called(bedrock))
        for _ in range(2):
            assert manager.converse_stream(PROMPT).success
            response = manager.converse_stream(PROMPT)
            assert list(response)
        return [region for region, _ in called(bedrock)[before:]]

    # A busy machine may take longer for the second call than a rest lasts; not each time.
    expected = ["us-east-1", "us-west-2", "us-west-2"]
    assert any(regions_of_two_calls() == expected for _ in range(3))


@pytest.mark.parametrize(
    ("fault", "requests", "error"),
    [
        (Fault.validation("Malformed input request"), 1, RequestValidationError),
        (
            Fault.stream_error("validationException", "Malformed", after_events=0),
            1,
            RequestValidationError,
        ),
        (Fault.validation("Input is too long for requested model."), 1, RequestValidationError),
        (Fault.error("UnrecognizedClientException", 403), 2, AuthenticationError),
        (Fault.unavailable(), 6, "ServiceUnavailableException"),
        (Fault.model_error(), 3, "ModelErrorException"),
        (Fault.reset(), 6, "ConnectionClosedError"),
        (Fault.stream_ends(0), 3, StreamingError),
    ],
)
def test_errors_are_decided_as_everywhere(
    bedrock: LocalBedrock, new_manager: NewManager, fault: Fault, requests: int, error: Any
) -> None:
    bedrock.fail(fault, operation="ConverseStream")
    response = new_manager(*TWO_REGIONS, max_retries=2).converse_stream(PROMPT)
    assert list(response) == []
    assert not response.success
    assert bedrock.count("ConverseStream") == requests == len(response.attempt_log)
    last = response.stream_errors[-1]
    if isinstance(error, str):
        answer = getattr(last, "response", None) or {"Error": {}}
        assert error in {answer["Error"].get("Code"), type(last).__name__}
    else:
        assert [type(each) for each in response.stream_errors] == [error] * (
            requests if error is StreamingError else 1
        )


def test_what_the_service_said_of_a_request_is_not_in_the_message(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.validation("Malformed: 'my secret'"), operation="ConverseStream")
    response = new_manager().converse_stream(PROMPT)
    assert list(response) == []
    (error,) = response.stream_errors
    assert "secret" not in str(error)
    assert "secret" in str(error.__cause__)


def test_a_request_that_botocore_refuses_is_told_in_the_end(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    response = new_manager(*TWO_REGIONS).converse_stream(
        PROMPT, extra_request_fields={"noSuchMember": "my secret"}
    )
    assert list(response) == []
    (error,) = response.stream_errors
    assert isinstance(error, RequestValidationError)
    assert "noSuchMember" in str(error)
    assert "secret" not in str(error)
    assert called(bedrock) == []


def test_without_credentials_the_stream_fails_as_such(
    bedrock: LocalBedrock, new_manager: NewManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    response = new_manager().converse_stream(PROMPT)
    assert list(response) == []
    assert [type(each) for each in response.stream_errors] == [AuthenticationError]
    assert not response.success


def test_a_call_without_time_left_sends_nothing(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    response = new_manager().converse_stream(PROMPT, timeout=0.5)
    assert list(response) == []
    (error,) = response.stream_errors
    assert isinstance(error, RetryExhaustedError)
    assert "The time is up" in error.message
    assert called(bedrock) == []


def test_a_wrong_request_is_refused_before_the_iteration(new_manager: NewManager) -> None:
    with pytest.raises(RequestValidationError):
        new_manager().converse_stream([])


@pytest.mark.parametrize("options", [{"timeout": -1}, {"idle_timeout": 0}])
def test_a_time_must_be_one(new_manager: NewManager, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        new_manager().converse_stream(PROMPT, **options)


def test_an_answer_is_complete_without_its_metadata(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.reply_with("hey")
    bedrock.fail(Fault.stream_cut(4), operation="ConverseStream")
    response = new_manager(*TWO_REGIONS, max_retries=2).converse_stream(PROMPT)
    assert list(response) == ["hey"]
    assert response.success
    assert bedrock.count("ConverseStream") == 1
    (warning,) = response.get_warnings()
    assert "metadata" in warning
    assert response.get_usage() is None
    assert content_of(response) == [{"text": "hey"}]


# --- second tries, and what is learned ------------------------------------------------------------


def test_a_model_that_needs_a_profile_is_called_by_one_from_then_on(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.validation(PROFILE_NEEDED), operation="ConverseStream", model_id=NOVA)
    manager = new_manager()
    response = manager.converse_stream(PROMPT)
    assert list(response)
    assert called(bedrock) == [("us-east-1", NOVA), ("us-east-1", f"us.{NOVA}")]
    assert (response.access_method_used, response.get_profile_id()) == (
        "regional_cris",
        f"us.{NOVA}",
    )
    assert (response.success, response.stream_errors) == (True, [])
    (attempt,) = response.attempts
    assert attempt.success
    assert attempt.error is not None
    (warning,) = response.get_warnings()
    assert all(
        part in warning for part in ("Nova Lite", "us-east-1", "regional_cris", f"us.{NOVA}")
    )
    assert response.final_response is not None
    assert response.final_response.access_method_used == "regional_cris"
    assert AccessMethodTracker.get_instance().requires_profile(NOVA, "us-east-1")
    assert list(manager.converse_stream(PROMPT))
    assert called(bedrock)[2:] == [("us-east-1", f"us.{NOVA}")]


def test_a_parameter_that_is_refused_is_left_out_from_then_on(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    fields = {"foo": 1, "top_k": 5}
    bedrock.fail(Fault.validation("unknown parameter 'foo'"), operation="ConverseStream", times=1)
    manager = new_manager()
    for requests in (2, 3):
        response = manager.converse_stream(PROMPT, additional_model_request_fields=fields)
        assert list(response)
        assert response.success
        assert response.parameters_removed == ["foo"]
        assert response.original_additional_fields == fields
        assert response.final_additional_fields == {"top_k": 5}
        assert response.final_response is not None
        assert response.final_response.parameters_removed == ["foo"]
        (warning,) = response.get_warnings()
        assert "foo" in warning
        assert len(bodies(bedrock)) == requests
    assert [body.get("additionalModelRequestFields") for body in bodies(bedrock)] == [
        fields,
        {"top_k": 5},
        {"top_k": 5},
    ]
    tracker = ParameterCompatibilityTracker.get_instance()
    assert tracker.is_known_incompatible(NOVA, "us-east-1", fields)


def test_a_feature_that_a_model_lacks_is_left_out_and_reported(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    image = {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}}
    messages = [{"role": "user", "content": [{"text": "What is it?"}, image]}]
    before = copy.deepcopy(messages)
    bedrock.fail(
        Fault.validation("This model doesn't support the image field. Remove image and try again."),
        operation="ConverseStream",
        times=1,
    )
    response = new_manager().converse_stream(messages)
    assert list(response)
    assert response.get_disabled_features() == ["image_processing"]
    assert any("image_processing" in warning for warning in response.get_warnings())
    assert [len(body["messages"][0]["content"]) for body in bodies(bedrock)] == [2, 1]
    assert messages == before


@pytest.mark.needs_member("cachePoint")
def test_cache_points_that_are_refused_are_left_out_of_a_continuation_too(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    prompt = [{"role": "user", "content": [{"text": "long " * 4000}, {"text": "Hi"}]}]
    bedrock.reply_with(
        lambda request: "there" if len(request.body["messages"]) > 1 else "hello there"
    )
    bedrock.fail(
        Fault.validation("extraneous key [cachePoint] is not permitted"),
        operation="ConverseStream",
        times=1,
    )
    bedrock.fail(Fault.stream_cut(2), operation="ConverseStream", times=1)
    manager = new_manager(
        ["Claude Haiku 4.5"],
        max_retries=1,
        cache_config=CacheConfig(
            enabled=True, strategy=CacheStrategy.CONSERVATIVE, cache_point_threshold=100
        ),
    )
    response = manager.converse_stream(prompt)
    assert "".join(response) == "hello there"
    has_points = ["cachePoint" in json.dumps(body) for body in bodies(bedrock)]
    assert has_points == [True, False, False]


def test_an_access_method_is_preferred_in_streams_too(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    manager = new_manager(["Claude Haiku 4.5"], access_method_preference="global_cris")
    response = manager.converse_stream(PROMPT)
    assert list(response)
    assert called(bedrock) == [("us-east-1", f"global.{HAIKU}")]
    assert response.access_method_used == "global_cris"
    assert response.get_profile_id() == f"global.{HAIKU}" == response.model_id_used


def test_streams_take_their_turn_with_the_regions(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    manager = new_manager(["Nova Lite"], ["us-east-1", "us-west-2"], region_order="rotate")
    for _ in range(3):
        assert list(manager.converse_stream(PROMPT))
    assert [region for region, _ in called(bedrock)] == ["us-east-1", "us-west-2", "us-east-1"]


def test_success_is_remembered_for_the_access_method(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    assert list(new_manager(["Claude Haiku 4.5"]).converse_stream(PROMPT))
    preference = AccessMethodTracker.get_instance().get_preference(HAIKU, "us-east-1")
    assert preference is not None
    assert preference.get_preferred_method() == "regional_cris"


@pytest.mark.needs_member("requestMetadata")
def test_a_stream_asks_for_what_the_caller_asks_for(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    response = new_manager(default_inference_config={"maxTokens": 7}).converse_stream(
        PROMPT,
        system=[{"text": "Be brief."}],
        inference_config={"temperature": 0.5},
        guardrail_config={"guardrailIdentifier": "abc123", "guardrailVersion": "1"},
        stream_processing_mode="async",
        request_metadata={"a": "b"},
    )
    assert list(response)
    (body,) = bodies(bedrock)
    assert body == {
        "messages": PROMPT,
        "system": [{"text": "Be brief."}],
        "inferenceConfig": {"maxTokens": 7, "temperature": 0.5},
        "guardrailConfig": {
            "guardrailIdentifier": "abc123",
            "guardrailVersion": "1",
            "streamProcessingMode": "async",
        },
        "requestMetadata": {"a": "b"},
    }
