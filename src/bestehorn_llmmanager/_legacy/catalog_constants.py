"""Tables of the catalogue's API names and defaults, for code that refers to them by constant."""

from __future__ import annotations

from bestehorn_llmmanager.bedrock.models.aws_regions import get_commercial_regions


class CatalogAPIOperations:
    LIST_FOUNDATION_MODELS = "list_foundation_models"
    LIST_INFERENCE_PROFILES = "list_inference_profiles"


class CatalogAPIParameters:
    PROFILE_TYPE_EQUALS = "typeEquals"
    SYSTEM_DEFINED = "SYSTEM_DEFINED"
    MAX_RESULTS = "maxResults"
    NEXT_TOKEN = "nextToken"  # noqa: S105  (a field's name)


class CatalogAPIResponseFields:
    MODEL_SUMMARIES = "modelSummaries"
    MODEL_ID = "modelId"
    MODEL_NAME = "modelName"
    PROVIDER_NAME = "providerName"
    MODEL_ARN = "modelArn"
    INPUT_MODALITIES = "inputModalities"
    OUTPUT_MODALITIES = "outputModalities"
    RESPONSE_STREAMING_SUPPORTED = "responseStreamingSupported"
    CUSTOMIZATIONS_SUPPORTED = "customizationsSupported"
    INFERENCE_TYPES_SUPPORTED = "inferenceTypesSupported"
    MODEL_LIFECYCLE = "modelLifecycle"
    NEXT_TOKEN = "nextToken"  # noqa: S105  (a field's name)
    INFERENCE_PROFILE_SUMMARIES = "inferenceProfileSummaries"
    INFERENCE_PROFILE_NAME = "inferenceProfileName"
    INFERENCE_PROFILE_ID = "inferenceProfileId"
    INFERENCE_PROFILE_ARN = "inferenceProfileArn"
    MODELS = "models"
    DESCRIPTION = "description"
    CREATED_AT = "createdAt"
    UPDATED_AT = "updatedAt"
    PROFILE_TYPE = "type"
    STATUS = "status"


class CatalogCacheFields:
    MODELS = "models"
    METADATA = "metadata"
    SOURCE = "source"
    RETRIEVAL_TIMESTAMP = "retrieval_timestamp"
    API_REGIONS_QUERIED = "api_regions_queried"
    BUNDLED_DATA_VERSION = "bundled_data_version"
    CACHE_FILE_PATH = "cache_file_path"
    PACKAGE_VERSION = "package_version"


class CatalogDefaults:
    DEFAULT_CACHE_MAX_AGE_HOURS = 24.0
    DEFAULT_FORCE_REFRESH = False
    DEFAULT_FALLBACK_TO_BUNDLED = True
    DEFAULT_API_TIMEOUT_SECONDS = 30
    DEFAULT_MAX_WORKERS = 10
    DEFAULT_MAX_RETRIES = 6
    DEFAULT_RETRY_MIN_WAIT_SECONDS = 1.0
    DEFAULT_RETRY_MAX_WAIT_SECONDS = 10.0
    DEFAULT_RETRY_MULTIPLIER = 1.0
    DEFAULT_RETRY_INITIAL_WAIT_SECONDS = 1.0
    DEFAULT_AWS_REGIONS = get_commercial_regions()


class CatalogVersioning:
    VERSION_FORMAT = "YYYY-MM-DD"
    CACHE_FORMAT_VERSION = "1.0"
    VERSION_COMPATIBILITY_LEVEL = "major.minor"


class CatalogMetrics:
    METRIC_CACHE_HIT = "catalog.cache.hit"
    METRIC_CACHE_MISS = "catalog.cache.miss"
    METRIC_API_FETCH_DURATION = "catalog.api.fetch.duration"
    METRIC_API_FETCH_SUCCESS = "catalog.api.fetch.success"
    METRIC_API_FETCH_FAILURE = "catalog.api.fetch.failure"
    METRIC_BUNDLED_FALLBACK = "catalog.bundled.fallback"
    METRIC_TRANSFORM_DURATION = "catalog.transform.duration"
    METRIC_QUERY_DURATION = "catalog.query.duration"
    LABEL_CACHE_MODE = "cache_mode"
    LABEL_SOURCE = "source"
    LABEL_REGION = "region"
    LABEL_OPERATION = "operation"
