"""Tests how the parts of an answer are read: tool calls, reasoning, citations, stop reasons."""

from __future__ import annotations

from typing import Any

import pytest

from bestehorn_llmmanager.bedrock.models.cache_detail import CacheDetail
from bestehorn_llmmanager.bedrock.models.citation import Citation
from bestehorn_llmmanager.bedrock.models.content_block_types import (
    ResponseContentType,
    get_block_type,
)
from bestehorn_llmmanager.bedrock.models.reasoning_content import ReasoningContent
from bestehorn_llmmanager.bedrock.models.stop_reason import (
    StopReasonCategory,
    StopReasonClassifier,
    StopReasonEnum,
)
from bestehorn_llmmanager.bedrock.models.tool_use import ToolUse


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"toolUseId": "1", "name": "n", "input": {"a": 1}}, ToolUse("1", "n", {"a": 1})),
        ({}, ToolUse("", "", {})),
        ({"toolUseId": None, "name": None, "input": None}, ToolUse("", "", {})),
    ],
)
def test_a_tool_call_is_read_with_empty_defaults(
    payload: dict[str, Any], expected: ToolUse
) -> None:
    assert ToolUse.from_tool_use_block(payload) == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            {"reasoningText": {"text": "t", "signature": "s"}},
            ReasoningContent(text="t", signature="s"),
        ),
        ({"redactedContent": b"x"}, ReasoningContent(redacted_content=b"x")),
        ({"reasoningText": None}, ReasoningContent()),
        ({}, ReasoningContent()),
    ],
)
def test_reasoning_is_read(payload: dict[str, Any], expected: ReasoningContent) -> None:
    assert ReasoningContent.from_reasoning_block(payload) == expected


@pytest.mark.parametrize(
    "payload",
    [
        {"reasoningText": {"text": "t", "signature": "s"}},
        {"reasoningText": {"text": ""}},
        {"redactedContent": b""},
    ],
)
def test_reasoning_goes_back_as_it_came(payload: dict[str, Any]) -> None:
    block = ReasoningContent.from_reasoning_block(payload).to_content_block()
    assert block == {"reasoningContent": payload}


def test_empty_reasoning_cannot_be_sent_back() -> None:
    with pytest.raises(ValueError, match="redacted_content"):
        ReasoningContent(signature="s").to_content_block()


def test_a_citation_copies_its_source_content() -> None:
    content = [{"text": "x"}]
    citation = Citation.from_citation(
        {"title": "t", "source": "s", "sourceContent": content, "location": {"web": {}}}
    )
    assert citation == Citation("t", "s", [{"text": "x"}], {"web": {}})
    assert citation.source_content is not content


@pytest.mark.parametrize("payload", [{}, {"sourceContent": None}])
def test_a_citation_without_content_is_empty(payload: dict[str, Any]) -> None:
    assert Citation.from_citation(payload) == Citation()


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"inputTokens": 3, "ttl": "5m"}, CacheDetail(3, "5m")),
        ({}, CacheDetail()),
        ({"inputTokens": None, "ttl": None}, CacheDetail()),
    ],
)
def test_a_cache_detail_is_read(payload: dict[str, Any], expected: CacheDetail) -> None:
    assert CacheDetail.from_cache_detail(payload) == expected


@pytest.mark.parametrize(
    "kind", [kind for kind in ResponseContentType if kind is not ResponseContentType.UNKNOWN]
)
def test_a_block_is_of_the_type_of_its_key(kind: ResponseContentType) -> None:
    assert get_block_type({kind.value: {}}) is kind
    assert str(kind) == kind.value


@pytest.mark.parametrize("block", [{}, {"unknown": 1}, {"new": 1}, None, 5, "text", ["text"]])
def test_anything_else_is_of_unknown_type(block: Any) -> None:
    assert ResponseContentType.from_block(block) is ResponseContentType.UNKNOWN


def test_the_first_type_wins_where_a_block_has_two_keys() -> None:
    assert get_block_type({"toolUse": {}, "text": ""}) is ResponseContentType.TEXT


@pytest.mark.parametrize(
    ("reason", "category"),
    [
        ("end_turn", StopReasonCategory.TERMINAL),
        ("tool_use", StopReasonCategory.TERMINAL),
        ("stop_sequence", StopReasonCategory.TERMINAL),
        (StopReasonEnum.MAX_TOKENS, StopReasonCategory.TERMINAL),
        ("model_context_window_exceeded", StopReasonCategory.RETRY_DIFFERENT_TARGET),
        (StopReasonEnum.GUARDRAIL_INTERVENED, StopReasonCategory.RETRY_DIFFERENT_TARGET),
        ("content_filtered", StopReasonCategory.RETRY_DIFFERENT_TARGET),
        ("malformed_model_output", StopReasonCategory.RETRYABLE),
        (StopReasonEnum.MALFORMED_TOOL_USE, StopReasonCategory.RETRYABLE),
        ("END_TURN", StopReasonCategory.UNKNOWN),
        ("", StopReasonCategory.UNKNOWN),
        (None, StopReasonCategory.UNKNOWN),
    ],
)
def test_a_stop_reason_tells_what_can_be_done(
    reason: str | None, category: StopReasonCategory
) -> None:
    assert StopReasonClassifier.categorize(reason) is category
    assert StopReasonClassifier.is_terminal(reason) is (category is StopReasonCategory.TERMINAL)
    assert StopReasonClassifier.is_retryable(reason) is (category.value.startswith("retry"))


def test_every_known_stop_reason_has_a_category() -> None:
    unknown = [r for r in StopReasonEnum if StopReasonClassifier.categorize(r).value == "unknown"]
    assert unknown == []


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        (ToolUse("t1", "clock", {"zone": "private"}), "ToolUse(tool_use_id='t1', name='clock')"),
        (ReasoningContent("private", "private", b"private"), "ReasoningContent()"),
        (Citation("private", "private", [{"text": "private"}], {"web": {}}), "Citation()"),
    ],
)
def test_a_part_of_an_answer_shows_no_content(part: object, shown: str) -> None:
    assert repr(part) == shown
