"""Decides which request meets which fault."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

FaultKind = Literal[
    "error",
    "slow",
    "hang",
    "reset",
    "reset_in_body",
    "broken_json",
    "stream_ends",
    "stream_cut",
    "stream_reset",
    "stream_stalls",
    "stream_error",
    "stream_broken_frame",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong. Made by the class methods, given to `LocalBedrock.fail`.

    The `stream_…` kinds let `after_events` events through first and meet `ConverseStream` only;
    the others meet any operation.
    """

    kind: FaultKind
    code: str = ""
    status: int = 500
    message: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    details: tuple[tuple[str, Any], ...] = ()
    seconds: float | None = None
    after_events: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"`kind` must be one of {get_args(FaultKind)}, got {self.kind!r}")
        if self.seconds is not None and self.seconds < 0:
            raise ValueError(f"`seconds` must not be negative, got {self.seconds!r}")
        if self.after_events < 0:
            raise ValueError(f"`after_events` must not be negative, got {self.after_events!r}")

    @property
    def in_stream(self) -> bool:
        return self.kind.startswith("stream_")

    @classmethod
    def error(
        cls, code: str, status: int = 400, message: str = "", *, retry_after: float | None = None
    ) -> Fault:
        """Any refusal of the service.

        Args:
            code: For example ``"ServiceQuotaExceededException"``.
            status: HTTP status.
            message: What the body says; `code` where empty.
            retry_after: Seconds to announce in `x-amz-retry-after` and `Retry-After`.
        """
        headers: tuple[tuple[str, str], ...] = ()
        if retry_after is not None:
            # The first counts milliseconds, the second (RFC 9110) whole seconds.
            headers = (
                ("x-amz-retry-after", str(round(retry_after * 1000))),
                ("Retry-After", str(round(retry_after))),
            )
        return cls(kind="error", code=code, status=status, message=message or code, headers=headers)

    @classmethod
    def throttling(
        cls,
        message: str = "Too many requests, please wait before trying again.",
        *,
        retry_after: float | None = None,
    ) -> Fault:
        return cls.error("ThrottlingException", 429, message, retry_after=retry_after)

    @classmethod
    def internal_error(cls) -> Fault:
        return cls.error(
            "InternalServerException",
            500,
            "The system encountered an unexpected error during processing. Try your request again.",
        )

    @classmethod
    def unavailable(cls) -> Fault:
        return cls.error(
            "ServiceUnavailableException", 503, "Bedrock is unable to process your request."
        )

    @classmethod
    def model_timeout(cls) -> Fault:
        return cls.error(
            "ModelTimeoutException",
            408,
            "Model has timed out in processing the request. Try your request again.",
        )

    @classmethod
    def model_error(cls) -> Fault:
        return cls.error(
            "ModelErrorException",
            424,
            "The system encountered an unexpected error during processing. Try your request again.",
        )

    @classmethod
    def model_not_ready(cls) -> Fault:
        return cls.error(
            "ModelNotReadyException",
            429,
            "Model is not ready for inference. Wait and try your request again.",
        )

    @classmethod
    def access_denied(
        cls, message: str = "You don't have access to the model with the specified model ID."
    ) -> Fault:
        return cls.error("AccessDeniedException", 403, message)

    @classmethod
    def not_found(cls, message: str = "Could not resolve the model from the model ID.") -> Fault:
        return cls.error("ResourceNotFoundException", 404, message)

    @classmethod
    def validation(cls, message: str) -> Fault:
        return cls.error("ValidationException", 400, message)

    @classmethod
    def expired_token(cls) -> Fault:
        return cls.error(
            "ExpiredTokenException", 403, "The security token included in the request is expired"
        )

    @classmethod
    def slow(cls, seconds: float) -> Fault:
        """The answer comes, but `seconds` late. Adds to any other fault that meets the request."""
        return cls(kind="slow", seconds=seconds)

    @classmethod
    def hang(cls, seconds: float | None = None) -> Fault:
        """No answer; the connection is closed after `seconds` (None: when the client does)."""
        return cls(kind="hang", seconds=seconds)

    @classmethod
    def reset(cls) -> Fault:
        """The connection is reset before the first byte of an answer."""
        return cls(kind="reset")

    @classmethod
    def reset_in_body(cls) -> Fault:
        """The connection ends with half of the body sent, for a stream after its first event."""
        return cls(kind="reset_in_body")

    @classmethod
    def broken_json(cls) -> Fault:
        """Status 200 with a body that is no JSON; for a stream its first event's payload.

        botocore raises nothing: it returns an answer, or an event, without members.
        """
        return cls(kind="broken_json")

    @classmethod
    def stream_ends(cls, after_events: int = 1) -> Fault:
        """The body ends in good order, but without `messageStop`: botocore sees no error."""
        return cls(kind="stream_ends", after_events=after_events)

    @classmethod
    def stream_cut(cls, after_events: int = 1) -> Fault:
        """The connection is closed in mid-body: urllib3 sees an incomplete read."""
        return cls(kind="stream_cut", after_events=after_events)

    @classmethod
    def stream_reset(cls, after_events: int = 1) -> Fault:
        """The connection is reset in mid-body."""
        return cls(kind="stream_reset", after_events=after_events)

    @classmethod
    def stream_stalls(cls, after_events: int = 1, *, seconds: float | None = None) -> Fault:
        """No further event for `seconds` (None: until the client leaves), then the rest."""
        return cls(kind="stream_stalls", after_events=after_events, seconds=seconds)

    @classmethod
    def stream_error(
        cls,
        code: str = "throttlingException",
        message: str = "Too many requests, please wait before trying again.",
        *,
        after_events: int = 1,
        original_status: int | None = None,
        original_message: str | None = None,
    ) -> Fault:
        """An exception event, which botocore raises as `EventStreamError`.

        Args:
            code: `throttlingException`, `internalServerException`, `validationException`,
                `modelStreamErrorException` or `serviceUnavailableException`.
            message: The event's message.
            after_events: Events before it.
            original_status: `originalStatusCode` of a `modelStreamErrorException`.
            original_message: `originalMessage` of a `modelStreamErrorException`.
        """
        details = {"originalStatusCode": original_status, "originalMessage": original_message}
        return cls(
            kind="stream_error",
            code=code,
            message=message,
            after_events=after_events,
            details=tuple((name, value) for name, value in details.items() if value is not None),
        )

    @classmethod
    def stream_broken_frame(cls, after_events: int = 1) -> Fault:
        """A frame whose checksum is wrong: botocore raises `ChecksumMismatch`."""
        return cls(kind="stream_broken_frame", after_events=after_events)


@dataclass(slots=True)
class _Rule:
    fault: Fault
    operation: str | None
    region: str | None
    model_id: str | None
    times: int | None
    share: float | None
    after: int
    dice: random.Random
    met: int = 0

    def concerns(self, operation: str, region: str | None, model_id: str | None) -> bool:
        if self.fault.in_stream and operation != "ConverseStream":
            return False
        return (
            self.operation in {None, operation}
            and self.region in {None, region}
            and self.model_id in {None, model_id}
        )

    def strikes(self) -> bool:
        """Whether the request that this rule concerns meets its fault; counts it."""
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is not None and self.met >= self.times:
            return False
        if self.share is not None and self.dice.random() >= self.share:
            return False
        self.met += 1
        return True


@dataclass(frozen=True, slots=True)
class Trouble:
    """What one request meets: a delay, and at most one fault of another kind."""

    delay: float = 0.0
    fault: Fault | None = None


_NO_TROUBLE = Trouble()


@dataclass(slots=True)
class FaultBook:
    """Safe to share between threads; `lock` guards the rules."""

    seed: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    rules: list[_Rule] = field(default_factory=list)
    written: int = 0

    def add(
        self,
        fault: Fault,
        *,
        operation: str | None = None,
        region: str | None = None,
        model_id: str | None = None,
        times: int | None = None,
        share: float | None = None,
        after: int = 0,
    ) -> None:
        if share is not None and not 0 <= share <= 1:
            raise ValueError(f"`share` must be between 0 and 1, got {share!r}")
        if times is not None and times < 1:
            raise ValueError(f"`times` must be at least 1, got {times!r}")
        if after < 0:
            raise ValueError(f"`after` must not be negative, got {after!r}")
        with self.lock:
            # Dice of its own, so that what one rule meets does not depend on the others.
            dice = random.Random(f"{self.seed}/{self.written}")  # noqa: S311 (no secret)
            self.written += 1
            self.rules.append(_Rule(fault, operation, region, model_id, times, share, after, dice))

    def clear(self) -> None:
        with self.lock:
            self.rules.clear()
            self.written = 0

    def meet(self, operation: str, region: str | None, model_id: str | None) -> Trouble:
        if not self.rules:
            return _NO_TROUBLE
        delay, met = 0.0, None
        with self.lock:
            for rule in self.rules:
                is_slow = rule.fault.kind == "slow"
                if not is_slow and met is not None:
                    continue
                if not rule.concerns(operation, region, model_id) or not rule.strikes():
                    continue
                if is_slow:
                    delay += rule.fault.seconds or 0.0
                else:
                    met = rule.fault
        return Trouble(delay, met)
