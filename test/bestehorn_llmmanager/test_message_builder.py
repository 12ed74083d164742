"""Tests which blocks a message is built of, and what is refused."""

from __future__ import annotations

import doctest
import logging
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager import message_builder
from bestehorn_llmmanager import message_builder_enums as enums
from bestehorn_llmmanager.bedrock.exceptions import RequestValidationError
from bestehorn_llmmanager.message_builder import (
    ConverseMessageBuilder,
    MessageBuilder,
    create_assistant_message,
    create_message,
    create_user_message,
)
from bestehorn_llmmanager.message_builder_constants import MessageBuilderConfig, SupportedFormats
from bestehorn_llmmanager.message_builder_enums import (
    AudioFormatEnum,
    CachePointTTLEnum,
    DocumentFormatEnum,
    GuardContentQualifierEnum,
    ImageFormatEnum,
    RolesEnum,
    ToolResultStatusEnum,
    VideoFormatEnum,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from bestehorn_llmmanager.testing import LocalBedrock

    Add = Callable[[ConverseMessageBuilder], ConverseMessageBuilder]

FILES = Path(__file__).parents[1] / "data" / "files"
PNG = (FILES / "rgb.png").read_bytes()
PDF = (FILES / "image.pdf").read_bytes()
DOCX = (FILES / "note.docx").read_bytes()
MP4 = (FILES / "isom.mp4").read_bytes()
WAV = (FILES / "tone.wav").read_bytes()
OWNER = "123456789012"
SECRET = "SECRET prompt that no message may show"


def system() -> ConverseMessageBuilder:
    return create_message(RolesEnum.SYSTEM)


# Each block as it is added, and as it then stands in the message.
BLOCKS: list[tuple[Add, dict[str, Any]]] = [
    (lambda m: m.add_text("  a cat? \n"), {"text": "a cat?"}),
    (lambda m: m.add_text("a", cacheable=True), {"text": "a"}),
    (lambda m: m.add_image_bytes(PNG), {"image": {"format": "png", "source": {"bytes": PNG}}}),
    (
        lambda m: m.add_image_bytes(bytearray(PNG)),
        {"image": {"format": "png", "source": {"bytes": PNG}}},
    ),
    (
        lambda m: m.add_image_bytes(memoryview(PNG), cacheable=False),
        {"image": {"format": "png", "source": {"bytes": PNG}}},
    ),
    (
        lambda m: m.add_image_bytes(b"?", ImageFormatEnum.GIF),
        {"image": {"format": "gif", "source": {"bytes": b"?"}}},
    ),
    (
        lambda m: m.add_image_bytes(b"unknown content", filename="a.webp"),
        {"image": {"format": "webp", "source": {"bytes": b"unknown content"}}},
    ),
    (
        lambda m: m.add_image_s3("s3://bucket/a.png", ImageFormatEnum.PNG),
        {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/a.png"}}}},
    ),
    (
        lambda m: m.add_document_bytes(PDF, name="Report"),
        {"document": {"format": "pdf", "source": {"bytes": PDF}, "name": "Report"}},
    ),
    (
        lambda m: m.add_document_bytes(
            b"a,b", filename="table.csv", citations_enabled=True, context="sums"
        ),
        {
            "document": {
                "format": "csv",
                "source": {"bytes": b"a,b"},
                "name": "table.csv",
                "citations": {"enabled": True},
                "context": "sums",
            }
        },
    ),
    (
        lambda m: m.add_document_bytes(b"a", DocumentFormatEnum.MD, "a.md", "Notes"),
        {"document": {"format": "md", "source": {"bytes": b"a"}, "name": "Notes"}},
    ),
    (
        lambda m: m.add_document_bytes(PDF, name="", context=""),
        {"document": {"format": "pdf", "source": {"bytes": PDF}, "context": ""}},
    ),
    (
        lambda m: m.add_document_s3(
            "s3://bucket/a.pdf",
            DocumentFormatEnum.PDF,
            name="Report",
            bucket_owner=OWNER,
            citations_enabled=True,
            context="sums",
        ),
        {
            "document": {
                "format": "pdf",
                "source": {"s3Location": {"uri": "s3://bucket/a.pdf", "bucketOwner": OWNER}},
                "name": "Report",
                "citations": {"enabled": True},
                "context": "sums",
            }
        },
    ),
    (lambda m: m.add_video_bytes(MP4), {"video": {"format": "mp4", "source": {"bytes": MP4}}}),
    (
        lambda m: m.add_video_s3("s3://bucket/a.3gp", VideoFormatEnum.THREE_GP, OWNER),
        {
            "video": {
                "format": "three_gp",
                "source": {"s3Location": {"uri": "s3://bucket/a.3gp", "bucketOwner": OWNER}},
            }
        },
    ),
    (lambda m: m.add_audio_bytes(WAV), {"audio": {"format": "wav", "source": {"bytes": WAV}}}),
    (
        lambda m: m.add_audio_bytes(b"\0\1" * 9, filename="a.pcm"),
        {"audio": {"format": "pcm", "source": {"bytes": b"\0\1" * 9}}},
    ),
    (
        lambda m: m.add_audio_s3("s3://bucket/a", AudioFormatEnum.X_AAC, OWNER),
        {
            "audio": {
                "format": "x-aac",
                "source": {"s3Location": {"uri": "s3://bucket/a", "bucketOwner": OWNER}},
            }
        },
    ),
    (lambda m: m.add_cache_point(), {"cachePoint": {"type": "default"}}),
    (
        lambda m: m.add_cache_point(ttl=CachePointTTLEnum.ONE_HOUR),
        {"cachePoint": {"type": "default", "ttl": "1h"}},
    ),
    (lambda m: m.add_guard_content(" a "), {"guardContent": {"text": {"text": " a "}}}),
    (
        lambda m: m.add_guard_content("a", []),
        {"guardContent": {"text": {"text": "a", "qualifiers": []}}},
    ),
    (
        lambda m: m.add_guard_content("a", ["query", GuardContentQualifierEnum.GROUNDING_SOURCE]),
        {"guardContent": {"text": {"text": "a", "qualifiers": ["query", "grounding_source"]}}},
    ),
    (
        lambda m: m.add_tool_use("t1", "clock", {"zone": "UTC"}),
        {"toolUse": {"toolUseId": "t1", "name": "clock", "input": {"zone": "UTC"}}},
    ),
    (
        lambda m: m.add_tool_result("t1", "noon"),
        {"toolResult": {"toolUseId": "t1", "content": [{"text": "noon"}]}},
    ),
    (
        lambda m: m.add_tool_result("t1", {"hour": 12}, ToolResultStatusEnum.SUCCESS),
        {"toolResult": {"toolUseId": "t1", "content": [{"json": {"hour": 12}}], "status": "success"}},
    ),
    (
        lambda m: m.add_tool_result("t1", [{"text": "a"}, {"json": {}}], "error"),
        {
            "toolResult": {
                "toolUseId": "t1",
                "content": [{"text": "a"}, {"json": {}}],
                "status": "error",
            }
        },
    ),
    (
        lambda m: m.add_reasoning_content(" a ", "signed"),
        {"reasoningContent": {"reasoningText": {"text": " a ", "signature": "signed"}}},
    ),
    (
        lambda m: m.add_reasoning_content("a", ""),
        {"reasoningContent": {"reasoningText": {"text": "a", "signature": ""}}},
    ),
    (
        lambda m: m.add_reasoning_content("a"),
        {"reasoningContent": {"reasoningText": {"text": "a"}}},
    ),
    (
        lambda m: m.add_reasoning_content(redacted_content=b"x"),
        {"reasoningContent": {"redactedContent": b"x"}},
    ),
    (
        lambda m: m.add_search_result("https://a.example", "A", "found"),
        {
            "searchResult": {
                "source": "https://a.example",
                "title": "A",
                "content": [{"text": "found"}],
            }
        },
    ),
    (
        lambda m: m.add_search_result("wiki", "A", ["one", "two"], citations_enabled=True),
        {
            "searchResult": {
                "source": "wiki",
                "title": "A",
                "content": [{"text": "one"}, {"text": "two"}],
                "citations": {"enabled": True},
            }
        },
    ),
    (
        lambda m: m.add_block({"citationsContent": {"content": [{"text": "a"}]}}),
        {"citationsContent": {"content": [{"text": "a"}]}},
    ),
]  # fmt: skip
SYSTEM_BLOCKS: list[tuple[Add, dict[str, Any]]] = [
    (lambda m: m.add_tool_addition("clock"), {"toolAddition": {"tool": {"name": "clock"}}}),
    (
        lambda m: m.add_tool_removal("clock", tool_type="custom", server_name="time"),
        {"toolRemoval": {"tool": {"name": "clock", "type": "custom", "serverName": "time"}}},
    ),
]

REFUSED: list[tuple[Add, str]] = [
    (lambda m: m.add_text(""), "`text`"),
    (lambda m: m.add_text(" \n\t"), "`text`"),
    (lambda m: m.add_text(None), "NoneType"),  # type: ignore[arg-type]
    (lambda m: m.add_image_bytes(b""), "empty"),
    (lambda m: m.add_image_bytes(b"", ImageFormatEnum.PNG), "empty"),
    (lambda m: m.add_image_bytes(SECRET), "bytes, got str"),  # type: ignore[arg-type]
    (lambda m: m.add_image_bytes(SECRET.encode()), "`format=`"),
    (lambda m: m.add_image_bytes(SECRET.encode(), filename="holiday.zzz"), "holiday.zzz"),
    (lambda m: m.add_image_bytes(PDF), "image format"),
    (lambda m: m.add_image_bytes(PNG, DocumentFormatEnum.PDF), "ImageFormatEnum"),  # type: ignore[arg-type]
    (lambda m: m.add_image_bytes(bytes(3_750_001)), "3750001 bytes, the limit is 3750000"),
    (
        lambda m: m.add_image_bytes(bytes(3_750_001), ImageFormatEnum.PNG),
        "allow_large=True",
    ),
    (lambda m: m.add_image_bytes(bytes(3_750_001), allow_large=True), "3750000"),
    (lambda m: m.add_document_bytes(b""), "empty"),
    (lambda m: m.add_document_bytes(SECRET.encode()), "`filename=`"),
    (lambda m: m.add_document_bytes(bytes(4_500_001), DocumentFormatEnum.PDF), "4500000"),
    (
        lambda m: m.add_document_bytes(
            bytes(4_500_001), DocumentFormatEnum.CSV, allow_large=True
        ),
        "4500000",
    ),
    (lambda m: m.add_video_bytes(b""), "empty"),
    (lambda m: m.add_video_bytes(bytes(100_000_001), VideoFormatEnum.MP4), "100000000"),
    (lambda m: m.add_video_bytes(SECRET.encode()), "video format"),
    (lambda m: m.add_audio_bytes(b""), "empty"),
    (lambda m: m.add_audio_bytes(bytes(100_000_001), AudioFormatEnum.WAV), "100000000"),
    (lambda m: m.add_audio_bytes(SECRET.encode()), "audio format"),
    *[
        (lambda m, uri=uri: m.add_image_s3(uri, ImageFormatEnum.PNG), "s3://")
        for uri in ("", "s3://", "S3://bucket/a", "https://bucket/a", "/bucket/a", None, 5)
    ],
    *[
        (
            lambda m, owner=owner: m.add_document_s3(
                "s3://bucket/a", DocumentFormatEnum.PDF, bucket_owner=owner
            ),
            "twelve digits",
        )
        for owner in ("", "12345678901", "1234567890123", "12345678901a", "\uff11" * 12, 5)
    ],
    (lambda m: m.add_image_s3("s3://b/a", None), "`format`"),  # type: ignore[arg-type]
    (lambda m: m.add_document_s3("s3://b/a", None), "'pdf'"),  # type: ignore[arg-type]
    (lambda m: m.add_video_s3("s3://b/a", None), "VideoFormatEnum"),  # type: ignore[arg-type]
    (lambda m: m.add_audio_s3("s3://b/a", None), "AudioFormatEnum"),  # type: ignore[arg-type]
    (lambda m: m.add_cache_point("ephemeral"), "'default'"),
    (lambda m: m.add_cache_point(ttl="2h"), "'5m' or '1h'"),
    (lambda m: m.add_guard_content(" "), "`text`"),
    (lambda m: m.add_guard_content(SECRET, ["question"]), "'grounding_source'"),
    (lambda m: m.add_guard_content(SECRET, "query"), "list"),  # type: ignore[arg-type]
    (lambda m: m.add_tool_use(" ", "clock", {}), "`tool_use_id`"),
    (lambda m: m.add_tool_use("t1", "", {}), "`name`"),
    (lambda m: m.add_tool_use("t1", "clock", [SECRET]), "dict, got list"),  # type: ignore[arg-type]
    (lambda m: m.add_tool_result("", "noon"), "`tool_use_id`"),
    (lambda m: m.add_tool_result("t1", " "), "`content`"),
    (lambda m: m.add_tool_result("t1", []), "empty list"),
    (lambda m: m.add_tool_result("t1", [SECRET]), "str"),  # type: ignore[list-item]
    (lambda m: m.add_tool_result("t1", None), "NoneType"),  # type: ignore[arg-type]
    (lambda m: m.add_tool_result("t1", SECRET, "bad"), "'success', 'error'"),
    (lambda m: m.add_tool_result("t1", SECRET, ""), "`status`"),
    (lambda m: m.add_tool_result("t1", "noon", SECRET * 2), "got str"),
    (lambda m: m.add_reasoning_content(), "`redacted_content`"),
    (lambda m: m.add_reasoning_content(signature="s"), "`text`"),
    (lambda m: m.add_reasoning_content("  ", redacted_content=b"x"), "`text`"),
    (lambda m: m.add_search_result("", "A", SECRET), "`source`"),
    (lambda m: m.add_search_result("wiki", " ", SECRET), "`title`"),
    (lambda m: m.add_search_result("wiki", "A", []), "empty list"),
    (lambda m: m.add_search_result("wiki", "A", [SECRET, ""]), "`content`"),
    (lambda m: m.add_tool_addition("clock"), "RolesEnum.SYSTEM"),
    (lambda m: m.add_tool_removal("clock"), "RolesEnum.SYSTEM"),
    (lambda m: m.add_block({}), "0 keys"),
    (lambda m: m.add_block({"text": SECRET, "image": {}}), "2 keys"),
    (lambda m: m.add_block(SECRET), "got str"),  # type: ignore[arg-type]
]  # fmt: skip


@pytest.mark.parametrize(("add", "block"), BLOCKS)
def test_each_method_appends_its_block_and_returns_the_builder(
    add: Add, block: dict[str, Any]
) -> None:
    builder = create_user_message().add_text("first")
    assert add(builder) is builder
    assert builder.content_block_count == 2
    assert builder.build() == {"role": "user", "content": [{"text": "first"}, block]}


@pytest.mark.parametrize(("add", "block"), SYSTEM_BLOCKS)
def test_tools_change_in_messages_of_the_system(add: Add, block: dict[str, Any]) -> None:
    assert add(system()).build() == {"role": "system", "content": [block]}


def test_a_tool_change_names_something() -> None:
    builder = system()
    with pytest.raises(RequestValidationError, match="`server_name`"):
        builder.add_tool_addition()
    with pytest.raises(RequestValidationError, match="`serverName`"):
        builder.add_tool_removal(server_name=" ")
    assert builder.content_block_count == 0


@pytest.mark.parametrize(("add", "words"), REFUSED)
def test_what_bedrock_would_refuse_is_refused_and_adds_nothing(
    add: Add, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    builder = create_user_message().add_text("first")
    with pytest.raises(RequestValidationError) as caught:
        add(builder)
    assert words in str(caught.value)
    assert "SECRET" not in f"{caught.value!r} {caplog.text}"
    assert len(str(caught.value)) < 300
    assert builder.build() == {"role": "user", "content": [{"text": "first"}]}


def test_a_cache_point_is_not_the_first_block() -> None:
    builder = create_user_message()
    with pytest.raises(RequestValidationError, match="before"):
        builder.add_cache_point()
    assert builder.content_block_count == 0


def test_a_presigned_address_is_not_shown() -> None:
    with pytest.raises(RequestValidationError) as caught:
        create_user_message().add_image_s3(
            "https://b.s3.amazonaws.com/a.png?X-Amz-Signature=SECRET", ImageFormatEnum.PNG
        )
    assert "b.s3.amazonaws.com/a.png" in str(caught.value)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("method", ["image", "document", "video", "audio"])
def test_a_given_format_is_trusted(method: str) -> None:
    formats: dict[str, Any] = {
        "image": ImageFormatEnum.WEBP,
        "document": DocumentFormatEnum.TXT,
        "video": VideoFormatEnum.MKV,
        "audio": AudioFormatEnum.MKA,
    }
    builder = create_user_message().add_text("a")
    getattr(builder, f"add_{method}_bytes")(PNG, formats[method], filename="a.xls")
    block = builder.build()["content"][1][method]
    assert (block["format"], type(block["format"])) == (formats[method].value, str)


def test_members_of_enums_become_plain_strings() -> None:
    builder = create_user_message().add_guard_content("a", [GuardContentQualifierEnum.QUERY])
    builder.add_tool_result("t1", "noon", ToolResultStatusEnum.ERROR)
    guarded, result = builder.build()["content"]
    assert type(guarded["guardContent"]["text"]["qualifiers"][0]) is str
    assert type(result["toolResult"]["status"]) is str


# Roles and builders


def test_the_alias_is_the_same_class() -> None:
    assert MessageBuilder is ConverseMessageBuilder


@pytest.mark.parametrize(
    ("builder", "role"),
    [
        (create_user_message(), RolesEnum.USER),
        (create_assistant_message(), RolesEnum.ASSISTANT),
        (create_message(RolesEnum.SYSTEM), RolesEnum.SYSTEM),
        (MessageBuilder(role=RolesEnum.USER, cache_config=None), RolesEnum.USER),
    ],
)
def test_a_builder_shows_its_role_and_number_of_blocks_only(
    builder: ConverseMessageBuilder, role: RolesEnum
) -> None:
    builder.add_text(SECRET)
    assert builder.role is role
    assert str(builder) == f"ConverseMessageBuilder(role={role.value}, content_blocks=1)"
    assert repr(builder) == (
        f"ConverseMessageBuilder(role={role.value}, content_blocks=1, detector=FileTypeDetector)"
    )
    assert type(builder.build()["role"]) is str


@pytest.mark.parametrize("role", ["user", None, ImageFormatEnum.PNG, 1])
def test_a_role_that_is_no_member_is_refused(role: Any) -> None:
    with pytest.raises(RequestValidationError) as caught:
        create_message(role)
    for word in (type(role).__name__, "user", "assistant", "system"):
        assert word in str(caught.value)


def test_a_message_without_blocks_is_not_built() -> None:
    with pytest.raises(RequestValidationError, match="at least one block"):
        create_user_message().build()


def test_a_builder_can_be_used_on_and_each_message_has_a_list_of_its_own() -> None:
    builder = create_user_message().add_text("one")
    first = builder.build()
    second = builder.add_text("two").build()
    first["content"].append({"text": "mine"})
    assert second["content"] == [{"text": "one"}, {"text": "two"}]
    assert first["content"][0] is second["content"][0]
    assert builder.build() == second


@given(st.lists(st.text().filter(str.strip), min_size=1, max_size=100))
def test_texts_stand_in_the_message_in_their_order_without_white_space_around(
    texts: list[str],
) -> None:
    builder = create_assistant_message()
    for text in texts:
        builder.add_text(text)
    assert builder.build() == {
        "role": "assistant",
        "content": [{"text": text.strip()} for text in texts],
    }


# Limits


def test_a_message_holds_a_hundred_blocks_and_warns_once_before(
    caplog: pytest.LogCaptureFixture,
) -> None:
    builder = create_user_message()
    for _ in range(79):
        builder.add_text("a")
    assert not caplog.records
    for _ in range(21):
        builder.add_text("a")
    assert [(record.levelno, record.args) for record in caplog.records] == [
        (logging.WARNING, (80, 100))
    ]
    with pytest.raises(RequestValidationError, match="100"):
        builder.add_text("a")
    with pytest.raises(RequestValidationError, match="100"):
        builder.add_cache_point()
    assert len(builder.build()["content"]) == 100


@pytest.mark.parametrize(
    ("add", "kind", "usual"),
    [
        (lambda m: m.add_image_bytes(PNG), "image", 20),
        (lambda m: m.add_document_bytes(PDF), "document", 5),
        (lambda m: m.add_video_bytes(MP4), "video", 1),
    ],
)
def test_more_of_a_kind_than_usual_is_warned_of_once(
    add: Add, kind: str, usual: int, caplog: pytest.LogCaptureFixture
) -> None:
    builder = create_user_message()
    for _ in range(usual):
        add(builder)
    assert not caplog.records
    add(add(builder))
    assert [record.args for record in caplog.records] == [(kind, usual)]


@pytest.mark.parametrize(
    ("add", "size"),
    [
        (lambda m: m.add_image_bytes(bytes(3_750_000), ImageFormatEnum.PNG), 3_750_000),
        (lambda m: m.add_document_bytes(bytes(4_500_000), DocumentFormatEnum.PDF), 4_500_000),
        (lambda m: m.add_video_bytes(bytes(25_000_000), VideoFormatEnum.MP4), 25_000_000),
        (lambda m: m.add_audio_bytes(bytes(25_000_000), AudioFormatEnum.WAV), 25_000_000),
    ],
)
def test_what_just_fits_is_taken_without_a_word(
    add: Add, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    block = add(create_user_message().add_text("a")).build()["content"][1]
    (payload,) = block.values()
    assert len(payload["source"]["bytes"]) == size
    assert not caplog.records


@pytest.mark.parametrize(
    ("add", "words"),
    [
        (lambda m: m.add_image_bytes(PNG + bytes(3_750_000), allow_large=True), "Nova"),
        (lambda m: m.add_document_bytes(PDF + bytes(4_500_000), allow_large=True), "Claude 4"),
        (
            lambda m: m.add_document_bytes(
                bytes(4_500_001), DocumentFormatEnum.DOCX, allow_large=True
            ),
            "Nova",
        ),
        (lambda m: m.add_video_bytes(bytes(25_000_001), VideoFormatEnum.MP4), "S3"),
        (lambda m: m.add_video_bytes(bytes(100_000_000), VideoFormatEnum.MP4), "S3"),
        (lambda m: m.add_audio_bytes(bytes(25_000_001), AudioFormatEnum.WAV), "S3"),
    ],
)
def test_what_only_some_models_take_is_taken_with_a_warning(
    add: Add, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    builder = add(create_user_message())
    assert builder.content_block_count == 1
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert words in record.message


def test_a_document_without_a_text_beside_it_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    builder = create_user_message().add_document_bytes(PDF)
    builder.build()
    assert ["text" in record.message for record in caplog.records] == [True]
    caplog.clear()
    builder.add_text("Summarise this.").build()
    create_user_message().add_image_bytes(PNG).build()
    assert not caplog.records


def test_a_wrong_name_is_warned_of_and_the_content_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    message = create_user_message().add_image_bytes(PNG, filename="photo.jpg").build()
    assert message["content"][0]["image"]["format"] == "png"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


# Local files


@pytest.mark.parametrize(
    ("method", "name", "extra"),
    [
        ("add_local_image", "rgb.png", {}),
        ("add_local_document", "note.docx", {"name": "note.docx"}),
        ("add_local_video", "clip.webm", {}),
        ("add_local_audio", "tone.flac", {}),
    ],
)
@pytest.mark.parametrize("as_path", [str, Path])
def test_a_local_file_becomes_the_block_of_its_bytes(
    method: str, name: str, extra: dict[str, str], as_path: Callable[[Path], Any]
) -> None:
    builder = getattr(create_user_message().add_text("a"), method)(as_path(FILES / name))
    kind = method.rpartition("_")[2]
    suffix = name.rpartition(".")[2]
    content = (FILES / name).read_bytes()
    assert builder.build()["content"][1] == {
        kind: {"format": suffix, "source": {"bytes": content}, **extra}
    }


def test_a_local_document_takes_what_a_document_takes() -> None:
    builder = create_user_message().add_local_document(
        str(FILES / "note.docx"), None, "Note", 4.5, True, "sums"
    )
    assert builder.add_text("a").build()["content"][0] == {
        "document": {
            "format": "docx",
            "source": {"bytes": DOCX},
            "name": "Note",
            "citations": {"enabled": True},
            "context": "sums",
        }
    }


LOCAL = ["add_local_image", "add_local_document", "add_local_video", "add_local_audio"]


@pytest.mark.parametrize("method", LOCAL)
def test_a_file_that_is_not_there_is_a_file_not_found_error(method: str, tmp_path: Path) -> None:
    builder = create_user_message()
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        getattr(builder, method)(str(tmp_path / "gone.png"))
    assert builder.content_block_count == 0


@pytest.mark.parametrize("method", LOCAL)
def test_what_is_no_file_or_empty_is_refused(method: str, tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    for path, words in [(tmp_path, "not a file"), (tmp_path / "empty.png", "empty")]:
        with pytest.raises(RequestValidationError, match=words):
            getattr(create_user_message(), method)(str(path))
    with pytest.raises(RequestValidationError, match="NoneType"):
        getattr(create_user_message(), method)(None)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    # A name that is too long is an error of the system on every account, also on root's.
    with pytest.raises(RequestValidationError, match="Cannot read") as caught:
        create_user_message().add_local_image(tmp_path / ("a" * 300))
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("method", LOCAL)
def test_a_file_over_the_size_that_was_asked_for_is_refused(method: str, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(1024 * 1024))
    with pytest.raises(RequestValidationError, match=r"0\.999"):
        getattr(create_user_message(), method)(str(path), max_size_mb=0.999)
    with pytest.raises(RequestValidationError, match="format"):  # of this size it is looked at
        getattr(create_user_message(), method)(str(path), max_size_mb=1)


def test_a_local_file_between_the_two_limits_is_refused_unless_large_ones_are_allowed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "large.pdf"
    path.write_bytes(PDF + bytes(6_000_000))
    with pytest.raises(RequestValidationError, match="`max_size_mb`"):
        create_user_message().add_local_document(path, allow_large=True)
    with pytest.raises(RequestValidationError, match="4500000"):
        create_user_message().add_local_document(path, max_size_mb=10)
    builder = create_user_message().add_local_document(path, max_size_mb=10, allow_large=True)
    assert builder.content_block_count == 1


def test_a_local_image_may_be_large_too(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(PNG + bytes(3_750_000))
    with pytest.raises(RequestValidationError, match="3750000"):
        create_user_message().add_local_image(path, max_size_mb=10)
    builder = create_user_message().add_local_image(path, max_size_mb=10, allow_large=True)
    assert builder.content_block_count == 1


# Bedrock itself


def service_model() -> Any:
    return botocore.session.get_session().get_service_model("bedrock-runtime")


def shape(name: str) -> Any:
    model = service_model()
    if name not in model.shape_names:
        pytest.skip(f"this botocore does not know {name}")
    return model.shape_for(name)


@pytest.mark.parametrize(("add", "block"), [*BLOCKS, *SYSTEM_BLOCKS])
def test_botocore_takes_every_block(add: Add, block: dict[str, Any]) -> None:
    union = shape("ContentBlock")
    (kind,) = block
    builder = system() if kind.startswith("tool") else create_user_message()
    built = add(builder.add_text("first")).build()["content"][1]
    built.get("document", {}).setdefault("name", "Document")  # `LLMManager` sees to it
    if kind not in union.members or unknown_members(union.members[kind], block[kind]):
        pytest.skip(f"this botocore does not know {kind} like this")
    assert ParamValidator().validate(built, union).generate_report() == ""


def unknown_members(structure: Any, value: Any) -> bool:
    """Whether an old botocore does not know some part of a block."""
    if structure.type_name == "list":
        return any(unknown_members(structure.member, item) for item in value)
    if structure.type_name != "structure" or not isinstance(value, dict):
        return False
    if getattr(structure, "is_document_type", False):
        return False
    return any(
        name not in structure.members or unknown_members(structure.members[name], item)
        for name, item in value.items()
    )


@pytest.mark.parametrize(
    ("enum", "name"),
    [
        (RolesEnum, "ConversationRole"),
        (ImageFormatEnum, "ImageFormat"),
        (DocumentFormatEnum, "DocumentFormat"),
        (VideoFormatEnum, "VideoFormat"),
        (AudioFormatEnum, "AudioFormat"),
        (ToolResultStatusEnum, "ToolResultStatus"),
        (GuardContentQualifierEnum, "GuardrailConverseContentQualifier"),
        (CachePointTTLEnum, "CacheTTL"),
    ],
)
def test_the_enums_have_the_values_that_botocore_knows(enum: Any, name: str) -> None:
    known = set(shape(name).enum)
    ours = {member.value for member in enum}
    if enum is RolesEnum:
        known.add("system")  # older ones do not know it
    assert known == ours


def test_a_built_message_is_answered(bedrock: LocalBedrock) -> None:
    message = (
        create_user_message()
        .add_text("What is this?")
        .add_image_bytes(PNG)
        .add_local_document(FILES / "note.docx", name="Note")
        .build()
    )
    client = boto3.client("bedrock-runtime", region_name="us-east-1")
    answer = client.converse(modelId="amazon.nova-lite-v1:0", messages=[message])
    assert answer["stopReason"] == "end_turn"
    assert [request.status for request in bedrock.requests] == [200]


# Constants


def test_the_formats_are_those_of_the_enums() -> None:
    assert SupportedFormats.IMAGE_FORMATS == ["jpeg", "png", "gif", "webp"]
    assert len(SupportedFormats.AUDIO_FORMATS) == 15
    assert SupportedFormats.get_all_supported_formats() == {
        "image": SupportedFormats.IMAGE_FORMATS,
        "document": SupportedFormats.DOCUMENT_FORMATS,
        "video": SupportedFormats.VIDEO_FORMATS,
    }
    SupportedFormats.get_all_supported_formats()["image"].clear()
    assert SupportedFormats.IMAGE_FORMATS


def test_the_limits_are_those_of_the_constants() -> None:
    assert (
        MessageBuilderConfig.MAX_IMAGE_SIZE_BYTES,
        MessageBuilderConfig.MAX_DOCUMENT_SIZE_BYTES,
        MessageBuilderConfig.MAX_VIDEO_SIZE_BYTES,
        MessageBuilderConfig.MAX_CONTENT_BLOCKS_PER_MESSAGE,
    ) == (3_750_000, 4_500_000, 100_000_000, 100)


@pytest.mark.parametrize(
    "name", ["RolesEnum", "ToolResultStatusEnum", "CachePointTTLEnum", "GuardContentQualifierEnum"]
)
def test_enums_of_words_print_their_values(name: str) -> None:
    for member in getattr(enums, name):
        assert (str(member), f"{member}") == (member.value, member.value)


def test_format_enums_print_as_enums_do() -> None:
    assert str(ImageFormatEnum.PNG) == "ImageFormatEnum.PNG"


def test_the_builder_is_imported_without_boto3() -> None:
    code = "import sys, bestehorn_llmmanager.message_builder; assert 'botocore' not in sys.modules"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_the_examples_run() -> None:
    assert doctest.testmod(message_builder) == (0, 1)
