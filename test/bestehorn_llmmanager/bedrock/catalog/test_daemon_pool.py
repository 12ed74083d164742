"""Threads that nobody waits for: they answer, fail and end as futures say."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from bestehorn_llmmanager.bedrock.catalog.daemon_pool import DaemonPool


def threads(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(f"{name}-")]


def test_calls_give_their_results_and_errors() -> None:
    pool = DaemonPool(2, "answering")
    results = [pool.submit(divmod, number, 3) for number in range(10)]
    failed = pool.submit(divmod, 1, 0)
    assert [result.result(5) for result in results] == [divmod(number, 3) for number in range(10)]
    with pytest.raises(ZeroDivisionError):
        failed.result(5)
    pool.stop()


def test_as_many_calls_run_at_once_as_there_are_threads() -> None:
    pool = DaemonPool(4, "together")
    barrier = threading.Barrier(4, timeout=5)
    results = [pool.submit(barrier.wait) for _ in range(4)]
    assert sorted(result.result(5) for result in results) == [0, 1, 2, 3]
    pool.stop()


def test_a_call_that_was_cancelled_is_not_made() -> None:
    pool = DaemonPool(1, "cancelling")
    go = threading.Event()
    first = pool.submit(go.wait, 5)
    second = pool.submit(pytest.fail, "was made")
    assert second.cancel()
    go.set()
    assert first.result(5)
    assert pool.submit(int, "7").result(5) == 7
    pool.stop()


def test_threads_end_after_the_calls_that_were_submitted() -> None:
    pool = DaemonPool(3, "ending")
    results = [pool.submit(int, str(number)) for number in range(6)]
    pool.stop()
    assert [result.result(5) for result in results] == [0, 1, 2, 3, 4, 5]
    deadline = time.monotonic() + 5
    while threads("ending") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threads("ending") == []


def test_the_interpreter_does_not_wait_for_a_call_that_hangs() -> None:
    program = (
        "import threading\n"
        "from bestehorn_llmmanager.bedrock.catalog.daemon_pool import DaemonPool\n"
        "DaemonPool(1, 'hanging').submit(threading.Event().wait, 60)\n"
    )
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
    assert time.monotonic() - started < 20
