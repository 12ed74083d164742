"""Lists two models and two regions, and wants an answer from whichever of them is up."""

# ruff: noqa: T201

import json
from typing import Any

from bestehorn_llmmanager import Boto3Config, LLMManager, create_user_message
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryConfig, RetryStrategy


def story(response: BedrockResponse) -> dict[str, Any]:
    error = response.get_last_error()
    return {
        "content": response.get_content(),
        "model": response.model_used,
        "region": response.region_used,
        "profile": response.get_profile_id(),
        "attempts": [
            {
                "number": attempt.attempt_number,
                "model": attempt.model_id,
                "region": attempt.region,
                "method": attempt.access_method,
                "success": attempt.success,
                "error": type(attempt.error).__name__ if attempt.error else None,
                "timed": (attempt.duration_ms or 0) > 0,
            }
            for attempt in response.attempts
        ],
        "last_error": type(error).__name__ if error else None,
        "errors": len(response.get_all_errors()),
    }


def ask(strategy: RetryStrategy) -> dict[str, Any]:
    manager = LLMManager(
        models=["Claude Haiku 4.5", "Nova Lite"],
        regions=["us-east-1", "us-west-2"],
        retry_config=RetryConfig(max_retries=1, retry_delay=0.0, retry_strategy=strategy),
        boto3_config=Boto3Config(read_timeout=30, retries_max_attempts=0),
    )
    message = create_user_message().add_text("Is anybody there?").build()
    return {
        "answer": story(manager.converse(messages=[message])),
        "stats": manager.get_retry_stats(),
    }


print(json.dumps({strategy.value: ask(strategy) for strategy in RetryStrategy}))
