"""Names every error of running many requests at once.

::

    LLMManagerError
    └── ParallelProcessingError
        ├── RequestIdCollisionError
        ├── ParallelExecutionError
        ├── RegionDistributionError
        ├── ParallelConfigurationError
        ├── RequestTimeoutError
        └── RequestValidationError

This `RequestValidationError` is not the one of `llm_manager_exceptions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import LLMManagerError

if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.models.parallel_structures import ParallelResponse


class ParallelProcessingError(LLMManagerError):
    """Base of the errors that concern a batch of requests rather than one of them.

    Attributes:
        partial_response: What was finished before a run ended with it, else None.
    """

    partial_response: ParallelResponse | None = None


class RequestIdCollisionError(ParallelProcessingError):
    """Several requests of a batch have the same id.

    Attributes:
        duplicated_ids: Each id to the requests that share it.
    """

    def __init__(
        self,
        duplicated_ids: dict[str, list[Any]],
        details: dict[str, Any] | None = None,
    ) -> None:
        self.duplicated_ids = duplicated_ids
        if details is None and duplicated_ids:
            details = {
                "collision_count": self.get_collision_count(),
                "total_colliding_requests": self.get_total_colliding_requests(),
                "collision_ids": list(duplicated_ids),
            }
        shared = ", ".join(
            f"{name!r} ({len(them)} requests)" for name, them in duplicated_ids.items()
        )
        super().__init__(f"Request ids must be unique within a batch, shared: {shared}", details)

    def get_duplicated_ids(self) -> dict[str, list[Any]]:
        return self.duplicated_ids.copy()

    def get_collision_count(self) -> int:
        return len(self.duplicated_ids)

    def get_total_colliding_requests(self) -> int:
        return sum(len(requests) for requests in self.duplicated_ids.values())


class ParallelExecutionError(ParallelProcessingError):
    """Requests of a batch failed and the failure strategy does not tolerate that.

    Attributes:
        failed_requests: The ids of those that failed.
        total_requests: How many there were.
        finished_requests: How many of them failed or were answered before the run was stopped.
    """

    def __init__(
        self,
        message: str,
        failed_requests: list[str],
        total_requests: int,
        details: dict[str, Any] | None = None,
        *,
        finished_requests: int | None = None,
    ) -> None:
        self.failed_requests = failed_requests
        self.total_requests = total_requests
        self.finished_requests = total_requests if finished_requests is None else finished_requests
        if details is None:
            details = {
                "failed_request_count": len(failed_requests),
                "total_request_count": total_requests,
                "success_rate": self.get_success_rate() if total_requests else 0.0,
                "failed_request_ids": failed_requests,
            }
            if finished_requests is not None:
                details["finished_request_count"] = finished_requests
        super().__init__(message, details)

    def get_failed_requests(self) -> list[str]:
        return self.failed_requests.copy()

    def get_failure_rate(self) -> float:
        """Percentage from 0 to 100, of all requests; 0 for an empty batch."""
        if not self.total_requests:
            return 0.0
        return len(self.failed_requests) / self.total_requests * 100.0

    def get_success_rate(self) -> float:
        """Percentage from 0 to 100, of all requests: what was not finished is no success."""
        if not self.total_requests:
            return 100.0
        answered = self.finished_requests - len(self.failed_requests)
        return answered / self.total_requests * 100.0


class RegionDistributionError(ParallelProcessingError):
    """A batch wants more regions than there are."""

    def __init__(
        self,
        message: str,
        requested_regions: int,
        available_regions: int,
        details: dict[str, Any] | None = None,
    ) -> None:
        self.requested_regions = requested_regions
        self.available_regions = available_regions
        if details is None:
            details = {
                "requested_regions": requested_regions,
                "available_regions": available_regions,
                "shortage": self.get_shortage(),
            }
        super().__init__(message, details)

    def get_shortage(self) -> int:
        """How many regions are missing, never negative."""
        return max(0, self.requested_regions - self.available_regions)


class ParallelConfigurationError(ParallelProcessingError):
    """An option of the parallel manager cannot be used as given."""

    def __init__(
        self,
        message: str,
        invalid_parameter: str | None = None,
        provided_value: Any | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        self.invalid_parameter = invalid_parameter
        self.provided_value = provided_value
        if details is None and invalid_parameter:
            details = {"invalid_parameter": invalid_parameter, "provided_value": provided_value}
        super().__init__(message, details)

    def get_invalid_parameter(self) -> str | None:
        return self.invalid_parameter

    def get_provided_value(self) -> Any | None:
        return self.provided_value


class RequestTimeoutError(ParallelProcessingError):
    """A request of a batch was not answered in time."""

    def __init__(
        self,
        message: str,
        request_id: str,
        timeout_seconds: float,
        elapsed_seconds: float | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        self.request_id = request_id
        self.timeout_seconds = timeout_seconds
        self.elapsed_seconds = elapsed_seconds
        if details is None:
            details = {
                "request_id": request_id,
                "timeout_seconds": timeout_seconds,
                "elapsed_seconds": elapsed_seconds,
            }
        super().__init__(message, details)

    def get_request_id(self) -> str:
        return self.request_id

    def get_timeout_duration(self) -> float:
        """Seconds that were allowed."""
        return self.timeout_seconds

    def get_elapsed_time(self) -> float | None:
        """Seconds that had passed, None where nobody measured."""
        return self.elapsed_seconds


class RequestValidationError(ParallelProcessingError):
    """A request of a batch is malformed."""

    def __init__(
        self,
        message: str,
        request_id: str | None = None,
        validation_errors: list[str] | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        self.request_id = request_id
        self.validation_errors = validation_errors or []
        if details is None:
            details = {
                "request_id": request_id,
                "validation_error_count": len(self.validation_errors),
                "validation_errors": self.validation_errors,
            }
        super().__init__(message, details)

    def get_request_id(self) -> str | None:
        return self.request_id

    def get_validation_errors(self) -> list[str]:
        return self.validation_errors.copy()

    def get_validation_error_count(self) -> int:
        return len(self.validation_errors)
