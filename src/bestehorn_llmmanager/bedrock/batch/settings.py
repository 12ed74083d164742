"""Checks and keeps what all jobs of a `BatchInference` have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.batch.limits import is_count
from bestehorn_llmmanager.bedrock.batch.storage import Storage
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
    from bestehorn_llmmanager.bedrock.batch.locations import Location
    from bestehorn_llmmanager.bedrock.retry.targets import Target

# docs.aws.amazon.com/bedrock/latest/APIReference/API_CreateModelInvocationJob.html
_ROLE = re.compile(r"arn:aws(-[^:]+)?:iam::([0-9]{12})?:role/.+")
_HOURS = range(24, 169)
_VPC_MEMBERS = ("subnetIds", "securityGroupIds")


@dataclass(frozen=True, kw_only=True)
class JobSettings:
    """What jobs have in common.

    Attributes:
        target: What is called; it has the region, too.
        auth: Credentials, and settings of the clients.
        input: Folder in which each submission gets one for its input.
        output: The same for the output.
        kms_key_id: Key with which both are encrypted, or None.
        bucket_owner: Account that the buckets must belong to, or None.
        members: Further members of CreateModelInvocationJob; the role at least.
    """

    target: Target
    auth: AuthManager = field(repr=False)
    input: Location
    output: Location
    kms_key_id: str | None
    bucket_owner: str | None
    members: Mapping[str, Any]

    @property
    def model_id(self) -> str:
        """What is called, as AWS knows it."""
        return self.target.ways[0].identifier

    def storage(self) -> Storage:
        """Opens the S3 of the jobs."""
        return Storage(
            self.auth,
            self.target.region,
            kms_key_id=self.kms_key_id,
            bucket_owner=self.bucket_owner,
        )

    def places(self, input_uri: str, output_uri: str) -> dict[str, Any]:
        """The members of CreateModelInvocationJob about input and output."""
        owner = {"s3BucketOwner": self.bucket_owner} if self.bucket_owner else {}
        key = {"s3EncryptionKeyId": self.kms_key_id} if self.kms_key_id else {}
        return {
            "inputDataConfig": {
                "s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": input_uri, **owner}
            },
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": output_uri, **key, **owner}},
        }


def job_members(
    role_arn: str,
    vpc_config: Mapping[str, Sequence[str]] | None,
    timeout_hours: int | None,
    tags: Mapping[str, str] | None,
) -> dict[str, Any]:
    """The members of CreateModelInvocationJob that the arguments ask for.

    Raises:
        ConfigurationError: One of them is wrong.
    """
    if not isinstance(role_arn, str) or not _ROLE.fullmatch(role_arn):
        raise ConfigurationError(
            "`role_arn` must be the ARN of a role, like 'arn:aws:iam::123456789012:role/name', got "
            f"{role_arn!r}"
        )
    members: dict[str, Any] = {"roleArn": role_arn}
    if vpc_config is not None:
        members["vpcConfig"] = _checked_vpc(vpc_config)
    if timeout_hours is not None:
        if not is_count(timeout_hours) or timeout_hours not in _HOURS:
            raise ConfigurationError(
                f"`timeout_hours` must be a whole number from 24 to 168, got {timeout_hours!r}"
            )
        members["timeoutDurationInHours"] = timeout_hours
    if tags:
        if not isinstance(tags, Mapping):
            raise ConfigurationError(f"`tags` must be a dict of texts, got {tags!r}")
        members["tags"] = [{"key": str(k), "value": str(v)} for k, v in tags.items()]
    return members


def _checked_vpc(vpc_config: object) -> dict[str, list[str]]:
    if isinstance(vpc_config, Mapping) and set(vpc_config) == set(_VPC_MEMBERS):
        lists = {name: vpc_config[name] for name in _VPC_MEMBERS}
        if all(value and isinstance(value, (list, tuple)) for value in lists.values()):
            return {name: list(value) for name, value in lists.items()}
    raise ConfigurationError(
        "`vpc_config` must have `subnetIds` and `securityGroupIds`, a list of each, got "
        f"{vpc_config!r}"
    )


def checked_text(value: object, name: str) -> str | None:
    """The value of the argument `name`.

    Raises:
        ConfigurationError: It is neither None nor a text that says something.
    """
    if value is None or (isinstance(value, str) and value.strip()):
        return value
    raise ConfigurationError(f"`{name}` must be a text or None, got {value!r}")
