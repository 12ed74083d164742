"""Tests what is submitted, what is refused, and what is left when a submission fails half way."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import signal
from typing import TYPE_CHECKING, Any

import pytest
from botocore.loaders import create_loader

from bestehorn_llmmanager.bedrock.batch import BatchInference, BatchLimits
from bestehorn_llmmanager.bedrock.exceptions import (
    AuthenticationError,
    ConfigurationError,
    LLMManagerError,
    RequestValidationError,
)
from bestehorn_llmmanager.bedrock.exceptions.batch_exceptions import BatchSubmissionError
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
)
from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Ask = Callable[..., BedrockConverseRequest]
    Requests = Callable[[int], list[BedrockConverseRequest]]
    MakeBatch = Callable[..., BatchInference]

CREATE = "CreateModelInvocationJob"


def created(bedrock: LocalBedrock) -> list[dict[str, Any]]:
    return [dict(each.body or {}) for each in bedrock.requests if each.operation == CREATE]


def keys(s3: Any, bucket: str) -> list[str]:
    listed = s3.list_objects_v2(Bucket=bucket).get("Contents", ())
    return [item["Key"] for item in listed]


# What is submitted


def test_a_job_is_created_with_all_that_was_asked_for(
    bedrock: LocalBedrock, bucket: str, make_batch: MakeBatch, requests: Requests
) -> None:
    batch = make_batch(
        output_s3_uri=f"s3://{bucket}/theirs/",
        kms_key_id="alias/mine",
        bucket_owner="123456789012",
        vpc_config={"subnetIds": ["subnet-1"], "securityGroupIds": ("sg-1",)},
        timeout_hours=48,
        tags={"team": "blue"},
    )
    batch.submit(requests(3), name="nightly", client_request_token="run-7")
    assert created(bedrock) == [
        {
            "jobName": "nightly-run-7-0001",
            "roleArn": "arn:aws:iam::123456789012:role/batch",
            "clientRequestToken": "run-7-0001",
            "modelId": "amazon.nova-lite-v1:0",
            "modelInvocationType": "Converse",
            "inputDataConfig": {
                "s3InputDataConfig": {
                    "s3InputFormat": "JSONL",
                    "s3Uri": f"s3://{bucket}/mine/run-7/0001/input/part-0001.jsonl",
                    "s3BucketOwner": "123456789012",
                }
            },
            "outputDataConfig": {
                "s3OutputDataConfig": {
                    "s3Uri": f"s3://{bucket}/theirs/run-7/0001/",
                    "s3EncryptionKeyId": "alias/mine",
                    "s3BucketOwner": "123456789012",
                }
            },
            "vpcConfig": {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]},
            "timeoutDurationInHours": 48,
            "tags": [{"key": "team", "value": "blue"}],
        }
    ]


def test_input_and_note_are_encrypted_with_the_key(
    s3: Any, bucket: str, make_batch: MakeBatch, requests: Requests
) -> None:
    make_batch(kms_key_id="alias/mine").submit(requests(1))
    (both,) = [keys(s3, bucket)]
    assert len(both) == 2
    for key in both:
        head = s3.head_object(Bucket=bucket, Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/mine")


def test_what_one_job_does_not_take_makes_several(
    bedrock: LocalBedrock, s3: Any, bucket: str, make_batch: MakeBatch, requests: Requests
) -> None:
    limits = BatchLimits(min_records=2, max_records=4, max_records_per_file=3)
    job = make_batch(limits=limits).submit(requests(9), client_request_token="t")
    assert len(job.job_arns) == 3
    assert [each["jobName"] for each in created(bedrock)] == [f"batch-t-000{n}" for n in (1, 2, 3)]
    assert [each["inputDataConfig"]["s3InputDataConfig"]["s3Uri"] for each in created(bedrock)] == [
        f"s3://{bucket}/mine/t/0001/input/",
        f"s3://{bucket}/mine/t/0002/input/part-0001.jsonl",
        f"s3://{bucket}/mine/t/0003/input/part-0001.jsonl",
    ]
    records = {
        key: [
            json.loads(line)["recordId"]
            for line in s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()
        ]
        for key in keys(s3, bucket)
        if key.endswith(".jsonl")
    }
    assert records == {
        "mine/t/0001/input/part-0001.jsonl": ["R0000000001", "R0000000002", "R0000000003"],
        "mine/t/0001/input/part-0002.jsonl": ["R0000000004"],
        "mine/t/0002/input/part-0001.jsonl": ["R0000000005", "R0000000006", "R0000000007"],
        "mine/t/0003/input/part-0001.jsonl": ["R0000000008", "R0000000009"],
    }


def test_requests_may_come_from_a_generator(
    bedrock: LocalBedrock, batch: BatchInference, ask: Ask, pauses: list[float]
) -> None:
    job = batch.submit(ask(f"q{n}") for n in range(7))
    job.wait(sleep=pauses.append)
    assert list(job.results().request_responses) == [f"q{n}" for n in range(7)]


def test_two_submissions_do_not_meet(
    s3: Any, bucket: str, batch: BatchInference, requests: Requests
) -> None:
    first, second = batch.submit(requests(1)), batch.submit(requests(1))
    assert first.job_arns != second.job_arns
    assert len(keys(s3, bucket)) == 4


@pytest.mark.parametrize(
    ("model", "options", "model_id"),
    [
        ("Nova Lite", {"access_method": "regional_cris"}, "us.amazon.nova-lite-v1:0"),
        ("us.amazon.nova-lite-v1:0", {}, "us.amazon.nova-lite-v1:0"),
        ("Claude Haiku 4.5", {}, "us.anthropic.claude-haiku-4-5-20251001-v1:0"),
        (
            "Claude Haiku 4.5",
            {"access_method": "global_cris"},
            "global.anthropic.claude-haiku-4-5-20251001-v1:0",
        ),
    ],
)
def test_the_model_is_called_as_its_region_has_it(
    bedrock: LocalBedrock,
    make_batch: MakeBatch,
    requests: Requests,
    pauses: list[float],
    model: str,
    options: dict[str, Any],
    model_id: str,
) -> None:
    job = make_batch(model, **options).submit(requests(1))
    assert created(bedrock)[0]["modelId"] == model_id
    job.wait(sleep=pauses.append)
    response = job.results().request_responses["q1"]
    assert (response.model_used, response.model_id_used) == (model, model_id)
    assert response.inference_profile_id == model_id
    assert response.was_profile_used()


def test_the_region_of_an_arn_wins(
    bedrock: LocalBedrock, make_batch: MakeBatch, requests: Requests
) -> None:
    arn = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc"
    bedrock.register_target(arn, "amazon.nova-lite-v1:0")
    job = make_batch(arn, "us-east-1").submit(requests(1))
    assert job.job_arns[0].startswith("arn:aws:bedrock:eu-west-1:")


# What is refused


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"role_arn": "batch"}, "`role_arn` must be the ARN of a role"),
        ({"role_arn": None}, "`role_arn` must be the ARN of a role"),
        ({"s3_uri": "bucket/x"}, "`s3_uri` must be like"),
        ({"output_s3_uri": "s3://bucket/x y"}, "`output_s3_uri` must be like"),
        ({"timeout_hours": 23}, "`timeout_hours` must be a whole number from 24 to 168"),
        ({"timeout_hours": 169}, "`timeout_hours` must be a whole number from 24 to 168"),
        ({"timeout_hours": 24.5}, "`timeout_hours` must be a whole number from 24 to 168"),
        ({"vpc_config": {"subnetIds": ["a"]}}, "`vpc_config` must have"),
        ({"vpc_config": {"subnetIds": "a", "securityGroupIds": ["b"]}}, "`vpc_config` must have"),
        ({"vpc_config": {"subnetIds": [], "securityGroupIds": ["b"]}}, "`vpc_config` must have"),
        ({"tags": ["a"]}, "`tags` must be a dict"),
        ({"limits": {"min_records": 1}}, "`limits` must be of type `BatchLimits`, got dict"),
        ({"kms_key_id": ""}, "`kms_key_id` must be a text"),
        ({"bucket_owner": 123}, "`bucket_owner` must be a text"),
        ({"access_method": "fast"}, "`access_method` must be one of"),
        ({"access_method": "global_cris"}, r"has no `access_method` 'global_cris'.*only \['direct"),
        ({"model": ["Nova Lite"]}, "`model` must be one string"),
        ({"model": " "}, "`model` must be one string"),
        ({"region": ["us-east-1"]}, "`region` must be one string"),
        ({"region": None}, "`region` must be one string"),
        ({"model": "Nova Light"}, "There is no model 'Nova Light'"),
        ({"region": "eu-mars-1"}, "can be called in"),
        ({"region": "mars"}, "must hold region codes"),
        (
            {"model": "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc"},
            "Batch jobs take models, custom models and inference profiles",
        ),
    ],
)
def test_wrong_arguments_are_refused_at_once(
    make_batch: MakeBatch, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        make_batch(**options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": "a b"}, "`name` must be of"),
        ({"name": "a" * 38}, "`name` must be of"),
        ({"name": ""}, "`name` must be of"),
        ({"client_request_token": "a_b"}, "`client_request_token` must be of"),
        ({"client_request_token": "a-"}, "`client_request_token` must be of"),
        ({"client_request_token": "a" * 101}, "`client_request_token` must be of"),
        ({"media_folder": "videos"}, "`media_folder` must be like"),
    ],
)
def test_wrong_arguments_of_a_submission_are_refused(
    batch: BatchInference, requests: Requests, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        batch.submit(requests(1), **options)


SECRET = "my secret prompt"
HELLO = [{"role": "user", "content": [{"text": SECRET}]}]
TOOLS = {"tools": [{"toolSpec": {"name": SECRET.replace(" ", ""), "inputSchema": {"json": {}}}}]}


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"messages": []}, "`messages` is empty"),
        ({"messages": [{"role": SECRET, "content": [{"text": "a"}]}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"txt": SECRET}]}]}, "messages[0].content[0]"),
        ({"messages": HELLO, "inference_config": {"maxTokens": 0}}, "inferenceConfig.maxTokens"),
        ({"messages": HELLO, "inference_config": {"tokens": 1}}, "inferenceConfig.tokens"),
        ({"messages": HELLO, "tool_config": TOOLS}, "`toolConfig`: batch jobs"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {
                                "video": {
                                    "format": "mp4",
                                    "source": {"s3Location": {"uri": "s3://a/b"}},
                                }
                            },
                            {"text": SECRET},
                        ],
                    }
                ]
            },
            "pass `media_folder`",
        ),
    ],
)
def test_one_bad_request_and_nothing_is_uploaded(
    bedrock: LocalBedrock,
    s3: Any,
    bucket: str,
    batch: BatchInference,
    requests: Requests,
    wrong: dict[str, Any],
    problem: str,
) -> None:
    bad = BedrockConverseRequest(**wrong, request_id="bad")
    with pytest.raises(RequestValidationError) as caught:
        batch.submit([*requests(5), bad])
    (told,) = caught.value.validation_errors
    assert told.startswith("Request bad: ")
    assert problem in told
    assert SECRET not in str(caught.value) + repr(caught.value)
    assert keys(s3, bucket) == []
    assert bedrock.requests == ()


@pytest.mark.parametrize(
    ("requests_given", "sentence"),
    [
        (BedrockConverseRequest(messages=HELLO), "must be a list or a generator"),
        (None, "must be a list or a generator"),
        ([{"messages": HELLO}], "Request number 1 is of type dict"),
        ([BedrockConverseRequest(messages=HELLO, request_id=5)], "its id must be a string, got 5"),  # type: ignore[arg-type]
        (
            [BedrockConverseRequest(messages=HELLO, request_id="a")] * 2,
            "Request a: an earlier one has the same id",
        ),
        ([], "Got 0 requests"),
    ],
)
def test_what_is_no_list_of_requests_is_refused(
    batch: BatchInference, requests_given: Any, sentence: str
) -> None:
    with pytest.raises(RequestValidationError, match=sentence):
        batch.submit(requests_given)


def test_all_bad_requests_are_named_but_not_endlessly(batch: BatchInference) -> None:
    asked = []

    def endless() -> Iterator[BedrockConverseRequest]:
        for number in range(10_000):
            asked.append(number)
            yield BedrockConverseRequest(messages=[], request_id=str(number))

    with pytest.raises(RequestValidationError, match="and 97 more") as caught:
        batch.submit(endless())
    assert len(caught.value.validation_errors) == len(asked) == 100


def test_an_error_of_the_generator_is_the_callers(
    bedrock: LocalBedrock, s3: Any, bucket: str, batch: BatchInference, ask: Ask
) -> None:
    def broken() -> Iterator[BedrockConverseRequest]:
        yield ask("a")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        batch.submit(broken())
    assert keys(s3, bucket) == []


def test_tools_pass_where_they_are_allowed(
    bedrock: LocalBedrock, make_batch: MakeBatch, ask: Ask
) -> None:
    batch = make_batch(limits=BatchLimits(min_records=1, allow_tools=True))
    batch.submit([ask("a", tool_config=TOOLS)])
    assert len(created(bedrock)) == 1


# S3 objects that requests refer to


def video(uri: str) -> BedrockConverseRequest:
    block = {"video": {"format": "mp4", "source": {"s3Location": {"uri": uri}}}}
    messages = [{"role": "user", "content": [block, {"text": "What is it?"}]}]
    return BedrockConverseRequest(messages=messages, request_id="video")


def test_input_goes_to_the_s3_objects_that_it_refers_to(
    bedrock: LocalBedrock, s3: Any, bucket: str, batch: BatchInference, pauses: list[float]
) -> None:
    folder = f"s3://{bucket}/videos"
    s3.put_object(Bucket=bucket, Key="videos/a.mp4", Body=b"")
    job = batch.submit([video(f"{folder}/a.mp4")], media_folder=folder, client_request_token="t")
    assert created(bedrock)[0]["inputDataConfig"]["s3InputDataConfig"]["s3Uri"] == f"{folder}/"
    assert keys(s3, bucket) == [
        "mine/t/0001/request-ids.json",
        "videos/a.mp4",
        "videos/t-0001.jsonl",
    ]
    job.wait(sleep=pauses.append)
    assert job.results().request_responses["video"].success


def test_s3_objects_elsewhere_are_refused(bucket: str, batch: BatchInference) -> None:
    with pytest.raises(RequestValidationError, match=f"not in 's3://{bucket}/videos'"):
        batch.submit([video(f"s3://{bucket}/videos2/a.mp4")], media_folder=f"s3://{bucket}/videos")


def test_a_media_folder_with_other_input_is_refused(
    bedrock: LocalBedrock, s3: Any, bucket: str, batch: BatchInference, ask: Ask
) -> None:
    s3.put_object(Bucket=bucket, Key="videos/old.jsonl", Body=b"")
    with pytest.raises(ConfigurationError, match=r"1 other .jsonl files, such as .*old.jsonl"):
        batch.submit([ask("a")], media_folder=f"s3://{bucket}/videos")
    assert created(bedrock) == []


def test_a_token_that_begins_like_another_one_is_another_one(
    bedrock: LocalBedrock, bucket: str, batch: BatchInference, ask: Ask
) -> None:
    folder = f"s3://{bucket}/videos"
    batch.submit([ask("a")], media_folder=folder, client_request_token="run-1")
    with pytest.raises(ConfigurationError, match=r"1 other .jsonl files, such as .*run-1-0001"):
        batch.submit([ask("b")], media_folder=folder, client_request_token="run")
    again = batch.submit([ask("a")], media_folder=folder, client_request_token="run-1")
    assert len(again.job_arns) == 1
    assert len(created(bedrock)) == 2


def test_a_media_folder_takes_one_job(
    bucket: str, batch: BatchInference, requests: Requests
) -> None:
    with pytest.raises(ConfigurationError, match="4 requests make 2 jobs"):
        batch.submit(requests(4), media_folder=f"s3://{bucket}/videos")


# Failures half way


def test_jobs_that_were_created_before_a_failure_are_not_lost(
    bedrock: LocalBedrock,
    s3: Any,
    bucket: str,
    batch: BatchInference,
    requests: Requests,
    pauses: list[float],
) -> None:
    refusal = Fault.error("ServiceQuotaExceededException", 400, "Too many jobs.")
    bedrock.fail(refusal, operation=CREATE, after=1, times=1)
    with pytest.raises(BatchSubmissionError, match="1 of 3 jobs were created") as caught:
        batch.submit(requests(7))
    error = pickle.loads(pickle.dumps(caught.value))
    assert "Too many jobs. (ServiceQuotaExceededException)" in error.message
    assert error.job.job_arns == error.job_arns
    assert len(error.job_arns) == 1

    again = batch.submit(requests(7), client_request_token=error.client_request_token)
    assert again.job_arns[:1] == error.job_arns
    assert len(again.job_arns) == 3
    again.wait(sleep=pauses.append)
    assert again.results().successful_request_ids == [f"q{n}" for n in range(1, 8)]
    assert sum(key.endswith(".jsonl") for key in keys(s3, bucket)) == 3


def test_submitting_again_with_the_same_token_uploads_nothing_and_creates_nothing(
    bedrock: LocalBedrock, s3: Any, bucket: str, batch: BatchInference, requests: Requests
) -> None:
    first = batch.submit(requests(4), client_request_token="run-1")
    s3.delete_object(Bucket=bucket, Key="mine/run-1/0001/input/part-0001.jsonl")
    before = keys(s3, bucket)
    assert batch.submit(requests(4), client_request_token="run-1").job_arns == first.job_arns
    assert keys(s3, bucket) == before


@pytest.mark.parametrize(
    "others",
    [
        pytest.param(lambda ask: [ask("a", "other text")], id="another text"),
        pytest.param(lambda ask: [ask("b")], id="another id"),
        pytest.param(lambda ask: [ask("a"), ask("b")], id="one more"),
    ],
)
def test_a_token_that_was_used_for_other_requests_is_refused(
    bedrock: LocalBedrock,
    batch: BatchInference,
    ask: Ask,
    others: Callable[[Ask], list[BedrockConverseRequest]],
) -> None:
    batch.submit([ask("a")], client_request_token="run-1")
    with pytest.raises(ConfigurationError, match="'run-1' was used for other requests"):
        batch.submit(others(ask), client_request_token="run-1")
    assert len(created(bedrock)) == 1


def test_a_refusal_says_what_to_do(
    bedrock: LocalBedrock, batch: BatchInference, requests: Requests
) -> None:
    bedrock.fail(Fault.access_denied("No PassRole."), operation=CREATE)
    with pytest.raises(BatchSubmissionError) as caught:
        batch.submit(requests(1), client_request_token="t")
    assert caught.value.job is None
    assert caught.value.message == (
        "0 of 1 jobs were created. Job number 1 cannot be created: No PassRole. "
        "(AccessDeniedException). docs/batch.md lists the permissions that are needed. `submit` of "
        "the same requests with `client_request_token='t'` creates the rest."
    )


def test_a_bucket_that_is_not_there_is_named(make_batch: MakeBatch, requests: Requests) -> None:
    with pytest.raises(BatchSubmissionError, match=r"NoSuchBucket\). Create the bucket"):
        make_batch(s3_uri="s3://nowhere-at-all/x").submit(requests(1))


def test_credentials_that_aws_does_not_know_are_told(
    bedrock: LocalBedrock, batch: BatchInference, requests: Requests
) -> None:
    bedrock.fail(Fault.expired_token(), operation=CREATE)
    with pytest.raises(AuthenticationError, match="ExpiredTokenException"):
        batch.submit(requests(1))


def test_without_credentials_nothing_is_asked(
    bedrock: LocalBedrock,
    make_batch: MakeBatch,
    requests: Requests,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    batch = make_batch()
    with pytest.raises(AuthenticationError):
        batch.submit(requests(1))
    assert bedrock.requests == ()


def test_a_botocore_that_is_too_old_is_told(
    bedrock: LocalBedrock,
    make_batch: MakeBatch,
    requests: Requests,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = create_loader().load_service_model("bedrock", "service-2")
    old = copy.deepcopy(model)
    del old["shapes"]["CreateModelInvocationJobRequest"]["members"]["modelInvocationType"]
    folder = tmp_path / "bedrock" / model["metadata"]["apiVersion"]
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps(old))
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="pip install --upgrade boto3"):
        make_batch().submit(requests(1))
    assert bedrock.requests == ()


def test_ctrl_c_between_two_jobs_says_which_run(
    batch: BatchInference, requests: Requests, caplog: pytest.LogCaptureFixture
) -> None:
    created: list[str] = []

    def interrupt_the_second(**_: object) -> None:
        if created:
            signal.raise_signal(signal.SIGINT)

    client = batch._settings.auth.get_bedrock_control_client("us-east-1")
    client.meta.events.register(f"before-call.bedrock.{CREATE}", interrupt_the_second)
    client.meta.events.register(
        f"after-call.bedrock.{CREATE}", lambda parsed, **_: created.append(parsed["jobArn"])
    )
    with caplog.at_level(logging.WARNING), pytest.raises(KeyboardInterrupt):
        batch.submit(requests(7))
    (record,) = [each for each in caplog.records if "interrupted" in each.message]
    assert f"jobs={created}" in record.message
    assert len(created) == 1
    assert "token=" in record.message


# The object itself


def test_it_pickles_and_tells_no_secret(make_batch: MakeBatch, requests: Requests) -> None:
    auth = AuthConfig(
        AuthenticationType.CREDENTIALS, access_key_id="AKIASECRET", secret_access_key="s3cr3t"
    )
    batch = make_batch(auth_config=auth)
    copied = pickle.loads(pickle.dumps(batch))
    assert repr(copied) == repr(batch)
    job = copied.submit(requests(1))
    assert "s3cr3t" not in repr(batch) + repr(job) + repr(copied._settings)
    assert "AKIASECRET" not in repr(batch) + repr(job) + repr(copied._settings)


def test_the_settings_of_jobs_show_no_credentials_at_all(batch: BatchInference) -> None:
    shown = repr(batch._settings)
    assert "auth" not in shown.lower()
    assert "Nova Lite" in shown


def test_it_can_be_used_after_it_was_closed(batch: BatchInference, requests: Requests) -> None:
    with batch:
        batch.submit(requests(1))
    assert len(batch.submit(requests(1)).job_arns) == 1


@pytest.mark.parametrize(
    "arns", ["", "job", None, 5, [None], [], ["arn:aws:bedrock:us-east-1::foundation-model/a"]]
)
def test_what_is_no_arn_of_a_job_cannot_be_resumed(arns: Any) -> None:
    with pytest.raises(ConfigurationError, match="job ARN"):
        BatchInference.resume(arns)


def test_all_errors_are_of_one_family() -> None:
    assert issubclass(BatchSubmissionError, LLMManagerError)
