"""Tests what becomes of a run that is interrupted, killed, throttled, or loses a region or its disk.

What is killed or interrupted is a process of its own; the endpoint is another one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import ParallelLLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import ParallelProcessingError
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import Boto3Config, RetryConfig
from bestehorn_llmmanager.bedrock.models.parallel_structures import (
    BedrockConverseRequest,
    ParallelProcessingConfig,
)
from bestehorn_llmmanager.testing import Fault, LocalBedrockProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bestehorn_llmmanager.testing import LocalBedrock

EAST, WEST = "us-east-1", "us-west-2"
QUICK = RetryConfig(max_retries=3, retry_delay=0.005, max_retry_delay=0.05)
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="no such signals here")


def new_manager(*, most: int = 16, **options: Any) -> ParallelLLMManager:
    return ParallelLLMManager(
        ["Nova Lite"],
        [EAST, WEST],
        parallel_config=ParallelProcessingConfig(
            max_concurrent_requests=most,
            request_timeout_seconds=options.pop("request_timeout_seconds", 60),
        ),
        catalog_cache_mode=CacheMode.NONE,
        catalog_refresh="never",
        **{"retry_config": QUICK, **options},
    )


def request(name: str) -> BedrockConverseRequest:
    messages = [{"role": "user", "content": [{"text": name}]}]
    return BedrockConverseRequest(messages, request_id=name)


def requests(count: int) -> list[BedrockConverseRequest]:
    return [request(f"r{number}") for number in range(count)]


def keys_in(journal: Path) -> list[str]:
    """The keys of the whole lines of a journal."""
    content = journal.read_bytes() if journal.exists() else b""
    lines = content.splitlines(keepends=True)
    return [json.loads(line)["key"] for line in lines if line.endswith(b"\n")]


# --- a process of its own -------------------------------------------------------------------------

PROGRAM = """
import json, sys, threading, time
from bestehorn_llmmanager import ParallelLLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryConfig
from bestehorn_llmmanager.bedrock.models.parallel_structures import (
    BedrockConverseRequest,
    ParallelProcessingConfig,
)

how, count, most, journal = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]


def requests():
    for number in range(count):
        # Every third has no id of its own; some of these are equal.
        name = None if number % 3 == 0 else f"r{number}"
        text = f"same {number % 9}" if number % 3 == 0 else name
        yield BedrockConverseRequest(
            [{"role": "user", "content": [{"text": text}]}], request_id=name
        )


manager = ParallelLLMManager(
    ["Nova Lite"],
    ["us-east-1", "us-west-2"],
    retry_config=RetryConfig(max_retries=2, retry_delay=0.01),
    parallel_config=ParallelProcessingConfig(max_concurrent_requests=most),
    catalog_cache_mode=CacheMode.NONE,
    catalog_refresh="never",
)


def told(figures):
    if figures.done - figures.resumed == 1:
        print("first", flush=True)


answered = []
try:
    if how == "list":
        response = manager.converse_parallel(list(requests()), journal=journal, progress=told)
        answered = response.successful_request_ids
    else:
        results = manager.iter_converse_parallel(requests(), journal=journal, progress=told)
        if how == "left":
            next(results)
            sys.exit()  # and the iterator is still there
        for name, response in results:
            answered.append(name)
except KeyboardInterrupt as interrupt:
    partial = getattr(interrupt, "partial_response", None)
    if partial is not None:
        answered = partial.successful_request_ids
    print("interrupted")
print(json.dumps({
    "answered": len(answered),
    "ids": len(set(answered)),
    "threads": [t.name for t in threading.enumerate() if t.name.startswith("bestehorn")],
}))
"""


class Run:
    """A run in a process of its own."""

    def __init__(
        self,
        bedrock: LocalBedrockProcess,
        how: str,
        journal: Path,
        *,
        count: int = 400,
        most: int = 8,
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, how, str(count), str(most), str(journal)],
            env={**os.environ, **bedrock.environment()},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_first_answer(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "first\n"

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def lines(self, timeout: float = 60) -> list[str]:
        """What it says to its end."""
        out, err = self.process.communicate(timeout=timeout)
        assert "Traceback" not in err, err
        return out.splitlines()


@pytest.fixture
def endpoint() -> Iterator[LocalBedrockProcess]:
    with LocalBedrockProcess(latency=0.02, record_bodies=True) as bedrock:
        yield bedrock


def served_by_text(bedrock: LocalBedrockProcess) -> Counter[str]:
    """How often each text was asked, once no request is under way any more."""
    before = -1
    while (count := bedrock.count("Converse")) != before:
        before = count
        time.sleep(0.06)
    return Counter(
        served.body["messages"][0]["content"][0]["text"]
        for served in bedrock.requests
        if served.operation == "Converse" and served.body
    )


# --- Ctrl-C ---------------------------------------------------------------------------------------


@posix_only
@pytest.mark.parametrize("how", ["list", "iterator"])
@pytest.mark.parametrize("seed", range(3))
def test_ctrl_c_ends_the_run_soon_and_costs_no_answer(
    endpoint: LocalBedrockProcess, tmp_path: Path, how: str, seed: int
) -> None:
    journal = tmp_path / "run.jsonl"
    run = Run(endpoint, how, journal)
    run.wait_for_first_answer()
    time.sleep(random.Random(seed).uniform(0, 0.3))
    sent = time.monotonic()
    run.send(signal.SIGINT)
    said, result = run.lines()[-2:]
    assert time.monotonic() - sent < 3
    assert said == "interrupted"
    outcome = json.loads(result)
    assert outcome["threads"] == []
    # All that was paid for has been kept.
    assert len(keys_in(journal)) == len(set(keys_in(journal))) == endpoint.count("Converse") < 400
    if how == "list":
        assert outcome["answered"] == outcome["ids"] == endpoint.count("Converse")


@posix_only
def test_a_second_ctrl_c_leaves_calls_that_hang_to_themselves(
    endpoint: LocalBedrockProcess, tmp_path: Path
) -> None:
    endpoint.fail(Fault.hang(), operation="Converse", after=20)
    journal = tmp_path / "run.jsonl"
    run = Run(endpoint, "list", journal)
    run.wait_for_first_answer()
    while len(keys_in(journal)) < 20:
        time.sleep(0.01)
    run.send(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        run.process.wait(0.4)
    sent = time.monotonic()
    run.send(signal.SIGINT)
    said, result = run.lines()[-2:]
    assert time.monotonic() - sent < 3
    assert said == "interrupted"
    assert json.loads(result)["answered"] == 20


@posix_only
def test_a_program_that_ends_in_the_middle_of_an_iteration_does_not_wait_for_what_hangs(
    endpoint: LocalBedrockProcess, tmp_path: Path
) -> None:
    endpoint.fail(Fault.hang(), operation="Converse", after=3)
    start = time.monotonic()
    run = Run(endpoint, "left", tmp_path / "run.jsonl")
    assert run.lines() == ["first"]
    assert run.process.returncode == 0
    assert time.monotonic() - start < 10


def test_an_interrupt_of_the_consumer_stops_the_run_too(
    bedrock: LocalBedrock, tmp_path: Path
) -> None:
    def consume() -> None:
        for _ in new_manager().iter_converse_parallel(requests(1000), journal=tmp_path / "j"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consume()
    assert not [t for t in threading.enumerate() if t.name.startswith("bestehorn")]
    assert len(keys_in(tmp_path / "j")) == bedrock.count("Converse") < 100


# --- SIGKILL --------------------------------------------------------------------------------------


def texts_by_key(count: int) -> dict[str, str]:
    """The text of each request of the program, by its key in the journal."""
    equal: Counter[str] = Counter()
    texts = {}
    for number in range(count):
        if number % 3:
            texts[f"r{number}"] = f"r{number}"
            continue
        text = f"same {number % 9}"
        messages = [{"role": "user", "content": [{"text": text}]}]
        content = BedrockConverseRequest(messages).content_key[:32]
        equal[content] += 1
        texts[f"content {content} {equal[content]}"] = text
    return texts


def kill_and_resume(
    bedrock: LocalBedrockProcess, journal: Path, *, kills: int, count: int, seed: int
) -> int:
    """Kill a run again and again, then let it finish; gives how many answers were lost by that.

    Whatever was in the journal at a kill is not asked again.
    """
    dice = random.Random(seed)
    texts = texts_by_key(count)
    wanted = Counter(texts.values())
    complete: set[str] = set()
    asked: Counter[str] = Counter()
    for number in range(kills):
        run = Run(bedrock, dice.choice(["list", "iterator"]), journal, count=count)
        if number % 2:
            run.wait_for_first_answer()
        time.sleep(dice.uniform(0, 0.25))
        run.send(signal.SIGKILL)
        run.process.communicate()
        now = served_by_text(bedrock)
        assert [text for text in complete if now[text] > asked[text]] == []
        kept = Counter(texts[key] for key in keys_in(journal))
        assert kept <= wanted
        complete, asked = {text for text in kept if kept[text] == wanted[text]}, now
    lines = Run(bedrock, "list", journal, count=count).lines()
    assert json.loads(lines[-1]) == {"answered": count, "ids": count, "threads": []}
    keys = keys_in(journal)
    assert len(keys) == count
    assert {*keys} == {*texts}
    total = served_by_text(bedrock)
    assert [text for text in complete if total[text] > asked[text]] == []
    assert total >= wanted
    return total.total() - count


@posix_only
def test_a_run_that_is_killed_five_times_asks_nothing_again_that_its_journal_has(
    endpoint: LocalBedrockProcess, tmp_path: Path
) -> None:
    lost = kill_and_resume(endpoint, tmp_path / "run.jsonl", kills=5, count=120, seed=1)
    # At most what was under way at each kill.
    assert lost <= 5 * 8


# --- an unkind service ----------------------------------------------------------------------------


def test_with_a_third_of_all_calls_throttled_every_request_is_answered(
    bedrock: LocalBedrock,
) -> None:
    bedrock.fail(Fault.throttling(), operation="Converse", share=0.3)
    response = new_manager(most=32).converse_parallel(requests(400))
    assert response.get_success_rate() == 100.0
    served = [r for r in bedrock.requests if r.operation == "Converse"]
    throttled = sum(r.status == 429 for r in served)
    assert throttled > 80
    assert len(served) == 400 + throttled
    logged = sum(len(each.attempt_log) for each in response.request_responses.values())
    assert logged == len(served)


@pytest.mark.parametrize("fault", [Fault.unavailable(), Fault.access_denied(), Fault.reset()])
def test_a_region_that_dies_at_half_time_costs_no_request(
    bedrock: LocalBedrock, fault: Fault
) -> None:
    bedrock.fail(fault, operation="Converse", region=EAST, after=100)
    response = new_manager().converse_parallel(requests(400))
    assert response.get_success_rate() == 100.0
    used = Counter(each.region_used for each in response.request_responses.values())
    assert used == {EAST: 100, WEST: 300}
    # It is left alone while it rests.
    assert bedrock.count("Converse", EAST) < 100 + 60


def test_a_region_that_falls_silent_at_half_time_costs_no_request(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.hang(), operation="Converse", region=EAST, after=50)
    manager = new_manager(most=8, boto3_config=Boto3Config(read_timeout=1))
    start = time.monotonic()
    response = manager.converse_parallel(requests(200))
    assert response.get_success_rate() == 100.0
    assert time.monotonic() - start < 20
    assert bedrock.count("Converse", EAST) < 50 + 60


# --- a full disk ----------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs root on Linux, to mount a small file system")
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let root mount")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_ends_the_run_and_costs_no_answer(
    bedrock: LocalBedrock, small_disk: Path, tmp_path: Path
) -> None:
    journal = small_disk / "run.jsonl"
    with pytest.raises(ParallelProcessingError, match="No space left on device") as caught:
        new_manager(most=4).converse_parallel(requests(500), journal=journal)
    assert threading.active_count() < 20
    partial = caught.value.partial_response
    assert partial is not None
    asked = bedrock.count("Converse")
    assert len(partial.successful_request_ids) == asked < 500
    kept = keys_in(journal)
    assert 0 < len(kept) < asked
    assert set(kept) <= set(partial.successful_request_ids)
    # Where there is room, the rest is asked.
    elsewhere = tmp_path / "run.jsonl"
    elsewhere.write_bytes(journal.read_bytes())
    response = new_manager().converse_parallel(requests(500), journal=elsewhere)
    assert response.get_success_rate() == 100.0
    assert bedrock.count("Converse") == asked + 500 - len(kept)


def test_a_full_disk_ends_an_iteration_after_the_answers(
    bedrock: LocalBedrock, small_disk: Path
) -> None:
    results = new_manager(most=4).iter_converse_parallel(
        requests(500), journal=small_disk / "run.jsonl"
    )
    given: list[str] = []
    with pytest.raises(ParallelProcessingError, match="No space left on device"):
        given.extend(name for name, _ in results)
    assert len(set(given)) == len(given) == bedrock.count("Converse") < 500


# --- memory ---------------------------------------------------------------------------------------

PEAK = """
import sys
from bestehorn_llmmanager import ParallelLLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.models.parallel_structures import (
    BedrockConverseRequest,
    ParallelProcessingConfig,
)

count, journal = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None


def requests():
    for number in range(count):
        yield BedrockConverseRequest(
            [{"role": "user", "content": [{"text": f"{number} " + "x" * 2000}]}]
        )


manager = ParallelLLMManager(
    ["Nova Lite"],
    ["us-east-1", "us-west-2"],
    parallel_config=ParallelProcessingConfig(max_concurrent_requests=16),
    catalog_cache_mode=CacheMode.NONE,
    catalog_refresh="never",
)
answered = 0
for name, response in manager.iter_converse_parallel(requests(), journal=journal):
    answered += response.success
status = open("/proc/self/status").read()
print(answered, status.partition("VmHWM:")[2].split()[0])
"""


def peak_of(bedrock: LocalBedrockProcess, count: int, journal: Path | None = None) -> int:
    """KiB of memory that a process has at most that answers so many requests."""
    command = [sys.executable, "-c", PEAK, str(count), *([str(journal)] if journal else [])]
    environment = {**os.environ, **bedrock.environment()}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    answered, peak = map(int, done.stdout.split())
    assert answered == count
    return peak


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@linux_only
def test_memory_does_not_grow_with_the_number_of_requests() -> None:
    with LocalBedrockProcess() as bedrock:
        few, many = peak_of(bedrock, 300), peak_of(bedrock, 3000)
    assert many <= 1.1 * few, (few, many)
