"""Holds the answer to a request, read through accessors that no shape of it can break."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager._lazy import lazy_names
from bestehorn_llmmanager.bedrock.models import reading
from bestehorn_llmmanager.bedrock.models.attempt_record import AttemptRecord
from bestehorn_llmmanager.bedrock.models.cache_detail import CacheDetail
from bestehorn_llmmanager.bedrock.models.citation import Citation
from bestehorn_llmmanager.bedrock.models.content_block_types import ResponseContentType
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    RequestAttempt,
    ValidationAttempt,
    ValidationResult,
)
from bestehorn_llmmanager.bedrock.models.reasoning_content import ReasoningContent
from bestehorn_llmmanager.bedrock.models.response_accessors import (
    OriginAccessors,
    TokenAccessors,
    dicts_under,
    read_token_counts,
)
from bestehorn_llmmanager.bedrock.models.stop_reason import StopReasonClassifier
from bestehorn_llmmanager.bedrock.models.tool_use import ToolUse

if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.models.stop_reason import StopReasonCategory
    from bestehorn_llmmanager.bedrock.models.streaming_response import StreamingResponse

__all__ = ["BedrockResponse", "StreamingResponse"]

_RECORD_MEMBERS = frozenset(each.name for each in fields(AttemptRecord))


@dataclass(repr=False)
class BedrockResponse(OriginAccessors, TokenAccessors):
    """The answer to one request with the story of how it was got.

    The accessors of the answer give None, 0, False or an empty list, and never raise, where the
    request failed or `response_data` is not of the shape that the API documents.

    Attributes:
        response_data: What boto3 returned, unchanged.
        model_used: The model as the caller wrote it.
        access_method_used: One of `AccessMethodPreferenceNames`.
        attempts: One entry per target that was asked.
        features_disabled: What the request asked for and the model could not give.
        validation_errors: The verdicts of refused responses, as dicts.
        parameters_removed: Names of additional request fields that were left out.
        original_additional_fields: What was asked for, where fields were left out.
        final_additional_fields: What was sent, where fields were left out.
        model_id_used: The model id or profile id that was sent.
        attempt_log: Every single sending, with what was decided after it.
    """

    success: bool
    response_data: dict[str, Any] | None = None
    model_used: str | None = None
    region_used: str | None = None
    access_method_used: str | None = None
    inference_profile_used: bool = False
    inference_profile_id: str | None = None
    attempts: list[RequestAttempt] = field(default_factory=list)
    total_duration_ms: float | None = None
    api_latency_ms: float | None = None
    warnings: list[str] = field(default_factory=list)
    features_disabled: list[str] = field(default_factory=list)
    validation_attempts: list[ValidationAttempt] = field(default_factory=list)
    validation_errors: list[dict[str, Any]] = field(default_factory=list)
    parameters_removed: list[str] | None = None
    original_additional_fields: dict[str, Any] | None = None
    final_additional_fields: dict[str, Any] | None = None
    model_id_used: str | None = None
    attempt_log: list[Any] = field(default_factory=list)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # What 0.9.0 pickled has none of these.
        vars(self).update({"attempt_log": [], **state})

    def __repr__(self) -> str:
        status = "SUCCESS" if self.success else "FAILED"
        return (
            f"BedrockResponse(status={status}, model={self.model_used}, "
            f"region={self.region_used}, attempts={len(self.attempts)})"
        )

    def _repr_html_(self) -> str:
        from bestehorn_llmmanager._html.response import (  # noqa: PLC0415  (for notebooks alone)
            response_html,
        )

        return response_html(self)

    def _data(self) -> Mapping[str, Any] | None:
        data: object = self.response_data
        return data if self.success and data and isinstance(data, Mapping) else None

    def _at(self, *path: str) -> Any:
        value: Any = self._data()
        for key in path:
            if not isinstance(value, Mapping):
                return None
            value = value.get(key)
        return value

    def _payloads(self, kind: ResponseContentType) -> list[Any]:
        return [block[kind.value] for block in self.get_content_blocks_by_type(kind)]

    # The answer

    def get_content_blocks(self) -> list[Any] | None:
        """All blocks of the message, as a new list."""
        blocks = self._at("output", "message", "content")
        return list(blocks) if isinstance(blocks, list) else None

    def get_content_blocks_by_type(
        self, content_type: ResponseContentType | str
    ) -> list[dict[str, Any]]:
        """The whole blocks of one type; a type that is not known selects the unknown ones."""
        try:
            wanted = ResponseContentType(content_type)
        except ValueError:
            wanted = ResponseContentType.UNKNOWN
        return [
            block
            for block in self.get_content_blocks() or ()
            if isinstance(block, dict) and ResponseContentType.from_block(block) is wanted
        ]

    def get_text_blocks(self) -> list[str]:
        """The text of each text block."""
        return [t for t in self._payloads(ResponseContentType.TEXT) if isinstance(t, str)]

    def get_image_blocks(self) -> list[dict[str, Any]]:
        """The payload (``format``, ``source``) of each image block."""
        return [i for i in self._payloads(ResponseContentType.IMAGE) if isinstance(i, dict)]

    def get_tool_uses(self) -> list[ToolUse]:
        """The tool calls that the model asks for."""
        return [
            ToolUse.from_tool_use_block(payload)
            for payload in self._payloads(ResponseContentType.TOOL_USE)
            if isinstance(payload, dict)
        ]

    def has_tool_use(self) -> bool:
        """Whether the model asks for a tool, in a block or by its stop reason."""
        blocks = self.get_content_blocks_by_type(ResponseContentType.TOOL_USE)
        return bool(blocks) or self.get_stop_reason() == "tool_use"

    def get_reasoning(self) -> ReasoningContent | None:
        """The first reasoning block."""
        for payload in self._payloads(ResponseContentType.REASONING_CONTENT):
            if isinstance(payload, dict):
                return ReasoningContent.from_reasoning_block(payload)
        return None

    def get_citations(self) -> list[Citation]:
        """The citations of all blocks in one list."""
        return [
            Citation.from_citation(citation)
            for payload in self._payloads(ResponseContentType.CITATIONS_CONTENT)
            for citation in dicts_under(payload, "citations")
        ]

    def get_content(self) -> str | None:
        """The texts joined by line breaks, None where there is no text block."""
        texts = self.get_text_blocks()
        return "\n".join(texts) if texts else None

    def get_structured_output(self) -> dict[str, Any] | list[Any] | None:
        """`get_content()` parsed as JSON, if that is an object or an array."""
        content = self.get_content()
        if content is None:
            return None
        try:
            parsed = json.loads(content)
        except (ValueError, RecursionError):
            return None
        return parsed if isinstance(parsed, (dict, list)) else None

    def get_stop_reason(self) -> str | None:
        reason = self._at("stopReason")
        return reason if isinstance(reason, str) else None

    def get_stop_reason_category(self) -> StopReasonCategory:
        """What a caller can do about the stop reason."""
        return StopReasonClassifier.categorize(self.get_stop_reason())

    def get_additional_model_response_fields(self) -> dict[str, Any] | None:
        fields_: dict[str, Any] | None = self._at("additionalModelResponseFields")
        return fields_

    def get_performance_config(self) -> dict[str, Any] | None:
        config: dict[str, Any] | None = self._at("performanceConfig")
        return config

    def get_service_tier(self) -> dict[str, Any] | None:
        tier: dict[str, Any] | None = self._at("serviceTier")
        return tier

    def get_guardrail_trace(self) -> dict[str, Any] | None:
        trace: dict[str, Any] | None = self._at("trace", "guardrail")
        return trace

    # Tokens and time

    def get_usage(self) -> dict[str, int] | None:
        """Token counts: input, output, total, read from the cache, written to it."""
        data = self._data()
        usage = data.get("usage", {}) if data else None
        if not isinstance(usage, Mapping):
            return None
        return read_token_counts(usage)

    def get_cache_details(self) -> list[CacheDetail]:
        """What was written to the cache, by time to live."""
        usage = self._at("usage")
        return [
            CacheDetail.from_cache_detail(detail) for detail in dicts_under(usage, "cacheDetails")
        ]

    def get_metrics(self) -> dict[str, Any] | None:
        """Milliseconds and counts, each as far as it is known."""
        if self._data() is None:
            return None
        metrics: dict[str, Any] = {}
        latency = self._at("metrics", "latencyMs")
        if latency is not None:
            metrics["api_latency_ms"] = latency
        if self.total_duration_ms is not None:
            metrics["total_duration_ms"] = self.total_duration_ms
        metrics["attempts_made"] = len(self.attempts)
        successful = self.get_successful_attempt()
        if successful:
            metrics["successful_attempt_number"] = successful.attempt_number
        return metrics

    # The caller's verdicts on it

    def had_validation_failures(self) -> bool:
        """Whether the caller's validation function refused a response."""
        return any(not attempt.validation_result.success for attempt in self.validation_attempts)

    def get_validation_attempt_count(self) -> int:
        return len(self.validation_attempts)

    def get_validation_errors(self) -> list[dict[str, Any]]:
        return self.validation_errors.copy()

    def get_last_validation_error(self) -> dict[str, Any] | None:
        return self.validation_errors[-1] if self.validation_errors else None

    def get_validation_metrics(self) -> dict[str, Any]:
        """Counts of verdicts, with the number of the first that was favourable."""
        metrics: dict[str, Any] = {
            "validation_attempts": len(self.validation_attempts),
            "validation_errors": len(self.validation_errors),
            "had_validation_failures": self.had_validation_failures(),
        }
        for attempt in self.validation_attempts:
            if attempt.validation_result.success:
                metrics["successful_validation_attempt"] = attempt.attempt_number
                break
        return metrics

    # On disk

    def to_dict(self) -> dict[str, Any]:
        """Every field under its name; attempts as dicts, errors as texts, the rest not copied."""
        data = {each.name: getattr(self, each.name) for each in fields(self)}
        data["attempts"] = [_attempt_to_dict(attempt) for attempt in self.attempts]
        data["validation_attempts"] = [
            {
                "attempt_number": attempt.attempt_number,
                "validation_result": attempt.validation_result.to_dict(),
                "failed_content": attempt.failed_content,
            }
            for attempt in self.validation_attempts
        ]
        data["attempt_log"] = [
            entry.to_dict() if hasattr(entry, "to_dict") else entry for entry in self.attempt_log
        ]
        return data

    def to_json(self, indent: int | None = None) -> str:
        """`to_dict()` as JSON text; bytes are in base64, as in the API's own JSON."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, default=to_json_value)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> BedrockResponse:
        """Read what `to_dict` gives; errors come back as plain `Exception`.

        What an entry of `attempt_log` lacks is empty, 0, or 1970; one that has nothing of an
        `AttemptRecord` stays as it is.

        Raises:
            KeyError: `success` is missing, or a key of an attempt.
        """
        known = {each.name for each in fields(cls)}
        values: dict[str, Any] = {
            name: value.copy() if isinstance(value, list) else value
            for name, value in data.items()
            if name in known and value is not None
        }
        values["success"] = data["success"]
        values["attempts"] = [_attempt_from_dict(entry) for entry in data.get("attempts") or ()]
        values["validation_attempts"] = [
            ValidationAttempt(
                attempt_number=entry["attempt_number"],
                validation_result=ValidationResult.from_dict(entry["validation_result"]),
                failed_content=entry.get("failed_content"),
            )
            for entry in data.get("validation_attempts") or ()
        ]
        log = data.get("attempt_log")
        values["attempt_log"] = list(map(_record_of, log)) if isinstance(log, list) else []
        return cls(**values)


def _attempt_to_dict(attempt: RequestAttempt) -> dict[str, Any]:
    return {
        "model_id": attempt.model_id,
        "region": attempt.region,
        "access_method": attempt.access_method,
        "attempt_number": attempt.attempt_number,
        "start_time": attempt.start_time.isoformat(),
        "end_time": attempt.end_time.isoformat() if attempt.end_time else None,
        "duration_ms": attempt.duration_ms,
        "success": attempt.success,
        "error": None if attempt.error is None else str(attempt.error),
    }


def _attempt_from_dict(entry: dict[str, Any]) -> RequestAttempt:
    end_time, error = entry.get("end_time"), entry.get("error")
    return RequestAttempt(
        model_id=entry["model_id"],
        region=entry["region"],
        access_method=entry["access_method"],
        attempt_number=entry["attempt_number"],
        start_time=datetime.fromisoformat(entry["start_time"]),
        end_time=datetime.fromisoformat(end_time) if end_time else None,
        error=None if error is None else Exception(error),
        success=entry.get("success", False),
    )


def _record_of(entry: Any) -> Any:
    if not isinstance(entry, Mapping) or _RECORD_MEMBERS.isdisjoint(entry):
        return entry
    error = entry.get("error")
    return AttemptRecord(
        **{name: _text(entry, name) for name in ("model", "region", "access_method", "model_id")},
        started_at=_time(entry, "started_at"),
        duration_ms=_milliseconds(entry, "duration_ms"),
        pause_ms=_milliseconds(entry, "pause_ms"),
        decision=_text(entry, "decision"),
        error=None if error is None else Exception(error),
    )


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    return value if isinstance(value, str) else ""


def _milliseconds(entry: Mapping[str, Any], name: str) -> float:
    value = entry.get(name)
    return value if isinstance(value, (int, float)) else 0.0


def _time(entry: Mapping[str, Any], name: str) -> datetime:
    try:
        value = reading.time(entry, name)
    except ValueError:
        return datetime.fromtimestamp(0, timezone.utc)
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)


def to_json_value(value: Any) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode("ascii")
    return str(value)


# Imported on use: who does not stream does not pay for it.
__getattr__, __dir__ = lazy_names(
    __name__, {"StreamingResponse": "bestehorn_llmmanager.bedrock.models.streaming_response"}
)
