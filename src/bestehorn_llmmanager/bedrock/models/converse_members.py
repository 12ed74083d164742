"""Names the members of a Converse request as the arguments of `LLMManager.converse` do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MEMBERS = {
    "messages": "messages",
    "system": "system",
    "inference_config": "inferenceConfig",
    "additional_model_request_fields": "additionalModelRequestFields",
    "additional_model_response_field_paths": "additionalModelResponseFieldPaths",
    "guardrail_config": "guardrailConfig",
    "tool_config": "toolConfig",
    "request_metadata": "requestMetadata",
    "prompt_variables": "promptVariables",
    "output_config": "outputConfig",
    "performance_config": "performanceConfig",
    "service_tier": "serviceTier",
}


def members_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The members that say something: empty lists and dicts are not sent."""
    return {member: value for name, member in MEMBERS.items() if (value := arguments.get(name))}
