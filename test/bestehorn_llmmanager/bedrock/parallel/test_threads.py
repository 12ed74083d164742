"""Tests threads that are there when needed and gone when not."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from bestehorn_llmmanager.bedrock.parallel.threads import Threads


def running() -> int:
    return sum(thread.name.startswith("bestehorn-llmmanager-") for thread in threading.enumerate())


def test_there_are_as_many_threads_as_calls_but_no_more_than_allowed() -> None:
    threads = Threads(3)
    go = threading.Event()
    assert running() == 0
    futures = []
    for number, expected in enumerate([1, 2, 3, 3, 3]):
        futures.append(threads.submit(lambda number: go.wait() and number, number))
        assert running() == expected
    go.set()
    assert [future.result(timeout=5) for future in futures] == [0, 1, 2, 3, 4]
    threads.stop()
    threads.join()
    assert running() == 0


def test_what_a_call_raises_is_in_its_future() -> None:
    threads = Threads(1)
    for error in (ValueError("x"), SystemExit(3)):

        def fail(error: BaseException) -> None:
            raise error

        assert threads.submit(fail, error).exception(timeout=5) is error
    assert threads.submit(str, 5).result(timeout=5) == "5"
    threads.stop()
    threads.join()


def test_what_was_cancelled_is_not_called() -> None:
    threads = Threads(1)
    go = threading.Event()
    threads.submit(lambda _: go.wait(), None)
    calls: list[str] = []
    cancelled = threads.submit(calls.append, "cancelled")
    cancelled.cancel()
    other = threads.submit(calls.append, "other")
    go.set()
    other.result(timeout=5)
    threads.stop()
    threads.join()
    assert calls == ["other"]


def test_what_was_submitted_before_the_stop_is_still_called() -> None:
    threads = Threads(2)
    futures = [threads.submit(time.sleep, 0.005) for _ in range(10)]
    threads.stop()
    threads.join()
    assert all(future.done() for future in futures)


def test_a_call_that_hangs_does_not_keep_the_program_alive() -> None:
    program = (
        "import threading\n"
        "from bestehorn_llmmanager.bedrock.parallel.threads import Threads\n"
        "threads = Threads(1)\n"
        "begun = threading.Event()\n"
        "threads.submit(lambda _: begun.set() or threading.Event().wait(), None)\n"
        "begun.wait()\n"
        "threads.stop()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)


def test_a_result_is_not_kept_by_the_thread_that_made_it() -> None:
    import gc
    import weakref

    class Big:
        pass

    threads = Threads(1)
    future = threads.submit(lambda _: Big(), None)
    seen = weakref.ref(future.result(timeout=5))
    del future
    deadline = time.monotonic() + 5
    while seen() is not None and time.monotonic() < deadline:
        gc.collect()
    threads.stop()
    threads.join()
    assert seen() is None


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of threads")
def test_with_too_few_threads_the_calls_take_turns() -> None:
    program = (
        "import os, resource, threading\n"
        "from bestehorn_llmmanager.bedrock.parallel.threads import Threads\n"
        "import _thread\n"
        "threads = Threads(50)\n"
        "threads.submit(str, 0).result()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (300 * 2**20, 300 * 2**20))\n"
        "_thread.stack_size(64 * 2**20)\n"
        "futures = [threads.submit(str, n) for n in range(50)]\n"
        "assert [f.result() for f in futures] == [str(n) for n in range(50)]\n"
        "print(threading.active_count() < 20)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "True\n", done.stderr
