"""Tests that what is printed has the facts, for responses and for what merely looks like one."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from bestehorn_llmmanager.bedrock.models.streaming_response import (
    MidStreamException,
    StreamingResponse,
    StreamRestart,
)
from bestehorn_llmmanager.util.streaming_display import (
    StreamingDisplayFormatter,
    display_recovery_information,
    display_streaming_response,
    display_streaming_summary,
)

USAGE = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
RESTART = StreamRestart(6, "Nova Pro", "eu-west-1", "the connection broke")
NOON = datetime(2025, 1, 1, 12, tzinfo=timezone.utc)
TROUBLES = [
    MidStreamException(ValueError("one"), 0, "Nova Lite", "us-east-1", NOON, recovered=True),
    MidStreamException(OSError("two"), 6, "Nova Pro", "eu-west-1", NOON),
]


class Timed(StreamingResponse):
    """A response that took what it took, so that the whole output can be compared."""

    def get_metrics(self) -> dict[str, Any]:
        return {
            "time_to_first_token_ms": 1.234,
            "time_to_last_token_ms": 5.678,
            "token_generation_duration_ms": 4.444,
        }


def good(**values: Any) -> StreamingResponse:
    facts: dict[str, Any] = {
        "success": True,
        "content_parts": ["Hello ", "world"],
        "stream_position": 11,
        "model_used": "Nova Lite",
        "region_used": "us-east-1",
        "access_method_used": "regional_cris",
        "total_duration_ms": 123.456,
        "api_latency_ms": 99,
        "stop_reason": "end_turn",
        "current_message_role": "assistant",
        "usage_info": USAGE,
    }
    return Timed(**{**facts, **values})


def bad(**values: Any) -> StreamingResponse:
    return good(success=False, stream_errors=[ValueError("boom"), KeyError("k")], **values)


HEAD = """
Streaming Response
==================
Success: True
"""
METADATA = """\
Model: Nova Lite
Region: us-east-1
Access Method: regional_cris

Streaming Details:
   Content Parts: 2
   Stream Position: 11
   Stop Reason: end_turn
   Message Role: assistant
"""
TIMING = """
Performance Metrics:
   Total Duration: 123.46ms
   API Latency: 99.00ms
   Time to First Token: 1.23ms
   Time to Last Token: 5.68ms
   Token Generation Duration: 4.44ms
"""
CONTENT = """
Streamed Content (11 characters):
--------------------
Hello world
"""
TOKENS = """
Token Usage:
   Input tokens: 3
   Output tokens: 4
   Total tokens: 7
"""


def test_a_good_response_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    display_streaming_response(good())
    assert capsys.readouterr().out == HEAD + METADATA + TIMING + CONTENT + TOKENS


@pytest.mark.parametrize(
    ("shown", "output"),
    [
        ("show_metadata", METADATA),
        ("show_timing", TIMING),
        ("show_content", CONTENT),
        ("show_usage", TOKENS),
        ("show_errors", "\nWarnings:\n   - slow\n"),
    ],
)
def test_each_part_is_shown_on_request(
    shown: str, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    switches = ("show_metadata", "show_timing", "show_content", "show_usage", "show_errors")
    wanted: dict[str, Any] = {name: name == shown for name in switches}
    display_streaming_response(good(warnings=["slow"]), **wanted)
    assert capsys.readouterr().out == HEAD + output


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (
            4,
            "Hell...\n\n[Content truncated - showing first 4 of 11 characters]\n",
        ),
        (11, "Hello world\n"),
        (0, "Hello world\n"),
        (None, "Hello world\n"),
    ],
)
def test_a_long_text_is_cut_with_a_note(
    length: int | None, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    display_streaming_response(good(), content_preview_length=length)
    assert text in capsys.readouterr().out


def test_the_title_is_underlined_in_its_length(capsys: pytest.CaptureFixture[str]) -> None:
    display_streaming_response(good(), title="Run 1")
    assert capsys.readouterr().out.startswith("\nRun 1\n=====\nSuccess: True\n")


@pytest.mark.parametrize(
    ("read", "written", "lines"),
    [
        (0, 0, ""),
        (5, 0, "   Cache read tokens: 5\n   Cache write tokens: 0\n"),
        (0, 2, "   Cache read tokens: 0\n   Cache write tokens: 2\n"),
    ],
)
def test_cache_tokens_are_shown_where_there_are_some(
    read: int, written: int, lines: str, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = {**USAGE, "cache_read_tokens": read, "cache_write_tokens": written}
    display_streaming_response(good(usage_info=usage))
    assert capsys.readouterr().out.endswith(TOKENS + lines)


def test_what_is_not_known_is_named_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    display_streaming_response(StreamingResponse(success=True))
    assert capsys.readouterr().out == (
        HEAD
        + """\
Model: None
Region: None
Access Method: None

Streaming Details:
   Content Parts: 0
   Stream Position: 0
   Stop Reason: N/A
   Message Role: N/A

Performance Metrics:
"""
    )


def test_a_failed_response_shows_its_errors_and_how_much_had_come(
    capsys: pytest.CaptureFixture[str],
) -> None:
    display_streaming_response(bad(warnings=["slow"]))
    assert (
        capsys.readouterr().out
        == """
Streaming Response
==================
Success: False
Model: Nova Lite
Region: us-east-1
Stream Errors: 2
   1. ValueError: boom
   2. KeyError: 'k'
Partial content received: 11 characters
Content parts: 2

Warnings:
   - slow
"""
    )


def test_errors_and_warnings_can_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    display_streaming_response(bad(warnings=["slow"]), show_errors=False, show_metadata=False)
    assert capsys.readouterr().out == (
        "\nStreaming Response\n==================\nSuccess: False\n"
        "Partial content received: 11 characters\nContent parts: 2\n"
    )


@pytest.mark.parametrize(
    ("response", "output"),
    [
        (
            good(),
            """Success: True
Model: Nova Lite
Region: us-east-1
Content: 11 characters, 2 parts
Duration: 123.5ms
""",
        ),
        (StreamingResponse(success=False), "Success: False\nContent: 0 characters, 0 parts\n"),
    ],
)
def test_a_summary_has_outcome_target_size_and_duration(
    response: StreamingResponse, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    display_streaming_summary(response)
    assert capsys.readouterr().out == f"\nStreaming Summary\n=================\n{output}"


def test_without_recovery_there_is_nothing_to_show(capsys: pytest.CaptureFixture[str]) -> None:
    display_recovery_information(good(mid_stream_exceptions=TROUBLES))
    assert capsys.readouterr().out == ""


def test_recovery_shows_each_trouble_each_restart_and_where_it_ended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    display_recovery_information(
        good(
            recovery_enabled=True,
            mid_stream_exceptions=TROUBLES,
            target_switches=1,
            restarts=[RESTART],
        )
    )
    assert (
        capsys.readouterr().out
        == """
Recovery Information
====================
   Total exceptions: 2
   Recovered exceptions: 1
   Target switches: 1
   Mid-stream exceptions handled:
     1. ValueError at position 0 (Nova Lite, us-east-1) - recovered
     2. OSError at position 6 (Nova Pro, eu-west-1) - failed
   Started again from the beginning:
     1. after 6 characters (Nova Pro, eu-west-1) - the connection broke
   Final target: Nova Lite in us-east-1
"""
    )


def test_an_answer_that_began_anew_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    display_streaming_response(good(restarts=[RESTART]))
    assert "   Restarts: 1\n" in capsys.readouterr().out


# What merely looks like a response

LOOKALIKES = [
    Mock(),
    SimpleNamespace(
        success=True,
        model_used=5,
        region_used=b"x",
        access_method_used=None,
        content_parts=None,
        stream_position=None,
        stop_reason=5,
        current_message_role=["a"],
        total_duration_ms="long",
        api_latency_ms=True,
        warnings=None,
        get_metrics=lambda: [1],
        get_full_content=lambda: None,
        get_usage=lambda: {"input_tokens": None},
        get_recovery_info=lambda: {"recovery_enabled": True},
        get_mid_stream_exceptions=lambda: [None, {}, "trouble"],
    ),
]


@pytest.mark.parametrize("response", LOOKALIKES, ids=["mock", "namespace"])
def test_odd_values_are_printed_as_far_as_they_go(
    response: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    display_streaming_response(response)
    display_streaming_summary(response)
    display_recovery_information(response)
    output = capsys.readouterr().out
    assert f"Model: {response.model_used}\n" in output
    assert f"Duration: {response.total_duration_ms}\n" in output


def test_a_failed_lookalike_needs_no_more_than_what_is_shown_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    response: Any = SimpleNamespace(
        success=False,
        stream_errors=(ValueError("boom"),),
        content_parts=["he"],
        get_full_content=lambda: "he",
        warnings=[],
    )
    display_streaming_response(response)
    assert capsys.readouterr().out == (
        "\nStreaming Response\n==================\nSuccess: False\n"
        "Stream Errors: 1\n   1. ValueError: boom\n"
        "Partial content received: 2 characters\nContent parts: 1\n"
    )


def test_what_is_no_response_at_all_is_not_taken_for_one() -> None:
    nothing: Any = None
    with pytest.raises(AttributeError, match="success"):
        display_streaming_response(nothing)


def test_nothing_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    formatter = StreamingDisplayFormatter(logger=logging.getLogger("application"))
    formatter.display_streaming_response(good())
    formatter.display_streaming_summary(good())
    formatter.display_recovery_information(good(recovery_enabled=True))
    assert caplog.records == []
