"""Tests what stands for a request that got no answer."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    RequestValidationError,
    RetryExhaustedError,
)
from bestehorn_llmmanager.bedrock.models.attempt_record import AttemptRecord
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RequestAttempt
from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
from bestehorn_llmmanager.bedrock.parallel.results import failed_response, seconds_spent

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
REQUEST = BedrockConverseRequest([], request_id="r1")


def entry(error: Exception, timeout: float = 30) -> BedrockResponse:
    return failed_response(REQUEST, error, timeout=timeout, model="Nova Lite", region="us-east-1")


def test_a_failure_has_the_attempts_and_the_log_of_its_error() -> None:
    refused = ConnectionError("refused")
    attempt = RequestAttempt("Nova Lite", "us-west-2", "direct", 1, START, START, refused)
    record = AttemptRecord("Nova Lite", "us-west-2", "direct", "id", START, 1.0, 0.0, "x", refused)
    error = RetryExhaustedError("No target answered")
    error.attempts, error.attempt_log = [attempt], [record]
    assert entry(error) == BedrockResponse(
        success=False,
        warnings=["Request r1 failed: No target answered"],
        attempts=[attempt],
        attempt_log=[record],
    )
    assert entry(error).get_last_error() is refused


def test_an_error_before_anything_was_sent_is_the_last_error_too() -> None:
    error = RequestValidationError("`messages` is empty")
    response = entry(error)
    assert response.warnings == ["Request r1 failed: `messages` is empty"]
    assert response.get_last_error() is error
    assert [(each.model_id, each.region) for each in response.attempts] == [
        ("Nova Lite", "us-east-1")
    ]
    assert response.attempt_log == []


@pytest.mark.parametrize(
    ("timeout", "said"), [(30, "30 seconds"), (300.0, "300 seconds"), (1.5, "1.5 seconds")]
)
def test_a_request_whose_time_was_up_says_so(timeout: float, said: str) -> None:
    error = RetryExhaustedError("The time is up, 1 was tried.")
    error.out_of_time = True
    assert entry(error, timeout).warnings == [f"Request r1 timed out after {said}"]


@pytest.mark.parametrize(
    ("timeout", "words"), [(2.0, "timed out after 2 seconds"), (2.5, "failed: No target answered")]
)
def test_a_last_attempt_that_lasts_until_the_time_is_up_has_timed_out(
    timeout: float, words: str
) -> None:
    error = RetryExhaustedError("No target answered")
    error.attempt_log = [
        AttemptRecord("m", "r", "direct", "id", START, 500.0, 0.0, "x"),
        AttemptRecord("m", "r", "direct", "id", START + timedelta(seconds=1), 1000.0, 500.0, "x"),
    ]
    assert seconds_spent(error) == 2.0
    assert entry(error, timeout).warnings == [f"Request r1 {words}"]


def test_of_a_foreign_error_only_its_class_is_told() -> None:
    response = entry(TypeError("secret prompt"))
    assert response.warnings == ["Request r1 failed: TypeError"]
