"""Batch jobs that LocalBedrock runs, through boto3 and an S3 of moto's."""

from __future__ import annotations

import json
import logging
import uuid
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from bestehorn_llmmanager.testing import BatchRun, Fault, LocalBedrock, LocalBedrockProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Create = Callable[..., str]

NOVA = "amazon.nova-lite-v1:0"
HELLO = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def _endpoint(snapshot: dict[str, Any], s3_url: str) -> Iterator[LocalBedrock]:
    with LocalBedrock(snapshot, s3_endpoint=s3_url) as bedrock:
        yield bedrock


@pytest.fixture(scope="module")
def s3(_endpoint: LocalBedrock, s3_url: str) -> Any:
    return _endpoint.client("s3", endpoint_url=s3_url)


@pytest.fixture(scope="module")
def _jobs(_endpoint: LocalBedrock) -> Any:
    client = _endpoint.client("bedrock")
    create = client.meta.service_model.operation_model("CreateModelInvocationJob")
    if "modelInvocationType" not in create.input_shape.members:
        pytest.skip("The installed botocore does not know batch jobs of Converse requests")
    return client


@pytest.fixture
def bedrock(_endpoint: LocalBedrock) -> LocalBedrock:
    _endpoint.reset()
    return _endpoint


@pytest.fixture
def jobs(bedrock: LocalBedrock, _jobs: Any) -> Any:
    """A client for the jobs of a LocalBedrock that has none."""
    return _jobs


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"b-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    return name


def lines(*bodies: dict[str, Any]) -> bytes:
    records = ({"recordId": f"R{n}", "modelInput": body} for n, body in enumerate(bodies, 1))
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


@pytest.fixture
def create(jobs: Any, s3: Any, bucket: str) -> Create:
    """Creates a job, by default one of four records, and gives its ARN."""

    def create(content: bytes | None = lines(*[HELLO] * 4), **options: Any) -> str:
        if content is not None:
            s3.put_object(Bucket=bucket, Key="in/a.jsonl", Body=content)
        arguments = {
            "jobName": "job",
            "roleArn": "arn:aws:iam::123456789012:role/batch",
            "modelId": NOVA,
            "modelInvocationType": "Converse",
            "inputDataConfig": {"s3InputDataConfig": {"s3Uri": f"s3://{bucket}/in/a.jsonl"}},
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"s3://{bucket}/out/"}},
        }
        return str(jobs.create_model_invocation_job(**{**arguments, **options})["jobArn"])

    return create


def follow(jobs: Any, arn: str) -> list[tuple[str, int]]:
    """Each status with the records that were processed, to the end."""
    told: list[tuple[str, int]] = []
    described: dict[str, Any] = {}
    while "endTime" not in described:
        described = jobs.get_model_invocation_job(jobIdentifier=arn)
        told.append((described["status"], described["processedRecordCount"]))
    return told


def output(s3: Any, bucket: str) -> dict[str, list[dict[str, Any]]]:
    found = s3.list_objects_v2(Bucket=bucket, Prefix="out/").get("Contents", ())
    contents = {
        item["Key"]: s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in found
    }
    return {key: list(map(json.loads, each.splitlines())) for key, each in contents.items()}


def test_a_job_goes_a_step_each_time_it_is_looked_at(jobs: Any, create: Create) -> None:
    assert follow(jobs, create()) == [
        ("Validating", 0),
        ("Scheduled", 0),
        ("InProgress", 4),
        ("Completed", 4),
    ]


def test_its_output_is_as_the_service_writes_it(
    bedrock: LocalBedrock, jobs: Any, s3: Any, bucket: str, create: Create
) -> None:
    bedrock.reply_with("Four words it has.")
    blank = {"messages": [{"role": "user", "content": [{"text": " "}]}]}
    arn = create(lines(HELLO, blank))
    follow(jobs, arn)
    folder = f"out/{arn.rpartition('/')[2]}"
    answer = {
        "output": {"message": {"role": "assistant", "content": [{"text": "Four words it has."}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 2, "outputTokens": 5, "totalTokens": 7},
        "metrics": {"latencyMs": 0},
    }
    refusal = (
        "The text field in the ContentBlock object at messages.0.content.0 is blank. Add text to"
        " the text field, and try again."
    )
    assert output(s3, bucket) == {
        f"{folder}/a.jsonl.out": [
            {"recordId": "R1", "modelInput": HELLO, "modelOutput": answer},
            {
                "recordId": "R2",
                "modelInput": blank,
                "error": {"errorCode": 400, "errorMessage": refusal},
            },
        ],
        f"{folder}/manifest.json.out": [
            {
                "totalRecordCount": 2,
                "processedRecordCount": 2,
                "successRecordCount": 1,
                "errorRecordCount": 1,
                "inputTokenCount": 2,
                "outputTokenCount": 5,
            }
        ],
    }


def test_all_input_files_of_a_folder_are_read(
    jobs: Any, s3: Any, bucket: str, create: Create
) -> None:
    for key in ("in/b/c.jsonl", "in/video.mp4", "inside.jsonl"):
        s3.put_object(Bucket=bucket, Key=key, Body=lines(HELLO))
    place = {"s3InputDataConfig": {"s3Uri": f"s3://{bucket}/in"}}
    arn = create(inputDataConfig=place)
    assert follow(jobs, arn)[-1] == ("Completed", 5)
    folder = f"out/{arn.rpartition('/')[2]}"
    assert [key for key in output(s3, bucket) if "manifest" not in key] == [
        f"{folder}/a.jsonl.out",
        f"{folder}/b/c.jsonl.out",
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"messages": [], "modelId": NOVA}, "Extra inputs are not permitted"),
        ({**HELLO, "toolConfig": {}}, "toolConfig is not supported"),
        ({**HELLO, "unknown": 1}, "'unknown'"),
        ({"messages": [{"role": "user", "content": []}]}, "is empty"),
    ],
)
def test_a_record_that_converse_would_refuse_has_an_error(
    jobs: Any, s3: Any, bucket: str, create: Create, body: dict[str, Any], message: str
) -> None:
    arn = create(lines(body))
    follow(jobs, arn)
    (key,) = [key for key in output(s3, bucket) if key.endswith(".jsonl.out")]
    (record,) = output(s3, bucket)[key]
    assert record["error"]["errorCode"] == 400
    assert message in record["error"]["errorMessage"]


def test_records_without_an_id_get_one(jobs: Any, s3: Any, bucket: str, create: Create) -> None:
    arn = create(json.dumps({"modelInput": HELLO}).encode())
    follow(jobs, arn)
    records = output(s3, bucket)[f"out/{arn.rpartition('/')[2]}/a.jsonl.out"]
    assert [record["recordId"] for record in records] == ["00000000000"]


@pytest.mark.parametrize(
    ("run", "expected", "written"),
    [
        (BatchRun(steps=2), [("InProgress", 2), ("InProgress", 4), ("Completed", 4)], 4),
        (BatchRun(outcome="Failed"), [("InProgress", 0), ("Failed", 0)], 0),
        (BatchRun(outcome="Failed", processed=0.5), [("InProgress", 2), ("Failed", 2)], 2),
        (BatchRun(outcome="Expired"), [("Expired", 0)], 0),
        (BatchRun(outcome="Stopped"), [("InProgress", 2), ("Stopped", 2)], 2),
        (
            BatchRun(outcome="PartiallyCompleted", processed=0.75),
            [("InProgress", 3), ("PartiallyCompleted", 3)],
            3,
        ),
    ],
)
def test_a_job_ends_as_was_asked_for(
    bedrock: LocalBedrock,
    jobs: Any,
    s3: Any,
    bucket: str,
    create: Create,
    run: BatchRun,
    expected: list[tuple[str, int]],
    written: int,
) -> None:
    bedrock.run_batches(run)
    assert follow(jobs, create())[2:] == expected
    records = [
        each for key, all_ in output(s3, bucket).items() if "manif" not in key for each in all_
    ]
    assert len(records) == written


def test_output_can_be_shuffled_and_in_several_files(
    bedrock: LocalBedrock, jobs: Any, s3: Any, bucket: str, create: Create
) -> None:
    bedrock.run_batches(BatchRun(shuffle=True, output_files=3))
    arn = create(lines(*[HELLO] * 30))
    follow(jobs, arn)
    files = {
        key.rpartition("/")[2]: [record["recordId"] for record in records]
        for key, records in output(s3, bucket).items()
        if "manifest" not in key
    }
    assert sorted(files) == ["a-2.jsonl.out", "a-3.jsonl.out", "a.jsonl.out"]
    in_order = [f"R{n}" for n in range(1, 31)]
    together = [name for names in files.values() for name in names]
    assert sorted(together, key=in_order.index) == in_order
    assert files["a.jsonl.out"] != in_order[::3]


@pytest.mark.parametrize(
    ("run", "content", "message"),
    [
        (BatchRun(min_records=5), lines(*[HELLO] * 4), "fewer than the minimum of 5"),
        (BatchRun(max_records=3), lines(*[HELLO] * 4), "more than the maximum of 3"),
        (BatchRun(max_file_bytes=100), lines(*[HELLO] * 4), "too large"),
        (BatchRun(max_job_bytes=100), lines(*[HELLO] * 4), "too large"),
        (BatchRun(), b"{\n", "A line of the input is no record"),
        (BatchRun(), b'{"recordId": "a"}\n', "A line of the input is no record"),
        (BatchRun(), None, "could not be read: NoSuchKey"),
    ],
)
def test_input_that_the_service_does_not_take_fails_the_job(
    bedrock: LocalBedrock,
    jobs: Any,
    create: Create,
    run: BatchRun,
    content: bytes | None,
    message: str,
) -> None:
    bedrock.run_batches(run)
    arn = create(content)
    assert follow(jobs, arn)[-1] == ("Failed", 0)
    assert message in jobs.get_model_invocation_job(jobIdentifier=arn)["message"]


def test_runs_with_a_number_come_first(bedrock: LocalBedrock, jobs: Any, create: Create) -> None:
    bedrock.run_batches(BatchRun(outcome="Stopped"))
    bedrock.run_batches(BatchRun(outcome="Expired"), times=2)
    assert [follow(jobs, create())[-1][0] for _ in range(3)] == ["Expired", "Expired", "Stopped"]


def test_a_job_can_be_stopped_once(jobs: Any, create: Create) -> None:
    arn = create()
    jobs.stop_model_invocation_job(jobIdentifier=arn)
    assert follow(jobs, arn) == [("Stopped", 0)]
    with pytest.raises(ClientError, match=r"ConflictException.*Stopped already"):
        jobs.stop_model_invocation_job(jobIdentifier=arn)


def test_the_same_token_is_the_same_job(jobs: Any, create: Create) -> None:
    first = create(clientRequestToken="a")
    assert create(clientRequestToken="a") == first
    assert create(clientRequestToken="b") != first
    assert len(jobs.list_model_invocation_jobs()["invocationJobSummaries"]) == 2


def test_jobs_are_described_by_arn_and_by_id(jobs: Any, create: Create) -> None:
    arn = create(timeoutDurationInHours=48, tags=[{"key": "a", "value": "b"}])
    described = jobs.get_model_invocation_job(jobIdentifier=arn)
    assert (described["jobArn"], described["jobName"], described["modelId"]) == (arn, "job", NOVA)
    assert described["modelInvocationType"] == "Converse"
    assert described["jobExpirationTime"] - described["submitTime"] == timedelta(hours=48)
    assert jobs.get_model_invocation_job(jobIdentifier=arn.rpartition("/")[2])["jobArn"] == arn


def test_jobs_are_listed(jobs: Any, create: Create, s3: Any) -> None:
    names = ["x1", "x2", "y3"]
    arns = [create(jobName=name) for name in names]
    jobs.stop_model_invocation_job(jobIdentifier=arns[0])

    def listed(**options: Any) -> list[str]:
        pages = jobs.get_paginator("list_model_invocation_jobs").paginate(**options)
        return [job["jobName"] for page in pages for job in page["invocationJobSummaries"]]

    assert listed() == names[::-1]
    assert listed(sortOrder="Ascending", PaginationConfig={"PageSize": 2}) == names
    assert listed(nameContains="x", sortOrder="Ascending") == ["x1", "x2"]
    assert listed(statusEquals="Stopping") == ["x1"]
    future = datetime.now(timezone.utc) + timedelta(hours=1)
    assert listed(submitTimeAfter=future) == []
    assert listed(submitTimeBefore=future) == names[::-1]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"modelId": "acme.unknown-v1:0"}, "ValidationException.*model identifier is invalid"),
        ({"modelId": "anthropic.claude-sonnet-4-5-20250929-v1:0"}, "inference profile"),
        ({"modelInvocationType": "InvokeModel"}, "ValidationException.*Converse only"),
        ({"jobName": "a b"}, "ValidationException.*'jobName'"),
        ({"timeoutDurationInHours": 200}, "ValidationException.*timeoutDurationInHours"),
    ],
)
def test_a_job_that_the_service_refuses_is_not_created(
    jobs: Any, create: Create, options: dict[str, Any], error: str
) -> None:
    with pytest.raises(ClientError, match=error):
        create(**options)
    assert jobs.list_model_invocation_jobs()["invocationJobSummaries"] == []


def test_jobs_belong_to_their_region(bedrock: LocalBedrock, jobs: Any, create: Create) -> None:
    arn = create()
    elsewhere = bedrock.client("bedrock", "eu-west-1")
    assert elsewhere.list_model_invocation_jobs()["invocationJobSummaries"] == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        elsewhere.get_model_invocation_job(jobIdentifier=arn)


def test_a_reset_forgets_the_jobs(bedrock: LocalBedrock, jobs: Any, create: Create) -> None:
    bedrock.run_batches(BatchRun(outcome="Expired"))
    arn = create()
    bedrock.reset()
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        jobs.get_model_invocation_job(jobIdentifier=arn)
    assert follow(jobs, create())[-1] == ("Completed", 4)


def test_faults_meet_the_operations_of_jobs(
    bedrock: LocalBedrock, jobs: Any, create: Create
) -> None:
    bedrock.fail(Fault.access_denied("No."), operation="CreateModelInvocationJob", times=1)
    with pytest.raises(ClientError, match=r"AccessDeniedException.*No\."):
        create()
    create()


def test_a_reply_that_is_none_fails_the_job_and_is_on_record(
    bedrock: LocalBedrock, jobs: Any, create: Create
) -> None:
    bedrock.reply_with(lambda _: {"output": 5})
    assert follow(jobs, create())[-1] == ("Failed", 0)
    assert any("no output of Converse" in error for error in bedrock.errors)


@pytest.mark.usefixtures("jobs")
def test_without_an_s3_no_job_is_created(snapshot: dict[str, Any], bucket: str) -> None:
    with LocalBedrock(snapshot) as bedrock, pytest.raises(ClientError, match="`s3_endpoint`"):
        bedrock.client("bedrock").create_model_invocation_job(
            jobName="job",
            roleArn="arn:aws:iam::123456789012:role/batch",
            modelId=NOVA,
            modelInvocationType="Converse",
            inputDataConfig={"s3InputDataConfig": {"s3Uri": f"s3://{bucket}/in/a.jsonl"}},
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": f"s3://{bucket}/out/"}},
        )


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"outcome": "Done"}, "`outcome` must be one of"),
        ({"processed": 1.5}, "`processed` must be from 0 to 1"),
        ({"steps": 0}, "`steps` must be at least 1"),
        ({"output_files": 0}, "`output_files` must be at least 1"),
    ],
)
def test_a_run_that_cannot_be_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        BatchRun(**wrong)


def test_what_is_no_run_is_refused(bedrock: LocalBedrock) -> None:
    with pytest.raises(TypeError, match="must be a `BatchRun`"):
        bedrock.run_batches("Failed")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`times` must be at least 1"):
        bedrock.run_batches(BatchRun(), times=0)


def test_a_process_of_its_own_runs_jobs_too(
    snapshot: dict[str, Any], s3_url: str, s3: Any, bucket: str, tmp_path: Path, jobs: Any
) -> None:
    path = tmp_path / "snapshot.json"
    path.write_text(json.dumps(snapshot))
    s3.put_object(Bucket=bucket, Key="in/a.jsonl", Body=lines(HELLO, HELLO))
    with LocalBedrockProcess(path, s3_endpoint=s3_url) as process:
        process.run_batches(BatchRun(record_errors={"R2": (429, "Slow down.")}), times=1)
        jobs = process.client("bedrock")
        arn = jobs.create_model_invocation_job(
            jobName="job",
            roleArn="arn:aws:iam::123456789012:role/batch",
            modelId=NOVA,
            modelInvocationType="Converse",
            inputDataConfig={"s3InputDataConfig": {"s3Uri": f"s3://{bucket}/in/a.jsonl"}},
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": f"s3://{bucket}/out/"}},
        )["jobArn"]
        assert follow(jobs, arn)[-1] == ("Completed", 2)
    records = output(s3, bucket)[f"out/{arn.rpartition('/')[2]}/a.jsonl.out"]
    assert records[1]["error"] == {"errorCode": 429, "errorMessage": "Slow down."}
