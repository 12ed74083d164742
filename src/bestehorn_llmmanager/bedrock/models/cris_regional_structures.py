# until 4.0.0: this file
"""Old path of the structures of profiles by geography."""

from __future__ import annotations

from bestehorn_llmmanager._legacy.cris_regional_structures import (
    CRISMultiRegionalModel,
    CRISMultiRegionalModelDict,
    CRISRegionalVariant,
    CRISRegionalVariantDict,
    CRISRegionPrefix,
    RegionalVariantsMap,
)

__all__ = [
    "CRISMultiRegionalModel",
    "CRISMultiRegionalModelDict",
    "CRISRegionPrefix",
    "CRISRegionalVariant",
    "CRISRegionalVariantDict",
    "RegionalVariantsMap",
]
