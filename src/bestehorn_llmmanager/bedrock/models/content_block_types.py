"""Says of which type a content block is."""

from __future__ import annotations

from enum import Enum
from typing import Any


class ResponseContentType(str, Enum):
    """The key under which a content block carries its payload."""

    TEXT = "text"
    TOOL_USE = "toolUse"
    TOOL_RESULT = "toolResult"
    REASONING_CONTENT = "reasoningContent"
    IMAGE = "image"
    DOCUMENT = "document"
    VIDEO = "video"
    CITATIONS_CONTENT = "citationsContent"
    GUARD_CONTENT = "guardContent"
    CACHE_POINT = "cachePoint"
    AUDIO = "audio"
    SEARCH_RESULT = "searchResult"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value

    @classmethod
    def from_block(cls, block: Any) -> ResponseContentType:
        """The first member that is a key of `block`, `UNKNOWN` for anything else."""
        if isinstance(block, dict):
            for kind in _KNOWN:
                if kind.value in block:
                    return kind
        return cls.UNKNOWN


_KNOWN = tuple(kind for kind in ResponseContentType if kind is not ResponseContentType.UNKNOWN)


def get_block_type(block: dict[str, Any] | None) -> ResponseContentType:
    """The type of `block`, `UNKNOWN` for None."""
    return ResponseContentType.from_block(block)
