"""Says what is wrong with a bundled catalogue."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.models.catalog_structures import CatalogSource, UnifiedCatalog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FEWEST_MODELS = 100
FEWEST_REGIONS = 20


def content_sha256(data: Mapping[str, Any]) -> str:
    """SHA-256 over everything but the metadata, independent of order and white space."""
    content = {key: value for key, value in data.items() if key != "metadata"}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def bundle_problems(data: Mapping[str, Any]) -> list[str]:
    """One sentence for each thing that is wrong; empty for a bundle that can be shipped."""
    try:
        catalog = UnifiedCatalog.from_dict(data)
    except ValueError as error:
        return [f"it is not a catalogue: {error}"]
    return [*_metadata_problems(catalog, data), *_model_problems(catalog)]


def _metadata_problems(catalog: UnifiedCatalog, data: Mapping[str, Any]) -> Iterator[str]:
    metadata = catalog.metadata
    if metadata.source is not CatalogSource.BUNDLED:
        yield f"`metadata.source` is {metadata.source.value!r}, not 'bundled'"
    if not metadata.bundled_data_version:
        yield "`metadata.bundled_data_version` is missing"
    if metadata.retrieval_timestamp.tzinfo is None:
        yield "`metadata.retrieval_timestamp` has no time zone"
    if len(metadata.api_regions_queried) < FEWEST_REGIONS:
        yield f"it has {len(metadata.api_regions_queried)} regions, fewer than {FEWEST_REGIONS}"
    if data["metadata"].get("sha256") != content_sha256(data):
        yield "`metadata.sha256` is not the checksum of the content"


def _model_problems(catalog: UnifiedCatalog) -> Iterator[str]:
    if catalog.model_count < FEWEST_MODELS:
        yield f"it has {catalog.model_count} models, fewer than {FEWEST_MODELS}"
    ids = Counter(model.model_id for model in catalog.models.values())
    yield from (f"{key!r} is the id of {count} models" for key, count in ids.items() if count > 1)
    for name, model in catalog.models.items():
        if name != model.model_name:
            yield f"{name!r} is the key of a model named {model.model_name!r}"
        if not model.model_id:
            yield f"{name!r} has no model id"
        if model.described and not (model.input_modalities and model.output_modalities):
            yield f"{name!r} lacks modalities"
        unknown = set(model.region_access) - set(catalog.metadata.api_regions_queried)
        if unknown:
            yield f"{name!r} is in regions that were not asked: {sorted(unknown)}"
