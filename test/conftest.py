"""What every test gets: a clean environment, and on request a Bedrock endpoint and a cache."""

from __future__ import annotations

import gzip
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.loaders import create_loader
from hypothesis import HealthCheck, settings

from bestehorn_llmmanager.bedrock.models.catalog_paths import CatalogFilePaths
from bestehorn_llmmanager.bedrock.tracking import AccessMethodTracker
from bestehorn_llmmanager.testing import LocalBedrock

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator

# Two cores are shared with servers and processes that tests start: time is no law here. Each night
# laws are tried with more examples.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("shared-machine", UNHURRIED, max_examples=40)
settings.register_profile("thorough", UNHURRIED, max_examples=1000)
settings.load_profile("shared-machine")

# Who starts the tests in the background has them ignore Ctrl-C, and so the programs that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

FALLBACK = CatalogFilePaths.get_fallback_cache_directory()
DATA = Path(__file__).parent / "data"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a member that the installed botocore, which may be an old one, has not."""
    for mark in item.iter_markers("needs_member"):
        if f'"{mark.args[0]}"' not in service_models():
            pytest.skip(f"this botocore has no `{mark.args[0]}`")


@cache
def service_models() -> str:
    loader = create_loader()
    names = "bedrock", "bedrock-runtime"
    return json.dumps([loader.load_service_model(name, "service-2") for name in names])


@pytest.hookimpl(trylast=True)  # after they were put in a random order
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that have the place below ``/tmp`` to themselves run first: they would wait for others."""
    items.sort(key=lambda item: "fallback" not in getattr(item, "fixturenames", ()))


@pytest.fixture(autouse=True)
def fallback_lock(request: pytest.FixtureRequest) -> Iterator[None]:
    """One place below ``/tmp`` is the same for all tests, also for those of another worker.

    Those that use it (by the fixture `fallback`) have it to themselves, the others share it.
    """
    if sys.platform == "win32":
        yield
        return
    alone = "fallback" in request.fixturenames
    with (Path(tempfile.gettempdir()) / "bestehorn-llmmanager-tests.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


@pytest.fixture
def fallback() -> Iterator[Path]:
    """The place below ``/tmp``; whatever the test leaves there goes away."""
    yield FALLBACK
    if FALLBACK.is_symlink() or FALLBACK.is_file():
        FALLBACK.unlink()
    shutil.rmtree(FALLBACK, ignore_errors=True)


@pytest.fixture(autouse=True)
def clean_environment(
    fallback_lock: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """No credentials, no settings and no cache but those that the test makes."""
    if not os.environ.get("LLMMANAGER_TEST_AWS"):
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg-cache"))
    shutil.rmtree(FALLBACK, ignore_errors=True)
    # What is learned of access methods is for the whole process.
    AccessMethodTracker.reset_for_testing()
    yield
    logging.getLogger("bestehorn_llmmanager").setLevel(logging.NOTSET)


@pytest.fixture
def cache_dir(tmp_path: Path) -> Path:
    """A directory for the catalogue cache; not there yet."""
    return tmp_path / "cache"


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


HOLD_THE_LOCK = """if True:
    import sys
    from bestehorn_llmmanager.bedrock.catalog import CacheManager, CacheMode
    with CacheManager(CacheMode.FILE, sys.argv[1]).lock(5) as held:
        print(held, flush=True)
        sys.stdin.readline()
"""


@pytest.fixture
def holder(cache_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of `cache_dir` until it is told or killed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK, str(cache_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        yield process
        process.kill()


@pytest.fixture(scope="session")
def snapshot() -> dict[str, Any]:
    """What the control plane returns per region: see `test/data/README.md`. Not to be changed."""
    content = gzip.decompress((DATA / "bedrock_api_snapshot.json.gz").read_bytes())
    data: dict[str, Any] = json.loads(content)
    return data


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBedrock]:
    """A running Bedrock endpoint that boto3 clients of this process find by themselves."""
    with LocalBedrock() as endpoint:
        for name, value in endpoint.environment().items():
            monkeypatch.setenv(name, value)
        yield endpoint
