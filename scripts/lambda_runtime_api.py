"""Runs a handler in AWS's own runtime client for Lambda, against a Runtime API on loopback.

    with LambdaFunction("module.handler", Path("examples"), environment) as function:
        print(function.invoke({"prompt": "…"}))

Source: docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import os
import queue
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from typing_extensions import Self

_API = "/2018-06-01/runtime"
_MOST_SECONDS = 60.0

# In a mount namespace of its own: nothing but an empty /tmp can be written. What is needed from
# the old /tmp, as an environment that was made there, is shown in the new one. /dev, /proc and
# /sys are as they were.
_ISOLATION = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir /mnt/tmp
mount --rbind /tmp /mnt/tmp
mount -t tmpfs -o mode=1777 tmpfs /tmp
for path in {needed}; do
    mkdir -p "$path"
    mount --rbind "/mnt$path" "$path"
done
umount --lazy /mnt
while read -r _ point _; do
    case "$point" in
        /tmp | /dev* | /proc* | /sys*) ;;
        # What another process has mounted below the old /tmp is hidden.
        *) [ ! -e "$point" ] || mount -o remount,bind,ro "$point" ;;
    esac
done < /proc/self/mounts
cd "$PWD"  # which may have been one of the old /tmp
exec "$@"
"""


class LambdaError(Exception):
    """The handler raised, or could not be loaded: `payload` is what the client reported."""

    def __init__(self, payload: Mapping[str, Any]) -> None:
        super().__init__(payload.get("errorMessage"))
        self.payload = payload


@dataclass(frozen=True)
class _Outcome:
    """`kind` is the end of the path to which it was posted: ``response`` or ``error``."""

    kind: str
    payload: Any


def why_not_isolated() -> str | None:
    """Why no file system can be made read-only for one process here; None if it can."""
    if sys.platform != "linux":
        return "mount namespaces are Linux's"
    if os.geteuid() != 0:
        return "a mount namespace needs root"
    if shutil.which("unshare") is None:
        return "a mount namespace needs the program `unshare`"
    tried = subprocess.run(
        _isolated(["true"], ()), capture_output=True, text=True, check=False, env={**os.environ}
    )
    return tried.stderr.strip() or None if tried.returncode else None


class LambdaFunction:
    """A function in one execution environment: a cold start, then any number of invocations.

    Use as a context manager; for one thread at a time.

    Args:
        handler: Module and function.
        task_root: The folder that has the module.
        environment: The function's variables. What Lambda itself sets is added; there is no HOME.
        region: AWS_REGION.
        isolated: Whether only an empty ``/tmp`` can be written: see `why_not_isolated`.
    """

    def __init__(
        self,
        handler: str,
        task_root: Path,
        environment: Mapping[str, str],
        *,
        region: str = "eu-central-1",
        isolated: bool = False,
    ) -> None:
        self._task_root = task_root.resolve()
        command = [sys.executable, "-m", "awslambdaric", handler]
        self._command = _isolated(command, [self._task_root]) if isolated else command
        self._environment = {
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python3.{sys.version_info.minor}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",  # what it is told; nothing enforces it
            "AWS_LAMBDA_FUNCTION_NAME": "function",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "LAMBDA_TASK_ROOT": str(self._task_root),
            "LANG": "en_US.UTF-8",
            "PATH": os.environ["PATH"],
            "TZ": ":UTC",
            "_HANDLER": handler,
            **environment,
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
        }
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._log = opened.enter_context(
                tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
            )
            self._api = _RuntimeAPI()
            opened.callback(self._api.close)
            self._process = subprocess.Popen(
                self._command,
                cwd=self._task_root,
                env={**self._environment, "AWS_LAMBDA_RUNTIME_API": self._api.address},
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                text=True,
            )
            opened.callback(self._process.wait)
            opened.callback(self._process.kill)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        """End the process."""
        self._opened.close()

    def invoke(self, event: Any, *, seconds: float = 30.0) -> Any:
        """What the handler returns; it is told that it has so many `seconds`.

        Raises:
            LambdaError: The client reported an error of the handler, or of its initialisation.
            RuntimeError: The process ended, or nothing was heard of it for a minute.
        """
        self._api.offer(event, seconds)
        return self._result()

    def wait_for_initialisation(self) -> None:
        """Return when the client asks for its first event.

        Raises:
            LambdaError: The module could not be loaded.
            RuntimeError: The process ended, or nothing was heard of it for a minute.
        """
        self._wait_for(lambda: self._api.is_asked or not self._api.outcomes.empty())
        if not self._api.is_asked:
            self._result()

    @property
    def cpu_seconds(self) -> float:
        """What all threads of the process took so far."""
        assert self._process is not None
        # Linux's clock of another process: clock_getcpuclockid(3), which Python does not have.
        return time.clock_gettime((~self._process.pid << 3) | 2)

    @property
    def peak_megabytes(self) -> float:
        """Most memory that was resident, in MiB, shared libraries included."""
        assert self._process is not None
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
        raise RuntimeError(f"The process ended:\n{self.log}")

    def files_in_tmp(self) -> list[str]:
        """What an isolated function has in its ``/tmp``, as paths from there."""
        assert self._process is not None
        tmp = Path(f"/proc/{self._process.pid}/root/tmp")
        device = tmp.stat().st_dev  # that of the code that is shown there is another
        found: list[str] = []
        for folder, folders, files in os.walk(tmp):
            here = Path(folder)
            folders[:] = [name for name in folders if (here / name).stat().st_dev == device]
            found += [str((here / name).relative_to(tmp)) for name in files]
        return sorted(found)

    @property
    def log(self) -> str:
        """What was printed and logged so far."""
        self._log.seek(0)
        return self._log.read()

    def _result(self) -> Any:
        self._wait_for(lambda: not self._api.outcomes.empty())
        outcome = self._api.outcomes.get()
        if outcome.kind == "error":
            raise LambdaError(outcome.payload)
        return outcome.payload

    def _wait_for(self, is_there: Callable[[], bool]) -> None:
        assert self._process is not None
        until = time.monotonic() + _MOST_SECONDS
        while not is_there():
            self._api.heard.wait(0.2)
            self._api.heard.clear()
            has_ended = self._process.poll() is not None and not is_there()
            if has_ended or time.monotonic() > until:
                raise RuntimeError(f"Nothing more was heard of the function:\n{self.log}")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that is killed leaves without a word.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _RuntimeAPI:
    """The four operations that a runtime needs. One invocation at a time, as on Lambda."""

    def __init__(self) -> None:
        self.outcomes: queue.Queue[_Outcome] = queue.Queue()
        self.heard = threading.Event()
        self.is_asked = False
        self._events: queue.Queue[tuple[bytes, float] | None] = queue.Queue()
        self._server = _Server(("127.0.0.1", 0), self._new_handler())
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def offer(self, event: Any, seconds: float) -> None:
        self._events.put((json.dumps(event).encode(), seconds))

    def close(self) -> None:
        self._events.put(None)  # for a client that still waits for an event
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _next(self) -> tuple[bytes, dict[str, str]] | None:
        self.is_asked = True
        self.heard.set()
        offered = self._events.get()
        if offered is None:
            return None
        event, seconds = offered
        return event, {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:1:function:function",
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
        }

    def _report(self, path: str, body: bytes) -> None:
        # …/invocation/{request id}/response, …/invocation/{request id}/error, …/init/error
        self.outcomes.put(_Outcome(path.rpartition("/")[2], json.loads(body)))
        self.heard.set()

    def _new_handler(api) -> type[BaseHTTPRequestHandler]:  # noqa: N805  (`self` is the handler's)
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One packet for headers and body: else each answer waits for a delayed acknowledgement.
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                offered = api._next() if self.path == f"{_API}/invocation/next" else None
                if offered is None:
                    self.send_error(404)
                else:
                    self._send(200, *offered)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                api._report(self.path, body)
                self._send(202, b'{"status": "OK"}', {"Content-Type": "application/json"})

            def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _isolated(command: Sequence[str], roots: Sequence[Path]) -> list[str]:
    script = _ISOLATION.format(needed=shlex.join(_below_tmp(roots)))
    return ["unshare", "--mount", "sh", "-c", script, "sh", *command]


def _below_tmp(roots: Sequence[Path]) -> list[str]:
    """What of Python and of the code would be hidden by an empty ``/tmp``; no folder twice."""
    code = [sys.prefix, sys.base_prefix, *(path for path in sys.path if path)]
    folders = sorted({Path(path).resolve() for path in code} | set(roots))
    shown: list[Path] = []
    for folder in folders:
        is_new = not any(folder.is_relative_to(other) for other in shown)
        if Path("/tmp") in folder.parents and folder.is_dir() and is_new:  # noqa: S108
            shown.append(folder)
    return [str(folder) for folder in shown]
