"""Turns the errors of AWS into ours, where jobs and S3 are asked."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from bestehorn_llmmanager.bedrock.exceptions.batch_exceptions import BatchError
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import AuthenticationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from botocore.exceptions import ClientError

    from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import LLMManagerError

_CREDENTIALS = frozenset(
    {
        # docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
        # docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
    }
)
_REMEDIES = {
    "AccessDeniedException": "docs/batch.md lists the permissions that are needed.",
    "AccessDenied": "docs/batch.md lists the permissions that are needed.",
    "403": "docs/batch.md lists the permissions that are needed.",
    "NoSuchBucket": "Create the bucket, in the region of the job.",
    "PermanentRedirect": "The bucket must be in the region of the job.",
    "ServiceQuotaExceededException": "Wait until other jobs are over, or raise the quota.",
}
# Nothing is wrong with what was asked: it may be asked again later.
_PASSING = frozenset(
    {
        "InternalError",
        "InternalServerException",
        "RequestTimeout",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "ThrottlingException",
    }
)


@contextmanager
def calling(what: str, region: str, job_arns: Sequence[str] = ()) -> Iterator[None]:
    """Translate what AWS answers to the calls within.

    Args:
        what: What was tried, as the beginning of a sentence: ``"The input cannot be uploaded"``.
        region: Where.
        job_arns: The jobs that it is about.

    Raises:
        AuthenticationError: AWS does not know the credentials, or there are none.
        BatchError: Anything else; the cause is botocore's error.
    """
    # Imported here: importing this library must not load botocore.
    from botocore.exceptions import (  # noqa: PLC0415
        BotoCoreError,
        ClientError,
        NoCredentialsError,
    )

    try:
        yield
    except ClientError as error:
        raise _refused(what, region, job_arns, error) from error
    except NoCredentialsError as error:
        raise AuthenticationError(
            f"{what}: there are no AWS credentials. A Bedrock API key is not enough for S3.",
            region=region,
        ) from error
    except BotoCoreError as error:
        raise BatchError(f"{what}: {error}", job_arns) from error


def is_passing(error: BatchError) -> bool:
    """Whether what failed may well succeed later: AWS was busy, or could not be reached."""
    code = code_of(error)
    return code in _PASSING if code else error.__cause__ is not None


def code_of(error: BatchError) -> str | None:
    """The code of AWS's answer, None if there was none."""
    response = getattr(error.__cause__, "response", None)
    return str(response["Error"].get("Code")) if response else None


def _refused(
    what: str, region: str, job_arns: Sequence[str], error: ClientError
) -> LLMManagerError:
    code = str(error.response["Error"].get("Code"))
    said = error.response["Error"].get("Message") or "no reason given"
    if code in _CREDENTIALS:
        return AuthenticationError(
            f"{what}: AWS does not accept the credentials ({code}). Renew them, or pass an "
            "`AuthConfig` with others.",
            region=region,
        )
    remedy = f" {_REMEDIES[code]}" if code in _REMEDIES else ""
    return BatchError(f"{what}: {said} ({code}).{remedy}", job_arns)
