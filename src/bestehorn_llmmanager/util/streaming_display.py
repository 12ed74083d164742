"""Prints what a streaming response says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Iterator

    from bestehorn_llmmanager.bedrock.models.streaming_response import StreamingResponse

_TIMES = {
    "Time to First Token": "time_to_first_token_ms",
    "Time to Last Token": "time_to_last_token_ms",
    "Token Generation Duration": "token_generation_duration_ms",
}


class StreamingDisplayFormatter:
    """Prints to standard output. Any object with the attributes that are shown will do.

    Args:
        logger: Accepted for older callers; nothing is logged.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger

    def display_streaming_response(
        self,
        streaming_response: StreamingResponse,
        title: str = "Streaming Response",
        show_content: bool = True,
        show_metadata: bool = True,
        show_timing: bool = True,
        show_usage: bool = True,
        show_errors: bool = True,
        content_preview_length: int | None = 500,
    ) -> None:
        """Print all about a response.

        Of a failed one, this is which errors there were, where, and how much text had come.

        Args:
            streaming_response: The response, read to its end or not.
            title: First line.
            show_content: Whether to print the text.
            show_metadata: Whether to print where it came from and in how many parts.
            show_timing: Whether to print durations.
            show_usage: Whether to print token counts.
            show_errors: Whether to print errors and warnings.
            content_preview_length: So many characters of the text; 0 or None: all.
        """
        response = streaming_response
        lines = [*_heading(title), f"Success: {response.success}"]
        if response.success:
            if show_metadata:
                lines += _metadata(response)
            if show_timing:
                lines += _timing(response)
            if show_content:
                lines += _content(response, content_preview_length)
            if show_usage:
                lines += _usage(response)
        else:
            if show_metadata:
                lines += _target(response)
            if show_errors:
                lines += _errors(response)
            lines += _partial_content(response)
        if show_errors:
            lines += _warnings(response)
        _print(lines)

    def display_streaming_summary(
        self, streaming_response: StreamingResponse, title: str = "Streaming Summary"
    ) -> None:
        """Print the outcome in a few lines."""
        response = streaming_response
        lines = [*_heading(title), f"Success: {response.success}", *_target(response)]
        text, parts = _text(response), _size(response.content_parts)
        lines.append(f"Content: {len(text)} characters, {parts} parts")
        if response.total_duration_ms:
            lines.append(f"Duration: {_milliseconds(response.total_duration_ms, digits=1)}")
        _print(lines)

    def display_recovery_information(
        self, streaming_response: StreamingResponse, title: str = "Recovery Information"
    ) -> None:
        """Print what went wrong on the way; nothing at all where recovery was not enabled."""
        info = _mapping(streaming_response.get_recovery_info())
        if not info.get("recovery_enabled"):
            return
        lines = [
            *_heading(title),
            f"   Total exceptions: {info.get('total_exceptions', 0)}",
            f"   Recovered exceptions: {info.get('recovered_exceptions', 0)}",
            f"   Target switches: {info.get('target_switches', 0)}",
        ]
        lines += _exceptions(streaming_response)
        lines += _restarts(streaming_response)
        if info.get("final_model") or info.get("final_region"):
            lines.append(
                f"   Final target: {info.get('final_model')} in {info.get('final_region')}"
            )
        _print(lines)


def display_streaming_response(
    streaming_response: StreamingResponse, title: str = "Streaming Response", **kwargs: Any
) -> None:
    """Print all about a response; the options are those of `StreamingDisplayFormatter`."""
    StreamingDisplayFormatter().display_streaming_response(streaming_response, title, **kwargs)


def display_streaming_summary(
    streaming_response: StreamingResponse, title: str = "Streaming Summary"
) -> None:
    """Print the outcome in a few lines."""
    StreamingDisplayFormatter().display_streaming_summary(streaming_response, title)


def display_recovery_information(
    streaming_response: StreamingResponse, title: str = "Recovery Information"
) -> None:
    """Print what went wrong on the way; nothing at all where recovery was not enabled."""
    StreamingDisplayFormatter().display_recovery_information(streaming_response, title)


def _print(lines: Iterable[str]) -> None:
    print("\n".join(lines))  # noqa: T201  (what this module is for)


# The parts, as lines


def _heading(title: str) -> list[str]:
    return ["", title, "=" * len(title)]


def _metadata(response: StreamingResponse) -> Iterator[str]:
    yield f"Model: {response.model_used}"
    yield f"Region: {response.region_used}"
    yield f"Access Method: {response.access_method_used}"
    yield ""
    yield "Streaming Details:"
    yield f"   Content Parts: {_size(response.content_parts)}"
    yield f"   Stream Position: {response.stream_position}"
    yield f"   Stop Reason: {response.stop_reason or 'N/A'}"
    yield f"   Message Role: {response.current_message_role or 'N/A'}"
    restarts = _entries(getattr(response, "restarts", None))
    if restarts:
        yield f"   Restarts: {len(restarts)}"


def _target(response: StreamingResponse) -> Iterator[str]:
    model, region = (getattr(response, name, None) for name in ("model_used", "region_used"))
    if model:
        yield f"Model: {model}"
    if region:
        yield f"Region: {region}"


def _timing(response: StreamingResponse) -> Iterator[str]:
    metrics = _mapping(response.get_metrics())
    times = {
        "Total Duration": response.total_duration_ms,
        "API Latency": response.api_latency_ms,
        **{label: metrics.get(key) for label, key in _TIMES.items()},
    }
    yield ""
    yield "Performance Metrics:"
    for label, value in times.items():
        if value is not None:
            yield f"   {label}: {_milliseconds(value)}"


def _content(response: StreamingResponse, preview_length: int | None) -> Iterator[str]:
    text = _text(response)
    if not text:
        return
    yield ""
    yield f"Streamed Content ({len(text)} characters):"
    yield "-" * 20
    if not preview_length or len(text) <= preview_length:
        yield text
        return
    yield f"{text[:preview_length]}..."
    yield ""
    yield f"[Content truncated - showing first {preview_length} of {len(text)} characters]"


def _usage(response: StreamingResponse) -> Iterator[str]:
    usage = _mapping(response.get_usage())
    if not usage:
        return
    yield ""
    yield "Token Usage:"
    yield f"   Input tokens: {usage.get('input_tokens', 0)}"
    yield f"   Output tokens: {usage.get('output_tokens', 0)}"
    yield f"   Total tokens: {usage.get('total_tokens', 0)}"
    read, written = usage.get("cache_read_tokens", 0), usage.get("cache_write_tokens", 0)
    if read or written:
        yield f"   Cache read tokens: {read}"
        yield f"   Cache write tokens: {written}"


def _errors(response: StreamingResponse) -> Iterator[str]:
    errors = _entries(response.stream_errors)
    if errors:
        yield f"Stream Errors: {len(errors)}"
    for number, error in enumerate(errors, start=1):
        yield f"   {number}. {type(error).__name__}: {error}"


def _partial_content(response: StreamingResponse) -> Iterator[str]:
    text = _text(response)
    if text:
        yield f"Partial content received: {len(text)} characters"
        yield f"Content parts: {_size(response.content_parts)}"


def _warnings(response: StreamingResponse) -> Iterator[str]:
    warnings = _entries(response.warnings)
    if warnings:
        yield ""
        yield "Warnings:"
    for warning in warnings:
        yield f"   - {warning}"


def _exceptions(response: StreamingResponse) -> Iterator[str]:
    exceptions = [_mapping(each) for each in _entries(response.get_mid_stream_exceptions())]
    if exceptions:
        yield "   Mid-stream exceptions handled:"
    for number, each in enumerate(exceptions, start=1):
        state = "recovered" if each.get("recovered") else "failed"
        yield (
            f"     {number}. {each.get('error_type')} at position {each.get('position')} "
            f"({each.get('model')}, {each.get('region')}) - {state}"
        )


def _restarts(response: StreamingResponse) -> Iterator[str]:
    restarts = _entries(getattr(response, "restarts", None))
    if restarts:
        yield "   Started again from the beginning:"
    for number, each in enumerate(restarts, start=1):
        yield (
            f"     {number}. after {each.position} characters "
            f"({each.model}, {each.region}) - {each.reason}"
        )


# What odd objects give, as something that can be printed


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _entries(value: object) -> list[Any] | tuple[Any, ...]:
    return value if isinstance(value, (list, tuple)) else []


def _size(value: object) -> int:
    return len(value) if isinstance(value, Sized) else 0


def _text(response: StreamingResponse) -> str:
    text: object = response.get_full_content()
    return text if isinstance(text, str) else ""


def _milliseconds(value: object, *, digits: int = 2) -> str:
    return f"{value:.{digits}f}ms" if isinstance(value, (int, float)) else f"{value}"
