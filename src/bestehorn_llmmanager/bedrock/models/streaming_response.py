"""Holds what a stream has brought so far, while it is the iterator that brings the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.models.cache_detail import CacheDetail
from bestehorn_llmmanager.bedrock.models.citation import Citation
from bestehorn_llmmanager.bedrock.models.reasoning_content import ReasoningContent
from bestehorn_llmmanager.bedrock.models.response_accessors import (
    OriginAccessors,
    TokenAccessors,
    dicts_under,
    pick_token_counts,
)
from bestehorn_llmmanager.bedrock.models.stop_reason import StopReasonClassifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
    from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RequestAttempt
    from bestehorn_llmmanager.bedrock.models.stop_reason import StopReasonCategory
    from bestehorn_llmmanager.bedrock.models.tool_use import ToolUse


@dataclass(frozen=True)
class StreamRestart:
    """The answer began anew, because no model could go on where the last one broke off.

    Attributes:
        position: Characters that had been received, and that the answer no longer contains.
        model: The model that starts again, as the caller wrote it.
        region: The region in which it does.
        reason: Why, in a sentence.
    """

    position: int
    model: str
    region: str
    reason: str


@dataclass(frozen=True)
class MidStreamException:
    """An error that opening or reading a stream met.

    Attributes:
        position: Characters that had been received.
        model: The model that was asked, as the caller wrote it.
        region: The region in which it was.
        recovered: Whether the stream went on after it.
    """

    error: Exception = field(repr=False)
    position: int
    model: str
    region: str
    timestamp: datetime
    recovered: bool = False


@dataclass(repr=False)
class StreamingResponse(OriginAccessors, TokenAccessors):
    """The answer to one request, arriving; iterate over it once to get the pieces of its text.

    The request is sent when the iteration starts. No failure leaves the iteration as an
    exception: it ends early, `success` is False and `stream_errors` says why. What a callback
    raises does leave it, and closes the stream.

    Who does not read to the end should call `close`, or use a ``with`` block, so that the
    connection is free. For one thread at a time, except for `close`.

    Attributes:
        content_parts: The pieces of text, in order; their sum is the answer so far.
        final_response: The whole message, once it has arrived.
        stream_errors: What was not recovered from.
        stream_position: Characters in `content_parts`.
        model_used: The model as the caller wrote it.
        access_method_used: One of `AccessMethodPreferenceNames`.
        usage_info: Token counts with the keys of `get_usage`, plus `cache_details`.
        metrics_info: ``metrics`` as the API gives it.
        trace_info: ``trace`` as the API gives it.
        request_attempt: The attempt that brought the answer.
        citation_blocks: The citations, as the API gives them.
        model_id_used: The model id or profile id that was sent.
        attempts: One entry per target that was asked.
        attempt_log: Every single sending, with what was decided after it.
        success: False when the iteration has ended in a failure. True before, as nothing has
            failed: `is_streaming_complete` tells whether the answer is there.
        restarts: Where the answer began anew.
        features_disabled: What the request asked for and the model could not give.
        parameters_removed: Names of additional request fields that were left out.
        original_additional_fields: What was asked for, where fields were left out.
        final_additional_fields: What was sent, where fields were left out.
        mid_stream_exceptions: Every error on the way, recovered or not.
        target_switches: How often another target took over.
        recovery_enabled: Whether another target would; so it is for what `converse_stream` gives.
    """

    success: bool
    content_parts: list[str] = field(default_factory=list)
    final_response: BedrockResponse | None = None
    stream_errors: list[Exception] = field(default_factory=list)
    stream_position: int = 0
    model_used: str | None = None
    region_used: str | None = None
    access_method_used: str | None = None
    inference_profile_used: bool = False
    inference_profile_id: str | None = None
    total_duration_ms: float | None = None
    api_latency_ms: float | None = None
    stop_reason: str | None = None
    usage_info: dict[str, Any] | None = None
    metrics_info: dict[str, Any] | None = None
    trace_info: dict[str, Any] | None = None
    additional_model_response_fields: dict[str, Any] | None = None
    current_message_role: str | None = None
    request_attempt: RequestAttempt | None = None
    warnings: list[str] = field(default_factory=list)
    reasoning_text_parts: list[str] = field(default_factory=list)
    reasoning_signature: str | None = None
    reasoning_redacted_content: Any | None = None
    citation_blocks: list[dict[str, Any]] = field(default_factory=list)
    model_id_used: str | None = None
    attempts: list[RequestAttempt] = field(default_factory=list)
    attempt_log: list[Any] = field(default_factory=list)
    restarts: list[StreamRestart] = field(default_factory=list)
    features_disabled: list[str] = field(default_factory=list)
    parameters_removed: list[str] | None = None
    original_additional_fields: dict[str, Any] | None = None
    final_additional_fields: dict[str, Any] | None = None
    performance_config: dict[str, Any] | None = None
    service_tier: dict[str, Any] | None = None
    mid_stream_exceptions: list[MidStreamException] = field(default_factory=list)
    target_switches: int = 0
    recovery_enabled: bool = False

    def __post_init__(self) -> None:
        self._pieces: Iterator[str] = iter(())
        self._close: Callable[[], None] | None = None
        self._ended = False
        self._closed = False
        self._started_at = perf_counter()
        self._first_piece_at: float | None = None
        self._last_piece_at = self._started_at

    def __repr__(self) -> str:
        return (
            f"StreamingResponse(status={self._status()}, parts={len(self.content_parts)}, "
            f"position={self.stream_position}, errors={len(self.stream_errors)})"
        )

    def _repr_html_(self) -> str:
        from bestehorn_llmmanager._html.response import (  # noqa: PLC0415  (for notebooks alone)
            streaming_html,
        )

        return streaming_html(self, self._status())

    def _status(self) -> str:
        if self._ended:
            return "SUCCESS" if self.success else "FAILED"
        return "CLOSED" if self._closed else "STREAMING"

    # The iterator

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        try:
            piece = next(self._pieces)
        except StopIteration:
            self._ended = self._ended or not self._closed
            self._release()
            raise
        except BaseException:  # interrupted: what was received is not the answer
            self.close()
            raise
        self.add_content_part(piece)
        return piece

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """All but the connection: a copy has what came so far, and nothing follows."""
        connected = self._close is not None
        changes = {"_pieces": iter(()), "_close": None, "_closed": self._closed or connected}
        return {**vars(self), **changes}

    @property
    def closed(self) -> bool:
        """Whether it was closed before its end."""
        return self._closed

    def close(self) -> None:
        """End the stream here and free its connection; what came so far stays.

        Does nothing after the end, after the first time, or where there is no stream. Any thread
        may close: the one that waits for a piece then gets none.
        """
        close = self._close
        if close is not None:
            self._closed = True
            close()
            self._release()

    def attach(self, pieces: Iterator[str], close: Callable[[], None]) -> None:
        """Give it its stream.

        Args:
            pieces: What `next` gives. While it runs, it fills the fields of this object that do
                not follow from the pieces themselves. It is let go at the end.
            close: Makes `pieces` end, wherever it is; called at most once, and not after the end.
        """
        self._pieces, self._close = pieces, close

    def stop_clock(self) -> None:
        """Set `total_duration_ms`."""
        self.total_duration_ms = (perf_counter() - self._started_at) * 1000

    def _release(self) -> None:
        if self._close is not None:
            self.stop_clock()
        self._pieces, self._close = iter(()), None

    # How it is filled

    def add_content_part(self, content: str) -> None:
        """Append a piece of text; the first and the last one determine the times."""
        self.content_parts.append(content)
        self.stream_position += len(content)
        self._last_piece_at = now = perf_counter()
        if self._first_piece_at is None:
            self._first_piece_at = now

    def add_stream_error(self, error: Exception) -> None:
        """Append an error that was not recovered from; `success` stays as it is."""
        self.stream_errors.append(error)

    def add_mid_stream_exception(self, error: Exception, *, model: str, region: str) -> None:
        """Record an error at the present position, as one that is not recovered from yet."""
        self.mid_stream_exceptions.append(
            MidStreamException(
                error, self.stream_position, model, region, datetime.now(timezone.utc)
            )
        )

    def mark_recovered(self) -> None:
        """Record that the stream goes on, in spite of every error so far."""
        self.mid_stream_exceptions[:] = [
            replace(each, recovered=True) for each in self.mid_stream_exceptions
        ]

    def start_again(self, restart: StreamRestart) -> None:
        """Record `restart`, and drop all that the broken stream said."""
        self.restarts.append(restart)
        self.content_parts.clear()
        self.reasoning_text_parts.clear()
        self.citation_blocks.clear()
        self.stream_position = 0
        self._first_piece_at = None
        self.final_response = None
        self.stop_reason = self.current_message_role = None
        self.reasoning_signature = self.reasoning_redacted_content = None
        self.usage_info = self.metrics_info = self.trace_info = None
        self.additional_model_response_fields = None
        self.performance_config = self.service_tier = self.api_latency_ms = None

    # The answer

    def is_streaming_complete(self) -> bool:
        """Whether the iteration has come to its end, good or bad."""
        return self._ended

    def get_full_content(self) -> str:
        """The text so far; after a restart, that of the last start alone."""
        return "".join(self.content_parts)

    def get_content_parts(self) -> list[str]:
        return self.content_parts.copy()

    def get_reasoning(self) -> ReasoningContent | None:
        """What the model thought before it answered, None where it did not show it."""
        if self.reasoning_text_parts:
            return ReasoningContent(
                text="".join(self.reasoning_text_parts),
                signature=self.reasoning_signature,
                redacted_content=self.reasoning_redacted_content,
            )
        if self.reasoning_redacted_content is not None:
            return ReasoningContent(redacted_content=self.reasoning_redacted_content)
        return None

    def get_citations(self) -> list[Citation]:
        return [
            Citation.from_citation(citation)
            for citation in self.citation_blocks
            if isinstance(citation, dict)
        ]

    def get_tool_uses(self) -> list[ToolUse]:
        """The tool calls that the model asks for; empty before the end of the stream."""
        return self.final_response.get_tool_uses() if self.final_response else []

    def has_tool_use(self) -> bool:
        """Whether the model asks for a tool, in a block or by its stop reason."""
        return self.stop_reason == "tool_use" or bool(self.get_tool_uses())

    def get_stop_reason(self) -> str | None:
        return self.stop_reason

    def get_stop_reason_category(self) -> StopReasonCategory:
        """What a caller can do about the stop reason."""
        return StopReasonClassifier.categorize(self.stop_reason)

    def get_additional_model_response_fields(self) -> dict[str, Any] | None:
        return self.additional_model_response_fields

    def get_performance_config(self) -> dict[str, Any] | None:
        return self.performance_config

    def get_service_tier(self) -> dict[str, Any] | None:
        return self.service_tier

    def get_guardrail_trace(self) -> dict[str, Any] | None:
        trace: object = self.trace_info
        return trace.get("guardrail") if isinstance(trace, Mapping) else None

    # Tokens and time

    def get_usage(self) -> dict[str, int] | None:
        """Token counts: input, output, total, read from the cache, written to it.

        None until they arrive, which is at the very end.
        """
        usage: object = self.usage_info
        return pick_token_counts(usage) if usage and isinstance(usage, Mapping) else None

    def get_cache_details(self) -> list[CacheDetail]:
        """What was written to the cache, by time to live."""
        details = dicts_under(self.usage_info, "cache_details")
        return [CacheDetail.from_cache_detail(detail) for detail in details]

    def get_metrics(self) -> dict[str, Any]:
        """Milliseconds, as far as they are known, and counts.

        The times of the first and the last piece of text count from the making of this object.
        """
        metrics: dict[str, Any] = {}
        if self.api_latency_ms is not None:
            metrics["api_latency_ms"] = self.api_latency_ms
        if self.total_duration_ms is not None:
            metrics["total_duration_ms"] = self.total_duration_ms
        first, last = self._first_piece_at, self._last_piece_at
        if first is not None:
            metrics["time_to_first_token_ms"] = (first - self._started_at) * 1000
            metrics["time_to_last_token_ms"] = (last - self._started_at) * 1000
            metrics["token_generation_duration_ms"] = (last - first) * 1000
        metrics["content_parts"] = len(self.content_parts)
        metrics["stream_position"] = self.stream_position
        metrics["stream_errors"] = len(self.stream_errors)
        return metrics

    # What happened on the way

    def get_stream_errors(self) -> list[Exception]:
        return self.stream_errors.copy()

    def get_mid_stream_exceptions(self) -> list[dict[str, Any]]:
        """Every error on the way as a dict of plain values."""
        return [
            {
                "error_type": type(each.error).__name__,
                "error_message": str(each.error),
                "position": each.position,
                "model": each.model,
                "region": each.region,
                "timestamp": each.timestamp.isoformat(),
                "recovered": each.recovered,
            }
            for each in self.mid_stream_exceptions
        ]

    def get_target_switches(self) -> int:
        return self.target_switches

    def get_recovery_info(self) -> dict[str, Any]:
        """Counts, plus the last target for what `converse_stream` gives.

        `partial_content_preserved` is False where there is no text, or where a restart dropped
        some; `restarts` has those.
        """
        recovered = [each for each in self.mid_stream_exceptions if each.recovered]
        info: dict[str, Any] = {
            "total_exceptions": len(self.mid_stream_exceptions),
            "recovered_exceptions": len(recovered),
            "target_switches": self.target_switches,
            "recovery_enabled": self.recovery_enabled,
        }
        if self.recovery_enabled:
            info["final_model"] = self.model_used
            info["final_region"] = self.region_used
            info["partial_content_preserved"] = bool(self.content_parts) and not self.restarts
        return info
