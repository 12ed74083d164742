"""Reads what a job has written, and joins it with the requests by their record ids."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from bestehorn_llmmanager.bedrock.batch.locations import Location, parse
from bestehorn_llmmanager.bedrock.batch.records import (
    Record,
    number_of,
    read_line,
    record_id,
    request_of,
    with_bytes,
)
from bestehorn_llmmanager.bedrock.batch.status import JobStatus
from bestehorn_llmmanager.bedrock.batch.storage import Storage
from bestehorn_llmmanager.bedrock.exceptions.batch_exceptions import BatchError, BatchRecordError
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RequestAttempt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
    from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest

logger = logging.getLogger(__name__)

NOTE_NAME = "request-ids.json"
_NOTE_VERSION = 1
_OUT_OF_TIME = {"Expired", "PartiallyCompleted"}
# docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors
_CODES = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}


@dataclass(frozen=True)
class Note:
    """What a submission writes beside the output of a job, so that any process can join it.

    Attributes:
        model: The model as the caller wrote it; None for jobs of other programs.
        access_method: How it is called.
        first: Number of the job's first record.
        request_ids: The ids of the job's requests, in the order of their numbers.
        digest: SHA-256 of all records of the submission.
    """

    model: str | None = None
    access_method: str | None = None
    first: int = 1
    request_ids: list[str] = field(default_factory=list)
    digest: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {"version": _NOTE_VERSION, **vars(self)}

    @classmethod
    def from_dict(cls, data: Any) -> Note | None:
        """The inverse of `to_dict`; None if it is none."""
        if not isinstance(data, dict) or data.get("version") != _NOTE_VERSION:
            return None
        first, request_ids = data.get("first"), data.get("request_ids")
        if not isinstance(first, int) or not isinstance(request_ids, list):
            return None
        return cls(
            model=data.get("model"),
            access_method=data.get("access_method"),
            first=first,
            request_ids=[str(each) for each in request_ids],
            digest=str(data.get("digest")),
        )

    def request_id(self, name: str) -> str:
        """The id of the request that a record was made of; that of the record, if it is not ours."""
        number = number_of(name)
        position = -1 if number is None else number - self.first
        return self.request_ids[position] if 0 <= position < len(self.request_ids) else name

    def missing(self, seen: set[str]) -> dict[str, str]:
        """Record id to request id, of what is not in `seen`."""
        names = ((record_id(self.first + place), own) for place, own in enumerate(self.request_ids))
        return {name: own for name, own in names if name not in seen}


class Entry(NamedTuple):
    """What became of one request.

    Attributes:
        request_id: Its id.
        response: The answer, or a failure.
        record: The line that says so; for a request that was not processed that of the input, if
            it was asked for and is still there.
    """

    request_id: str
    response: BedrockResponse
    record: Record | None


class JobOutput:
    """The results of one job.

    Args:
        described: The job, as GetModelInvocationJob describes it.
        region: Where it runs, and its buckets are.
        auth: Credentials, and settings of the clients.

    Raises:
        BatchError: It is not over, or is not one of Converse requests.
    """

    def __init__(self, described: Mapping[str, Any], region: str, auth: AuthManager) -> None:
        self.status = JobStatus.from_description(described)
        arn = self.status.job_arn
        if not self.status.is_over:
            raise BatchError(
                f"The job {arn!r} is {self.status.status!r}: `wait` until it is over.", [arn]
            )
        if described.get("modelInvocationType") != "Converse":
            raise BatchError(
                f"The job {arn!r} is not one of Converse requests, or the installed boto3 does not "
                "know of such.",
                [arn],
            )
        self.region = region
        self._model_id: str = described["modelId"]
        self._input = described["inputDataConfig"]["s3InputDataConfig"]
        self._output = described["outputDataConfig"]["s3OutputDataConfig"]
        self._auth = auth
        converse = auth.get_bedrock_client(self.region).meta.service_model.operation_model(
            "Converse"
        )
        self._sent_shape, self._answer_shape = converse.input_shape, converse.output_shape
        self._note = Note()

    def entries(self, *, requests: bool) -> Iterator[Entry]:
        """What became of each request: first as the output files have it, then what they lack.

        Args:
            requests: Whether the requests are wanted of those that were not processed, which
                means that the input is read.

        Raises:
            BatchError: S3 refuses, or cannot be reached.
            AuthenticationError: There are no credentials that S3 accepts.
        """
        place = parse(self._output["s3Uri"])
        seen: set[str] = set()
        with self._storage(self._output) as storage:
            self._note = Note.from_dict(storage.read_json(place / NOTE_NAME)) or Note()
            folder = place / f"{self.status.job_arn.rpartition('/')[2]}/"
            for file in storage.files(folder, ".jsonl.out"):
                for record in _records(storage, file):
                    if record.record_id not in seen:
                        seen.add(record.record_id)
                        yield self._entry(record, self._processed(record))
        if self._note.request_ids:
            yield from self._not_processed(seen, requests)
        else:
            yield from self._not_processed_of_others(seen)

    def request(self, entry: Entry) -> BedrockConverseRequest | None:
        """The request as it was sent; None if that is not known any more."""
        if entry.record is None:
            return None
        return request_of(entry.request_id, entry.record.sent, self._sent_shape)

    def in_order(self, found: dict[str, BedrockResponse]) -> dict[str, BedrockResponse]:
        """What `entries` has found, in the order of the requests as far as it is known."""
        ordered = {name: found[name] for name in self._note.request_ids if name in found}
        return {**ordered, **found}

    def _storage(self, place: Mapping[str, Any]) -> Storage:
        return Storage(self._auth, self.region, bucket_owner=place.get("s3BucketOwner"))

    def _entry(self, record: Record, response: BedrockResponse) -> Entry:
        return Entry(self._note.request_id(record.record_id), response, record)

    def _not_processed(self, seen: set[str], requests: bool) -> Iterator[Entry]:
        missing = self._note.missing(seen)
        if missing and requests:
            for record in self._input_records():
                name = missing.pop(record.record_id, None)
                if name is not None:
                    yield self._without_outcome(name, record)
        for name in missing.values():
            yield self._without_outcome(name, None)

    def _not_processed_of_others(self, seen: set[str]) -> Iterator[Entry]:
        """As `_not_processed`, without a note: only the input says what there was."""
        is_complete = 0 < self.status.total <= len(seen)
        for record in () if is_complete else self._input_records():
            if record.record_id not in seen:
                seen.add(record.record_id)
                yield self._without_outcome(record.record_id, record)

    def _without_outcome(self, name: str, record: Record | None) -> Entry:
        return Entry(name, self._failure(name, self._no_outcome(name)), record)

    def _input_records(self) -> Iterator[Record]:
        place = parse(self._input["s3Uri"])
        try:
            with self._storage(self._input) as storage:
                is_file = place.key.endswith(".jsonl")
                folder = Location(place.bucket, place.key) if is_file else place / ""
                for file in storage.files(folder, ".jsonl"):
                    yield from _records(storage, file)
        except BatchError as error:
            logger.warning(
                "job=%s error=%s | its input cannot be read", self.status.job_arn, error.message
            )

    def _processed(self, record: Record) -> BedrockResponse:
        name = self._note.request_id(record.record_id)
        if record.answer is not None:
            return self._success(with_bytes(record.answer, self._answer_shape))
        if record.error is not None:
            return self._failure(name, _service_error(record.error))
        return self._failure(
            name,
            BatchRecordError(f"The job's record of {name!r} has neither an answer nor an error."),
        )

    def _no_outcome(self, name: str) -> BatchRecordError:
        status, arn = self.status.status, self.status.job_arn
        if status == "Completed":
            return BatchRecordError(f"The output of its job does not have {name!r}.", [arn])
        return BatchRecordError(
            f"The job of {name!r} ended as {status!r} before it was processed.", [arn]
        )

    def _success(self, answer: dict[str, Any]) -> BedrockResponse:
        method = self._note.access_method
        uses_profile = method in {"regional_cris", "global_cris"}
        metrics = answer.get("metrics")
        return BedrockResponse(
            success=True,
            response_data=answer,
            model_used=self._note.model or self._model_id,
            region_used=self.region,
            access_method_used=method,
            inference_profile_used=uses_profile,
            inference_profile_id=self._model_id if uses_profile else None,
            attempts=self._attempts(None),
            api_latency_ms=metrics.get("latencyMs") if isinstance(metrics, dict) else None,
            model_id_used=self._model_id,
        )

    def _failure(self, name: str, error: Exception) -> BedrockResponse:
        response = getattr(error, "response", None)
        if response:  # what the service says of a request may quote it
            warning = f"Request {name} failed: {response['Error']['Code']}"
        elif self.status.status in _OUT_OF_TIME:
            warning = f"Request {name} timed out: {error.args[0]}"
        else:
            warning = f"Request {name} failed: {error.args[0]}"
        return BedrockResponse(success=False, warnings=[warning], attempts=self._attempts(error))

    def _attempts(self, error: Exception | None) -> list[RequestAttempt]:
        if self.status.submitted_at is None:
            return []
        return [
            RequestAttempt(
                model_id=self._note.model or self._model_id,
                region=self.region,
                access_method=self._note.access_method or "direct",
                attempt_number=1,
                start_time=self.status.submitted_at,
                end_time=self.status.ended_at,
                error=error,
                success=error is None,
            )
        ]


def _records(storage: Storage, file: Location) -> Iterator[Record]:
    others = 0
    for line in storage.lines(file):
        record = read_line(line)
        if record is not None:
            yield record
        elif line.strip():
            others += 1
    if others:
        logger.warning("file=%s lines=%d | lines that are no records are left out", file, others)


def _service_error(error: Mapping[str, Any]) -> Exception:
    from botocore.exceptions import ClientError  # noqa: PLC0415  (importing us must not load it)

    stated = str(error.get("errorCode"))
    status = int(stated) if stated.isdecimal() else None
    refusal: Exception = ClientError(
        {
            "Error": {
                "Code": stated if status is None else _CODES.get(status, stated),
                "Message": str(error.get("errorMessage", "")),
            },
            "ResponseMetadata": {"HTTPStatusCode": status} if status else {},
        },
        "Converse",
    )
    return refusal
