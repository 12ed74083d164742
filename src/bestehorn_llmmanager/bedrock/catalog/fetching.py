"""Asks AWS about some regions, and makes a catalogue of what it says.

Imported only when AWS is to be asked.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from bestehorn_llmmanager.bedrock.catalog.api_fetcher import BedrockAPIFetcher, causes
from bestehorn_llmmanager.bedrock.catalog.bundled_loader import bundled_catalog
from bestehorn_llmmanager.bedrock.catalog.overlay import with_knowledge_of
from bestehorn_llmmanager.bedrock.catalog.transformer import CatalogTransformer
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    APIFetchError,
    BundledDataError,
)
from bestehorn_llmmanager.bedrock.models.catalog_structures import RegionFailure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bestehorn_llmmanager.bedrock.models.catalog_structures import UnifiedCatalog

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fetched:
    """What AWS said.

    Attributes:
        catalog: None if no region listed a model that can be called.
        failures: Region to why it gave nothing.
        reason: Why there is no catalogue; empty if there is one.
    """

    catalog: UnifiedCatalog | None
    failures: Mapping[str, RegionFailure]
    reason: str = ""


def fetch(fetcher: BedrockAPIFetcher, regions: Sequence[str]) -> Fetched:
    """Ask these regions; never raises because AWS does not answer."""
    try:
        raw = fetcher.sweep(regions)
    except APIFetchError as error:
        return Fetched(None, {}, error.message)
    now = datetime.now(timezone.utc)
    failures = {
        region: RegionFailure(raw.failure_kinds[region], reason, now)
        for region, reason in raw.failed_regions.items()
    }
    if not raw.has_data:
        return Fetched(None, failures, causes(raw))
    catalog = _with_limits_and_prices(CatalogTransformer().transform_api_data(raw))
    if not catalog.models:
        return Fetched(None, failures, "listed no model that can be called")
    return Fetched(catalog, failures)


def _with_limits_and_prices(catalog: UnifiedCatalog) -> UnifiedCatalog:
    """These, and former names, are not in the API's answers."""
    try:
        return with_knowledge_of(catalog, bundled_catalog())
    except BundledDataError as error:
        logger.warning("error=%s | live model catalogue without limits and prices", error)
        return catalog
