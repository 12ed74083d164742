"""Runs many requests as batch jobs of Bedrock, which take hours and cost about half."""

from __future__ import annotations

from bestehorn_llmmanager._lazy import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.batch.batch_inference import BatchInference
    from bestehorn_llmmanager.bedrock.batch.estimate import BatchEstimate
    from bestehorn_llmmanager.bedrock.batch.job import BatchJob
    from bestehorn_llmmanager.bedrock.batch.limits import BatchLimits
    from bestehorn_llmmanager.bedrock.batch.status import BatchStatus, JobStatus

__all__ = [
    "BatchEstimate",
    "BatchInference",
    "BatchJob",
    "BatchLimits",
    "BatchStatus",
    "JobStatus",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "BatchEstimate": "bestehorn_llmmanager.bedrock.batch.estimate",
        "BatchInference": "bestehorn_llmmanager.bedrock.batch.batch_inference",
        "BatchJob": "bestehorn_llmmanager.bedrock.batch.job",
        "BatchLimits": "bestehorn_llmmanager.bedrock.batch.limits",
        "BatchStatus": "bestehorn_llmmanager.bedrock.batch.status",
        "JobStatus": "bestehorn_llmmanager.bedrock.batch.status",
    },
)
