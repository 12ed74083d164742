"""Wants an answer that follows a JSON Schema, and falls back to asking nicely."""

# ruff: noqa: T201

import copy
import json
from typing import Any

from bestehorn_llmmanager import LLMManager, build_json_schema_output_config, create_user_message
from bestehorn_llmmanager.bedrock.exceptions import LLMManagerError, RequestValidationError

SCHEMA: dict[str, Any] = {
    "title": "Person",
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}

manager = LLMManager(models=["Nova Lite"], regions=["us-east-1"])
messages = [create_user_message().add_text("Ada Lovelace, in 1843.").build()]
output_config = build_json_schema_output_config(SCHEMA)
before = copy.deepcopy(output_config)

try:
    response = manager.converse(messages=messages, output_config=output_config)
    failure = None
except LLMManagerError as error:
    failure = type(error).__name__
    response = manager.converse(messages=messages, system=[{"text": "Answer in JSON."}])

try:
    build_json_schema_output_config({})
    refused = None
except RequestValidationError as error:
    refused = type(error).__name__

print(
    json.dumps(
        {
            "config": before,
            "config_untouched": output_config == before,
            "failure": failure,
            "person": response.get_structured_output(),
            "content": response.get_content(),
            "empty_schema": refused,
        }
    )
)
