"""Turns requests into the lines of a job's input, and the lines of its output into what they say."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.builders.parameter_builder import ParameterBuilder
from bestehorn_llmmanager.bedrock.calls.preparation import Preparation
from bestehorn_llmmanager.bedrock.models.converse_members import MEMBERS
from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
from bestehorn_llmmanager.bedrock.validators.converse_request import explain_param_validation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bestehorn_llmmanager.bedrock.retry.targets import Target
    from bestehorn_llmmanager.llm_manager import LLMManager

# botocore's shapes carry no types of their own.
Shape = Any

_PARAMETERS = ParameterBuilder()


def record_id(number: int) -> str:
    """The id of the record with this number, from 1: eleven letters and digits.

    AWS has asked for exactly that at one time, for letters and digits at another.
    """
    return f"R{number:010}"


def number_of(name: object) -> int | None:
    """The inverse of `record_id`; None if it is none of ours."""
    text = str(name)
    is_ours = text.startswith("R") and text[1:].isascii() and text[1:].isdecimal()
    return int(text[1:]) if is_ours else None


def members_for(
    target: Target, request: BedrockConverseRequest, manager: LLMManager
) -> dict[str, Any]:
    """What Converse would be sent for a request, without the model.

    Args:
        target: What is called.
        request: The request.
        manager: Checks it, and has the configuration of all requests.

    Raises:
        RequestValidationError: It is not of the form that Converse takes.
    """
    arguments = request.to_converse_args()
    members, _ = manager._request(arguments)  # noqa: SLF001  (this library's own)
    preparation = Preparation(
        members,
        manager._equipment.learned,  # noqa: SLF001
        parameters=_PARAMETERS,
        model_specific_config=manager._config_for_call(arguments),  # noqa: SLF001
    )
    return preparation.for_target(target).request


class Wire:
    """Puts requests into the JSON that Converse would be sent. Safe to share between threads.

    Args:
        runtime: Model of the service `bedrock-runtime`, of the installed botocore.
    """

    def __init__(self, runtime: Any) -> None:
        from botocore.serialize import create_serializer  # noqa: PLC0415  (imports botocore)

        self._converse = runtime.operation_model("Converse")
        self._serializer = create_serializer(runtime.metadata["protocol"], include_validation=True)

    def body(self, members: Mapping[str, Any]) -> bytes:
        """The JSON of a request, in one line.

        Raises:
            RequestValidationError: botocore does not know it; quotes nothing of it.
        """
        from botocore.exceptions import ParamValidationError  # noqa: PLC0415

        try:
            wire = self._serializer.serialize_to_request(
                {**members, "modelId": "in the job"}, self._converse
            )
        except ParamValidationError as error:
            raise explain_param_validation(error, members) from None
        return bytes(wire["body"])


def line_of(number: int, body: bytes) -> bytes:
    """The line of a job's input, its end included."""
    return b'{"recordId":"%s","modelInput":%s}\n' % (record_id(number).encode(), body)


@dataclass(frozen=True, slots=True)
class Record:
    """A line of a job's input or output.

    Attributes:
        record_id: Joins input and output.
        sent: The request, as JSON has it.
        answer: The answer, as JSON has it, or None.
        error: `errorCode` and `errorMessage`, or None.
    """

    record_id: str
    sent: Any = field(repr=False)
    answer: dict[str, Any] | None = field(repr=False)
    error: Mapping[str, Any] | None = field(repr=False)


def read_line(line: bytes) -> Record | None:
    """Take a line apart; None if it is no record."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or "recordId" not in record:
        return None
    answer, error = record.get("modelOutput"), record.get("error")
    return Record(
        str(record["recordId"]),
        record.get("modelInput"),
        answer if isinstance(answer, dict) else None,
        error if isinstance(error, dict) else None,
    )


def with_bytes(value: Any, shape: Shape) -> Any:
    """A copy of `value` in which what the service calls a blob is bytes again.

    What is not of the form that `shape` describes stays as it is, and so does free JSON: the input
    of a tool may have members that are named like the service's.
    """
    kind = shape.type_name
    if kind == "blob" and isinstance(value, str):
        try:
            return b64decode(value, validate=True)
        except ValueError:
            return value
    if kind == "structure" and isinstance(value, dict) and not shape.is_document_type:
        known = shape.members
        return {k: with_bytes(v, known[k]) if k in known else v for k, v in value.items()}
    if kind == "map" and isinstance(value, dict):
        return {name: with_bytes(item, shape.value) for name, item in value.items()}
    if kind == "list" and isinstance(value, list):
        return [with_bytes(item, shape.member) for item in value]
    return value


def request_of(request_id: str, sent: Any, shape: Shape) -> BedrockConverseRequest | None:
    """The request that a record was made of; None if it cannot be told.

    What a `ModelSpecificConfig` had added is among its additional fields.
    """
    members = with_bytes(sent, shape)
    if not isinstance(members, dict) or not isinstance(members.get("messages"), list):
        return None
    names = {member: name for name, member in MEMBERS.items()}
    arguments = {names[member]: value for member, value in members.items() if member in names}
    extra = {member: value for member, value in members.items() if member not in names}
    return BedrockConverseRequest(
        **arguments, request_id=request_id, extra_request_fields=extra or None
    )
