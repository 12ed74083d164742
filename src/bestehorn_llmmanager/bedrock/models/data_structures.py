# until 4.0.0: this file
"""Old path of the structures of `ModelManager`."""

from __future__ import annotations

from bestehorn_llmmanager._legacy.data_structures import (
    BedrockModelInfo,
    CatalogDict,
    ModelCatalog,
    ModelDict,
    ModelName,
    ProviderName,
    RegionName,
)

__all__ = [
    "BedrockModelInfo",
    "CatalogDict",
    "ModelCatalog",
    "ModelDict",
    "ModelName",
    "ProviderName",
    "RegionName",
]
