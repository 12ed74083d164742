"""Follows, stops and reads batch jobs, in the process that created them or in another one."""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.batch.calling import calling, code_of, is_passing
from bestehorn_llmmanager.bedrock.batch.output import JobOutput
from bestehorn_llmmanager.bedrock.batch.progress import Progress
from bestehorn_llmmanager.bedrock.batch.status import BatchStatus, JobStatus
from bestehorn_llmmanager.bedrock.exceptions.batch_exceptions import BatchError, BatchTimeoutError
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import ConfigurationError
from bestehorn_llmmanager.bedrock.models.arns import parse_arn
from bestehorn_llmmanager.bedrock.models.parallel_structures import (
    ParallelProcessingConfig,
    ParallelResponse,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from typing_extensions import Self

    from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
    from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest

logger = logging.getLogger(__name__)

_FIRST_PAUSE = 5.0
_GROWTH = 1.5
_PATIENCE = 10


class BatchJob:
    """The jobs of one submission: one, or several where one does not take all requests.

    It remembers their ARNs and nothing else: everything is read from Bedrock and S3 when it is
    asked for. So it pickles (with the secrets of an explicit `AuthConfig`), and
    `BatchInference.resume` makes it from the ARNs alone.

    Safe to share between threads. Use it as a context manager, or call `close`, to close its
    connections; the jobs go on.

    Attributes:
        job_arns: The jobs, each once, in the order of the requests.
    """

    def __init__(self, job_arns: Sequence[str], auth: AuthManager) -> None:
        self.job_arns = list(dict.fromkeys(map(_checked_arn, job_arns)))
        if not self.job_arns:
            raise ConfigurationError("There is no job ARN; give at least one.")
        self._auth = auth

    def __repr__(self) -> str:
        return f"BatchJob({self.job_arns!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. The next call opens new ones; the jobs go on."""
        self._auth.close()

    def status(self) -> BatchStatus:
        """How far the jobs are, as AWS says now.

        Raises:
            BatchError: A job is not known, or AWS cannot be asked.
            AuthenticationError: There are no credentials that AWS accepts.
        """
        return self._status({})

    def wait(
        self,
        *,
        timeout: float | None = None,
        progress: bool | Callable[[BatchStatus], object] = False,
        max_pause: float = 300.0,
        sleep: Callable[[float], object] = time.sleep,
    ) -> BatchStatus:
        """Ask for the status again and again, until all jobs are over, however they end.

        The pauses grow from 5 seconds by half each time, with jitter. Where AWS is busy or cannot
        be reached it asks again, ten times in a row. Ctrl-C ends the waiting, not the jobs.

        Args:
            timeout: Seconds after which to give up; None means never. Jobs take hours.
            progress: True for a bar (needs the extra ``progress``), or a function that is called
                with each `BatchStatus`. An exception of it is logged, and it is not called again.
            max_pause: Seconds of the longest pause.
            sleep: Waits for so many seconds.

        Raises:
            BatchTimeoutError: The time is up. The jobs go on.
            BatchError: A job is not known, or AWS could not be asked.
            AuthenticationError: There are no credentials that AWS accepts, or no longer.
            ConfigurationError: A wrong argument, or `tqdm` is not installed.
        """
        _check_positive(timeout=timeout, max_pause=max_pause)
        shown = Progress(progress)
        until = None if timeout is None else time.monotonic() + timeout
        try:
            return self._wait(until, shown.tell, max_pause, sleep)
        except KeyboardInterrupt:
            logger.warning(
                "jobs=%s | still running; `BatchInference.resume` with these goes on, `stop` ends "
                "them",
                self.job_arns,
            )
            raise
        finally:
            shown.close()

    def stop(self) -> None:
        """Stop the jobs that are not over. What they have processed can be read, and is charged.

        Returns at once; `wait` waits until they have stopped.

        Raises:
            BatchError: A job could not be stopped; the others have been.
            AuthenticationError: There are no credentials that AWS accepts.
        """
        errors = []
        for arn in self.job_arns:
            try:
                self._stop(arn)
            except BatchError as error:  # noqa: PERF203  (the other jobs are to be stopped)
                errors.append(error)
        if errors:
            raise errors[0]

    def iter_results(self) -> Iterator[tuple[str, BedrockResponse]]:
        """The id of each request and what became of it, as the output files have them.

        Memory stays flat: a line of a file is kept at a time, and the ids of one job. Requests
        that a job has not processed come after those that it has.

        Yields:
            Every request of each job once. Failures are responses with `success` False; their last error is a
            botocore `ClientError` where the service gave one, else a `BatchRecordError`.

        Raises:
            BatchError: A job is not over, is not one of Converse requests, or S3 cannot be read.
            AuthenticationError: There are no credentials that AWS accepts.
        """
        for output in self._outputs():
            for entry in output.entries(requests=False):
                yield entry.request_id, entry.response

    def results(self) -> ParallelResponse:
        """What became of all requests, in the order in which they were submitted.

        `original_requests` has those that failed, as they were sent, so that
        `ParallelLLMManager.retry_failed_requests` can send them again.

        Raises:
            BatchError: As for `iter_results`; or two jobs have the same request id, which those
                of one submission never have.
            AuthenticationError: As for `iter_results`.
        """
        responses: dict[str, BedrockResponse] = {}
        failed: dict[str, BedrockConverseRequest] = {}
        regions: dict[str, int] = {}
        outputs = self._outputs()
        for output in outputs:
            found: dict[str, BedrockResponse] = {}
            for entry in output.entries(requests=True):
                found[entry.request_id] = entry.response
                if not entry.response.success and (request := output.request(entry)):
                    failed[entry.request_id] = request
            if twice := responses.keys() & found.keys():
                raise BatchError(
                    f"{len(twice)} request ids, such as {min(twice)!r}, are in several of the jobs: "
                    "these are not of one submission. Read each job by itself.",
                    self.job_arns,
                )
            responses |= output.in_order(found)
            regions[output.region] = regions.get(output.region, 0) + len(found)
        return ParallelResponse.of(
            responses,
            config=ParallelProcessingConfig(),
            total_duration_ms=_duration_ms([output.status for output in outputs]),
            concurrent_executions=len(outputs),
            region_distribution=regions,
            original_requests=failed,
        )

    def _status(self, over: dict[str, JobStatus]) -> BatchStatus:
        """Look at all jobs but those in `over`, and add to these."""
        jobs = []
        for arn in self.job_arns:
            status = over.get(arn) or JobStatus.from_description(self._described(arn))
            if status.is_over:
                over[arn] = status
            jobs.append(status)
        return BatchStatus(tuple(jobs))

    def _outputs(self) -> list[JobOutput]:
        return [
            JobOutput(self._described(arn), _region_of(arn), self._auth) for arn in self.job_arns
        ]

    def _described(self, arn: str) -> dict[str, Any]:
        client, region = self._client(arn)
        with calling(f"The job {arn!r} cannot be looked at", region, self.job_arns):
            described: dict[str, Any] = client.get_model_invocation_job(jobIdentifier=arn)
        return described

    def _stop(self, arn: str) -> None:
        client, region = self._client(arn)
        try:
            with calling(f"The job {arn!r} cannot be stopped", region, [arn]):
                client.stop_model_invocation_job(jobIdentifier=arn)
        except BatchError as error:
            # The service does not say in one way only that a job is over.
            may_be_over = code_of(error) in {"ConflictException", "ValidationException"}
            if not may_be_over or not _is_ending(self._described(arn)):
                raise

    def _client(self, arn: str) -> tuple[Any, str]:
        region = _region_of(arn)
        return self._auth.get_bedrock_control_client(region), region

    def _wait(
        self,
        until: float | None,
        show: Callable[[BatchStatus], object],
        max_pause: float,
        sleep: Callable[[float], object],
    ) -> BatchStatus:
        over: dict[str, JobStatus] = {}
        pause, failures = _FIRST_PAUSE, 0
        while True:
            try:
                status = self._status(over)
            except BatchError as error:
                failures += 1
                if failures == _PATIENCE or not is_passing(error):
                    raise
                logger.debug("jobs=%s failures=%d | asking again", self.job_arns, failures)
            else:
                failures = 0
                show(status)
                if status.is_over:
                    return status
            seconds = min(pause, max_pause) * random.uniform(0.5, 1.0)  # noqa: S311  (no secret)
            if until is not None:
                left = until - time.monotonic()
                if left <= 0:
                    raise BatchTimeoutError(
                        f"The jobs {self.job_arns} are not over yet. They go on: `wait` again, "
                        "resume with their ARNs, or `stop` them.",
                        self.job_arns,
                    )
                seconds = min(seconds, left)
            sleep(seconds)
            pause = min(pause * _GROWTH, max_pause)


def _is_ending(described: dict[str, Any]) -> bool:
    status = JobStatus.from_description(described)
    return status.is_over or status.status == "Stopping"


def _checked_arn(arn: object) -> str:
    parsed = parse_arn(arn) if isinstance(arn, str) else None
    if not isinstance(arn, str) or parsed is None or parsed.kind != "model-invocation-job":
        raise ConfigurationError(
            "A job ARN is like 'arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/"
            f"abcdefghijkl', got {arn!r}"
        )
    return arn


def _region_of(arn: str) -> str:
    parsed = parse_arn(arn)
    assert parsed is not None
    return parsed.region


def _check_positive(**values: float | None) -> None:
    for name, value in values.items():
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not (is_number and value > 0):
            raise ConfigurationError(f"`{name}` must be a number of seconds above 0, got {value!r}")


def _duration_ms(jobs: Sequence[JobStatus]) -> float:
    """From the first submission to the last end."""
    begins = [job.submitted_at for job in jobs if job.submitted_at]
    ends = [job.ended_at for job in jobs if job.ended_at]
    return (max(ends) - min(begins)).total_seconds() * 1000 if begins and ends else 0.0
