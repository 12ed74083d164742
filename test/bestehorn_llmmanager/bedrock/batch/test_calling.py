"""Tests what of the errors of AWS callers see, and which of them may pass."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from botocore import exceptions

from bestehorn_llmmanager.bedrock.batch.calling import calling, code_of, is_passing
from bestehorn_llmmanager.bedrock.exceptions import AuthenticationError
from bestehorn_llmmanager.bedrock.exceptions.batch_exceptions import BatchError

ARN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abcdefghijkl"


def refusal(code: str, status: int, operation: str = "GetModelInvocationJob") -> Exception:
    said: Any = {
        "Error": {"Code": code, "Message": "It says so."},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    error: Exception = exceptions.ClientError(said, operation)
    return error


def translated(error: Exception) -> Exception:
    with pytest.raises((BatchError, AuthenticationError)) as caught, calling("It", "r", [ARN]):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


NO_ANSWER = {"endpoint_url": "https://bedrock", "error": "no route"}


@pytest.mark.parametrize(
    ("error", "code", "passes"),
    [
        (refusal("ThrottlingException", 429), "ThrottlingException", True),
        (refusal("InternalServerException", 500), "InternalServerException", True),
        (refusal("ServiceUnavailableException", 503), "ServiceUnavailableException", True),
        (refusal("SlowDown", 503, "GetObject"), "SlowDown", True),
        (refusal("AccessDeniedException", 403), "AccessDeniedException", False),
        (refusal("ResourceNotFoundException", 404), "ResourceNotFoundException", False),
        (refusal("ValidationException", 400), "ValidationException", False),
        (exceptions.EndpointConnectionError(**NO_ANSWER), None, True),
        (exceptions.ReadTimeoutError(**NO_ANSWER), None, True),
        (exceptions.ParamValidationError(report="wrong"), None, False),
    ],
)
def test_what_aws_refuses_or_does_not_answer_is_an_error_of_the_batch(
    error: Exception, code: str | None, passes: bool
) -> None:
    told = translated(error)
    assert isinstance(told, BatchError)
    assert told.message.startswith("It: ")
    assert told.job_arns == pickle.loads(pickle.dumps(told)).job_arns == [ARN]
    assert (code_of(told), is_passing(told)) == (code, passes)


@pytest.mark.parametrize(
    "error",
    [
        refusal("ExpiredTokenException", 403),
        refusal("ExpiredToken", 400, "GetObject"),
        refusal("InvalidAccessKeyId", 403, "GetObject"),
        refusal("SignatureDoesNotMatch", 403, "PutObject"),
        refusal("AccessDenied", 403, "AssumeRole"),
        exceptions.NoCredentialsError(),
        exceptions.PartialCredentialsError(provider="env", cred_var="a"),
        exceptions.CredentialRetrievalError(provider="custom-process", error_msg="no"),
        exceptions.UnauthorizedSSOTokenError(),
        RuntimeError(
            "Credentials were refreshed, but the refreshed credentials are still expired."
        ),
    ],
)
def test_what_is_wrong_with_credentials_is_no_error_of_the_batch(error: Exception) -> None:
    told = translated(error)
    assert isinstance(told, AuthenticationError)
    assert str(told).startswith("It: ")


def test_bugs_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="a bug"), calling("It", "r"):
        raise RuntimeError("a bug")


def test_what_never_came_from_aws_does_not_pass() -> None:
    assert not is_passing(BatchError("The disk is full."))
