"""Call the models of AWS Bedrock by name, in any region, with fail-over.

Importing this package imports neither boto3 nor the rest of it: each name is looked up on its
first use.
"""

from __future__ import annotations

from bestehorn_llmmanager._lazy import lazy_names
from bestehorn_llmmanager._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.catalog.bedrock_catalog import BedrockModelCatalog
    from bestehorn_llmmanager.bedrock.models.aws_regions import AWSRegions, get_all_regions
    from bestehorn_llmmanager.bedrock.models.llm_manager_structures import Boto3Config
    from bestehorn_llmmanager.llm_manager import LLMManager

__author__ = "The bestehorn-llmmanager maintainers"
__description__ = "Call the models of AWS Bedrock by name, in any region, with fail-over."
__license__ = "MIT"

__all__ = [
    "AWSRegions",
    "BedrockModelCatalog",
    "Boto3Config",
    "LLMManager",
    "__version__",
    "get_all_regions",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "AWSRegions": "bestehorn_llmmanager.bedrock.models.aws_regions",
        "BedrockModelCatalog": "bestehorn_llmmanager.bedrock.catalog.bedrock_catalog",
        "Boto3Config": "bestehorn_llmmanager.bedrock.models.llm_manager_structures",
        "LLMManager": "bestehorn_llmmanager.llm_manager",
        "bedrock": "bestehorn_llmmanager.bedrock",
        "get_all_regions": "bestehorn_llmmanager.bedrock.models.aws_regions",
        "llm_manager": "bestehorn_llmmanager.llm_manager",
        "util": "bestehorn_llmmanager.util",
    },
)
