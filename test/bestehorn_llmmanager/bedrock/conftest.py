"""What tests of several rooms share: a forked child, and another process."""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
import traceback
import warnings
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE_SECONDS = 20


@pytest.fixture
def in_child() -> Callable[[Callable[[], Any]], Any]:
    """Gives what work returns in a child that is forked for it; fails where it raises or hangs."""
    if not hasattr(os, "fork"):
        pytest.skip("there is no fork here")
    return _in_child


def _in_child(work: Callable[[], Any]) -> Any:
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside other threads
        child = os.fork()
    if child == 0:
        _run_and_exit(work, writer)
    os.close(writer)
    try:
        if not select.select([reader], [], [], _PATIENCE_SECONDS)[0]:
            os.kill(child, signal.SIGKILL)
            pytest.fail("the child hangs")
        with os.fdopen(reader, "rb", closefd=False) as file:
            outcome, value = pickle.load(file)
    finally:
        os.close(reader)
        os.waitpid(child, 0)
    assert outcome == "returned", value
    return value


def _run_and_exit(work: Callable[[], Any], writer: int) -> None:
    try:
        outcome = "returned", work()
    except BaseException:  # noqa: BLE001  (the parent tells it)
        outcome = "raised", traceback.format_exc()
    try:
        with os.fdopen(writer, "wb") as file:
            pickle.dump(outcome, file)
    finally:
        os._exit(0)


@pytest.fixture
def elsewhere() -> Callable[[object, str], str]:
    """Gives what a new process prints that unpickles an object, as `it`, and runs some code."""

    def run(it: object, code: str) -> str:
        program = f"import pickle, sys\nit = pickle.load(sys.stdin.buffer)\n{code}"
        done = subprocess.run(
            [sys.executable, "-c", program], input=pickle.dumps(it), capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    return run
