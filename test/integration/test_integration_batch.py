"""Tests batch jobs from requests to results: against online answers, across processes, at scale."""

from __future__ import annotations

import json
import logging
import random
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from bestehorn_llmmanager import LLMManager
from bestehorn_llmmanager.bedrock.batch import BatchInference, BatchLimits
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.exceptions import LLMManagerError
from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
from bestehorn_llmmanager.testing import BatchRun, Fault, LocalBedrock, LocalBedrockProcess
from moto_services import moto_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bestehorn_llmmanager.testing._replies import ReceivedRequest

CATALOGUE: dict[str, Any] = {"catalog_cache_mode": CacheMode.NONE, "catalog_refresh": "never"}
ROLE = "arn:aws:iam::123456789012:role/batch"
CREATE = "CreateModelInvocationJob"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with moto_server() as url:
        yield url


@pytest.fixture
def bedrock(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBedrock]:
    with LocalBedrock(s3_endpoint=s3_url, record_bodies=True) as endpoint:
        create = endpoint.client("bedrock").meta.service_model.operation_model(CREATE)
        if "modelInvocationType" not in create.input_shape.members:
            pytest.skip("The installed botocore does not know batch jobs of Converse requests")
        for name, value in endpoint.environment().items():
            monkeypatch.setenv(name, value)
        yield endpoint


@pytest.fixture
def s3(bedrock: LocalBedrock, s3_url: str) -> Any:
    return bedrock.client("s3", endpoint_url=s3_url)


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"jobs-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    return name


def make_batch(bucket: str, **limits: Any) -> BatchInference:
    return BatchInference(
        "Nova Lite",
        "us-east-1",
        role_arn=ROLE,
        s3_uri=f"s3://{bucket}/mine",
        limits=BatchLimits(**{"min_records": 1, **limits}),
        **CATALOGUE,
    )


def ask(name: str, *blocks: dict[str, Any], **options: Any) -> BedrockConverseRequest:
    content = [*blocks, {"text": f"What is {name}?"}]
    messages = [{"role": "user", "content": content}]
    return BedrockConverseRequest(messages=messages, request_id=name, **options)


# The same answers as online

PNG = {"image": {"format": "png", "source": {"bytes": b"\x89PNG\x00\xff"}}}
PDF = {"document": {"name": "my file_1.pdf", "format": "pdf", "source": {"bytes": b"%PDF"}}}
BLANK = {"text": " "}


def answer_of_many_kinds(request: ReceivedRequest) -> dict[str, Any]:
    said = json.dumps(request.body["messages"], sort_keys=True)
    content = [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}},
        {"reasoningContent": {"redactedContent": "AAH/"}},
        {"image": {"format": "png", "source": {"bytes": "iVBORw=="}}},
        {"text": said},
    ]
    usage = {"inputTokens": len(said), "outputTokens": 3, "totalTokens": len(said) + 3}
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "end_turn",
        "usage": {**usage, "cacheReadInputTokens": 1},
        "metrics": {"latencyMs": 7},
        "additionalModelResponseFields": {"bytes": "AAAA"},
    }


def test_a_batch_job_gives_what_the_same_requests_give_online(
    bedrock: LocalBedrock, bucket: str
) -> None:
    bedrock.reply_with(answer_of_many_kinds)
    bedrock.run_batches(BatchRun(shuffle=True, output_files=2))
    requests = [
        ask("plain"),
        ask("picture", PNG),
        ask("paper", PDF, system=[{"text": "Short."}], inference_config={"maxTokens": 5}),
        ask("refused", BLANK),
        ask("fields", additional_model_request_fields={"top_k": 1}),
    ]
    job = make_batch(bucket, max_records=2).submit(requests)
    job.wait(sleep=lambda _: None)
    results = job.results()
    manager = LLMManager(["Nova Lite"], ["us-east-1"], **CATALOGUE)
    for request in requests:
        response = results.request_responses[str(request.request_id)]
        if request.request_id == "refused":
            with pytest.raises(LLMManagerError) as caught:
                manager.converse_with_request(request)
            refusal, online_refusal = response.get_last_error(), caught.value.__cause__
            assert isinstance(refusal, ClientError)
            assert isinstance(online_refusal, ClientError)
            assert refusal.response["Error"] == online_refusal.response["Error"]
            continue
        online = manager.converse_with_request(request)
        assert online.response_data is not None
        data = {k: v for k, v in online.response_data.items() if k != "ResponseMetadata"}
        assert response.response_data == data
        assert response.get_usage() == online.get_usage()
        for name in ("model_used", "region_used", "access_method_used", "model_id_used",
                     "inference_profile_id", "api_latency_ms"):  # fmt: skip
            assert getattr(response, name) == getattr(online, name), name
    assert results.failed_request_ids == ["refused"]


def test_what_a_job_left_undone_can_be_asked_for_online(bedrock: LocalBedrock, bucket: str) -> None:
    from bestehorn_llmmanager.parallel_llm_manager import ParallelLLMManager

    bedrock.run_batches(BatchRun(outcome="Stopped"))
    requests = [ask(f"q{n}", PNG) for n in range(4)]
    job = make_batch(bucket).submit(requests)
    job.wait(sleep=lambda _: None)
    before = job.results()
    assert before.failed_request_ids == ["q2", "q3"]
    with ParallelLLMManager(["Nova Lite"], ["us-east-1"], **CATALOGUE) as manager:
        after = manager.retry_failed_requests(before)
    assert after.success
    assert sorted(after.successful_request_ids) == ["q0", "q1", "q2", "q3"]
    assert bedrock.count("Converse") == 2


def test_what_one_job_does_not_take_is_split_so_that_the_service_takes_it(
    bedrock: LocalBedrock, bucket: str
) -> None:
    quotas: dict[str, Any] = {
        "min_records": 2,
        "max_records": 7,
        "max_file_bytes": 900,
        "max_job_bytes": 1_800,
    }
    bedrock.run_batches(BatchRun(**quotas))
    requests = [ask("x" * (number % 9 + 1) * 10 + str(number)) for number in range(30)]
    job = make_batch(bucket, **quotas).submit(requests)
    status = job.wait(sleep=lambda _: None)
    assert [each.status for each in status.jobs] == ["Completed"] * len(job.job_arns)
    assert len(job.job_arns) > 30 / 7
    assert job.results().successful_request_ids == [each.request_id for each in requests]


def test_a_large_input_is_uploaded_in_parts(bedrock: LocalBedrock, s3: Any, bucket: str) -> None:
    image = {"image": {"format": "png", "source": {"bytes": b"x" * 3 * MIB}}}
    job = make_batch(bucket).submit([ask(f"q{n}", image) for n in range(5)])
    described = bedrock.client("bedrock").get_model_invocation_job(jobIdentifier=job.job_arns[0])
    uri = described["inputDataConfig"]["s3InputDataConfig"]["s3Uri"]
    head = s3.head_object(Bucket=bucket, Key=uri.removeprefix(f"s3://{bucket}/"))
    assert head["ContentLength"] > 20 * MIB
    assert head["ETag"].endswith('-2"')
    job.wait(sleep=lambda _: None)
    assert job.results().successful_request_ids == [f"q{n}" for n in range(5)]


# Other processes

SUBMIT = """if True:
    import sys
    from bestehorn_llmmanager.bedrock.batch import BatchInference, BatchLimits
    from bestehorn_llmmanager.bedrock.catalog import CacheMode
    from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
    bucket, count, most, token = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    batch = BatchInference(
        "Nova Lite", "us-east-1", role_arn="arn:aws:iam::123456789012:role/batch",
        s3_uri=f"s3://{bucket}/mine", limits=BatchLimits(min_records=1, max_records=most),
        catalog_cache_mode=CacheMode.NONE, catalog_refresh="never",
    )
    print("ready", flush=True)
    requests = (
        BedrockConverseRequest(
            messages=[{"role": "user", "content": [{"text": f"What is {n}?"}]}], request_id=f"q{n}"
        )
        for n in range(count)
    )
    job = batch.submit(requests, client_request_token=token)
    print(*job.job_arns, flush=True)
    job.wait()
"""

READ = """if True:
    import json, sys
    from bestehorn_llmmanager.bedrock.batch import BatchInference
    job = BatchInference.resume(sys.argv[1:])
    job.wait(sleep=lambda _: None)
    print(json.dumps({n: r.get_content() for n, r in job.iter_results()}))
"""


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


def test_a_process_goes_on_where_another_one_was_killed(bedrock: LocalBedrock, bucket: str) -> None:
    bedrock.run_batches(BatchRun(steps=3))
    with start(SUBMIT, bucket, 5, 2, "t") as submitting:
        assert submitting.stdout is not None
        assert submitting.stdout.readline() == "ready\n"
        arns = submitting.stdout.readline().split()
        while not bedrock.count("GetModelInvocationJob"):
            time.sleep(0.001)
        submitting.kill()
    assert len(arns) == 3
    with start(READ, *arns) as reading:
        out, _ = reading.communicate(timeout=60)
    said = "LocalBedrock: amazon.nova-lite-v1:0 in us-east-1 received 3 words."
    assert json.loads(out) == {f"q{n}": said for n in range(5)}


@pytest.mark.slow
def test_a_submission_that_is_killed_anywhere_can_be_repeated(
    bedrock: LocalBedrock, bucket: str
) -> None:
    dice = random.Random(7)
    pages = bedrock.client("bedrock").get_paginator("list_model_invocation_jobs")
    bedrock.fail(Fault.slow(0.02), operation=CREATE)
    created = []
    for attempt in range(50):
        token, before = f"t{attempt}", bedrock.count(CREATE)
        with start(SUBMIT, bucket, 30, 10, token) as submitting:
            assert submitting.stdout is not None
            submitting.stdout.readline()
            while bedrock.count(CREATE) - before < attempt % 4:
                time.sleep(0.001)
            time.sleep(dice.uniform(0, 0.05))
            submitting.kill()
        created.append(bedrock.count(CREATE) - before)
        requests = [
            BedrockConverseRequest(
                messages=[{"role": "user", "content": [{"text": f"What is {n}?"}]}],
                request_id=f"q{n}",
            )
            for n in range(30)
        ]
        job = make_batch(bucket, max_records=10).submit(requests, client_request_token=token)
        job.wait(sleep=lambda _: None)
        assert job.results().successful_request_ids == [f"q{n}" for n in range(30)]
        mine = pages.paginate(nameContains=f"batch-{token}-").search(
            "invocationJobSummaries[].jobArn"
        )
        assert sorted(mine) == sorted(job.job_arns)
    assert set(created) == {0, 1, 2, 3}


# Scale: everything but our own code in other processes

MEASURE = """if True:
    import sys
    from bestehorn_llmmanager.bedrock.batch import BatchInference, BatchLimits
    from bestehorn_llmmanager.bedrock.catalog import CacheMode
    from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
    bucket, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    batch = BatchInference(
        "Nova Lite", "us-east-1", role_arn="arn:aws:iam::123456789012:role/batch",
        s3_uri=f"s3://{bucket}/mine", limits=BatchLimits(min_records=1, max_records=5000),
        catalog_cache_mode=CacheMode.NONE, catalog_refresh="never",
    )

    def peak():  # in KiB; `ru_maxrss` would begin with that of the process that started this one
        with open("/proc/self/status") as file:
            return next(line.split()[1] for line in file if line.startswith("VmHWM"))

    image = {"image": {"format": "png", "source": {"bytes": b"x" * size}}}
    blocks = [image] if size > 10_000 else []
    text = "x" * (1 if blocks else size)
    requests = (
        BedrockConverseRequest(
            messages=[{"role": "user", "content": [*blocks, {"text": text}]}], request_id=f"q{n}"
        )
        for n in range(count)
    )
    job = batch.submit(requests)
    submitted = peak()
    job.wait(sleep=lambda _: None)
    answered = sum(response.success for _, response in job.iter_results())
    print(answered, submitted, peak())
"""


@pytest.fixture
def elsewhere(bedrock: LocalBedrock, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Bedrock and an S3 in processes of their own, with a bucket."""
    code = (
        "import sys, logging; from moto.server import ThreadedMotoServer;"
        "logging.getLogger('werkzeug').setLevel(logging.ERROR);"
        "s = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False); s.start();"
        "print(s.get_host_and_port()[1], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as moto:
        assert moto.stdout is not None
        url = f"http://127.0.0.1:{moto.stdout.readline().strip()}"
        with LocalBedrockProcess(s3_endpoint=url) as process:
            process.run_batches(BatchRun(steps=20))
            for name, value in process.environment().items():
                monkeypatch.setenv(name, value)
            process.client("s3", endpoint_url=url).create_bucket(Bucket="jobs")
            yield "jobs"
        moto.kill()


def measured(bucket: str, count: int, size: int) -> tuple[float, float]:
    """Peak memory in MiB after so many requests of so many bytes were submitted, and at the end."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, bucket, str(count), str(size)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers, submitted, ended = map(int, done.stdout.split())
    assert answers == count
    return submitted / 1024, ended / 1024


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="measures as Linux does")
@pytest.mark.parametrize(
    ("few", "many", "size", "most"),
    [
        # An id and where its record ends take some 150 bytes; the requests would take 200 MiB.
        pytest.param(5_000, 100_000, 2_000, 25, id="many requests"),
        # 480 MiB in one file, in 30 parts, of which four are under way at once.
        pytest.param(10, 120, 3 * MIB, 150, id="large requests"),
    ],
)
def test_memory_stays_flat(elsewhere: str, few: int, many: int, size: int, most: float) -> None:
    before, after = measured(elsewhere, few, size), measured(elsewhere, many, size)
    print(f"MiB submitted, read: {before} for {few}, {after} for {many}")  # noqa: T201
    assert max(after) - max(before) < most
