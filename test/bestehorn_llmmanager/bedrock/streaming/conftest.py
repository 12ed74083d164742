"""Endpoints for tests of streams: the usual one, and one that sends whatever a test likes."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import LLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryConfig
from bestehorn_llmmanager.testing import LocalBedrock
from bestehorn_llmmanager.testing._event_stream import event_frame
from bestehorn_llmmanager.testing._server import HOST, LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from bestehorn_llmmanager.testing._http import HttpConnection

PATIENCE_SECONDS = 10


@dataclass
class Script:
    """One answer.

    Attributes:
        frames: What is sent.
        waits: Whether the client then has to leave before the answer is complete.
        before: What happens before its first byte.
    """

    frames: Iterable[bytes]
    waits: bool
    before: Callable[[], object]


class RawBedrock:
    """A ConverseStream that sends what its scripts say, one after the other.

    Attributes:
        bodies: What was asked, in order.
        connections: On which connection it was asked, in order.
        left: Set when the client has closed the connection on which a script waits.
    """

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.connections: list[int] = []
        self.left = threading.Event()
        self._scripts: deque[Script] = deque()

    def answer(
        self,
        *events: dict[str, Any] | bytes,
        waits: bool = False,
        before: Callable[[], object] = lambda: None,
    ) -> None:
        """Let the next request get these events; bytes are frames as they are."""
        self._scripts.append(Script(list(_frames(events)), waits, before))

    def answer_forever(self, event: dict[str, Any], *, every: float) -> None:
        """Let the next request get an event again and again, until its client leaves."""
        (each,) = _frames([event])
        self._scripts.append(Script(_repeated(each, every), waits=True, before=lambda: None))

    def is_left(self) -> bool:
        """Whether the client leaves; waits for it."""
        return self.left.wait(PATIENCE_SECONDS)

    def serve(self, connection: HttpConnection) -> None:
        headers = {"Content-Type": "application/vnd.amazon.eventstream"}
        while request := connection.read_request():
            self.bodies.append(json.loads(request.body))
            self.connections.append(connection.number)
            script = self._scripts.popleft()
            script.before()
            try:
                connection.start_chunks(200, headers)
                for frame in script.frames:
                    connection.send_chunk(frame)
                if script.waits and not connection.wait(PATIENCE_SECONDS):
                    self.left.set()
                    return
            except OSError:
                self.left.set()
                return
            connection.end_chunks()


def _frames(events: Iterable[dict[str, Any] | bytes]) -> Iterator[bytes]:
    for event in events:
        if isinstance(event, bytes):
            yield event
        else:
            for kind, payload in event.items():
                yield event_frame(kind, json.dumps(payload).encode())


def _repeated(frame: bytes, pause: float) -> Iterator[bytes]:
    while True:
        yield frame
        time.sleep(pause)


@contextmanager
def running(
    monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext | None = None
) -> Iterator[RawBedrock]:
    raw = RawBedrock()
    server = LoopbackServer(raw.serve, tls=tls)
    url = f"{'https' if tls else 'http'}://{HOST}:{server.port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    yield raw
    server.stop()


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> Iterator[RawBedrock]:
    """A running `RawBedrock` that boto3 clients of this process find by themselves."""
    with running(monkeypatch) as endpoint:
        yield endpoint


@pytest.fixture
def raw_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RawBedrock]:
    """The same over TLS."""
    if shutil.which("openssl") is None:
        pytest.skip("makes a certificate with openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *(
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=local",
                "-addext",
                "subjectAltName=IP:127.0.0.1",
            ),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    with running(monkeypatch, context) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def _endpoint() -> Iterator[LocalBedrock]:
    with LocalBedrock(record_bodies=True) as endpoint:
        yield endpoint


@pytest.fixture
def bedrock(_endpoint: LocalBedrock, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBedrock]:
    _endpoint.reset()
    for name, value in _endpoint.environment().items():
        monkeypatch.setenv(name, value)
    yield _endpoint
    assert _endpoint.errors == ()


@pytest.fixture
def new_manager() -> Iterator[Callable[..., LLMManager]]:
    """Makes managers that know the bundled catalogue, and are closed afterwards."""
    made: list[LLMManager] = []

    def make(
        models: Sequence[str] = ("Nova Lite",),
        regions: Sequence[str] = ("us-east-1",),
        *,
        max_retries: int = 0,
        **options: Any,
    ) -> LLMManager:
        options.setdefault("retry_config", RetryConfig(max_retries=max_retries, retry_delay=0))
        manager = LLMManager(
            models,
            regions,
            catalog_cache_mode=CacheMode.NONE,
            catalog_refresh="never",
            **options,
        )
        made.append(manager)
        return manager

    yield make
    for manager in made:
        manager.close()
