"""Tests what events leave in a response."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.models.streaming_response import StreamingResponse
from bestehorn_llmmanager.bedrock.streaming.event_notes import note_event

MEMBERS = ["role", "delta", "reasoningContent", "text", "signature", "redactedContent", "citation"]
MEMBERS += ["stopReason", "additionalModelResponseFields", "usage", "cacheDetails", "inputTokens"]
MEMBERS += ["metrics", "latencyMs", "trace", "guardrail", "performanceConfig", "serviceTier"]
KINDS = ["messageStart", "contentBlockStart", "contentBlockDelta", "messageStop", "metadata", "new"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=3)
    ),
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(KINDS),
            st.dictionaries(st.sampled_from(MEMBERS), ANYTHING, max_size=5),
        )
    )
)
def test_a_response_can_be_read_whatever_came(events: list[tuple[str, dict[str, Any]]]) -> None:
    response = StreamingResponse(success=True)
    for kind, content in events:
        note_event(response, kind, content)
    response.get_reasoning()
    response.get_citations()
    response.get_usage()
    response.get_cache_details()
    response.get_guardrail_trace()
    response.get_stop_reason_category()
    response.get_metrics()


@pytest.mark.parametrize(
    ("kind", "content", "fields"),
    [
        ("messageStart", {"role": "assistant"}, {"current_message_role": "assistant"}),
        ("messageStop", {"stopReason": "end_turn"}, {"stop_reason": "end_turn"}),
        (
            "contentBlockDelta",
            {"delta": {"citation": {"title": "a"}}},
            {"citation_blocks": [{"title": "a"}]},
        ),
        ("contentBlockDelta", {"delta": {"citation": "a"}}, {}),
        (
            "contentBlockDelta",
            {"delta": {"reasoningContent": {"redactedContent": b"x"}}},
            {"reasoning_redacted_content": b"x"},
        ),
        ("contentBlockDelta", {"delta": {"reasoningContent": {"signature": ""}}}, {}),
        (
            "metadata",
            {"metrics": {"latencyMs": 3}, "usage": None},
            {"metrics_info": {"latencyMs": 3}, "api_latency_ms": 3},
        ),
        ("metadata", {"metrics": [3], "usage": [3]}, {}),
        ("contentBlockStop", {"contentBlockIndex": 0}, {}),
    ],
)
def test_an_event_changes_its_own_fields(
    kind: str, content: dict[str, Any], fields: dict[str, Any]
) -> None:
    response = StreamingResponse(success=True)
    note_event(response, kind, content)
    assert response == StreamingResponse(success=True, **fields)
