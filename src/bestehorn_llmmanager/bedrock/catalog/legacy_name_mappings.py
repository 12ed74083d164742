"""Old path of the tables of older names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bestehorn_llmmanager._lazy import lazy_names
from bestehorn_llmmanager._legacy.legacy_name_mappings import (
    get_all_deprecated_names,
    get_all_legacy_names,
    get_deprecation_reason,
    get_legacy_mapping,
    is_deprecated_model,
)

if TYPE_CHECKING:
    DEPRECATED_MODELS: dict[str, str]
    LEGACY_NAME_MAPPINGS: dict[str, str]

__all__ = [
    "DEPRECATED_MODELS",
    "LEGACY_NAME_MAPPINGS",
    "get_all_deprecated_names",
    "get_all_legacy_names",
    "get_deprecation_reason",
    "get_legacy_mapping",
    "is_deprecated_model",
]

# The tables are read from the bundle on their first use.
_HOME = "bestehorn_llmmanager._legacy.legacy_name_mappings"
__getattr__, __dir__ = lazy_names(
    __name__, {"DEPRECATED_MODELS": _HOME, "LEGACY_NAME_MAPPINGS": _HOME}
)
