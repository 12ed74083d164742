"""Old path of the names in a ConverseStream."""

from __future__ import annotations

from bestehorn_llmmanager._legacy.streaming_constants import (
    StreamingConstants,
    StreamingEventTypes,
)

__all__ = ["StreamingConstants", "StreamingEventTypes"]
