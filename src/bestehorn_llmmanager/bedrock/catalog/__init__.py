"""The catalogue: what to call for a model, in a region."""

from __future__ import annotations

from bestehorn_llmmanager._lazy import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.catalog.bedrock_catalog import BedrockModelCatalog
    from bestehorn_llmmanager.bedrock.catalog.bundled_loader import BundledDataLoader
    from bestehorn_llmmanager.bedrock.catalog.cache_manager import CacheManager
    from bestehorn_llmmanager.bedrock.catalog.name_resolution_structures import (
        AliasGenerationConfig,
        ErrorType,
        MatchType,
        ModelNameMatch,
        ModelResolutionError,
    )
    from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
        APIFetchError,
        BundledDataError,
        CacheError,
        CatalogError,
        CatalogUnavailableError,
    )
    from bestehorn_llmmanager.bedrock.models.catalog_structures import (
        CacheMode,
        CatalogMetadata,
        CatalogSource,
        UnifiedCatalog,
    )

__all__ = [
    "APIFetchError",
    "AliasGenerationConfig",
    "BedrockModelCatalog",
    "BundledDataError",
    "BundledDataLoader",
    "CacheError",
    "CacheManager",
    "CacheMode",
    "CatalogError",
    "CatalogMetadata",
    "CatalogSource",
    "CatalogUnavailableError",
    "ErrorType",
    "MatchType",
    "ModelNameMatch",
    "ModelResolutionError",
    "UnifiedCatalog",
]

_ERRORS = "bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions"
_NAMES = "bestehorn_llmmanager.bedrock.catalog.name_resolution_structures"
_STRUCTURES = "bestehorn_llmmanager.bedrock.models.catalog_structures"

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "APIFetchError": _ERRORS,
        "AliasGenerationConfig": _NAMES,
        "BedrockModelCatalog": "bestehorn_llmmanager.bedrock.catalog.bedrock_catalog",
        "BundledDataError": _ERRORS,
        "BundledDataLoader": "bestehorn_llmmanager.bedrock.catalog.bundled_loader",
        "CacheError": _ERRORS,
        "CacheManager": "bestehorn_llmmanager.bedrock.catalog.cache_manager",
        "CacheMode": _STRUCTURES,
        "CatalogError": _ERRORS,
        "CatalogMetadata": _STRUCTURES,
        "CatalogSource": _STRUCTURES,
        "CatalogUnavailableError": _ERRORS,
        "ErrorType": _NAMES,
        "MatchType": _NAMES,
        "ModelNameMatch": _NAMES,
        "ModelResolutionError": _NAMES,
        "UnifiedCatalog": _STRUCTURES,
    },
)
