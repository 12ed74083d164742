"""Tests that a stream and its continuation are one answer."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.streaming.assembly import AnswerAssembly
from bestehorn_llmmanager.bedrock.streaming.continuation import Continuation, continued

if TYPE_CHECKING:
    from collections.abc import Sequence

START = {"messageStart": {"role": "assistant"}}
END = {"messageStop": {"stopReason": "end_turn"}}
ANSWERS = st.text(alphabet="ab \n\t", max_size=30) | st.text(max_size=30)


def text(piece: str, index: int = 0) -> dict[str, Any]:
    return {"contentBlockDelta": {"delta": {"text": piece}, "contentBlockIndex": index}}


def stop(index: int = 0) -> dict[str, Any]:
    return {"contentBlockStop": {"contentBlockIndex": index}}


def tool(index: int = 0) -> list[dict[str, Any]]:
    return [
        {"contentBlockStart": {"start": {"toolUse": {"name": "n"}}, "contentBlockIndex": index}},
        {"contentBlockDelta": {"delta": {"toolUse": {"input": "{}"}}, "contentBlockIndex": index}},
        stop(index),
    ]


def so_far(*texts: str, ended: bool = False) -> AnswerAssembly:
    answer = AnswerAssembly()
    answer.add("messageStart", {"role": "assistant"})
    for index, piece in enumerate(texts):
        if index:
            answer.add("contentBlockStop", {"contentBlockIndex": index - 1})
        if piece:
            answer.add_text(index, piece)
    if ended:
        answer.add("contentBlockStop", {"contentBlockIndex": len(texts) - 1})
    return answer


def joined(
    answer: AnswerAssembly, events: Sequence[dict[str, Any]], *, may_repeat: bool = False
) -> list[dict[str, Any]]:
    before = copy.deepcopy(events)
    found = list(Continuation(answer, may_repeat=may_repeat).events(events))
    assert events == before
    return found


def new_text(answer: AnswerAssembly, pieces: Sequence[str], *, may_repeat: bool = False) -> str:
    events = [START, *map(text, pieces), stop(), END]
    found = joined(answer, events, may_repeat=may_repeat)
    deltas = [
        event["contentBlockDelta"]["delta"] for event in found if "contentBlockDelta" in event
    ]
    return "".join(delta["text"] for delta in deltas)


def split(whole: str, sizes: Sequence[int]) -> list[str]:
    pieces, position = [], 0
    for size in sizes:
        pieces.append(whole[position : position + size])
        position += size
    return [*pieces, whole[position:]]


SIZES = st.lists(st.integers(0, 5), max_size=8)


@given(ANSWERS, st.integers(0, 30), SIZES)
def test_an_exact_continuation_completes_the_answer(
    answer: str, cut: int, sizes: list[int]
) -> None:
    received = answer[:cut]
    rest = answer[len(received.rstrip()) :]
    assert received + new_text(so_far(received), split(rest, sizes)) == answer


@given(ANSWERS, st.integers(0, 30), SIZES)
def test_an_answer_that_begins_anew_completes_it_too(
    answer: str, cut: int, sizes: list[int]
) -> None:
    received = answer[:cut]
    found = new_text(so_far(received), split(answer, sizes), may_repeat=True)
    assert received + found == answer


@given(ANSWERS, st.integers(0, 30), SIZES)
def test_what_does_not_begin_anew_is_a_continuation(
    answer: str, cut: int, sizes: list[int]
) -> None:
    received = answer[:cut]
    rest = answer[len(received.rstrip()) :]
    assume(not rest.startswith(received))
    assert received + new_text(so_far(received), split(rest, sizes), may_repeat=True) == answer


@pytest.mark.parametrize(
    ("received", "pieces", "found"),
    [
        ("a ", ["b"], "b"),
        ("a ", [" b"], "b"),
        ("a ", ["  b"], " b"),
        ("a ", ["\nb"], "\nb"),
        ("a \n", [" ", "\n", "b"], "b"),
        ("a \n", [" ", "b"], "b"),
        ("a \n", ["\n", "b"], "\nb"),
        ("a", [" b"], " b"),
        ("a ", [" "], ""),
        ("a ", [], ""),
    ],
)
def test_white_space_at_the_joint_comes_once(received: str, pieces: list[str], found: str) -> None:
    assert new_text(so_far(received), pieces) == found


@pytest.mark.parametrize(
    ("pieces", "found"),
    [
        (["he", "llo wo", "rld"], ["rld"]),
        (["hello", " wo"], []),
        (["hello", " there", "!"], ["hello there", "!"]),
        (["hello"], ["hello"]),
        (["rld"], ["rld"]),
    ],
)
def test_what_is_the_same_is_held_back_until_it_is_clear(
    pieces: list[str], found: list[str]
) -> None:
    events = [START, *map(text, pieces), stop(), END]
    expected = [*map(text, found), stop(), END]
    assert joined(so_far("hello wo"), events, may_repeat=True) == expected


@pytest.mark.parametrize(
    ("answer", "events", "found"),
    [
        pytest.param(
            so_far(), [START, text("a"), stop(), END], [text("a"), stop(), END], id="nothing yet"
        ),
        pytest.param(
            so_far("a"), [START, text("b"), stop(), END], [text("b"), stop(), END], id="one block"
        ),
        pytest.param(
            so_far("a", "b"),
            [START, text("c"), stop(), text("d", 1), stop(1), END],
            [text("c", 1), stop(1), text("d", 2), stop(2), END],
            id="two blocks",
        ),
        pytest.param(
            so_far("a"),
            [START, text("b"), stop(), *tool(1), END],
            [text("b"), stop(), *tool(1), END],
            id="then a tool",
        ),
        pytest.param(
            so_far("a"), [START, *tool(0), END], [stop(), *tool(1), END], id="a tool at once"
        ),
        pytest.param(
            so_far("a", ended=True),
            [START, *tool(0), END],
            [*tool(1), END],
            id="a tool after the block",
        ),
        pytest.param(
            so_far("a", ended=True), [START, stop(), END], [END], id="nothing after the block"
        ),
        pytest.param(so_far("a"), [START, stop(), END], [stop(), END], id="nothing more"),
        pytest.param(so_far("a"), [START, END], [END], id="not even an end"),
        pytest.param(
            so_far("a", ended=True),
            [START, text("b"), stop(), END],
            [text("b", 1), stop(1), END],
            id="more",
        ),
        pytest.param(
            so_far("a "),
            [START, text(" "), text("b"), {"metadata": {}}, {"new": None}],
            [text("b"), {"metadata": {}}, {"new": None}],
            id="what is not counted",
        ),
        pytest.param(
            so_far("a"),
            [
                START,
                {"contentBlockDelta": {"delta": {"citation": {}}, "contentBlockIndex": 0}},
                stop(),
            ],
            [{"contentBlockDelta": {"delta": {"citation": {}}, "contentBlockIndex": 0}}, stop()],
            id="a citation",
        ),
        pytest.param(
            so_far("a"),
            [{"contentBlockDelta": None}, {"contentBlockDelta": {"delta": None}}],
            [{"contentBlockDelta": None}, {"contentBlockDelta": {"delta": None}}],
            id="nonsense",
        ),
    ],
)
def test_blocks_are_counted_on_and_begin_and_end_once(
    answer: AnswerAssembly, events: list[dict[str, Any]], found: list[dict[str, Any]]
) -> None:
    assert joined(answer, events) == found


USER = {"role": "user", "content": [{"text": "Hi"}]}


@pytest.mark.parametrize(
    ("messages", "texts", "last"),
    [
        ([USER], ["a b \n"], {"role": "assistant", "content": [{"text": "a b"}]}),
        (
            [USER],
            ["a ", "b", " \n"],
            {"role": "assistant", "content": [{"text": "a "}, {"text": "b"}]},
        ),
        ([USER], ["a ", " "], {"role": "assistant", "content": [{"text": "a"}]}),
        ([USER], [" ", ""], USER),
        (
            [USER, {"role": "assistant", "content": [{"text": "So:"}]}],
            [" a "],
            {"role": "assistant", "content": [{"text": "So: a"}]},
        ),
        (
            [USER, {"role": "assistant", "content": [{"text": "So"}, {"cachePoint": {}}]}],
            ["a"],
            {"role": "assistant", "content": [{"text": "So"}, {"cachePoint": {}}, {"text": "a"}]},
        ),
    ],
)
def test_the_text_so_far_is_the_beginning_of_the_answer(
    messages: list[dict[str, Any]], texts: list[str], last: dict[str, Any]
) -> None:
    before = copy.deepcopy((messages, texts))
    found = continued(messages, texts)
    assert found[-1] == last
    assert found[0] == USER
    assert [message["role"] for message in found] == ["user", "assistant"][: len(found)]
    assert (messages, texts) == before
