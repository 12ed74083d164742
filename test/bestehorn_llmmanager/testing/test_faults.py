"""What goes wrong on demand, as botocore sees it."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.eventstream import ChecksumMismatch
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EventStreamError,
    HTTPClientError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from urllib3.exceptions import ProtocolError
from urllib3.exceptions import ReadTimeoutError as Urllib3ReadTimeoutError

from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable

NOVA = "amazon.nova-lite-v1:0"
HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]
# The same break reaches the caller as botocore's or as urllib3's error.
BROKEN_STREAM = (ResponseStreamingError, HTTPClientError, ProtocolError, ConnectionError)


def _converse(client: Any) -> str:
    answer = client.converse(modelId=NOVA, messages=HELLO)
    text: str = answer["output"]["message"]["content"][0]["text"]
    return text


def _outcome(client: Any) -> str:
    try:
        _converse(client)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "ok"


def _read(client: Any, into: list[dict[str, Any]]) -> None:
    """Put each event on the list as it comes: what came before an error is the point."""
    stream = client.converse_stream(modelId=NOVA, messages=HELLO)["stream"]
    with closing(stream):  # Else an error leaves the connection to the garbage collector.
        for event in stream:
            into.append(event)  # noqa: PERF402


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [
        (Fault.throttling(), "ThrottlingException", 429),
        (Fault.internal_error(), "InternalServerException", 500),
        (Fault.unavailable(), "ServiceUnavailableException", 503),
        (Fault.model_timeout(), "ModelTimeoutException", 408),
        (Fault.model_error(), "ModelErrorException", 424),
        (Fault.model_not_ready(), "ModelNotReadyException", 429),
        (Fault.access_denied(), "AccessDeniedException", 403),
        (Fault.not_found(), "ResourceNotFoundException", 404),
        (Fault.validation("Too long."), "ValidationException", 400),
        (Fault.expired_token(), "ExpiredTokenException", 403),
        (Fault.error("ServiceQuotaExceededException"), "ServiceQuotaExceededException", 400),
        (Fault.error("TeapotException", 418, "Short and stout."), "TeapotException", 418),
    ],
)
def test_a_refusal_arrives_with_its_code_status_and_message(
    bedrock: LocalBedrock, client: Callable[..., Any], fault: Fault, code: str, status: int
) -> None:
    bedrock.fail(fault)
    with pytest.raises(ClientError) as caught:
        _converse(client())
    response = caught.value.response
    assert response["Error"] == {"Code": code, "Message": fault.message}
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert (bedrock.requests[-1].status, bedrock.requests[-1].fault) == (status, "error")


def test_the_service_asks_for_a_pause_in_both_headers(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    bedrock.fail(Fault.throttling(retry_after=2))
    with pytest.raises(ClientError) as caught:
        _converse(client())
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["x-amz-retry-after"], headers["retry-after"]) == ("2000", "2")


def test_botocore_itself_retries_what_it_meets_once(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.unavailable(), times=1)
    patient = bedrock.client(config=Config(retries={"mode": "standard", "total_max_attempts": 2}))
    assert _converse(patient).startswith("LocalBedrock")
    assert [served.status for served in bedrock.requests] == [503, 200]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.reset(), ConnectionClosedError),
        (Fault.hang(seconds=0.01), ConnectionClosedError),
        (Fault.reset_in_body(), (ConnectionClosedError, HTTPClientError, ResponseStreamingError)),
    ],
)
def test_a_broken_answer_breaks_the_call(
    bedrock: LocalBedrock,
    client: Callable[..., Any],
    fault: Fault,
    error: type[Exception] | tuple[type[Exception], ...],
) -> None:
    bedrock.fail(fault, times=1)
    with pytest.raises(error):
        _converse(client())
    assert bedrock.requests[-1].fault == fault.kind
    assert _converse(client()).startswith("LocalBedrock")


def test_a_server_that_hangs_costs_the_clients_read_timeout(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.hang())
    hasty = bedrock.client(config=Config(read_timeout=0.1, retries={"total_max_attempts": 1}))
    with pytest.raises(ReadTimeoutError):
        _converse(hasty)
    assert bedrock.requests[-1].status is None


def test_delays_add_up_and_leave_the_answer_alone(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    bedrock.fail(Fault.slow(0.03), times=1)
    bedrock.fail(Fault.slow(0.03), times=1)
    started = time.perf_counter()
    assert _converse(client()).startswith("LocalBedrock")
    assert time.perf_counter() - started >= 0.06


def test_a_base_latency_delays_every_answer(snapshot: dict[str, Any]) -> None:
    with LocalBedrock(snapshot, latency=0.05) as bedrock:
        client = bedrock.client()
        started = time.perf_counter()
        answer = client.converse(modelId=NOVA, messages=HELLO)
        assert time.perf_counter() - started >= 0.05
        assert answer["metrics"]["latencyMs"] == 50


def test_a_fault_meets_only_what_it_was_asked_to(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    bedrock.fail(Fault.throttling(), operation="Converse", region="eu-west-1", model_id=NOVA)
    assert _outcome(client(region="eu-west-1")) == "ThrottlingException"
    assert _outcome(client(region="us-east-1")) == "ok"
    client("bedrock", "eu-west-1").list_foundation_models()
    client(region="eu-west-1").converse(modelId=f"eu.{NOVA}", messages=HELLO)


def test_a_fault_may_spare_the_first_calls_and_end(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    bedrock.fail(Fault.throttling(), after=1, times=2)
    outcomes = [_outcome(client()) for _ in range(5)]
    assert outcomes == ["ok", "ThrottlingException", "ThrottlingException", "ok", "ok"]


def test_the_first_of_several_faults_is_met_until_it_is_used_up(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    bedrock.fail(Fault.throttling(), times=1)
    bedrock.fail(Fault.unavailable())
    assert [_outcome(client()) for _ in range(2)] == [
        "ThrottlingException",
        "ServiceUnavailableException",
    ]
    bedrock.clear_faults()
    assert _outcome(client()) == "ok"


def test_a_share_of_calls_fails_and_the_seed_says_which(snapshot: dict[str, Any]) -> None:
    def outcomes(seed: int) -> list[str]:
        with LocalBedrock(snapshot, seed=seed) as bedrock:
            bedrock.fail(Fault.access_denied(), share=0.3)
            client = bedrock.client()
            return [_outcome(client) for _ in range(60)]

    first = outcomes(1)
    assert 8 <= first.count("AccessDeniedException") <= 28
    assert outcomes(1) == first
    assert outcomes(2) != first


def test_threads_share_what_times_allows(bedrock: LocalBedrock, client: Callable[..., Any]) -> None:
    bedrock.fail(Fault.access_denied(), times=7)
    shared = client()
    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(lambda _: _outcome(shared), range(40)))
    assert outcomes.count("AccessDeniedException") == 7


@pytest.mark.parametrize("options", [{"share": 1.5}, {"times": 0}, {"after": -1}, {"share": -0.1}])
def test_a_fault_that_cannot_be_is_refused(bedrock: LocalBedrock, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"`{next(iter(options))}`"):
        bedrock.fail(Fault.hang(), **options)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "nonsense"},
        {"kind": "hang", "seconds": -1},
        {"kind": "stream_cut", "after_events": -1},
    ],
)
def test_a_fault_is_checked_when_made(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        Fault(**fields)


def test_a_stream_may_end_early_without_any_error(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    bedrock.fail(Fault.stream_ends(after_events=3))
    events: list[dict[str, Any]] = []
    _read(client(), events)
    assert len(events) == 3
    assert not any("messageStop" in event for event in events)


@pytest.mark.parametrize(
    "fault",
    [Fault.stream_cut(after_events=3), Fault.stream_reset(after_events=3), Fault.reset_in_body()],
)
def test_a_stream_may_break_in_the_middle(
    bedrock: LocalBedrock, client: Callable[..., Any], fault: Fault
) -> None:
    bedrock.fail(fault, times=1)
    events: list[dict[str, Any]] = []
    with pytest.raises(BROKEN_STREAM):
        _read(client(), events)
    assert len(events) <= 3
    assert not any("messageStop" in event for event in events)
    _read(client(), events)
    assert "metadata" in events[-1]


def test_a_cut_stream_delivers_what_came_before(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    bedrock.fail(Fault.stream_cut(after_events=3))
    events: list[dict[str, Any]] = []
    with pytest.raises(BROKEN_STREAM):
        _read(client(), events)
    assert [next(iter(event)) for event in events] == [
        "messageStart",
        "contentBlockDelta",
        "contentBlockDelta",
    ]


@pytest.mark.parametrize(
    "code",
    [
        "throttlingException",
        "internalServerException",
        "validationException",
        "serviceUnavailableException",
        "modelStreamErrorException",
    ],
)
def test_an_exception_event_raises(
    bedrock: LocalBedrock, client: Callable[..., Any], code: str
) -> None:
    bedrock.fail(Fault.stream_error(code, "Went wrong.", after_events=2))
    events: list[dict[str, Any]] = []
    with pytest.raises(EventStreamError) as caught:
        _read(client(), events)
    assert len(events) == 2
    assert caught.value.response["Error"] == {"Code": code, "Message": "Went wrong."}


def test_an_exception_event_carries_what_the_model_said(bedrock: LocalBedrock) -> None:
    fault = Fault.stream_error(
        "modelStreamErrorException", "m", original_status=503, original_message="busy"
    )
    assert dict(fault.details) == {"originalStatusCode": 503, "originalMessage": "busy"}
    assert json.dumps(dict(fault.details))


def test_a_frame_with_a_broken_checksum_is_noticed(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    bedrock.fail(Fault.stream_broken_frame(after_events=1))
    events: list[dict[str, Any]] = []
    with pytest.raises(ChecksumMismatch):
        _read(client(), events)
    assert len(events) == 1


def test_what_is_no_json_reaches_the_caller_without_members(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    bedrock.fail(Fault.broken_json())
    assert set(client().converse(modelId=NOVA, messages=HELLO)) == {"ResponseMetadata"}
    events: list[dict[str, Any]] = []
    _read(client(), events)
    assert events[0] == {"messageStart": {}}
    assert "metadata" in events[-1]


def test_a_stream_may_pause_and_go_on(bedrock: LocalBedrock, client: Callable[..., Any]) -> None:
    bedrock.fail(Fault.stream_stalls(after_events=2, seconds=0.05))
    events: list[dict[str, Any]] = []
    started = time.perf_counter()
    _read(client(), events)
    assert time.perf_counter() - started >= 0.05
    assert "metadata" in events[-1]


def test_a_stream_that_stalls_costs_the_clients_read_timeout(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.stream_stalls(after_events=2))
    hasty = bedrock.client(config=Config(read_timeout=1, retries={"total_max_attempts": 1}))
    events: list[dict[str, Any]] = []
    with pytest.raises((ReadTimeoutError, Urllib3ReadTimeoutError)):
        _read(hasty, events)
    assert len(events) == 2


def test_stream_faults_leave_converse_alone(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    bedrock.fail(Fault.stream_cut())
    assert _outcome(client()) == "ok"
