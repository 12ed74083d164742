"""Tests what is refused before it is sent, where it is said to be wrong, and what passes."""

from __future__ import annotations

import copy
import io
import re
from decimal import Decimal
from enum import Enum
from importlib.metadata import version
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError
from botocore.loaders import create_loader
from botocore.model import ServiceModel
from botocore.validate import validate_parameters
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager import create_user_message
from bestehorn_llmmanager.bedrock.exceptions import RequestValidationError
from bestehorn_llmmanager.bedrock.models.converse_members import KNOWN_SINCE
from bestehorn_llmmanager.bedrock.models.structured_output import (
    build_json_schema_output_config,
)
from bestehorn_llmmanager.bedrock.validators.converse_request import (
    check_arguments,
    check_request,
    explain_param_validation,
    find_inference_config_problems,
    find_problems,
)

SECRET = "a very private prompt"
TEXT = {"text": SECRET}
MESSAGE = {"role": "user", "content": [TEXT]}
IMAGE = {"image": {"format": "png", "source": {"bytes": b"png"}}}
VIDEO = {"video": {"format": "mp4", "source": {"bytes": b"mp4"}}}
TOOL_USE = {"toolUse": {"toolUseId": "id.1:2", "name": "look-up_1", "input": {"q": [1, None, "x"]}}}
SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}}
TOOL = {"toolSpec": {"name": "look_up", "inputSchema": {"json": SCHEMA}}}


class Role(str, Enum):
    USER = "user"


def document(content: bytes | str = b"pdf", format: str = "pdf", **more: Any) -> dict[str, Any]:  # noqa: A002
    return {"document": {"format": format, "source": {"bytes": content}, **more}}


def result(*content: Any, **more: Any) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": "id", "content": list(content), **more}}


def user(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def with_(**members: Any) -> dict[str, Any]:
    return {"messages": [MESSAGE], **members}


def refusal(request: dict[str, Any]) -> RequestValidationError:
    with pytest.raises(RequestValidationError) as raised:
        check_request(request)
    return raised.value


# --- what passes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        with_(),
        with_(modelId="amazon.nova-lite-v1:0", system=[TEXT], somethingNew={"a": 1}),
        {"messages": (MESSAGE, {"role": "assistant", "content": (TEXT,)})},
        {
            "messages": [
                {"role": "system", "content": [TEXT]},
                {"role": Role.USER, "content": [TEXT]},
            ]
        },
        {"messages": [{**MESSAGE, "somethingNew": 1}]},
        user(TEXT, IMAGE, VIDEO, document(), document(name="report.pdf"), document(name=None)),
        user({"audio": {"format": "a new one", "source": {"bytes": bytearray(b"x")}}}),
        user({"image": {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/key"}}}}),
        user({"image": {"format": "png", "source": {"someNewSource": 1}}}),
        user({"document": {"source": {"text": "text"}, "citations": {"enabled": True}}}, TEXT),
        user(document(), {"somethingNew": 1}),
        user(document("a text file", "txt"), TEXT),
        {
            "messages": [{"role": "assistant", "content": [TEXT]}],
            "modelId": "arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDEFGHIJ:1",
        },
        {"messages": [{"role": "assistant", "content": [TEXT]}], "promptVariables": {"n": TEXT}},
        user(
            TOOL_USE, {"somethingNew": object()}, {"cachePoint": {"type": "default", "ttl": "1h"}}
        ),
        user(
            result(),
            result({"text": ""}, {"json": {}}, IMAGE, document(), VIDEO, {"somethingNew": 1}),
            result({"text": " "}, status="error", type="new"),
        ),
        user({"reasoningContent": {"redactedContent": b"x"}}, {"guardContent": {"text": TEXT}}),
        user({"toolAddition": {"tool": {"name": "t"}}}, {"toolRemoval": {"tool": {"name": "t"}}}),
        user({"searchResult": {"source": "s", "title": "t", "content": [TEXT]}}),
        user({"citationsContent": {"content": [TEXT]}}),
        with_(inferenceConfig={"maxTokens": 1, "temperature": 0, "topP": 1.0, "stopSequences": []}),
        with_(inferenceConfig={"temperature": Decimal("0.5"), "somethingNew": -1}),
        with_(toolConfig={"tools": [TOOL, {"systemTool": {"name": "nova_grounding"}}]}),
        with_(toolConfig={"tools": [{"somethingNew": 1}], "toolChoice": {"somethingNew": 1}}),
        with_(toolConfig={"tools": [TOOL], "toolChoice": {"tool": {"name": "look_up"}}}),
        with_(additionalModelRequestFields={"top_k": 5, "a": [1.5, True, None, {1: "x"}]}),
        with_(additionalModelResponseFieldPaths=["/a"] * 10),
        with_(requestMetadata={f"key{n}": "" for n in range(16)}),
        with_(requestMetadata={"key": "value"}),
        with_(inferenceConfig={"temperature": Decimal(0), "topP": Decimal(1)}),
        user({"toolUse": {"toolUseId": "1", "name": "a" * 64, "input": {}}}),
        user(TEXT, document(bytes(4_718_592), "csv")),
        with_(
            guardrailConfig={"guardrailIdentifier": "g", "guardrailVersion": "1", "trace": "new"}
        ),
        with_(performanceConfig={"latency": "new"}, serviceTier={"type": "new"}),
        with_(outputConfig={"effort": "new", "somethingNew": 1}),
        with_(promptVariables={"name": {"text": ""}}),
        {"promptVariables": {"name": {"text": "x"}}},
        {"modelId": "arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDEFGHIJ:1", "messages": []},
    ],
)
def test_what_the_service_would_take_passes_and_stays_as_it_was(request_: dict[str, Any]) -> None:
    before = copy.copy(request_), repr(request_)
    check_request(request_)
    assert (request_, repr(request_)) == before
    assert find_problems(request_) == []


@pytest.mark.parametrize("kind", ["image", "video", "audio"])
def test_text_is_no_picture_even_if_it_is_the_base64_of_one(kind: str) -> None:
    block = {kind: {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}
    for place, sent in {"": block, ".toolResult.content[0]": result(block)}.items():
        error = refusal(user(sent))
        assert error.invalid_fields == [f"messages[0].content[0]{place}.{kind}.source.bytes"]
        assert "must be bytes, but is of type str; boto3 makes base64" in error.message
        assert "iVBOR" not in str(error)
        if kind == "audio":  # which results of tools do not have yet
            break


@pytest.mark.parametrize("more", [[], [IMAGE], [{"cachePoint": {"type": "default"}}], [document()]])
def test_a_document_needs_a_text_beside_it(more: list[Any]) -> None:
    error = refusal({"messages": [MESSAGE, {"role": "user", "content": [*more, document()]}]})
    assert error.invalid_fields == ["messages[1].content"]
    assert "has a document, but no text" in error.message
    check_request(user(*more, document(), TEXT))


def test_a_conversation_starts_with_the_user() -> None:
    error = refusal({"messages": [{"role": "assistant", "content": [TEXT]}, MESSAGE]})
    assert error.invalid_fields == ["messages[0].role"]
    check_request({"messages": [MESSAGE, {"role": "assistant", "content": [TEXT]}]})


@pytest.mark.parametrize("messages", [lambda b: b, lambda b: [b], lambda b: [MESSAGE, b]])
def test_a_builder_in_the_place_of_a_message_has_to_build_it(messages: Any) -> None:
    builder = create_user_message().add_text(SECRET)
    error = refusal({"messages": messages(builder)})
    assert "call its `build()`" in error.message
    assert SECRET not in str(error)


@pytest.mark.parametrize("blank", [" ", "\n", "\t \n"])
def test_blank_text_is_for_the_model_to_judge(blank: str) -> None:
    # The service itself refuses the empty text alone; Claude refuses white space in its own words.
    check_request(user({"text": blank}))


def test_how_many_images_and_videos_is_for_the_model_to_judge() -> None:
    check_request(user(TEXT, *[IMAGE] * 100, *[VIDEO] * 3))


def test_documents_in_s3_are_not_counted() -> None:
    location = {"s3Location": {"uri": "s3://bucket/key"}}
    check_request(user(TEXT, *[{"document": {"name": "d", "source": location}}] * 100))


@pytest.mark.parametrize("format_", ["pdf", "docx", "a new one"])
def test_documents_of_the_formats_that_some_models_take_at_any_size_may_be_large(
    format_: str,
) -> None:
    check_request(user(TEXT, document(bytes(5_000_000), format_)))


# --- what is refused, and where -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "place", "remedy"),
    [
        ([], "messages", "at least one message"),
        (None, "messages", "at least one message"),
        (SECRET, "messages", '[{"role": "user", "content": [{"text": "…"}]}]'),
        (MESSAGE, "messages", "put the message into a list"),
        ({"text": SECRET}, "messages", "write [{"),
        ([SECRET], "messages[0]", "must be a dict"),
        ([MESSAGE, None], "messages[1]", "is None"),
        ([{"content": [TEXT]}], "messages[0].role", "is missing"),
        ([{"role": 1, "content": [TEXT]}], "messages[0].role", "of type int"),
        ([{"role": "User", "content": [TEXT]}], "messages[0].role", "lower case"),
        ([{"role": "tool", "content": [TEXT]}], "messages[0].role", "toolResult"),
        ([{"role": [SECRET], "content": [TEXT]}], "messages[0].role", "of type list"),
        ([{"role": "user"}], "messages[0].content", 'is missing; write [{"text": "…"}]'),
        ([{"role": "user", "content": []}], "messages[0].content", "is empty"),
        ([{"role": "user", "content": SECRET}], "messages[0].content", '[{"text": "…"}]'),
        ([{"role": "user", "content": TEXT}], "messages[0].content", "must be a list"),
        ([{"role": "user", "content": [SECRET]}], "messages[0].content[0]", '{"text": "…"}'),
    ],
)
def test_wrong_messages_are_refused_with_the_place_and_the_remedy(
    messages: Any, place: str, remedy: str
) -> None:
    error = refusal({"messages": messages})
    assert error.invalid_fields == [place]
    (sentence,) = error.validation_errors
    assert sentence.startswith(f"`{place}` ")
    assert remedy in sentence
    assert sentence in str(error)
    assert SECRET not in repr(error)


def test_a_request_without_messages_is_refused() -> None:
    assert refusal({"system": [TEXT]}).invalid_fields == ["messages"]


@pytest.mark.parametrize(
    ("block", "place", "remedy"),
    [
        ({}, "", "is empty"),
        ({"text": SECRET, "cachePoint": {"type": "default"}}, "", "has 2 members instead of one"),
        ({"type": "text", "text": SECRET}, "", "has a `type`, of which Converse knows nothing"),
        ({"text": ""}, ".text", "is empty"),
        ({"text": None}, ".text", "must be a string, but is None"),
        ({"text": {"text": SECRET}}, ".text", "but is of type dict"),
        ({"image": b"png"}, ".image", "must be a dict"),
        ({"image": {"source": {"bytes": b"x"}}}, ".image.format", "is missing"),
        ({"image": {"format": "png"}}, ".image.source", "is missing"),
        ({"image": {"format": None, "source": {"bytes": b"x"}}}, ".image.format", "a string"),
        ({"image": {"format": "png", "source": b"x"}}, ".image.source", '{"bytes": …}'),
        ({"image": {"format": "png", "source": {}}}, ".image.source", "is empty"),
        ({"image": {"format": "png", "source": {"bytes": b""}}}, ".image.source.bytes", "empty"),
        ({"image": {"format": "png", "source": {"bytes": None}}}, ".image.source.bytes", "bytes"),
        (
            {"video": {"format": "mp4", "source": {"bytes": io.BytesIO(b"x")}}},
            ".video.source.bytes",
            "`read()`",
        ),
        (
            {"audio": {"format": "mp3", "source": {"s3Location": {"uri": "https://bucket/key"}}}},
            ".audio.source.s3Location.uri",
            "s3://",
        ),
        (
            {
                "image": {
                    "format": "png",
                    "source": {"s3Location": {"bucketOwner": 1, "uri": "s3://b"}},
                }
            },
            ".image.source.s3Location.bucketOwner",
            "must be a string",
        ),
        ({"document": {"name": "d"}}, ".document.source", "is missing"),
        (document(name=1), ".document.name", "must be a string"),
        (document(bytes(4_718_593), "csv"), ".document.source.bytes", "4.5 MB"),
        ({"toolUse": {"toolUseId": "1", "name": "n"}}, ".toolUse.input", "is missing"),
        ({"toolUse": {"toolUseId": "1", "name": "a b", "input": {}}}, ".toolUse.name", "1 to 64"),
        ({"toolUse": {"toolUseId": "1", "name": "é", "input": {}}}, ".toolUse.name", "1 to 64"),
        ({"toolUse": {"toolUseId": "1", "name": "a" * 65, "input": {}}}, ".toolUse.name", "64"),
        ({"toolUse": {"toolUseId": "1", "name": "", "input": {}}}, ".toolUse.name", "1 to 64"),
        ({"toolUse": {"toolUseId": "", "name": "n", "input": {}}}, ".toolUse.toolUseId", "empty"),
        ({"toolUse": {"toolUseId": "1", "name": "n", "input": "{}"}}, ".toolUse.input", "a dict"),
        (
            {"toolUse": {"toolUseId": "1", "name": "n", "input": {SECRET: {1, 2}}}},
            ".toolUse.input",
            "make it a list",
        ),
        ({"toolResult": {"toolUseId": "1"}}, ".toolResult.content", "is missing"),
        ({"toolResult": {"toolUseId": "1", "content": SECRET}}, ".toolResult.content", "a list"),
        (result(SECRET), ".toolResult.content[0]", "must be a dict"),
        (result({"json": [SECRET]}), ".toolResult.content[0].json", '{"result": …}'),
        (result({"json": {"a": object()}}), ".toolResult.content[0].json", "JSON"),
        (result({"text": None}), ".toolResult.content[0].text", "must be a string"),
        (
            result(TEXT, IMAGE, document(b"")),
            ".toolResult.content[2].document.source.bytes",
            "empty",
        ),
        (result(status=1), ".toolResult.status", "must be a string"),
        (result({"image": {}, "text": ""}), ".toolResult.content[0]", "has 2 members"),
        (result({"image": {"format": "png"}}), ".toolResult.content[0].image.source", "missing"),
        (result({"video": {"format": "mp4"}}), ".toolResult.content[0].video.source", "missing"),
        (
            result({"searchResult": {"source": "s", "content": []}}),
            ".toolResult.content[0].searchResult.title",
            "is missing",
        ),
        ({"toolResult": {"content": []}}, ".toolResult.toolUseId", "is missing"),
        ({"toolResult": {"toolUseId": 1, "content": []}}, ".toolResult.toolUseId", "a string"),
        ({"toolUse": {"name": "n", "input": {}}}, ".toolUse.toolUseId", "is missing"),
        ({"toolUse": {"toolUseId": "1", "input": {}}}, ".toolUse.name", "is missing"),
        ({"toolUse": {"toolUseId": "1", "name": 1, "input": {}}}, ".toolUse.name", "a string"),
        ({"document": {"source": {"text": b"x"}}}, ".document.source.text", "must be a string"),
        ({"document": {"source": {"content": [SECRET]}}}, ".document.source.content[0]", "a dict"),
        ({"citationsContent": [SECRET]}, ".citationsContent", "must be a dict"),
        ({"cachePoint": {}}, ".cachePoint.type", "is missing"),
        ({"cachePoint": {"type": "default", "ttl": 5}}, ".cachePoint.ttl", "must be a string"),
        ({"reasoningContent": SECRET}, ".reasoningContent", "must be a dict"),
        ({"guardContent": SECRET}, ".guardContent", "must be a dict"),
        ({"searchResult": {"source": "s", "title": "t"}}, ".searchResult.content", "is missing"),
        ({"toolAddition": {}}, ".toolAddition.tool", "is missing"),
        ({"toolRemoval": {"tool": SECRET}}, ".toolRemoval.tool", "must be a dict"),
    ],
)
def test_a_wrong_block_is_refused_with_the_place_and_the_remedy(
    block: Any, place: str, remedy: str
) -> None:
    assert refusal(user(block)).invalid_fields == [f"messages[0].content[0]{place}"]
    error = refusal({"messages": [MESSAGE, {"role": "assistant", "content": [TEXT, block]}]})
    assert error.invalid_fields == [f"messages[1].content[1]{place}"]
    (sentence,) = error.validation_errors
    assert remedy in sentence
    assert SECRET not in repr(error)


@pytest.mark.parametrize(
    ("member", "value", "place", "remedy"),
    [
        ("system", SECRET, "", '[{"text": "…"}]'),
        ("system", [SECRET], "[0]", '{"text": "…"}'),
        ("system", [{"text": ""}], "[0].text", "is empty"),
        ("system", [TEXT, {"cachePoint": "default"}], "[1].cachePoint", "must be a dict"),
        ("system", None, "", "must be a list, but is None"),
        ("inferenceConfig", [1], "", "must be a dict"),
        ("inferenceConfig", {"maxTokens": 0}, ".maxTokens", "at least 1, but is 0"),
        ("inferenceConfig", {"maxTokens": -(10**5000)}, ".maxTokens", "at least 1"),
        ("inferenceConfig", {"maxTokens": True}, ".maxTokens", "a whole number"),
        ("inferenceConfig", {"maxTokens": 10.0}, ".maxTokens", "a whole number"),
        ("inferenceConfig", {"maxTokens": "10"}, ".maxTokens", "but is of type str"),
        ("inferenceConfig", {"temperature": -0.1}, ".temperature", "from 0 to 1, but is -0.1"),
        ("inferenceConfig", {"temperature": 10**5000}, ".temperature", "from 0 to 1"),
        ("inferenceConfig", {"temperature": float("nan")}, ".temperature", "from 0 to 1"),
        ("inferenceConfig", {"temperature": Decimal("1.1")}, ".temperature", "from 0 to 1"),
        ("inferenceConfig", {"temperature": Decimal("sNaN")}, ".temperature", "from 0 to 1"),
        ("inferenceConfig", {"temperature": None}, ".temperature", "a number, but is None"),
        ("inferenceConfig", {"topP": 1.01}, ".topP", "from 0 to 1"),
        ("inferenceConfig", {"topP": False}, ".topP", "a number"),
        ("inferenceConfig", {"stopSequences": SECRET}, ".stopSequences", '["…"]'),
        ("inferenceConfig", {"stopSequences": ["a", 1]}, ".stopSequences[1]", "a string"),
        ("inferenceConfig", {"stopSequences": [""]}, ".stopSequences[0]", "is empty"),
        ("toolConfig", [TOOL], "", "must be a dict"),
        ("toolConfig", {}, ".tools", "is missing"),
        ("toolConfig", {"tools": []}, ".tools", "is empty"),
        ("toolConfig", {"tools": [TOOL["toolSpec"]]}, ".tools[0]", '{"toolSpec": {"name"'),
        (
            "toolConfig",
            {"tools": [{"toolSpec": {"name": "n"}}]},
            ".tools[0].toolSpec.inputSchema",
            "is",
        ),
        (
            "toolConfig",
            {"tools": [{"systemTool": {"name": "a.b"}}]},
            ".tools[0].systemTool.name",
            "1 to",
        ),
        ("toolConfig", {"tools": [TOOL], "toolChoice": "auto"}, ".toolChoice", '{"auto": {}}'),
        (
            "toolConfig",
            {"tools": [TOOL], "toolChoice": {"tool": {}}},
            ".toolChoice.tool.name",
            "is",
        ),
        ("toolConfig", {"tools": [{"cachePoint": {}}]}, ".tools[0].cachePoint.type", "is missing"),
        (
            "toolConfig",
            {"tools": [{"toolSpec": {"inputSchema": {"json": {}}}}]},
            ".tools[0].toolSpec.name",
            "is missing",
        ),
        (
            "toolConfig",
            {"tools": [{"toolSpec": {**TOOL["toolSpec"], "description": ""}}]},
            ".tools[0].toolSpec.description",
            "is empty",
        ),
        ("guardrailConfig", {"guardrailVersion": 1}, ".guardrailVersion", "must be a string"),
        ("guardrailConfig", {"guardrailIdentifier": 1}, ".guardrailIdentifier", "a string"),
        ("guardrailConfig", {"trace": True}, ".trace", "must be a string"),
        ("guardrailConfig", {"streamProcessingMode": 1}, ".streamProcessingMode", "a string"),
        ("additionalModelRequestFields", [], "", "must be a dict"),
        ("additionalModelRequestFields", {"k": (1,)}, ".k", "make it a list"),
        ("additionalModelRequestFields", {"k": [1, b"x"]}, ".k[1]", "as JSON"),
        ("additionalModelRequestFields", {"k": float("inf")}, ".k", "not finite"),
        ("additionalModelRequestFields", {(1, 2): "x"}, "", "a key that is of type tuple"),
        ("additionalModelResponseFieldPaths", "/a", "", '["/…"]'),
        ("additionalModelResponseFieldPaths", ["a"], "[0]", "begins with a slash"),
        ("additionalModelResponseFieldPaths", ["/a"] * 11, "", "has 11 items; Converse takes 10"),
        ("requestMetadata", ["a"], "", "must be a dict"),
        ("requestMetadata", {}, "", "1 to 16"),
        ("requestMetadata", {str(n): "x" for n in range(17)}, "", "17 entries"),
        ("requestMetadata", {"a": 1}, "", "strings only"),
        ("promptVariables", {"a": "x"}, "", '{"text": "…"}'),
        ("promptVariables", ["a"], "", "must be a dict"),
        ("performanceConfig", {"latency": None}, ".latency", "must be a string"),
        ("serviceTier", "flex", "", "must be a dict"),
        ("serviceTier", {}, ".type", "is missing"),
        ("outputConfig", {"effort": 3}, ".effort", "must be a string"),
        (
            "outputConfig",
            {"textFormat": {"type": "json_schema"}},
            ".textFormat.structure",
            "is missing",
        ),
    ],
)
def test_a_wrong_member_is_refused_with_the_place_and_the_remedy(
    member: str, value: Any, place: str, remedy: str
) -> None:
    error = refusal(with_(**{member: value}))
    assert error.invalid_fields == [f"{member}{place}"]
    (sentence,) = error.validation_errors
    assert remedy in sentence
    assert SECRET not in repr(error)


@pytest.mark.parametrize(
    ("schema", "place", "remedy"),
    [
        ({"properties": {"q": {"enum": {"a", "b"}}}}, ".properties.q.enum", "make it a list"),
        ({"properties": [{"default": object()}]}, ".properties[0].default", "of type object"),
        ({"properties": {"not a name!": {"x": b""}}}, ".properties", "holds what is of type bytes"),
        (Role, "", "must be a dict"),
        ({"$defs": {"Role": Role}}, ".$defs.Role", "a class is no schema"),
    ],
)
def test_a_schema_that_json_cannot_say_is_refused_with_the_place(
    schema: Any, place: str, remedy: str
) -> None:
    tool = {"toolSpec": {"name": "n", "inputSchema": {"json": schema}}}
    error = refusal(with_(toolConfig={"tools": [TOOL, tool]}))
    assert error.invalid_fields == [f"toolConfig.tools[1].toolSpec.inputSchema.json{place}"]
    assert remedy in str(error)


def test_a_schema_that_contains_itself_is_refused() -> None:
    schema: dict[str, Any] = {}
    schema["properties"] = {"child": schema}
    tool = {"toolSpec": {"name": "n", "inputSchema": {"json": schema}}}
    error = refusal(with_(toolConfig={"tools": [tool]}))
    assert error.invalid_fields == ["toolConfig.tools[0].toolSpec.inputSchema.json"]
    assert "contains itself" in str(error)


@pytest.mark.parametrize(
    "structure",
    [
        {"jsonSchema": {"schema": "{}", "name": "n", "description": ""}},
        {"jsonSchema": {"schema": SCHEMA}},
        build_json_schema_output_config(SCHEMA)["textFormat"]["structure"],
    ],
)
def test_a_json_schema_of_the_output_passes_in_every_form_that_the_manager_takes(
    structure: dict[str, Any],
) -> None:
    check_request(
        with_(outputConfig={"textFormat": {"type": "json_schema", "structure": structure}})
    )


@pytest.mark.parametrize(
    ("structure", "place"),
    [
        (SECRET, ""),
        ({"jsonSchema": SECRET}, ".jsonSchema"),
        ({"jsonSchema": {"name": "n"}}, ".jsonSchema.schema"),
        ({"jsonSchema": {"schema": b"{}"}}, ".jsonSchema.schema"),
        ({"jsonSchema": {"schema": ""}}, ".jsonSchema.schema"),
        ({"jsonSchema": {"schema": "{}", "name": 1}}, ".jsonSchema.name"),
    ],
)
def test_a_json_schema_of_the_output_that_is_none_is_refused(structure: Any, place: str) -> None:
    text_format = {"type": "json_schema", "structure": structure}
    error = refusal(with_(outputConfig={"textFormat": text_format}))
    assert error.invalid_fields == [f"outputConfig.textFormat.structure{place}"]
    assert SECRET not in repr(error)


@pytest.mark.parametrize(
    ("text_format", "place"),
    [
        (SECRET, ""),
        ({"structure": SCHEMA}, ".type"),
        ({"type": 1, "structure": SCHEMA}, ".type"),
    ],
)
def test_a_text_format_of_the_output_that_is_none_is_refused(text_format: Any, place: str) -> None:
    error = refusal(with_(outputConfig={"textFormat": text_format}))
    assert error.invalid_fields == [f"outputConfig.textFormat{place}"]


def test_documents_are_counted_per_request() -> None:
    three = {"role": "user", "content": [TEXT, *[document()] * 3]}
    answer = {"role": "assistant", "content": [TEXT]}
    check_request({"messages": [three, answer, user(TEXT, document(), document())["messages"][0]]})
    error = refusal({"messages": [three, answer, three]})
    assert error.invalid_fields == ["messages"]
    assert "has 6 documents; Converse takes 5 per request" in str(error)


def test_all_that_is_wrong_is_said_at_once() -> None:
    error = refusal(
        {
            "messages": [{"role": "bot", "content": []}, user({"text": ""})["messages"][0]],
            "inferenceConfig": {"topP": 2, "maxTokens": 0},
            "system": SECRET,
        }
    )
    assert error.invalid_fields == [
        "messages[0].role",
        "messages[0].content",
        "messages[1].content[0].text",
        "inferenceConfig.topP",
        "inferenceConfig.maxTokens",
        "system",
    ]
    assert [text.split("`")[1] for text in error.validation_errors] == error.invalid_fields
    assert error.message.endswith("; and 1 more")
    assert "inferenceConfig.maxTokens" in error.message


# --- laws -----------------------------------------------------------------------------------------------

NAMES = [
    *[
        "messages",
        "role",
        "content",
        "text",
        "image",
        "document",
        "source",
        "bytes",
        "format",
        "name",
    ],
    *[
        "toolUse",
        "toolResult",
        "toolUseId",
        "input",
        "json",
        "system",
        "inferenceConfig",
        "maxTokens",
    ],
    *["temperature", "toolConfig", "tools", "toolSpec", "inputSchema", "requestMetadata", "type"],
    *[
        "additionalModelRequestFields",
        "promptVariables",
        "outputConfig",
        "textFormat",
        "cachePoint",
    ],
]
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, b"", b"x", "", " ", SECRET, "user", object(), {1}, Decimal("NaN")])
    | st.integers()
    | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(st.sampled_from([*NAMES, SECRET]), inner, max_size=4)
    ),
    max_leaves=12,
)
RICH: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": [TEXT, IMAGE, document(), {"cachePoint": {"type": "default"}}]},
        {"role": "assistant", "content": [TOOL_USE]},
        {"role": "user", "content": [result(TEXT, {"json": {"a": SECRET}}, document())]},
    ],
    "system": [TEXT],
    "inferenceConfig": {"maxTokens": 5, "temperature": 0.5, "stopSequences": [SECRET]},
    "toolConfig": {"tools": [TOOL], "toolChoice": {"auto": {}}},
    "additionalModelRequestFields": {"top_k": 5},
    "additionalModelResponseFieldPaths": ["/a"],
    "requestMetadata": {"a": "b"},
    "outputConfig": {
        "textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": SECRET}}}
    },
}


def paths(value: Any) -> list[tuple[Any, ...]]:
    """Every way into `value`."""
    steps = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [(), *((key, *rest) for key, inner in steps for rest in paths(inner))]


def with_junk_at(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    if not path:
        return junk
    changed = value.copy()
    changed[path[0]] = with_junk_at(value[path[0]], path[1:], junk)
    return changed


def assert_lawful(request: dict[str, Any]) -> None:
    before = repr(request)
    error = refused(request)
    if error:
        assert error.validation_errors
        assert error.invalid_fields
        assert SECRET not in f"{error} {error!r} {error.args} {vars(error)}"
        assert error.__cause__ is error.__context__ is None
    assert repr(request) == before


def refused(request: dict[str, Any]) -> RequestValidationError | None:
    try:
        check_request(request)
    except RequestValidationError as error:
        return error
    return None


@given(st.dictionaries(st.sampled_from([*NAMES, SECRET]), JUNK))
def test_no_junk_is_answered_by_anything_but_our_error_without_the_prompt(
    request_: dict[str, Any],
) -> None:
    assert_lawful(request_)


@given(st.sampled_from(paths(RICH)[1:]), JUNK)
def test_no_junk_inside_of_a_request_is_answered_by_anything_but_our_error_without_the_prompt(
    path: tuple[Any, ...], junk: Any
) -> None:
    assert_lawful(with_junk_at(RICH, path, junk))


@given(st.sampled_from(paths(RICH)[1:]), JUNK)
def test_an_explanation_of_what_botocore_refuses_has_places_of_the_request_and_no_prompt(
    path: tuple[Any, ...], junk: Any
) -> None:
    request = with_junk_at(RICH, path, junk)
    complaint = refused_by_botocore(request)
    if complaint:
        error = explain_param_validation(complaint, request)
        assert error.invalid_fields
        assert {re.split(r"\W", place)[0] for place in error.invalid_fields} <= set(request)
        assert SECRET not in f"{error} {error!r} {vars(error)}"


# --- what botocore complains of -------------------------------------------------------------------------

MODEL = ServiceModel(create_loader().load_service_model("bedrock-runtime", "service-2"))
INPUT = MODEL.operation_model("Converse").input_shape


def refused_by_botocore(request: dict[str, Any]) -> ParamValidationError | None:
    try:
        validate_parameters({"modelId": "m", **request}, INPUT)
    except ParamValidationError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("request_", "places"),
    [
        (with_(flavour=1), ["flavour"]),
        (with_(inferenceConfig={"max_tokens": 1}), ["inferenceConfig.max_tokens"]),
        (user({"txt": SECRET}), ["messages[0].content[0].txt"]),
        (user({SECRET: 1}), ["messages[0].content[0]"]),
        (user(TEXT, {**TEXT, **IMAGE}), ["messages[0].content[1]"]),
        (user({}), ["messages[0].content[0]"]),
        (user({"text": {"a very": SECRET}}), ["messages[0].content[0].text"]),
        ({"messages": [{"role": "user"}]}, ["messages[0].content"]),
        ({"messages": [SECRET]}, ["messages[0]"]),
        (with_(requestMetadata={"my key": 1}), ["requestMetadata"]),
        (user({"guardContent": {"text": {}}}), ["messages[0].content[0].guardContent.text.text"]),
        (with_(inferenceConfig={"maxTokens": 0}), ["inferenceConfig.maxTokens"]),
        (
            # botocore names only the last key of the place, which is a member of the request here
            with_(additionalModelRequestFields={"a": {"messages": (1,)}}),
            ["additionalModelRequestFields.a.messages"],
        ),
        (
            user({"guardContent": {"text": 'x\nMissing required parameter in private: "private"'}}),
            ["messages[0].content[0].guardContent.text"],
        ),
        (
            user(
                {"guardContent": {"text": "x\nInvalid type for parameter messages[0].private, v"}}
            ),
            ["messages[0].content[0].guardContent.text", "messages[0]"],
        ),
    ],
)
def test_what_botocore_refuses_is_explained_by_its_place_and_without_its_words(
    request_: dict[str, Any], places: list[str]
) -> None:
    complaint = refused_by_botocore(request_)
    assert complaint is not None
    error = explain_param_validation(complaint, request_)
    assert error.invalid_fields == places
    assert len(error.validation_errors) == len(places)
    assert SECRET not in repr(error)
    assert "private" not in repr(error)


@pytest.mark.parametrize(
    ("request_", "place", "meant"),
    [
        (with_(inferenceConfig={"max_tokens": 1}), "inferenceConfig.max_tokens", "maxTokens"),
        (with_(inferenceConfig={"MaxTokens": 1}), "inferenceConfig.MaxTokens", "maxTokens"),
        (user({"txt": SECRET}), "messages[0].content[0].txt", "text"),
        (
            with_(guardrailConfig={"guardrailId": "g", "guardrailVersion": "1"}),
            "guardrailConfig.guardrailId",
            "guardrailIdentifier",
        ),
        (with_(inference_config={}), "inference_config", "inferenceConfig"),
    ],
)
def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(
    request_: dict[str, Any], place: str, meant: str
) -> None:
    complaint = refused_by_botocore(request_)
    assert complaint is not None
    assert (
        f"`{place}` is not known to the installed boto3: did you mean `{meant}`? Or update boto3 if "
        "it is new"
    ) in explain_param_validation(complaint, request_).validation_errors


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("promptVariables", {"name": {"text": "x"}}),
        ("performanceConfig", {"latency": "optimized"}),
        ("requestMetadata", {"team": "x"}),
        ("serviceTier", {"type": "flex"}),
        ("outputConfig", {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{}"}}}}),
    ],
)  # fmt: skip
def test_a_member_that_is_too_new_is_refused_with_the_version_that_has_it(
    member: str, value: Any
) -> None:
    versions = version("botocore"), KNOWN_SINCE[member]
    installed, needed = (tuple(map(int, each.split("."))) for each in versions)
    request_ = {**user({"text": "Hello"}), member: value}
    complaint = refused_by_botocore(request_)
    if installed >= needed:
        assert complaint is None
        return
    assert complaint is not None
    [problem] = explain_param_validation(complaint, request_).validation_errors
    assert problem.startswith(f"`{member}` is not known to the installed boto3: update boto3; ")
    assert f"{KNOWN_SINCE[member]} has it" in problem


def test_no_name_is_taken_from_a_prompt() -> None:
    lie = 'x\nUnknown parameter in input: "messages", must be one of: messagesecret\n'
    request_ = user({"guardContent": {"text": lie}})
    complaint = refused_by_botocore(request_)
    assert complaint is not None
    assert "messagesecret" not in repr(explain_param_validation(complaint, request_))


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"max_tokens": 1}, "`inferenceConfig.max_tokens` has to be written `maxTokens`"),
        ({"top_p": 1}, "`inferenceConfig.top_p` has to be written `topP`"),
        ({"maxTokens": -1}, "`inferenceConfig.maxTokens` must be at least 1, but is -1"),
    ],
)
def test_an_inference_config_is_checked_by_itself(config: dict[str, Any], problem: str) -> None:
    assert [str(each) for each in find_inference_config_problems(config)] == [problem]


def test_an_inference_config_may_have_what_is_not_known_yet() -> None:
    assert find_inference_config_problems({"maxTokens": 1, "topK": 3, "somethingNew": 1}) == []


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (
            with_(flavour=1),
            (
                "`flavour` is not known to the installed boto3: check the spelling, or update boto3"
                " if it is new"
            ),
        ),
        (
            user({"guardContent": {"text": SECRET}}),
            "`messages[0].content[0].guardContent.text` cannot be of type str",
        ),
        (
            user({"guardContent": {"text": {}}}),
            "`messages[0].content[0].guardContent.text.text` is missing",
        ),
        (
            user({"guardContent": {}}),
            "`messages[0].content[0].guardContent` is not of the form that Converse takes",
        ),
    ],
)
def test_an_explanation_says_what_is_wrong(request_: dict[str, Any], sentence: str) -> None:
    complaint = refused_by_botocore(request_)
    assert complaint is not None
    assert explain_param_validation(complaint, request_).validation_errors == [sentence]


def test_a_complaint_that_is_not_understood_gets_the_form_of_a_message() -> None:
    error = explain_param_validation(ParamValidationError(report=SECRET), with_())
    assert "{'role': 'user', 'content': [{'text': '…'}]}" in str(error)
    assert error.invalid_fields == []
    assert SECRET not in repr(error)


# --- the arguments of `converse` ------------------------------------------------------------------------


def test_arguments_of_the_right_types_pass_also_those_that_were_not_given() -> None:
    check_arguments(
        {
            "messages": (),
            "system": None,
            "inference_config": {},
            "tool_config": None,
            "additional_model_response_field_paths": ["/a"],
            "stream_processing_mode": "sync",
            "something_new": 1,
        }
    )


@pytest.mark.parametrize(
    ("argument", "value", "remedy"),
    [
        ("messages", SECRET, '[{"role": "user", "content": [{"text": "…"}]}]'),
        ("messages", MESSAGE, "put the message into a list"),
        ("messages", iter([MESSAGE]), "must be a list of messages"),
        ("system", SECRET, '[{"text": "…"}]'),
        ("system", TEXT, '[{"text": "…"}]'),
        ("inference_config", [("maxTokens", 1)], "must be a dict"),
        ("additional_model_request_fields", "{}", "must be a dict"),
        ("additional_model_response_field_paths", "/a", '["/…"]'),
        ("guardrail_config", "id", "must be a dict"),
        ("tool_config", [TOOL], "must be a dict"),
        ("request_metadata", 1, "must be a dict"),
        ("prompt_variables", "a", "must be a dict"),
        ("output_config", SCHEMA.items(), "must be a dict"),
        ("performance_config", "optimized", "must be a dict"),
        ("service_tier", "flex", "must be a dict"),
        ("extra_request_fields", [1], "must be a dict"),
    ],
)
def test_an_argument_of_a_wrong_type_is_refused_by_its_name(
    argument: str, value: Any, remedy: str
) -> None:
    with pytest.raises(RequestValidationError) as raised:
        check_arguments({"messages": [MESSAGE], argument: value})
    assert raised.value.invalid_fields == [argument]
    assert remedy in str(raised.value)
    assert SECRET not in repr(raised.value)


def test_all_wrong_arguments_are_named_at_once() -> None:
    with pytest.raises(RequestValidationError) as raised:
        check_arguments({"messages": "a", "system": "b", "tool_config": 1})
    assert raised.value.invalid_fields == ["messages", "system", "tool_config"]
