"""Tests that a JSON Schema reaches the service in the form that it takes."""

from __future__ import annotations

import copy
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ParamValidationError
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.exceptions import RequestValidationError
from bestehorn_llmmanager.bedrock.models.structured_output import (
    build_json_schema_output_config,
    to_wire_output_config,
)

if TYPE_CHECKING:
    from bestehorn_llmmanager.testing import LocalBedrock

SCHEMA: dict[str, Any] = {
    "title": "Person (v1)",
    "description": "Whö it is",
    "type": "object",
    "properties": {"name": {"type": "string"}},
}


def wire(schema: dict[str, Any]) -> dict[str, Any]:
    config = to_wire_output_config(build_json_schema_output_config(schema))
    definition: dict[str, Any] = config["textFormat"]["structure"]["jsonSchema"]
    return definition


def test_a_schema_is_wrapped_as_ever() -> None:
    config = build_json_schema_output_config(SCHEMA)
    assert config == {"textFormat": {"type": "json_schema", "structure": SCHEMA}}
    assert config["textFormat"]["structure"] is SCHEMA


@pytest.mark.parametrize(
    ("schema", "named"),
    [({}, "empty"), (None, "NoneType"), ("{}", "str"), ([1], "list"), ([], "list")],
)
def test_what_is_no_schema_is_refused(schema: Any, named: str) -> None:
    with pytest.raises(RequestValidationError, match=named) as caught:
        build_json_schema_output_config(schema)
    assert caught.value.invalid_fields == ["schema"]


def test_the_wire_has_the_schema_as_text_with_its_name_and_description() -> None:
    config = {**build_json_schema_output_config(SCHEMA), "effort": "low"}
    before = copy.deepcopy(config)
    assert to_wire_output_config(config) == {
        "textFormat": {
            "type": "json_schema",
            "structure": {
                "jsonSchema": {
                    "schema": json.dumps(SCHEMA, ensure_ascii=False, separators=(",", ":")),
                    "name": "Person_v1",
                    "description": "Whö it is",
                }
            },
        },
        "effort": "low",
    }
    assert config == before


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({}, {}),
        ({"title": ""}, {}),
        ({"title": "§ §"}, {}),
        ({"title": 7, "description": ["x"]}, {}),
        ({"title": "a" * 70}, {"name": "a" * 64}),
        ({"title": "my-Name_1"}, {"name": "my-Name_1"}),
        ({"description": ""}, {}),
    ],
)
def test_only_a_usable_title_becomes_a_name(
    extra: dict[str, Any], expected: dict[str, Any]
) -> None:
    definition = wire({"type": "object", **extra})
    del definition["schema"]
    assert definition == expected


@pytest.mark.parametrize(
    "config",
    [
        {"effort": "low"},
        {},
        {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{}"}}}},
        {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"name": "x"}}}},
        {"textFormat": {"type": "json_schema"}},
        {"textFormat": None},
        None,
        "text",
    ],
)
def test_what_needs_no_translation_is_the_same_object(config: Any) -> None:
    assert to_wire_output_config(config) is config


def test_a_schema_in_the_right_place_but_not_as_text_becomes_text() -> None:
    given = {"jsonSchema": {"schema": {"type": "object"}, "name": "x"}}
    config = to_wire_output_config({"textFormat": {"type": "json_schema", "structure": given}})
    assert config["textFormat"]["structure"] == {
        "jsonSchema": {"schema": '{"type":"object"}', "name": "x"}
    }


ENDLESS: dict[str, Any] = {"type": "object"}
ENDLESS["properties"] = {"self": ENDLESS}
DEEP: dict[str, Any] = {}
for _ in range(100_000):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize(
    ("schema", "place", "reason"),
    [
        ({"enum": [1, {"secret"}]}, "textFormat.structure.enum[1]", "a set"),
        ({"a": {"b": b"secret"}}, "textFormat.structure.a.b", "a bytes"),
        ({"maximum": float("nan")}, "textFormat.structure.maximum", "NaN"),
        ({"a": {("secret", 1): 2}}, "textFormat.structure.a", "a key of type tuple"),
        ({"pattern": object()}, "textFormat.structure.pattern", "a object"),
        (ENDLESS, "textFormat.structure.properties.self", "contains itself"),
    ],
)
def test_a_schema_that_is_no_json_is_refused_at_its_place_and_not_quoted(
    schema: dict[str, Any], place: str, reason: str
) -> None:
    with pytest.raises(RequestValidationError) as caught:
        wire(schema)
    assert caught.value.invalid_fields == [place]
    assert f"`{place}`" in caught.value.message
    assert reason in caught.value.message
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_schema_that_is_too_deep_is_refused() -> None:
    with pytest.raises(RequestValidationError, match="100 levels"):
        wire(DEEP)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON, min_size=1))
def test_law_the_text_is_the_schema_and_translating_twice_changes_nothing(
    schema: dict[str, Any],
) -> None:
    before = copy.deepcopy(schema)
    config = to_wire_output_config({"textFormat": {"type": "json_schema", "structure": schema}})
    if config["textFormat"]["structure"] is not schema:
        assert json.loads(config["textFormat"]["structure"]["jsonSchema"]["schema"]) == schema
    assert to_wire_output_config(config) is config
    assert schema == before


def test_the_service_model_takes_the_translated_form_only(bedrock: LocalBedrock) -> None:
    config = build_json_schema_output_config(SCHEMA)
    request: dict[str, Any] = {
        "modelId": "amazon.nova-lite-v1:0",
        "messages": [{"role": "user", "content": [{"text": "hi"}]}],
    }
    with closing(boto3.client("bedrock-runtime", region_name="us-east-1")) as client:
        if (
            "outputConfig"
            not in client.meta.service_model.operation_model("Converse").input_shape.members
        ):
            pytest.skip("this botocore does not know `outputConfig`")
        with pytest.raises(ParamValidationError):
            client.converse(outputConfig=config, **request)
        answer = client.converse(outputConfig=to_wire_output_config(config), **request)
    assert answer["output"]
