"""Tests following, stopping and reading jobs, however they go."""

from __future__ import annotations

import json
import logging
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from bestehorn_llmmanager.bedrock.auth import AuthManager
from bestehorn_llmmanager.bedrock.batch import BatchInference, BatchJob, BatchLimits, BatchStatus
from bestehorn_llmmanager.bedrock.batch.output import JobOutput
from bestehorn_llmmanager.bedrock.exceptions import AuthenticationError, ConfigurationError
from bestehorn_llmmanager.bedrock.exceptions.batch_exceptions import (
    BatchError,
    BatchRecordError,
    BatchTimeoutError,
)
from bestehorn_llmmanager.testing import BatchRun, Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable

    from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest

    Ask = Callable[..., BedrockConverseRequest]
    Requests = Callable[[int], list[BedrockConverseRequest]]
    MakeBatch = Callable[..., BatchInference]

GET, STOP = "GetModelInvocationJob", "StopModelInvocationJob"
BUSY = [Fault.throttling(), Fault.internal_error(), Fault.unavailable()]


def ended(job: BatchJob) -> BatchJob:
    job.wait(sleep=lambda _: None)
    return job


# Waiting


def test_waiting_tells_each_step(
    bedrock: LocalBedrock, batch: BatchInference, requests: Requests
) -> None:
    bedrock.run_batches(BatchRun(steps=3, record_errors={"R0000000001": (400, "no")}))
    told: list[tuple[str, int, int, int, int]] = []

    def tell(status: BatchStatus) -> None:
        told.append(
            (status.status, status.total, status.processed, status.succeeded, status.failed)
        )

    status = batch.submit(requests(3)).wait(progress=tell, sleep=lambda _: None)
    assert told == [
        ("Validating", 0, 0, 0, 0),
        ("Scheduled", 3, 0, 0, 0),
        ("InProgress", 3, 1, 0, 1),
        ("InProgress", 3, 2, 1, 1),
        ("InProgress", 3, 3, 2, 1),
        ("Completed", 3, 3, 2, 1),
    ]
    assert status.is_over
    assert str(status) == "Completed, 3 of 3 records"


def test_pauses_grow_with_jitter_up_to_the_longest(
    bedrock: LocalBedrock, batch: BatchInference, requests: Requests, pauses: list[float]
) -> None:
    bedrock.run_batches(BatchRun(steps=10))
    batch.submit(requests(1)).wait(max_pause=20, sleep=pauses.append)
    longest = [5, 7.5, 11.25, 16.875, *[20] * 8]
    assert len(pauses) == len(longest)
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, longest, strict=True))
    assert len({pause / most for pause, most in zip(pauses, longest, strict=True)}) > 6


@pytest.mark.parametrize("fault", BUSY)
def test_waiting_outlasts_a_service_that_is_busy(
    bedrock: LocalBedrock,
    make_batch: MakeBatch,
    requests: Requests,
    pauses: list[float],
    fault: Fault,
) -> None:
    job = make_batch(boto3_config=_impatient()).submit(requests(1))
    bedrock.fail(fault, operation=GET, times=9)
    assert job.wait(sleep=pauses.append).status == "Completed"
    assert len(pauses) == 9 + 3


def test_waiting_outlasts_connections_that_break(
    bedrock: LocalBedrock, make_batch: MakeBatch, requests: Requests, pauses: list[float]
) -> None:
    job = make_batch(boto3_config=_impatient()).submit(requests(1))
    bedrock.fail(Fault.reset(), operation=GET, times=5)
    assert job.wait(sleep=pauses.append).status == "Completed"


def test_waiting_ends_where_the_service_stays_away(
    bedrock: LocalBedrock, make_batch: MakeBatch, requests: Requests, pauses: list[float]
) -> None:
    job = make_batch(boto3_config=_impatient()).submit(requests(1))
    bedrock.fail(Fault.unavailable(), operation=GET)
    with pytest.raises(BatchError, match="ServiceUnavailableException") as caught:
        job.wait(sleep=pauses.append)
    assert caught.value.job_arns == job.job_arns
    assert len(pauses) == 9


def _impatient() -> Any:
    from bestehorn_llmmanager import Boto3Config

    return Boto3Config(retries_max_attempts=0)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.access_denied(), BatchError),
        (Fault.not_found(), BatchError),
        (Fault.expired_token(), AuthenticationError),
    ],
)
def test_waiting_ends_at_once_where_it_cannot_help(
    bedrock: LocalBedrock,
    batch: BatchInference,
    requests: Requests,
    pauses: list[float],
    fault: Fault,
    kind: type[Exception],
) -> None:
    job = batch.submit(requests(1))
    bedrock.fail(fault, operation=GET)
    with pytest.raises(kind):
        job.wait(sleep=pauses.append)
    assert pauses == []


def test_the_time_to_wait_can_be_limited(
    bedrock: LocalBedrock, batch: BatchInference, requests: Requests
) -> None:
    bedrock.run_batches(BatchRun(steps=1000))
    job = batch.submit(requests(1))
    with pytest.raises(BatchTimeoutError, match="They go on") as caught:
        job.wait(timeout=0.05)
    assert caught.value.job_arns == job.job_arns
    assert not job.status().is_over


def test_ctrl_c_ends_the_waiting_and_says_how_to_go_on(
    bedrock: LocalBedrock,
    batch: BatchInference,
    requests: Requests,
    caplog: pytest.LogCaptureFixture,
) -> None:
    job = batch.submit(requests(1))

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with caplog.at_level(logging.WARNING), pytest.raises(KeyboardInterrupt):
        job.wait(sleep=interrupted)
    (record,) = [each for each in caplog.records if "still running" in each.message]
    assert job.job_arns[0] in record.message
    assert "BatchInference.resume" in record.message
    assert bedrock.count(STOP) == 0
    assert ended(job).status().status == "Completed"


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": True},
        {"timeout": "1"},
        {"max_pause": 0},
        {"progress": "yes"},
    ],
)
def test_wrong_arguments_of_waiting_are_refused(
    bedrock: LocalBedrock, batch: BatchInference, requests: Requests, wrong: dict[str, Any]
) -> None:
    job = batch.submit(requests(1))
    with pytest.raises(ConfigurationError, match=f"`{next(iter(wrong))}` must be"):
        job.wait(**wrong)
    assert bedrock.count(GET) == 0


def test_a_bar_shows_the_records(
    bedrock: LocalBedrock,
    batch: BatchInference,
    requests: Requests,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("tqdm")
    bedrock.run_batches(BatchRun(record_errors={"R0000000001": (400, "no")}))
    batch.submit(requests(3)).wait(progress=True, sleep=lambda _: None)
    assert "3/3" in capsys.readouterr().err


def test_the_reason_of_a_failure_is_told_to_those_who_ask_only(
    bedrock: LocalBedrock, batch: BatchInference, requests: Requests
) -> None:
    bedrock.run_batches(BatchRun(outcome="Failed", message="about the secret prompt"))
    job = ended(batch.submit(requests(1)))
    status = job.status()
    assert status.jobs[0].message == "about the secret prompt"
    results = job.results()
    assert "secret" not in f"{status} {status!r} {results!r} {results.warnings} {results.to_dict()}"


def test_several_jobs_have_one_status(
    bedrock: LocalBedrock, batch: BatchInference, requests: Requests
) -> None:
    bedrock.run_batches(BatchRun(outcome="Failed"), times=1)
    bedrock.run_batches(BatchRun(steps=3))
    told: list[str] = []
    status = batch.submit(requests(4)).wait(
        progress=lambda each: told.append(each.status), sleep=lambda _: None
    )
    assert told == [
        "Validating",
        "Scheduled",
        "InProgress",
        *["InProgress"] * 2,
        "PartiallyCompleted",
    ]
    assert [job.status for job in status.jobs] == ["Failed", "Completed"]
    assert (status.total, status.processed) == (4, 1)


# Results


def test_results_are_in_the_order_of_the_requests_whatever_that_of_the_output(
    bedrock: LocalBedrock, batch: BatchInference, requests: Requests
) -> None:
    bedrock.run_batches(BatchRun(shuffle=True, output_files=2))
    bedrock.reply_with(lambda request: request.body["messages"][0]["content"][0]["text"])
    job = ended(batch.submit(requests(8)))
    results = job.results()
    assert results.success
    assert [
        (name, response.get_content()) for name, response in results.request_responses.items()
    ] == [(f"q{n}", "word " * n) for n in range(1, 9)]
    assert results.original_requests == {}
    assert results.parallel_execution_stats is not None
    assert results.parallel_execution_stats.region_distribution == {"us-east-1": 8}
    by_id = dict(job.iter_results())
    assert by_id == results.request_responses
    assert list(by_id) != list(results.request_responses)


def test_a_response_says_where_it_comes_from(
    bedrock: LocalBedrock, batch: BatchInference, requests: Requests
) -> None:
    job = ended(batch.submit(requests(1)))
    response = job.results().request_responses["q1"]
    (attempt,) = response.attempts
    status = job.status().jobs[0]
    assert (response.model_used, response.model_id_used) == ("Nova Lite", "amazon.nova-lite-v1:0")
    assert (response.region_used, response.access_method_used) == ("us-east-1", "direct")
    assert response.api_latency_ms == 0
    assert (attempt.success, attempt.error) == (True, None)
    assert (attempt.start_time, attempt.end_time) == (status.submitted_at, status.ended_at)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ValidationException"),
        (429, "ThrottlingException"),
        (500, "InternalServerException"),
        (418, "418"),
    ],
)
def test_a_record_that_failed_has_the_services_error(
    bedrock: LocalBedrock, batch: BatchInference, requests: Requests, status: int, code: str
) -> None:
    bedrock.run_batches(BatchRun(record_errors={"R0000000002": (status, "about your prompt")}))
    results = ended(batch.submit(requests(3))).results()
    assert results.success
    assert results.failed_request_ids == ["q2"]
    assert results.warnings == [f"Request q2 failed: {code}"]
    error = results.request_responses["q2"].get_last_error()
    assert isinstance(error, ClientError)
    assert error.response["Error"] == {"Code": code, "Message": "about your prompt"}
    assert error.response["ResponseMetadata"] == {"HTTPStatusCode": status}
    assert list(results.get_failed_by_exception_type("ClientError")) == ["q2"]
    assert list(results.original_requests.values()) == [requests(3)[1]]


def test_a_record_that_the_service_refuses_is_a_failure_of_its_own(
    bedrock: LocalBedrock, batch: BatchInference, requests: Requests, ask: Ask
) -> None:
    results = ended(batch.submit([*requests(1), ask("blank", " ")])).results()
    assert results.successful_request_ids == ["q1"]
    assert results.failed_request_ids == ["blank"]


@pytest.mark.parametrize(
    ("run", "succeeded", "words"),
    [
        (BatchRun(outcome="Stopped"), 2, "failed: The job of 'q3' ended as 'Stopped'"),
        (BatchRun(outcome="PartiallyCompleted"), 2, "timed out: The job of 'q3' ended as"),
        (BatchRun(outcome="Expired"), 0, "timed out: The job of 'q1' ended as 'Expired'"),
        (BatchRun(outcome="Failed"), 0, "failed: The job of 'q1' ended as 'Failed'"),
        (BatchRun(min_records=4), 0, "failed: The job of 'q1' ended as 'Failed'"),
        (BatchRun(processed=0.5), 2, "failed: The output of its job does not have 'q3'"),
    ],
)
def test_what_a_job_did_not_process_is_a_failure_and_can_be_asked_again(
    bedrock: LocalBedrock,
    batch: BatchInference,
    requests: Requests,
    run: BatchRun,
    succeeded: int,
    words: str,
) -> None:
    bedrock.run_batches(run)
    given = requests(3)
    job = ended(batch.submit(given))
    results = job.results()
    names = [request.request_id for request in given]
    assert list(results.request_responses) == names
    assert results.successful_request_ids == names[:succeeded]
    assert results.failed_requests == names[succeeded:]
    assert bool(results.timed_out_request_ids) == ("timed out" in words)
    assert words in results.warnings[0]
    assert list(results.original_requests.values()) == given[succeeded:]
    errors = [each.get_last_error() for each in results.get_failed_responses().values()]
    assert {type(error) for error in errors} == {BatchRecordError}
    assert results.success == (succeeded > 0)
    assert {n: r.success for n, r in job.iter_results()} == {
        n: r.success for n, r in results.request_responses.items()
    }


def test_a_share_of_the_records_is_processed_and_not_one_more(
    bedrock: LocalBedrock, make_batch: MakeBatch, requests: Requests
) -> None:
    bedrock.run_batches(BatchRun(outcome="PartiallyCompleted", processed=0.07))
    job = ended(make_batch(limits=BatchLimits()).submit(requests(100)))
    assert job.status().processed == 7


def test_a_job_can_be_stopped_half_way(
    bedrock: LocalBedrock, batch: BatchInference, requests: Requests
) -> None:
    bedrock.run_batches(BatchRun(steps=3))
    job = batch.submit(requests(3))

    def stop_half_way(status: BatchStatus) -> None:
        if status.processed == 2:
            job.stop()

    assert job.wait(progress=stop_half_way, sleep=lambda _: None).status == "Stopped"
    results = job.results()
    assert results.successful_request_ids == ["q1", "q2"]
    assert results.failed_request_ids == ["q3"]


def test_stopping_leaves_what_is_over_alone(
    bedrock: LocalBedrock, batch: BatchInference, requests: Requests
) -> None:
    bedrock.run_batches(BatchRun(outcome="Failed"), times=1)
    bedrock.run_batches(BatchRun(steps=99))
    job = batch.submit(requests(4))
    for _ in range(4):
        job.status()
    job.stop()
    assert [each.status for each in ended(job).status().jobs] == ["Failed", "Stopped"]
    job.stop()


def test_a_job_that_cannot_be_stopped_does_not_keep_the_others_running(
    bedrock: LocalBedrock, batch: BatchInference, requests: Requests
) -> None:
    job = batch.submit(requests(4))
    bedrock.fail(Fault.access_denied("No."), operation=STOP, times=1)
    with pytest.raises(BatchError, match=r"cannot be stopped: No. \(AccessDeniedException\)"):
        job.stop()
    assert [each.status for each in ended(job).status().jobs] == ["Completed", "Stopped"]


def test_a_conflict_that_is_not_about_the_end_is_told(
    bedrock: LocalBedrock, batch: BatchInference, requests: Requests
) -> None:
    job = batch.submit(requests(1))
    bedrock.fail(Fault.error("ConflictException", 400, "Not now."), operation=STOP)
    with pytest.raises(BatchError, match="Not now"):
        job.stop()


def test_results_are_there_when_the_job_is_over(
    bedrock: LocalBedrock, batch: BatchInference, requests: Requests
) -> None:
    job = batch.submit(requests(1))
    with pytest.raises(BatchError, match=r"is 'Validating': `wait` until it is over"):
        job.results()
    with pytest.raises(BatchError, match=r"is 'Scheduled'"):
        next(job.iter_results())


# What S3 may have instead of what is expected


def output_key(s3: Any, bucket: str) -> str:
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    (key,) = [item["Key"] for item in listed if item["Key"].endswith(".jsonl.out")]
    return str(key)


def test_lines_that_are_no_records_cost_nothing_but_themselves(
    bedrock: LocalBedrock,
    s3: Any,
    bucket: str,
    batch: BatchInference,
    requests: Requests,
    caplog: pytest.LogCaptureFixture,
) -> None:
    job = ended(batch.submit(requests(3)))
    key = output_key(s3, bucket)
    first, second, third = s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()
    stranger = json.dumps({"recordId": "who", "error": {"errorCode": "Odd", "errorMessage": ""}})
    empty = json.dumps({**json.loads(second), "modelOutput": None})
    lines = [third, b"", third, b"{torn: secret", b"5", stranger.encode(), empty.encode(), first]
    s3.put_object(Bucket=bucket, Key=key, Body=b"\n".join(lines))
    with caplog.at_level(logging.WARNING):
        results = job.results()
    assert results.successful_request_ids == ["q1", "q3"]
    assert results.warnings == [
        "Request q2 failed: The job's record of 'q2' has neither an answer nor an error.",
        "Request who failed: Odd",
    ]
    assert [each.message for each in caplog.records] == [
        f"file=s3://{bucket}/{key} lines=2 | lines that are no records are left out"
    ]


def test_requests_are_named_even_if_the_input_is_gone(
    bedrock: LocalBedrock, s3: Any, bucket: str, batch: BatchInference, requests: Requests
) -> None:
    bedrock.run_batches(BatchRun(outcome="Stopped"))
    job = ended(batch.submit(requests(3), client_request_token="t"))
    s3.delete_object(Bucket=bucket, Key="mine/t/0001/input/part-0001.jsonl")
    results = job.results()
    assert results.failed_request_ids == ["q3"]
    assert results.original_requests == {}


@pytest.mark.parametrize("note", [None, b"{}", b"[1]", b"\xff", b'{"version": 2}'])
def test_jobs_of_other_programs_have_their_record_ids(
    bedrock: LocalBedrock,
    s3: Any,
    bucket: str,
    batch: BatchInference,
    requests: Requests,
    note: bytes | None,
) -> None:
    bedrock.run_batches(BatchRun(outcome="Stopped"))
    job = ended(batch.submit(requests(3), client_request_token="t"))
    key = "mine/t/0001/request-ids.json"
    if note is None:
        s3.delete_object(Bucket=bucket, Key=key)
    else:
        s3.put_object(Bucket=bucket, Key=key, Body=note)
    results = BatchInference.resume(job.job_arns[0]).results()
    assert results.successful_request_ids == ["R0000000001", "R0000000002"]
    assert results.failed_request_ids == ["R0000000003"]
    assert results.original_requests["R0000000003"].messages == requests(3)[2].messages
    response = results.request_responses["R0000000001"]
    assert response.model_used == "amazon.nova-lite-v1:0"
    assert response.access_method_used is None


def test_a_bucket_that_went_away_is_told(
    bedrock: LocalBedrock, s3: Any, bucket: str, batch: BatchInference, requests: Requests
) -> None:
    job = ended(batch.submit(requests(1)))
    for item in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        s3.delete_object(Bucket=bucket, Key=item["Key"])
    s3.delete_bucket(Bucket=bucket)
    with pytest.raises(BatchError, match="NoSuchBucket"):
        job.results()


# The handle


def test_a_handle_is_its_arns(batch: BatchInference, requests: Requests) -> None:
    job = batch.submit(requests(4))
    copied = pickle.loads(pickle.dumps(job))
    resumed = BatchInference.resume(job.job_arns)
    assert copied.job_arns == resumed.job_arns == job.job_arns
    with job, copied, resumed:
        ended(copied)
        assert resumed.results().request_responses == job.results().request_responses
        assert copied.results().request_responses == job.results().request_responses


def test_one_job_of_several_can_be_read_alone(batch: BatchInference, requests: Requests) -> None:
    job = ended(batch.submit(requests(7)))
    second = BatchInference.resume(job.job_arns[1])
    assert list(second.results().request_responses) == ["q4", "q5", "q6"]


def test_jobs_of_two_submissions_with_the_same_ids_are_not_mixed(
    batch: BatchInference, requests: Requests, ask: Ask
) -> None:
    first, second = (
        ended(batch.submit(given)) for given in (requests(2), [ask("q2"), ask("other")])
    )
    both = BatchInference.resume(first.job_arns + second.job_arns)
    with pytest.raises(BatchError, match="1 request ids, such as 'q2', are in several") as caught:
        both.results()
    assert caught.value.job_arns == both.job_arns
    assert [name for name, _ in both.iter_results()] == ["q1", "q2", "q2", "other"]


def test_a_job_that_is_named_twice_is_one(batch: BatchInference, requests: Requests) -> None:
    job = ended(batch.submit(requests(2)))
    twice = BatchInference.resume(job.job_arns * 2)
    assert twice.job_arns == job.job_arns
    assert [name for name, _ in twice.iter_results()] == ["q1", "q2"]


def test_a_job_of_another_kind_is_not_read(
    bedrock: LocalBedrock, batch: BatchInference, requests: Requests
) -> None:
    job = ended(batch.submit(requests(1)))
    described = bedrock.client("bedrock").get_model_invocation_job(jobIdentifier=job.job_arns[0])
    with pytest.raises(BatchError, match="is not one of Converse requests"):
        JobOutput({**described, "modelInvocationType": "InvokeModel"}, "us-east-1", AuthManager())


def test_a_job_that_nobody_knows_is_told(bedrock: LocalBedrock) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abcdefghijkl"
    with pytest.raises(BatchError, match=rf"{arn}.*ResourceNotFoundException") as caught:
        BatchInference.resume(arn).status()
    assert caught.value.job_arns == [arn]
