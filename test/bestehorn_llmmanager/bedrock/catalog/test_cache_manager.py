"""Tests what the cache file is worth: what is believed, what is refused, what survives a kill."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bestehorn_llmmanager import __version__
from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog
from bestehorn_llmmanager.bedrock.catalog.bundled_loader import bundled_catalog
from bestehorn_llmmanager.bedrock.catalog.cache_manager import CacheManager
from bestehorn_llmmanager.bedrock.catalog.private_files import MAX_FILE_BYTES
from bestehorn_llmmanager.bedrock.models.catalog_structures import (
    CacheMode,
    CatalogMetadata,
    CatalogSource,
    RegionFailure,
    RegionMetadata,
    UnifiedCatalog,
)
from bestehorn_llmmanager.bedrock.models.model_details import (
    ContextVariant,
    InferenceProfile,
    ModelFacts,
    ModelLifecycle,
    NotCallableModel,
)
from bestehorn_llmmanager.bedrock.models.region_access import RegionAccess
from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FALLBACK = Path("/tmp/bestehorn-llmmanager-cache")
NAME = "bedrock_catalog.json"
SOMEBODY_ELSE = 65534

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files and signals")
root_only = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away"
)


def catalog_of(
    retrieved: datetime, *names: str, regions: Sequence[str] = ("us-east-1",)
) -> UnifiedCatalog:
    """A small catalogue as AWS gave it at `retrieved`."""
    models = {
        name: UnifiedModelInfo(
            name,
            "Acme",
            f"acme.{name.lower()}",
            ["TEXT"],
            ["TEXT"],
            True,
            RegionAccess(f"acme.{name.lower()}", regions, ()),
            inference_types={"ON_DEMAND": list(regions)},
        )
        for name in names
    }
    metadata = CatalogMetadata(
        CatalogSource.API,
        retrieved,
        list(regions),
        regions_metadata={r: RegionMetadata(CatalogSource.API, retrieved) for r in regions},
    )
    return UnifiedCatalog(models, metadata)


def now() -> datetime:
    return datetime.now(timezone.utc)


def file_cache(directory: Path, max_age_hours: float = 24.0) -> CacheManager:
    return CacheManager(CacheMode.FILE, directory, max_age_hours)


def names_in(catalog: UnifiedCatalog | None) -> list[str] | None:
    return None if catalog is None else list(catalog.models)


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def run(code: str, *arguments: object, prefix: Sequence[str] = ()) -> str:
    """Run Python code in an interpreter of its own; what it printed."""
    command = [*prefix, sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


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


def run_mounted(mount: str, code: str, directory: Path) -> str:
    """Run Python code after the shell command `mount`, which sees `directory` as ``$1``."""
    command = mount_namespace()
    if command is None:
        pytest.skip("needs a mount namespace (`unshare -m`), which this machine does not allow")
    shell = f'{mount} && exec "$2" -c "$3" "$1"'
    done = subprocess.run(
        [*command, "sh", "-c", shell, "sh", str(directory), sys.executable, code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def unwritable(tmp_path: Path) -> Path:
    """A directory that nobody, not even root, can make: its parent is a file."""
    blocker = tmp_path / "file"
    blocker.write_text("")
    return blocker / "cache"


@pytest.fixture
def nowhere_writable(unwritable: Path, fallback: Path) -> Path:
    """The same, with the fall-back blocked as well."""
    fallback.write_text("")
    return unwritable


@pytest.fixture
def permissive_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


# Construction and places


@pytest.mark.parametrize("mode", ["file", None, 1])
def test_a_mode_that_is_none_is_refused(mode: Any) -> None:
    with pytest.raises(ValueError, match="`mode`"):
        CacheManager(mode)


@pytest.mark.parametrize("hours", [0, -1, -0.5, float("nan")])
def test_an_age_that_is_not_positive_is_refused(hours: float) -> None:
    with pytest.raises(ValueError, match="`max_age_hours`"):
        CacheManager(CacheMode.FILE, None, hours)


@pytest.mark.parametrize("directory", [5, b"bytes", ["list"]])
def test_a_directory_that_is_no_path_is_refused(directory: Any) -> None:
    with pytest.raises(TypeError):
        CacheManager(CacheMode.FILE, directory)


@pytest.mark.parametrize("hours", [float("inf"), 1e12, sys.maxsize])
def test_an_enormous_age_means_for_ever(cache_dir: Path, hours: float) -> None:
    cache = file_cache(cache_dir, hours)
    cache.save_cache(catalog_of(now() - timedelta(days=4000), "Old"))
    assert names_in(cache.load_cache()) == ["Old"]
    assert cache.is_cache_valid()


class OwnPath:
    """A path of a third kind."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __fspath__(self) -> str:
        return str(self._path)


@pytest.mark.parametrize("kind", [str, Path, OwnPath])
def test_every_kind_of_path_is_a_directory(cache_dir: Path, kind: Callable[[Path], Any]) -> None:
    cache = CacheManager(CacheMode.FILE, kind(cache_dir))
    assert cache.cache_file_path == cache_dir / NAME
    assert cache.save_cache(catalog_of(now(), "A")) == cache_dir / NAME
    assert names_in(cache.load_cache()) == ["A"]


@pytest.mark.parametrize("kind", [str, Path, OwnPath])
def test_the_catalogue_takes_every_kind_of_path(
    cache_dir: Path, kind: Callable[[Path], Any]
) -> None:
    catalog = BedrockModelCatalog(cache_directory=kind(cache_dir), refresh="never")
    file_cache(cache_dir).save_cache(catalog_of(now(), "A"))
    assert catalog.cache_file_path == cache_dir / NAME
    assert catalog.is_model_available("A", "us-east-1")


@pytest.mark.parametrize("directory", ["made", "made/too", "./made", "made/", "."])
def test_a_relative_directory_is_made_where_the_program_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, directory: str, fallback: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    cache = CacheManager(CacheMode.FILE, directory)
    cache.save_cache(catalog_of(now(), "A"))
    assert (tmp_path / directory / NAME).is_file()
    assert not fallback.exists()
    assert names_in(cache.load_cache()) == ["A"]


def test_without_a_directory_the_file_is_in_the_users_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fallback: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    expected = tmp_path / "xdg" / "bestehorn-llmmanager" / NAME
    cache = CacheManager(CacheMode.FILE)
    assert cache.cache_file_path == expected
    assert cache.save_cache(catalog_of(now(), "A")) == expected
    loaded = cache.load_cache()
    assert loaded is not None
    assert loaded.metadata.cache_file_path == expected
    assert not fallback.exists()


def test_without_home_and_directory_the_file_is_in_the_fall_back(fallback: Path) -> None:
    code = """if True:
        import os
        for name in ("HOME", "XDG_CACHE_HOME"): os.environ.pop(name, None)
        os.getuid = lambda: 4_000_000  # no such user, as in some containers
        from bestehorn_llmmanager.bedrock.catalog import CacheManager, CacheMode
        print(CacheManager(CacheMode.FILE).cache_file_path)
    """
    assert run(code).strip() == str(fallback / NAME)


def test_construction_and_a_miss_create_nothing(cache_dir: Path, fallback: Path) -> None:
    cache = file_cache(cache_dir)
    assert cache.load_cache() is None
    assert cache.load_stored() is None
    assert not cache.is_cache_valid()
    cache.clear_cache()
    assert not cache_dir.exists()
    assert not fallback.exists()


# The three modes


def test_a_saved_file_is_loaded_by_another_manager(cache_dir: Path) -> None:
    catalog = catalog_of(now(), "A", "B")
    file_cache(cache_dir).save_cache(catalog)
    loaded = file_cache(cache_dir).load_cache()
    assert loaded is not None
    assert loaded.models == catalog.models
    assert loaded.metadata.source is CatalogSource.CACHE
    assert loaded.metadata.regions_metadata["us-east-1"].source is CatalogSource.CACHE
    assert loaded.metadata.cache_file_path == cache_dir / NAME
    assert file_cache(cache_dir).is_cache_valid()


def test_memory_keeps_for_this_object_only() -> None:
    cache, other = CacheManager(CacheMode.MEMORY), CacheManager(CacheMode.MEMORY)
    catalog = catalog_of(now(), "A")
    assert cache.save_cache(catalog) is None
    assert cache.load_cache() is catalog
    assert cache.is_cache_valid()
    assert other.load_cache() is None
    cache.clear_cache()
    assert cache.load_cache() is None
    assert not cache.is_cache_valid()


def test_memory_ages_too() -> None:
    cache = CacheManager(CacheMode.MEMORY, max_age_hours=1)
    cache.save_cache(catalog_of(now() - timedelta(hours=2), "A"))
    assert cache.load_cache() is None
    assert not cache.is_cache_valid()
    assert names_in(cache.load_stored()) == ["A"]


def test_none_keeps_nothing() -> None:
    cache = CacheManager(CacheMode.NONE)
    assert cache.save_cache(catalog_of(now(), "A")) is None
    assert cache.load_cache() is None
    assert cache.load_stored() is None
    assert not cache.is_cache_valid()


@pytest.mark.parametrize("mode", CacheMode)
def test_only_a_file_has_a_path(mode: CacheMode, cache_dir: Path) -> None:
    cache = CacheManager(mode, cache_dir)
    assert cache.mode is mode
    assert cache.cache_file_path == (cache_dir / NAME if mode is CacheMode.FILE else None)


USE_EVERYTHING = """if True:
    import sys
    from datetime import datetime, timezone
    from bestehorn_llmmanager.bedrock.catalog import CacheManager, CacheMode
    from bestehorn_llmmanager.bedrock.models.catalog_structures import (
        CatalogMetadata, CatalogSource, UnifiedCatalog,
    )
    touched = []
    def watch(event, arguments):
        touched.extend(str(a) for a in arguments if isinstance(a, (str, bytes)))
    sys.addaudithook(watch)
    metadata = CatalogMetadata(CatalogSource.API, datetime.now(timezone.utc), ["us-east-1"])
    for directory in (sys.argv[2], None):
        cache = CacheManager(CacheMode(sys.argv[1]), directory)
        cache.load_cache(), cache.load_stored(), cache.is_cache_valid(), cache.cache_file_path
        with cache.lock(1) as held:
            assert held
            cache.save_cache(UnifiedCatalog({}, metadata))
        cache.load_cache()
        cache.clear_cache()
    places = (sys.argv[2], sys.argv[3], "bestehorn-llmmanager-cache")
    print(sum(place in path for path in touched for place in places))
"""


@pytest.mark.parametrize(("mode", "touches"), [("memory", False), ("none", False), ("file", True)])
def test_the_interpreter_reports_no_file_event_without_file_mode(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: str, touches: bool
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    events = int(run(USE_EVERYTHING, mode, tmp_path / "given", tmp_path / "xdg"))
    assert (events > 0) is touches


@pytest.mark.skipif(shutil.which("strace") is None, reason="`strace` is not installed")
@pytest.mark.parametrize(("mode", "touches"), [("memory", False), ("none", False), ("file", True)])
def test_the_kernel_sees_no_cache_path_without_file_mode(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: str, touches: bool
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    trace = tmp_path / "trace"
    strace = ("strace", "-f", "-qq", "-e", "trace=file", "-s", "4096", "-o", str(trace))
    if subprocess.run([*strace, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not let `strace` trace")
    run(USE_EVERYTHING, mode, tmp_path / "given", tmp_path / "xdg", prefix=strace)
    # The first line names the paths as arguments of the program itself.
    calls = [line for line in trace.read_text().splitlines() if "execve(" not in line]
    places = (str(tmp_path / "given"), str(tmp_path / "xdg"), str(FALLBACK))
    seen = [line for line in calls if any(place in line for place in places)]
    assert len(calls) > 100
    assert bool(seen) is touches, seen


# What is written


def test_there_is_one_catalogue_file_and_its_lock(cache_dir: Path) -> None:
    cache = file_cache(cache_dir)
    for _ in range(3):
        with cache.lock(1) as held:
            assert held
            cache.save_cache(catalog_of(now(), "A"))
        cache.load_cache()
    assert sorted(path.name for path in cache_dir.iterdir()) in (
        [NAME, f"{NAME}.lock"],
        [NAME],  # a `filelock` that takes its file away
    )


def test_the_file_is_what_other_readers_know(cache_dir: Path) -> None:
    file_cache(cache_dir).save_cache(catalog_of(now(), "A"))
    data = json.loads((cache_dir / NAME).read_bytes().decode("utf-8"))
    assert data["package_version"] == __version__
    assert list(data["models"]) == ["A"]
    assert {"source", "retrieval_timestamp", "api_regions_queried"} <= data["metadata"].keys()


@posix_only
@pytest.mark.usefixtures("permissive_umask")
def test_file_lock_and_directories_are_private_whatever_the_umask(tmp_path: Path) -> None:
    directory = tmp_path / "made" / "made too" / "cache"
    cache = file_cache(directory)
    with cache.lock(1):
        cache.save_cache(catalog_of(now(), "A"))
    made = [directory.parent.parent, directory.parent, directory]
    assert [oct(stat.S_IMODE(d.stat().st_mode)) for d in made] == ["0o700"] * 3
    assert {oct(stat.S_IMODE(f.stat().st_mode)) for f in directory.iterdir()} == {"0o600"}


@posix_only
@pytest.mark.usefixtures("permissive_umask")
def test_the_fall_back_is_private_whatever_the_umask(unwritable: Path, fallback: Path) -> None:
    file_cache(unwritable).save_cache(catalog_of(now(), "A"))
    assert stat.S_IMODE(fallback.stat().st_mode) == 0o700
    assert stat.S_IMODE((fallback / NAME).stat().st_mode) == 0o600


@posix_only
def test_the_mode_of_a_directory_that_was_there_is_left_alone(cache_dir: Path) -> None:
    cache_dir.mkdir()
    cache_dir.chmod(0o755)
    file_cache(cache_dir).save_cache(catalog_of(now(), "A"))
    assert stat.S_IMODE(cache_dir.stat().st_mode) == 0o755


def test_saving_replaces_the_file_instead_of_writing_into_it(cache_dir: Path) -> None:
    cache = file_cache(cache_dir)
    cache.save_cache(catalog_of(now(), "A"))
    with (cache_dir / NAME).open("rb") as before:
        cache.save_cache(catalog_of(now(), "B"))
        old = json.loads(before.read())
    assert list(old["models"]) == ["A"]
    assert names_in(cache.load_cache()) == ["B"]


SAVE_FOR_EVER_AND_GET_KILLED = """if True:
    import os, random, signal, sys, time
    from dataclasses import replace
    from datetime import datetime, timezone
    from bestehorn_llmmanager.bedrock.catalog import CacheManager, CacheMode
    from bestehorn_llmmanager.bedrock.catalog.bundled_loader import bundled_catalog
    dice = random.Random(7)
    bundle = bundled_catalog()
    metadata = replace(bundle.metadata, retrieval_timestamp=datetime.now(timezone.utc))
    whole = replace(bundle, metadata=metadata)
    half = replace(whole, models=dict(list(whole.models.items())[: whole.model_count // 2]))
    cache = CacheManager(CacheMode.FILE, sys.argv[1])
    cache.save_cache(whole)
    print("ready", flush=True)
    for _ in range(int(sys.argv[2])):
        writer = os.fork()
        while writer == 0:
            cache.save_cache(half)
            cache.save_cache(whole)
        time.sleep(dice.uniform(0.01, 0.06))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
"""


@posix_only
@pytest.mark.parametrize("kills", [20, pytest.param(2000, marks=pytest.mark.slow)])
def test_no_reader_sees_a_torn_file_while_writers_are_killed(
    cache_dir: Path, fallback: Path, caplog: pytest.LogCaptureFixture, kills: int
) -> None:
    cache = file_cache(cache_dir)
    whole = bundled_catalog().model_count
    with subprocess.Popen(
        [sys.executable, "-c", SAVE_FOR_EVER_AND_GET_KILLED, str(cache_dir), str(kills)],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        seen = set()
        while child.poll() is None:
            loaded = cache.load_cache()
            seen.add(loaded and loaded.model_count)
        assert child.returncode == 0
    assert seen
    assert seen <= {whole, whole // 2}
    assert caplog.records == []

    long_ago = time.time() - 3600
    for leftover in cache_dir.glob("*.tmp"):
        os.utime(leftover, (long_ago, long_ago))
    cache.save_cache(catalog_of(now(), "A"))
    assert [path.name for path in cache_dir.iterdir()] == [NAME]
    assert not fallback.exists()


def test_leftovers_go_when_no_writer_can_still_be_at_them(cache_dir: Path) -> None:
    cache_dir.mkdir()
    old, young, strange = (
        cache_dir / name for name in (f"{NAME}.1-1.tmp", f"{NAME}.2-2.tmp", "notes.tmp")
    )
    long_ago = time.time() - 3600
    for path in (old, young, strange):
        path.write_text("{")
    for path in (old, strange):
        os.utime(path, (long_ago, long_ago))
    file_cache(cache_dir).save_cache(catalog_of(now(), "A"))
    assert not old.exists()
    assert young.exists()
    assert strange.exists()


def test_threads_that_save_at_once_leave_one_whole_file(cache_dir: Path) -> None:
    barrier = threading.Barrier(8)
    cache = file_cache(cache_dir)

    def save(name: str) -> None:
        barrier.wait()
        for _ in range(10):
            cache.save_cache(catalog_of(now(), name))

    threads = [threading.Thread(target=save, args=(f"M{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names_in(cache.load_cache()) in [[f"M{n}"] for n in range(8)]
    assert [path.name for path in cache_dir.iterdir()] == [NAME]


# Save → load is the identity

texts = st.text(min_size=1, max_size=8).filter(str.strip)
region_names = st.sampled_from(["us-east-1", "eu-west-1", "ap-south-1", "sa-east-1"])
region_lists = st.lists(region_names, unique=True, max_size=3).map(sorted)
some_regions = st.lists(region_names, unique=True, min_size=1, max_size=3).map(sorted)
numbers = st.none() | st.integers(0, 10**9)
prices = st.dictionaries(texts, st.floats(0, 1e6), max_size=2)
times = st.datetimes(
    min_value=datetime(2000, 1, 2),  # noqa: DTZ001  (the zone is drawn apart)
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([timezone.utc, timezone(timedelta(hours=5, minutes=30))]),
)
facts = st.builds(
    ModelFacts,
    as_of=texts,
    context_window_tokens=numbers,
    max_output_tokens=numbers,
    capabilities=st.dictionaries(texts, st.booleans(), max_size=2),
    prices_usd_per_million_tokens=prices,
    prices_by_profile_prefix=st.dictionaries(texts, prices, max_size=2),
    launch_date=st.none() | texts,
)
lifecycles = st.builds(
    ModelLifecycle, status=texts, start_of_life=st.none() | times, end_of_life=st.none() | times
)
profile_lists = st.lists(
    st.builds(
        InferenceProfile,
        profile_id=texts,
        name=st.text(max_size=5),
        geography=st.sampled_from(["us", "eu", "global", "moon"]),
        routes=st.dictionaries(region_names, st.lists(region_names, max_size=3), max_size=3),
        status=st.sampled_from(["ACTIVE", "GONE"]),
    ),
    max_size=2,
)
variants = st.builds(
    ContextVariant,
    model_id=texts,
    context_length=texts,
    inference_types=st.dictionaries(texts, region_lists, max_size=2),
)
not_callables = st.builds(
    NotCallableModel,
    model_id=texts,
    name=texts,
    provider=texts,
    reason=texts,
    regions=region_lists,
    former_names=st.lists(texts, max_size=2),
    facts=st.none() | facts,
    retired_on=st.none() | texts,
    last_listed=st.none() | texts,
    not_listed_on=st.none() | texts,
    successors=st.lists(texts, max_size=2),
)


@st.composite
def models(draw: st.DrawFn, name: str) -> UnifiedModelInfo:
    model_id = draw(texts)
    profiles = draw(profile_lists)
    direct = draw(some_regions)
    return UnifiedModelInfo(
        name,
        draw(texts),
        model_id,
        draw(st.lists(texts, max_size=2)),
        draw(st.lists(texts, max_size=2)),
        draw(st.booleans()),
        RegionAccess(model_id, direct, profiles),
        lifecycle=draw(st.none() | lifecycles),
        lifecycle_by_region=draw(st.dictionaries(region_names, lifecycles, max_size=2)),
        inference_types={"ON_DEMAND": direct, "PROVISIONED": draw(region_lists)},
        customizations=draw(st.lists(texts, max_size=2)),
        profiles=profiles,
        context_variants=draw(st.lists(variants, max_size=2)),
        facts=draw(st.none() | facts),
        former_names=draw(st.lists(texts, max_size=2)),
        described=draw(st.booleans()),
    )


@st.composite
def catalogs(draw: st.DrawFn) -> UnifiedCatalog:
    names = draw(st.lists(texts, unique=True, max_size=3))
    failures = st.builds(
        RegionFailure, kind=texts, reason=st.text(max_size=9), retrieval_timestamp=times
    )
    metadata = CatalogMetadata(
        draw(st.sampled_from(CatalogSource)),
        draw(times),
        draw(region_lists),
        bundled_data_version=draw(st.none() | texts),
        regions_metadata=draw(
            st.dictionaries(
                region_names,
                st.builds(RegionMetadata, st.sampled_from(CatalogSource), times),
                max_size=3,
            )
        ),
        unavailable_regions=draw(st.dictionaries(region_names, failures, max_size=2)),
        all_regions=draw(region_lists),
    )
    apart = draw(st.lists(not_callables, max_size=2))
    return UnifiedCatalog(
        {name: draw(models(name)) for name in names},
        metadata,
        {model.model_id: model for model in apart},
    )


@settings(max_examples=60, deadline=None)
@given(catalog=catalogs())
def test_what_is_loaded_is_what_was_saved(catalog: UnifiedCatalog) -> None:
    with tempfile.TemporaryDirectory() as directory:
        cache = file_cache(Path(directory))
        path = cache.save_cache(catalog)
        loaded = cache.load_stored()
    regions = {
        region: replace(entry, source=CatalogSource.CACHE)
        for region, entry in catalog.metadata.regions_metadata.items()
    }
    metadata = replace(
        catalog.metadata,
        source=CatalogSource.CACHE,
        cache_file_path=path,
        regions_metadata=regions,
    )
    assert loaded == replace(catalog, metadata=metadata)


def test_the_whole_bundle_survives_the_way_to_disk_and_back(cache_dir: Path) -> None:
    bundle = bundled_catalog()
    file_cache(cache_dir).save_cache(bundle)
    loaded = file_cache(cache_dir).load_stored()
    assert loaded is not None
    assert loaded.models == bundle.models
    assert loaded.not_callable == bundle.not_callable


# Damaged files


def assert_ignored_with_a_warning(
    directory: Path, content: bytes, caplog: pytest.LogCaptureFixture | None = None
) -> None:
    directory.mkdir(exist_ok=True)
    (directory / NAME).write_bytes(content)
    cache = file_cache(directory)
    assert cache.load_cache() is None
    if caplog is not None:
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert str(directory / NAME) in caplog.text
    assert cache.load_stored() is None
    assert not cache.is_cache_valid()


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=200))
@example(content=b"")
@example(content=b"\x00" * 100)
@example(content=b"\xef\xbb\xbf{}")
def test_no_bytes_crash_loading(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        assert_ignored_with_a_warning(Path(directory), content)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["models", "metadata", "source", "package_version", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(value=json_values)
def test_no_json_of_another_shape_crashes_loading(value: Any) -> None:
    with tempfile.TemporaryDirectory() as directory:
        assert_ignored_with_a_warning(Path(directory), json.dumps(value).encode())


@functools.cache
def good_content() -> bytes:
    bundle = bundled_catalog()
    # Two models with everything: profiles, variants, facts.
    rich = sorted(bundle.models.values(), key=lambda m: -len(json.dumps(m.to_record())))[:2]
    small = replace(
        bundle,
        models={model.model_name: model for model in rich},
        metadata=replace(bundle.metadata, retrieval_timestamp=now()),
        not_callable=dict(list(bundle.not_callable.items())[:2]),
    )
    with tempfile.TemporaryDirectory() as directory:
        path = file_cache(Path(directory)).save_cache(small)
        assert path is not None
        return path.read_bytes()


def test_the_content_that_is_damaged_below_is_good(cache_dir: Path) -> None:
    cache_dir.mkdir()
    (cache_dir / NAME).write_bytes(good_content())
    loaded = file_cache(cache_dir).load_cache()
    assert loaded is not None
    assert loaded.model_count == 2
    assert any(model.profiles for model in loaded.models.values())


@settings(max_examples=120, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
@example(share=0)
@example(share=0.999999)
def test_a_truncated_file_is_a_miss_wherever_it_ends(share: float) -> None:
    content = good_content()
    with tempfile.TemporaryDirectory() as directory:
        assert_ignored_with_a_warning(Path(directory), content[: int(share * len(content))])


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, list):
        value = dict(enumerate(value[:1]))
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))


@functools.cache
def places_in_good_content() -> list[tuple[Any, ...]]:
    return sorted(filter(None, _paths(json.loads(good_content()))), key=repr)


@settings(max_examples=300, deadline=None)
@given(
    place=st.deferred(lambda: st.sampled_from(places_in_good_content())),
    value=st.sampled_from(
        [None, 5, -1.5, True, "", "x", [], [5], [[]], [{}], [None], {}, {"a": 5}, {"a": None}]
    ),
)
def test_one_wrong_value_anywhere_crashes_neither_loading_nor_use(
    place: tuple[Any, ...], value: Any
) -> None:
    data = json.loads(good_content())
    holder = data
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, NAME).write_text(json.dumps(data))
        loaded = file_cache(Path(directory)).load_cache()
    for model in loaded.models.values() if loaded else ():
        assert dict(model.region_access)
        model.to_dict()
    if loaded:
        loaded.to_record()


def _set(*place_and_value: Any) -> Callable[[dict[str, Any]], None]:
    *place, key, value = place_and_value

    def change(data: dict[str, Any]) -> None:
        holder: Any = data
        for step in place:
            holder = next(iter(holder.values())) if step == "*" else holder[step]
        holder[key] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_set("models", "*", "model_id", None), id="no model id"),
        pytest.param(_set("models", "*", "inference_types", "ON_DEMAND", None), id="no regions"),
        pytest.param(
            _set("models", "*", "profiles", [{"profile_id": "", "name": "", "geography": "us"}]),
            id="profile without id and routes",
        ),
        pytest.param(
            _set(
                "models",
                "*",
                "profiles",
                [
                    {
                        "profile_id": "us.a",
                        "name": "A",
                        "geography": "us",
                        "routes": {"us-east-1": None},
                    }
                ],
            ),
            id="route without destinations",
        ),
        pytest.param(_set("metadata", "retrieval_timestamp", "0001-01-01T00:00:00"), id="year 1"),
        pytest.param(
            _set("metadata", "retrieval_timestamp", "0001-01-01T00:00:00+14:00"), id="year 0, UTC"
        ),
        pytest.param(
            _set("metadata", "retrieval_timestamp", "9999-12-31T23:59:59-12:00"), id="year 10000"
        ),
        pytest.param(
            _set(
                "metadata",
                "regions_metadata",
                "us-east-1",
                "retrieval_timestamp",
                "9999-12-31T23:59:59-12:00",
            ),
            id="a region in year 10000",
        ),
    ],
)
def test_a_file_that_only_looks_right_does_not_break_a_query(
    cache_dir: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    path = file_cache(cache_dir).save_cache(catalog_of(now(), "Odd"))
    assert path is not None
    edit(path, change)
    cache = file_cache(cache_dir)
    cache.is_cache_valid()
    cache.load_cache()
    catalog = BedrockModelCatalog(cache_directory=cache_dir, refresh="never")
    catalog.get_model_info("Odd", "us-east-1")
    assert catalog.is_model_available("Nova Micro", "us-east-1")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"[" * 200_000, id="deep lists"),
        pytest.param(b'{"a":' * 200_000, id="deep objects"),
        pytest.param(b'{"package_version":' + b"9" * 6000 + b"}", id="a number of 6000 digits"),
        pytest.param(b"NaN", id="NaN"),
        pytest.param(
            b'{"package_version": "%s", "models": NaN}' % __version__.encode(), id="NaN inside"
        ),
        pytest.param(b"1e999", id="infinity"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"text"', id="text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="empty"),
        pytest.param(b'{"models": {}, "metadata": {}}', id="no version"),
        pytest.param(b'{"package_version": "\xe9"}', id="latin-1"),
        pytest.param(b"\xff\xfe\x00\x01", id="no encoding"),
        pytest.param(b"\x80\x04\x95", id="a pickle"),
        pytest.param(b"<html></html>", id="a web page"),
    ],
)
def test_a_damaged_file_is_a_miss_with_one_warning(
    cache_dir: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert_ignored_with_a_warning(cache_dir, content, caplog)


def test_the_warning_does_not_repeat_what_stood_in_the_file(
    cache_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for content in (b'{"SECRET": 1}', b"SECRET", b'["SECRET"]', b'{"package_version": SECRET}'):
        assert_ignored_with_a_warning(cache_dir, content)
    assert caplog.records
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize("key", ["models", "metadata", "package_version"])
def test_a_file_without_a_needed_part_is_a_miss(
    cache_dir: Path, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    data = json.loads(good_content())
    del data[key]
    assert_ignored_with_a_warning(cache_dir, json.dumps(data).encode(), caplog)


@pytest.mark.parametrize("key", ["source", "retrieval_timestamp", "api_regions_queried"])
def test_metadata_without_a_needed_part_are_a_miss(
    cache_dir: Path, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    data = json.loads(good_content())
    del data["metadata"][key]
    assert_ignored_with_a_warning(cache_dir, json.dumps(data).encode(), caplog)


def test_another_encoding_of_json_is_read_or_a_miss(cache_dir: Path) -> None:
    cache_dir.mkdir()
    for encoding in ("utf-16", "utf-32", "utf-8-sig", "utf-7"):
        (cache_dir / NAME).write_bytes(good_content().decode().encode(encoding))
        file_cache(cache_dir).load_cache()


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs Linux's `/proc/self/io`")
def test_an_oversized_file_is_a_miss_and_not_read(
    cache_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def bytes_read() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])

    cache_dir.mkdir()
    with (cache_dir / NAME).open("wb") as file:
        file.write(good_content())
        file.truncate(MAX_FILE_BYTES + 1)
    before = bytes_read()
    assert file_cache(cache_dir).load_cache() is None
    assert bytes_read() - before < 1_000_000
    assert str(MAX_FILE_BYTES + 1) in caplog.text


# Things that are no files


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _directory(path: Path) -> None:
    path.mkdir()


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as unix:
        before = Path.cwd()
        os.chdir(path.parent)  # the path of a socket has 108 characters at the most
        try:
            unix.bind(path.name)
        finally:
            os.chdir(before)


@posix_only
@pytest.mark.parametrize("make", [_pipe, _device, _directory, _loop, _socket])
def test_what_is_no_file_is_a_miss_with_a_warning_and_does_not_hang(
    cache_dir: Path, caplog: pytest.LogCaptureFixture, make: Callable[[Path], None]
) -> None:
    cache_dir.mkdir()
    make(cache_dir / NAME)
    started = time.monotonic()
    assert file_cache(cache_dir).load_cache() is None
    assert time.monotonic() - started < 5
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@posix_only
@pytest.mark.parametrize("make", [_pipe, _device, _loop, _socket])
def test_what_is_no_file_is_replaced_by_one(cache_dir: Path, make: Callable[[Path], None]) -> None:
    cache_dir.mkdir()
    make(cache_dir / NAME)
    cache = file_cache(cache_dir)
    assert cache.save_cache(catalog_of(now(), "A")) == cache_dir / NAME
    assert names_in(cache.load_cache()) == ["A"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's `/proc/self/fd`")
@pytest.mark.parametrize("make", [_pipe, _device, _directory, _loop])
def test_no_descriptor_stays_open_after_a_refusal(
    cache_dir: Path, make: Callable[[Path], None]
) -> None:
    cache_dir.mkdir()
    make(cache_dir / NAME)
    cache = file_cache(cache_dir)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(5):
        cache.load_cache()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_directory_in_place_of_the_file_leads_to_the_fall_back(
    cache_dir: Path, fallback: Path
) -> None:
    (cache_dir / NAME).mkdir(parents=True)
    cache = file_cache(cache_dir)
    assert cache.save_cache(catalog_of(now(), "A")) == fallback / NAME
    assert [path.name for path in cache_dir.iterdir()] == [NAME]
    cache.clear_cache()  # cannot delete it, and says so
    assert cache.load_cache() is None


# Files and directories of others


@posix_only
def test_a_file_that_all_may_write_is_refused(
    cache_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = file_cache(cache_dir)
    cache.save_cache(catalog_of(now(), "A"))
    (cache_dir / NAME).chmod(0o602)
    assert cache.load_cache() is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@root_only
def test_a_file_of_another_user_is_refused_even_by_root(
    cache_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = file_cache(cache_dir)
    cache.save_cache(catalog_of(now(), "A"))
    os.chown(cache_dir / NAME, SOMEBODY_ELSE, -1)
    assert cache.load_cache() is None
    assert str(SOMEBODY_ELSE) in caplog.text


LOAD_AS = """if True:
    import os, sys
    from pathlib import Path
    from bestehorn_llmmanager.bedrock.catalog import CacheManager, CacheMode
    from bestehorn_llmmanager.bedrock.catalog.bundled_loader import bundled_catalog
    bundled_catalog()  # while the package can be read
    os.setuid(int(sys.argv[2]))
    loaded = CacheManager(CacheMode.FILE, sys.argv[1]).load_cache()
    print("none" if loaded is None else list(loaded.models))
"""


@root_only
@pytest.mark.parametrize(
    ("owner", "reader", "believed"),
    [
        pytest.param(SOMEBODY_ELSE, SOMEBODY_ELSE, True, id="own"),
        pytest.param(0, SOMEBODY_ELSE, True, id="root's"),
        pytest.param(12345, SOMEBODY_ELSE, False, id="another's"),
    ],
)
def test_a_user_believes_what_is_his_own_or_roots(owner: int, reader: int, believed: bool) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        path = file_cache(Path(directory)).save_cache(catalog_of(now(), "A"))
        assert path is not None
        Path(directory).chmod(0o755)
        path.chmod(0o644)
        os.chown(path, owner, -1)
        assert run(LOAD_AS, directory, reader).strip() == ("['A']" if believed else "none")


@posix_only
def test_a_fall_back_that_is_a_link_is_refused(
    unwritable: Path, fallback: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    fallback.symlink_to(target)
    cache = file_cache(unwritable)
    assert cache.save_cache(catalog_of(now(), "A")) is None
    with cache.lock(0.1) as held:
        assert held
    assert list(target.iterdir()) == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@posix_only
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_a_fall_back_that_others_can_write_is_refused(
    unwritable: Path, fallback: Path, mode: int
) -> None:
    fallback.mkdir()
    fallback.chmod(mode)
    assert file_cache(unwritable).save_cache(catalog_of(now(), "A")) is None
    assert list(fallback.iterdir()) == []


@root_only
def test_a_fall_back_of_another_user_is_refused(unwritable: Path, fallback: Path) -> None:
    fallback.mkdir(mode=0o755)
    os.chown(fallback, SOMEBODY_ELSE, -1)
    cache = file_cache(unwritable)
    assert cache.save_cache(catalog_of(now(), "A")) is None
    with cache.lock(0.1) as held:
        assert held
    assert list(fallback.iterdir()) == []


@root_only
def test_what_another_user_has_planted_in_the_fall_back_is_not_believed(
    cache_dir: Path, fallback: Path
) -> None:
    file_cache(fallback).save_cache(catalog_of(now(), "Planted"))
    for path in (fallback, fallback / NAME):
        os.chown(path, SOMEBODY_ELSE, -1)
    assert file_cache(cache_dir).load_cache() is None


# Age and version


@pytest.mark.parametrize(
    ("age", "fresh"),
    [
        (timedelta(0), True),
        (timedelta(hours=2), True),
        (timedelta(hours=2, seconds=1), False),
        (timedelta(days=3000), False),
        (timedelta(seconds=-59), True),
        (timedelta(seconds=-61), False),
        (timedelta(days=-1), False),
    ],
)
def test_data_is_fresh_from_now_until_its_age(age: timedelta, fresh: bool) -> None:
    moment = datetime(2026, 3, 29, 1, 30, tzinfo=timezone.utc)
    cache = CacheManager(CacheMode.NONE, max_age_hours=2)
    assert cache.is_fresh(moment - age, moment) is fresh
    abroad = (moment - age).astimezone(timezone(timedelta(hours=-7)))
    assert cache.is_fresh(abroad, moment) is fresh


@pytest.mark.parametrize(
    ("age", "valid"),
    [
        (timedelta(minutes=1), True),
        (timedelta(minutes=59), True),
        (timedelta(minutes=61), False),
        (timedelta(minutes=-5), False),
        (timedelta(days=-400), False),
    ],
)
def test_a_file_is_valid_by_the_time_at_which_aws_gave_it(
    cache_dir: Path, age: timedelta, valid: bool
) -> None:
    cache = file_cache(cache_dir, max_age_hours=1)
    path = cache.save_cache(catalog_of(now() - age, "A"))
    assert path is not None
    os.utime(path, (0, 0))  # the file's own time says nothing
    assert names_in(cache.load_cache()) == (["A"] if valid else None)
    assert cache.is_cache_valid() is valid
    assert names_in(cache.load_stored()) == ["A"]


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is nine hours ahead of UTC."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@posix_only
@pytest.mark.usefixtures("tokyo")
@pytest.mark.parametrize(("hours", "valid"), [(1, True), (3, False), (-9, False)])
def test_a_time_without_zone_is_local_time(cache_dir: Path, hours: int, valid: bool) -> None:
    cache = file_cache(cache_dir, max_age_hours=2)
    path = cache.save_cache(catalog_of(now(), "A"))
    assert path is not None
    local = datetime.now() - timedelta(hours=hours)  # noqa: DTZ005  (as 0.9.0 wrote it)
    edit(path, _set("metadata", "retrieval_timestamp", local.isoformat()))
    assert names_in(cache.load_cache()) == (["A"] if valid else None)


def _version(major: int, minor: int, rest: str = ".0") -> str:
    own_major, own_minor = map(int, __version__.split(".")[:2])
    return f"{own_major + major}.{own_minor + minor}{rest}"


@pytest.mark.parametrize(
    ("version", "hit"),
    [
        (__version__, True),
        (_version(0, 0, ".999"), True),
        (_version(0, 0, ".1.dev3+g1234"), True),
        (_version(0, 1), False),
        (_version(1, 0), False),
        (_version(-1, 0), False),
        ("0.9.0", False),
        ("99.0.0", False),
        (__version__.split(".")[0], False),
        ("", False),
        (None, False),
        (3, False),
        ({"a": 1}, False),
    ],
)
def test_only_the_same_major_and_minor_version_is_read(
    cache_dir: Path, version: Any, hit: bool
) -> None:
    cache = file_cache(cache_dir)
    path = cache.save_cache(catalog_of(now(), "A"))
    assert path is not None
    edit(path, _set("package_version", version))
    assert names_in(cache.load_cache()) == (["A"] if hit else None)
    assert names_in(cache.load_stored()) == (["A"] if hit else None)
    assert cache.is_cache_valid() is hit


WRITTEN_BY_0_9_0: dict[str, Any] = {
    "models": {
        "Nova Micro": {
            "model_name": "Nova Micro",
            "provider": "Amazon",
            "model_id": "amazon.nova-micro-v1:0",
            "input_modalities": ["TEXT"],
            "output_modalities": ["TEXT"],
            "streaming_supported": True,
            "inference_parameters_link": None,
            "hyperparameters_link": None,
            "region_access": {
                "us-east-1": {
                    "region": "us-east-1",
                    "has_direct_access": True,
                    "has_regional_cris": True,
                    "has_global_cris": False,
                    "model_id": "amazon.nova-micro-v1:0",
                    "regional_cris_profile_id": "us.amazon.nova-micro-v1:0",
                    "global_cris_profile_id": None,
                    "access_method": "both",
                    "inference_profile_id": "us.amazon.nova-micro-v1:0",
                }
            },
        }
    },
    "metadata": {
        "source": "api",
        "retrieval_timestamp": "2026-06-17T09:30:01.250000",
        "api_regions_queried": ["us-east-1"],
        "bundled_data_version": None,
        "cache_file_path": None,
    },
    "package_version": "0.9.0",
}


@pytest.mark.parametrize("age_hours", [0, 1000])
def test_a_file_of_0_9_0_is_a_miss_and_is_replaced(cache_dir: Path, age_hours: int) -> None:
    cache_dir.mkdir()
    written = datetime.now() - timedelta(hours=age_hours)  # noqa: DTZ005  (as 0.9.0 did)
    data = json.loads(json.dumps(WRITTEN_BY_0_9_0))
    data["metadata"]["retrieval_timestamp"] = written.isoformat()
    (cache_dir / NAME).write_text(json.dumps(data, indent=2))
    cache = file_cache(cache_dir)
    assert cache.load_cache() is None
    assert cache.load_stored() is None
    cache.save_cache(catalog_of(now(), "A"))
    assert names_in(cache.load_cache()) == ["A"]


# The fall-back, and nowhere at all


def test_the_fall_back_is_used_with_a_warning(
    unwritable: Path, fallback: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = file_cache(unwritable)
    assert cache.save_cache(catalog_of(now(), "A")) == fallback / NAME
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert str(fallback / NAME) in caplog.text
    assert str(unwritable) in caplog.text
    loaded = cache.load_cache()
    assert names_in(loaded) == ["A"]
    assert loaded is not None
    assert loaded.metadata.cache_file_path == fallback / NAME
    assert cache.cache_file_path == unwritable / NAME


def test_a_directory_that_is_a_file_leads_to_the_fall_back_and_stays(
    tmp_path: Path, fallback: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "a file"
    directory.write_text("mine")
    cache = file_cache(directory)
    assert cache.load_cache() is None
    assert cache.save_cache(catalog_of(now(), "A")) == fallback / NAME
    assert str(directory) in caplog.text
    assert directory.read_text() == "mine"


def test_nowhere_writable_is_a_warning_with_advice(
    nowhere_writable: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = file_cache(nowhere_writable)
    assert cache.save_cache(catalog_of(now(), "A")) is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "cache_directory" in caplog.text
    assert "MEMORY" in caplog.text
    assert cache.load_cache() is None


def test_the_first_place_wins(cache_dir: Path, fallback: Path) -> None:
    file_cache(cache_dir).save_cache(catalog_of(now(), "First"))
    file_cache(fallback).save_cache(catalog_of(now(), "Second"))
    assert names_in(file_cache(cache_dir).load_cache()) == ["First"]


@pytest.mark.parametrize("damage", ["expired", "broken", "other version"])
def test_a_valid_second_place_beats_an_invalid_first(
    cache_dir: Path, fallback: Path, damage: str
) -> None:
    cache = file_cache(cache_dir)
    age = timedelta(days=9) if damage == "expired" else timedelta(0)
    path = cache.save_cache(catalog_of(now() - age, "First"))
    assert path is not None
    if damage == "broken":
        path.write_text("{")
    if damage == "other version":
        edit(path, _set("package_version", "99.0.0"))
    file_cache(fallback).save_cache(catalog_of(now(), "Second"))
    assert names_in(cache.load_cache()) == ["Second"]
    assert not cache.is_cache_valid()


def test_the_place_with_the_newest_region_is_the_last_known_good(
    cache_dir: Path, fallback: Path
) -> None:
    """The first place is full since yesterday; what was fetched today is in the second."""
    long_ago, yesterday = now() - timedelta(days=9), now() - timedelta(hours=25)

    def with_regions(name: str, virginia: datetime) -> UnifiedCatalog:
        catalog = catalog_of(long_ago, name, regions=("us-east-1", "eu-west-1"))
        regions = {
            "us-east-1": RegionMetadata(CatalogSource.API, virginia),
            "eu-west-1": RegionMetadata(CatalogSource.API, long_ago),
        }
        return replace(catalog, metadata=replace(catalog.metadata, regions_metadata=regions))

    file_cache(cache_dir).save_cache(with_regions("First", yesterday))
    file_cache(fallback).save_cache(with_regions("Second", now()))
    assert names_in(file_cache(cache_dir).load_stored()) == ["Second"]


def test_clearing_removes_both_places(cache_dir: Path, fallback: Path) -> None:
    cache = file_cache(cache_dir)
    cache.save_cache(catalog_of(now(), "First"))
    file_cache(fallback).save_cache(catalog_of(now(), "Second"))
    cache.clear_cache()
    assert cache.load_cache() is None
    assert not (cache_dir / NAME).exists()
    assert not (fallback / NAME).exists()
    cache.clear_cache()  # twice is fine


def test_what_cannot_be_deleted_is_said(cache_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    (cache_dir / NAME).mkdir(parents=True)
    file_cache(cache_dir).clear_cache()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert str(cache_dir / NAME) in caplog.text


SAVE_IN_A_FULL_PLACE = """if True:
    import json, logging, sys
    from datetime import datetime, timezone
    from pathlib import Path
    from bestehorn_llmmanager.bedrock.catalog import CacheManager, CacheMode
    from bestehorn_llmmanager.bedrock.catalog.bundled_loader import bundled_catalog
    from bestehorn_llmmanager.bedrock.models.catalog_structures import (
        CatalogMetadata, CatalogSource, UnifiedCatalog,
    )
    directory = Path(sys.argv[1])
    cache = CacheManager(CacheMode.FILE, directory)
    metadata = CatalogMetadata(CatalogSource.API, datetime.now(timezone.utc), ["us-east-1"])
    first = cache.save_cache(UnifiedCatalog({}, metadata))
    before = first.read_bytes()
    second = cache.save_cache(bundled_catalog())
    print(json.dumps({
        "first": str(first), "second": str(second), "intact": first.read_bytes() == before,
        "names": sorted(path.name for path in directory.iterdir()),
    }))
"""


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, fallback: Path) -> None:
    printed = run_mounted('mount -t tmpfs -o size=16k none "$1"', SAVE_IN_A_FULL_PLACE, tmp_path)
    assert json.loads(printed) == {
        "first": str(tmp_path / NAME),
        "second": str(fallback / NAME),
        "intact": True,
        "names": [NAME],
    }


SAVE_AT_HOME = """if True:
    import json, os, sys
    from datetime import datetime, timezone
    from bestehorn_llmmanager.bedrock.catalog import CacheManager, CacheMode
    from bestehorn_llmmanager.bedrock.models.catalog_structures import (
        CatalogMetadata, CatalogSource, UnifiedCatalog,
    )
    os.environ["HOME"] = sys.argv[1]
    os.environ.pop("XDG_CACHE_HOME", None)
    cache = CacheManager(CacheMode.FILE)
    metadata = CatalogMetadata(CatalogSource.API, datetime.now(timezone.utc), ["us-east-1"])
    missed = cache.load_cache() is None
    with cache.lock(1) as held:
        written = cache.save_cache(UnifiedCatalog({}, metadata))
    loaded = cache.load_cache()
    print(json.dumps([missed, held, str(written), loaded is not None]))
"""


def test_a_read_only_home_leads_to_the_fall_back(tmp_path: Path, fallback: Path) -> None:
    mount = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1"'
    printed = run_mounted(mount, SAVE_AT_HOME, tmp_path)
    assert json.loads(printed) == [True, True, str(fallback / NAME), True]
    assert list(tmp_path.iterdir()) == []


# The lock


def test_the_lock_excludes_other_processes_until_it_is_given_back(
    cache_dir: Path, holder: subprocess.Popen[str]
) -> None:
    cache = file_cache(cache_dir)
    started = time.monotonic()
    with cache.lock(0.2) as held:
        assert held is False
    assert 0.15 < time.monotonic() - started < 5
    holder.communicate("go on\n")
    with cache.lock(0.2) as held:
        assert held is True


@posix_only
def test_the_lock_of_a_killed_process_is_free(
    cache_dir: Path, holder: subprocess.Popen[str]
) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with file_cache(cache_dir).lock(0.2) as held:
        assert held is True


def test_the_lock_excludes_other_threads_and_other_managers(cache_dir: Path) -> None:
    cache = file_cache(cache_dir)
    answers: list[bool] = []

    def ask(other: CacheManager) -> None:
        with other.lock(0.05) as held:
            answers.append(held)

    with cache.lock(1) as held:
        assert held
        for other in (cache, file_cache(cache_dir)):
            thread = threading.Thread(target=ask, args=(other,))
            thread.start()
            thread.join()
    ask(cache)
    assert answers == [False, False, True]


def test_an_error_under_the_lock_gives_it_back(cache_dir: Path) -> None:
    cache = file_cache(cache_dir)
    with pytest.raises(OSError, match="mine"), cache.lock(1):
        raise OSError("mine")
    with cache.lock(0.05) as held:
        assert held


def test_a_place_without_a_lock_keeps_nobody_from_fetching(nowhere_writable: Path) -> None:
    cache = file_cache(nowhere_writable)
    with cache.lock(0.05) as first, cache.lock(0.05) as second:
        assert first
        assert second


def test_a_lock_file_that_cannot_be_opened_keeps_nobody_from_fetching(cache_dir: Path) -> None:
    (cache_dir / f"{NAME}.lock").mkdir(parents=True)
    with file_cache(cache_dir).lock(0.05) as held:
        assert held


@pytest.mark.parametrize("mode", [CacheMode.MEMORY, CacheMode.NONE])
def test_without_a_file_there_is_nothing_to_lock(mode: CacheMode, cache_dir: Path) -> None:
    cache = CacheManager(mode, cache_dir)
    with cache.lock(0.05) as first, cache.lock(0.05) as second:
        assert first
        assert second
    assert not cache_dir.exists()


@pytest.mark.parametrize("blocked", [True, False])
def test_the_lock_of_an_unwritable_place_is_in_the_fall_back(
    unwritable: Path, cache_dir: Path, fallback: Path, blocked: bool
) -> None:
    with file_cache(unwritable if blocked else cache_dir).lock(1) as held:
        assert held
        with file_cache(fallback).lock(0.05) as second:
            assert second is not blocked
