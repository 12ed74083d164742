"""Old path of the constants of `CRISManager`."""

from __future__ import annotations

from bestehorn_llmmanager._legacy.cris_constants import (
    CRISFilePaths,
    CRISGlobalConstants,
    CRISJSONFields,
    CRISRegionPrefixes,
    CRISURLs,
)

__all__ = [
    "CRISFilePaths",
    "CRISGlobalConstants",
    "CRISJSONFields",
    "CRISRegionPrefixes",
    "CRISURLs",
]
