"""What asking the regions costs, against bare boto3 that makes the same calls and does nothing else.

    python scripts/benchmarks/sweep.py [rounds]

The endpoint runs in a process of its own: in this one it would share the interpreter lock with
both sides and falsify the ratio.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from measuring import alternating, print_table, ratio, timed

from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog, CacheMode
from bestehorn_llmmanager.bedrock.catalog.bundled_loader import bundled_regions
from bestehorn_llmmanager.testing import LocalBedrockProcess

THREADS = 64
FEW = ["us-east-1", "eu-central-1", "ap-northeast-1"]


def main(rounds: int) -> None:
    logging.disable()
    rows = [["31 regions, latency per call", "library", "bare boto3", "ratio"], ["---"] * 4]
    for milliseconds in (0, 50, 200):
        with LocalBedrockProcess(latency=milliseconds / 1000) as endpoint:
            os.environ.update(endpoint.environment())
            # Credentials are resolved and code is imported before the first round counts.
            library(bundled_regions())
            timings = alternating(
                rounds,
                library=lambda: timed(lambda: library(bundled_regions())),
                boto3=lambda: timed(lambda: bare(bundled_regions())),
            )
        rows.append(
            [
                f"{milliseconds} ms",
                str(timings["library"]),
                str(timings["boto3"]),
                ratio(timings, "library", "boto3"),
            ]
        )
    print_table(f"Whole sweeps, median of {rounds} rounds (quartiles)", rows)
    few_regions(rounds)


def few_regions(rounds: int) -> None:
    with LocalBedrockProcess(latency=0.2) as endpoint:
        os.environ.update(endpoint.environment())
        timings = alternating(
            rounds,
            library=lambda: timed(lambda: library(FEW)),
            call=lambda: longest_call(FEW[0]),
        )
        endpoint.reset()
        library(FEW)
        requests = endpoint.count()
        connections = endpoint.connections_by_region()
    print(
        f"\n3 regions at 200 ms: {timings['library']}; the longer of the two calls with its pages: "
        f"{timings['call']}; {requests} requests; connections {connections}"
    )


def library(regions: list[str]) -> None:
    BedrockModelCatalog(
        cache_mode=CacheMode.NONE, max_workers=32, regions=regions
    ).ensure_catalog_available()


def bare(regions: list[str]) -> None:
    session = boto3.Session()
    with ThreadPoolExecutor(THREADS) as pool:
        calls = []
        for region in regions:
            client = session.client(
                "bedrock", region_name=region, config=Config(max_pool_connections=2)
            )
            calls.append(pool.submit(client.list_foundation_models))
            calls.append(pool.submit(all_profiles, client))
        for call in calls:
            call.result()


def all_profiles(client: object) -> None:
    paginator = client.get_paginator("list_inference_profiles")  # type: ignore[attr-defined]  # boto3 makes clients at run time
    for _ in paginator.paginate(typeEquals="SYSTEM_DEFINED", maxResults=1000):
        pass


def longest_call(region: str) -> float:
    client = boto3.Session().client("bedrock", region_name=region)
    started = time.perf_counter()
    client.list_foundation_models()
    listed = time.perf_counter()
    all_profiles(client)
    return max(listed - started, time.perf_counter() - listed)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
