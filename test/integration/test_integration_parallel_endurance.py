"""Tests what a run of many requests survives, and that a long one costs no more than a short one.

What is interrupted, killed or measured is a process of its own; the endpoint is another one. What
takes minutes is marked `slow`.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bestehorn_llmmanager import ParallelLLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryConfig
from bestehorn_llmmanager.bedrock.models.parallel_structures import (
    BedrockConverseRequest,
    ParallelProcessingConfig,
)
from bestehorn_llmmanager.testing import Fault, LocalBedrockProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="no such signals here")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

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
    with Run(endpoint, how, journal) as run:
        run.wait_for_first_answer()
        time.sleep(random.Random(seed).uniform(0, 0.3))
        sent = time.monotonic()
        run.send(signal.SIGINT)
        said, result = run.lines()[-2:]
        assert time.monotonic() - sent < 10
    assert said == "interrupted"
    outcome = json.loads(result)
    assert outcome["threads"] == []
    # All that was paid for has been kept.
    assert len(keys_in(journal)) == len(set(keys_in(journal))) == endpoint.count("Converse") < 400
    if how == "list":
        assert outcome["answered"] == outcome["ids"] == endpoint.count("Converse")


# Interrupts itself at any point of one run after the other: of the beginning and the middle, when
# the last result is there, or when the iterator is closed.
OFTEN_INTERRUPTED = """
import faulthandler, gc, random, signal, sys, threading, time
from bestehorn_llmmanager import ParallelLLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.models.parallel_structures import (
    BedrockConverseRequest,
    ParallelProcessingConfig,
)

where, runs, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
faulthandler.dump_traceback_later(110, exit=True)
signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
times = random.Random(1)
manager = ParallelLLMManager(
    ["Nova Lite"],
    ["us-east-1", "us-west-2"],
    parallel_config=ParallelProcessingConfig(max_concurrent_requests=4),
    catalog_cache_mode=CacheMode.NONE,
    catalog_refresh="never",
)
requests = [
    BedrockConverseRequest([{"role": "user", "content": [{"text": "x"}]}], request_id=f"r{number}")
    for number in range(4 if where == "end" else 100)
]


def arm(least, most):
    signal.setitimer(signal.ITIMER_REAL, times.uniform(least, most))


def told(figures):
    if where == "end" and figures.done == len(requests):
        arm(1e-6, 6e-4)


def run(journal):
    if where == "middle":
        arm(1e-3, 5e-2)
    results = manager.iter_converse_parallel(requests, journal=journal, progress=told)
    for _ in results:
        if where == "closing":
            break
    if where == "closing":
        arm(1e-6, 1.5e-3)
        results.close()
    time.sleep(0.05)


interrupted = 0
for number in range(runs):
    try:
        run(f"{folder}/{number}.jsonl")
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        interrupted += 1
    gc.collect()
    # Nobody has the journal any more.
    list(manager.iter_converse_parallel([], journal=f"{folder}/{number}.jsonl"))
    for thread in threading.enumerate():
        if thread.name.startswith("bestehorn"):
            thread.join(20)
            assert not thread.is_alive(), thread.name
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
print(interrupted)
"""


@posix_only
@pytest.mark.parametrize("where", ["middle", "end", "closing"])
def test_ctrl_c_at_any_point_of_a_run_leaves_no_thread_and_no_lock_taken(
    endpoint: LocalBedrockProcess, tmp_path: Path, where: str
) -> None:
    program = subprocess.run(
        [sys.executable, "-c", OFTEN_INTERRUPTED, where, "60", str(tmp_path)],
        env={**os.environ, **endpoint.environment()},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert program.returncode == 0, program.stderr
    # Python drops what is raised in the middle of a weak reference's end.
    assert 45 <= int(program.stdout) <= 60


@posix_only
def test_a_second_ctrl_c_leaves_calls_that_hang_to_themselves(
    endpoint: LocalBedrockProcess, tmp_path: Path
) -> None:
    endpoint.fail(Fault.hang(), operation="Converse", after=20)
    journal = tmp_path / "run.jsonl"
    with Run(endpoint, "list", journal) as run:
        run.wait_for_first_answer()
        while len(keys_in(journal)) < 20:
            time.sleep(0.01)
        run.send(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            run.process.wait(0.4)
        run.send(signal.SIGINT)
        said, result = run.lines()[-2:]
    assert said == "interrupted"
    assert json.loads(result)["answered"] == 20


@posix_only
def test_a_program_that_ends_in_the_middle_of_an_iteration_does_not_wait_for_what_hangs(
    endpoint: LocalBedrockProcess, tmp_path: Path
) -> None:
    endpoint.fail(Fault.hang(), operation="Converse", after=3)
    with Run(endpoint, "left", tmp_path / "run.jsonl") as run:
        assert run.lines() == ["first"]
        assert run.process.returncode == 0


# --- the example ----------------------------------------------------------------------------------

EXAMPLE = [sys.executable, str(Path(__file__).parents[2] / "examples" / "parallel_batch.py")]


def test_the_example_is_interrupted_and_resumes() -> None:
    done = subprocess.run(EXAMPLE, capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    interrupted = re.fullmatch(
        r"Interrupted after 400 answers; the journal has (\d+)\.", said.pop(1)
    )
    # Those that were under way are there, too.
    assert interrupted
    assert int(interrupted[1]) > 400
    assert said[1:] == [
        "1000 answered, 0 failed. Answers are in answers.jsonl.",
        "The endpoint was asked 1000 times.",
    ]
    assert "1000/1000" in done.stderr
    assert "answered=1000, failed=0" in done.stderr


def test_without_a_bar_the_example_says_where_to_get_one() -> None:
    program = (
        "import runpy, sys\n"
        "sys.modules['tqdm'] = None\n"
        "sys.argv = [sys.argv[1]]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    command = [sys.executable, "-c", program, EXAMPLE[1]]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert said[0] == 'For a progress bar: pip install "bestehorn-llmmanager[progress]"'
    assert said[-1] == "The endpoint was asked 1000 times."
    assert done.stderr == ""


@posix_only
def test_the_example_can_be_interrupted_from_outside(tmp_path: Path) -> None:
    journal = tmp_path / "answers.jsonl"
    command = [*EXAMPLE, "--journal", str(journal)]
    asked = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as example:
        while len(keys_in(journal)) < 20:
            time.sleep(0.01)
        example.send_signal(signal.SIGINT)
        out, err = example.communicate(timeout=60)
    assert example.returncode == 130, err
    assert f"answers; the journal has {len(keys_in(journal))}.\n" in out
    asked.append(out.splitlines()[-1])
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    asked.append(done.stdout.splitlines()[-1])
    assert "1000 answered, 0 failed" in done.stdout
    # Both together asked each question once.
    assert sum(int(line.split()[4]) for line in asked) == 1000


@posix_only
def test_interrupted_twice_the_example_says_what_the_journal_has(
    endpoint: LocalBedrockProcess, tmp_path: Path
) -> None:
    endpoint.fail(Fault.hang(), operation="Converse", after=20)
    journal = tmp_path / "answers.jsonl"
    with subprocess.Popen(
        [*EXAMPLE, "--journal", str(journal), "--aws"],
        env={**os.environ, **endpoint.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as example:
        while len(keys_in(journal)) < 20:
            time.sleep(0.01)
        example.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            example.wait(0.4)
        example.send_signal(signal.SIGINT)
        out, err = example.communicate(timeout=60)
    assert example.returncode == 130, err
    said = out.splitlines()[-1]
    assert re.fullmatch(r"Interrupted after \d+ answers; the journal has 20\.", said)
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere/x.jsonl", "there is no directory 'nowhere'; make it first"),
        ("letter.txt", "'letter.txt' is no journal of this library; give another path"),
    ],
)
def test_a_journal_that_cannot_be_used_is_a_sentence_of_the_example(
    tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "letter.txt").write_text("Dear all")
    done = subprocess.run(
        [*EXAMPLE, "--journal", name], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.endswith(f"{said}\n")
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "letter.txt").read_text() == "Dear all"


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
        with Run(bedrock, dice.choice(["list", "iterator"]), journal, count=count) as run:
            if number % 2:
                run.wait_for_first_answer()
            time.sleep(dice.uniform(0, 0.25))
            run.send(signal.SIGKILL)
        now = served_by_text(bedrock)
        assert [text for text in complete if now[text] > asked[text]] == []
        kept = Counter(texts[key] for key in keys_in(journal))
        assert kept <= wanted
        complete, asked = {text for text in kept if kept[text] == wanted[text]}, now
    with Run(bedrock, "list", journal, count=count) as run:
        assert json.loads(run.lines()[-1]) == {"answered": count, "ids": count, "threads": []}
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


@posix_only
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_that_is_killed_fifty_times_asks_nothing_again_that_its_journal_has(
    endpoint: LocalBedrockProcess, tmp_path: Path
) -> None:
    lost = kill_and_resume(endpoint, tmp_path / "run.jsonl", kills=50, count=1500, seed=2)
    print(f"\n50 kills, 1,500 requests: {lost} asked again that were under way")  # noqa: T201
    assert lost <= 50 * 8


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


@linux_only
@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_requests() -> None:
    with LocalBedrockProcess() as bedrock:
        few, many = peak_of(bedrock, 300), peak_of(bedrock, 3000)
    assert many <= 1.1 * few, (few, many)


@linux_only
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_10_000_requests_need_no_more_memory_than_1_000() -> None:
    with LocalBedrockProcess() as bedrock:
        few, many = peak_of(bedrock, 1000), peak_of(bedrock, 10_000)
    print(f"\npeak memory: 1,000 requests {few} KiB, 10,000 requests {many} KiB")  # noqa: T201
    assert many <= 1.1 * few


@linux_only
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_100_000_requests_need_no_more_memory_than_1_000() -> None:
    with LocalBedrockProcess() as bedrock:
        few, many = peak_of(bedrock, 1000), peak_of(bedrock, 100_000)
    print(f"\npeak memory: 1,000 requests {few} KiB, 100,000 requests {many} KiB")  # noqa: T201
    assert many <= 1.1 * few


@linux_only
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_journal_keeps_little_of_each_answer_in_memory(tmp_path: Path) -> None:
    with LocalBedrockProcess() as bedrock:
        without = peak_of(bedrock, 20_000)
        journal = tmp_path / "run.jsonl"
        first = peak_of(bedrock, 20_000, journal)
        again = peak_of(bedrock, 20_000, journal)
        assert bedrock.count("Converse") == 40_000
    peaks = f"{without} KiB, with a journal {first} KiB, from the journal {again} KiB"
    print(f"\npeak memory of 20,000 requests: {peaks}")  # noqa: T201
    assert max(first, again) - without < 20_000 * 500 / 1024


def test_run_after_run_leaves_no_thread_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalBedrockProcess() as bedrock:
        for name, value in bedrock.environment().items():
            monkeypatch.setenv(name, value)
        manager = ParallelLLMManager(
            ["Nova Lite"],
            ["us-east-1", "us-west-2"],
            retry_config=RetryConfig(retry_delay=0),
            parallel_config=ParallelProcessingConfig(max_concurrent_requests=8),
            catalog_cache_mode=CacheMode.NONE,
            catalog_refresh="never",
        )
        messages = [{"role": "user", "content": [{"text": "Hi"}]}]
        before = threading.active_count()
        for number in range(60):
            requests = [BedrockConverseRequest(messages) for _ in range(10)]
            if number % 2:
                assert manager.converse_parallel(requests).success
            else:
                for _ in manager.iter_converse_parallel(requests):
                    break
        assert threading.active_count() == before
