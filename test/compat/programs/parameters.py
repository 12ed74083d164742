"""Passes on what only some models know, and goes on where one does not know it."""

# ruff: noqa: T201

import json
from typing import Any

from bestehorn_llmmanager import (
    LLMManager,
    ModelSpecificConfig,
    ParameterCompatibilityTracker,
    create_user_message,
)
from bestehorn_llmmanager.bedrock.exceptions import RetryExhaustedError

messages = [create_user_message().add_text("Surprise me.").build()]
FIELDS = {"inferenceConfig": {"topK": 20}, "flavour": "mild"}


def ask(manager: LLMManager, **options: Any) -> dict[str, Any]:
    try:
        response = manager.converse(messages=messages, **options)
    except RetryExhaustedError as error:
        return {"exhausted": error.attempts_made}
    return {
        "content": response.get_content(),
        "attempts": response.get_attempt_count(),
        "warnings": len(response.get_warnings()),
        "removed": response.parameters_removed,
        "had_removed": response.had_parameters_removed(),
        "original": response.original_additional_fields,
        "final": response.final_additional_fields,
    }


nova = LLMManager(models=["Nova Lite"], regions=["us-east-1"])
sonnet = LLMManager(models=["Claude Sonnet 4 20250514"], regions=["us-east-1"])
facts = {
    "long context": ask(sonnet, enable_extended_context=True),
    "custom": ask(
        sonnet,
        model_specific_config=ModelSpecificConfig(custom_fields={"top_k": 5}),
        additional_model_request_fields={"top_k": 7, "other": 1},
    ),
    "extra": ask(
        nova,
        performance_config={"latency": "optimized"},
        service_tier={"type": "flex"},
        request_metadata={"team": "a"},
        extra_request_fields={"inferenceConfig": {"maxTokens": 7}},
    ),
    "refused": ask(nova, additional_model_request_fields=FIELDS),
    "refused again": ask(nova, additional_model_request_fields=FIELDS),
}
statistics = ParameterCompatibilityTracker.get_instance().get_statistics()
facts["tracked"] = {name: statistics[name] for name in ("incompatible_count", "regions_tracked")}
print(json.dumps(facts))
