"""Which regions have Bedrock."""

from __future__ import annotations

from bestehorn_llmmanager._lazy import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.discovery.region_discovery import BedrockRegionDiscovery

__all__ = ["BedrockRegionDiscovery"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {"BedrockRegionDiscovery": "bestehorn_llmmanager.bedrock.discovery.region_discovery"},
)
