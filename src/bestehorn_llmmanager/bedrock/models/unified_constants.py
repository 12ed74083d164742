"""Old path of the constants about the old file of models with their profiles."""

from __future__ import annotations

from bestehorn_llmmanager._legacy.unified_constants import (
    AccessMethodPriority,
    CacheManagementConstants,
    UnifiedFilePaths,
    UnifiedJSONFields,
)

__all__ = [
    "AccessMethodPriority",
    "CacheManagementConstants",
    "UnifiedFilePaths",
    "UnifiedJSONFields",
]
