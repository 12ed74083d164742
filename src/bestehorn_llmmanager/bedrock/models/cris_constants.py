"""Old path of the constants about the old file of inference profiles."""

from __future__ import annotations

from bestehorn_llmmanager._legacy.cris_constants import (
    CRISFilePaths,
    CRISGlobalConstants,
    CRISJSONFields,
    CRISRegionPrefixes,
    CRISURLs,  # until 4.0.0
)

__all__ = [
    "CRISFilePaths",
    "CRISGlobalConstants",
    "CRISJSONFields",
    "CRISRegionPrefixes",
    "CRISURLs",  # until 4.0.0
]
