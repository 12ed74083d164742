"""Builds cache points, which mark how much of a request Bedrock keeps for the next one."""

from __future__ import annotations

from enum import Enum
from typing import Any

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import RequestValidationError


class CachePointTTLEnum(str, Enum):
    """How long what stands before a cache point is kept."""

    FIVE_MINUTES = "5m"
    ONE_HOUR = "1h"

    def __str__(self) -> str:
        return self.value


def build_cache_point(
    cache_type: str = "default", ttl: CachePointTTLEnum | str | None = None
) -> dict[str, Any]:
    """A block for the `content` of a message, for `system` or for `toolConfig["tools"]`.

    Args:
        cache_type: ``"default"``, the only type there is.
        ttl: ``"5m"``, ``"1h"`` or a `CachePointTTLEnum`; None leaves it to Bedrock. Which of them
            a model takes differs.

    Raises:
        RequestValidationError: There is no such type or time to live.
    """
    if cache_type != "default":
        raise RequestValidationError(
            f"The type of a cache point is 'default', the only one there is; got {cache_type!r}"
        )
    if ttl is None:
        return {"cachePoint": {"type": "default"}}
    try:
        return {"cachePoint": {"type": "default", "ttl": CachePointTTLEnum(ttl).value}}
    except ValueError:
        valid = " or ".join(repr(member.value) for member in CachePointTTLEnum)
        raise RequestValidationError(
            f"The `ttl` of a cache point is {valid}, or None for Bedrock's own; got {ttl!r}"
        ) from None
