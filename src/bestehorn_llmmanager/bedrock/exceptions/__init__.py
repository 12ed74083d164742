"""Offers the errors that callers catch."""

from __future__ import annotations

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    APIFetchError,
    APIThrottleError,
    AuthenticationError,
    BundledDataError,
    CacheError,
    CatalogError,
    CatalogUnavailableError,
    ConfigurationError,
    ContentError,
    LLMManagerError,
    ModelAccessError,
    ProfileRequirementError,
    RequestValidationError,
    RetryExhaustedError,
    StreamingError,
)

__all__ = [
    "APIFetchError",
    "APIThrottleError",
    "AuthenticationError",
    "BundledDataError",
    "CacheError",
    "CatalogError",
    "CatalogUnavailableError",
    "ConfigurationError",
    "ContentError",
    "LLMManagerError",
    "ModelAccessError",
    "ProfileRequirementError",
    "RequestValidationError",
    "RetryExhaustedError",
    "StreamingError",
]
