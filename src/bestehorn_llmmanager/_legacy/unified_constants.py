"""Tables of the names in the old file of models with their profiles and of its place, for code that refers to them by constant."""

from __future__ import annotations

from typing import ClassVar


class AccessMethodPriority:
    DIRECT_PRIORITY = 1
    CRIS_PRIORITY = 2
    PRIORITY_RATIONALES: ClassVar[dict[str, str]] = {
        "direct_preferred": "Direct access is the shorter way and needs no profile",
        "cris_only": "Only an inference profile reaches the model here",
        "cris_preferred": "An inference profile has more quota and more places to go to",
    }


class CacheManagementConstants:
    DEFAULT_MAX_CACHE_AGE_HOURS = 24.0
    MIN_CACHE_AGE_HOURS = 0.1
    MAX_CACHE_AGE_HOURS = 168.0
    DEFAULT_STRICT_CACHE_MODE = False
    DEFAULT_IGNORE_CACHE_AGE = False
    CACHE_VALID = "valid"
    CACHE_MISSING = "missing"
    CACHE_CORRUPTED = "corrupted"
    CACHE_EXPIRED = "expired"
    TIMESTAMP_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
    TIMESTAMP_FORMAT_FALLBACK = "%Y-%m-%dT%H:%M:%SZ"


class UnifiedFilePaths:
    DEFAULT_UNIFIED_JSON_OUTPUT = "src/docs/UnifiedModels.json"
    DEFAULT_CORRELATION_LOG = "src/docs/ModelCorrelation.log"


class UnifiedJSONFields:
    RETRIEVAL_TIMESTAMP = "retrieval_timestamp"
    UNIFIED_MODELS = "unified_models"
    MODEL_NAME = "model_name"
    PROVIDER = "provider"
    MODEL_ID = "model_id"
    INPUT_MODALITIES = "input_modalities"
    OUTPUT_MODALITIES = "output_modalities"
    STREAMING_SUPPORTED = "streaming_supported"
    INFERENCE_PARAMETERS_LINK = "inference_parameters_link"
    HYPERPARAMETERS_LINK = "hyperparameters_link"
    REGION_ACCESS = "region_access"
    ACCESS_METHOD = "access_method"
    REGION = "region"
    INFERENCE_PROFILE_ID = "inference_profile_id"
    HAS_DIRECT_ACCESS = "has_direct_access"
    HAS_REGIONAL_CRIS = "has_regional_cris"
    HAS_GLOBAL_CRIS = "has_global_cris"
    REGIONAL_CRIS_PROFILE_ID = "regional_cris_profile_id"
    GLOBAL_CRIS_PROFILE_ID = "global_cris_profile_id"
    ACCESS_DIRECT = "direct"
    ACCESS_CRIS_ONLY = "cris_only"
    ACCESS_BOTH = "both"
