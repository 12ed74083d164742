"""Shows a catalogue as a matrix of models against regions."""

from __future__ import annotations

from datetime import timezone
from typing import TYPE_CHECKING

from bestehorn_llmmanager._html.elements import Markup, counted, cut, join, listed, page, tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo
    from bestehorn_llmmanager.bedrock.models.catalog_structures import UnifiedCatalog
    from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

_MOST_REGIONS = 60
_MOST_CHARACTERS = 84_000  # of the rows: 100 KiB with the rest
_LONGEST_NAME = 48
_LONGEST_REGION = 20
_LEGEND = (
    "D: direct, the model id can be sent. R: regional, G: global inference profile. Empty: not to "
    "be called there. `find_model(name)` shows the identifiers of a model."
)


def catalog_html(catalog: UnifiedCatalog, asked_for: Sequence[str] | None) -> str:
    """The availability of the models.

    Args:
        catalog: What is loaded.
        asked_for: The regions that become columns; None means all.
    """
    known = catalog.get_all_regions() if asked_for is None else list(asked_for)
    regions = known[:_MOST_REGIONS]
    models = [m for m in catalog.models.values() if any(r in m.region_access for r in regions)]
    rows = list(_rows(sorted(models, key=_provider_and_name), regions))
    columns = (
        tag("th", tag("span", cut(region, _LONGEST_REGION)), scope="col") for region in regions
    )
    head = tag("thead", tag("tr", tag("th", "model", scope="col"), *columns))
    matrix = tag("table", head, tag("tbody", *rows))
    return page(
        "BedrockModelCatalog",
        _summary(catalog, len(models), len(known)),
        tag("div", matrix, class_="matrix"),
        *_remarks(catalog, len(known) - len(regions), len(models) - len(rows)),
        _remark(_LEGEND),
    )


def not_loaded_html(cache_mode: str) -> str:
    """A catalogue that has not been asked for anything."""
    return page(
        "BedrockModelCatalog", f"cache mode {cache_mode}; not loaded: the first query loads it"
    )


def _provider_and_name(model: UnifiedModelInfo) -> tuple[str, str]:
    return model.provider.lower(), model.model_name.lower()


def _rows(models: Iterable[UnifiedModelInfo], regions: Sequence[str]) -> Iterator[Markup]:
    """A row for each model below one for its provider, until there is no room for more."""
    left = _MOST_CHARACTERS
    provider = None
    for model in models:
        cells = join(_cell(model.region_access.get(region)) for region in regions)
        name = tag("th", cut(model.model_name, _LONGEST_NAME), scope="row")
        row = tag("tr", name, cells)
        if model.provider != provider:
            provider = model.provider
            row = Markup(_group(provider) + row)
        left -= len(row.encode())
        if left < 0:
            return
        yield row


def _group(provider: str) -> Markup:
    return tag("tr", tag("th", cut(provider, _LONGEST_NAME), class_="group", scope="rowgroup"))


def _cell(access: ModelAccessInfo | None) -> Markup:
    if access is None:
        return Markup("<td></td>")
    methods = (
        ("D", access.has_direct_access),
        ("R", access.has_regional_cris),
        ("G", access.has_global_cris),
    )
    letters = "".join(letter for letter, given in methods if given)
    return tag("td", letters, class_=letters[:1].lower())


def _summary(catalog: UnifiedCatalog, models: int, regions: int) -> str:
    metadata = catalog.metadata
    retrieved = metadata.retrieval_timestamp.astimezone(timezone.utc)
    return (
        f"{counted(models, 'model')} in {counted(regions, 'region')}; source: "
        f"{metadata.source.value}, {retrieved:%Y-%m-%d %H:%M} UTC"
    )


def _remarks(catalog: UnifiedCatalog, regions_more: int, models_more: int) -> Iterator[Markup]:
    failures = catalog.metadata.unavailable_regions
    if failures:
        texts = (f"{region} ({failure.kind})" for region, failure in failures.items())
        yield _remark(f"No fresh data: {listed(texts, 10)}.")
    if models_more:
        yield _remark(f"{counted(models_more, 'more model')}: `list_models()` has all.")
    if regions_more:
        yield _remark(f"{counted(regions_more, 'more region')} without a column.")


def _remark(text: str) -> Markup:
    return tag("div", text, class_="dim")
