"""Reads one answer from as many streams as it takes."""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    AuthenticationError,
    RequestValidationError,
    StreamingError,
)
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.models.streaming_response import StreamRestart
from bestehorn_llmmanager.bedrock.retry.decisions import Decision, Verdict
from bestehorn_llmmanager.bedrock.streaming.assembly import AnswerAssembly
from bestehorn_llmmanager.bedrock.streaming.continuation import Continuation, continued
from bestehorn_llmmanager.bedrock.streaming.event_notes import note_event
from bestehorn_llmmanager.bedrock.streaming.stream_reader import BrokenStreamError, StreamReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bestehorn_llmmanager.bedrock.calls.call import Call
    from bestehorn_llmmanager.bedrock.models.streaming_response import StreamingResponse
    from bestehorn_llmmanager.bedrock.retry.plan import Attempt
    from bestehorn_llmmanager.bedrock.retry.targets import Target


class StreamRun:
    """Gives a `StreamingResponse` the pieces of its text, and fills its other fields.

    A stream that breaks is continued: another target, or the same one after a pause, is given the
    text so far as the beginning of its answer. Where that cannot be, the answer starts again, and
    `restarts` says so. For one thread at a time, except for `end`.

    Args:
        response: What is filled. Only a weak reference is kept, so that the connection is closed
            as soon as nobody has the response any more.
        call: The call; nothing has been sent yet.
        request: Members of ConverseStream, for a start from the beginning.
        idle_timeout: Seconds without an event after which a stream counts as broken; None means
            the clients' own read timeout.
        on_event: Called with each event before its text is given.
        on_restart: Called before the answer starts again.
    """

    def __init__(
        self,
        response: StreamingResponse,
        call: Call,
        request: dict[str, Any],
        *,
        idle_timeout: float | None = None,
        on_event: Callable[[dict[str, Any]], object] | None = None,
        on_restart: Callable[[StreamRestart], object] | None = None,
    ) -> None:
        self._reference = weakref.ref(response)
        self._call = call
        self._request = request
        self._idle_timeout = idle_timeout
        self._on_event = on_event
        self._on_restart = on_restart
        self._answer = AnswerAssembly()
        self._continuation: Continuation | None = None
        self._restart: StreamRestart | None = None
        self._target: Target | None = None
        self._reader: StreamReader | None = None
        self._is_fresh = True
        self._ended = threading.Event()

    @property
    def _response(self) -> StreamingResponse:
        response = self._reference()
        assert response is not None, "a response is alive while it is asked for its next piece"
        return response

    def attach(self) -> None:
        """Let the response give the pieces. Nothing is sent before the first is asked for."""
        self._response.attach(self._pieces(), self.end)

    def end(self) -> None:
        """Let nothing come any more; wakes the thread that waits for an event."""
        self._ended.set()
        reader = self._reader
        if reader is not None:
            reader.shut_down()

    def _pieces(self) -> Iterator[str]:
        call = self._call
        if call.sleep is time.sleep:
            call.sleep = self._ended.wait  # a pause ends with the stream
        self._response.attempts, self._response.attempt_log = call.attempts, call.log
        while attempt := call.next():
            if self._ended.is_set():  # in the pause before it
                return
            error: Exception | None = None
            try:
                yield from self._read(self._open(attempt))
            except BrokenStreamError as broken:
                error = broken.error
            except BaseException:  # closed, or an error of the caller's own function
                call.abandoned(attempt)
                raise
            finally:
                self._close_reader()
            if self._ended.is_set():
                call.abandoned(attempt)
                return
            if self._answer.is_complete:
                self._finished(attempt, error)
                return
            self._broken(attempt, error or StreamingError("The stream ended before `messageStop`."))
        self._failed()

    def _close_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    # One stream

    def _open(self, attempt: Attempt) -> StreamReader:
        call, way = self._call, attempt.way
        self._note_attempt(attempt)
        self._aim(attempt.target)
        deadline = call.deadline
        ends_at = deadline.at if deadline is not None and deadline.is_hard else None
        try:
            request = call.request_for(attempt)
            client = call.client_for(attempt, self._idle_timeout)
            answer = client.converse_stream(modelId=way.identifier, **request)
        except Exception as error:  # noqa: BLE001  (raised again unless it comes from AWS)
            raise BrokenStreamError(error) from None
        self._reader = StreamReader(
            answer["stream"], idle_timeout=self._idle_timeout, ends_at=ends_at
        )
        return self._reader

    def _note_attempt(self, attempt: Attempt) -> None:
        response, (target, way, _) = self._response, attempt
        if self._target not in {None, target}:
            response.target_switches += 1
        self._target = target
        response.model_used, response.region_used = target.model, target.region
        response.access_method_used, response.model_id_used = way
        response.inference_profile_used = way.method != "direct"
        response.inference_profile_id = way.identifier if response.inference_profile_used else None

    def _read(self, reader: StreamReader) -> Iterator[str]:
        """The text of one stream; notes everything else. Keeps no reference to the response."""
        if self._ended.is_set():  # while it was opened
            return
        events = iter(reader)
        if self._continuation is not None:
            events = self._continuation.events(events)
        on_event = self._on_event
        for event in events:
            if self._is_fresh:
                self._begin()
            if on_event is not None and not self._ended.is_set():
                on_event(event)
            if self._ended.is_set():  # by a callback, or by another thread
                return
            try:
                delta = event["contentBlockDelta"]
                text = delta["delta"]["text"]
            except (KeyError, TypeError):
                self._note(event)
                continue
            if text and isinstance(text, str):
                self._answer.add_text(delta.get("contentBlockIndex"), text)
                yield text

    def _begin(self) -> None:
        """The first event of a stream is there: only now it takes the place of the last one."""
        self._is_fresh = False
        response, restart = self._response, self._restart
        response.mark_recovered()
        if restart is None:
            return
        if self._on_restart is not None:
            self._on_restart(restart)
        if not self._ended.is_set():
            response.start_again(restart)
            self._answer = AnswerAssembly()

    def _note(self, event: dict[str, Any]) -> None:
        for kind, content in event.items():
            if isinstance(content, dict):
                self._answer.add(kind, content)
                note_event(self._response, kind, content)

    # After a break

    def _broken(self, attempt: Attempt, error: Exception) -> None:
        target = attempt.target
        if self._is_fresh or not _is_validation(error):
            decision = self._call.failed(attempt, error)
        else:  # A request that the model has begun to answer is not malformed.
            decision = self._call.decide(attempt, Verdict(Decision.GENERATE_AGAIN), error)
        if decision is not Decision.WITHOUT_PREFILL:  # which was worth a try
            self._response.add_mid_stream_exception(error, model=target.model, region=target.region)

    def _aim(self, target: Target) -> None:
        """Decide how the next stream takes up what has come so far."""
        self._is_fresh = True
        self._continuation = self._restart = None
        if not self._answer.has_begun:
            return
        texts = self._answer.texts()
        request, reason = self._request, self._why_not_continued(target, texts)
        if reason is None:
            may_repeat = target.takes_prefill is not True
            self._continuation = Continuation(self._answer, may_repeat=may_repeat)
            request = {**request, "messages": continued(request["messages"], texts)}
        else:
            position = self._response.stream_position
            self._restart = StreamRestart(position, target.model, target.region, reason)
        self._call.preparation.replace(request)
        self._call.continues = reason is None and not _is_blank(texts)

    def _why_not_continued(self, target: Target, texts: list[str]) -> str | None:
        if not self._answer.has_only_text:
            return "Only text can be continued; there was reasoning, a tool call or the like."
        if _is_blank(texts):
            return None  # whatever comes now is the continuation
        if "textFormat" in (self._request.get("outputConfig") or {}):
            return "A structured answer cannot be continued."
        if not self._call.takes_prefill(target):
            return "The model does not continue a given beginning of its answer."
        return None

    # At the end

    def _finished(self, attempt: Attempt, error: Exception | None) -> None:
        call, response = self._call, self._response
        prepared = call.answered(attempt)
        if error is not None:
            call.warnings.append(
                "The stream broke after the end of the answer; its metadata may be missing."
            )
        response.stop_clock()
        response.success = True
        response.request_attempt = call.attempt_of(attempt)
        response.warnings += call.warnings
        response.features_disabled = list(prepared.disabled_features)
        if prepared.removed_parameters:
            response.parameters_removed = list(prepared.removed_parameters)
            response.original_additional_fields = dict(prepared.wanted_fields or {})
            response.final_additional_fields = dict(prepared.fields)
        response.final_response = BedrockResponse(
            success=True,
            response_data=self._answer.output(),
            **{name: getattr(response, name) for name in _FIELDS_OF_BOTH},
        )

    def _failed(self) -> None:
        response, failure = self._response, self._call.failure()
        response.success = False
        response.warnings += self._call.warnings
        errors = [each.error for each in response.mid_stream_exceptions if not each.recovered]
        if not errors or isinstance(failure, (RequestValidationError, AuthenticationError)):
            errors = [failure]
        response.stream_errors += errors


_FIELDS_OF_BOTH = (
    "model_used",
    "region_used",
    "access_method_used",
    "inference_profile_used",
    "inference_profile_id",
    "attempts",
    "total_duration_ms",
    "api_latency_ms",
    "warnings",
    "features_disabled",
    "parameters_removed",
    "original_additional_fields",
    "final_additional_fields",
    "model_id_used",
    "attempt_log",
)


def _is_blank(texts: list[str]) -> bool:
    return not "".join(texts).strip()


def _is_validation(error: Exception) -> bool:
    """Whether it is a `validationException` in the stream."""
    response = getattr(error, "response", None)
    details = response.get("Error") if isinstance(response, dict) else None
    return isinstance(details, dict) and details.get("Code") == "validationException"
