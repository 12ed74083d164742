"""Accepts an answer only if it is the JSON that was asked for."""

# ruff: noqa: T201

import json
from typing import Any

from bestehorn_llmmanager import LLMManager, create_user_message
from bestehorn_llmmanager.bedrock.exceptions import RetryExhaustedError
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    ResponseValidationConfig,
    RetryConfig,
    ValidationResult,
)


def is_json(response: BedrockResponse) -> ValidationResult:
    if response.get_structured_output() is None:
        return ValidationResult(
            success=False, error_message="no JSON", error_details={"wanted": "object"}
        )
    return ValidationResult(success=True)


def is_long(response: BedrockResponse) -> ValidationResult:
    if len(response.get_content() or "") < 1000:
        raise ValueError("too short")
    return ValidationResult(success=True)


manager = LLMManager(
    models=["Nova Lite"],
    regions=["us-east-1", "us-west-2"],
    retry_config=RetryConfig(max_retries=0, retry_delay=0.0),
)
messages = [create_user_message().add_text("Three primes, as JSON.").build()]
facts: dict[str, Any] = {}

response = manager.converse(
    messages=messages,
    response_validation_config=ResponseValidationConfig(
        response_validation_function=is_json, response_validation_retries=2
    ),
)
facts["good"] = {
    "output": response.get_structured_output(),
    "region": response.region_used,
    "attempts": response.get_attempt_count(),
    "failures": response.had_validation_failures(),
    "validations": response.get_validation_attempt_count(),
    "errors": response.get_validation_errors(),
    "last_error": response.get_last_validation_error(),
    "metrics": response.get_validation_metrics(),
}

try:
    manager.converse(
        messages=messages,
        response_validation_config=ResponseValidationConfig(
            response_validation_function=is_long, response_validation_retries=1
        ),
    )
except RetryExhaustedError as error:
    facts["bad"] = {
        "attempts": error.attempts_made,
        "regions": sorted(error.regions_tried),
        "errors": len(error.last_errors),
    }

print(json.dumps(facts))
