"""Runs `driver.py` under an interpreter, against an endpoint in which some regions fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.testing import Fault, LocalBedrock
from compat.calls import BROKEN, DENIED, STREAM_BREAKS, THROTTLED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bestehorn_llmmanager.testing._replies import ReceivedRequest
    from compat.calls import Calls

HERE = Path(__file__).parent
DATA = HERE.parent / "data"
VARIABLE = "LLMMANAGER_COMPAT_PYTHON"
Outcomes = dict[str, dict[str, Any]]


def answer(request: ReceivedRequest) -> Any:
    """What the message asks for, else a greeting."""
    last = request.body["messages"][-1]
    text = last["content"][0].get("text", "") if last["content"] else ""
    if text.startswith("say:"):
        return json.loads(text[4:])
    return "Hello to you." if last["role"] == "user" else "you."


@contextmanager
def an_endpoint() -> Iterator[LocalBedrock]:
    """Bedrock at a time in which all models that are called were alive."""
    then = datetime(2026, 11, 1, tzinfo=timezone.utc)
    snapshot = DATA / "bedrock_api_snapshot.json.gz"
    with LocalBedrock(snapshot, record_bodies=True, now=lambda: then) as bedrock:
        bedrock.reply_with(answer)
        for operation in ("Converse", "ConverseStream"):
            bedrock.fail(Fault.throttling(), operation=operation, region=THROTTLED)
            bedrock.fail(Fault.access_denied(), operation=operation, region=DENIED)
            bedrock.fail(Fault.internal_error(), operation=operation, region=BROKEN)
            bedrock.fail(
                Fault.validation(
                    "Invocation of model ID amazon.nova-pro-v1:0 with on-demand throughput isn't "
                    "supported. Retry your request with the ID or ARN of an inference profile that "
                    "contains this model."
                ),
                operation=operation,
                model_id="amazon.nova-pro-v1:0",
            )
        bedrock.fail(
            Fault.stream_error("modelStreamErrorException", after_events=3), region=STREAM_BREAKS
        )
        yield bedrock


def run(python: str, calls: Calls, endpoint: LocalBedrock, **environment: str) -> Outcomes:
    """What each call gives, in one process."""
    with tempfile.TemporaryDirectory() as folder:
        there = Path(folder)
        (there / "calls.json").write_text(
            json.dumps([{"key": key, **each} for key, each in calls.items()]), encoding="utf-8"
        )
        arguments = [there / "calls.json", there / "results.json", there, DATA]
        inherited = {name: v for name, v in os.environ.items() if not name.startswith("AWS_")}
        home = {"HOME": folder, "PYTHONHASHSEED": "0", "XDG_CACHE_HOME": str(there / "cache")}
        done = subprocess.run(
            [python, "-B", str(HERE / "driver.py"), *map(str, arguments)],
            env={**inherited, **home, **endpoint.environment(), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        results: Outcomes = json.loads((there / "results.json").read_text(encoding="utf-8"))
        return results


def run_here(calls: Calls, endpoint: LocalBedrock) -> Outcomes:
    return run(sys.executable, calls, endpoint)


def run_0_9_0(python: str, calls: Calls, endpoint: LocalBedrock, sts: str) -> Outcomes:
    """The same in two processes: 0.9.0 makes a client for each call, which takes its time.

    And it asks `sts` who it is before it asks a model.
    """
    keys = list(calls)
    halves = [{key: calls[key] for key in keys[start::2]} for start in (0, 1)]
    with ThreadPoolExecutor() as pool:
        run_half = partial(run, python, AWS_ENDPOINT_URL_STS=sts, PYTHONPATH="")
        first, second = pool.map(lambda half: run_half(half, endpoint), halves)
    return {**first, **second}
