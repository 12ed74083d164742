"""What the library knows of AWS Bedrock."""

from __future__ import annotations

from bestehorn_llmmanager._lazy import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.catalog.bedrock_catalog import BedrockModelCatalog
    from bestehorn_llmmanager.bedrock.models.aws_regions import AWSRegions

__all__ = ["AWSRegions", "BedrockModelCatalog"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "AWSRegions": "bestehorn_llmmanager.bedrock.models.aws_regions",
        "BedrockModelCatalog": "bestehorn_llmmanager.bedrock.catalog.bedrock_catalog",
        "auth": "bestehorn_llmmanager.bedrock.auth",
        "catalog": "bestehorn_llmmanager.bedrock.catalog",
        "exceptions": "bestehorn_llmmanager.bedrock.exceptions",
        "models": "bestehorn_llmmanager.bedrock.models",
    },
)
