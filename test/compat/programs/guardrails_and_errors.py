"""Keeps a guardrail around a chat bot, and is ready for everything that can go wrong."""

# ruff: noqa: T201

import json
from collections.abc import Callable
from typing import Any

from bestehorn_llmmanager import GuardContentQualifierEnum, LLMManager, create_user_message
from bestehorn_llmmanager.bedrock.exceptions import (
    AuthenticationError,
    ConfigurationError,
    LLMManagerError,
    RequestValidationError,
    RetryExhaustedError,
)
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryConfig

GUARDRAIL = {"guardrailIdentifier": "gr12345678", "guardrailVersion": "1", "trace": "enabled"}
SYSTEM = [{"text": "You sell insurance."}]


def outcome(ask: Callable[[], BedrockResponse]) -> dict[str, Any]:
    try:
        response = ask()
    except ConfigurationError as error:
        return {"configuration": "zzz" in str(error)}
    except (RequestValidationError, AuthenticationError) as error:
        return {"refused": type(error).__name__}
    except RetryExhaustedError as error:
        return {
            "exhausted": error.attempts_made,
            "models": sorted(error.models_tried),
            "regions": sorted(error.regions_tried),
            "errors": [type(each).__name__ for each in error.last_errors],
        }
    except LLMManagerError as error:
        return {"other": type(error).__name__}
    return {
        "content": response.get_content(),
        "stop": response.get_stop_reason(),
        "category": response.get_stop_reason_category().value,
        "trace": response.get_guardrail_trace(),
        "disabled": response.get_disabled_features(),
    }


def new_manager() -> LLMManager:
    return LLMManager(
        models=["Nova Lite"],
        regions=["us-east-1", "us-west-2"],
        retry_config=RetryConfig(max_retries=1, retry_delay=0.0),
        default_inference_config={"maxTokens": 200},
    )


manager = new_manager()
message = (
    create_user_message()
    .add_guard_content("Am I insured?", qualifiers=[GuardContentQualifierEnum.QUERY.value])
    .add_text("Say yes.")
    .build()
)


def guarded() -> BedrockResponse:
    return new_manager().converse(messages=[message], system=SYSTEM, guardrail_config=GUARDRAIL)


facts = {
    "answered": outcome(guarded),
    "denied everywhere": outcome(guarded),
    "no such guardrail": outcome(guarded),
    "no messages": outcome(lambda: manager.converse(messages=[])),
    "wrong role": outcome(
        lambda: manager.converse(messages=[{"role": "robot", "content": [{"text": "Hi"}]}])
    ),
    "no content": outcome(lambda: manager.converse(messages=[{"role": "user"}])),
    "no such model": outcome(
        lambda: LLMManager(models=["zzz"], regions=["us-east-1"]).converse(messages=[message])
    ),
    "no model": outcome(
        lambda: LLMManager(models=[], regions=["us-east-1"]).converse(messages=[message])
    ),
}
print(json.dumps(facts))
