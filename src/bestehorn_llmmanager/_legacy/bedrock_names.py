"""Old names of the package `bedrock`.

`bedrock` looks them up here, because `ModelManager` as a name of the package is the class, while
the module of that name is a submodule.
"""

from __future__ import annotations

from bestehorn_llmmanager._legacy.constants import FilePaths, JSONFields, URLs
from bestehorn_llmmanager._legacy.data_structures import BedrockModelInfo, ModelCatalog
from bestehorn_llmmanager._legacy.json_serializer import JSONModelSerializer
from bestehorn_llmmanager.bedrock.ModelManager import ModelManager, ModelManagerError

__all__ = [
    "BedrockModelInfo",
    "FilePaths",
    "JSONFields",
    "JSONModelSerializer",
    "ModelCatalog",
    "ModelManager",
    "ModelManagerError",
    "URLs",
]
