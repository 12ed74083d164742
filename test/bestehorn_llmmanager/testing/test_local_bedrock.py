"""LocalBedrock as a server: addresses, counting, life and death, plain HTTP."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOVA = "amazon.nova-lite-v1:0"
HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]
BODY = json.dumps({"messages": HELLO}).encode()
CONVERSE = f"/model/{NOVA.replace(':', '%3A')}/converse"
SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=AKID/20260601/us-east-1/bedrock/aws4_request,"
    " SignedHeaders=host, Signature=00"
}


def _port(bedrock: LocalBedrock) -> int:
    return int(bedrock.url.rpartition(":")[2])


@pytest.fixture
def http_connection(bedrock: LocalBedrock) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", _port(bedrock), timeout=5)
    yield connection
    connection.close()


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, str | None, dict[str, Any]]:
    connection.request(method, path, body, {**SIGNED, **headers})
    response = connection.getresponse()
    content = response.read()
    return response.status, response.headers["x-amzn-ErrorType"], json.loads(content or b"{}")


def _text(answer: dict[str, Any]) -> str:
    text: str = answer["output"]["message"]["content"][0]["text"]
    return text


@pytest.mark.parametrize(
    ("prefix", "region"), [("/region/eu-west-1", "eu-west-1"), ("", "us-east-1")]
)
def test_a_bearer_key_has_the_region_of_its_endpoint(
    http_connection: http.client.HTTPConnection, prefix: str, region: str
) -> None:
    _, _, answer = _ask(http_connection, "POST", prefix + CONVERSE, BODY, Authorization="Bearer k")
    assert f"in {region}" in _text(answer)


def test_a_signature_for_another_region_than_the_endpoints_is_refused(
    bedrock: LocalBedrock,
) -> None:
    client = bedrock.client(region="us-east-1", endpoint_url=bedrock.endpoint("eu-west-1"))
    with pytest.raises(ClientError, match=r"InvalidSignatureException.*valid region"):
        client.converse(modelId=NOVA, messages=HELLO)


def test_an_unsigned_request_is_refused(http_connection: http.client.HTTPConnection) -> None:
    status, code, answer = _ask(http_connection, "POST", CONVERSE, BODY, Authorization="")
    assert (status, code) == (403, "MissingAuthenticationTokenException")
    assert answer == {"message": "Missing Authentication Token"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/model/x/invoke"),
        ("GET", "/"),
        ("GET", CONVERSE),
        ("DELETE", "/foundation-models"),
    ],
)
def test_what_is_not_served_is_an_unknown_operation(
    bedrock: LocalBedrock, http_connection: http.client.HTTPConnection, method: str, path: str
) -> None:
    status, code, _ = _ask(http_connection, method, path)
    assert (status, code) == (404, "UnknownOperationException")
    assert bedrock.count("UnknownOperation") == 1


def test_an_answer_to_head_has_no_body(http_connection: http.client.HTTPConnection) -> None:
    for _ in range(2):  # A body in between would garble the second answer.
        assert _ask(http_connection, "HEAD", "/foundation-models")[0] == 404


def test_a_chunked_request_body_is_read(http_connection: http.client.HTTPConnection) -> None:
    for _ in range(2):
        chunks = iter([BODY[:10], BODY[10:]])
        status, _, answer = _ask(http_connection, "POST", CONVERSE, chunks)
        assert (status, "received 1 word." in _text(answer)) == (200, True)


def test_a_client_that_waits_for_100_continue_is_told_to_go_on(bedrock: LocalBedrock) -> None:
    with socket.create_connection(("127.0.0.1", _port(bedrock)), timeout=5) as client:
        head = (
            f"POST {CONVERSE} HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: {len(BODY)}\r\n"
        )
        client.sendall(f"{head}Authorization: {SIGNED['Authorization']}\r\n\r\n".encode())
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(BODY)
        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (
            b'{"messages": [{}]}',
            (
                "2 validation errors detected: Value at 'messages.1.member.role' failed to satisfy"
                " constraint: Member must not be null; Value at 'messages.1.member.content' failed"
            ),
        ),
        (b'{"messages": "x"}', "Member must be a list"),
        (b'{"messages": [], "mesages": []}', "Value at 'mesages' failed"),
        (b'{"messages": [{"role": "user", "content": [{"text": 1}]}]}', "must be a string"),
        (b'{"messages": [{"role": "user", "content": [{}]}]}', "exactly one union member"),
    ],
)
def test_a_body_that_does_not_fit_the_service_model_is_refused(
    http_connection: http.client.HTTPConnection, body: bytes, sentence: str
) -> None:
    status, code, answer = _ask(http_connection, "POST", CONVERSE, body)
    assert (status, code) == (400, "ValidationException")
    assert sentence in answer["message"]


@pytest.mark.parametrize(
    "garbage",
    [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"x" * 70_000,
     b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n"],
)  # fmt: skip
def test_garbage_is_a_bad_request(bedrock: LocalBedrock, garbage: bytes) -> None:
    with socket.create_connection(("127.0.0.1", _port(bedrock)), timeout=5) as client:
        client.sendall(garbage)
        assert client.recv(1000).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_what_was_served_is_counted(bedrock: LocalBedrock, client: Callable[..., Any]) -> None:
    before = time.time()
    client("bedrock").list_foundation_models()
    client().converse(modelId=NOVA, messages=HELLO)
    client(region="eu-west-1").converse(modelId=f"eu.{NOVA}", messages=HELLO)
    assert bedrock.count() == 3
    assert bedrock.count("Converse") == 2
    assert bedrock.count(region="us-east-1") == 2
    assert bedrock.count("Converse", "eu-west-1", f"eu.{NOVA}") == 1
    last = bedrock.requests[-1]
    assert (last.operation, last.region, last.status) == ("Converse", "eu-west-1", 200)
    assert before <= last.time <= time.time()
    assert last.body == {"messages": HELLO}
    bedrock.reset()
    assert (bedrock.count(), bedrock.requests) == (0, ())


def test_bodies_are_kept_only_on_request(snapshot: dict[str, Any]) -> None:
    with LocalBedrock(snapshot) as bedrock:
        bedrock.client().converse(modelId=NOVA, messages=HELLO)
        assert bedrock.requests[-1].body is None


def test_one_connection_serves_many_requests(
    bedrock: LocalBedrock, client: Callable[..., Any]
) -> None:
    for _ in range(5):
        client("bedrock").list_foundation_models()
        client().converse(modelId=NOVA, messages=HELLO)
    assert bedrock.connections_by_region() == {"us-east-1": 1}


def test_twenty_threads_are_served_at_once(snapshot: dict[str, Any]) -> None:
    together = threading.Barrier(20, timeout=10)

    def reply(_: Any) -> str:
        together.wait()  # Passes only if all twenty requests are being answered.
        return "together"

    with LocalBedrock(snapshot) as bedrock, ThreadPoolExecutor(20) as pool:
        bedrock.reply_with(reply)
        client = bedrock.client(config=Config(max_pool_connections=20))
        call = lambda _: _text(client.converse(modelId=NOVA, messages=HELLO))  # noqa: E731
        assert list(pool.map(call, range(20))) == ["together"] * 20
        assert len({served.connection for served in bedrock.requests}) == 20


def test_no_thread_and_no_port_is_left_after_stop(snapshot: dict[str, Any]) -> None:
    bedrock = LocalBedrock(snapshot).start()
    port = _port(bedrock)

    def threads() -> list[str]:
        return [t.name for t in threading.enumerate() if f"LocalBedrock-{port}" in t.name]

    client = bedrock.client()  # kept, or its connection would go with it
    client.converse(modelId=NOVA, messages=HELLO)
    assert len(threads()) == 2
    bedrock.stop()
    bedrock.stop()
    assert threads() == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_stopping_does_not_wait_for_requests_that_hang(snapshot: dict[str, Any]) -> None:
    before = set(threading.enumerate())
    with LocalBedrock(snapshot) as bedrock:
        bedrock.fail(Fault.hang(), operation="Converse")
        bedrock.fail(Fault.slow(60), operation="ConverseStream")
        hasty = bedrock.client(config=Config(read_timeout=30, retries={"total_max_attempts": 1}))
        calls = [
            threading.Thread(target=_give_up, args=(call,))
            for call in (hasty.converse, hasty.converse_stream)
        ]
        for call in calls:
            call.start()
        while bedrock.count() < 2:
            time.sleep(0.001)
        started = time.perf_counter()
    assert time.perf_counter() - started < 2
    for call in calls:
        call.join(5)
    assert set(threading.enumerate()) <= before


def _give_up(call: Callable[..., Any]) -> None:
    with pytest.raises(HTTPClientError):
        call(modelId=NOVA, messages=HELLO)


def test_it_can_be_started_again(snapshot: dict[str, Any]) -> None:
    bedrock = LocalBedrock(snapshot)
    for _ in range(2):
        with bedrock:
            bedrock.client().converse(modelId=NOVA, messages=HELLO)
    assert bedrock.count() == 2


def test_a_stopped_one_has_no_url_and_says_what_to_do(snapshot: dict[str, Any]) -> None:
    bedrock = LocalBedrock(snapshot)
    assert repr(bedrock) == "LocalBedrock(stopped)"
    with pytest.raises(RuntimeError, match=r"call `start\(\)`"):
        _ = bedrock.url


def test_a_negative_latency_is_refused() -> None:
    with pytest.raises(ValueError, match="`latency`"):
        LocalBedrock(latency=-1)


def test_started_by_hand_it_sets_the_environment_until_it_is_stopped(
    snapshot: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    endpoint = LocalBedrock(snapshot, set_environment=True).start()
    assert os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] == endpoint.url
    assert "AWS_PROFILE" not in os.environ
    endpoint.stop()
    assert "AWS_ENDPOINT_URL_BEDROCK_RUNTIME" not in os.environ
    assert os.environ["AWS_PROFILE"] == "mine"


def test_the_environment_is_set_on_request_and_restored(
    snapshot: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "before")
    before = dict(os.environ)
    with LocalBedrock(snapshot, set_environment=True):
        answer = (
            boto3.session.Session().client("bedrock-runtime").converse(modelId=NOVA, messages=HELLO)
        )
        assert "in us-east-1" in _text(answer)
    assert dict(os.environ) == before
    with LocalBedrock(snapshot):
        assert dict(os.environ) == before


@pytest.mark.parametrize(("year", "retired"), [(2025, False), (2027, True)])
def test_the_clock_retires_a_model(snapshot: dict[str, Any], year: int, retired: bool) -> None:
    with LocalBedrock(snapshot, now=lambda: datetime(year, 1, 1, tzinfo=timezone.utc)) as bedrock:
        request = {"modelId": "ai21.jamba-v1:0", "messages": HELLO}
        if retired:
            with pytest.raises(ClientError, match="reached the end of its life"):
                bedrock.client().converse(**request)
        else:
            bedrock.client().converse(**request)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 in one file."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=LocalBedrock"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", folder / "key.pem", "-out", folder / "certificate.pem"),
        ],
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    parts = [folder / "certificate.pem", folder / "key.pem"]
    both.write_text("".join(part.read_text() for part in parts))
    return both


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_boto3_sends_bearer_keys_where_tls_is_spoken(
    snapshot: dict[str, Any], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-api-key-made-up")
    before = set(threading.enumerate())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with LocalBedrock(snapshot, tls=context) as bedrock:
        once = Config(retries={"total_max_attempts": 1}, read_timeout=5)
        client = bedrock.client(region="eu-west-1", verify=str(certificate), config=once)
        assert "in eu-west-1" in _text(client.converse(modelId=NOVA, messages=HELLO))
        bedrock.fail(Fault.reset(), times=1)
        with pytest.raises(HTTPClientError):
            client.converse(modelId=NOVA, messages=HELLO)
        bedrock.fail(Fault.slow(0.01), times=1)
        client.converse(modelId=NOVA, messages=HELLO)
        assert bedrock.count("Converse", "eu-west-1") == 3
    assert set(threading.enumerate()) <= before
