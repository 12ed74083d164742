"""Tests that the tables of names say what the API says."""

from __future__ import annotations

from typing import Any

import botocore.session

from bestehorn_llmmanager.bedrock.models.stop_reason import StopReasonEnum
from bestehorn_llmmanager.bedrock.streaming.streaming_constants import (
    StreamingConstants,
    StreamingEventTypes,
)

CONSTANTS = {
    name: value for name, value in vars(StreamingConstants).items() if not name.startswith("_")
}


def names_in(shape: Any) -> set[str]:
    """The member names of a shape, and of all that it consists of."""
    found: set[str] = set()
    waiting, seen = [shape], set()
    while waiting:
        each = waiting.pop()
        if each.name in seen:
            continue
        seen.add(each.name)
        members = getattr(each, "members", {})
        found |= set(members)
        waiting += members.values()
        waiting += [each.member] if each.type_name == "list" else []
    return found


def converse_stream_output() -> Any:
    model = botocore.session.Session().get_service_model("bedrock-runtime")
    return model.operation_model("ConverseStream").output_shape


def test_the_event_types_are_those_of_the_service_model() -> None:
    events = converse_stream_output().members["stream"].members
    assert len(StreamingEventTypes) == 11
    assert {each.value for each in StreamingEventTypes} <= set(events)
    assert StreamingEventTypes("metadata") is StreamingEventTypes.METADATA


def test_the_field_names_are_those_of_the_service_model() -> None:
    fields = {value for name, value in CONSTANTS.items() if name.startswith("FIELD_")}
    later_than_some_botocore = {
        *("citation", "title", "sourceContent", "location", "cacheDetails", "performanceConfig"),
        *("reasoningContent", "signature", "redactedContent"),
        *("cacheReadInputTokens", "cacheWriteInputTokens"),
    }
    assert fields - names_in(converse_stream_output()) <= later_than_some_botocore


def test_the_stop_reasons_are_those_that_are_known() -> None:
    reasons = {value for name, value in CONSTANTS.items() if name.startswith("STOP_REASON_")}
    assert reasons == {each.value for each in StopReasonEnum}


def test_the_numbers_are_as_they_were() -> None:
    texts = ("FIELD_", "STOP_REASON_")
    assert {n: v for n, v in CONSTANTS.items() if not n.startswith(texts)} == {
        "DEFAULT_STREAM_TIMEOUT": 300,
        "DEFAULT_RETRY_ON_STREAM_ERROR": True,
        "DEFAULT_PRESERVE_PARTIAL_CONTENT": True,
        "MAX_STREAM_INTERRUPTION_RETRIES": 3,
        "STREAM_CHUNK_BUFFER_SIZE": 1024,
    }
