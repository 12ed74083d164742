"""Submits requests as batch jobs of Bedrock, and says what they would cost."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.bedrock.batch.estimate import estimate
from bestehorn_llmmanager.bedrock.batch.intake import Intake, several, wrong_type
from bestehorn_llmmanager.bedrock.batch.job import BatchJob
from bestehorn_llmmanager.bedrock.batch.limits import BatchLimits, is_count, split
from bestehorn_llmmanager.bedrock.batch.locations import checked
from bestehorn_llmmanager.bedrock.batch.records import Wire, members_for
from bestehorn_llmmanager.bedrock.batch.settings import JobSettings, checked_text, job_members
from bestehorn_llmmanager.bedrock.batch.spool import Spool
from bestehorn_llmmanager.bedrock.batch.submission import Submission
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    ConfigurationError,
    RequestValidationError,
)
from bestehorn_llmmanager.bedrock.models.arns import parse_arn
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AccessMethodPreferenceNames,
    LLMManagerConfig,
)
from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
from bestehorn_llmmanager.llm_manager import LLMManager

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from typing_extensions import Self

    from bestehorn_llmmanager.bedrock.batch.estimate import BatchEstimate
    from bestehorn_llmmanager.bedrock.catalog.bedrock_catalog import Refresh
    from bestehorn_llmmanager.bedrock.models.catalog_structures import CacheMode
    from bestehorn_llmmanager.bedrock.models.llm_manager_structures import AuthConfig, Boto3Config
    from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig
    from bestehorn_llmmanager.bedrock.retry.targets import Target

# docs.aws.amazon.com/bedrock/latest/APIReference/API_CreateModelInvocationJob.html
_TOKEN = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,98}[a-zA-Z0-9])?")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9+.-]{0,36}")
_KINDS = frozenset(
    {"foundation-model", "custom-model", "inference-profile", "application-inference-profile"}
)


class BatchInference:
    """Runs requests to one model in one region as batch jobs, which take hours and cost about half.

    Safe to share between threads. Pickles, with the secrets of an explicit `AuthConfig`. Use it as
    a context manager, or call `close`, to close its connections; jobs go on.

    Args:
        model: Name, id, profile id or ARN.
        region: AWS region code; also that of the buckets. The region in an ARN wins.
        role_arn: The service role with which Bedrock reads the input and writes the output.
        s3_uri: Folder for the input, ``"s3://bucket/folder"``. Each submission gets one of its own
            in it. Nothing is ever deleted.
        output_s3_uri: Folder for the output; None means `s3_uri`.
        auth_config: Where credentials come from; None means boto3's own chain.
        boto3_config: Settings of the clients.
        access_method: ``"direct"``, ``"regional_cris"`` or ``"global_cris"``; None means the first
            of these that the model has in the region. Decides about the price, and about where
            requests are processed.
        kms_key_id: Key with which input and output are encrypted; None means as the buckets say.
        bucket_owner: Account that the buckets must belong to; None means any.
        vpc_config: ``{"subnetIds": […], "securityGroupIds": […]}``, or None.
        timeout_hours: From 24 to 168, after which a job ends as it is; None means 24.
        tags: Tags of the jobs.
        limits: What a job takes; None means the default quotas.
        default_inference_config: As for `LLMManager`, like all that are not listed here.
        spool_directory: Where requests are kept until all of them are known to be good; None means
            the system's directory for temporary files. It needs as much room as the input has.

    Raises:
        ConfigurationError: A wrong argument, or the model cannot be called like that there.
    """

    def __init__(
        self,
        model: str,
        region: str,
        *,
        role_arn: str,
        s3_uri: str,
        output_s3_uri: str | None = None,
        auth_config: AuthConfig | None = None,
        boto3_config: Boto3Config | None = None,
        access_method: str | None = None,
        kms_key_id: str | None = None,
        bucket_owner: str | None = None,
        vpc_config: Mapping[str, Sequence[str]] | None = None,
        timeout_hours: int | None = None,
        tags: Mapping[str, str] | None = None,
        limits: BatchLimits | None = None,
        default_inference_config: dict[str, Any] | None = None,
        model_specific_config: ModelSpecificConfig | None = None,
        spool_directory: str | os.PathLike[str] | None = None,
        catalog_cache_mode: CacheMode | None = None,
        catalog_cache_directory: str | os.PathLike[str] | None = None,
        catalog_refresh: Refresh = "blocking",
        force_refresh: bool = False,
        allowed_destination_regions: Collection[str] | None = None,
        log_level: int | str = LLMManagerConfig.DEFAULT_LOG_LEVEL,
    ) -> None:
        _check_one(model, "model", "a name, an id or an ARN")
        _check_one(region, "region", "a region code like 'us-east-1'")
        members = job_members(role_arn, vpc_config, timeout_hours, tags)
        places = {
            "input": checked(s3_uri, "s3_uri"),
            "output": checked(s3_uri if output_s3_uri is None else output_s3_uri, "output_s3_uri"),
        }
        if limits is not None and not isinstance(limits, BatchLimits):
            raise ConfigurationError(
                f"`limits` must be of type `BatchLimits`, got {type(limits).__name__}"
            )
        if access_method not in {None, *AccessMethodPreferenceNames.ALL}:
            raise ConfigurationError(
                f"`access_method` must be one of {sorted(AccessMethodPreferenceNames.ALL)} or "
                f"None, got {access_method!r}"
            )
        self._limits = limits or BatchLimits()
        self._spool_directory = spool_directory
        self._manager = LLMManager(
            [model],
            [region],
            auth_config,
            boto3_config,
            default_inference_config=default_inference_config,
            model_specific_config=model_specific_config,
            access_method_preference=access_method,
            catalog_cache_mode=catalog_cache_mode,
            catalog_cache_directory=catalog_cache_directory,
            catalog_refresh=catalog_refresh,
            force_refresh=force_refresh,
            allowed_destination_regions=allowed_destination_regions,
            log_level=log_level,
        )
        self._settings = JobSettings(
            **places,
            target=_checked_target(self._manager, access_method),
            auth=self._manager._auth_manager,  # noqa: SLF001  (this library's own)
            kms_key_id=checked_text(kms_key_id, "kms_key_id"),
            bucket_owner=checked_text(bucket_owner, "bucket_owner"),
            members=members,
        )

    def __repr__(self) -> str:
        return (
            f"BatchInference(model={self._settings.target.model!r}, "
            f"region={self._settings.target.region!r}, model_id={self._settings.model_id!r}, "
            f"s3_uri={str(self._settings.input)!r})"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. The next call opens new ones; jobs go on."""
        self._manager.close()

    def submit(
        self,
        requests: Iterable[BedrockConverseRequest],
        *,
        name: str = "batch",
        client_request_token: str | None = None,
        media_folder: str | None = None,
    ) -> BatchJob:
        """Upload the requests, and create the jobs: one, or as many as the limits ask for.

        All requests are looked at before anything is uploaded. Memory stays flat but for their
        ids.

        Args:
            requests: A list, or a generator of any length, with ids of their own.
            name: Beginning of the names of the jobs.
            client_request_token: Letters, digits and dashes, at most 100. Submitting the same
                requests with the same token again creates what is missing, and no job twice. The
                requests then need ids that are the same, too: those that are made up are not.
            media_folder: Where the S3 objects are that requests refer to: Bedrock takes them only
                from the folder of the input. The input is then written into this folder, which
                must have no other ``.jsonl`` file, and there can be one job only.

        Raises:
            RequestValidationError: Requests are malformed, have the same id, or are too few, too
                many or too large; `validation_errors` says which. Nothing has been uploaded.
            BatchSubmissionError: Not all jobs could be created; `job` has those that run.
            BatchError: The disk is full.
            ConfigurationError: A wrong argument, or the token was used for other requests.
            AuthenticationError: There are no credentials that AWS accepts.
        """
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"`name` must be of at most 37 letters, digits and +.-, got {name!r}"
            )
        token = _checked_token(client_request_token)
        media = None if media_folder is None else checked(media_folder, "media_folder")
        auth, region = self._settings.auth, self._settings.target.region
        _check_botocore(auth.get_bedrock_control_client(region))
        wire = Wire(auth.get_bedrock_client(region).meta.service_model)
        with Spool(self._spool_directory) as spool:
            intake = Intake(self._members, wire, spool, media, allow_tools=self._limits.allow_tools)
            intake.take(requests)
            jobs = split(spool.sizes, self._limits)
            if media and len(jobs) > 1:
                raise ConfigurationError(
                    f"{len(spool.sizes)} requests make {len(jobs)} jobs, but with `media_folder` "
                    "there can be one only: submit them in several calls, with folders of their "
                    "own."
                )
            return Submission(
                self._settings,
                spool,
                intake.request_ids,
                name=name,
                token=token,
                was_used=client_request_token is not None,
                media=media,
            ).create(jobs)

    def estimate(
        self, requests: Iterable[BedrockConverseRequest], *, output_tokens: int | None = None
    ) -> BatchEstimate:
        """What the requests would cost online and as a batch job, by the catalogue's prices.

        Sends nothing.

        Args:
            requests: A list, or a generator, which is then used up.
            output_tokens: Tokens of a usual answer, at least 1; None means the `maxTokens` of each
                request.

        Raises:
            RequestValidationError: A request is malformed; the first such ends it.
            ConfigurationError: `output_tokens` is no whole number above 0.
        """
        if output_tokens is not None and not is_count(output_tokens):
            raise ConfigurationError(
                f"`output_tokens` must be a whole number above 0, got {output_tokens!r}"
            )
        target = self._settings.target
        found = self._manager._catalog.find_model(target.model)  # noqa: SLF001
        facts = found.facts if found else None
        return estimate(self._all_members(requests), facts, target.ways[0], output_tokens)

    @staticmethod
    def resume(
        job_arn: str | Iterable[str],
        *,
        auth_config: AuthConfig | None = None,
        boto3_config: Boto3Config | None = None,
    ) -> BatchJob:
        """Go on with jobs that were submitted before, by this process or another one.

        Sends nothing. Jobs that other programs created can be read as well, if their records are
        Converse requests; their record ids are then the ids of the requests.

        Args:
            job_arn: One ARN, or those of all jobs of a submission.
            auth_config: Where credentials come from; None means boto3's own chain.
            boto3_config: Settings of the clients.

        Raises:
            ConfigurationError: It is no ARN of a job.
        """
        arns = [job_arn] if isinstance(job_arn, str) else job_arn
        if not isinstance(arns, Iterable):
            raise ConfigurationError(f"`job_arn` must be a job ARN or a list of such, got {arns!r}")
        return BatchJob(list(arns), AuthManager(auth_config, boto3_config))

    def _all_members(self, requests: Iterable[BedrockConverseRequest]) -> Iterator[dict[str, Any]]:
        for number, request in enumerate(several(requests), 1):
            if not isinstance(request, BedrockConverseRequest):
                raise RequestValidationError(wrong_type(number, request))
            yield self._members(request)

    def _members(self, request: BedrockConverseRequest) -> dict[str, Any]:
        return members_for(self._settings.target, request, self._manager)


def _check_one(value: object, name: str, kind: str) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(
            f"`{name}` must be one string, {kind}, got {value!r}. "
            "A `BatchInference` is for one model in one region."
        )


def _checked_target(manager: LLMManager, access_method: str | None) -> Target:
    target = manager._targets()[0]  # noqa: SLF001  (this library's own)
    way = target.ways[0]
    if access_method is not None and way.method != access_method:
        there = [each.method for each in target.ways]
        raise ConfigurationError(
            f"{target.model!r} has no `access_method` {access_method!r} in {target.region!r}, "
            f"only {there}."
        )
    arn = parse_arn(way.identifier)
    if arn and arn.kind not in _KINDS:
        raise ConfigurationError(
            f"Batch jobs take models, custom models and inference profiles, got {way.identifier!r}"
        )
    return target


def _checked_token(token: str | None) -> str:
    if token is None:
        return f"{datetime.now(timezone.utc):%Y%m%d%H%M%S}{secrets.token_hex(3)}"
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise ConfigurationError(
            "`client_request_token` must be of at most 100 letters, digits and dashes, and neither "
            f"begin nor end with a dash, got {token!r}"
        )
    return token


def _check_botocore(client: Any) -> None:
    create = client.meta.service_model.operation_model("CreateModelInvocationJob")
    if "modelInvocationType" not in create.input_shape.members:
        import botocore  # noqa: PLC0415  (loaded with the client)

        raise ConfigurationError(
            f"The installed botocore {botocore.__version__} does not know batch jobs of Converse "
            "requests, which there are since 27 February 2026: `pip install --upgrade boto3`"
        )
