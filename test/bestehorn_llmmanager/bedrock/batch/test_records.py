"""Tests that a record is what Converse would be sent, and that its answer is read back as Converse's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.loaders import create_loader
from botocore.model import ServiceModel, ShapeResolver
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager import LLMManager
from bestehorn_llmmanager.bedrock.batch.records import (
    Wire,
    line_of,
    number_of,
    read_line,
    record_id,
    request_of,
    with_bytes,
)
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.exceptions import RequestValidationError
from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig
from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from bestehorn_llmmanager.bedrock.batch import BatchInference
    from bestehorn_llmmanager.testing import LocalBedrock

RUNTIME = ServiceModel(create_loader().load_service_model("bedrock-runtime", "service-2"))
CONVERSE = RUNTIME.operation_model("Converse")
PNG = {"image": {"format": "png", "source": {"bytes": b"\x89PNG\x00\xff"}}}
PDF = {"document": {"name": "a_b  c", "format": "pdf", "source": {"bytes": b"%PDF-\xff"}}}


def rich_request(**options: Any) -> BedrockConverseRequest:
    given: dict[str, Any] = {
        "messages": [
            {"role": "user", "content": [{"text": "Ünïcode\n\u2028 and \x00"}, PNG, PDF]},
            {"role": "assistant", "content": [{"text": "Well"}]},
            {"role": "user", "content": [{"text": "Go on"}]},
        ],
        "system": [{"text": "Be short."}],
        "inference_config": {"maxTokens": 10, "temperature": 0.5},
        "additional_model_request_fields": {"top_k": 5, "deep": [{"a": None, "b": 1.5}]},
        "additional_model_response_field_paths": ["/a"],
        "request_metadata": {"k": "v"},
        "request_id": "rich",
    }
    return BedrockConverseRequest(**{**given, **options})


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="as it is"),
        pytest.param(
            {"model_specific_config": ModelSpecificConfig(custom_fields={"top_k": 7, "x": 1})},
            id="with fields of the model",
        ),
        pytest.param({"enable_extended_context": True}, id="with the long context"),
        pytest.param({"extra_request_fields": {"system": [{"text": "No."}]}}, id="with extras"),
    ],
)
@pytest.mark.parametrize("model", ["Nova Lite", "Claude Sonnet 4"])
def test_a_record_is_what_the_manager_sends_online(
    bedrock: LocalBedrock,
    s3: Any,
    bucket: str,
    make_batch: Callable[..., BatchInference],
    model: str,
    options: dict[str, Any],
) -> None:
    common: dict[str, Any] = {
        "default_inference_config": {"topP": 0.5, "maxTokens": 99},
        "catalog_cache_mode": CacheMode.NONE,
        "catalog_refresh": "never",
    }
    job = make_batch(model, **common).submit([rich_request(**options)])
    manager = LLMManager([model], ["us-east-1"], **common)
    manager.converse_with_request(rich_request(**options))
    (online,) = [each for each in bedrock.requests if each.operation == "Converse"]
    described = bedrock.client("bedrock").get_model_invocation_job(jobIdentifier=job.job_arns[0])
    uri = described["inputDataConfig"]["s3InputDataConfig"]["s3Uri"]
    content = s3.get_object(Bucket=bucket, Key=uri.partition(bucket)[2][1:])["Body"].read()
    assert json.loads(content) == {"recordId": "R0000000001", "modelInput": online.body}
    assert described["modelId"] == online.model_id


@given(st.integers(1, 10**10 - 1))
def test_record_ids_are_eleven_letters_and_digits_that_can_be_read(number: int) -> None:
    name = record_id(number)
    assert len(name) == 11
    assert name.isalnum()
    assert number_of(name) == number


@pytest.mark.parametrize("name", ["", "R", "CALL0000001", "R-1", "R1.5", None, 5, "R\u0661"])
def test_ids_of_others_have_no_number(name: object) -> None:
    assert number_of(name) is None


def test_what_botocore_does_not_know_is_named_and_not_quoted() -> None:
    members = {"messages": [{"role": "user", "content": [{"secrets": "my secret"}]}]}
    with pytest.raises(RequestValidationError) as caught:
        Wire(RUNTIME).body(members)
    assert "messages[0].content[0]" in str(caught.value)
    assert "my secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


ANSWER = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"text": "AAAA"},
                {"reasoningContent": {"redactedContent": b"\x00\x01"}},
                {"image": {"format": "png", "source": {"bytes": b"\xff"}}},
                {"toolUse": {"toolUseId": "t", "name": "n", "input": {"bytes": "AAAA"}}},
                {"newBlock": {"bytes": "AAAA"}},
            ],
        }
    },
    "stopReason": "end_turn",
    "newMember": ["AAAA"],
}


needs_todays_converse = pytest.mark.skipif(
    "serviceTier" not in CONVERSE.input_shape.members,
    reason="The installed botocore does not know all that these requests and answers have",
)


@needs_todays_converse
def test_blobs_of_an_answer_are_bytes_and_all_else_stays() -> None:
    wire = json.loads(json.dumps(ANSWER, default=lambda blob: {2: "AAE=", 1: "/w=="}[len(blob)]))
    assert with_bytes(wire, CONVERSE.output_shape) == ANSWER


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just("AAAA"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["output", "message", "content", "image", "source", "bytes", "x"]),
            inner,
            max_size=3,
        )
    ),
)


@given(json_values)
def test_free_json_stays_as_it_is(value: Any) -> None:
    block = {"toolUse": {"toolUseId": "t", "name": "n", "input": value}}
    answer = {
        "output": {"message": {"role": "assistant", "content": [block]}},
        "additionalModelResponseFields": value,
    }
    assert with_bytes(answer, CONVERSE.output_shape) == answer


def test_free_json_stays_as_it_is_even_where_a_model_of_the_service_says_what_may_be_in_it() -> (
    None
):
    blob_inside = {"type": "structure", "members": {"bytes": {"shape": "Blob"}}}
    shapes = ShapeResolver(
        {
            "Document": {**blob_inside, "document": True},
            "Structure": blob_inside,
            "Blob": {"type": "blob"},
        }
    )
    value = {"bytes": "AAAA"}
    assert with_bytes(value, shapes.get_shape_by_name("Structure")) == {"bytes": b"\0\0\0"}
    assert with_bytes(value, shapes.get_shape_by_name("Document")) == value


@given(json_values)
def test_no_answer_breaks_the_reading(value: Any) -> None:
    with_bytes(value, CONVERSE.output_shape)
    request_of("q", value, CONVERSE.input_shape)


@needs_todays_converse
def test_a_request_comes_back_from_its_record() -> None:
    arguments = rich_request().to_converse_args()
    members = {
        "messages": arguments["messages"],
        "system": arguments["system"],
        "inferenceConfig": arguments["inference_config"],
        "additionalModelRequestFields": arguments["additional_model_request_fields"],
        "additionalModelResponseFieldPaths": arguments["additional_model_response_field_paths"],
        "requestMetadata": arguments["request_metadata"],
    }
    record = read_line(line_of(1, Wire(RUNTIME).body(members)))
    assert record is not None
    assert request_of("rich", record.sent, CONVERSE.input_shape) == rich_request()


def test_members_that_are_not_known_come_back_as_extras() -> None:
    sent = {"messages": [], "somethingNew": {"a": 1}}
    request = request_of("q", sent, CONVERSE.input_shape)
    assert request is not None
    assert request.extra_request_fields == {"somethingNew": {"a": 1}}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"modelOutput": {}}',
        b"\xff\xfe",
        b'{"recordId": ' + b"[" * 200_000,
    ],
)
def test_what_is_no_record_is_none(line: bytes) -> None:
    assert read_line(line) is None


def test_a_record_shows_nothing_but_its_id() -> None:
    wire = {
        "recordId": "a",
        "modelInput": "secret",
        "modelOutput": {"secret": 1},
        "error": {"x": "secret"},
    }
    assert repr(read_line(json.dumps(wire).encode())) == "Record(record_id='a')"


@pytest.mark.parametrize("wrong", ["text", ["a"], None, 5])
def test_an_answer_of_another_shape_is_none(wrong: object) -> None:
    line = json.dumps({"recordId": "a", "modelOutput": wrong, "error": wrong}).encode()
    record = read_line(line)
    assert record is not None
    assert (record.answer, record.error) == (None, None)
