"""Shows one model: what it is, and which identifier can be sent in which regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bestehorn_llmmanager._html.elements import (
    Markup,
    counted,
    cut,
    facts,
    header,
    listed,
    page,
    tag,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bestehorn_llmmanager.bedrock.models.model_details import ModelFacts
    from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

_MOST_IDENTIFIERS = 30
_MOST_REGIONS = 60
_PRICES = ("input", "output", "cache_read", "cache_write")
_METHODS = {"direct": "d", "regional": "r", "global": "g"}


def model_html(model: UnifiedModelInfo) -> str:
    regions = counted(len(model.region_access), "region")
    return page(
        cut(model.model_name),
        f"{cut(model.provider)}; can be called in {regions}",
        facts(_description(model)),
        _identifiers(model),
    )


def _description(model: UnifiedModelInfo) -> Iterator[tuple[str, object]]:
    yield "model id", model.model_id and tag("span", cut(model.model_id), class_="id")
    if model.described:
        inputs, outputs = (listed(m, 8) for m in (model.input_modalities, model.output_modalities))
        streaming = "yes" if model.streaming_supported else "no"
        yield "input → output", f"{inputs} → {outputs}; streaming: {streaming}"
    if model.lifecycle:
        yield "lifecycle", cut(model.lifecycle.status)
    if model.facts:
        yield "limits", "; ".join(_limits(model.facts))
        yield "US$ per million tokens", "; ".join(_prices(model.facts))
        yield "as of", cut(model.facts.as_of)
    yield "former names", listed(model.former_names, 6)


def _limits(known: ModelFacts) -> Iterator[str]:
    if known.context_window_tokens:
        yield f"context {known.context_window_tokens:,} tokens"
    if known.max_output_tokens:
        yield f"answer {known.max_output_tokens:,} tokens"
    if known.prompt_cache_min_tokens:
        yield f"prompt cache from {known.prompt_cache_min_tokens:,} tokens"


def _prices(known: ModelFacts) -> Iterator[str]:
    for kind in _PRICES:
        price = known.prices_usd_per_million_tokens.get(kind)
        if price is not None:
            yield f"{kind.replace('_', ' ')} {price:g}"


def _identifiers(model: UnifiedModelInfo) -> Markup:
    """What can be sent, how that is called, and where."""
    ways = _ways(model)
    rows = [
        tag(
            "tr",
            tag("td", cut(identifier), class_="id"),
            tag("td", method, class_=_METHODS[method]),
            tag("td", listed(sorted(regions), _MOST_REGIONS), class_="dim where"),
        )
        for (method, identifier), regions in sorted(ways.items(), key=_in_order)[:_MOST_IDENTIFIERS]
    ]
    return tag("table", header("send", "access", "in regions"), tag("tbody", *rows))


def _ways(model: UnifiedModelInfo) -> dict[tuple[str, str], set[str]]:
    """Access method and identifier to the regions."""
    ways: dict[tuple[str, str], set[str]] = {}
    for method in _METHODS:
        for identifier, region in _identifiers_of(model, method):
            ways.setdefault((method, identifier), set()).add(region)
    return ways


def _in_order(way: tuple[tuple[str, str], object]) -> tuple[int, str]:
    (method, identifier), _ = way
    return list(_METHODS).index(method), identifier


def _identifiers_of(model: UnifiedModelInfo, method: str) -> Iterator[tuple[str, str]]:
    for region, access in model.region_access.items():
        identifier = {
            "direct": access.model_id,
            "regional": access.regional_cris_profile_id,
            "global": access.global_cris_profile_id,
        }[method]
        if identifier:
            yield identifier, region
    # A region may have a profile of a wider geography besides the one that is called.
    for profile in model.profiles:
        if method == ("global" if profile.is_global else "regional") and profile.status == "ACTIVE":
            for region in profile.routes:
                yield profile.profile_id, region
