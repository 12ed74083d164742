"""Old path of the constants about the old file of models."""

from __future__ import annotations

from bestehorn_llmmanager._legacy.constants import (
    FilePaths,
    JSONFields,
    URLs,  # until 4.0.0
)

__all__ = [
    "FilePaths",
    "JSONFields",
    "URLs",  # until 4.0.0
]
