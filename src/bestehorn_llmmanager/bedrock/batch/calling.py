"""Turns the errors of AWS into ours, where jobs and S3 are asked."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from bestehorn_llmmanager.bedrock.exceptions.batch_exceptions import BatchError
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import AuthenticationError
from bestehorn_llmmanager.bedrock.retry.decisions import Decision, classify, is_from_aws

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import LLMManagerError

_ABOUT_CREDENTIALS = {
    Decision.NEXT_CREDENTIALS,
    Decision.RENEW_CREDENTIALS,
    Decision.NO_CREDENTIALS,
}
# Nothing is wrong with what was asked: it may be asked again later.
_PASSING = {Decision.REST, Decision.AGAIN, Decision.GENERATE_AGAIN}
# What only S3 says: docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_CREDENTIAL_CODES_OF_S3 = frozenset({"InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch"})
_REMEDIES = {
    "AccessDeniedException": "docs/batch.md lists the permissions that are needed.",
    "AccessDenied": "docs/batch.md lists the permissions that are needed.",
    "403": "docs/batch.md lists the permissions that are needed.",
    "NoSuchBucket": "Create the bucket, in the region of the job.",
    "PermanentRedirect": "The bucket must be in the region of the job.",
    "ServiceQuotaExceededException": "Wait until other jobs are over, or raise the quota.",
}


@contextmanager
def calling(what: str, region: str, job_arns: Sequence[str] = ()) -> Iterator[None]:
    """Translate what AWS answers to the calls within.

    Args:
        what: What was tried, as the beginning of a sentence: ``"The input cannot be uploaded"``.
        region: Where.
        job_arns: The jobs that it is about.

    Raises:
        AuthenticationError: AWS does not accept the credentials, or there are none.
        BatchError: Anything else; the cause is botocore's error.
    """
    # Imported here: importing this library must not load botocore.
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        yield
    except (BotoCoreError, ClientError, RuntimeError) as error:
        # botocore says with a RuntimeError that credentials are expired even after a renewal.
        if not is_from_aws(error):
            raise
        raise _translated(what, region, job_arns, error) from error


def is_passing(error: BatchError) -> bool:
    """Whether what failed may well succeed later: AWS was busy, or could not be reached."""
    cause = error.__cause__
    return cause is not None and classify(cause).decision in _PASSING


def code_of(error: BatchError) -> str | None:
    """The code of AWS's answer, None if there was none."""
    return _stated(error.__cause__).get("Code")


def _translated(
    what: str, region: str, job_arns: Sequence[str], error: Exception
) -> LLMManagerError:
    stated = _stated(error)
    code = stated.get("Code")
    if code in _CREDENTIAL_CODES_OF_S3 or classify(error).decision in _ABOUT_CREDENTIALS:
        return AuthenticationError(f"{what}: {_about_credentials(error, code)}", region=region)
    if code is None:
        return BatchError(f"{what}: {error}", job_arns)
    said = stated.get("Message") or "no reason given"
    remedy = f" {_REMEDIES[code]}" if code in _REMEDIES else ""
    return BatchError(f"{what}: {said} ({code}).{remedy}", job_arns)


def _about_credentials(error: Exception, code: str | None) -> str:
    if type(error).__name__ == "NoCredentialsError":
        return "there are no AWS credentials. A Bedrock API key is not enough for S3."
    reason = f"AWS does not accept the credentials ({code})" if code else str(error).rstrip(".")
    return f"{reason}. Renew the credentials, or pass an `AuthConfig` with others."


def _stated(error: BaseException | None) -> Mapping[str, str]:
    """`Code` and `Message` of AWS's answer; empty if there was none."""
    response = getattr(error, "response", None)
    return response["Error"] if isinstance(response, dict) else {}
