"""Tables of the names and limits of Converse requests, for code that refers to them by constant."""

from __future__ import annotations

from typing import ClassVar


class ContentLimits:
    MAX_IMAGES_PER_REQUEST = 20
    MAX_IMAGE_SIZE_BYTES = 3750000
    MAX_IMAGE_DIMENSION_PX = 8000
    MAX_DOCUMENTS_PER_REQUEST = 5
    MAX_DOCUMENT_SIZE_BYTES = 4500000
    MAX_VIDEOS_PER_REQUEST = 1
    MAX_VIDEO_SIZE_BYTES = 100000000
    MAX_CONTENT_BLOCKS_PER_MESSAGE = 100
    MAX_MESSAGES_PER_REQUEST = 1000
    DEFAULT_MAX_INPUT_TOKENS = 200000
    DEFAULT_MAX_OUTPUT_TOKENS = 4096


class ConverseAPIFields:
    MODEL_ID = "modelId"
    MESSAGES = "messages"
    SYSTEM = "system"
    INFERENCE_CONFIG = "inferenceConfig"
    ADDITIONAL_MODEL_REQUEST_FIELDS = "additionalModelRequestFields"
    ADDITIONAL_MODEL_RESPONSE_FIELD_PATHS = "additionalModelResponseFieldPaths"
    GUARDRAIL_CONFIG = "guardrailConfig"
    TOOL_CONFIG = "toolConfig"
    REQUEST_METADATA = "requestMetadata"
    PROMPT_VARIABLES = "promptVariables"
    OUTPUT_CONFIG = "outputConfig"
    PERFORMANCE_CONFIG = "performanceConfig"
    SERVICE_TIER = "serviceTier"
    TEXT_FORMAT = "textFormat"
    OUTPUT_FORMAT_TYPE = "type"
    OUTPUT_FORMAT_STRUCTURE = "structure"
    OUTPUT_FORMAT_JSON_SCHEMA = "json_schema"
    ROLE = "role"
    CONTENT = "content"
    TEXT = "text"
    IMAGE = "image"
    DOCUMENT = "document"
    VIDEO = "video"
    CACHE_POINT = "cachePoint"
    CACHE_TYPE = "type"
    CACHE_TTL = "ttl"
    CACHE_TYPE_DEFAULT = "default"
    GUARD_CONTENT = "guardContent"
    REASONING_CONTENT = "reasoningContent"
    TOOL_USE = "toolUse"
    TOOL_RESULT = "toolResult"
    CITATIONS_CONTENT = "citationsContent"
    AUDIO = "audio"
    SEARCH_RESULT = "searchResult"
    FORMAT = "format"
    SOURCE = "source"
    BYTES = "bytes"
    S3_LOCATION = "s3Location"
    URI = "uri"
    BUCKET_OWNER = "bucketOwner"
    NAME = "name"
    CITATIONS = "citations"
    CONTEXT = "context"
    ENABLED = "enabled"
    CITATION_TITLE = "title"
    CITATION_SOURCE = "source"
    CITATION_SOURCE_CONTENT = "sourceContent"
    CITATION_LOCATION = "location"
    GUARD_CONTENT_TEXT = "text"
    GUARD_CONTENT_QUALIFIERS = "qualifiers"
    TRACE = "trace"
    GUARDRAIL = "guardrail"
    STREAM_PROCESSING_MODE = "streamProcessingMode"
    REASONING_TEXT = "reasoningText"
    REASONING_SIGNATURE = "signature"
    REASONING_REDACTED_CONTENT = "redactedContent"
    TOOL_USE_ID = "toolUseId"
    TOOL_NAME = "name"
    TOOL_INPUT = "input"
    TOOL_RESULT_CONTENT = "content"
    TOOL_RESULT_STATUS = "status"
    TOOL_RESULT_JSON = "json"
    TOOL_RESULT_STATUS_SUCCESS = "success"
    TOOL_RESULT_STATUS_ERROR = "error"
    MAX_TOKENS = "maxTokens"
    STOP_SEQUENCES = "stopSequences"
    TEMPERATURE = "temperature"
    TOP_P = "topP"
    OUTPUT = "output"
    MESSAGE = "message"
    STOP_REASON = "stopReason"
    USAGE = "usage"
    METRICS = "metrics"
    ADDITIONAL_MODEL_RESPONSE_FIELDS = "additionalModelResponseFields"
    INPUT_TOKENS = "inputTokens"
    OUTPUT_TOKENS = "outputTokens"
    TOTAL_TOKENS = "totalTokens"
    CACHE_READ_INPUT_TOKENS_COUNT = "cacheReadInputTokens"
    CACHE_WRITE_INPUT_TOKENS_COUNT = "cacheWriteInputTokens"
    CACHE_DETAILS = "cacheDetails"
    CACHE_DETAIL_INPUT_TOKENS = "inputTokens"
    CACHE_DETAIL_TTL = "ttl"
    TOOLS = "tools"
    LATENCY_MS = "latencyMs"
    STREAM = "stream"
    MESSAGE_START = "messageStart"
    CONTENT_BLOCK_START = "contentBlockStart"
    CONTENT_BLOCK_DELTA = "contentBlockDelta"
    CONTENT_BLOCK_STOP = "contentBlockStop"
    MESSAGE_STOP = "messageStop"
    METADATA = "metadata"
    DELTA = "delta"
    CONTENT_BLOCK_INDEX = "contentBlockIndex"
    ROLE_USER = "user"
    ROLE_ASSISTANT = "assistant"
    STOP_REASON_END_TURN = "end_turn"
    STOP_REASON_MAX_TOKENS = "max_tokens"
    STOP_REASON_STOP_SEQUENCE = "stop_sequence"
    STOP_REASON_TOOL_USE = "tool_use"
    STOP_REASON_CONTENT_FILTERED = "content_filtered"
    STOP_REASON_GUARDRAIL_INTERVENED = "guardrail_intervened"
    STOP_REASON_MALFORMED_MODEL_OUTPUT = "malformed_model_output"
    STOP_REASON_MALFORMED_TOOL_USE = "malformed_tool_use"
    STOP_REASON_MODEL_CONTEXT_WINDOW_EXCEEDED = "model_context_window_exceeded"


class ResponseValidationConfig:
    DEFAULT_VALIDATION_RETRIES = 3
    DEFAULT_VALIDATION_DELAY = 0.0
    VALIDATION_SUCCESS = "success"
    VALIDATION_ERROR_MESSAGE = "error_message"
    VALIDATION_ERROR_DETAILS = "error_details"


class RetryableErrorTypes:
    THROTTLING_ERRORS: ClassVar[list[str]] = [
        "ThrottlingException",
        "RequestThrottledException",
        "ServiceQuotaExceededException",
        "TooManyRequestsException",
    ]
    SERVICE_ERRORS: ClassVar[list[str]] = [
        "InternalServerError",
        "ServiceUnavailableException",
        "InternalFailure",
        "ServiceException",
    ]
    NETWORK_ERRORS: ClassVar[list[str]] = [
        "ConnectionError",
        "TimeoutError",
        "EndpointConnectionError",
        "ConnectTimeoutError",
        "ReadTimeoutError",
    ]
    ACCESS_ERRORS: ClassVar[list[str]] = [
        "AccessDeniedException",
        "UnauthorizedException",
        "ValidationException",
    ]
    NON_RETRYABLE_ERRORS: ClassVar[list[str]] = [
        "InvalidRequestException",
        "ModelNotReadyException",
        "ModelTimeoutException",
        "ResourceNotFoundException",
    ]
