"""What a Lambda handler costs above the same handler on bare boto3: cold start, warm answer, memory.

    python scripts/benchmarks/lambda_cold_start.py [rounds]

AWS's own runtime client (`awslambdaric`) runs each handler, in a new process per round, against a
Runtime API on loopback. The Bedrock endpoint is a process of its own and answers at once.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from measuring import Timings, print_table, ratio

from bestehorn_llmmanager.testing import LocalBedrockProcess

sys.path.append(str(Path(__file__).parents[1]))
from lambda_runtime_api import LambdaFunction

REGION, MODEL = "eu-central-1", "eu.anthropic.claude-haiku-4-5-20251001-v1:0"
EVENT = {"prompt": "What is a region?"}
WARM_CALLS = 50

BARE = f"""
import boto3
client = boto3.client("bedrock-runtime", region_name={REGION!r})

def handler(event, context):
    response = client.converse(
        modelId={MODEL!r}, messages=[{{"role": "user", "content": [{{"text": event["prompt"]}}]}}]
    )
    return {{"answer": response["output"]["message"]["content"][0]["text"]}}
"""
# What somebody needs who finds out the profile by himself.
LISTING = f"""
import boto3
control = boto3.client("bedrock", region_name={REGION!r})
control.list_foundation_models()
for page in control.get_paginator("list_inference_profiles").paginate():
    pass
"""
LIBRARY = f"""
from bestehorn_llmmanager import CacheMode, LLMManager
manager = LLMManager(["Claude Haiku 4.5"], [{REGION!r}], timeout=8, %s)
manager.connect(timeout=28)

def handler(event, context):
    response = manager.converse(
        [{{"role": "user", "content": [{{"text": event["prompt"]}}]}}],
        timeout=context.get_remaining_time_in_millis() / 1000 - 1,
    )
    return {{"answer": response.get_content()}}
"""
ASKING = LIBRARY % "catalog_cache_mode=CacheMode.MEMORY"
FROM_FILE = LIBRARY % "catalog_cache_directory='cache'"
FROM_PACKAGE = LIBRARY % "catalog_cache_mode=CacheMode.NONE, catalog_refresh='never'"

NO_COLLECTION = "import gc; gc.disable()"

# Row of the table: module, and the row that it is compared with.
HANDLERS = {
    "bare boto3, the profile is written down": (BARE, None),
    "library, catalogue of the package": (FROM_PACKAGE, "bare boto3, the profile is written down"),
    "library, warm cache file": (FROM_FILE, "bare boto3, the profile is written down"),
    "bare boto3 that asks for models and profiles": (LISTING + BARE, None),
    "library that asks AWS": (ASKING, "bare boto3 that asks for models and profiles"),
    "bare boto3, no garbage collection": (NO_COLLECTION + BARE, None),
    "library, catalogue of the package, no garbage collection": (
        NO_COLLECTION + FROM_PACKAGE,
        "bare boto3, no garbage collection",
    ),
}
WITHOUT_BYTECODE = {
    "bare boto3, no bytecode": (BARE, None),
    "library, catalogue of the package, no bytecode": (FROM_PACKAGE, "bare boto3, no bytecode"),
}
NO_BYTECODE = {"PYTHONPYCACHEPREFIX": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass
class Measured:
    """One entry per round."""

    cold: Timings = field(default_factory=Timings)
    initialisation: Timings = field(default_factory=Timings)
    cpu: Timings = field(default_factory=Timings)
    warm: Timings = field(default_factory=Timings)
    megabytes: list[float] = field(default_factory=list)


def main(rounds: int) -> None:
    with LocalBedrockProcess() as endpoint, tempfile.TemporaryDirectory() as folder:
        environment = endpoint.environment()
        modules = {**HANDLERS, **WITHOUT_BYTECODE}
        for number, (module, _) in enumerate(modules.values()):
            (Path(folder) / f"handler{number}.py").write_text(module)
        measured = {name: Measured() for name in modules}
        for _ in range(rounds + 1):
            for number, name in enumerate(modules):
                further = NO_BYTECODE if name in WITHOUT_BYTECODE else {}
                start = {**environment, **further}
                measure(f"handler{number}.handler", Path(folder), start, measured[name])
    for entry in measured.values():
        forget_first_round(entry)  # it wrote bytecode and the cache file
    show(rounds, measured)


def measure(handler: str, folder: Path, environment: dict[str, str], into: Measured) -> None:
    started = perf_counter()
    with LambdaFunction(handler, folder, environment, region=REGION) as function:
        function.wait_for_initialisation()
        into.initialisation.seconds.append(perf_counter() - started)
        assert MODEL in function.invoke(EVENT)["answer"]
        into.cold.seconds.append(perf_counter() - started)
        into.cpu.seconds.append(function.cpu_seconds)
        started = perf_counter()
        for _ in range(WARM_CALLS):
            function.invoke(EVENT)
        into.warm.seconds.append((perf_counter() - started) / WARM_CALLS)
        into.megabytes.append(function.peak_megabytes)


def forget_first_round(entry: Measured) -> None:
    for timings in (entry.cold, entry.initialisation, entry.cpu, entry.warm):
        del timings.seconds[0]
    del entry.megabytes[0]


def show(rounds: int, measured: dict[str, Measured]) -> None:
    columns = ["initialisation", "with the first answer", "ratio", "CPU", "ratio", "warm", "ratio"]
    rows = [["handler", *columns, "peak memory"], ["---"] * 9]
    for name, entry in measured.items():
        base = {**HANDLERS, **WITHOUT_BYTECODE}[name][1]
        rows.append(
            [
                name,
                str(entry.initialisation),
                str(entry.cold),
                compared("cold", measured, name, base),
                str(entry.cpu),
                compared("cpu", measured, name, base),
                str(entry.warm),
                compared("warm", measured, name, base),
                f"{max(entry.megabytes):.1f} MB of 128 MB",
            ]
        )
    print_table(
        f"Lambda handlers, {rounds} rounds, median (quartiles); ratios to the bare boto3 above",
        rows,
    )


def compared(what: str, measured: dict[str, Measured], name: str, base: str | None) -> str:
    if base is None:
        return ""
    pair: dict[str, Timings] = {"library": getattr(measured[name], what)}
    return ratio({**pair, "bare": getattr(measured[base], what)}, "library", "bare")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
