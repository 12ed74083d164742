"""Old path of the names and defaults of parallel runs."""

from __future__ import annotations

from bestehorn_llmmanager._legacy.parallel_constants import (
    ParallelConfig,
    ParallelProcessingFields,
)

__all__ = ["ParallelConfig", "ParallelProcessingFields"]
