"""Tests what holds for every catalogue, whatever its configuration and whatever AWS answers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog, CacheMode, CatalogSource
from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Iterator

# Configurations at random may end in the place below /tmp.
pytestmark = pytest.mark.usefixtures("fallback")

REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2")
AUTH = AuthManager()  # making a boto3 session takes longer than the rest of an example

few = settings(max_examples=25, deadline=None)


@pytest.fixture(scope="module")
def endpoints(snapshot: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Kind of behaviour to the URL of an endpoint that shows it."""
    answers = {"regions": {region: first_models(snapshot, region, 3) for region in REGIONS}}
    with (
        LocalBedrock(answers) as fine,
        LocalBedrock(answers) as throttling,
        LocalBedrock(answers) as denying,
        LocalBedrock(answers) as half_broken,
        LocalBedrock(answers) as babbling,
        socket.socket() as refusing,  # bound, so that nobody else gets the port, but not listening
    ):
        throttling.fail(Fault.throttling())
        denying.fail(Fault.access_denied())
        half_broken.fail(Fault.internal_error(), operation="ListInferenceProfiles", share=0.5)
        babbling.fail(Fault.broken_json())
        refusing.bind(("127.0.0.1", 0))
        port = refusing.getsockname()[1]
        yield {
            "fine": fine.url,
            "throttling": throttling.url,
            "denying": denying.url,
            "half broken": half_broken.url,
            "babbling": babbling.url,
            "refusing": f"http://127.0.0.1:{port}",
        }


def first_models(snapshot: dict[str, Any], region: str, count: int) -> dict[str, Any]:
    return {key: listed[:count] for key, listed in snapshot["regions"][region].items()}


@contextmanager
def surroundings(url: str) -> Iterator[Path]:
    """An empty directory that is everything a program can find, and an endpoint."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", f"{name}/home")
        patch.setenv("XDG_CACHE_HOME", f"{name}/xdg")
        patch.setenv("AWS_ENDPOINT_URL_BEDROCK", url)
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "example")
        yield Path(name)
        for thread in threading.enumerate():  # they are not to see another environment
            if thread.name == "bedrock-catalog-refresh":
                thread.join()


def make_place(base: Path, kind: str) -> Path | str | None:
    """A cache directory as it may be found."""
    if kind == "default":
        return None
    path = base / "place"
    if kind == "a file is in the way":
        path.write_text("not a directory")
    elif kind == "below a file":
        path.write_text("not a directory")
        path = path / "cache"
    elif kind == "there, with rubbish":
        path.mkdir()
        (path / "bedrock_catalog.json").write_bytes(b"\x00rubbish")
    elif kind == "there, with a directory of that name":
        (path / "bedrock_catalog.json").mkdir(parents=True)
    elif kind == "text":
        return str(path)
    return path


def content(base: Path) -> set[Path]:
    return set(base.rglob("*"))


PLACES = st.sampled_from(
    [
        "default",
        "missing",
        "text",
        "there, with rubbish",
        "there, with a directory of that name",
        "a file is in the way",
        "below a file",
    ]
)
REGION_LISTS = st.lists(
    st.sampled_from([*REGIONS, "moon-north-1", "us-gov-west-1"])
    | st.from_regex(r"[a-z]{2}(-[a-z]{1,9}){1,2}-[1-9]", fullmatch=True),
    min_size=1,
    max_size=3,
)
KINDS_OF_ENDPOINTS = ["fine", "throttling", "denying", "half broken", "babbling", "refusing"]
CONFIGURATIONS = st.fixed_dictionaries(
    {
        "cache_mode": st.sampled_from(CacheMode),
        "cache_max_age_hours": st.sampled_from([1e-9, 1.0, 1e6]),
        "force_refresh": st.booleans(),
        "timeout": st.floats(0.02, 0.4),
        "max_workers": st.integers(1, 40),
        "max_retries": st.integers(0, 4),
        "enable_fuzzy_matching": st.sampled_from([None, True, False]),
        "refresh": st.sampled_from(["blocking", "background", "never"]),
        "regions": REGION_LISTS,
    }
)


@settings(max_examples=40, deadline=None)
@given(options=CONFIGURATIONS, place=PLACES, kind=st.sampled_from(KINDS_OF_ENDPOINTS))
def test_with_the_bundle_allowed_there_is_always_a_catalogue(
    endpoints: dict[str, str], options: dict[str, Any], place: str, kind: str
) -> None:
    with surroundings(endpoints[kind]) as base:
        catalog = BedrockModelCatalog(
            AUTH, cache_directory=make_place(base, place), fallback_to_bundled=True, **options
        )
        assert catalog.ensure_catalog_available().model_count > 0
        assert catalog.is_model_available("Nova Lite", "us-west-2")
        assert catalog.is_catalog_loaded


@pytest.mark.parametrize("kind", ["fine", "refusing"])
def test_all_regions_at_once_are_no_different(endpoints: dict[str, str], kind: str) -> None:
    with surroundings(endpoints[kind]) as base:
        catalog = BedrockModelCatalog(AUTH, CacheMode.FILE, base / "cache", timeout=1)
        assert catalog.is_model_available("Nova Lite", "us-west-2")


@few
@given(options=CONFIGURATIONS, place=PLACES, kind=st.sampled_from(KINDS_OF_ENDPOINTS))
def test_without_a_cache_nothing_is_written_anywhere(
    endpoints: dict[str, str], options: dict[str, Any], place: str, kind: str
) -> None:
    with surroundings(endpoints[kind]) as base:
        directory = make_place(base, place)
        before = content(base)
        catalog = BedrockModelCatalog(
            AUTH, cache_directory=directory, **{**options, "cache_mode": CacheMode.NONE}
        )
        catalog.ensure_catalog_available()
        catalog.refresh_catalog()
        catalog.clear_cache()
        assert content(base) == before


@pytest.mark.parametrize("kind", ["fine", "refusing", None])
def test_a_whole_process_without_a_cache_opens_no_file_for_writing(
    endpoints: dict[str, str], tmp_path: Path, kind: str | None
) -> None:
    code = """
import os, sys
written = []
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink", "os.truncate"}
def watch(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            written.append(path)
    elif event in CHANGES:
        written.append((event, arguments))
sys.addaudithook(watch)
from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog, CacheMode
catalog = BedrockModelCatalog(
    cache_mode=CacheMode.NONE, cache_directory=sys.argv[1], regions=["us-east-1"], timeout=1
)
assert catalog.is_model_available("Nova Lite", "us-west-2")
catalog.refresh_catalog()
catalog.clear_cache()
assert not written, written
"""
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "xdg"),
        "TMPDIR": str(home),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if kind:
        environment |= {
            "AWS_ENDPOINT_URL_BEDROCK": endpoints[kind],
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example",
        }
    subprocess.run(
        [sys.executable, "-c", code, str(home / "cache")],
        check=True,
        env=environment,
        stderr=subprocess.PIPE,
    )
    assert content(tmp_path) == {home}


@contextmanager
def time_zone(name: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        yield
    time.tzset()


@few
@given(
    mode=st.sampled_from(CacheMode),
    regions=st.lists(st.sampled_from(REGIONS), min_size=1, unique=True),
    zone=st.sampled_from(["UTC0", "XXX-14", "XXX+12", "IST-5:30"]),
    refreshed=st.booleans(),
)
def test_what_aws_just_gave_is_less_than_a_minute_old_and_dated_in_utc(
    endpoints: dict[str, str], mode: CacheMode, regions: list[str], zone: str, refreshed: bool
) -> None:
    with surroundings(endpoints["fine"]) as base, time_zone(zone):
        catalog = BedrockModelCatalog(AUTH, mode, base / "cache", regions=regions)
        metadata = catalog.get_catalog_metadata()
        if refreshed:
            metadata = catalog.refresh_catalog().metadata
        now = datetime.now(timezone.utc)
        times = [metadata.retrieval_timestamp]
        times += [metadata.regions_metadata[region].retrieval_timestamp for region in regions]
        assert metadata.source is CatalogSource.API
        assert all(retrieved.utcoffset() == timedelta(0) for retrieved in times)
        assert all(timedelta(0) <= now - retrieved < timedelta(minutes=1) for retrieved in times)


@cache
def bundle() -> BedrockModelCatalog:
    return BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")


@cache
def known_names() -> list[str]:
    """Every kind of name that any model has, and of models that cannot be called."""
    catalog = bundle().ensure_catalog_available()
    names = [*catalog.not_callable]
    for model in catalog.models.values():
        model_id = model.model_id or ""
        names += [model.model_name, model_id, *model.former_names]
        names += [f"{model.provider} {model.model_name}", model.model_name.lower()]
        names += [profile.profile_id for profile in model.profiles]
        names += [variant.model_id for variant in model.context_variants]
        names.append(f"arn:aws:bedrock:eu-west-1::foundation-model/{model_id}")
    return names


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_what_is_available_can_be_looked_up(data: st.DataObject) -> None:
    catalog = bundle()
    regions = catalog.ensure_catalog_available().get_all_regions()
    name = data.draw(st.sampled_from(known_names()) | st.text())
    region = data.draw(st.sampled_from([*regions, "moon-north-1"]) | st.text())
    access = catalog.get_model_info(name, region)
    assert catalog.is_model_available(name, region) is (access is not None)
    if access is not None:
        assert access.region == region
        assert catalog.find_model(name) in catalog.list_models(region)


class Listings(dict[str, tuple[list[Any], list[Any]]]):
    """Region to models and profiles; too long to be shown."""

    def __repr__(self) -> str:
        return "Listings(...)"


@pytest.fixture(scope="module")
def listings(snapshot: dict[str, Any]) -> Listings:
    regions = {region: snapshot["regions"][region] for region in REGIONS}
    return Listings(
        (region, (listed["modelSummaries"], listed["inferenceProfileSummaries"]))
        for region, listed in regions.items()
    )


def part_of(listed: list[Any], chosen: set[int]) -> list[Any]:
    return [listed[number % len(listed)] for number in sorted(chosen)]


@few
@given(
    choices=st.dictionaries(
        st.sampled_from(REGIONS),
        st.tuples(st.sets(st.integers(0, 90), max_size=6), st.sets(st.integers(0, 60), max_size=6)),
        min_size=1,
    )
)
def test_a_catalogue_read_from_the_cache_is_the_one_that_was_fetched(
    listings: Listings, choices: dict[str, tuple[set[int], set[int]]]
) -> None:
    answers = {}
    for region, (chosen_models, chosen_profiles) in choices.items():
        models, profiles = listings[region]
        # An answer without any model that can be called would not be believed.
        callable_model = next(m for m in models if "ON_DEMAND" in m["inferenceTypesSupported"])
        answers[region] = {
            "modelSummaries": [callable_model, *part_of(models, chosen_models)],
            "inferenceProfileSummaries": part_of(profiles, chosen_profiles),
        }
    regions = list(choices)
    with LocalBedrock({"regions": answers}) as bedrock, surroundings(bedrock.url) as base:
        fetched = BedrockModelCatalog(
            AUTH, CacheMode.FILE, base, regions=regions
        ).ensure_catalog_available()
        bedrock.stop()
        read = BedrockModelCatalog(
            AUTH, CacheMode.FILE, base, regions=regions
        ).ensure_catalog_available()
    assert fetched.metadata.source is CatalogSource.API
    assert read.metadata.source is CatalogSource.CACHE
    assert read.models == fetched.models
    assert list(read.models) == list(fetched.models)
    assert read.not_callable == fetched.not_callable
    assert read.metadata.retrieval_timestamp == fetched.metadata.retrieval_timestamp
    assert read.metadata.api_regions_queried == fetched.metadata.api_regions_queried
    assert read.metadata.cache_file_path == fetched.metadata.cache_file_path
