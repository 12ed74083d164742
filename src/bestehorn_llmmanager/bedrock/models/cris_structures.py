# until 4.0.0: this file
"""Old path of the structures of `CRISManager`."""

from __future__ import annotations

from bestehorn_llmmanager._legacy.cris_routes import RegionMappings
from bestehorn_llmmanager._legacy.cris_structures import (
    CRISCatalog,
    CRISCatalogDict,
    CRISInferenceProfile,
    CRISInferenceProfileId,
    CRISModelDict,
    CRISModelInfo,
    CRISModelName,
    CRISRegionName,
    InferenceProfilesMap,
)

__all__ = [
    "CRISCatalog",
    "CRISCatalogDict",
    "CRISInferenceProfile",
    "CRISInferenceProfileId",
    "CRISModelDict",
    "CRISModelInfo",
    "CRISModelName",
    "CRISRegionName",
    "InferenceProfilesMap",
    "RegionMappings",
]
