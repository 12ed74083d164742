"""Turns botocore's service models into routes and into checks of what crosses the wire."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import Any
from urllib.parse import parse_qsl, unquote

from bestehorn_llmmanager.testing._errors import validation_error

# A check appends one sentence to `problems` for each thing wrong with `value` at `path`.
Check = Callable[[Any, str, "list[str]"], None]
# botocore's shapes carry no types of their own.
Shape = Any

_SERVED = {
    "bedrock": (
        "ListFoundationModels",
        "ListInferenceProfiles",
        "GetFoundationModel",
        "GetInferenceProfile",
        "CreateModelInvocationJob",
        "GetModelInvocationJob",
        "ListModelInvocationJobs",
        "StopModelInvocationJob",
    ),
    "bedrock-runtime": ("Converse", "ConverseStream", "CountTokens"),
}
_CLOSE_ENOUGH = {
    "string": (str,),
    "blob": (str, bytes, bytearray),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (str, int, float, datetime),
}


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation of a service: where it is found, what goes in, what comes out."""

    name: str
    service: str
    method: str
    path: re.Pattern[str]
    query_members: Mapping[str, tuple[str, str]]
    check_input: Check
    check_output: Check
    check_events: Mapping[str, Check]

    def parameters(self, path_values: Mapping[str, str], query: str) -> dict[str, Any]:
        """Members that travel in the path and in the query string."""
        found: dict[str, Any] = dict(path_values)
        for wire_name, text in parse_qsl(query, keep_blank_values=True):
            if wire_name in self.query_members:
                member, type_name = self.query_members[wire_name]
                found[member] = _integer(text) if type_name == "integer" else text
        return found


class Routes:
    """Finds the operation for a method and a path."""

    def __init__(self, operations: tuple[Operation, ...]) -> None:
        self.operations = operations

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        for operation in self.operations:
            if operation.method == method and (match := operation.path.fullmatch(path)):
                return operation, {k: unquote(v) for k, v in match.groupdict().items()}
        return None


@lru_cache(maxsize=1)
def routes() -> Routes:
    """The served operations that the installed botocore knows; made once per process."""
    # Not through a session, which would read, and trip over, the AWS configuration of the machine.
    from botocore.loaders import create_loader  # noqa: PLC0415 (importing us must cost nothing)
    from botocore.model import ServiceModel  # noqa: PLC0415

    loader = create_loader()
    operations: list[Operation] = []
    for service, names in _SERVED.items():
        model = ServiceModel(loader.load_service_model(service, "service-2"), service)
        known = set(model.operation_names)
        operations += [
            _operation(service, model.operation_model(name)) for name in names if name in known
        ]
    return Routes(tuple(operations))


def refuse_invalid(operation: Operation, parameters: Mapping[str, Any]) -> None:
    """Raise the service's ValidationException for what does not fit the input shape."""
    problems: list[str] = []
    operation.check_input(parameters, "", problems)
    if problems:
        errors = "error" if len(problems) == 1 else "errors"
        raise validation_error(
            f"{len(problems)} validation {errors} detected: {'; '.join(problems)}"
        )


def output_problems(operation: Operation, output: Any) -> list[str]:
    problems: list[str] = []
    operation.check_output(output, "", problems)
    return problems


def event_problems(operation: Operation, events: list[Any]) -> list[str]:
    """What keeps `events`, each ``{event type: payload}``, from being an answer's stream."""
    problems: list[str] = []
    for number, event in enumerate(events):
        if not isinstance(event, Mapping) or len(event) != 1:
            problems.append(f"Event {number} must be a mapping of one event type to its payload")
            continue
        ((event_type, payload),) = event.items()
        check = operation.check_events.get(event_type)
        if check is None:
            problems.append(f"Event {number} has the unknown type {event_type!r}")
        else:
            check(payload, f"{number}.{event_type}", problems)
    return problems


def _operation(service: str, model: Any) -> Operation:
    uri = model.http["requestUri"]
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(uri))
    # A snapshot may be newer than the installed botocore: members unknown to it are no fault there.
    inputs, outputs = _Checks(strict=True), _Checks(strict=False, open_ended=service == "bedrock")
    stream = model.get_event_stream_output()
    return Operation(
        name=model.name,
        service=service,
        method=model.http["method"],
        path=re.compile(pattern),
        query_members={
            member.serialization.get("name", name): (name, member.type_name)
            for name, member in model.input_shape.members.items()
            if member.serialization.get("location") == "querystring"
        },
        check_input=inputs.of(model.input_shape),
        check_output=_accept if stream else outputs.of(model.output_shape),
        check_events=_event_checks(stream, outputs) if stream else {},
    )


def _event_checks(stream: Shape, outputs: _Checks) -> dict[str, Check]:
    return {
        name: outputs.of(shape)
        for name, shape in stream.members.items()
        if not shape.metadata.get("exception")
    }


def _integer(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text  # The check of its type will say so.


class _Checks:
    """Makes the checks for the shapes of one operation.

    Strict checks (input) know enumerations, ranges, lengths and patterns. The others (output) do
    not, because the service departs from its own model there: `INFERENCE_PROFILE` is no member of
    `InferenceType`, `VIDEO` none of `ModelModality`.
    """

    def __init__(self, *, strict: bool, open_ended: bool = False) -> None:
        self._strict = strict
        self._open_ended = open_ended
        self._made: dict[str, Check] = {}

    def of(self, shape: Shape) -> Check:
        if shape.name not in self._made:
            # Shapes may contain themselves: the placeholder looks up what this call stores.
            self._made[shape.name] = partial(self._look_up, shape.name)
            self._made[shape.name] = self._make(shape)
        return self._made[shape.name]

    def _look_up(self, name: str, value: Any, path: str, problems: list[str]) -> None:
        self._made[name](value, path, problems)

    def _make(self, shape: Shape) -> Check:
        if shape.type_name == "structure":
            return _accept if shape.is_document_type else self._structure(shape)
        if shape.type_name == "list":
            return self._list(shape)
        if shape.type_name == "map":
            return self._map(shape)
        return self._scalar(shape)

    def _structure(self, shape: Shape) -> Check:
        checks = {
            _wire_name(name, member): self.of(member) for name, member in shape.members.items()
        }
        required = [_wire_name(name, shape.members[name]) for name in shape.required_members]
        is_union, is_open = shape.is_tagged_union, self._open_ended

        def check(value: Any, path: str, problems: list[str]) -> None:
            if not isinstance(value, Mapping):
                problems.append(_constraint(path, "Member must be a structure"))
                return
            problems += [
                _constraint(_join(path, name), "Member must not be null")
                for name in required
                if value.get(name) is None
            ]
            if is_union and len(value) != 1:
                problems.append(_constraint(path, "Member must have exactly one union member set"))
            for name, member in value.items():
                if name in checks:
                    if member is not None:
                        checks[name](member, _join(path, name), problems)
                elif not is_open:
                    problems.append(_constraint(_join(path, name), "Member must be known"))

        return check

    def _list(self, shape: Shape) -> Check:
        check_member, check_size = self.of(shape.member), self._size(shape)

        def check(value: Any, path: str, problems: list[str]) -> None:
            if not isinstance(value, (list, tuple)):
                problems.append(_constraint(path, "Member must be a list"))
                return
            check_size(len(value), path, problems)
            for number, member in enumerate(value, start=1):
                check_member(member, f"{path}.{number}.member", problems)

        return check

    def _map(self, shape: Shape) -> Check:
        check_key, check_value = self.of(shape.key), self.of(shape.value)
        check_size = self._size(shape)

        def check(value: Any, path: str, problems: list[str]) -> None:
            if not isinstance(value, Mapping):
                problems.append(_constraint(path, "Member must be a map"))
                return
            check_size(len(value), path, problems)
            for key, member in value.items():
                check_key(key, _join(path, "key"), problems)
                check_value(member, _join(path, f"{key}.value"), problems)

        return check

    def _scalar(self, shape: Shape) -> Check:
        type_name = shape.type_name
        types = _CLOSE_ENOUGH[type_name]
        check_content = self._content(shape)

        def check(value: Any, path: str, problems: list[str]) -> None:
            # In Python a bool is an int, in JSON it is not.
            if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
                problems.append(_constraint(path, f"Member must be a {type_name}"))
            else:
                check_content(value, path, problems)

        return check

    def _content(self, shape: Shape) -> Check:
        if not self._strict:
            return _accept
        if shape.type_name == "string":
            return self._text(shape)
        if shape.type_name in {"integer", "long", "float", "double"}:
            return _range(shape, "have value")
        return _accept

    def _text(self, shape: Shape) -> Check:
        if enum := shape.metadata.get("enum"):
            return _enum(enum)
        check_size = self._size(shape)
        pattern = _pattern(shape)

        def check(value: str, path: str, problems: list[str]) -> None:
            check_size(len(value), path, problems)
            if pattern and not pattern.fullmatch(value):
                problems.append(
                    _constraint(
                        path, f"Member must satisfy regular expression pattern: {pattern.pattern}"
                    )
                )

        return check

    def _size(self, shape: Shape) -> Check:
        return _range(shape, "have length") if self._strict else _accept


def _accept(_value: Any, _path: str, _problems: list[str]) -> None:
    pass


def _range(shape: Shape, verb: str) -> Check:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is None and high is None:
        return _accept

    def check(value: float, path: str, problems: list[str]) -> None:
        if low is not None and value < low:
            problems.append(_constraint(path, f"Member must {verb} greater than or equal to {low}"))
        if high is not None and value > high:
            problems.append(_constraint(path, f"Member must {verb} less than or equal to {high}"))

    return check


def _enum(allowed: list[str]) -> Check:
    def check(value: str, path: str, problems: list[str]) -> None:
        if value not in allowed:
            problems.append(
                _constraint(path, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
            )

    return check


def _pattern(shape: Shape) -> re.Pattern[str] | None:
    # Identifiers in the path are looked up anyway, and the pattern of a model id, which has
    # `(([0-9a-zA-Z][_-]?)+)` in it, takes exponential time on some of those that do not match.
    if shape.serialization.get("location") == "uri" or "pattern" not in shape.metadata:
        return None
    return re.compile(shape.metadata["pattern"])


def _wire_name(name: str, member: Shape) -> str:
    if "location" in member.serialization:
        return name  # Arrives outside of the body; `Operation.parameters` gave it this name.
    return str(member.serialization.get("name", name))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _constraint(path: str, constraint: str) -> str:
    return f"Value at {path!r} failed to satisfy constraint: {constraint}"
