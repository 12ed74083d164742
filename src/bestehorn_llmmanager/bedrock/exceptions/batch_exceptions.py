"""Names every error of batch jobs.

::

    LLMManagerError
    └── BatchError
        ├── BatchSubmissionError
        ├── BatchTimeoutError
        └── BatchRecordError
"""

from __future__ import annotations

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import LLMManagerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bestehorn_llmmanager.bedrock.batch.job import BatchJob


class BatchError(LLMManagerError):
    """A batch job could not be created, followed, stopped or read.

    Attributes:
        job_arns: The jobs that it is about.
    """

    def __init__(self, message: str, job_arns: Sequence[str] = ()) -> None:
        super().__init__(message, {"job_arns": list(job_arns)} if job_arns else None)
        self.job_arns = list(job_arns)


class BatchSubmissionError(BatchError):
    """Not all jobs of a submission could be created; the others run.

    Attributes:
        job: Those that were created, None if there is none.
        client_request_token: `submit` with this token and the same requests creates the rest, and
            none twice.
    """

    def __init__(
        self, message: str, job: BatchJob | None = None, client_request_token: str | None = None
    ) -> None:
        super().__init__(message, job.job_arns if job else ())
        self.job = job
        self.client_request_token = client_request_token


class BatchTimeoutError(BatchError):
    """The time to wait was up before the jobs were over; they go on."""


class BatchRecordError(BatchError):
    """The output of a job has no outcome of a request: mostly because the job ended before."""
