"""Tests that a batch is refused before any of it is sent, with all that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from bestehorn_llmmanager.bedrock.exceptions import LLMManagerError
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    RequestValidationError as ArgumentError,
)
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import (
    RequestIdCollisionError,
    RequestValidationError,
)
from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig
from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
from bestehorn_llmmanager.bedrock.validators import RequestValidator

SECRET = "a very private prompt"
TEXT = {"text": SECRET}
MESSAGES = [{"role": "user", "content": [TEXT]}]
VALIDATOR = RequestValidator()


def request(request_id: Any = "r1", **options: Any) -> BedrockConverseRequest:
    return BedrockConverseRequest(**{"messages": MESSAGES, "request_id": request_id, **options})


def asks(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def problems(**options: Any) -> list[str]:
    found = VALIDATOR.validate_request_structure(request(**options))
    assert SECRET not in repr(found)
    return found


@pytest.mark.parametrize(
    ("options", "places"),
    [
        ({"messages": []}, ["messages"]),
        ({"messages": None}, ["messages"]),
        ({"messages": SECRET}, ["messages"]),
        ({"messages": [SECRET]}, ["messages[0]"]),
        ({"messages": [{}]}, ["messages[0].role", "messages[0].content"]),
        ({"messages": [{"role": "x", "content": [TEXT]}]}, ["messages[0].role"]),
        ({"messages": [{"role": "user", "content": SECRET}]}, ["messages[0].content"]),
        ({"messages": [*MESSAGES, {"role": "user", "content": []}]}, ["messages[1].content"]),
        (asks(SECRET), ["messages[0].content[0]"]),
        (asks({}), ["messages[0].content[0]"]),
        ({"system": SECRET}, ["system"]),
        ({"system": [SECRET]}, ["system[0]"]),
        ({"inference_config": {"maxTokens": 0}}, ["inferenceConfig.maxTokens"]),
        ({"inference_config": {"maxTokens": 1.5}}, ["inferenceConfig.maxTokens"]),
        (
            {"inference_config": {"temperature": 1.1, "topP": "1"}},
            ["inferenceConfig.temperature", "inferenceConfig.topP"],
        ),
        ({"additional_model_request_fields": [1]}, ["additionalModelRequestFields"]),
        ({"tool_config": {"tools": []}}, ["toolConfig.tools"]),
        ({"output_config": SECRET}, ["outputConfig"]),
        ({"extra_request_fields": SECRET}, ["extra_request_fields"]),
        ({"extra_request_fields": {"system": SECRET}}, ["system"]),
        ({"model_specific_config": {"a": SECRET}}, ["model_specific_config"]),
        ({"enable_extended_context": "yes"}, ["enable_extended_context"]),
        (
            {"system": [1], "extra_request_fields": 1, "model_specific_config": 1},
            ["extra_request_fields", "system[0]", "model_specific_config"],
        ),
    ],
)
def test_a_malformed_request_is_told_every_place(
    options: dict[str, Any], places: list[str]
) -> None:
    found = problems(**options)
    assert [sentence.split("`")[:2] for sentence in found] == [["", place] for place in places]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"system": [], "inference_config": {}, "tool_config": {}},
        {"messages": [], "prompt_variables": {"a": {"text": "b"}}},
        {"messages": [{"role": "system", "content": [TEXT]}, *MESSAGES]},
        {"inference_config": {"maxTokens": 1, "temperature": 0, "topP": 1.0}},
        {"system": [TEXT], "extra_request_fields": {"newMember": 1}},
        {"model_specific_config": ModelSpecificConfig(), "enable_extended_context": True},
    ],
)
def test_a_request_that_converse_takes_passes(options: dict[str, Any]) -> None:
    assert problems(**options) == []


@pytest.mark.parametrize(
    "block",
    [
        TEXT,
        {"image": {"format": "png", "source": {"bytes": b"x"}}},
        {"document": {"format": "pdf", "name": "a", "source": {"bytes": b"x"}}},
        {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://a/b"}}}},
        {"audio": {"format": "mp3", "source": {"bytes": b"x"}}},
        {"toolUse": {"toolUseId": "1", "name": "clock", "input": {}}},
        {"toolResult": {"toolUseId": "1", "content": [TEXT]}},
        {"guardContent": {"text": TEXT}},
        {"cachePoint": {"type": "default"}},
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
        {"citationsContent": {"content": [TEXT], "citations": []}},
        {"searchResult": {"source": "s", "title": "t", "content": [TEXT]}},
        {"somethingNew": {}},
    ],
    ids=lambda block: next(iter(block)),
)
def test_every_type_of_block_passes(block: dict[str, Any]) -> None:
    assert problems(**asks(TEXT, block)) == []


@pytest.mark.parametrize(
    "block", [{"cachePoint": {"type": "default"}}, {"guardContent": {"text": TEXT}}, {"new": {}}]
)
def test_every_type_of_system_block_passes(block: dict[str, Any]) -> None:
    assert problems(system=[TEXT, block]) == []


def test_a_reasoning_round_trip_passes() -> None:
    reasoning = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}
    answer = {"role": "assistant", "content": [reasoning, TEXT]}
    assert problems(messages=[*MESSAGES, answer, *MESSAGES]) == []


# Batches


def refused(requests: Any) -> RequestValidationError:
    with pytest.raises(RequestValidationError) as caught:
        VALIDATOR.validate_batch_requests(requests)
    assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.validation_errors}"
    return caught.value


def test_a_batch_of_proper_requests_passes_and_stays_as_it_is() -> None:
    requests = {"r1": request(), "r2": request("r2")}
    VALIDATOR.validate_batch_requests(list(requests.values()))
    VALIDATOR.validate_batch_requests(requests.values())  # type: ignore[arg-type]  # as ever
    assert requests == {"r1": request(), "r2": request("r2")}


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        ([], "empty"),
        ((), "empty"),
        (None, "list of `BedrockConverseRequest`, but is None"),
        (SECRET, "list of `BedrockConverseRequest`, but is of type str"),
        (SECRET.encode(), "list of `BedrockConverseRequest`, but is of type bytes"),
        ({"r1": SECRET}, "of type dict; `BedrockConverseRequest.from_dict` takes"),
        (request().to_dict(), "of type dict; `BedrockConverseRequest.from_dict` takes"),
        (request(), "put it into a list"),
        ((each for each in [request()]), "`iter_converse_parallel` takes generators"),
        (5, "is of type int"),
    ],
)
def test_what_is_no_list_of_requests_is_refused(requests: Any, words: str) -> None:
    assert words in str(refused(requests))
    with pytest.raises(RequestValidationError, match=words):
        VALIDATOR.validate_request_ids(requests)


def test_what_is_no_request_is_told_its_place() -> None:
    error = refused([request(), request().to_dict(), SECRET, request([]), None])
    assert error.get_validation_errors() == [
        (
            "`requests[1]` is of type dict; `BedrockConverseRequest.from_dict` takes dicts with "
            "`messages`"
        ),
        "`requests[2]` is of type str",
        "`requests[3].request_id` must be a string, but is of type list",
        "`requests[4]` is None",
    ]


def test_a_shared_id_is_refused_with_the_requests_that_have_it() -> None:
    one, other = request(messages=[]), request()
    for validate in (VALIDATOR.validate_request_ids, VALIDATOR.validate_batch_requests):
        with pytest.raises(RequestIdCollisionError, match="'r1'") as caught:
            validate([one, request("r2"), other])
        assert caught.value.get_duplicated_ids() == {"r1": [one, other]}


def test_ids_that_are_no_strings_are_compared_all_the_same() -> None:
    VALIDATOR.validate_batch_requests([request(1), request(2)])
    with pytest.raises(RequestIdCollisionError):
        VALIDATOR.validate_batch_requests([request(1), request(1)])


def test_equal_requests_without_ids_do_not_collide() -> None:
    VALIDATOR.validate_batch_requests([request(None) for _ in range(1000)])


def test_one_error_has_the_problems_of_all_requests() -> None:
    error = refused([request(messages=[SECRET]), request("r2"), request("r3", messages=[])])
    first, second = error.get_validation_errors()
    assert first.startswith("Request r1: `messages[0]` must be a dict")
    assert second.startswith("Request r3: `messages` is empty")
    assert "2 problems" in error.message
    assert error.details == {
        "request_id": None,
        "validation_error_count": 2,
        "validation_errors": [first, second],
    }


def test_the_text_of_the_error_stays_short_for_a_large_batch() -> None:
    error = refused([request(number, messages=[]) for number in range(1000)])
    assert error.get_validation_error_count() == 1000
    assert "1000 problems" in error.message
    assert len(str(error)) < 2000


# Single arguments


@pytest.mark.parametrize("wrong", [SECRET, 1, [], {"a"}])
@pytest.mark.parametrize(
    ("argument", "field"),
    [
        ("additional_model_request_fields", "additionalModelRequestFields"),
        ("enable_extended_context", "enable_extended_context"),
        ("model_specific_config", "model_specific_config"),
    ],
)
def test_an_argument_of_a_wrong_type_is_refused_by_name(
    argument: str, field: str, wrong: Any
) -> None:
    with pytest.raises(
        ArgumentError, match=f"`{field}` must be .*{type(wrong).__name__}"
    ) as caught:
        getattr(VALIDATOR, f"validate_{argument}")(wrong)
    assert caught.value.invalid_fields == [field]
    assert SECRET not in str(caught.value)


def test_no_flag_is_no_boolean() -> None:
    with pytest.raises(LLMManagerError, match="NoneType"):
        VALIDATOR.validate_enable_extended_context(None)


@pytest.mark.parametrize(
    ("argument", "right"),
    [
        ("additional_model_request_fields", None),
        ("additional_model_request_fields", {}),
        ("enable_extended_context", True),
        ("enable_extended_context", False),
        ("model_specific_config", None),
        ("model_specific_config", ModelSpecificConfig()),
    ],
)
def test_an_argument_of_the_right_type_passes(argument: str, right: Any) -> None:
    assert getattr(VALIDATOR, f"validate_{argument}")(right) is None
