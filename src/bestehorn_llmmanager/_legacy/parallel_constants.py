"""Tables of the names and defaults of parallel runs, for code that refers to them by constant."""

from __future__ import annotations


class ParallelProcessingFields:
    REQUEST_ID = "request_id"
    MESSAGES = "messages"
    SYSTEM = "system"
    INFERENCE_CONFIG = "inference_config"
    ADDITIONAL_MODEL_REQUEST_FIELDS = "additional_model_request_fields"
    ADDITIONAL_MODEL_RESPONSE_FIELD_PATHS = "additional_model_response_field_paths"
    GUARDRAIL_CONFIG = "guardrail_config"
    TOOL_CONFIG = "tool_config"
    REQUEST_METADATA = "request_metadata"
    PROMPT_VARIABLES = "prompt_variables"
    SUCCESS = "success"
    REQUEST_RESPONSES = "request_responses"
    TOTAL_DURATION_MS = "total_duration_ms"
    PARALLEL_EXECUTION_STATS = "parallel_execution_stats"
    WARNINGS = "warnings"
    FAILED_REQUESTS = "failed_requests"
    TOTAL_REQUESTS = "total_requests"
    SUCCESSFUL_REQUESTS = "successful_requests"
    FAILED_REQUESTS_COUNT = "failed_requests_count"
    AVERAGE_REQUEST_DURATION_MS = "average_request_duration_ms"
    MAX_REQUEST_DURATION_MS = "max_request_duration_ms"
    MIN_REQUEST_DURATION_MS = "min_request_duration_ms"
    CONCURRENT_EXECUTIONS = "concurrent_executions"
    REGION_DISTRIBUTION = "region_distribution"


class ParallelConfig:
    DEFAULT_MAX_CONCURRENT_REQUESTS = 5
    DEFAULT_REQUEST_TIMEOUT_SECONDS = 300
    DEFAULT_TARGET_REGIONS_PER_REQUEST = 5
    DEFAULT_ENABLE_REQUEST_PRIORITIZATION = True
    REQUEST_ID_PREFIX = "req"
    REQUEST_ID_HASH_LENGTH = 12
    REQUEST_ID_SEPARATOR = "_"
    FAILURE_STRATEGY_CONTINUE = "continue_on_failure"
    FAILURE_STRATEGY_STOP = "stop_on_first_failure"
    FAILURE_STRATEGY_THRESHOLD = "stop_on_threshold"
    LOAD_BALANCE_ROUND_ROBIN = "round_robin"
    LOAD_BALANCE_RANDOM = "random"
    LOAD_BALANCE_LEAST_LOADED = "least_loaded"
