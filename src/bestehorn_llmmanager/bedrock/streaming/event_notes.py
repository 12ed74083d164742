"""Writes into a response what an event says beside text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.models.response_accessors import read_token_counts

if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.models.streaming_response import StreamingResponse


def note_event(response: StreamingResponse, kind: str, content: dict[str, Any]) -> None:
    """Take note of one event; what is unknown, or of another shape, leaves no note."""
    match kind:
        case "messageStart":
            response.current_message_role = content.get("role")
        case "contentBlockDelta" if isinstance(content.get("delta"), dict):
            _note_delta(response, content["delta"])
        case "messageStop":
            response.stop_reason = content.get("stopReason")
            response.additional_model_response_fields = content.get("additionalModelResponseFields")
        case "metadata":
            _note_metadata(response, content)


def _note_delta(response: StreamingResponse, delta: dict[str, Any]) -> None:
    citation, reasoning = delta.get("citation"), delta.get("reasoningContent")
    if isinstance(citation, dict):
        response.citation_blocks.append(citation)
    if not isinstance(reasoning, dict):
        return
    text = reasoning.get("text")
    if text and isinstance(text, str):
        response.reasoning_text_parts.append(text)
    if reasoning.get("signature"):
        response.reasoning_signature = reasoning["signature"]
    if reasoning.get("redactedContent"):
        response.reasoning_redacted_content = reasoning["redactedContent"]


def _note_metadata(response: StreamingResponse, metadata: dict[str, Any]) -> None:
    usage, metrics = metadata.get("usage"), metadata.get("metrics")
    if isinstance(usage, dict):
        counts: dict[str, Any] = dict(read_token_counts(usage))
        response.usage_info = {**counts, "cache_details": usage.get("cacheDetails") or []}
    if isinstance(metrics, dict):
        response.metrics_info = metrics
        response.api_latency_ms = metrics.get("latencyMs")
    response.trace_info = metadata.get("trace")
    response.performance_config = metadata.get("performanceConfig")
    response.service_tier = metadata.get("serviceTier")
