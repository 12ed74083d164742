"""Holds how much of a prompt was cached for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CacheDetail:
    """One entry of ``usage.cacheDetails``; `ttl` is ``"5m"`` or ``"1h"``."""

    input_tokens: int = 0
    ttl: str = ""

    @classmethod
    def from_cache_detail(cls, cache_detail: dict[str, Any]) -> CacheDetail:
        return cls(
            input_tokens=cache_detail.get("inputTokens") or 0,
            ttl=cache_detail.get("ttl") or "",
        )
