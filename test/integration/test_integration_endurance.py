"""Tests that a manager bears load, and that a long life costs nothing.

The endpoint is a process of its own where memory, threads or sockets of this one are counted.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import BedrockConverseRequest, LLMManager, ParallelLLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryConfig
from bestehorn_llmmanager.testing import Fault, LocalBedrock, LocalBedrockProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROMPT = [{"role": "user", "content": [{"text": "Hi"}]}]
THREADS = 32
CALLS = THREADS * 20
KIB = 1024


def new_manager(*regions: str, **options: Any) -> LLMManager:
    return LLMManager(
        ["Nova Lite"],
        list(regions),
        catalog_cache_mode=CacheMode.NONE,
        catalog_refresh="never",
        **options,
    )


# --- a third of the calls throttled ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("regions", "max_retries"),
    # A call fails by bad luck alone in 0.3 ** tries of cases: less than one in a million here.
    [(["us-east-1", "us-west-2"], 8), (["us-east-1"], 15)],
    ids=["two_regions", "one_target"],
)
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_when_a_third_of_all_calls_is_throttled_every_caller_gets_an_answer(
    monkeypatch: pytest.MonkeyPatch, regions: list[str], max_retries: int, seed: int
) -> None:
    with LocalBedrock(seed=seed) as bedrock:
        for name, value in bedrock.environment().items():
            monkeypatch.setenv(name, value)
        bedrock.fail(Fault.throttling(), share=0.3)
        retry = RetryConfig(max_retries=max_retries, retry_delay=0.005, max_retry_delay=0.05)
        start = threading.Barrier(THREADS)

        def work(manager: LLMManager) -> list[Any]:
            start.wait()
            return [manager.converse(PROMPT) for _ in range(CALLS // THREADS)]

        with new_manager(*regions, retry_config=retry) as manager, ThreadPoolExecutor(THREADS) as p:
            running = [p.submit(work, manager) for _ in range(THREADS)]
            answers = [answer for each in running for answer in each.result()]

        assert len(answers) == CALLS
        assert all(answer.success and answer.get_content() for answer in answers)
        served = [r for r in bedrock.requests if r.operation == "Converse"]
        throttled = sum(r.status == 429 for r in served)
        assert throttled > CALLS // 5
        assert len(served) == CALLS + throttled
        assert len(served) == sum(len(answer.attempt_log) for answer in answers)
        for answer in answers:
            assert [record.decision == "answered" for record in answer.attempt_log] == [False] * (
                len(answer.attempt_log) - 1
            ) + [True]
            for region in regions:
                asked = [r for r in answer.attempt_log if r.region == region]
                assert len(asked) <= 1 + max_retries
        # One pool per region: no thread opens a connection while there is an idle one.
        assert len({r.connection for r in served}) <= THREADS * len(regions)


# --- a long life ----------------------------------------------------------------------------------


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBedrockProcess]:
    with LocalBedrockProcess() as endpoint:
        for name, value in endpoint.environment().items():
            monkeypatch.setenv(name, value)
        # All the ways there are: answered, by another region, after a pause, given up.
        endpoint.fail(Fault.throttling(), region="us-east-1", share=0.05)
        endpoint.fail(Fault.unavailable(), share=0.02)
        endpoint.fail(Fault.reset(), share=0.01)
        endpoint.fail(Fault.validation("malformed"), share=0.01)
        endpoint.fail(Fault.validation("unknown parameter 'foo'"), share=0.01)
        yield endpoint


def call(manager: LLMManager, numbers: range) -> int:
    """Call once per number, each time with something else; gives how many were answered."""
    answered = 0
    for number in numbers:
        fields = {"foo": number, "bar": [number]} if number % 10 == 0 else None
        messages = [{"role": "user", "content": [{"text": f"Hi {number} {'x' * 2000}"}]}]
        try:
            manager.converse(messages, additional_model_request_fields=fields)
        except Exception as error:  # noqa: BLE001  (what it is, other tests say)
            assert getattr(error, "attempt_log", None)  # noqa: PT017
        else:
            answered += 1
    return answered


def in_threads(manager: LLMManager, numbers: range) -> int:
    """`call` by eight threads that end with it."""
    with ThreadPoolExecutor(8) as pool:
        shares = [numbers[part::8] for part in range(8)]
        return sum(pool.map(lambda share: call(manager, share), shares))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@linux
@pytest.mark.parametrize("use", [pytest.param(call, marks=pytest.mark.slow), in_threads])
def test_500_calls_leave_no_memory_threads_or_sockets_behind(
    process: LocalBedrockProcess, use: Any
) -> None:
    with new_manager("us-east-1", "us-west-2", retry_config=RetryConfig(retry_delay=0)) as manager:
        use(manager, range(300))
        before = threading.active_count(), open_files()
        tracemalloc.start()
        try:
            use(manager, range(300, 400))
            memory = traced()
            answered = use(manager, range(400, 900))
            grown = traced() - memory
        finally:
            tracemalloc.stop()
        assert answered > 450
        # 50 new combinations of fields are on record, with some hundred bytes each.
        assert grown < 128 * KIB
        threads, files = threading.active_count(), open_files()
        assert threads <= before[0]
        assert files <= before[1] + (0 if use is call else 16)
    assert open_files() < files


def converse() -> Callable[[], object]:
    manager = new_manager("us-east-1")
    return lambda: manager.converse(PROMPT)


def stream() -> Callable[[], object]:
    manager = new_manager("us-east-1")
    return lambda: list(manager.converse_stream(PROMPT))


def many() -> Callable[[], object]:
    parallel = ParallelLLMManager(
        ["Nova Lite"],
        ["us-east-1"],
        catalog_cache_mode=CacheMode.NONE,
        catalog_refresh="never",
    )
    return lambda: parallel.converse_parallel(
        [BedrockConverseRequest(messages=PROMPT) for _ in range(50)]
    )


@pytest.mark.parametrize("prepare", [converse, stream, many])
def test_a_call_leaves_nothing_to_the_garbage_collector(
    bedrock: LocalBedrock, prepare: Callable[[], Callable[[], object]]
) -> None:
    use = prepare()
    use()
    gc.collect()
    gc.disable()
    try:
        use()
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = {type(each) for each in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    ours = {kind.__name__ for kind in left if kind.__module__.startswith("bestehorn_llmmanager")}
    assert ours <= {"Worker", "_Gate", "Equipment"}  # one for each run of many requests


@linux
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_10_000_calls_leave_no_memory_threads_or_sockets_behind(
    process: LocalBedrockProcess,
) -> None:
    with new_manager("us-east-1", "us-west-2", retry_config=RetryConfig(retry_delay=0)) as manager:
        in_threads(manager, range(2000))
        gc.collect()
        before = resident(), threading.active_count(), open_files()
        answered = in_threads(manager, range(2000, 12_000))
        gc.collect()
        after = resident(), threading.active_count(), open_files()
    print(f"\n{answered} answered; RSS, threads, files: {before} -> {after}")  # noqa: T201
    assert answered > 9000
    # 1000 new combinations of fields are on record, with some hundred bytes each.
    assert after[0] - before[0] < 2048 * KIB
    assert after[1] <= before[1]
    assert after[2] <= before[2] + 16


@linux
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_10_000_calls_of_one_thread_leave_no_object_behind(process: LocalBedrockProcess) -> None:
    with new_manager("us-east-1", "us-west-2", retry_config=RetryConfig(retry_delay=0)) as manager:
        call(manager, range(2000))
        tracemalloc.start()
        try:
            call(manager, range(2000, 2500))
            memory = traced()
            answered = call(manager, range(2500, 12_500))
            grown = traced() - memory
        finally:
            tracemalloc.stop()
    print(f"\n{answered} answered; {grown} bytes more")  # noqa: T201
    assert answered > 9000
    assert grown < 512 * KIB
