"""Old path of the catalogue's constants."""

from __future__ import annotations

from bestehorn_llmmanager._legacy.catalog_constants import (
    CatalogAPIOperations,
    CatalogAPIParameters,
    CatalogAPIResponseFields,
    CatalogCacheFields,
    CatalogDefaults,
    CatalogMetrics,
    CatalogVersioning,
)
from bestehorn_llmmanager.bedrock.models.catalog_paths import CatalogFilePaths

__all__ = [
    "CatalogAPIOperations",
    "CatalogAPIParameters",
    "CatalogAPIResponseFields",
    "CatalogCacheFields",
    "CatalogDefaults",
    "CatalogFilePaths",
    "CatalogMetrics",
    "CatalogVersioning",
]
