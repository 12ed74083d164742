"""What many requests cost: on threads against a bare boto3 pool, under a quota, and on a cluster.

    python scripts/benchmarks/parallel.py [rounds]

The endpoint runs in a process of its own and answers after 100 ms; both sides take turns.
"""

from __future__ import annotations

import gc
import logging
import os
import statistics
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from measuring import clean_environment, peak_megabytes, print_table

from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.models.parallel_structures import (
    BedrockConverseRequest,
    ParallelProcessingConfig,
)
from bestehorn_llmmanager.bedrock.parallel.pacing import PacedHealth, Pacer
from bestehorn_llmmanager.parallel_llm_manager import ParallelLLMManager
from bestehorn_llmmanager.testing import LocalBedrockProcess

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = "amazon.nova-lite-v1:0"
HOME = "us-east-1"
EIGHT = [
    *("us-east-1", "us-west-2", "eu-north-1", "eu-west-2"),
    *("ap-northeast-1", "ap-southeast-2", "ap-south-1", "eu-central-1"),
]
PROMPT: list[dict[str, Any]] = [{"role": "user", "content": [{"text": "Say hello."}]}]
REQUESTS = 1000
IN_FLIGHT = 64
LATENCY = 0.1
IDEAL = -(-REQUESTS // IN_FLIGHT) * LATENCY
PROCESSES = 2
AS_SCALING_MD_SAYS = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
}


@dataclass
class Runs:
    """Wall and CPU seconds of each run of one task."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def add(self, work: Callable[[], object], cpu: Callable[[], float] = time.process_time) -> None:
        gc.collect()  # what the other side left is not for this one to clear away
        used, started = cpu(), time.perf_counter()
        work()
        self.wall.append(time.perf_counter() - started)
        self.cpu.append(cpu() - used)


def main(rounds: int) -> None:
    logging.disable()
    with LocalBedrockProcess(latency=LATENCY) as endpoint:
        os.environ.update(endpoint.environment(), AWS_DEFAULT_REGION=HOME)
        threads(rounds)
        regions(endpoint)
        cluster(rounds)
    memory()
    quota()


def manager_for(*names: str, **options: Any) -> ParallelLLMManager:
    return ParallelLLMManager(
        [MODEL],
        list(names),
        parallel_config=ParallelProcessingConfig(max_concurrent_requests=IN_FLIGHT),
        catalog_cache_mode=CacheMode.NONE,
        catalog_refresh="never",
        **options,
    )


def requests(number: int = REQUESTS, **options: Any) -> list[BedrockConverseRequest]:
    return [BedrockConverseRequest(messages=PROMPT, **options) for _ in range(number)]


def quartiles(values: list[float], form: str) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:{form}} ({low:{form}}-{high:{form}})"


def ratios(upper: list[float], lower: list[float]) -> str:
    pairs = zip(upper, lower, strict=True)
    return quartiles([above / below for above, below in pairs], ".3f")


def threads(rounds: int) -> None:
    config = Config(max_pool_connections=IN_FLIGHT)
    client = boto3.Session().client("bedrock-runtime", region_name=HOME, config=config)

    def call(_: int) -> object:
        return client.converse(modelId=MODEL, messages=PROMPT)

    def bare() -> None:
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            list(pool.map(call, range(REQUESTS)))

    manager = manager_for(HOME)

    def library() -> None:
        result = manager.converse_parallel(requests())
        assert len(result.get_successful_responses()) == REQUESTS

    bare()
    library()
    of_bare, of_library = Runs(), Runs()
    for _ in range(rounds):
        of_bare.add(bare)
        of_library.add(library)
    walls = [[seconds / IDEAL for seconds in runs.wall] for runs in (of_bare, of_library)]
    cpus = [[s / REQUESTS * 1000 for s in runs.cpu] for runs in (of_bare, of_library)]
    print_table(
        f"{REQUESTS} requests of {LATENCY * 1000:.0f} ms, {IN_FLIGHT} in flight, {rounds} rounds",
        [
            ["", "bare boto3", "library", "library / bare"],
            ["---"] * 4,
            [
                f"wall over the ideal {IDEAL:.1f} s",
                *(quartiles(wall, ".3f") for wall in walls),
                ratios(of_library.wall, of_bare.wall),
            ],
            [
                "CPU ms per request",
                *(quartiles(cpu, ".2f") for cpu in cpus),
                ratios(of_library.cpu, of_bare.cpu),
            ],
        ],
    )


def regions(endpoint: LocalBedrockProcess) -> None:
    endpoint.reset()
    manager_for(*EIGHT).converse_parallel(requests())
    served = Counter(each.region for each in endpoint.requests if each.operation == "Converse")
    counts = sorted(served.values())
    print(f"\neight regions offered: {len(counts)} used, {counts[0]} to {counts[-1]} calls each")


def cluster(rounds: int) -> None:
    try:
        import dask  # noqa: PLC0415  (an extra)
        from distributed import Client, LocalCluster  # noqa: PLC0415  (the same)
    except ImportError:
        print("\nno Dask here: `pip install bestehorn-llmmanager[dask]`")
        return
    dask.config.set(AS_SCALING_MD_SAYS)
    manager = manager_for(HOME)
    with (
        LocalCluster(  # type: ignore[no-untyped-call]  # `distributed` has no types
            n_workers=PROCESSES,
            threads_per_worker=4,
            dashboard_address=":0",
            memory_limit=None,
        ) as workers,
        Client(workers) as client,  # type: ignore[no-untyped-call]  # the same
    ):

        def cpu() -> float:
            return float(sum(client.run(time.process_time).values()))

        def on_cluster() -> None:
            result = manager.converse_parallel(requests(), executor=client.get_executor())
            assert len(result.get_successful_responses()) == REQUESTS

        def on_threads() -> None:
            manager.converse_parallel(requests())

        for _ in range(2):
            on_cluster()
            on_threads()
        idle = Runs()
        idle.add(lambda: time.sleep(3), cpu)
        of_cluster, of_threads = Runs(), Runs()
        for _ in range(rounds):
            of_cluster.add(on_cluster, cpu)
            of_threads.add(on_threads)
    cpus = [[s / REQUESTS * 1000 for s in runs.cpu] for runs in (of_cluster, of_threads)]
    standing = idle.cpu[0] / idle.wall[0] / PROCESSES
    print_table(
        f"Dask, {PROCESSES} processes, against threads, {rounds} rounds; an idle process takes "
        f"{standing:.1%} of a core",
        [
            ["", "Dask", "threads", "Dask / threads"],
            ["---"] * 4,
            [
                "CPU ms per request, in the workers",
                *(quartiles(cpu, ".2f") for cpu in cpus),
                ratios(of_cluster.cpu, of_threads.cpu),
            ],
            [
                "wall seconds",
                quartiles(of_cluster.wall, ".2f"),
                quartiles(of_threads.wall, ".2f"),
                ratios(of_cluster.wall, of_threads.wall),
            ],
        ],
    )


ITERATE = """
import logging
logging.disable()
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.models.parallel_structures import (
    BedrockConverseRequest, ParallelProcessingConfig,
)
from bestehorn_llmmanager.parallel_llm_manager import ParallelLLMManager
manager = ParallelLLMManager(
    [{model!r}], [{region!r}], catalog_cache_mode=CacheMode.NONE, catalog_refresh="never",
    parallel_config=ParallelProcessingConfig(max_concurrent_requests={in_flight}),
)
requests = (BedrockConverseRequest(messages={prompt!r}) for _ in range({number}))
assert all(response.success for _, response in manager.iter_converse_parallel(requests))
"""


def memory() -> None:
    """Peak memory of a process that iterates over so many results."""
    values = {"model": MODEL, "region": HOME, "prompt": PROMPT, "in_flight": IN_FLIGHT}
    peaks: dict[int, list[float]] = {1_000: [], 10_000: []}
    with LocalBedrockProcess() as endpoint:
        environment = clean_environment(**endpoint.environment())
        for _ in range(3):
            for number, peak in peaks.items():
                peak.append(peak_megabytes(ITERATE.format(number=number, **values), environment))
    small, large = (statistics.median(peak) for peak in peaks.values())
    print(f"\npeak memory: 1,000 requests {small:.1f} MB, 10,000 {large:.1f} MB, "
          f"{large / small:.3f} x")  # fmt: skip


PERIOD = 6.0
TOKENS_PER_PERIOD = 180_000
USED = {"inputTokens": 200, "outputTokens": 100, "totalTokens": 300}
PERIODS = 6


def quota() -> None:
    """What of a quota is used, and what is throttled, by whether the quota is known."""
    rows = [["token quota", "used, once settled", "throttled, once settled"], ["---"] * 3]
    for name, known in (("given", TOKENS_PER_PERIOD), ("not given", None)):
        with LocalBedrockProcess(latency=LATENCY) as endpoint:
            os.environ.update(endpoint.environment())
            endpoint.limit_tokens(TOKENS_PER_PERIOD, period=PERIOD)
            endpoint.reply_with(
                {
                    "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
                    "stopReason": "end_turn",
                    "usage": USED,
                    "metrics": {"latencyMs": 100},
                }
            )
            rows.append([name, *settled(endpoint, known)])
    print_table(f"{IN_FLIGHT} in flight, a window of {PERIOD:.0f} s for the minute", rows)


def settled(endpoint: LocalBedrockProcess, known: int | None) -> tuple[str, str]:
    manager = manager_for(HOME)
    # The public option counts by the minute; here a minute has six seconds.
    manager._health = PacedHealth(Pacer(IN_FLIGHT, known, period=PERIOD))  # noqa: SLF001
    number = PERIODS * TOKENS_PER_PERIOD // USED["totalTokens"]
    options: dict[str, Any] = {"inference_config": {"maxTokens": 400}}
    prompt = [{"role": "user", "content": [{"text": "x" * 800}]}]
    many = [BedrockConverseRequest(messages=prompt, **options) for _ in range(number)]
    manager.converse_parallel(many)
    served = [each for each in endpoint.requests if each.operation == "Converse"]
    begin, end = served[0].time + PERIOD, served[-1].time
    late = [each for each in served if begin <= each.time < end]
    answered = sum(each.status == 200 for each in late)  # noqa: PLR2004  (HTTP)
    used = answered * USED["totalTokens"] / (TOKENS_PER_PERIOD * (end - begin) / PERIOD)
    return f"{used:.1%}", f"{1 - answered / len(late):.2%} of {len(late)} calls"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
