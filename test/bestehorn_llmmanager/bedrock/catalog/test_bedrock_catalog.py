"""Tests which source answers, what that costs, and what queries say."""

from __future__ import annotations

import json
import math
import shutil
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.bedrock.catalog import (
    BedrockModelCatalog,
    CacheMode,
    CatalogSource,
    CatalogUnavailableError,
)
from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessMethod
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
)
from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo
    from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

HOME = "us-east-1"
OTHER = "eu-west-1"
NOVA = "amazon.nova-lite-v1:0"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
EXPIRED_AT_ONCE = 1e-9
THREADS = 30
DAY = 24.0


_SHARED = AuthManager()  # making a boto3 session takes longer than the rest of a test


def new_catalog(**options: Any) -> BedrockModelCatalog:
    """A catalogue of one region that keeps nothing and tries once, if not told otherwise."""
    defaults = {
        "auth_manager": _SHARED,
        "cache_mode": CacheMode.NONE,
        "regions": [HOME],
        "max_retries": 1,
        "timeout": 10,
    }
    return BedrockModelCatalog(**{**defaults, **options})


def model_summary(model_id: str, name: str, *types: str) -> dict[str, Any]:
    return {
        "modelArn": f"arn:aws:bedrock:{HOME}::foundation-model/{model_id}",
        "modelId": model_id,
        "modelName": name,
        "providerName": "Acme",
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "inferenceTypesSupported": list(types),
    }


def snapshot_of(*summaries: dict[str, Any]) -> dict[str, Any]:
    listing = {"modelSummaries": list(summaries), "inferenceProfileSummaries": []}
    return {"regions": {HOME: listing}}


def few_models_of(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Two models of two regions, so that an answer takes no time."""
    regions = {}
    for region in (HOME, OTHER):
        listing = snapshot["regions"][region]
        models = [m for m in listing["modelSummaries"] if m["modelId"] in {NOVA, HAIKU}]
        profiles = [
            profile
            for profile in listing["inferenceProfileSummaries"]
            if profile["inferenceProfileId"].endswith((NOVA, HAIKU))
        ]
        regions[region] = {"modelSummaries": models, "inferenceProfileSummaries": profiles}
    return {"regions": regions}


def serve(endpoint: LocalBedrock, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in endpoint.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch, snapshot: dict[str, Any]) -> Iterator[LocalBedrock]:
    with LocalBedrock(few_models_of(snapshot)) as endpoint:
        serve(endpoint, monkeypatch)
        yield endpoint


@pytest.fixture(scope="module")
def bundle() -> BedrockModelCatalog:
    return BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")


def deny_all(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.access_denied())


# --- construction ---------------------------------------------------------------------------


def test_construction_reads_writes_and_imports_nothing(tmp_path: Path) -> None:
    code = """
import sys
from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog, CacheMode
BedrockModelCatalog(cache_directory=sys.argv[1])  # pays for the imports
seen = []
def watch(event, arguments):
    if event == "open" or event.partition(".")[0] in {"os", "socket", "subprocess"}:
        seen.append((event, arguments))
sys.addaudithook(watch)
for mode in CacheMode:
    BedrockModelCatalog(None, mode, sys.argv[1], 24.0, True, 30, 10, 6, True, None)
assert not seen, seen
assert not {"boto3", "botocore", "filelock"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "cache")], check=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("mode", value) for value in ("file", None, 1)),
        *(
            (name, value)
            for name in ("cache_max_age_hours", "timeout", "max_workers")
            for value in (0, -1, float("nan"), float("-inf"), "10", True, None)
        ),
        *(("max_retries", value) for value in (-1, 1.5, "3", True, None)),
        *(("refresh", value) for value in ("sometimes", "", None)),
        *(("regions", value) for value in ([], "", HOME, [""], [" "], [HOME, None], [1])),
    ],
)
def test_an_argument_out_of_range_is_refused_by_its_name(option: str, value: Any) -> None:
    argument = "cache_mode" if option == "mode" else option
    with pytest.raises(ValueError, match=f"{option}` must") as raised:
        BedrockModelCatalog(**{argument: value})
    if option != "regions" or not isinstance(value, list):
        assert repr(value) in str(raised.value)


@pytest.mark.parametrize("option", ["cache_max_age_hours", "timeout", "max_workers"])
def test_an_option_may_be_without_limit(
    bedrock: LocalBedrock, cache_dir: Path, option: str
) -> None:
    without_limit = {"cache_mode": CacheMode.FILE, "cache_directory": cache_dir, option: math.inf}
    assert new_catalog(**without_limit).get_catalog_metadata().source is CatalogSource.API
    assert new_catalog(**without_limit).get_catalog_metadata().source is CatalogSource.CACHE


def test_a_directory_that_is_no_path_is_refused() -> None:
    with pytest.raises(TypeError):
        BedrockModelCatalog(cache_directory=5)  # type: ignore[arg-type] # that is the mistake


class _PathLike:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __fspath__(self) -> str:
        return str(self._path)


@pytest.mark.parametrize("kind", [str, Path, _PathLike])
def test_the_cache_directory_may_be_any_kind_of_path(
    bedrock: LocalBedrock, cache_dir: Path, kind: Callable[[Path], Any]
) -> None:
    catalog = new_catalog(cache_mode=CacheMode.FILE, cache_directory=kind(cache_dir))
    catalog.ensure_catalog_available()
    assert catalog.cache_file_path == cache_dir / "bedrock_catalog.json"
    assert catalog.cache_file_path.is_file()


@pytest.mark.parametrize(
    ("max_retries", "tries"), [pytest.param(0, 1, id="none"), pytest.param(1, 1, id="one")]
)
def test_no_retries_and_one_try_are_the_same(
    bedrock: LocalBedrock, max_retries: int, tries: int
) -> None:
    bedrock.fail(Fault.throttling())
    new_catalog(max_retries=max_retries).ensure_catalog_available()
    assert bedrock.count("ListFoundationModels") == tries
    assert bedrock.count("ListInferenceProfiles") == tries


def test_a_further_try_helps_against_a_moment_of_throttling(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.throttling(), operation="ListFoundationModels", times=1)
    catalog = new_catalog(max_retries=2)
    assert catalog.get_catalog_metadata().source is CatalogSource.API
    assert bedrock.count("ListFoundationModels") == 2


def test_nothing_is_loaded_before_the_first_query(bedrock: LocalBedrock) -> None:
    catalog = new_catalog()
    assert not catalog.is_catalog_loaded
    assert bedrock.count() == 0
    assert catalog.find_model(NOVA)
    assert catalog.is_catalog_loaded


@pytest.mark.parametrize("mode", CacheMode)
def test_only_a_file_cache_has_a_path(mode: CacheMode, cache_dir: Path) -> None:
    catalog = new_catalog(cache_mode=mode, cache_directory=cache_dir)
    path = cache_dir / "bedrock_catalog.json" if mode is CacheMode.FILE else None
    assert (catalog.cache_mode, catalog.cache_file_path) == (mode, path)


def test_the_text_form_shows_state_but_no_secret(bedrock: LocalBedrock) -> None:
    config = AuthConfig(
        AuthenticationType.CREDENTIALS,
        access_key_id="AKIAVERYSECRET",
        secret_access_key="very-secret",
        session_token="top-secret",
    )
    catalog = new_catalog(auth_manager=AuthManager(config))
    before = repr(catalog)
    count = catalog.ensure_catalog_available().model_count
    assert before == "BedrockModelCatalog(cache_mode=none, not loaded)"
    assert repr(catalog) == f"BedrockModelCatalog(cache_mode=none, models={count})"


# --- which source answers --------------------------------------------------------------------


def fill_cache(cache_dir: Path, **options: Any) -> None:
    new_catalog(
        cache_mode=CacheMode.FILE, cache_directory=cache_dir, **options
    ).ensure_catalog_available()


def make_older_than_the_bundle(file: Path) -> None:
    data = json.loads(file.read_text())
    for entry in (data["metadata"], *data["metadata"]["regions_metadata"].values()):
        entry["retrieval_timestamp"] = "2020-01-01T00:00:00+00:00"
    file.write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("stored", "options", "api_works", "source", "requests"),
    [
        pytest.param("valid", {}, True, "cache", 0, id="a valid cache is enough"),
        pytest.param("valid", {"force_refresh": True}, True, "api", 2, id="unless told to ask"),
        pytest.param(None, {}, True, "api", 2, id="no cache"),
        pytest.param("expired", {}, True, "api", 2, id="an expired cache"),
        pytest.param("damaged", {}, True, "api", 2, id="a damaged cache"),
        pytest.param("expired", {}, False, "cache", 2, id="last known good beats the bundle"),
        pytest.param(
            "valid", {"force_refresh": True}, False, "cache", 2, id="told to ask, no answer"
        ),
        pytest.param("ancient", {}, False, "bundled", 2, id="but not if it is older"),
        pytest.param("damaged", {}, False, "bundled", 2, id="nothing but the bundle"),
        pytest.param(None, {}, False, "bundled", 2, id="nothing at all"),
    ],
)
def test_the_first_good_source_answers_and_is_named(
    bedrock: LocalBedrock,
    cache_dir: Path,
    stored: str | None,
    options: dict[str, Any],
    api_works: bool,
    source: str,
    requests: int,
) -> None:
    file = cache_dir / "bedrock_catalog.json"
    if stored:
        fill_cache(cache_dir)
    if stored == "damaged":
        file.write_text("{")
    if stored == "ancient":
        make_older_than_the_bundle(file)
    bedrock.reset()
    if not api_works:
        deny_all(bedrock)

    metadata = new_catalog(
        cache_mode=CacheMode.FILE,
        cache_directory=cache_dir,
        cache_max_age_hours=EXPIRED_AT_ONCE if stored == "expired" else DAY,
        **options,
    ).get_catalog_metadata()

    assert metadata.source.value == source
    assert metadata.regions_metadata[HOME].source.value == source
    assert metadata.regions_metadata[HOME].retrieval_timestamp == metadata.retrieval_timestamp
    assert bedrock.count() == requests
    reads_or_writes_the_file = api_works or stored in {"valid", "expired", "ancient"}
    assert metadata.cache_file_path == (file if reads_or_writes_the_file else None)
    assert bool(metadata.bundled_data_version)


@pytest.mark.parametrize("mode", [CacheMode.MEMORY, CacheMode.NONE])
def test_without_a_file_each_catalogue_asks_aws_itself(
    bedrock: LocalBedrock, mode: CacheMode, cache_dir: Path
) -> None:
    for _ in range(2):
        catalog = new_catalog(cache_mode=mode, cache_directory=cache_dir)
        metadata = catalog.get_catalog_metadata()
        assert (metadata.source, metadata.cache_file_path) == (CatalogSource.API, None)
    assert bedrock.count() == 4
    assert not cache_dir.exists()


def test_without_the_bundle_the_error_says_what_each_source_answered(
    bedrock: LocalBedrock,
) -> None:
    deny_all(bedrock)
    catalog = new_catalog(fallback_to_bundled=False)
    with pytest.raises(CatalogUnavailableError) as raised:
        catalog.ensure_catalog_available()
    assert raised.value.details is not None
    assert raised.value.details["cache"] == "nothing (mode 'none')"
    assert "AccessDenied" in raised.value.details["API"]
    assert raised.value.details["bundle"] == "not allowed"
    for answer in raised.value.details.values():
        assert answer in raised.value.message
    assert "bedrock:ListFoundationModels" in raised.value.message
    assert "fallback_to_bundled=True" in raised.value.message
    assert not catalog.is_catalog_loaded


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"force_refresh": True}, {"cache": "bypassed"}),
        ({"refresh": "never"}, {"API": "not asked"}),
        ({}, {"API": "not asked: nothing points at AWS credentials"}),
        ({"cache_mode": CacheMode.MEMORY}, {"cache": "nothing (mode 'memory')"}),
    ],
)
def test_the_error_tells_what_was_not_even_tried(
    options: dict[str, Any], said: dict[str, str]
) -> None:
    with pytest.raises(CatalogUnavailableError) as raised:
        new_catalog(fallback_to_bundled=False, **options).ensure_catalog_available()
    assert (raised.value.details or {}).items() >= said.items()


def test_without_a_trace_of_credentials_the_answer_is_local_and_at_once(tmp_path: Path) -> None:
    code = """
import sys, time
from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog, CacheMode, CatalogSource
connected = []
sys.addaudithook(lambda event, _: connected.append(event) if event == "socket.connect" else None)
started = time.perf_counter()
catalog = BedrockModelCatalog(cache_mode=CacheMode.FILE, cache_directory=sys.argv[1])
assert catalog.get_model_info("Nova Lite", "us-east-1").model_id == "amazon.nova-lite-v1:0"
seconds = time.perf_counter() - started
assert catalog.get_catalog_metadata().source is CatalogSource.BUNDLED
assert seconds < 4, seconds
assert not connected
assert not {"boto3", "botocore", "filelock"} & set(sys.modules)
"""
    cache = tmp_path / "cache"
    subprocess.run([sys.executable, "-c", code, str(cache)], check=True, stderr=subprocess.PIPE)
    assert not cache.exists()


def test_a_port_where_nobody_listens_costs_one_timeout_at_most(
    monkeypatch: pytest.MonkeyPatch, bedrock: LocalBedrock
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", f"http://127.0.0.1:{port}")
    started = time.monotonic()
    catalog = new_catalog(regions=["us-east-1", "us-west-2", "eu-west-1"], timeout=2, max_retries=6)
    assert catalog.get_catalog_metadata().source is CatalogSource.BUNDLED
    assert time.monotonic() - started < 5.5


def test_the_catalogue_in_use_is_not_asked_for_its_age(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    catalog = new_catalog(
        cache_mode=CacheMode.FILE,
        cache_directory=cache_dir,
        cache_max_age_hours=EXPIRED_AT_ONCE,
    )
    assert catalog.ensure_catalog_available() is catalog.ensure_catalog_available()
    assert bedrock.count() == 2


def test_a_loaded_catalogue_needs_neither_network_nor_disk(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    catalog = new_catalog(cache_mode=CacheMode.FILE, cache_directory=cache_dir)
    loaded = catalog.ensure_catalog_available()
    bedrock.stop()
    shutil.rmtree(cache_dir)
    assert catalog.ensure_catalog_available() is loaded
    assert catalog.is_model_available("nova lite", HOME)
    assert catalog.get_suggestions("Nova Lit")
    assert catalog.list_models(HOME)
    assert catalog.get_catalog_metadata() is loaded.metadata
    assert catalog.explain_missing("Claude 99")
    assert not cache_dir.exists()


# --- only what is needed -----------------------------------------------------------------------


def test_only_the_regions_that_are_needed_are_fetched(bedrock: LocalBedrock) -> None:
    catalog = new_catalog(regions=[HOME])
    metadata = catalog.get_catalog_metadata()
    assert {request.region for request in bedrock.requests} == {HOME}
    assert bedrock.count() == 2
    assert metadata.source is CatalogSource.API
    assert metadata.api_regions_queried == [HOME]
    sources = {region: entry.source for region, entry in metadata.regions_metadata.items()}
    assert sources.pop(HOME) is CatalogSource.API
    assert set(sources.values()) == {CatalogSource.BUNDLED}
    assert catalog.is_model_available(NOVA, "ap-southeast-2")


def test_a_region_named_twice_is_fetched_once(bedrock: LocalBedrock) -> None:
    new_catalog(regions=[HOME, OTHER, HOME]).ensure_catalog_available()
    assert bedrock.count("ListFoundationModels") == bedrock.count("ListInferenceProfiles") == 2


def test_what_another_program_fetched_is_not_fetched_again(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    fill_cache(cache_dir, regions=[HOME])
    bedrock.reset()
    catalog = new_catalog(
        cache_mode=CacheMode.FILE, cache_directory=cache_dir, regions=[HOME, OTHER]
    )
    metadata = catalog.get_catalog_metadata()
    assert {request.region for request in bedrock.requests} == {OTHER}
    assert metadata.regions_metadata[HOME].source is CatalogSource.CACHE
    assert metadata.regions_metadata[OTHER].source is CatalogSource.API
    assert metadata.source is CatalogSource.CACHE


def test_all_regions_are_those_of_the_bundle_and_of_botocore(
    bedrock: LocalBedrock, snapshot: dict[str, Any]
) -> None:
    metadata = new_catalog(regions=None).get_catalog_metadata()
    assert metadata.all_regions == sorted({request.region or "" for request in bedrock.requests})
    assert set(metadata.all_regions) >= snapshot["regions"].keys()
    assert not any(region.startswith(("us-gov", "cn-")) for region in metadata.all_regions)
    assert bedrock.count() == 2 * len(metadata.all_regions)


def test_an_unreachable_region_costs_only_its_own_freshness(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.internal_error(), region=OTHER)
    metadata = new_catalog(regions=[HOME, OTHER]).get_catalog_metadata()
    assert metadata.regions_metadata[HOME].source is CatalogSource.API
    assert metadata.regions_metadata[OTHER].source is CatalogSource.BUNDLED
    assert metadata.source is CatalogSource.BUNDLED
    assert metadata.unavailable_regions.keys() == {OTHER}


def test_regions_that_all_failed_are_named_with_the_reason(bedrock: LocalBedrock) -> None:
    deny_all(bedrock)
    metadata = new_catalog(regions=[HOME, OTHER]).get_catalog_metadata()
    kinds = {region: failure.kind for region, failure in metadata.unavailable_regions.items()}
    assert kinds == {HOME: "denied", OTHER: "denied"}


def test_an_answer_without_any_model_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, cache_dir: Path
) -> None:
    with LocalBedrock(snapshot_of()) as endpoint:
        serve(endpoint, monkeypatch)
        catalog = new_catalog(cache_mode=CacheMode.FILE, cache_directory=cache_dir)
        assert catalog.get_catalog_metadata().source is CatalogSource.BUNDLED
        assert catalog.is_model_available(NOVA, HOME)
    assert not (cache_dir / "bedrock_catalog.json").exists()


def test_a_cache_older_than_the_bundle_hides_no_model(
    bedrock: LocalBedrock, cache_dir: Path, bundle: BedrockModelCatalog
) -> None:
    fill_cache(cache_dir)
    make_older_than_the_bundle(cache_dir / "bedrock_catalog.json")
    deny_all(bedrock)
    catalog = new_catalog(cache_mode=CacheMode.FILE, cache_directory=cache_dir)
    assert catalog.list_models(HOME) == bundle.list_models(HOME)


# --- one sweep ---------------------------------------------------------------------------------


def in_threads(work: Callable[[], Any]) -> list[Any]:
    """What `work` gave or raised in each of many threads that start it together."""
    barrier = threading.Barrier(THREADS)

    def run() -> Any:
        barrier.wait()
        try:
            return work()
        except CatalogUnavailableError as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        return [future.result() for future in [pool.submit(run) for _ in range(THREADS)]]


@pytest.mark.parametrize("mode", CacheMode)
def test_threads_that_start_together_share_one_load(
    bedrock: LocalBedrock, cache_dir: Path, mode: CacheMode
) -> None:
    bedrock.fail(Fault.slow(0.1))
    catalog = new_catalog(cache_mode=mode, cache_directory=cache_dir)
    answers = in_threads(catalog.ensure_catalog_available)
    assert {id(answer) for answer in answers} == {id(catalog.ensure_catalog_available())}
    assert bedrock.count() == 2


def test_catalogues_that_share_a_directory_share_one_load(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    bedrock.fail(Fault.slow(0.1))
    auth = AuthManager()
    answers = in_threads(
        lambda: new_catalog(
            auth_manager=auth, cache_mode=CacheMode.FILE, cache_directory=cache_dir
        ).get_model_info(NOVA, HOME)
    )
    assert all(answer.model_id == NOVA for answer in answers)
    assert bedrock.count() == 2


def test_those_who_wait_for_a_load_that_fails_share_its_failure(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.slow(1))
    deny_all(bedrock)
    catalog = new_catalog(fallback_to_bundled=False)
    errors = in_threads(catalog.ensure_catalog_available)
    assert {type(error) for error in errors} == {CatalogUnavailableError}
    assert len({error.message for error in errors}) == 1
    assert len({id(error) for error in errors}) == THREADS
    assert bedrock.count() == 2
    bedrock.clear_faults()
    assert catalog.get_catalog_metadata().source is CatalogSource.API


# --- refreshing and forgetting -----------------------------------------------------------------


@pytest.mark.parametrize("mode", CacheMode)
def test_refreshing_asks_aws_whatever_is_loaded_or_cached(
    bedrock: LocalBedrock, cache_dir: Path, mode: CacheMode
) -> None:
    catalog = new_catalog(cache_mode=mode, cache_directory=cache_dir)
    before = catalog.ensure_catalog_available()
    after = catalog.refresh_catalog()
    assert bedrock.count() == 4
    assert after.metadata.source is CatalogSource.API
    assert after.metadata.retrieval_timestamp > before.metadata.retrieval_timestamp
    assert catalog.ensure_catalog_available() is after


@pytest.mark.parametrize("mode", CacheMode)
@pytest.mark.parametrize("fallback", [True, False])
def test_a_failed_refresh_keeps_newer_data(
    bedrock: LocalBedrock, cache_dir: Path, mode: CacheMode, fallback: bool
) -> None:
    catalog = new_catalog(cache_mode=mode, cache_directory=cache_dir, fallback_to_bundled=fallback)
    before = catalog.ensure_catalog_available()
    deny_all(bedrock)
    if fallback:
        catalog.refresh_catalog()
    else:
        with pytest.raises(CatalogUnavailableError, match="AccessDenied"):
            catalog.refresh_catalog()
    after = catalog.ensure_catalog_available()
    assert bedrock.count() == 4
    assert after.models == before.models
    kept = before.metadata.regions_metadata[HOME]
    assert after.metadata.regions_metadata[HOME].retrieval_timestamp == kept.retrieval_timestamp


def test_a_failed_refresh_of_bundled_data_leaves_bundled_data(bedrock: LocalBedrock) -> None:
    deny_all(bedrock)
    catalog = new_catalog()
    before = catalog.ensure_catalog_available()
    assert catalog.refresh_catalog().models == before.models
    assert catalog.get_catalog_metadata().source is CatalogSource.BUNDLED
    assert bedrock.count() == 4


def test_a_refresh_that_cannot_succeed_is_an_error_when_nothing_is_known(
    bedrock: LocalBedrock,
) -> None:
    deny_all(bedrock)
    catalog = new_catalog(fallback_to_bundled=False)
    with pytest.raises(CatalogUnavailableError):
        catalog.refresh_catalog()
    assert not catalog.is_catalog_loaded


def test_a_refreshed_catalogue_has_the_models_of_today(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = snapshot_of(model_summary("acme.old-v1:0", "Old", "ON_DEMAND"))
    new = snapshot_of(model_summary("acme.new-v1:0", "New", "ON_DEMAND"))
    with LocalBedrock(old) as endpoint:
        serve(endpoint, monkeypatch)
        auth = {name: AuthManager() for name in ("old", "new")}
        catalog = new_catalog(auth_manager=auth["old"])
        assert catalog.is_model_available("Old", HOME)
    with LocalBedrock(new) as endpoint:
        serve(endpoint, monkeypatch)
        catalog.refresh_catalog()
        # The session was made before the endpoint changed; botocore reads the variable per client.
        assert catalog.is_model_available("New", HOME)
        assert not catalog.is_model_available("Old", HOME)


@pytest.mark.parametrize("mode", CacheMode)
def test_after_clearing_the_next_query_loads_again(
    bedrock: LocalBedrock, cache_dir: Path, mode: CacheMode
) -> None:
    catalog = new_catalog(cache_mode=mode, cache_directory=cache_dir)
    catalog.ensure_catalog_available()
    catalog.clear_cache()
    assert not catalog.is_catalog_loaded
    assert not (cache_dir / "bedrock_catalog.json").exists()
    assert catalog.get_catalog_metadata().source is CatalogSource.API
    assert bedrock.count() == 4


# --- background and never ----------------------------------------------------------------------


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "nothing happened for ten seconds"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("cached", "first"), [(True, CatalogSource.CACHE), (False, CatalogSource.BUNDLED)]
)
def test_in_the_background_the_best_local_data_answers_until_aws_does(
    bedrock: LocalBedrock, cache_dir: Path, cached: bool, first: CatalogSource
) -> None:
    if cached:
        fill_cache(cache_dir)
    bedrock.reset()
    bedrock.fail(Fault.slow(0.3))
    catalog = new_catalog(
        cache_mode=CacheMode.FILE,
        cache_directory=cache_dir,
        cache_max_age_hours=EXPIRED_AT_ONCE,
        refresh="background",
    )
    before = catalog.ensure_catalog_available()
    assert before.metadata.source is first
    wait_until(lambda: catalog.get_catalog_metadata().source is CatalogSource.API)
    assert catalog.ensure_catalog_available() is not before
    assert bedrock.count() == 2


def test_in_the_background_a_valid_cache_is_not_fetched_again(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    fill_cache(cache_dir)
    bedrock.reset()
    catalog = new_catalog(
        cache_mode=CacheMode.FILE, cache_directory=cache_dir, refresh="background"
    )
    assert catalog.get_catalog_metadata().source is CatalogSource.CACHE
    for thread in threading.enumerate():
        if thread.name == "bedrock-catalog-refresh":
            thread.join(10)
    assert bedrock.count() == 0


def test_with_nothing_local_the_background_has_to_wait_for_aws(bedrock: LocalBedrock) -> None:
    catalog = new_catalog(refresh="background", fallback_to_bundled=False)
    assert catalog.get_catalog_metadata().source is CatalogSource.API


def test_never_means_local_data_until_a_refresh_is_asked_for(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    fill_cache(cache_dir)
    bedrock.reset()
    expired = new_catalog(
        cache_mode=CacheMode.FILE,
        cache_directory=cache_dir,
        cache_max_age_hours=EXPIRED_AT_ONCE,
        refresh="never",
    )
    empty = new_catalog(refresh="never", force_refresh=True)
    assert expired.get_catalog_metadata().source is CatalogSource.CACHE
    assert empty.get_catalog_metadata().source is CatalogSource.BUNDLED
    assert bedrock.count() == 0
    assert empty.refresh_catalog().metadata.source is CatalogSource.API
    assert bedrock.count() == 2


# --- queries -----------------------------------------------------------------------------------


def flagged(model: UnifiedModelInfo, region: str | None, flag: str) -> bool:
    """Whether the model has the access in the region, or in any if none is given."""
    regions = [region] if region else model.get_supported_regions()
    entries: list[ModelAccessInfo | None] = [model.region_access.get(r) for r in regions]
    return any(entry is not None and getattr(entry, flag) for entry in entries)


def has_status(model: UnifiedModelInfo, region: str | None, status: str) -> bool:
    lifecycle = model.get_lifecycle(region)
    return lifecycle is not None and lifecycle.status == status


FILTERS: dict[str, Callable[[UnifiedModelInfo, str | None, Any], bool]] = {
    "provider": lambda model, _, value: model.provider == value,
    "streaming_only": lambda model, _, value: model.streaming_supported or not value,
    "input_modality": lambda model, _, value: value in model.input_modalities,
    "output_modality": lambda model, _, value: value in model.output_modalities,
    "access_method": lambda model, region, value: flagged(
        model, region, f"has_{value}".replace("has_direct", "has_direct_access")
    ),
    "lifecycle": has_status,
}


@pytest.mark.parametrize("region", [None, HOME, "ap-southeast-2", "moon-north-1"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"provider": "Anthropic"},
        {"provider": "anthropic"},
        {"streaming_only": True},
        {"streaming_only": False},
        {"input_modality": "IMAGE"},
        {"output_modality": "EMBEDDING"},
        {"access_method": "direct"},
        {"access_method": "regional_cris"},
        {"access_method": "global_cris"},
        {"lifecycle": "LEGACY"},
        {"lifecycle": "ACTIVE"},
        {"provider": "Amazon", "streaming_only": True, "output_modality": "TEXT"},
    ],
    ids=str,
)
def test_a_list_of_models_is_what_a_plain_loop_would_find(
    bundle: BedrockModelCatalog, region: str | None, options: dict[str, Any]
) -> None:
    everything = list(bundle.ensure_catalog_available().models.values())
    expected = [
        model
        for model in everything
        if (region is None or region in model.get_supported_regions())
        and all(FILTERS[name](model, region, value) for name, value in options.items())
    ]
    assert bundle.list_models(region, **options) == expected
    can_match = region in {None, HOME} and options.get("provider") != "anthropic"
    assert bool(expected) is can_match or region == "ap-southeast-2"
    narrows = bool(options) and options != {"streaming_only": False}
    assert (len(expected) < len(everything)) is (narrows or region is not None)


@pytest.mark.parametrize("method", list(ModelAccessMethod)[:3])
def test_an_access_method_may_be_the_enum(
    bundle: BedrockModelCatalog, method: ModelAccessMethod
) -> None:
    assert bundle.list_models(access_method=method) == bundle.list_models(
        access_method=method.value
    )


@pytest.mark.parametrize("method", ["", "both", "DIRECT", ModelAccessMethod.BOTH])
def test_an_access_method_that_does_not_exist_is_refused(
    bundle: BedrockModelCatalog, method: Any
) -> None:
    with pytest.raises(ValueError, match="`access_method` must be one of"):
        bundle.list_models(access_method=method)


@pytest.mark.parametrize(
    "identifier",
    [
        "Claude Haiku 4.5",
        "claude-haiku-4-5",
        "Anthropic Claude Haiku 4.5",
        "Claude Haiku 4 5 20251001",
        "Claude 4.5 Haiku",
        HAIKU,
        f"us.{HAIKU}",
        f"global.{HAIKU}",
        f"arn:aws:bedrock:{OTHER}::foundation-model/{HAIKU}",
        f"arn:aws:bedrock:::foundation-model/{HAIKU}",
        f"arn:aws:bedrock:{OTHER}:123456789012:inference-profile/eu.{HAIKU}",
    ],
)
def test_a_model_is_found_by_every_kind_of_identifier(
    bundle: BedrockModelCatalog, identifier: str
) -> None:
    access = bundle.get_model_info(identifier, HOME)
    assert access is not None
    assert access.region == HOME
    assert access.regional_cris_profile_id == f"us.{HAIKU}"
    assert access.global_cris_profile_id == f"global.{HAIKU}"
    assert bundle.get_model_access_info(identifier, HOME) == access
    assert bundle.is_model_available(identifier, HOME)
    assert not bundle.is_model_available(identifier, "moon-north-1")


@pytest.mark.parametrize(
    ("identifier", "region"),
    [
        (NOVA, "first"),
        (f"arn:aws:bedrock:us-west-2::foundation-model/{NOVA}", "us-west-2"),
        (f"arn:aws:bedrock:eu-west-3:123456789012:inference-profile/eu.{NOVA}", "eu-west-3"),
        (f"arn:aws:bedrock:::foundation-model/{NOVA}", "first"),
        (f"arn:aws:bedrock:moon-north-1::foundation-model/{NOVA}", None),
    ],
)
def test_without_a_region_that_of_the_arn_counts_else_the_first(
    bundle: BedrockModelCatalog, identifier: str, region: str | None
) -> None:
    model = bundle.find_model(NOVA)
    assert model is not None
    expected = model.get_supported_regions()[0] if region == "first" else region
    access = bundle.get_model_info(identifier)
    assert (access.region if access else None) == expected


@pytest.mark.parametrize("name", ["", " ", "\t\n", "No Such Model", "Claude", "arn:", "arn:aws"])
def test_a_name_that_means_nothing_is_no_model(bundle: BedrockModelCatalog, name: str) -> None:
    assert bundle.find_model(name) is None
    assert bundle.get_model_info(name, HOME) is None
    assert bundle.get_model_info(name) is None
    assert bundle.is_model_available(name, HOME) is False


@pytest.mark.parametrize("name", [None, 5, 4.5, b"Nova Lite", ["Nova Lite"], {}, object()])
def test_what_is_not_a_text_is_no_model(bundle: BedrockModelCatalog, name: Any) -> None:
    assert bundle.find_model(name) is None
    assert bundle.get_model_info(name, HOME) is None
    assert bundle.is_model_available(name, HOME) is False


@pytest.mark.parametrize(("fuzzy", "found"), [(None, True), (True, True), (False, False)])
def test_spelling_matters_only_if_it_is_asked_to(fuzzy: bool | None, found: bool) -> None:
    catalog = BedrockModelCatalog(
        cache_mode=CacheMode.NONE, refresh="never", enable_fuzzy_matching=fuzzy
    )
    assert catalog.is_model_available("NOVA-lite", HOME) is found
    assert catalog.is_model_available("Nova Lite", HOME)


def test_close_names_are_suggested_best_first(bundle: BedrockModelCatalog) -> None:
    assert bundle.get_suggestions("Claude Haiku 4.6", 1) == ["Claude Haiku 4.5"]
    assert bundle.get_suggestions("nova-lite")[0] == "Nova Lite"
    assert len(bundle.get_suggestions("Claude")) == 5
    assert bundle.get_suggestions(" ") == []


# --- why there is no answer --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Nova Lit", "There is no model 'Nova Lit'. Closest: Nova Lite, "),
        (
            "Grok 4.3",
            (
                "Grok 4.3 (xai.grok-4.3) is served by the `bedrock-mantle` endpoint, "
                "not by `bedrock-runtime`."
            ),
        ),
        ("xai.grok-4.3", "Grok 4.3 (xai.grok-4.3) is served by the `bedrock-mantle` endpoint"),
        (
            "Claude 3 Opus",
            (
                "Claude 3 Opus (anthropic.claude-3-opus-20240229-v1:0) is retired: "
                "Bedrock does not list it any more, since 2026-06-17 at the latest. Use Claude Opus"
            ),
        ),
        (
            "Nova Sonic",
            (
                "Nova Sonic (amazon.nova-sonic-v1:0) is retired since 2026-09-14: "
                "Bedrock does not list it any more. Use Nova 2"
            ),
        ),
        (
            "Titan Embed Image",
            (
                "Titan Embed Image (amazon.titan-embed-image-v1:0) is retired: Bedrock does not "
                "list it any more, since 2026-10-27 at the latest; on 2026-06-17 it still did. Use "
            ),
        ),
        ("anthropic claude-3-opus", "Claude 3 Opus (anthropic.claude-3-opus-20240229-v1:0) is re"),
    ],
)
def test_a_sentence_says_why_a_model_cannot_be_called(
    bundle: BedrockModelCatalog, name: str, sentence: str
) -> None:
    assert bundle.find_model(name) is None
    assert bundle.explain_missing(name).startswith(sentence)


def test_a_name_without_any_resemblance_gets_no_suggestions(bundle: BedrockModelCatalog) -> None:
    assert bundle.explain_missing("§§§§§§§§") == "There is no model '§§§§§§§§'."


@pytest.mark.parametrize("name", [None, 5, ["Nova Lite"]])
def test_what_is_no_name_is_explained_as_such(bundle: BedrockModelCatalog, name: Any) -> None:
    assert bundle.explain_missing(name, "us-east-1") == (
        f"A model is asked for by a string, got {name!r}."
    )


def test_provisioned_and_ambiguous_models_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = snapshot_of(
        model_summary("acme.bought-v1:0", "Bought", "PROVISIONED"),
        model_summary("acme.duck-2401-v1:0", "Duck (24.01)", "ON_DEMAND"),
        model_summary("acme.duck-2402-v1:0", "Duck (24.02)", "ON_DEMAND"),
    )
    with LocalBedrock(listing) as endpoint:
        serve(endpoint, monkeypatch)
        catalog = new_catalog()
        assert catalog.find_model("Bought") is catalog.find_model("duck") is None
        assert catalog.explain_missing("Bought").startswith(
            "Bought (acme.bought-v1:0) needs provisioned throughput: use the ARN of yours."
        )
        assert (
            catalog.explain_missing("duck")
            == "'duck' can mean Duck (24.01), Duck (24.02); say which."
        )


def test_fetched_data_is_given_its_time_in_utc(bedrock: LocalBedrock) -> None:
    before = datetime.now(timezone.utc)
    retrieved = new_catalog().get_catalog_metadata().retrieval_timestamp
    assert before <= retrieved <= datetime.now(timezone.utc)
    assert retrieved.tzinfo is timezone.utc
