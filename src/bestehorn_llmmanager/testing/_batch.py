"""Runs batch jobs as the service does: reads their input from an S3 and writes the output there."""

from __future__ import annotations

import json
import random
import re
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any, Literal, get_args

from bestehorn_llmmanager.testing._errors import ServiceError, validation_error
from bestehorn_llmmanager.testing._operations import refuse_conversation, to_json
from bestehorn_llmmanager.testing._replies import ReceivedRequest, default_text, text_output
from bestehorn_llmmanager.testing._wire import output_problems, refuse_invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bestehorn_llmmanager.testing._catalogue import Catalogue, RegionCatalogue
    from bestehorn_llmmanager.testing._replies import ReplyBook
    from bestehorn_llmmanager.testing._wire import Operation

Outcome = Literal["Completed", "PartiallyCompleted", "Failed", "Expired", "Stopped"]
_SHARE_PROCESSED: dict[Outcome, float] = {
    "Completed": 1.0,
    "PartiallyCompleted": 0.5,
    "Failed": 0.0,
    "Expired": 0.0,
    "Stopped": 0.5,
}
_BEFORE_PROCESSING = ("Submitted", "Validating", "Scheduled")
_ACCOUNT = "123456789012"
_DEFAULT_PAGE = 100
_DEFAULT_HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRun:
    """How a batch job goes; given to `LocalBedrock.run_batches`.

    A job goes one step with each GetModelInvocationJob that asks for it: Submitted, Validating,
    Scheduled, InProgress `steps` times, then its outcome.

    Attributes:
        outcome: How it ends, unless it is stopped or its input is refused.
        message: What it then says of itself.
        processed: Share of the records that are processed, from 0 to 1; None: all of a job that
            completes, half of one that is stopped or completes partially, else none.
        record_errors: Records that fail: record id to HTTP status and message.
        steps: In how many steps the records are processed.
        output_files: Into how many files the output of each input file is split.
        shuffle: Whether the output is in another order than the input.
        min_records: Records per job, at least; with fewer it fails at its validation.
        max_records: Records per job, at most.
        max_file_bytes: Bytes per input file, at most.
        max_job_bytes: Bytes per job, at most.
    """

    outcome: Outcome = "Completed"
    message: str = ""
    processed: float | None = None
    record_errors: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    steps: int = 1
    output_files: int = 1
    shuffle: bool = False
    min_records: int = 1
    max_records: int = 50_000
    max_file_bytes: int = 1_000_000_000
    max_job_bytes: int = 5_000_000_000

    def __post_init__(self) -> None:
        if self.outcome not in get_args(Outcome):
            raise ValueError(f"`outcome` must be one of {get_args(Outcome)}, got {self.outcome!r}")
        if self.processed is not None and not 0 <= self.processed <= 1:
            raise ValueError(f"`processed` must be from 0 to 1, got {self.processed!r}")
        for name in ("steps", "output_files"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)!r}")

    @property
    def share(self) -> float:
        """Share of the records that are processed."""
        return _SHARE_PROCESSED[self.outcome] if self.processed is None else self.processed


@dataclass(slots=True)
class _Job:
    arn: str
    asked: Mapping[str, Any]
    region: RegionCatalogue
    run: BatchRun
    submitted: datetime
    status: str = "Submitted"
    message: str = ""
    ended: datetime | None = None
    steps: int = 0
    input: dict[str, list[bytes]] = field(default_factory=dict)
    output: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    succeeded: int = 0
    failed: int = 0
    tokens: tuple[int, int] = (0, 0)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def job_id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def total(self) -> int:
        return sum(map(len, self.input.values()))

    @property
    def processed(self) -> int:
        return self.succeeded + self.failed

    def end(self, status: str, message: str = "") -> None:
        self.status, self.message, self.ended = status, message, _now()

    def description(self) -> dict[str, Any]:
        hours = self.asked.get("timeoutDurationInHours", _DEFAULT_HOURS)
        left_out = {"tags"}
        described = {name: value for name, value in self.asked.items() if name not in left_out}
        described |= {
            "jobArn": self.arn,
            "status": self.status,
            "submitTime": self.submitted,
            "lastModifiedTime": self.ended or self.submitted,
            "jobExpirationTime": self.submitted + timedelta(hours=hours),
            "totalRecordCount": self.total,
            "processedRecordCount": self.processed,
            "successRecordCount": self.succeeded,
            "errorRecordCount": self.failed,
        }
        if self.ended:
            described["endTime"] = self.ended
        if self.message:
            described["message"] = self.message
        return described


class BatchJobs:
    """The four operations about model invocation jobs, for Converse jobs.

    Safe to share between threads; `_lock` guards the books, each job has a lock of its own.

    Args:
        catalogue: What models there are.
        replies: What records are answered.
        operations: The served operations by name.
        s3_endpoint: URL of the S3 that has the input and gets the output.
        seed: Decides about the order of shuffled output.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        replies: ReplyBook,
        operations: Mapping[str, Operation],
        s3_endpoint: str | None,
        seed: int,
    ) -> None:
        self._catalogue = catalogue
        self._replies = replies
        self._operations = operations
        self._s3_endpoint = s3_endpoint
        self._s3 = _Once(partial(_s3_client, s3_endpoint))
        self._seed = seed
        self._lock = threading.Lock()
        self._jobs: dict[str, _Job] = {}
        self._by_token: dict[tuple[str, str], _Job] = {}
        self._counted: list[BatchRun] = []
        self._lasting = BatchRun()
        self._number = 0

    def plan(self, run: BatchRun, times: int | None) -> None:
        if times is not None and times < 1:
            raise ValueError(f"`times` must be at least 1, got {times!r}")
        with self._lock:
            if times is None:
                self._lasting = run
            else:
                self._counted += [run] * times

    def clear(self) -> None:
        with self._lock:
            self._jobs, self._by_token = {}, {}
            self._counted, self._lasting = [], BatchRun()

    def serves(self, operation: Operation) -> bool:
        return "ModelInvocationJob" in operation.name

    def answer(
        self, operation: Operation, region: RegionCatalogue, parameters: Mapping[str, Any]
    ) -> bytes:
        """The output of `operation` as JSON.

        Raises:
            ServiceError: The service would refuse.
        """
        answer = getattr(self, f"_{operation.name}")(region, parameters)
        if problems := output_problems(operation, answer):
            raise ValueError(f"The answer does not fit {operation.name}: {problems[:3]}")
        return to_json(answer)

    def _CreateModelInvocationJob(  # noqa: N802 (named as the service does)
        self, region: RegionCatalogue, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        if parameters.get("modelInvocationType") != "Converse":
            raise validation_error("LocalBedrock runs jobs of the type Converse only.")
        if self._s3_endpoint is None:
            raise validation_error("LocalBedrock has no S3: give it an `s3_endpoint`.")
        self._catalogue.target(region, parameters["modelId"])
        token = (region.region, parameters.get("clientRequestToken", ""))
        with self._lock:
            job = self._by_token.get(token) if token[1] else None
            if job is None:
                self._number += 1
                arn = (
                    f"arn:aws:bedrock:{region.region}:{_ACCOUNT}"
                    f":model-invocation-job/job{self._number:09}"
                )
                run = self._counted.pop(0) if self._counted else self._lasting
                job = _Job(arn, parameters, region, run, _now())
                self._jobs[arn] = self._by_token[token] = job
        return {"jobArn": job.arn}

    def _GetModelInvocationJob(  # noqa: N802
        self, region: RegionCatalogue, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        job = self._job(region, parameters["jobIdentifier"])
        with job.lock:
            if job.ended is None:
                try:
                    self._go_on(job)
                except Exception as error:
                    job.end("Failed", f"LocalBedrock could not run it: {type(error).__name__}")
                    raise
            return job.description()

    def _ListModelInvocationJobs(  # noqa: N802
        self, region: RegionCatalogue, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        jobs = [
            job.description()
            for job in self._all()
            if job.region is region and _is_wanted(job, parameters)
        ]
        if parameters.get("sortOrder") != "Ascending":
            jobs.reverse()
        start = _start(parameters.get("nextToken", "0"))
        end = start + parameters.get("maxResults", _DEFAULT_PAGE)
        page: dict[str, Any] = {"invocationJobSummaries": jobs[start:end]}
        return {**page, "nextToken": str(end)} if end < len(jobs) else page

    def _StopModelInvocationJob(  # noqa: N802
        self, region: RegionCatalogue, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        job = self._job(region, parameters["jobIdentifier"])
        with job.lock:
            if job.ended is not None:
                # The service's words could not be verified.
                raise ServiceError("ConflictException", 400, f"The job is {job.status} already.")
            job.status = "Stopping"
        return {}

    def _job(self, region: RegionCatalogue, identifier: str) -> _Job:
        for job in self._all():
            if job.region is region and identifier in {job.arn, job.job_id}:
                return job
        raise ServiceError("ResourceNotFoundException", 404, "The job could not be found.")

    def _all(self) -> list[_Job]:
        with self._lock:
            return list(self._jobs.values())

    def _go_on(self, job: _Job) -> None:
        if job.status == "Stopping":
            self._finish(job, "Stopped")
        elif job.status == "Submitted":
            job.status = "Validating"
        elif job.status == "Validating":
            self._validate(job)
        elif job.status == "Scheduled" and job.run.outcome == "Expired":
            job.end("Expired", job.run.message)
        elif job.steps < job.run.steps:
            job.status = "InProgress"
            self._process(job)
        else:
            self._finish(job, job.run.outcome)

    def _validate(self, job: _Job) -> None:
        from botocore.exceptions import ClientError  # noqa: PLC0415 (importing us must cost nothing)

        uri = job.asked["inputDataConfig"]["s3InputDataConfig"]["s3Uri"]
        try:
            job.input = dict(self._read(uri))
        except ClientError as error:
            job.end("Failed", f"The input could not be read: {error.response['Error']['Code']}")
            return
        if problem := _input_problem(job):
            job.end("Failed", problem)
            return
        job.status = "Scheduled"

    def _process(self, job: _Job) -> None:
        job.steps += 1
        share = job.run.share * job.steps / job.run.steps
        until = ceil(round(job.total * share, 6))  # 100 * 0.07 is a little more than 7
        records = [(name, line) for name, lines in job.input.items() for line in lines]
        for name, line in records[job.processed : until]:
            job.output.setdefault(name, []).append(self._answer_record(job, json.loads(line)))

    def _answer_record(self, job: _Job, record: Mapping[str, Any]) -> dict[str, Any]:
        record_id = record.get("recordId") or f"{job.processed:011}"
        answered = {"recordId": record_id, "modelInput": record["modelInput"]}
        try:
            output = self._converse(job, record_id, record["modelInput"])
        except ServiceError as error:
            job.failed += 1
            return {
                **answered,
                "error": {"errorCode": error.status, "errorMessage": error.message},
            }
        job.succeeded += 1
        used, usage = job.tokens, output.get("usage", {})
        job.tokens = (
            used[0] + usage.get("inputTokens", 0),
            used[1] + usage.get("outputTokens", 0),
        )
        return {**answered, "modelOutput": output}

    def _converse(self, job: _Job, record_id: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if record_id in job.run.record_errors:
            status, message = job.run.record_errors[record_id]
            raise ServiceError("", status, message)
        if "modelId" in body:
            raise validation_error("modelId: Extra inputs are not permitted")
        if "toolConfig" in body:
            # docs.aws.amazon.com/bedrock/latest/userguide/batch-inference.html; own words
            raise validation_error("toolConfig is not supported for batch inference.")
        converse = self._operations["Converse"]
        parameters = {**body, "modelId": job.asked["modelId"]}
        refuse_invalid(converse, parameters)
        refuse_conversation(self._catalogue, job.region, parameters, stream=False)
        output: Mapping[str, Any] = self._reply(
            ReceivedRequest("Converse", job.region.region, job.asked["modelId"], body, {})
        )
        if problems := output_problems(converse, output):
            raise ValueError(f"The reply is no output of Converse: {problems}")
        return output

    def _reply(self, request: ReceivedRequest) -> Any:
        reply = self._replies.take(request)
        if callable(reply):
            reply = reply(request)
        if reply is None:
            reply = default_text(request)
        return text_output(reply, request.body, 0) if isinstance(reply, str) else reply

    def _finish(self, job: _Job, status: str) -> None:
        if job.output:
            self._write(job)
        job.end(status, job.run.message if status == job.run.outcome else "")

    def _read(self, uri: str) -> Iterator[tuple[str, list[bytes]]]:
        """Each input file below `uri` with its lines, by its name below it."""
        bucket, prefix = _parts(uri)
        client = self._s3.value
        if prefix.endswith(".jsonl"):
            keys = [prefix]
        else:
            prefix = prefix.rstrip("/") + "/"
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        for key in keys:
            if key.endswith(".jsonl"):
                content = client.get_object(Bucket=bucket, Key=key)["Body"].read()
                name = key.removeprefix(prefix) or key.rpartition("/")[2]
                yield name, [line for line in content.splitlines() if line.strip()]

    def _write(self, job: _Job) -> None:
        bucket, prefix = _parts(job.asked["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"])
        folder = f"{prefix.rstrip('/')}/{job.job_id}/".lstrip("/")
        client = self._s3.value
        for name, records in job.output.items():
            if job.run.shuffle:
                random.Random(f"{self._seed}/{job.arn}").shuffle(records)  # noqa: S311 (no secret)
            for number in range(job.run.output_files):
                own = f"{name[: -len('.jsonl')]}-{number + 1}.jsonl" if number else name
                lines = b"".join(
                    to_json(r) + b"\n" for r in records[number :: job.run.output_files]
                )
                client.put_object(Bucket=bucket, Key=f"{folder}{own}.out", Body=lines)
        manifest = {
            "totalRecordCount": job.total,
            "processedRecordCount": job.processed,
            "successRecordCount": job.succeeded,
            "errorRecordCount": job.failed,
            "inputTokenCount": job.tokens[0],
            "outputTokenCount": job.tokens[1],
        }
        client.put_object(Bucket=bucket, Key=f"{folder}manifest.json.out", Body=to_json(manifest))


class _Once:
    """A value that the first who needs it makes, for all threads."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: Any = None

    @property
    def value(self) -> Any:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made


def _s3_client(endpoint: str | None) -> Any:
    import boto3  # noqa: PLC0415 (importing us must not load boto3)
    from botocore.config import Config  # noqa: PLC0415

    session = boto3.session.Session(
        aws_access_key_id="AKIALOCALBEDROCK0000",
        aws_secret_access_key="no secret",  # noqa: S106 (as it says)
    )
    return session.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=endpoint,
        config=Config(s3={"addressing_style": "path"}),
    )


def _input_problem(job: _Job) -> str | None:
    """Why the service would fail the job at its validation; the words are our own."""
    run, sizes = job.run, [sum(map(len, lines)) + len(lines) for lines in job.input.values()]
    if not job.input:
        return "The input has no .jsonl file."
    if job.total < run.min_records:
        return f"The job has {job.total} records, fewer than the minimum of {run.min_records}."
    if job.total > run.max_records:
        return f"The job has {job.total} records, more than the maximum of {run.max_records}."
    if max(sizes) > run.max_file_bytes or sum(sizes) > run.max_job_bytes:
        return "The input is too large."
    if not all(map(_is_record, (line for lines in job.input.values() for line in lines))):
        return "A line of the input is no record."
    return None


def _is_record(line: bytes) -> bool:
    try:
        record = json.loads(line)
    except ValueError:
        return False
    return isinstance(record, dict) and isinstance(record.get("modelInput"), dict)


def _is_wanted(job: _Job, filters: Mapping[str, Any]) -> bool:
    submitted = job.submitted
    return (
        filters.get("statusEquals") in {None, job.status}
        and filters.get("nameContains", "") in job.asked["jobName"]
        and ("submitTimeAfter" not in filters or submitted > _moment(filters["submitTimeAfter"]))
        and ("submitTimeBefore" not in filters or submitted < _moment(filters["submitTimeBefore"]))
    )


def _moment(text: str) -> datetime:
    # Python 3.10 does not read the "Z".
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _start(token: str) -> int:
    if not re.fullmatch(r"\d{1,9}", token):
        raise validation_error("The provided nextToken is invalid.")
    return int(token)


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _now() -> datetime:
    return datetime.now(timezone.utc)
