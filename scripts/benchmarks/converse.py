"""What a call costs above the same call of a bare boto3 client, alone, streamed and on 32 threads.

    python scripts/benchmarks/converse.py [rounds]

The endpoint runs in a process of its own, answers at once, and serves both sides in turns.
"""

from __future__ import annotations

import logging
import os
import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from measuring import Timings, alternating, difference, print_table, ratio

from bestehorn_llmmanager import LLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.testing import Fault, LocalBedrockProcess

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = "amazon.nova-lite-v1:0"
HOME, AWAY = "us-east-1", "us-west-2"
PROMPT: list[dict[str, Any]] = [{"role": "user", "content": [{"text": "Say hello."}]}]
CALLS = 200
STREAMS = 20
WORDS = 400
THREADS = 32
CALLS_PER_THREAD = 40


def main(rounds: int) -> None:
    logging.disable()
    with LocalBedrockProcess() as endpoint, tempfile.TemporaryDirectory() as folder:
        os.environ.update(endpoint.environment(), AWS_DEFAULT_REGION=HOME)
        manager = manager_for([HOME])
        away = manager_for([AWAY])
        bare = client(HOME)
        single_calls(rounds, manager, away, bare)
        endpoint.reply_with("word " * WORDS)
        streams(rounds, manager, bare)
        endpoint.reset()
        threads(rounds, manager, endpoint)
        first_answer(rounds, endpoint, Path(folder))
        throttled_region(endpoint)


def manager_for(regions: list[str], **options: Any) -> LLMManager:
    return LLMManager([MODEL], regions, catalog_cache_mode=CacheMode.NONE, **options)


def client(region: str, pool: int = 10) -> Any:
    config = Config(max_pool_connections=pool)
    return boto3.Session().client("bedrock-runtime", region_name=region, config=config)


def block(count: int, work: Callable[[], object]) -> Callable[[], float]:
    """A task that tells the seconds of one call, averaged over `count`."""

    def run() -> float:
        started = perf_counter()
        for _ in range(count):
            work()
        return (perf_counter() - started) / count

    for _ in range(count):
        work()
    return run


def single_calls(rounds: int, manager: LLMManager, away: LLMManager, bare: Any) -> None:
    far = client(AWAY)
    timings = alternating(
        rounds,
        bare=block(CALLS, lambda: bare.converse(modelId=MODEL, messages=PROMPT)),
        library=block(CALLS, lambda: manager.converse(PROMPT)),
        bare_away=block(CALLS, lambda: far.converse(modelId=MODEL, messages=PROMPT)),
        library_away=block(CALLS, lambda: away.converse(PROMPT)),
    )
    rows = [["`converse`, one thread", "bare boto3", "library", "ratio", "added"], ["---"] * 5]
    for where, suffix in (("the session's region", ""), ("another region", "_away")):
        bare_name, name = f"bare{suffix}", f"library{suffix}"
        rows.append(
            [
                where,
                microseconds(timings[bare_name]),
                microseconds(timings[name]),
                ratio(timings, name, bare_name),
                microseconds(difference(timings, name, bare_name)),
            ]
        )
    print_table(f"Blocks of {CALLS} calls, median of {rounds} rounds (quartiles)", rows)


def streams(rounds: int, manager: LLMManager, bare: Any) -> None:
    first: dict[str, list[float]] = {"bare": [], "library": []}

    def bare_stream() -> None:
        started = perf_counter()
        seen = False
        for event in bare.converse_stream(modelId=MODEL, messages=PROMPT)["stream"]:
            if not seen and "contentBlockDelta" in event:
                seen = True
                first["bare"].append(perf_counter() - started)

    def library_stream() -> None:
        started = perf_counter()
        seen = False
        for _ in manager.converse_stream(PROMPT):
            if not seen:
                seen = True
                first["library"].append(perf_counter() - started)

    timings = alternating(
        rounds, bare=block(STREAMS, bare_stream), library=block(STREAMS, library_stream)
    )
    delay = statistics.median(first["library"]) - statistics.median(first["bare"])
    per_event = {
        name: Timings([seconds / WORDS for seconds in timing.seconds])
        for name, timing in timings.items()
    }
    print_table(
        f"Streams of {WORDS} words, {STREAMS} a block, median of {rounds} rounds (quartiles)",
        [
            ["stream, per event", "bare boto3", "library", "ratio", "first token later by"],
            ["---"] * 5,
            [
                "text",
                microseconds(per_event["bare"]),
                microseconds(per_event["library"]),
                ratio(per_event, "library", "bare"),
                f"{delay * 1e6:.0f} µs",
            ],
        ],
    )


def threads(rounds: int, manager: LLMManager, endpoint: LocalBedrockProcess) -> None:
    shared = client(HOME, pool=THREADS)
    pool = ThreadPoolExecutor(THREADS)

    def all_threads(work: Callable[[], object]) -> Callable[[], float]:
        def each(_: int) -> None:
            for _ in range(CALLS_PER_THREAD):
                work()

        def run() -> float:
            started = perf_counter()
            list(pool.map(each, range(THREADS)))
            return perf_counter() - started

        run()
        return run

    with pool:
        bare = all_threads(lambda: shared.converse(modelId=MODEL, messages=PROMPT))
        before = sum(endpoint.connections_by_region().values())
        library = all_threads(lambda: manager.converse(PROMPT))
        timings = alternating(rounds, bare=bare, library=library)
        opened = sum(endpoint.connections_by_region().values()) - before
    calls = THREADS * CALLS_PER_THREAD
    rate = {name: calls / statistics.median(t.seconds) for name, t in timings.items()}
    print_table(
        f"{THREADS} threads, {calls} calls a round, median of {rounds} rounds (quartiles)",
        [
            ["calls a second", "bare boto3", "library", "throughput", "connections"],
            ["---"] * 5,
            [
                "one manager, one client",
                f"{rate['bare']:.0f}",
                f"{rate['library']:.0f}",
                ratio(timings, "bare", "library"),
                str(opened),
            ],
        ],
    )


def microseconds(timings: Timings) -> str:
    low, middle, high = (s * 1e6 for s in statistics.quantiles(timings.seconds, n=4))
    return f"{middle:.1f} µs ({low:.1f}-{high:.1f})"


FIRST_ANSWER = """
from bestehorn_llmmanager import LLMManager
manager = LLMManager([{model!r}], [{region!r}], catalog_cache_directory={cache!r})
manager.converse({prompt!r})
"""
BARE_ANSWER = """
import boto3
client = boto3.client("bedrock-runtime", region_name={region!r})
client.converse(modelId={model!r}, messages={prompt!r})
"""


def first_answer(rounds: int, endpoint: LocalBedrockProcess, folder: Path) -> None:
    from measuring import clean_environment, fresh_process  # noqa: PLC0415  (only here)

    environment = clean_environment(**endpoint.environment(), HOME=str(folder))
    values = {"model": MODEL, "region": HOME, "prompt": PROMPT, "cache": str(folder / "cache")}
    timings = alternating(
        rounds,
        bare=fresh_process(BARE_ANSWER.format(**values), environment),
        library=fresh_process(FIRST_ANSWER.format(**values), environment),
    )
    print_table(
        f"From the start of the process to the first answer, warm cache, {rounds} rounds",
        [
            ["", "bare boto3", "library", "ratio"],
            ["---"] * 4,
            [
                "whole process",
                str(timings["bare"]),
                str(timings["library"]),
                ratio(timings, "library", "bare"),
            ],
        ],
    )


def throttled_region(endpoint: LocalBedrockProcess) -> None:
    endpoint.reset()
    manager = manager_for([HOME, AWAY])
    manager.converse(PROMPT)
    endpoint.fail(Fault.throttling(), operation="Converse", region=HOME)
    endpoint.clear_faults()
    for region in (HOME, AWAY):
        manager_for([region]).converse(PROMPT)
    endpoint.fail(Fault.throttling(), operation="Converse", region=HOME)
    before = endpoint.count("Converse")
    answers = [manager.converse(PROMPT) for _ in range(10)]
    print(
        f"\nfirst region throttled: requests per call "
        f"{[len(answer.attempt_log) for answer in answers]}, "
        f"{endpoint.count('Converse') - before} in all, none after a pause: "
        f"{all(entry.pause_ms == 0 for answer in answers for entry in answer.attempt_log)}"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 21)
