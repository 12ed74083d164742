"""Serves a snapshot of Bedrock on loopback, with replies and faults that a test can ask for."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.testing import _control
from bestehorn_llmmanager.testing._answering import Answering
from bestehorn_llmmanager.testing._batch import BatchJobs, BatchRun
from bestehorn_llmmanager.testing._catalogue import Catalogue, read_snapshot
from bestehorn_llmmanager.testing._endpoint import MISLEADING_VARIABLES, Endpoint
from bestehorn_llmmanager.testing._faults import Fault, FaultBook
from bestehorn_llmmanager.testing._ledger import Ledger
from bestehorn_llmmanager.testing._operations import ControlPlane
from bestehorn_llmmanager.testing._quota import QuotaBook
from bestehorn_llmmanager.testing._replies import ReplyBook, is_events
from bestehorn_llmmanager.testing._server import HOST, LoopbackServer
from bestehorn_llmmanager.testing._wire import event_problems, output_problems, routes

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from types import TracebackType

    from typing_extensions import Self

    from bestehorn_llmmanager.testing._ledger import ServedRequest
    from bestehorn_llmmanager.testing._replies import Reply

_REMEMBERED_REQUESTS = 100_000


class LocalBedrock(Endpoint):
    """A Bedrock endpoint for ordinary boto3 clients, on a free port of 127.0.0.1.

    Serves ListFoundationModels, ListInferenceProfiles, GetFoundationModel, GetInferenceProfile,
    Converse, ConverseStream and CountTokens, as far as the installed botocore has them, and runs
    batch jobs of Converse requests (Create-, Get-, List- and StopModelInvocationJob). The region is
    that of the request's signature (which is not verified) or, for bearer keys, that of
    `endpoint(region)`. Requests and replies are checked against botocore's service model.

    A text that was set as reply is continued where the request ends with the beginning of it, as
    models do that continue an answer. Not imitated: what the prompt cache counts, which kinds of
    content, parameters and features a model takes (ask for `Fault.validation`), guardrails, and
    limits of length. Permissions and quotas are there where they are asked for.

    Safe to share between threads. Use as a context manager, or call `start` and `stop`.

    Args:
        snapshot: ``{"regions": {region: {"modelSummaries": […], "inferenceProfileSummaries":
            […]}}}`` in the shapes of the two listings, or the path of such a JSON file
            (``.json`` or ``.json.gz``). None: the catalogue that comes with the package.
        latency: Seconds that every answer takes at least.
        record_bodies: Whether `requests` keeps the bodies.
        seed: Decides which calls a fault with `share` meets.
        set_environment: Whether it sets `environment()` in `os.environ` while it runs, and takes
            away what would overrule it. Make managers and clients after that: those that are
            there keep talking to AWS.
        now: The clock that retires models; None: the system's.
        port: 0: any free one.
        tls: A server's context, with its certificate loaded: `url` is then ``https``. Needed for
            bearer keys, which botocore sends over nothing else; clients get the certificate as
            `verify` or from ``AWS_CA_BUNDLE``.
        s3_endpoint: URL of an S3, for example of moto's server, that batch jobs read and write.
    """

    def __init__(
        self,
        snapshot: Mapping[str, Any] | str | Path | None = None,
        *,
        latency: float = 0.0,
        record_bodies: bool = False,
        seed: int = 0,
        set_environment: bool = False,
        now: Callable[[], datetime] | None = None,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        s3_endpoint: str | None = None,
    ) -> None:
        if latency < 0:
            raise ValueError(f"`latency` must not be negative, got {latency!r}")
        super().__init__(s3_endpoint)
        self._port = port
        self._tls = tls
        self._server: LoopbackServer | None = None
        self._set_environment = set_environment
        self._replaced_environment: dict[str, str | None] = {}
        self._cache: tempfile.TemporaryDirectory[str] | None = None
        self._catalogue = Catalogue(partial(_load_snapshot, snapshot), now)
        self._faults = FaultBook(seed)
        self._replies = ReplyBook()
        self._quotas = QuotaBook()
        self._ledger = Ledger(_REMEMBERED_REQUESTS)
        self._operations = {operation.name: operation for operation in routes().operations}
        self._jobs = BatchJobs(self._catalogue, self._replies, self._operations, s3_endpoint, seed)
        self._answering = Answering(
            routes=routes(),
            catalogue=self._catalogue,
            control_plane=ControlPlane(self._catalogue, self._jobs),
            faults=self._faults,
            replies=self._replies,
            quotas=self._quotas,
            ledger=self._ledger,
            latency=latency,
            record_bodies=record_bodies,
            control=partial(_control.respond, self),
        )

    def __repr__(self) -> str:
        return f"LocalBedrock({self.url!r})" if self._server else "LocalBedrock(stopped)"

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
        """Open the port and serve from threads of their own; does nothing when running."""
        if self._server is None:
            self._server = LoopbackServer(self._answering.serve, port=self._port, tls=self._tls)
            if self._set_environment:
                self._point_environment_here()
        return self

    def stop(self) -> None:
        """Close every connection, also those that hang, and end all threads."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()
        _put_environment(self._replaced_environment)
        self._replaced_environment = {}
        if self._cache is not None:
            self._cache.cleanup()
            self._cache = None

    def _point_environment_here(self) -> None:
        # What this endpoint says is kept out of the user's own cache.
        self._cache = tempfile.TemporaryDirectory(
            prefix="local-bedrock-", ignore_cleanup_errors=True
        )
        private = dict.fromkeys(("XDG_CACHE_HOME", "LOCALAPPDATA"), self._cache.name)
        misleading = dict.fromkeys(MISLEADING_VARIABLES)
        self._change_environment({**misleading, **private, **self.environment()})

    @property
    def url(self) -> str:
        if self._server is None:
            raise RuntimeError("LocalBedrock is not running: call `start()` or use it in a `with`")
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{HOST}:{self._server.port}"

    def reply_with(
        self,
        reply: Reply,
        *,
        model_id: str | None = None,
        region: str | None = None,
        times: int | None = None,
    ) -> None:
        """Say what Converse and ConverseStream answer, instead of the default sentence.

        Replies with `times` are used up first, the oldest first; of the others the newest holds.

        Args:
            reply: A text (of which the rest is said where a request ends with its beginning), a
                whole output of Converse (which ConverseStream streams), a list of stream events
                ``{event type: payload}`` (for ConverseStream only), or a function from
                `ReceivedRequest` to one of these, called in the server's threads.
            model_id: Only for requests with exactly this identifier.
            region: Only for requests in this region.
            times: For that many requests; None: for all.

        Raises:
            ValueError: The output or the events do not fit botocore's service model. (What a
                function returns is checked when it is used: the client gets a status 500 and
                `errors` the reason.)
        """
        if is_events(reply):
            problems = event_problems(self._operations["ConverseStream"], list(reply))  # type: ignore[arg-type] # `is_events` said so
        elif isinstance(reply, str) or callable(reply):
            problems = []
        else:
            problems = output_problems(self._operations["Converse"], reply)
        if problems:
            raise ValueError(f"`reply` does not fit the service model: {'; '.join(problems)}")
        self._replies.add(reply, model_id=model_id, region=region, times=times)

    def register_target(self, arn: str, model_id: str) -> None:
        """Let `arn` be an application profile, provisioned, imported or custom model.

        Args:
            arn: What requests send as `modelId`.
            model_id: The model, or the system-defined profile, that answers.
        """
        self._catalogue.register(arn, model_id)

    def fail(
        self,
        fault: Fault,
        *,
        operation: str | None = None,
        region: str | None = None,
        model_id: str | None = None,
        times: int | None = None,
        share: float | None = None,
        after: int = 0,
    ) -> None:
        """Let requests meet `fault`.

        Where several faults concern a request the one asked for first meets it; delays add up.

        Args:
            fault: See `Fault`.
            operation: Only this one, for example ``"Converse"``.
            region: Only requests in this region.
            model_id: Only requests with exactly this identifier.
            times: At most so many; None: until `clear_faults`.
            share: Only this share of them, from 0 to 1, by dice that `seed` determines.
            after: So many are spared first.
        """
        if not isinstance(fault, Fault):
            raise TypeError(
                f"`fault` must be a `Fault`, such as `Fault.throttling()`, got {fault!r}"
            )
        self._faults.add(
            fault,
            operation=operation,
            region=region,
            model_id=model_id,
            times=times,
            share=share,
            after=after,
        )

    def clear_faults(self) -> None:
        self._faults.clear()

    def limit_tokens(
        self,
        tokens_per_minute: int,
        model_id: str | None = None,
        region: str | None = None,
        *,
        period: float = 60.0,
    ) -> None:
        """Throttle calls that a token quota has no room for. The newest that concerns one holds.

        A model of the service: each identifier has a quota of its own in each region. A call
        reserves its input and its `maxTokens` (without that, the model's longest answer) and is
        throttled where this does not fit into what the last `period` seconds have left. When it is
        answered it counts its input, what it wrote to the cache, and its output as often as AWS
        says for the model. How the service measures time is not documented; here it is a window
        that slides.

        Args:
            tokens_per_minute: Tokens in `period` seconds.
            model_id: Only for requests with exactly this identifier; None: for each.
            region: Only in this region; None: in each.
            period: Seconds.

        Raises:
            ValueError: A number is out of its range.

        Source: docs.aws.amazon.com/bedrock/latest/userguide/quotas-token-burndown.html
        """
        self._quotas.add(tokens_per_minute, model_id=model_id, region=region, period=period)

    def run_batches(self, run: BatchRun, *, times: int | None = None) -> None:
        """Say how batch jobs go that are created from now on.

        Args:
            run: See `BatchRun`.
            times: For that many jobs, which come first; None: for all others.
        """
        if not isinstance(run, BatchRun):
            raise TypeError(f"`run` must be a `BatchRun`, got {run!r}")
        self._jobs.plan(run, times)

    def reset(self) -> None:
        """Forget faults, replies, quotas, registered targets, jobs and everything counted."""
        self._faults.clear()
        self._replies.clear()
        self._quotas.clear()
        self._jobs.clear()
        self._catalogue.forget_registered()
        self._ledger.clear()

    @property
    def requests(self) -> tuple[ServedRequest, ...]:
        """What was served, oldest first; the last 100,000 of it."""
        return self._ledger.served()

    @property
    def errors(self) -> tuple[str, ...]:
        """Why a request was answered with a status 500 that nobody asked for."""
        return self._ledger.errors()

    def count(
        self,
        operation: str | None = None,
        region: str | None = None,
        model_id: str | None = None,
    ) -> int:
        """How many requests were served; None stands for any."""
        return self._ledger.count(operation, region, model_id)

    def connections_by_region(self) -> dict[str, int]:
        """How many connections made control-plane requests, by the region of the requests."""
        return self._ledger.connections_by_region()

    def _change_environment(self, changes: Mapping[str, str | None]) -> None:
        self._replaced_environment = {name: os.environ.get(name) for name in changes}
        _put_environment(changes)


def _put_environment(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _load_snapshot(snapshot: Mapping[str, Any] | str | Path | None) -> Mapping[str, Any]:
    if snapshot is None:
        from bestehorn_llmmanager.testing._bundled_snapshot import (  # noqa: PLC0415 (large)
            bundled_snapshot,
        )

        return bundled_snapshot()
    if isinstance(snapshot, (str, Path)):
        return read_snapshot(snapshot)
    return snapshot
