"""Shows what became of a request, with its attempts as a time line; nothing that was said in it."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager._html.elements import (
    Markup,
    bar,
    counted,
    cut,
    facts,
    header,
    listed,
    milliseconds,
    number,
    page,
    tag,
)
from bestehorn_llmmanager.bedrock.models.content_block_types import ResponseContentType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
    from bestehorn_llmmanager.bedrock.models.streaming_response import StreamingResponse

_MOST_ATTEMPTS = 50
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")


def response_html(response: BedrockResponse) -> str:
    return page(
        "BedrockResponse",
        "answered" if response.success else "failed",
        facts(_story(response)),
        time_line(response.attempt_log),
        _hint(response.success, "`get_content()` has the text."),
    )


def streaming_html(response: StreamingResponse, status: str) -> str:
    """Args: response: Finished or not; status: As in its `repr`."""
    return page(
        "StreamingResponse",
        status.lower(),
        facts(_story_of_stream(response)),
        time_line(response.attempt_log),
        _hint(bool(response.content_parts), "`get_full_content()` has the text."),
    )


def _hint(is_there: bool, text: str) -> Markup:
    return tag("div", text, class_="dim") if is_there else Markup("")


def _story(response: BedrockResponse) -> Iterator[tuple[str, object]]:
    yield from _origin(response)
    yield "service latency", milliseconds(response.api_latency_ms)
    yield "tokens", _tokens(response.get_usage())
    yield "stop reason", cut(response.get_stop_reason() or "")
    yield "content", _kinds(response)
    yield from _left_out(response)
    verdicts = response.validation_attempts
    refused = sum(1 for verdict in verdicts if not verdict.validation_result.success)
    if verdicts:
        yield "validation", f"{counted(len(verdicts), 'verdict')}, {refused} refused"
    yield "warnings", len(response.warnings) or None


def _story_of_stream(response: StreamingResponse) -> Iterator[tuple[str, object]]:
    yield from _origin(response)
    metrics = response.get_metrics()
    yield "first text after", milliseconds(metrics.get("time_to_first_token_ms"))
    pieces = counted(len(response.content_parts), "piece")
    yield "received", f"{pieces}, {counted(response.stream_position, 'character')}"
    yield "tokens", _tokens(response.get_usage())
    yield "stop reason", cut(response.stop_reason or "")
    switches, restarts = response.target_switches, len(response.restarts)
    if switches or restarts:
        yield "broken off", f"{counted(switches, 'other target')}, {counted(restarts, 'restart')}"
    yield "errors", listed(map(error_kind, response.stream_errors), 5)
    yield from _left_out(response)


def _origin(response: BedrockResponse | StreamingResponse) -> Iterator[tuple[str, object]]:
    yield "model", cut(response.model_used or "")
    sent = response.model_id_used or response.inference_profile_id
    yield "sent as", tag("span", cut(sent), class_="id") if sent else None
    yield "region", cut(response.region_used or "", 40)
    yield "access", _access(response.access_method_used or "")
    yield "duration", milliseconds(response.total_duration_ms)


def _access(method: object) -> str:
    return cut(method, 40).removesuffix("_cris")


def _left_out(response: BedrockResponse | StreamingResponse) -> Iterator[tuple[str, object]]:
    yield "features left out", listed(response.features_disabled, 10)
    yield "fields left out", listed(response.parameters_removed or (), 10)


def _tokens(usage: dict[str, int] | None) -> str | None:
    if usage is None:
        return None
    words = {
        "input_tokens": "input",
        "output_tokens": "output",
        "cache_read_tokens": "read from the cache",
        "cache_write_tokens": "written to the cache",
    }
    always = {"input_tokens", "output_tokens"}
    return ", ".join(
        f"{usage[name]:,} {word}" for name, word in words.items() if usage[name] or name in always
    )


def _kinds(response: BedrockResponse) -> str:
    """How many blocks of each kind; keys that the API does not know are not repeated."""
    blocks = response.get_content_blocks() or ()
    kinds = Counter(ResponseContentType.from_block(block).value for block in blocks)
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items())


def error_kind(error: object) -> str:
    """The service's code or the class; never the message, which may quote the request."""
    if error is None or type(error) is Exception:  # read back from a file: the class is lost
        return ""
    response = getattr(error, "response", None)
    details = response.get("Error") if isinstance(response, dict) else None
    code = details.get("Code") if isinstance(details, dict) else None
    is_code = isinstance(code, str) and _CODE.fullmatch(code)
    return str(code) if is_code else type(error).__name__


# The time line


def time_line(log: Sequence[Any]) -> Markup:
    """A row for each sending, with a bar from its beginning to its end."""
    entries = [entry for entry in log if isinstance(getattr(entry, "started_at", None), datetime)]
    if not entries:
        return Markup("")
    offsets = _offsets(entries)
    ends = (at + number(each.duration_ms) for at, each in zip(offsets, entries, strict=True))
    whole = max(ends)
    shown = list(zip(offsets, entries, strict=True))[:_MOST_ATTEMPTS]
    rows = [_row(at, entry, whole) for at, entry in shown]
    more = len(entries) - len(rows)
    table = tag(
        "table", header("at", "asked", "", "took", "then"), tag("tbody", *rows), class_="line"
    )
    return tag("div", table, _hint(more > 0, f"{counted(more, 'more attempt')}: `attempt_log`."))


def _offsets(entries: Iterable[Any]) -> list[float]:
    """Milliseconds from the first sending to each."""
    times = [
        at if (at := entry.started_at).tzinfo else at.replace(tzinfo=timezone.utc)
        for entry in entries
    ]
    first = min(times)
    return [(time - first).total_seconds() * 1000 for time in times]


def _row(at: float, entry: Any, whole: float) -> Markup:
    answered = entry.decision == "answered"
    kind = error_kind(entry.error)
    asked = tag("span", cut(entry.model_id), class_="id dim")
    return tag(
        "tr",
        tag("td", f"+{milliseconds(at)}", class_="n"),
        tag(
            "td", f"{cut(entry.region, 40)}, {_access(entry.access_method)} ", asked, class_="where"
        ),
        bar(at, number(entry.duration_ms), whole, "ok" if answered else "bad"),
        tag("td", milliseconds(number(entry.duration_ms)), class_="n"),
        tag("td", f"{kind}: " if kind else "", cut(entry.decision)),
    )
