"""Serves a LocalBedrock from another process, whose interpreter lock is its own."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import bestehorn_llmmanager
from bestehorn_llmmanager.testing._endpoint import Endpoint
from bestehorn_llmmanager.testing._ledger import ServedRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from bestehorn_llmmanager.testing._batch import BatchRun
    from bestehorn_llmmanager.testing._faults import Fault

_STOP_SECONDS = 10.0
_CONTROL_SECONDS = 30.0


class LocalBedrockProcess(Endpoint):
    """`LocalBedrock` in a process of its own: what benchmarks measure against.

    Safe to share between threads. Use as a context manager, or call `start` and `stop`.

    Args:
        snapshot: Path of a JSON file, see `LocalBedrock`; None: the bundled catalogue.
        latency: Seconds that every answer takes at least.
        record_bodies: Whether `requests` keeps the bodies.
        seed: Decides which calls a fault with `share` meets.
        s3_endpoint: URL of the S3 that batch jobs read and write.
    """

    def __init__(
        self,
        snapshot: str | Path | None = None,
        *,
        latency: float = 0.0,
        record_bodies: bool = False,
        seed: int = 0,
        s3_endpoint: str | None = None,
    ) -> None:
        super().__init__(s3_endpoint)
        self._arguments = [f"--latency={latency}", f"--seed={seed}"]
        if s3_endpoint is not None:
            self._arguments.append(f"--s3-endpoint={s3_endpoint}")
        if snapshot is not None:
            self._arguments.append(f"--snapshot={snapshot}")
        if record_bodies:
            self._arguments.append("--record-bodies")
        self._process: subprocess.Popen[str] | None = None
        self._url: str | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Start the process and wait until it serves; does nothing when running."""
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 (our own module, our own arguments)
                [sys.executable, "-m", "bestehorn_llmmanager.testing", *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": _python_path()},
            )
            self._url = self._read_url(self._process)
        return self

    def stop(self) -> None:
        """End the process; forcibly if it does not end in ten seconds."""
        process, self._process, self._url = self._process, None, None
        if process is None:
            return
        try:
            process.communicate(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    @property
    def url(self) -> str:
        if self._url is None:
            raise RuntimeError(
                "LocalBedrockProcess is not running: call `start()` or use it in a `with`"
            )
        return self._url

    @property
    def pid(self) -> int:
        assert self._process is not None, "LocalBedrockProcess is not running"
        return self._process.pid

    @property
    def requests(self) -> tuple[ServedRequest, ...]:
        """As `LocalBedrock.requests`; asks the process."""
        return tuple(ServedRequest(**served) for served in self._ask("requests")["requests"])

    @property
    def errors(self) -> tuple[str, ...]:
        """As `LocalBedrock.errors`; asks the process."""
        return tuple(self._ask("requests")["errors"])

    def count(
        self,
        operation: str | None = None,
        region: str | None = None,
        model_id: str | None = None,
    ) -> int:
        """As `LocalBedrock.count`."""
        wanted = {"operation": operation, "region": region, "model_id": model_id}
        query = urlencode({name: value for name, value in wanted.items() if value is not None})
        return int(self._ask(f"count?{query}")["count"])

    def connections_by_region(self) -> dict[str, int]:
        """As `LocalBedrock.connections_by_region`."""
        return dict(self._ask("requests")["connections_by_region"])

    def reply_with(
        self, reply: str | Mapping[str, Any] | Sequence[Mapping[str, Any]], **options: Any
    ) -> None:
        """As `LocalBedrock.reply_with`, but without functions: they cannot travel."""
        self._tell("reply", {"reply": reply, **options})

    def register_target(self, arn: str, model_id: str) -> None:
        """As `LocalBedrock.register_target`."""
        self._tell("target", {"arn": arn, "model_id": model_id})

    def fail(self, fault: Fault, **options: Any) -> None:
        """As `LocalBedrock.fail`, with the same options."""
        self._tell("fault", {"fault": asdict(fault), **options})

    def limit_tokens(
        self,
        tokens_per_minute: int,
        model_id: str | None = None,
        region: str | None = None,
        *,
        period: float = 60.0,
    ) -> None:
        """As `LocalBedrock.limit_tokens`."""
        where = {"model_id": model_id, "region": region, "period": period}
        self._tell("quota", {"tokens_per_minute": tokens_per_minute, **where})

    def run_batches(self, run: BatchRun, *, times: int | None = None) -> None:
        """As `LocalBedrock.run_batches`."""
        self._tell("batches", {"run": asdict(run), "times": times})

    def clear_faults(self) -> None:
        """As `LocalBedrock.clear_faults`."""
        self._tell("clear_faults", {})

    def reset(self) -> None:
        """As `LocalBedrock.reset`."""
        self._tell("reset", {})

    def _read_url(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError(
                f"LocalBedrock ended at once with status {process.returncode}; "
                "its standard error says why"
            )
        return str(json.loads(line)["url"])

    def _ask(self, what: str) -> dict[str, Any]:
        return self._control("GET", what, None)

    def _tell(self, what: str, options: Mapping[str, Any]) -> None:
        self._control("POST", what, json.dumps(options))

    def _control(self, method: str, what: str, body: str | None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=_CONTROL_SECONDS)
        try:
            connection.request(method, f"/_local/{what}", body)
            answer: dict[str, Any] = json.load(connection.getresponse())
        finally:
            connection.close()
        if "error" in answer:
            raise ValueError(f"LocalBedrock refused {what!r}: {answer['error']}")
        return answer


def _python_path() -> str:
    """Lets the process find this package where it is not installed, as in a checkout."""
    package = Path(next(iter(bestehorn_llmmanager.__path__)))
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join(filter(None, (str(package.parent), inherited)))
