"""Tests that the events of a stream, put together, are the message that Converse would give."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.streaming.assembly import AnswerAssembly
from bestehorn_llmmanager.testing._replies import events_of

CITATION = {"title": "Clock", "sourceContent": [{"text": "IV"}]}


def assembled(events: list[dict[str, Any]]) -> AnswerAssembly:
    """As a stream run does it: text by a way of its own, everything else as events."""
    answer = AnswerAssembly()
    for event in events:
        for kind, content in event.items():
            text = content.get("delta", {}).get("text") if kind == "contentBlockDelta" else None
            if text is not None:
                answer.add_text(content.get("contentBlockIndex"), text)
            else:
                answer.add(kind, content)
    return answer


def content_of(fragments: list[tuple[str, Any]]) -> list[Any]:
    """The content of a message whose only block has these pieces; `"+"` marks the start."""
    answer = AnswerAssembly()
    for name, payload in fragments:
        kind = name.strip("+")
        if kind == "text":
            answer.add_text(0, payload)
        elif name.startswith("+"):
            answer.add("contentBlockStart", {"contentBlockIndex": 0, "start": {kind: payload}})
        else:
            answer.add("contentBlockDelta", {"contentBlockIndex": 0, "delta": {kind: payload}})
    content: list[Any] = answer.output()["output"]["message"]["content"]
    return content


TEXTS = st.text(min_size=1)
NAMES = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
)
BLOCKS = st.one_of(
    st.builds(lambda text: {"text": text}, TEXTS),
    st.builds(
        lambda name, value: {"toolUse": {"toolUseId": "1", "name": name, "input": value}},
        NAMES,
        st.dictionaries(NAMES, JSON, max_size=3),
    ),
    st.builds(
        lambda text: {"reasoningContent": {"reasoningText": {"text": text, "signature": "s"}}},
        TEXTS,
    ),
    st.builds(lambda data: {"reasoningContent": {"redactedContent": data}}, st.binary(min_size=1)),
    st.builds(
        lambda text: {"citationsContent": {"content": [{"text": text}], "citations": [CITATION]}},
        TEXTS,
    ),
)


@given(st.lists(BLOCKS, max_size=5), st.sampled_from(["end_turn", "tool_use", "max_tokens"]))
def test_a_message_that_is_streamed_is_the_same_message(
    content: list[dict[str, Any]], stop_reason: str
) -> None:
    output = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason,
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
        "metrics": {"latencyMs": 4},
    }
    answer = assembled(events_of(output))
    assert answer.output() == output
    assert answer.is_complete
    assert answer.has_only_text is all("text" in block for block in content)
    assert answer.texts() == [
        block["text"] if "text" in block else block["citationsContent"]["content"][0]["text"]
        for block in content
        if "text" in block or "citationsContent" in block
    ]


@pytest.mark.parametrize(
    ("fragments", "content"),
    [
        (
            [("+toolUse", {"toolUseId": "1", "name": "n"})],
            [{"toolUse": {"toolUseId": "1", "name": "n", "input": {}}}],
        ),
        (
            [("+toolUse", {"name": "n"}), ("toolUse", {"input": '{"a": '})],
            [{"toolUse": {"name": "n", "input": '{"a": '}}],
        ),
        (
            [
                ("+toolUse", {"type": "server_tool_use"}),
                ("toolUse", {"input": "[1"}),
                ("toolUse", {"input": "]"}),
            ],
            [{"toolUse": {"type": "server_tool_use", "input": [1]}}],
        ),
        (
            [("reasoningContent", {"text": ""}), ("reasoningContent", {"signature": "s"})],
            [{"reasoningContent": {"reasoningText": {"text": "", "signature": "s"}}}],
        ),
        (
            [
                ("reasoningContent", {"redactedContent": b"a"}),
                ("reasoningContent", {"redactedContent": b"b"}),
            ],
            [{"reasoningContent": {"redactedContent": b"ab"}}],
        ),
        (
            [
                ("+image", {"format": "png"}),
                ("image", {"source": {"s3Location": {"uri": "s3://b/k"}}}),
            ],
            [{"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/k"}}}}],
        ),
        (
            [("+image", {"format": "png"}), ("image", {"error": {"message": "no"}})],
            [{"image": {"format": "png", "error": {"message": "no"}}}],
        ),
        (
            [
                ("toolResult", [{"text": "a"}, {"json": {}}]),
                ("toolResult", [{"text": "b"}]),
                ("toolResult", [{"text": "c"}]),
            ],
            [{"toolResult": {"content": [{"text": "a"}, {"json": {}}, {"text": "bc"}]}}],
        ),
        (
            [("citation", CITATION)],
            [{"citationsContent": {"content": [], "citations": [CITATION]}}],
        ),
        ([("text", "a"), ("SDK_UNKNOWN_MEMBER", {"name": "new"})], [{"text": "a"}]),
        ([("SDK_UNKNOWN_MEMBER", {"name": "new"})], [{"SDK_UNKNOWN_MEMBER": {"name": "new"}}]),
        ([("video", {"a": 1}), ("video", {"b": 2})], [{"video": {"a": 1, "b": 2}}]),
        ([("text", "a"), ("audio", 7)], [{"text": "a"}, {"audio": 7}]),
    ],
)
def test_the_pieces_of_a_block_are_joined_by_their_kind(
    fragments: list[tuple[str, Any]], content: list[Any]
) -> None:
    assert content_of(fragments) == content


KINDS = st.sampled_from(
    [
        "messageStart",
        "contentBlockStart",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
        "brandNew",
    ]
)
MEMBERS = st.sampled_from(
    [
        "role",
        "start",
        "delta",
        "contentBlockIndex",
        "stopReason",
        "usage",
        "toolUse",
        "input",
        "toolResult",
        "text",
        "signature",
        "reasoningContent",
        "redactedContent",
        "citation",
        "image",
        "source",
        "bytes",
        "SDK_UNKNOWN_MEMBER",
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=3),
)


@given(st.lists(st.tuples(KINDS, st.dictionaries(MEMBERS, ANYTHING, max_size=4)), max_size=6))
def test_no_event_breaks_the_assembly(events: list[tuple[str, dict[str, Any]]]) -> None:
    answer = AnswerAssembly()
    for kind, content in events:
        answer.add(kind, content)
    assert isinstance(answer.output()["output"]["message"]["content"], list)


def test_text_of_blocks_that_come_by_turns_is_kept_apart() -> None:
    answer = AnswerAssembly()
    for index, piece in [(1, "b"), (0, "a"), (1, "B"), (None, "A")]:
        answer.add_text(index, piece)
    answer.add("contentBlockStop", {"contentBlockIndex": 0})
    assert answer.texts() == ["aA", "bB"]
    assert (answer.last_index, answer.is_last_ended) == (1, False)
    answer.add("contentBlockStop", {"contentBlockIndex": 1})
    assert answer.is_last_ended


def test_what_has_begun_has_no_end() -> None:
    answer = AnswerAssembly()
    assert (answer.has_begun, answer.is_complete, answer.last_index) == (False, False, -1)
    answer.add("messageStart", {"role": "assistant"})
    assert (answer.has_begun, answer.is_complete, answer.has_only_text) == (True, False, True)
    answer.add("messageStop", {"stopReason": "end_turn"})
    assert answer.is_complete
