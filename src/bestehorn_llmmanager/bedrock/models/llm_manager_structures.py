"""Describes how a manager is to work, plus what became of each attempt."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager._lazy import lazy_names

if TYPE_CHECKING:
    from datetime import datetime
    from typing import TypeAlias

    from botocore.config import Config

    from bestehorn_llmmanager.bedrock.models.bedrock_response import (
        BedrockResponse as BedrockResponse,  # noqa: PLC0414  (also offered from here)
    )
    from bestehorn_llmmanager.bedrock.models.streaming_response import (
        StreamingResponse as StreamingResponse,  # noqa: PLC0414  (the same)
    )


class AuthenticationType(Enum):
    """Where credentials come from."""

    PROFILE = "profile"
    CREDENTIALS = "credentials"
    IAM_ROLE = "iam_role"
    AUTO = "auto"
    BEARER_TOKEN = "bearer_token"  # noqa: S105  (a name, not a token)


class RetryStrategy(Enum):
    """Which of the two lists is walked first: all regions for a model, or all models in a region."""

    REGION_FIRST = "region_first"
    MODEL_FIRST = "model_first"


class RegionOrder:
    """In which order the regions are tried: as given, one further on each call, or at random."""

    FIXED = "fixed"
    ROTATE = "rotate"
    SHUFFLE = "shuffle"
    ALL = frozenset({FIXED, ROTATE, SHUFFLE})


class AccessMethodPreferenceNames:
    """The ways to address a model: by its own id, or by a regional or global inference profile."""

    DIRECT = "direct"
    REGIONAL_CRIS = "regional_cris"
    GLOBAL_CRIS = "global_cris"
    ALL = frozenset({DIRECT, REGIONAL_CRIS, GLOBAL_CRIS})


def _reaches(value: Any, limit: float) -> bool:
    try:
        return bool(value >= limit)
    except TypeError:
        return False


def _at_least_zero(owner: object, *names: str) -> list[str]:
    given = [(name, getattr(owner, name)) for name in names]
    return [
        f"`{name}` must be a number of at least 0, got {value!r}"
        for name, value in given
        if not _reaches(value, 0)
    ]


def _above_zero(owner: object, *names: str) -> list[str]:
    given = [(name, getattr(owner, name)) for name in names]
    return [
        f"`{name}` must be a number above 0, got {value!r}"
        for name, value in given
        if value == 0 or not _reaches(value, 0)
    ]


def _one_of(owner: object, name: str, allowed: frozenset[str]) -> list[str]:
    value = getattr(owner, name)
    if isinstance(value, str) and value in allowed:
        return []
    return [f"`{name}` must be one of {sorted(allowed)}, got {value!r}"]


def _names(owner: object, name: str) -> list[str]:
    value = getattr(owner, name)
    if isinstance(value, Collection) and not isinstance(value, (str, bytes)):
        wrong = next((item for item in value if not isinstance(item, str)), None)
        return [] if wrong is None else [f"`{name}` must hold names as strings, got {wrong!r}"]
    return [f"`{name}` must be a list of names, got {value!r}"]


def _refuse(problems: list[str]) -> None:
    if problems:
        raise ValueError("; ".join(problems))


def _masked(secret: str | None) -> str | None:
    return secret and "***"


_SECRETS = ("access_key_id", "secret_access_key", "session_token", "bearer_token", "external_id")
_ROLE_OPTIONS = ("role_session_name", "external_id", "role_duration_seconds")
# docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
_ROLE_SECONDS = (900, 43_200)


@dataclass(frozen=True, repr=False)
class AuthConfig:
    """Which credentials to use. Its `repr` shows none of them; a pickle of it has them all.

    Attributes:
        auth_type: Where the credentials come from. `IAM_ROLE` and `AUTO`: boto3's own chain
            (variables, profile, SSO, web identity, container, instance role, …).
        profile_name: For `PROFILE`.
        access_key_id: For `CREDENTIALS`.
        secret_access_key: For `CREDENTIALS`.
        session_token: For `CREDENTIALS`, if they are temporary; these are not renewed.
        region: Default region of sessions.
        role_arn: A role to assume with the credentials of `auth_type`; what STS gives is renewed
            before it expires.
        role_session_name: How the role's session is called in CloudTrail.
        external_id: What the role's owner asks for.
        role_duration_seconds: From 900 to 43200; None: an hour.
        bearer_token: A Bedrock API key, for `BEARER_TOKEN`. It wins over
            ``AWS_BEARER_TOKEN_BEDROCK``, and is used by this manager alone.

    Raises:
        ValueError: Something is missing for the `auth_type`, has no meaning for it, or cannot
            be right; all of it is named.
    """

    auth_type: AuthenticationType
    profile_name: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    region: str | None = None
    role_arn: str | None = None
    role_session_name: str | None = None
    external_id: str | None = None
    role_duration_seconds: int | None = None
    bearer_token: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.auth_type, AuthenticationType):
            raise ValueError(  # noqa: TRY004  (as for every other wrong value)
                f"`auth_type` must be an `AuthenticationType`, got a {type(self.auth_type).__name__}"
            )
        _refuse([*_missing(self), *_broken_secrets(self), *_wrong_role(self), *_wrong_key(self)])

    def __repr__(self) -> str:
        shown = ["auth_type", "profile_name", *_SECRETS[:3], "region"]
        added = ("role_arn", *_ROLE_OPTIONS, "bearer_token")
        shown += [name for name in added if getattr(self, name) is not None]
        values = {
            name: _masked(value) if name in _SECRETS else value
            for name, value in ((name, getattr(self, name)) for name in shown)
        }
        return f"AuthConfig({', '.join(f'{name}={value!r}' for name, value in values.items())})"


def _missing(config: AuthConfig) -> list[str]:
    needed = {
        AuthenticationType.PROFILE: ("profile_name",),
        AuthenticationType.CREDENTIALS: ("access_key_id", "secret_access_key"),
        AuthenticationType.BEARER_TOKEN: ("bearer_token",),
    }
    return [
        f"`{config.auth_type}` needs `{name}`"
        for name in needed.get(config.auth_type, ())
        if not getattr(config, name)
    ]


def _broken_secrets(config: AuthConfig) -> list[str]:
    """What a file's line end makes of a key: sending it fails with an error that shows the header."""
    given = {name: getattr(config, name) for name in _SECRETS}
    return [
        f"`{name}` has a character that no key has, or blanks around it: strip it"
        for name, value in given.items()
        if isinstance(value, str)
        and not (value.isascii() and value.isprintable() and value == value.strip())
    ]


def _wrong_role(config: AuthConfig) -> list[str]:
    arn, seconds = config.role_arn, config.role_duration_seconds
    if arn is None:
        given = [name for name in _ROLE_OPTIONS if getattr(config, name) is not None]
        return [f"`{name}` has no meaning without `role_arn`" for name in given]
    problems = []
    if not (isinstance(arn, str) and arn.startswith("arn:") and ":role/" in arn):
        problems.append(
            f"`role_arn` must be like 'arn:aws:iam::123456789012:role/Name', got {arn!r}"
        )
    if config.auth_type is AuthenticationType.BEARER_TOKEN:
        problems.append("`role_arn` needs AWS credentials; a bearer token cannot assume a role")
    shortest, longest = _ROLE_SECONDS
    if seconds is not None and not (isinstance(seconds, int) and shortest <= seconds <= longest):
        problems.append(
            f"`role_duration_seconds` must be a whole number from {shortest} to {longest}, "
            f"got {seconds!r}"
        )
    return problems


def _wrong_key(config: AuthConfig) -> list[str]:
    if config.auth_type is not AuthenticationType.BEARER_TOKEN:
        unused = config.bearer_token is not None
        return ["`bearer_token` needs `AuthenticationType.BEARER_TOKEN`"] if unused else []
    others = ("profile_name", "access_key_id", "secret_access_key", "session_token")
    return [
        f"`{name}` has no meaning for `AuthenticationType.BEARER_TOKEN`"
        for name in others
        if getattr(config, name) is not None
    ]


@dataclass(frozen=True)
class RetryConfig:
    """How persistently a call is tried.

    Attributes:
        max_retries: Further tries on the same target after the first; 0 is fine.
        retry_delay: Seconds before the first further try; 0 is fine.
        backoff_multiplier: Growth of that pause from try to try.
        max_retry_delay: Longest pause in seconds, unless the service asks for a longer one.
        retry_strategy: One of `RetryStrategy`, or its value.
        retryable_errors: Error codes or exception class names to retry besides the known ones.
        region_order: One of `RegionOrder`.
        access_method_preference: One of `AccessMethodPreferenceNames`, to be tried first.
        global_cris_fraction: Share of calls, 0 to 1, that try the global profile first.

    Raises:
        ValueError: A value is out of its range; all such values are named.
    """

    max_retries: int = 3
    retry_delay: float = 1.0
    backoff_multiplier: float = 2.0
    max_retry_delay: float = 60.0
    retry_strategy: RetryStrategy = RetryStrategy.REGION_FIRST
    enable_feature_fallback: bool = True
    retryable_errors: tuple[str, ...] = field(default_factory=tuple)
    region_order: str = RegionOrder.FIXED
    access_method_preference: str | None = None
    global_cris_fraction: float | None = None

    def __post_init__(self) -> None:
        problems = _at_least_zero(self, "max_retries", "retry_delay")
        problems += _above_zero(self, "backoff_multiplier", "max_retry_delay")
        problems += _one_of(self, "region_order", RegionOrder.ALL)
        problems += self._take_strategy() + _names(self, "retryable_errors")
        if self.access_method_preference is not None:
            problems += _one_of(self, "access_method_preference", AccessMethodPreferenceNames.ALL)
        fraction = self.global_cris_fraction
        if fraction is not None and not (_reaches(fraction, 0.0) and fraction <= 1.0):
            problems.append(f"`global_cris_fraction` must be from 0.0 to 1.0, got {fraction!r}")
        _refuse(problems)

    def _take_strategy(self) -> list[str]:
        try:
            object.__setattr__(self, "retry_strategy", RetryStrategy(self.retry_strategy))
        except ValueError:
            choices = ", ".join(f"RetryStrategy.{member.name}" for member in RetryStrategy)
            return [f"`retry_strategy` must be one of {choices}, got {self.retry_strategy!r}"]
        return []


@dataclass(frozen=True)
class Boto3Config:
    """The botocore settings of every client that a manager makes; timeouts are in seconds.

    Raises:
        ValueError: A value is out of its range; all such values are named.
    """

    read_timeout: int = 600
    connect_timeout: int = 60
    max_pool_connections: int = 10
    retries_max_attempts: int = 3

    def __post_init__(self) -> None:
        problems = _above_zero(self, "read_timeout", "connect_timeout", "max_pool_connections")
        _refuse(problems + _at_least_zero(self, "retries_max_attempts"))

    def to_botocore_config(self) -> Config:
        """Make a `botocore.config.Config` with exactly these four settings."""
        from botocore.config import Config  # noqa: PLC0415  (costs 100 ms; most uses need none)

        return Config(
            read_timeout=self.read_timeout,
            connect_timeout=self.connect_timeout,
            max_pool_connections=self.max_pool_connections,
            retries={"max_attempts": self.retries_max_attempts},
        )


@dataclass
class RequestAttempt:
    """One target that was asked, with the outcome. Its `repr` leaves out what an error may quote."""

    model_id: str
    region: str
    access_method: str
    attempt_number: int
    start_time: datetime
    end_time: datetime | None = None
    error: Exception | None = field(default=None, repr=False)
    success: bool = False

    @property
    def duration_ms(self) -> float | None:
        """Milliseconds from start to end, None while there is no end."""
        if self.end_time is None:
            return None
        return (self.end_time - self.start_time).total_seconds() * 1000


@dataclass
class ValidationResult:
    """What a response validation function says about one response."""

    success: bool
    error_message: str | None = None
    error_details: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give `success`, and what else is not None."""
        result: dict[str, Any] = {"success": self.success}
        if self.error_message is not None:
            result["error_message"] = self.error_message
        if self.error_details is not None:
            result["error_details"] = self.error_details
        return result

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ValidationResult:
        """Read what `to_dict` gives; `success` is required."""
        return cls(
            success=data["success"],
            error_message=data.get("error_message"),
            error_details=data.get("error_details"),
        )


ResponseValidationFunction: TypeAlias = Callable[["BedrockResponse"], ValidationResult]


@dataclass(frozen=True)
class ResponseValidationConfig:
    """How a caller's function decides whether a response is good enough.

    Attributes:
        response_validation_function: Says whether a response is accepted, by a `ValidationResult`.
            An exception counts as a refusal; what is no `ValidationResult` ends the call. The
            verdicts, with their `error_message`, are `validation_attempts` of the response or of
            the error, and `rejected_response` of the error is the last answer that was refused.
        response_validation_retries: How often a target may answer again after a refusal.
        response_validation_delay: Seconds before each of these.

    Raises:
        ValueError: A number is negative, or the function is none; all of it is named.
    """

    response_validation_function: ResponseValidationFunction
    response_validation_retries: int = 3
    response_validation_delay: float = 0.0

    def __post_init__(self) -> None:
        problems = _at_least_zero(self, "response_validation_retries", "response_validation_delay")
        function: object = self.response_validation_function
        if not callable(function):
            problems.append(
                "`response_validation_function` must be callable, "
                f"but is of type {type(function).__name__}"
            )
        _refuse(problems)


@dataclass
class ValidationAttempt:
    """One verdict on one response; `failed_content` is the text that was refused."""

    attempt_number: int
    validation_result: ValidationResult = field(repr=False)
    failed_content: str | None = field(default=None, repr=False)


class LLMManagerConfig:
    """Defaults of the manager, for code that refers to them by constant."""

    DEFAULT_MAX_RETRIES = 3
    DEFAULT_RETRY_DELAY = 1.0
    DEFAULT_BACKOFF_MULTIPLIER = 2.0
    DEFAULT_MAX_RETRY_DELAY = 60.0
    DEFAULT_TIMEOUT = 300
    DEFAULT_MAX_TOKENS = 4096
    DEFAULT_LOG_LEVEL = 30
    RETRY_STRATEGY_REGION_FIRST = "region_first"
    RETRY_STRATEGY_MODEL_FIRST = "model_first"
    AUTH_TYPE_PROFILE = "profile"
    AUTH_TYPE_CREDENTIALS = "credentials"
    AUTH_TYPE_IAM_ROLE = "iam_role"
    AUTH_TYPE_AUTO = "auto"


# Imported on use: `bedrock_response` needs this module.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "BedrockResponse": "bestehorn_llmmanager.bedrock.models.bedrock_response",
        "StreamingResponse": "bestehorn_llmmanager.bedrock.models.streaming_response",
    },
)
