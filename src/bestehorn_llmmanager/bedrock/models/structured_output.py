"""Builds the part of a request that makes a model answer in JSON of a given schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import RequestValidationError

_LONGEST_NAME = 64


def build_json_schema_output_config(schema: dict[str, Any]) -> dict[str, Any]:
    """What to pass as `output_config` so that the answer follows `schema`.

    Args:
        schema: A JSON Schema. Its ``title`` and ``description`` are sent along as name and
            description. It is not copied.

    Raises:
        RequestValidationError: `schema` is not a non-empty dict.
    """
    if not isinstance(schema, dict) or not schema:
        raise RequestValidationError(
            "`schema` must be a non-empty dict with a JSON Schema, got "
            f"{'an empty one' if schema == {} else type(schema).__name__}",
            invalid_fields=["schema"],
        )
    return {"textFormat": {"type": "json_schema", "structure": schema}}


def to_wire_output_config(output_config: dict[str, Any]) -> dict[str, Any]:
    """Turn a JSON Schema under ``textFormat.structure`` into the form that Converse takes.

    Whatever has that form already, or no schema, comes back as the same object. The argument is
    not modified.

    Raises:
        RequestValidationError: The schema cannot be written as JSON; `invalid_fields` has the
            place.

    Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_JsonSchemaDefinition.html
    """
    text_format = output_config.get("textFormat") if isinstance(output_config, Mapping) else None
    structure = text_format.get("structure") if isinstance(text_format, Mapping) else None
    if not text_format or not isinstance(structure, Mapping):
        return output_config
    definition = _definition(structure)
    if definition is None:
        return output_config
    wire_format = {**text_format, "structure": {"jsonSchema": definition}}
    return {**output_config, "textFormat": wire_format}


def _definition(structure: Mapping[str, Any]) -> dict[str, Any] | None:
    """The service's `JsonSchemaDefinition`, None where there already is one."""
    given = structure.get("jsonSchema")
    if not isinstance(given, Mapping):
        return _described(structure)
    if isinstance(given.get("schema"), Mapping):
        return {**given, "schema": _json_text(given["schema"])}
    return None


def _described(schema: Mapping[str, Any]) -> dict[str, Any]:
    definition = {"schema": _json_text(schema)}
    title, description = schema.get("title"), schema.get("description")
    if isinstance(title, str):
        # The service documents no characters; those of a tool's name are taken everywhere.
        name = re.sub(r"[^a-zA-Z0-9_-]+", "_", title).strip("_")[:_LONGEST_NAME]
        if name:
            definition["name"] = name
    if isinstance(description, str) and description:
        definition["description"] = description
    return definition


def _json_text(schema: Mapping[str, Any]) -> str:
    try:
        return json.dumps(schema, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        pass
    place, reason = _first_problem(schema, "textFormat.structure", ())
    # Without the cause: it may quote what stands there.
    raise RequestValidationError(
        f"The JSON Schema in `output_config` cannot be written as JSON: {reason} at `{place}`",
        invalid_fields=[place],
    )


def _first_problem(value: Any, place: str, above: tuple[int, ...]) -> tuple[str, str]:
    """Where the first value stands that JSON does not have, and what is wrong with it."""
    if id(value) in above:
        return place, "a value that contains itself"
    if len(above) > _DEEPEST:
        return place, "more than 100 levels"
    for key, child in _children(value):
        if not isinstance(key, (str, int, float, bool, type(None))):
            return place, f"a key of type {type(key).__name__}"
        if not _is_json(child):
            within = f"{place}.{key}" if isinstance(value, dict) else f"{place}[{key}]"
            return _first_problem(child, within, (*above, id(value)))
    is_number = isinstance(value, float)
    return place, "an infinite number or NaN" if is_number else f"a {type(value).__name__}"


_DEEPEST = 100


def _children(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, (list, tuple)) else []


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
