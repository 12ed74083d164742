"""Old names of the package `bedrock`, which looks them up here."""

from __future__ import annotations

from bestehorn_llmmanager._legacy.constants import (
    FilePaths,
    JSONFields,
    URLs,  # until 4.0.0
)
from bestehorn_llmmanager._legacy.data_structures import (  # until 4.0.0
    BedrockModelInfo,  # until 4.0.0
    ModelCatalog,  # until 4.0.0
)  # until 4.0.0
from bestehorn_llmmanager._legacy.json_serializer import JSONModelSerializer

# until 4.0.0
# `ModelManager` as a name of the package is the class; the module of that name is a submodule.
from bestehorn_llmmanager.bedrock.ModelManager import ModelManager, ModelManagerError

# end

__all__ = [
    "BedrockModelInfo",  # until 4.0.0
    "FilePaths",
    "JSONFields",
    "JSONModelSerializer",
    "ModelCatalog",  # until 4.0.0
    "ModelManager",  # until 4.0.0
    "ModelManagerError",  # until 4.0.0
    "URLs",  # until 4.0.0
]
