"""Cache points: where they go in a request, and where they are taken."""

from __future__ import annotations

from bestehorn_llmmanager._lazy import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.cache.cache_point_manager import CachePointManager

__all__ = ["CachePointManager"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {"CachePointManager": "bestehorn_llmmanager.bedrock.cache.cache_point_manager"},
)
