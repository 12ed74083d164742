"""Call the models of AWS Bedrock by name, in any region, with fail-over.

Importing this package imports neither boto3 nor the rest of it: each name is looked up on its
first use.
"""

from __future__ import annotations

from bestehorn_llmmanager._lazy import lazy_names
from bestehorn_llmmanager._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.batch.batch_inference import BatchInference
    from bestehorn_llmmanager.bedrock.batch.limits import BatchLimits
    from bestehorn_llmmanager.bedrock.catalog.bedrock_catalog import BedrockModelCatalog
    from bestehorn_llmmanager.bedrock.discovery.region_discovery import BedrockRegionDiscovery
    from bestehorn_llmmanager.bedrock.exceptions.batch_exceptions import (
        BatchError,
        BatchSubmissionError,
    )
    from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
        AuthenticationError,
        ConfigurationError,
        LLMManagerError,
        RequestValidationError,
        RetryExhaustedError,
    )
    from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import (
        ParallelConfigurationError,
        ParallelExecutionError,
        ParallelProcessingError,
        RegionDistributionError,
        RequestIdCollisionError,
    )
    from bestehorn_llmmanager.bedrock.models.aws_regions import AWSRegions, get_all_regions
    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
    from bestehorn_llmmanager.bedrock.models.cache_detail import CacheDetail
    from bestehorn_llmmanager.bedrock.models.cache_point import build_cache_point
    from bestehorn_llmmanager.bedrock.models.cache_structures import CacheConfig, CacheStrategy
    from bestehorn_llmmanager.bedrock.models.catalog_structures import CacheMode
    from bestehorn_llmmanager.bedrock.models.citation import Citation
    from bestehorn_llmmanager.bedrock.models.content_block_types import ResponseContentType
    from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
        AuthConfig,
        AuthenticationType,
        Boto3Config,
        ResponseValidationConfig,
        RetryConfig,
        RetryStrategy,
        ValidationResult,
    )
    from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig
    from bestehorn_llmmanager.bedrock.models.parallel_structures import (
        BedrockConverseRequest,
        FailureHandlingStrategy,
        LoadBalancingStrategy,
        ParallelProcessingConfig,
        ParallelResponse,
    )
    from bestehorn_llmmanager.bedrock.models.reasoning_content import ReasoningContent
    from bestehorn_llmmanager.bedrock.models.streaming_response import StreamingResponse
    from bestehorn_llmmanager.bedrock.models.structured_output import (
        build_json_schema_output_config,
    )
    from bestehorn_llmmanager.bedrock.models.tool_use import ToolUse
    from bestehorn_llmmanager.bedrock.parallel.progress import RunProgress
    from bestehorn_llmmanager.bedrock.tracking.parameter_compatibility_tracker import (
        ParameterCompatibilityTracker,
    )
    from bestehorn_llmmanager.llm_manager import LLMManager
    from bestehorn_llmmanager.message_builder import (
        MessageBuilder,
        create_assistant_message,
        create_message,
        create_user_message,
    )
    from bestehorn_llmmanager.message_builder_enums import (
        AudioFormatEnum,
        CachePointTTLEnum,
        DetectionMethodEnum,
        DocumentFormatEnum,
        GuardContentQualifierEnum,
        ImageFormatEnum,
        RolesEnum,
        ToolResultStatusEnum,
        VideoFormatEnum,
    )
    from bestehorn_llmmanager.parallel_llm_manager import ParallelLLMManager

__author__ = "The bestehorn-llmmanager maintainers"
__description__ = "Call the models of AWS Bedrock by name, in any region, with fail-over."
__license__ = "MIT"

_HOMES = {
    "AWSRegions": "bestehorn_llmmanager.bedrock.models.aws_regions",
    "AudioFormatEnum": "bestehorn_llmmanager.message_builder_enums",
    "AuthConfig": "bestehorn_llmmanager.bedrock.models.llm_manager_structures",
    "AuthenticationError": "bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions",
    "AuthenticationType": "bestehorn_llmmanager.bedrock.models.llm_manager_structures",
    "BatchError": "bestehorn_llmmanager.bedrock.exceptions.batch_exceptions",
    "BatchInference": "bestehorn_llmmanager.bedrock.batch.batch_inference",
    "BatchLimits": "bestehorn_llmmanager.bedrock.batch.limits",
    "BatchSubmissionError": "bestehorn_llmmanager.bedrock.exceptions.batch_exceptions",
    "BedrockConverseRequest": "bestehorn_llmmanager.bedrock.models.parallel_structures",
    "BedrockModelCatalog": "bestehorn_llmmanager.bedrock.catalog.bedrock_catalog",
    "BedrockRegionDiscovery": "bestehorn_llmmanager.bedrock.discovery.region_discovery",
    "BedrockResponse": "bestehorn_llmmanager.bedrock.models.bedrock_response",
    "Boto3Config": "bestehorn_llmmanager.bedrock.models.llm_manager_structures",
    "CacheConfig": "bestehorn_llmmanager.bedrock.models.cache_structures",
    "CacheDetail": "bestehorn_llmmanager.bedrock.models.cache_detail",
    "CacheMode": "bestehorn_llmmanager.bedrock.models.catalog_structures",
    "CachePointTTLEnum": "bestehorn_llmmanager.message_builder_enums",
    "CacheStrategy": "bestehorn_llmmanager.bedrock.models.cache_structures",
    "Citation": "bestehorn_llmmanager.bedrock.models.citation",
    "ConfigurationError": "bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions",
    "DetectionMethodEnum": "bestehorn_llmmanager.message_builder_enums",
    "DocumentFormatEnum": "bestehorn_llmmanager.message_builder_enums",
    "FailureHandlingStrategy": "bestehorn_llmmanager.bedrock.models.parallel_structures",
    "GuardContentQualifierEnum": "bestehorn_llmmanager.message_builder_enums",
    "ImageFormatEnum": "bestehorn_llmmanager.message_builder_enums",
    "LLMManager": "bestehorn_llmmanager.llm_manager",
    "LLMManagerError": "bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions",
    "LoadBalancingStrategy": "bestehorn_llmmanager.bedrock.models.parallel_structures",
    "MessageBuilder": "bestehorn_llmmanager.message_builder",
    "ModelSpecificConfig": "bestehorn_llmmanager.bedrock.models.model_specific_structures",
    "ParallelConfigurationError": "bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions",
    "ParallelExecutionError": "bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions",
    "ParallelLLMManager": "bestehorn_llmmanager.parallel_llm_manager",
    "ParallelProcessingConfig": "bestehorn_llmmanager.bedrock.models.parallel_structures",
    "ParallelProcessingError": "bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions",
    "ParallelResponse": "bestehorn_llmmanager.bedrock.models.parallel_structures",
    "ParameterCompatibilityTracker": (
        "bestehorn_llmmanager.bedrock.tracking.parameter_compatibility_tracker"
    ),
    "ReasoningContent": "bestehorn_llmmanager.bedrock.models.reasoning_content",
    "RegionDistributionError": "bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions",
    "RequestIdCollisionError": "bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions",
    "RequestValidationError": "bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions",
    "ResponseContentType": "bestehorn_llmmanager.bedrock.models.content_block_types",
    "ResponseValidationConfig": "bestehorn_llmmanager.bedrock.models.llm_manager_structures",
    "RetryConfig": "bestehorn_llmmanager.bedrock.models.llm_manager_structures",
    "RetryExhaustedError": "bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions",
    "RetryStrategy": "bestehorn_llmmanager.bedrock.models.llm_manager_structures",
    "RolesEnum": "bestehorn_llmmanager.message_builder_enums",
    "RunProgress": "bestehorn_llmmanager.bedrock.parallel.progress",
    "StreamingResponse": "bestehorn_llmmanager.bedrock.models.streaming_response",
    "ToolResultStatusEnum": "bestehorn_llmmanager.message_builder_enums",
    "ToolUse": "bestehorn_llmmanager.bedrock.models.tool_use",
    "ValidationResult": "bestehorn_llmmanager.bedrock.models.llm_manager_structures",
    "VideoFormatEnum": "bestehorn_llmmanager.message_builder_enums",
    "build_cache_point": "bestehorn_llmmanager.bedrock.models.cache_point",
    "build_json_schema_output_config": "bestehorn_llmmanager.bedrock.models.structured_output",
    "create_assistant_message": "bestehorn_llmmanager.message_builder",
    "create_message": "bestehorn_llmmanager.message_builder",
    "create_user_message": "bestehorn_llmmanager.message_builder",
    "get_all_regions": "bestehorn_llmmanager.bedrock.models.aws_regions",
}
_SUBMODULES = (
    "bedrock",
    "llm_manager",
    "message_builder",
    "message_builder_constants",
    "message_builder_enums",
    "parallel_llm_manager",
    "util",
)

__all__ = [  # noqa: RUF022  (as in 0.9.0, then what is new)
    "LLMManager",
    "ParallelLLMManager",
    "Boto3Config",
    "MessageBuilder",
    "create_message",
    "create_user_message",
    "create_assistant_message",
    "RolesEnum",
    "ImageFormatEnum",
    "DocumentFormatEnum",
    "VideoFormatEnum",
    "DetectionMethodEnum",
    "ToolResultStatusEnum",
    "GuardContentQualifierEnum",
    "CachePointTTLEnum",
    "ResponseContentType",
    "ToolUse",
    "ReasoningContent",
    "Citation",
    "CacheDetail",
    "build_cache_point",
    "build_json_schema_output_config",
    "BedrockRegionDiscovery",
    "get_all_regions",
    "AWSRegions",
    "ModelSpecificConfig",
    "ParameterCompatibilityTracker",
    "AudioFormatEnum",
    "AuthConfig",
    "AuthenticationError",
    "AuthenticationType",
    "BatchError",
    "BatchInference",
    "BatchLimits",
    "BatchSubmissionError",
    "BedrockConverseRequest",
    "BedrockModelCatalog",
    "BedrockResponse",
    "CacheConfig",
    "CacheMode",
    "CacheStrategy",
    "ConfigurationError",
    "FailureHandlingStrategy",
    "LLMManagerError",
    "LoadBalancingStrategy",
    "ParallelConfigurationError",
    "ParallelExecutionError",
    "ParallelProcessingConfig",
    "ParallelProcessingError",
    "ParallelResponse",
    "RegionDistributionError",
    "RequestIdCollisionError",
    "RequestValidationError",
    "ResponseValidationConfig",
    "RetryConfig",
    "RetryExhaustedError",
    "RetryStrategy",
    "RunProgress",
    "StreamingResponse",
    "ValidationResult",
    "__version__",
]

__getattr__, __dir__ = lazy_names(
    __name__, {**_HOMES, **{name: f"{__name__}.{name}" for name in _SUBMODULES}}
)
