"""Shows a run of many requests: its figures, where it was answered, and what failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from bestehorn_llmmanager._html.response import error_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
    from bestehorn_llmmanager.bedrock.models.parallel_structures import ParallelResponse

_MOST_REGIONS = 40
_MOST_KINDS = 15
_MOST_IDS = 5


def parallel_html(run: ParallelResponse) -> str:
    answered = [each for each in run.request_responses.values() if each.success]
    total = len(run.request_responses) + len(run.unfinished_request_ids)
    return page(
        "ParallelResponse",
        f"{len(answered):,} of {counted(total, 'request')} answered; "
        f"success: {'yes' if run.success else 'no'}",
        facts(_figures(run, answered)),
        _regions(run, answered),
        _failures(run),
    )


def _figures(
    run: ParallelResponse, answered: list[BedrockResponse]
) -> Iterator[tuple[str, object]]:
    seconds = number(run.total_duration_ms) / 1000
    rate = f" ({len(answered) / seconds:,.1f} answers per second)" if seconds and answered else ""
    yield "duration", f"{milliseconds(run.total_duration_ms)}{rate}"
    stats = run.parallel_execution_stats
    if stats:
        yield "at once", f"at most {stats.concurrent_executions:,}"
    if stats and answered:
        mean = milliseconds(stats.average_request_duration_ms)
        shortest = milliseconds(stats.min_request_duration_ms)
        longest = milliseconds(stats.max_request_duration_ms)
        yield "per answer", f"mean {mean}, {shortest} to {longest}"
    tokens = run.get_total_tokens_used()
    yield "tokens", f"{tokens['input_tokens']:,} input, {tokens['output_tokens']:,} output"
    yield "read from the prompt cache", tokens["cache_read_tokens"] or None
    yield "timed out", len(run.timed_out_request_ids) or None
    yield "without a response", len(run.unfinished_request_ids) or None
    yield "warnings", len(run.warnings) or None


def _regions(run: ParallelResponse, answered: list[BedrockResponse]) -> Markup:
    """How many requests each region answered, and how long that took; also those with none."""
    took: dict[str, list[float]] = {}
    for response in answered:
        if response.region_used:
            took.setdefault(response.region_used, []).append(number(response.total_duration_ms))
    stats = run.parallel_execution_stats
    for region in stats.region_distribution if stats else ():
        took.setdefault(region, [])
    regions = sorted(took, key=lambda region: (-len(took[region]), region))
    if not regions:
        return Markup("")
    most = len(took[regions[0]])
    rows = [_region(region, took[region], most) for region in regions[:_MOST_REGIONS]]
    return tag("table", header("region", "", "answered", "mean"), tag("tbody", *rows))


def _region(region: str, durations: list[float], most: int) -> Markup:
    count = len(durations)
    return tag(
        "tr",
        tag("td", cut(region, 40)),
        bar(0, count, most, "ok") if count else tag("td"),
        tag("td", f"{count:,}", class_="n"),
        tag("td", milliseconds(sum(durations) / count) if count else None, class_="n"),
    )


def _failures(run: ParallelResponse) -> Markup:
    """The failures by what they failed with."""
    kinds: dict[str, list[str]] = {}
    for request_id, response in run.get_failed_responses().items():
        kinds.setdefault(_kind(run, request_id, response), []).append(request_id)
    if not kinds:
        return Markup("")
    by_count = sorted(kinds.items(), key=lambda item: -len(item[1]))
    rows = [
        tag(
            "tr",
            tag("td", cut(kind), class_="bad"),
            tag("td", f"{len(ids):,}", class_="n"),
            tag("td", listed(ids, _MOST_IDS), class_="id dim"),
        )
        for kind, ids in by_count[:_MOST_KINDS]
    ]
    return tag("table", header("failed with", "requests", "ids"), tag("tbody", *rows))


def _kind(run: ParallelResponse, request_id: str, response: BedrockResponse) -> str:
    if request_id in run.timed_out_request_ids:
        return "timed out"
    kind = error_kind(response.get_last_error())
    if kind:
        return kind
    request = run.original_requests.get(request_id)
    recorded = request.get_last_failure() if request else None
    return recorded.exception_type if recorded else "no target answered"
