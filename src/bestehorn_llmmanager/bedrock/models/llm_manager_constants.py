"""Old path of the names and limits of Converse requests."""

from __future__ import annotations

from bestehorn_llmmanager._legacy.llm_manager_constants import (
    ContentLimits,
    ConverseAPIFields,
    ResponseValidationConfig,
    RetryableErrorTypes,
)
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import LLMManagerConfig

__all__ = [
    "ContentLimits",
    "ConverseAPIFields",
    "LLMManagerConfig",
    "ResponseValidationConfig",
    "RetryableErrorTypes",
]
