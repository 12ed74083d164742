"""Says what a caller can do about the reason for which a model stopped."""

from __future__ import annotations

from enum import Enum


class StopReasonEnum(str, Enum):
    """Why a model stopped, in the API's words."""

    END_TURN = "end_turn"
    TOOL_USE = "tool_use"
    MAX_TOKENS = "max_tokens"
    STOP_SEQUENCE = "stop_sequence"
    GUARDRAIL_INTERVENED = "guardrail_intervened"
    CONTENT_FILTERED = "content_filtered"
    MALFORMED_MODEL_OUTPUT = "malformed_model_output"
    MALFORMED_TOOL_USE = "malformed_tool_use"
    MODEL_CONTEXT_WINDOW_EXCEEDED = "model_context_window_exceeded"


class StopReasonCategory(str, Enum):
    """What to do about it: nothing, ask another model, ask again, or unknown."""

    TERMINAL = "terminal"
    RETRY_DIFFERENT_TARGET = "retry_different_target"
    RETRYABLE = "retryable"
    UNKNOWN = "unknown"


_CATEGORIES: dict[object, StopReasonCategory] = {
    "end_turn": StopReasonCategory.TERMINAL,
    "tool_use": StopReasonCategory.TERMINAL,
    "stop_sequence": StopReasonCategory.TERMINAL,
    "max_tokens": StopReasonCategory.TERMINAL,
    "model_context_window_exceeded": StopReasonCategory.RETRY_DIFFERENT_TARGET,
    "guardrail_intervened": StopReasonCategory.RETRY_DIFFERENT_TARGET,
    "content_filtered": StopReasonCategory.RETRY_DIFFERENT_TARGET,
    "malformed_model_output": StopReasonCategory.RETRYABLE,
    "malformed_tool_use": StopReasonCategory.RETRYABLE,
}


class StopReasonClassifier:
    """Advice for callers: the library itself does not act on stop reasons."""

    @classmethod
    def categorize(cls, reason: str | StopReasonEnum | None) -> StopReasonCategory:
        # A member of a `str` enum equals its value and has the same hash.
        if not isinstance(reason, str):
            return StopReasonCategory.UNKNOWN
        return _CATEGORIES.get(reason, StopReasonCategory.UNKNOWN)

    @classmethod
    def is_terminal(cls, reason: str | StopReasonEnum | None) -> bool:
        return cls.categorize(reason) is StopReasonCategory.TERMINAL

    @classmethod
    def is_retryable(cls, reason: str | StopReasonEnum | None) -> bool:
        """Whether asking again can help, be it the same model or another one."""
        return cls.categorize(reason) in (
            StopReasonCategory.RETRYABLE,
            StopReasonCategory.RETRY_DIFFERENT_TARGET,
        )
