"""Tests the names that documents get in the copy that is sent."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.builders.document_names import with_valid_document_names

if TYPE_CHECKING:
    from bestehorn_llmmanager.testing import LocalBedrock

TEXT = {"text": "What do they say?"}
# API_runtime_DocumentBlock, in words of its own
ALLOWED = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -()[]")
REASON_REFUSED = (
    "has a name that Converse refuses (it takes letters, digits, hyphens, parentheses, square"
    " brackets and single spaces, 200 in all)"
)


def document(name: Any = ...) -> dict[str, Any]:
    named = {} if name is ... else {"name": name}
    return {"document": {"format": "pdf", "source": {"bytes": b"%PDF"}, **named}}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def result(*blocks: Any) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": "1", "content": list(blocks)}}


def names_in(messages: Any) -> list[str]:
    names = []
    for message in messages:
        for block in message["content"]:
            inner = block.get("toolResult", {}).get("content", [])
            names += [b["document"]["name"] for b in [block, *inner] if "document" in b]
    return names


def sent_names(*names: Any) -> list[str]:
    return names_in(with_valid_document_names([user(TEXT, *map(document, names))])[0])


@pytest.mark.parametrize(
    ("given_name", "sent"),
    [
        ("report.pdf", "report pdf"),
        ("report_v1.2.pdf", "report v1 2 pdf"),
        ("Report -  Final.docx", "Report - Final docx"),
        ("résumé (Zoë).md", "resume (Zoe) md"),
        ("C:\\files\\Q1/Q2 [draft].csv", "C files Q1 Q2 [draft] csv"),
        ("tab\tand\nline", "tab and line"),
        ("テスト\u3000資料.xlsx", "xlsx"),
        ("テスト", "document"),
        ("double  space", "double space"),
        (".", "document"),
        ("", "document"),
        (" ", "document"),
        (None, "document"),
        (..., "document"),
        ("x" * 201, "x" * 200),
        ("x" * 199 + "..y", "x" * 199),
    ],
)
def test_a_missing_or_refused_name_is_derived_from_what_is_there(
    given_name: Any, sent: str
) -> None:
    assert sent_names(given_name) == [sent]


@pytest.mark.parametrize(
    "name", ["report", "My report (1) [final]-2", " leading", "trailing ", "x" * 200, "7"]
)
def test_a_valid_name_is_left_alone_and_so_are_the_messages(name: str) -> None:
    messages = [user(TEXT, document(name)), user(result(document(f"too{name[:100]}")))]
    same, changes = with_valid_document_names(messages)
    assert same is messages
    assert changes == []


@pytest.mark.parametrize(
    ("given_names", "sent"),
    [
        (["a", "a", "a"], ["a", "a 2", "a 3"]),
        (["a.b", "a_b", "a b"], ["a b 2", "a b 3", "a b"]),
        ([..., None, ""], ["document", "document 2", "document 3"]),
        ([..., "document"], ["document 2", "document"]),
        (["a", "a", "a 2"], ["a", "a 3", "a 2"]),
        (["Report", "report"], ["Report", "report"]),
        (["Report.pdf", "report.pdf"], ["Report pdf", "report pdf 2"]),
        (["report.pdf", "Report pdf"], ["report pdf 2", "Report pdf"]),
        (["x" * 200, "x" * 200], ["x" * 200, "x" * 198 + " 2"]),
        (["x" * 197 + " yz", "x" * 197 + " yz"], ["x" * 197 + " yz", "x" * 197 + " 2"]),
        (["a"] * 11, ["a", *[f"a {n}" for n in range(2, 12)]]),
    ],
)
def test_a_name_that_comes_twice_is_numbered_where_it_comes_again(
    given_names: list[Any], sent: list[str]
) -> None:
    assert sent_names(*given_names) == sent


def test_documents_of_all_messages_and_of_results_of_tools_share_their_names() -> None:
    messages = [
        user(TEXT, document("a")),
        {"role": "assistant", "content": [TEXT]},
        user(result(TEXT, document("a")), TEXT, document("a")),
    ]
    sent, changes = with_valid_document_names(messages)
    assert names_in(sent) == ["a", "a 2", "a 3"]
    reason = "has the name of another one, which Converse refuses; another name was sent."
    assert changes == [
        f"The document at `messages[2].content[0].toolResult.content[1].document` {reason}",
        f"The document at `messages[2].content[2].document` {reason}",
    ]


def test_each_change_is_told_by_its_place_and_without_a_name() -> None:
    _, changes = with_valid_document_names([user(TEXT, document(), document("my secret.pdf"))])
    place = "The document at `messages[0].content[{}].document`"
    assert changes == [
        f"{place.format(1)} has no name, which Converse demands; another name was sent.",
        f"{place.format(2)} {REASON_REFUSED}; another name was sent.",
    ]


def test_only_the_way_to_a_new_name_is_copied_and_nothing_is_changed() -> None:
    messages = [
        user(TEXT, document("kept")),
        user(TEXT, document("a.pdf"), document("b.pdf")),
        user(result(TEXT, document("c.pdf"))),
    ]
    before = copy.deepcopy(messages)
    sent, _ = with_valid_document_names(messages)
    assert messages == before
    assert sent[0] is messages[0]
    assert sent[1]["content"][0] is TEXT
    old, new = messages[1]["content"][1]["document"], sent[1]["content"][1]["document"]
    assert new == {**old, "name": "a pdf"}
    assert new["source"] is old["source"]
    assert sent[2]["content"][0]["toolResult"]["content"][0] is TEXT
    assert names_in(sent) == ["kept", "a pdf", "b pdf", "c pdf"]


def test_messages_without_documents_are_the_same_object() -> None:
    messages = [user(TEXT), user(result(TEXT, {"json": {"document": 1}}))]
    assert with_valid_document_names(messages) == (messages, [])
    assert with_valid_document_names(messages)[0] is messages


def test_tuples_are_taken_and_a_tuple_without_changes_stays_one() -> None:
    messages = ({"role": "user", "content": (TEXT, document("a.pdf"))},)
    assert names_in(with_valid_document_names(messages)[0]) == ["a pdf"]
    fine = ({"role": "user", "content": (TEXT, document("a"))},)
    assert with_valid_document_names(fine)[0] is fine


@pytest.mark.parametrize(
    "messages",
    [
        None,
        "document",
        [None, "document", {"role": "user"}, {"content": None}, {"content": "document"}],
        [user(None, "document", {"document": None}, {"toolResult": None}, result("document"))],
        [user({"toolResult": {"content": "document"}}, result({"document": "x"}, None))],
    ],
)
def test_what_is_no_document_is_passed_on_as_it_is(messages: Any) -> None:
    assert with_valid_document_names(messages) == (messages, [])


@pytest.mark.parametrize("other", [None, {"role": "user"}, user(None)])
def test_a_document_behind_what_is_no_message_is_named_all_the_same(other: Any) -> None:
    sent, changes = with_valid_document_names([other, user(document("a.pdf"))])
    assert sent == [other, user(document("a pdf"))]
    assert len(changes) == 1


def test_the_service_takes_the_names(bedrock: LocalBedrock) -> None:
    client = boto3.client("bedrock-runtime", region_name="us-east-1")
    messages = [user(TEXT, document("a_b.pdf"), document(), document("a_b.pdf"))]
    sent, _ = with_valid_document_names(messages)
    client.converse(modelId="amazon.nova-lite-v1:0", messages=sent)
    assert bedrock.count(operation="Converse") == 1


# --- laws -----------------------------------------------------------------------------------------------

NAMES = st.lists(
    st.text(st.sampled_from("aA1 .-_()[]é\u3000\n字"), max_size=6)
    | st.text(max_size=250)
    | st.sampled_from(
        [..., None, "document", "document 2", "a", "a 2", "x" * 200, "x" * 198 + " 2"]
    ),
    max_size=8,
)


@given(NAMES)
@example(["x" * 200] * 12)
def test_every_name_that_is_sent_is_valid_and_unique(names: list[Any]) -> None:
    sent = sent_names(*names)
    assert len(set(sent)) == len(sent) == len(names)
    for name in sent:
        assert set(name) <= ALLOWED
        assert "  " not in name
        assert 1 <= len(name) <= 200
        assert name.strip()


@given(NAMES)
def test_a_valid_name_is_sent_as_it_is_once(names: list[Any]) -> None:
    valid = {
        n for n in names if isinstance(n, str) and re.fullmatch(r"(\(|\)|[\w-])+", n, re.ASCII)
    }
    valid = {name for name in valid if "_" not in name and len(name) <= 200}
    assert valid <= set(sent_names(*names))


@given(NAMES)
def test_names_are_the_same_every_time_and_stay_when_they_are_sent_again(names: list[Any]) -> None:
    messages = [user(TEXT, *map(document, names))]
    sent, _ = with_valid_document_names(messages)
    assert with_valid_document_names(messages)[0] == sent
    assert with_valid_document_names(sent) == (sent, [])


@given(NAMES, st.lists(st.text(st.sampled_from("ab._"), min_size=1, max_size=4)))
def test_a_conversation_that_grows_by_files_keeps_the_names_it_had(
    names: list[Any], later: list[str]
) -> None:
    files = [f"{name}.pdf" for name in later]  # none of which is valid as it is
    assert sent_names(*names, *files)[: len(names)] == sent_names(*names)
