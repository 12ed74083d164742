"""Tests what becomes of a run that is interrupted, throttled, or loses a region or its disk."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import ParallelLLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import Boto3Config, RetryConfig
from bestehorn_llmmanager.bedrock.models.parallel_structures import (
    BedrockConverseRequest,
    ParallelProcessingConfig,
)
from bestehorn_llmmanager.testing import Fault

if TYPE_CHECKING:
    from pathlib import Path

    from bestehorn_llmmanager.testing import LocalBedrock

EAST, WEST = "us-east-1", "us-west-2"
QUICK = RetryConfig(max_retries=3, retry_delay=0.005, max_retry_delay=0.05)


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


# --- an interrupt ---------------------------------------------------------------------------------


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


@functools.cache
def mount_namespace() -> tuple[str, ...] | None:
    """The command that starts a program with mounts of its own; None where that is forbidden."""
    if shutil.which("unshare") is None:
        return None
    for command in (("unshare", "-m"), ("unshare", "-rm")):
        probe = [*command, "sh", "-c", "mount -t tmpfs none /mnt"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return command
    return None


def on_a_small_disk(code: str, directory: Path, argument: object) -> Any:
    """What Python code printed as JSON, for which `directory` is a file system of 64 KiB.

    It gets the directory and `argument` in `sys.argv`.
    """
    command = mount_namespace()
    if command is None:
        pytest.skip("needs a mount namespace (`unshare -m`), which this machine does not allow")
    shell = 'mount -t tmpfs -o size=64k none "$1" && exec "$2" -c "$3" "$1" "$4"'
    done = subprocess.run(
        [*command, "sh", "-c", shell, "sh", str(directory), sys.executable, code, str(argument)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


FILL = """if True:
    import json, shutil, sys, threading
    from bestehorn_llmmanager import ParallelLLMManager
    from bestehorn_llmmanager.bedrock.catalog import CacheMode
    from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import ParallelProcessingError
    from bestehorn_llmmanager.bedrock.models.parallel_structures import (
        BedrockConverseRequest,
        ParallelProcessingConfig,
    )

    journal = sys.argv[1] + "/run.jsonl"
    how, copy = sys.argv[2].split(",")
    requests = [
        BedrockConverseRequest(
            [{"role": "user", "content": [{"text": f"r{number}"}]}], request_id=f"r{number}"
        )
        for number in range(500)
    ]
    manager = ParallelLLMManager(
        ["Nova Lite"],
        ["us-east-1", "us-west-2"],
        parallel_config=ParallelProcessingConfig(max_concurrent_requests=4),
        catalog_cache_mode=CacheMode.NONE,
        catalog_refresh="never",
    )
    answered, said = [], None
    try:
        if how == "list":
            manager.converse_parallel(requests, journal=journal)
        else:
            for name, response in manager.iter_converse_parallel(requests, journal=journal):
                answered.append(name)
    except ParallelProcessingError as error:
        said = error.message
        if how == "list":
            answered = error.partial_response.successful_request_ids
    shutil.copy(journal, copy)
    print(json.dumps({"said": said, "answered": answered, "threads": threading.active_count()}))
"""


@pytest.mark.parametrize("how", ["list", "iterator"])
def test_a_full_disk_ends_the_run_and_costs_no_answer(
    bedrock: LocalBedrock, tmp_path: Path, how: str
) -> None:
    disk, journal = tmp_path / "disk", tmp_path / "run.jsonl"
    disk.mkdir()
    outcome = on_a_small_disk(FILL, disk, f"{how},{journal}")
    assert "cannot be written: No space left on device" in outcome["said"]
    assert outcome["threads"] == 1
    answered, asked = outcome["answered"], bedrock.count("Converse")
    assert len(set(answered)) == len(answered) == asked < 500
    kept = keys_in(journal)
    assert 0 < len(kept) < asked
    assert set(kept) <= set(answered)
    # Where there is room, the rest is asked.
    response = new_manager().converse_parallel(requests(500), journal=journal)
    assert response.get_success_rate() == 100.0
    assert bedrock.count("Converse") == asked + 500 - len(kept)
