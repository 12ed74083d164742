"""Says how far batch jobs are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

# docs.aws.amazon.com/bedrock/latest/APIReference/API_ModelInvocationJobSummary.html
ENDED = frozenset({"Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired"})


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """How far one job is.

    Attributes:
        job_arn: The job.
        status: ``"Submitted"``, ``"Validating"``, ``"Scheduled"``, ``"InProgress"``,
            ``"Completed"``, ``"PartiallyCompleted"``, ``"Failed"``, ``"Stopping"``,
            ``"Stopped"``, ``"Expired"``, or whatever AWS adds.
        total: Records; 0 before the job has been validated.
        processed: Records that are done.
        succeeded: Records that were answered.
        failed: Records that were not.
        submitted_at: When the job was created.
        ended_at: When it was over, or None.
        expires_at: When it is ended at the latest, or None.
        message: Why it failed. AWS counts it as sensitive; it is in no text of this library.
    """

    job_arn: str
    status: str
    total: int = 0
    processed: int = 0
    succeeded: int = 0
    failed: int = 0
    submitted_at: datetime | None = None
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    message: str | None = field(default=None, repr=False)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in ENDED

    @classmethod
    def from_description(cls, described: Mapping[str, Any]) -> JobStatus:
        """Read the answer of GetModelInvocationJob."""
        return cls(
            job_arn=described["jobArn"],
            status=described.get("status", "Submitted"),
            total=described.get("totalRecordCount") or 0,
            processed=described.get("processedRecordCount") or 0,
            succeeded=described.get("successRecordCount") or 0,
            failed=described.get("errorRecordCount") or 0,
            submitted_at=described.get("submitTime"),
            ended_at=described.get("endTime"),
            expires_at=described.get("jobExpirationTime"),
            message=described.get("message"),
        )


@dataclass(frozen=True)
class BatchStatus:
    """How far the jobs of a submission are.

    Attributes:
        jobs: Each of them, in the order of the requests.
    """

    jobs: tuple[JobStatus, ...]

    @property
    def status(self) -> str:
        """What all jobs say; else ``"InProgress"``, or ``"PartiallyCompleted"`` when all are over."""
        stated = {job.status for job in self.jobs}
        if len(stated) == 1:
            return stated.pop()
        return "PartiallyCompleted" if self.is_over else "InProgress"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return all(job.is_over for job in self.jobs)

    @property
    def total(self) -> int:
        """Records of the jobs that have been validated."""
        return sum(job.total for job in self.jobs)

    @property
    def processed(self) -> int:
        """Records that are done."""
        return sum(job.processed for job in self.jobs)

    @property
    def succeeded(self) -> int:
        """Records that were answered."""
        return sum(job.succeeded for job in self.jobs)

    @property
    def failed(self) -> int:
        """Records that were not."""
        return sum(job.failed for job in self.jobs)

    def __str__(self) -> str:
        return f"{self.status}, {self.processed} of {self.total} records"
