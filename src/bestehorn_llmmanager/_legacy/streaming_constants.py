"""Tables of the names in a ConverseStream, for code that refers to them by constant."""

from __future__ import annotations

from enum import Enum


class StreamingEventTypes(str, Enum):
    MESSAGE_START = "messageStart"
    CONTENT_BLOCK_START = "contentBlockStart"
    CONTENT_BLOCK_DELTA = "contentBlockDelta"
    CONTENT_BLOCK_STOP = "contentBlockStop"
    MESSAGE_STOP = "messageStop"
    METADATA = "metadata"
    INTERNAL_SERVER_EXCEPTION = "internalServerException"
    MODEL_STREAM_ERROR_EXCEPTION = "modelStreamErrorException"
    VALIDATION_EXCEPTION = "validationException"
    THROTTLING_EXCEPTION = "throttlingException"
    SERVICE_UNAVAILABLE_EXCEPTION = "serviceUnavailableException"


class StreamingConstants:
    FIELD_STREAM = "stream"
    FIELD_ROLE = "role"
    FIELD_START = "start"
    FIELD_DELTA = "delta"
    FIELD_CONTENT_BLOCK_INDEX = "contentBlockIndex"
    FIELD_STOP_REASON = "stopReason"
    FIELD_ADDITIONAL_MODEL_RESPONSE_FIELDS = "additionalModelResponseFields"
    FIELD_TEXT = "text"
    FIELD_TOOL_USE = "toolUse"
    FIELD_TOOL_USE_ID = "toolUseId"
    FIELD_NAME = "name"
    FIELD_INPUT = "input"
    FIELD_REASONING_CONTENT = "reasoningContent"
    FIELD_CITATION = "citation"
    FIELD_TITLE = "title"
    FIELD_SOURCE_CONTENT = "sourceContent"
    FIELD_LOCATION = "location"
    FIELD_REDACTED_CONTENT = "redactedContent"
    FIELD_SIGNATURE = "signature"
    FIELD_USAGE = "usage"
    FIELD_INPUT_TOKENS = "inputTokens"
    FIELD_OUTPUT_TOKENS = "outputTokens"
    FIELD_TOTAL_TOKENS = "totalTokens"
    FIELD_CACHE_READ_INPUT_TOKENS = "cacheReadInputTokens"
    FIELD_CACHE_WRITE_INPUT_TOKENS = "cacheWriteInputTokens"
    FIELD_CACHE_DETAILS = "cacheDetails"
    FIELD_METRICS = "metrics"
    FIELD_LATENCY_MS = "latencyMs"
    FIELD_TRACE = "trace"
    FIELD_PERFORMANCE_CONFIG = "performanceConfig"
    FIELD_MESSAGE = "message"
    FIELD_ORIGINAL_STATUS_CODE = "originalStatusCode"
    FIELD_ORIGINAL_MESSAGE = "originalMessage"
    STOP_REASON_END_TURN = "end_turn"
    STOP_REASON_TOOL_USE = "tool_use"
    STOP_REASON_MAX_TOKENS = "max_tokens"
    STOP_REASON_STOP_SEQUENCE = "stop_sequence"
    STOP_REASON_GUARDRAIL_INTERVENED = "guardrail_intervened"
    STOP_REASON_CONTENT_FILTERED = "content_filtered"
    STOP_REASON_MALFORMED_MODEL_OUTPUT = "malformed_model_output"
    STOP_REASON_MALFORMED_TOOL_USE = "malformed_tool_use"
    STOP_REASON_MODEL_CONTEXT_WINDOW_EXCEEDED = "model_context_window_exceeded"
    DEFAULT_STREAM_TIMEOUT = 300
    DEFAULT_RETRY_ON_STREAM_ERROR = True
    DEFAULT_PRESERVE_PARTIAL_CONTENT = True
    MAX_STREAM_INTERRUPTION_RETRIES = 3
    STREAM_CHUNK_BUFFER_SIZE = 1024
