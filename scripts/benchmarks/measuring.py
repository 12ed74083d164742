"""Times things in alternating blocks, so that what else the machine does hits all alike."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass
class Timings:
    """Seconds of each run."""

    seconds: list[float] = field(default_factory=list)

    @property
    def median_ms(self) -> float:
        return statistics.median(self.seconds) * 1000

    def __str__(self) -> str:
        low, _, high = statistics.quantiles(self.seconds, n=4)
        return f"{self.median_ms:.1f} ms ({low * 1000:.1f}-{high * 1000:.1f})"


def alternating(runs: int, **tasks: Callable[[], float]) -> dict[str, Timings]:
    """Run each task once per round, `runs` rounds; a task returns its own seconds."""
    timings = {name: Timings() for name in tasks}
    for _ in range(runs):
        for name, task in tasks.items():
            timings[name].seconds.append(task())
    return timings


def difference(timings: Mapping[str, Timings], upper: str, lower: str) -> Timings:
    """Round by round, how much longer `upper` took than `lower`."""
    pairs = zip(timings[upper].seconds, timings[lower].seconds, strict=True)
    return Timings([above - below for above, below in pairs])


def ratio(timings: Mapping[str, Timings], upper: str, lower: str) -> str:
    """Round by round, how many times longer: median and quartiles."""
    pairs = zip(timings[upper].seconds, timings[lower].seconds, strict=True)
    low, middle, high = statistics.quantiles([above / below for above, below in pairs], n=4)
    return f"{middle:.2f} x ({low:.2f}-{high:.2f})"


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def fresh_process(code: str, environment: Mapping[str, str]) -> Callable[[], float]:
    """A task that runs `code` in a new interpreter, with bytecode kept as after an installation."""
    command = [sys.executable, "-c", code]

    def run() -> float:
        # The bundle's warning is part of what is measured, but nobody needs to read it.
        return timed(
            lambda: subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
        )

    run()  # writes the bytecode
    return run


def peak_megabytes(code: str, environment: Mapping[str, str]) -> float:
    """Peak resident memory of a new interpreter that runs `code`."""
    report = (
        "\nprint(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1])"
    )
    return int(output_of(code + report, environment)) / 1024


def output_of(code: str, environment: Mapping[str, str]) -> str:
    """What a new interpreter prints that runs `code`."""
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    return result.stdout.strip()


def clean_environment(**extra: str) -> dict[str, str]:
    """This environment without AWS settings, and with bytecode allowed."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true", **extra}


def print_table(title: str, rows: Sequence[Sequence[str]]) -> None:
    print(
        f"\n{title}; {platform.python_implementation()} {platform.python_version()}, "
        f"{os.cpu_count()} cores, {platform.machine()}\n"
    )
    for row in rows:
        print("| " + " | ".join(row) + " |")
