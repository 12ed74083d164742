"""What the library knows of AWS Bedrock."""

from __future__ import annotations

from bestehorn_llmmanager._lazy import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bestehorn_llmmanager._legacy.bedrock_names import (
        BedrockModelInfo,  # until 4.0.0
        FilePaths,
        JSONFields,
        JSONModelSerializer,
        ModelCatalog,  # until 4.0.0
        ModelManager,  # until 4.0.0
        ModelManagerError,  # until 4.0.0
        URLs,  # until 4.0.0
    )
    from bestehorn_llmmanager.bedrock.catalog.bedrock_catalog import BedrockModelCatalog
    from bestehorn_llmmanager.bedrock.models.aws_regions import AWSRegions

__all__ = [
    "AWSRegions",
    "BedrockModelCatalog",
    "BedrockModelInfo",  # until 4.0.0
    "FilePaths",
    "JSONFields",
    "JSONModelSerializer",
    "ModelCatalog",  # until 4.0.0
    "ModelManager",  # until 4.0.0
    "ModelManagerError",  # until 4.0.0
    "URLs",  # until 4.0.0
]

_ROOMS = (
    "CRISManager",  # until 4.0.0
    "UnifiedModelManager",  # until 4.0.0
    "auth",
    "builders",
    "cache",
    "catalog",
    "discovery",
    "exceptions",
    "models",
    "retry",
    "serializers",
    "streaming",
    "tracking",
    "validators",
)

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "AWSRegions": "bestehorn_llmmanager.bedrock.models.aws_regions",
        "BedrockModelCatalog": "bestehorn_llmmanager.bedrock.catalog.bedrock_catalog",
        "BedrockModelInfo": "bestehorn_llmmanager._legacy.bedrock_names",  # until 4.0.0
        "FilePaths": "bestehorn_llmmanager._legacy.bedrock_names",
        "JSONFields": "bestehorn_llmmanager._legacy.bedrock_names",
        "JSONModelSerializer": "bestehorn_llmmanager._legacy.bedrock_names",
        "ModelCatalog": "bestehorn_llmmanager._legacy.bedrock_names",  # until 4.0.0
        "ModelManager": "bestehorn_llmmanager._legacy.bedrock_names",  # until 4.0.0
        "ModelManagerError": "bestehorn_llmmanager._legacy.bedrock_names",  # until 4.0.0
        "URLs": "bestehorn_llmmanager._legacy.bedrock_names",  # until 4.0.0
        **{room: f"{__name__}.{room}" for room in _ROOMS},
    },
)
