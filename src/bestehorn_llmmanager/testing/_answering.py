"""Turns what arrives on a connection into the answers that it gets."""

from __future__ import annotations

import json
import re
import time
import uuid
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from bestehorn_llmmanager.testing._endpoint import DEFAULT_REGION
from bestehorn_llmmanager.testing._errors import (
    ServiceError,
    not_signed,
    region_not_enabled,
    unknown_operation,
    validation_error,
    wrong_region,
)
from bestehorn_llmmanager.testing._event_stream import (
    event_frame,
    exception_frame,
    with_broken_checksum,
)
from bestehorn_llmmanager.testing._faults import Fault, FaultBook, Trouble
from bestehorn_llmmanager.testing._http import BadRequestError
from bestehorn_llmmanager.testing._ledger import Ledger, ServedRequest
from bestehorn_llmmanager.testing._operations import (
    ControlPlane,
    refuse_conversation,
    to_json,
    token_count,
)
from bestehorn_llmmanager.testing._quota import QuotaBook, Reservation, usage_in
from bestehorn_llmmanager.testing._replies import (
    ReceivedRequest,
    ReplyBook,
    default_text,
    events_of,
    is_events,
    rest_of,
    text_output,
)
from bestehorn_llmmanager.testing._wire import (
    Operation,
    Routes,
    event_problems,
    output_problems,
    refuse_invalid,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bestehorn_llmmanager.testing._catalogue import Catalogue, RegionCatalogue
    from bestehorn_llmmanager.testing._http import HttpConnection, HttpRequest

CONTROL_PREFIX = "/_local/"
_REGION_PREFIX = re.compile(r"/region/([a-z0-9-]+)(/.*)")
_CREDENTIAL_SCOPE = re.compile(r"AWS4-\S+ .*?Credential=[^/]+/\d{8}/([^/]+)/")
_UNANSWERED = {"hang", "reset"}


@dataclass(slots=True)
class Call:
    """What is known about a request; filled in as it is read."""

    request: HttpRequest
    operation: Operation | None = None
    region: str | None = None
    model_id: str | None = None
    body: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    reservation: Reservation | None = None

    @property
    def operation_name(self) -> str:
        return self.operation.name if self.operation else "UnknownOperation"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent: a whole body, or else the frames of an event stream."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    frames: Sequence[bytes] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """Safe to share between threads: its parts are."""

    routes: Routes
    catalogue: Catalogue
    control_plane: ControlPlane
    faults: FaultBook
    replies: ReplyBook
    quotas: QuotaBook
    ledger: Ledger
    latency: float
    record_bodies: bool
    control: Callable[[HttpRequest], dict[str, Any]]

    def serve(self, connection: HttpConnection) -> None:
        """Answer one request after the other until the client has gone."""
        while True:
            try:
                request = connection.read_request()
            except BadRequestError as error:
                answer = _json_answer(400, {"message": str(error)})
                connection.send(answer.status, answer.headers, answer.body, head=False)
                return
            if request is None or not self._answer(connection, request):
                return
            if request.headers.get("connection", "").lower() == "close":
                return

    def _answer(self, connection: HttpConnection, request: HttpRequest) -> bool:
        """Whether the connection is good for another request."""
        if request.path.startswith(CONTROL_PREFIX):
            return _send(connection, request, _json_answer(200, self.control(request)), None)
        received = time.time()
        call = Call(request)
        answer, trouble = self._decide(call)
        # On record before the client can see anything of it, so that a test counts right.
        self._record(call, received, connection.number, answer, trouble.fault)
        is_there = connection.wait(self.latency + trouble.delay)
        if call.reservation is not None:
            call.reservation.settle()
        if not is_there:
            return False
        return _send(connection, request, answer, trouble.fault)

    def _decide(self, call: Call) -> tuple[Answer, Trouble]:
        trouble = Trouble()
        try:
            self._identify(call)
            trouble = self.faults.meet(call.operation_name, call.region, call.model_id)
            if trouble.fault and trouble.fault.kind == "error":
                return _fault_answer(trouble.fault), trouble
            if trouble.fault and trouble.fault.kind in _UNANSWERED:
                return Answer(), trouble
            return self._answer_call(call), trouble
        except ServiceError as error:
            return _refusal(error), trouble
        # A mistake in a test's reply or snapshot must give an answer, not a client that waits.
        except Exception as error:  # noqa: BLE001
            self.ledger.add_error(f"{call.operation_name}: {type(error).__name__}: {error}")
            sentence = f"LocalBedrock could not answer, see `errors`: {type(error).__name__}"
            return _refusal(ServiceError("InternalServerException", 500, sentence)), trouble

    def _identify(self, call: Call) -> None:
        request = call.request
        prefix = _REGION_PREFIX.fullmatch(request.path)
        path = prefix[2] if prefix else request.path
        found = self.routes.find(request.method, path)
        if found is None:
            raise unknown_operation(request.method, unquote(path))
        call.operation, path_values = found
        call.model_id = path_values.get("modelId")
        call.region = _region(
            request.headers.get("authorization", ""), prefix[1] if prefix else None
        )
        call.body = _read_json(request.body)
        call.parameters = {**call.operation.parameters(path_values, request.query), **call.body}

    def _answer_call(self, call: Call) -> Answer:
        assert call.operation is not None
        assert call.region is not None
        region = self.catalogue.region(call.region)
        if region is None:
            raise region_not_enabled()
        refuse_invalid(call.operation, call.parameters)
        if call.operation.service == "bedrock":
            body = self.control_plane.answer(call.operation, region, call.parameters)
            return Answer(headers=_headers("application/json"), body=body)
        if call.operation.name == "CountTokens":
            return _json_answer(200, token_count(self.catalogue, region, call.parameters))
        return self._converse(call, call.operation, region)

    def _converse(self, call: Call, operation: Operation, region: RegionCatalogue) -> Answer:
        stream = operation.name == "ConverseStream"
        refuse_conversation(self.catalogue, region, call.parameters, stream=stream)
        self._reserve_tokens(call, region)
        request = ReceivedRequest(
            operation.name,
            region.region,
            call.parameters["modelId"],
            call.body,
            call.request.headers,
        )
        reply = self._reply(request)
        if call.reservation is not None:
            call.reservation.will_use(usage_in(reply))
        if stream:
            return self._stream(operation, reply if is_events(reply) else events_of(reply))
        if problems := output_problems(operation, reply):
            raise ValueError(f"The reply is no output of Converse: {problems}")
        return _json_answer(200, reply)

    def _reserve_tokens(self, call: Call, region: RegionCatalogue) -> None:
        if not self.quotas:
            return
        identifier = call.parameters["modelId"]
        model = self.catalogue.target(region, identifier).model
        model_id = model["modelId"] if model else identifier
        call.reservation = self.quotas.reserve(region.region, identifier, model_id, call.body)

    def _reply(self, request: ReceivedRequest) -> Any:
        reply = self.replies.take(request)
        if isinstance(reply, str):
            reply = rest_of(reply, request.body)
        elif callable(reply):
            reply = reply(request)
        if reply is None:
            reply = default_text(request)
        if isinstance(reply, str):
            reply = text_output(reply, request.body, round(self.latency * 1000))
        return reply

    def _stream(self, operation: Operation, events: list[Any]) -> Answer:
        if problems := event_problems(operation, events):
            raise ValueError(f"The reply is no stream of events: {problems}")
        frames = [
            event_frame(event_type, to_json(payload))
            for event in events
            for event_type, payload in event.items()
        ]
        return Answer(
            headers=_headers("application/vnd.amazon.eventstream"),
            frames=frames,
        )

    def _record(
        self,
        call: Call,
        received: float,
        connection: int,
        answer: Answer,
        fault: Fault | None,
    ) -> None:
        unanswered = fault is not None and fault.kind in _UNANSWERED
        served = ServedRequest(
            operation=call.operation_name,
            region=call.region,
            model_id=call.model_id,
            status=None if unanswered else answer.status,
            time=received,
            connection=connection,
            fault=fault.kind if fault else None,
            body=call.body if self.record_bodies else None,
        )
        control_plane = call.operation is not None and call.operation.service == "bedrock"
        self.ledger.add(served, control_plane=control_plane)


def _region(authorization: str, path_region: str | None) -> str:
    if authorization.startswith("Bearer "):
        return path_region or DEFAULT_REGION
    scope = _CREDENTIAL_SCOPE.match(authorization)
    if scope is None:
        raise not_signed()
    if path_region not in {None, scope[1]}:
        raise wrong_region()
    return scope[1]


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        raise validation_error("The request body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise validation_error("The request body must be a JSON object.")
    return value


def _headers(content_type: str) -> dict[str, str]:
    return {"Content-Type": content_type, "x-amzn-RequestId": str(uuid.uuid4())}


def _json_answer(status: int, value: Any) -> Answer:
    return Answer(status, _headers("application/json"), to_json(value))


def _refusal(error: ServiceError) -> Answer:
    answer = _json_answer(error.status, {"message": error.message})
    return replace(answer, headers={**answer.headers, "x-amzn-ErrorType": error.code})


def _fault_answer(fault: Fault) -> Answer:
    answer = _refusal(ServiceError(fault.code, fault.status, fault.message))
    return replace(answer, headers={**answer.headers, **dict(fault.headers)})


def _send(
    connection: HttpConnection, request: HttpRequest, answer: Answer, fault: Fault | None
) -> bool:
    """Send what of `answer` the fault leaves; whether the connection is still good."""
    if fault is None or fault.kind == "error" or answer.status != HTTPStatus.OK:
        return _send_whole(connection, request, answer)
    if fault.kind == "hang":
        connection.wait(fault.seconds)
        return False
    if fault.kind == "reset":
        connection.abort()
        return False
    if answer.frames is not None:
        return _send_faulty_stream(connection, answer.headers, answer.frames, fault)
    if fault.kind == "broken_json":
        return _send_whole(connection, request, replace(answer, body=b'{"output": {"mess'))
    connection.send_half(answer.status, answer.headers, answer.body)
    connection.abort()
    return False


def _send_whole(connection: HttpConnection, request: HttpRequest, answer: Answer) -> bool:
    if answer.frames is None:
        head = request.method == "HEAD"
        connection.send(answer.status, answer.headers, answer.body, head=head)
    else:
        connection.start_chunks(answer.status, answer.headers)
        for frame in answer.frames:
            connection.send_chunk(frame)
        connection.end_chunks()
    return True


def _send_faulty_stream(
    connection: HttpConnection, headers: Mapping[str, str], frames: Sequence[bytes], fault: Fault
) -> bool:
    connection.start_chunks(200, headers)
    if fault.kind == "broken_json":
        frames = [event_frame("messageStart", b'{"role": "assis'), *frames[1:]]
        return _send_chunks(connection, frames)
    after = fault.after_events if fault.in_stream else 1
    for frame in frames[:after]:
        connection.send_chunk(frame)
    rest = frames[after:]
    if fault.kind == "stream_ends":
        rest = []
    elif fault.kind == "stream_error":
        payload = to_json({"message": fault.message, **dict(fault.details)})
        rest = [exception_frame(fault.code, payload)]
    elif fault.kind == "stream_broken_frame":
        rest = [with_broken_checksum(frame) for frame in rest[:1]]
    elif fault.kind == "stream_stalls":
        if not connection.wait(fault.seconds):
            return False
    else:
        if fault.kind != "stream_cut":
            connection.abort()
        return False
    return _send_chunks(connection, rest)


def _send_chunks(connection: HttpConnection, frames: Sequence[bytes]) -> bool:
    for frame in frames:
        connection.send_chunk(frame)
    connection.end_chunks()
    return True
