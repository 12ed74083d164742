"""Names every error of the manager and the catalogue.

::

    Exception
    └── LLMManagerError
        ├── ConfigurationError
        ├── AuthenticationError
        ├── ModelAccessError
        │   └── ProfileRequirementError
        ├── RetryExhaustedError
        ├── RequestValidationError
        ├── StreamingError
        ├── ContentError
        ├── APIFetchError
        │   └── APIThrottleError
        └── CatalogError
            ├── CatalogUnavailableError
            ├── CacheError
            └── BundledDataError

Classes and attributes are stable; the wording of messages is not, so do not match it.
The errors of `ParallelLLMManager` are in `parallel_exceptions`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from bestehorn_llmmanager.bedrock.models.attempt_record import AttemptRecord
    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
    from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
        RequestAttempt,
        ValidationAttempt,
    )


def _given(**arguments: Any) -> dict[str, Any] | None:
    """Keep what says something: a position of 0 does, an empty list does not."""
    return {k: v for k, v in arguments.items() if v not in (None, "", [], ())} or None


def _without_init(cls: type[LLMManagerError], args: tuple[Any, ...]) -> LLMManagerError:
    return cls.__new__(cls, *args)


class LLMManagerError(Exception):
    """Base of all errors that this library raises.

    Attributes:
        message: What happened, without `details`.
        details: The constructor's further arguments by name, None if there were none.
        attempts: A `RequestAttempt` per target that was asked; empty where none was.
        attempt_log: An `AttemptRecord` per sending; empty where nothing was sent.
        validation_attempts: What the caller's validation function said of each answer.
        rejected_response: The last answer that it refused, or None.
    """

    attempts: Sequence[RequestAttempt] = ()
    attempt_log: Sequence[AttemptRecord] = ()
    validation_attempts: Sequence[ValidationAttempt] = ()
    rejected_response: BedrockResponse | None = None

    def __init__(self, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def __str__(self) -> str:
        if self.details is None:
            return self.message
        return f"{self.message.removesuffix('.')}. Details: {self.details}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(message='{self.message}', details={self.details!r})"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        # The default calls `cls(*args)`, which fails where `__init__` wants more than a message.
        return _without_init, (type(self), self.args), self.__dict__


class ConfigurationError(LLMManagerError):
    """An option, a model or a region cannot be used as given."""

    def __init__(self, message: str, invalid_config: dict[str, Any] | None = None) -> None:
        details = None if invalid_config is None else {"invalid_config": invalid_config}
        super().__init__(message, details)
        self.invalid_config = invalid_config


class AuthenticationError(LLMManagerError):
    """There are no credentials, or AWS does not accept them."""

    def __init__(
        self, message: str, auth_type: str | None = None, region: str | None = None
    ) -> None:
        super().__init__(message, _given(auth_type=auth_type, region=region))
        self.auth_type = auth_type
        self.region = region


class ModelAccessError(LLMManagerError):
    """The account may not call a model in a region."""

    def __init__(
        self,
        message: str,
        model_id: str | None = None,
        region: str | None = None,
        access_method: str | None = None,
    ) -> None:
        super().__init__(
            message, _given(model_id=model_id, region=region, access_method=access_method)
        )
        self.model_id = model_id
        self.region = region
        self.access_method = access_method


class ProfileRequirementError(ModelAccessError):
    """A model was called by its own id where only an inference profile is served.

    Attributes:
        original_error: What the service answered.
    """

    def __init__(
        self,
        model_id: str,
        region: str,
        original_error: Exception,
        message: str | None = None,
    ) -> None:
        if message is None:
            message = (
                f"The model {model_id!r} can be called in {region!r} "
                "only through an inference profile"
            )
        super().__init__(message, model_id=model_id, region=region)
        self.original_error = original_error


class RetryExhaustedError(LLMManagerError):
    """Every target was tried, or no time was left for another one.

    Attributes:
        attempts_made: Number of targets that were tried.
        last_errors: The error of each of them, as exception objects; `details` has their texts.
        models_tried: Models in the order in which they were tried.
        regions_tried: Regions in the order in which they were tried.
        out_of_time: Whether the deadline ended the call.
        duration_seconds: For a request of many: how long its last try took, with all waiting.
    """

    out_of_time: bool = False
    duration_seconds: float | None = None

    def __init__(
        self,
        message: str,
        attempts_made: int | None = None,
        last_errors: list[Exception] | None = None,
        models_tried: list[str] | None = None,
        regions_tried: list[str] | None = None,
    ) -> None:
        super().__init__(
            message,
            _given(
                attempts_made=attempts_made,
                last_errors=[str(error) for error in last_errors or ()],
                models_tried=models_tried,
                regions_tried=regions_tried,
            ),
        )
        self.attempts_made = attempts_made
        self.last_errors = last_errors or []
        self.models_tried = models_tried or []
        self.regions_tried = regions_tried or []


class RequestValidationError(LLMManagerError):
    """A request that no target could serve: malformed, or refused for what it says."""

    def __init__(
        self,
        message: str,
        validation_errors: list[str] | None = None,
        invalid_fields: list[str] | None = None,
    ) -> None:
        super().__init__(
            message, _given(validation_errors=validation_errors, invalid_fields=invalid_fields)
        )
        self.validation_errors = validation_errors or []
        self.invalid_fields = invalid_fields or []


class StreamingError(LLMManagerError):
    """A stream broke and could not be continued.

    Attributes:
        stream_position: Characters received before that.
        partial_content: The text received before that.
    """

    def __init__(
        self,
        message: str,
        stream_position: int | None = None,
        partial_content: str | None = None,
    ) -> None:
        super().__init__(
            message, _given(stream_position=stream_position, partial_content=partial_content)
        )
        self.stream_position = stream_position
        self.partial_content = partial_content


class ContentError(LLMManagerError):
    """An image, document or video is of the wrong kind or too large; sizes are in bytes."""

    def __init__(
        self,
        message: str,
        content_type: str | None = None,
        content_size: int | None = None,
        max_allowed_size: int | None = None,
    ) -> None:
        super().__init__(
            message,
            _given(
                content_type=content_type,
                content_size=content_size,
                max_allowed_size=max_allowed_size,
            ),
        )
        self.content_type = content_type
        self.content_size = content_size
        self.max_allowed_size = max_allowed_size


class APIFetchError(LLMManagerError):
    """Bedrock's lists of models or profiles could not be read."""

    def __init__(self, message: str, region: str | None = None) -> None:
        super().__init__(message, _given(region=region))
        self.region = region


class APIThrottleError(APIFetchError):
    """Bedrock still answered "too many requests" after botocore's own retries."""


class CatalogError(LLMManagerError):
    """Something about the model catalogue failed."""


class CatalogUnavailableError(CatalogError):
    """Neither cache, nor API, nor bundle gave a catalogue."""


class CacheError(CatalogError):
    """The cache file could not be used."""

    def __init__(self, message: str, cache_path: str | None = None) -> None:
        super().__init__(message, _given(cache_path=cache_path))
        self.cache_path = cache_path


class BundledDataError(CatalogError):
    """The catalogue inside the package is missing or damaged."""


class ExceptionDetailFields:
    """The keys of `details`, for code that refers to them by constant."""

    INVALID_CONFIG = "invalid_config"
    AUTH_TYPE = "auth_type"
    REGION = "region"
    MODEL_ID = "model_id"
    ACCESS_METHOD = "access_method"
    ATTEMPTS_MADE = "attempts_made"
    LAST_ERRORS = "last_errors"
    MODELS_TRIED = "models_tried"
    REGIONS_TRIED = "regions_tried"
    VALIDATION_ERRORS = "validation_errors"
    INVALID_FIELDS = "invalid_fields"
    STREAM_POSITION = "stream_position"
    PARTIAL_CONTENT = "partial_content"
    CONTENT_TYPE = "content_type"
    CONTENT_SIZE = "content_size"
    MAX_ALLOWED_SIZE = "max_allowed_size"
