"""Makes of the error of a request the response that stands for it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    LLMManagerError,
    RetryExhaustedError,
)
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RequestAttempt

if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest

_TOLERANCE_SECONDS = 0.05


def seconds_spent(error: Exception) -> float:
    """Seconds of the last try of a request; from its first sending on where no more is known."""
    if isinstance(error, RetryExhaustedError) and error.duration_seconds is not None:
        return error.duration_seconds
    log = error.attempt_log if isinstance(error, LLMManagerError) else ()
    if not log:
        return 0.0
    return (log[-1].started_at - log[0].started_at).total_seconds() + log[-1].duration_ms / 1000


def failed_response(
    request: BedrockConverseRequest, error: Exception, *, timeout: float, model: str, region: str
) -> BedrockResponse:
    """The entry of a request that got no answer.

    Args:
        request: The request; only its id is looked at.
        error: Why.
        timeout: Seconds that it had.
        model: The first model, for an error that came before anything was sent.
        region: The first region, for the same.
    """
    said = error.message if isinstance(error, LLMManagerError) else type(error).__name__
    # The last attempt of all ends with the time, too: then nothing was kept from starting.
    if getattr(error, "out_of_time", False) or seconds_spent(error) > timeout - _TOLERANCE_SECONDS:
        warning = f"Request {request.request_id} timed out after {timeout:g} seconds"
    else:
        warning = f"Request {request.request_id} failed: {said}"
    attempts = list(getattr(error, "attempts", ()))
    if not attempts:
        now = datetime.now(timezone.utc)
        attempts = [RequestAttempt(model, region, "direct", 1, now, now, error)]
    return BedrockResponse(
        success=False,
        warnings=[warning],
        attempts=attempts,
        attempt_log=list(getattr(error, "attempt_log", ())),
    )
