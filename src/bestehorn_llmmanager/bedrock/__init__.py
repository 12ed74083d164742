"""What the library knows of AWS Bedrock."""

from __future__ import annotations

from bestehorn_llmmanager._lazy import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.catalog.bedrock_catalog import BedrockModelCatalog
    from bestehorn_llmmanager.bedrock.models.aws_regions import AWSRegions

__all__ = ["AWSRegions", "BedrockModelCatalog"]

_ROOMS = (
    "auth",
    "builders",
    "cache",
    "catalog",
    "exceptions",
    "models",
    "retry",
    "streaming",
    "tracking",
    "validators",
)

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "AWSRegions": "bestehorn_llmmanager.bedrock.models.aws_regions",
        "BedrockModelCatalog": "bestehorn_llmmanager.bedrock.catalog.bedrock_catalog",
        **{room: f"{__name__}.{room}" for room in _ROOMS},
    },
)
