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


# Every name that stands somewhere in a request: whatever else does is the caller's.
_NAMES = (
    "additionalModelRequestFields additionalModelResponseFieldPaths any audio auto "
    "bucketOwner bytes cachePoint citations citationsContent content context "
    "description document effort enabled format guardContent guardrailConfig "
    "guardrailIdentifier guardrailVersion image inferenceConfig input inputSchema "
    "json jsonSchema latency maxTokens messages modelId name outputConfig "
    "performanceConfig promptVariables reasoningContent reasoningText redactedContent "
    "requestMetadata role s3Location schema searchResult serviceTier signature source "
    "status stopSequences streamProcessingMode strict structure system systemTool "
    "temperature text textFormat title tool toolAddition toolChoice toolConfig "
    "toolRemoval toolResult toolSpec toolUse toolUseId tools topP trace ttl type uri "
    "video "
)
MEMBER_NAMES = frozenset(_NAMES.split())

# Members that the oldest supported botocore does not know, with one that does. Compared with the
# service models of botocore's wheels; some are a few releases older.
KNOWN_SINCE = {
    "promptVariables": "1.35.56",
    "performanceConfig": "1.35.74",
    "requestMetadata": "1.35.74",
    "video": "1.35.74",
    "reasoningContent": "1.37.0",
    "cachePoint": "1.37.29",
    "citations": "1.39.0",
    "citationsContent": "1.39.0",
    "systemTool": "1.40.64",
    "searchResult": "1.41.0",
    "serviceTier": "1.41.0",
    "audio": "1.42.1",
    "outputConfig": "1.42.45",
    "strict": "1.42.45",
    "ttl": "1.42.45",
    "effort": "1.44.5",
    "toolAddition": "1.44.5",
    "toolRemoval": "1.44.5",
}
