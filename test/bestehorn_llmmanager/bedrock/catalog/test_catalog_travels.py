"""Tests that a catalogue survives pickling, copying and forking, and asks nobody for that."""

from __future__ import annotations

import copy
import os
import pickle
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import LLMManager
from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.bedrock.catalog import (
    BedrockModelCatalog,
    CacheMode,
    CatalogSource,
    CatalogUnavailableError,
)
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
)
from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOME = "us-east-1"
DUPLICATES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda catalog: pickle.loads(pickle.dumps(catalog)),
}


def new_catalog(**options: Any) -> BedrockModelCatalog:
    defaults = {"cache_mode": CacheMode.NONE, "regions": [HOME], "max_retries": 1, "timeout": 10}
    return BedrockModelCatalog(**{**defaults, **options})


# Pickling and copying


@pytest.mark.parametrize("mode", list(CacheMode))
@pytest.mark.parametrize("duplicate", DUPLICATES.values(), ids=DUPLICATES)
def test_what_is_loaded_travels_and_nobody_is_asked_again(
    bedrock: LocalBedrock,
    cache_dir: Path,
    mode: CacheMode,
    duplicate: Callable[[BedrockModelCatalog], BedrockModelCatalog],
) -> None:
    catalog = new_catalog(cache_mode=mode, cache_directory=cache_dir)
    loaded = catalog.ensure_catalog_available()
    requests = bedrock.count()
    other = duplicate(catalog)
    assert other.is_catalog_loaded
    assert other.ensure_catalog_available() == loaded
    assert other.get_catalog_metadata().source is CatalogSource.API
    assert other.get_model_info("Nova Lite", HOME) == catalog.get_model_info("Nova Lite", HOME)
    assert (other.cache_mode, other.cache_file_path) == (mode, catalog.cache_file_path)
    assert bedrock.count() == requests


@pytest.mark.parametrize("duplicate", DUPLICATES.values(), ids=DUPLICATES)
def test_a_duplicate_lives_its_own_life(
    bedrock: LocalBedrock, duplicate: Callable[[BedrockModelCatalog], BedrockModelCatalog]
) -> None:
    catalog = new_catalog()
    catalog.ensure_catalog_available()
    other = duplicate(catalog)
    other.clear_cache()
    assert catalog.is_catalog_loaded
    requests = bedrock.count()
    with catalog._lock:
        assert other.refresh_catalog().metadata.source is CatalogSource.API
    assert bedrock.count() == requests + 2


@pytest.mark.parametrize("duplicate", DUPLICATES.values(), ids=DUPLICATES)
def test_what_is_not_loaded_is_loaded_by_the_duplicate_as_configured(
    bedrock: LocalBedrock,
    cache_dir: Path,
    duplicate: Callable[[BedrockModelCatalog], BedrockModelCatalog],
) -> None:
    keys = AuthConfig(
        AuthenticationType.CREDENTIALS, access_key_id="AKIA", secret_access_key="secret"
    )
    catalog = new_catalog(
        auth_manager=AuthManager(keys),
        cache_mode=CacheMode.FILE,
        cache_directory=cache_dir,
        regions=["eu-west-1"],
        enable_fuzzy_matching=False,
    )
    other = duplicate(catalog)
    assert not other.is_catalog_loaded
    assert bedrock.count() == 0
    assert other.get_model_info("Nova Lite", "eu-west-1") is not None
    assert other.get_model_info("nova lite", "eu-west-1") is None
    assert {request.region for request in bedrock.requests} == {"eu-west-1"}
    assert [path.name for path in cache_dir.glob("*.json")] == [
        other.cache_file_path and other.cache_file_path.name
    ]


def test_another_process_answers_without_asking(
    bedrock: LocalBedrock, elsewhere: Callable[[object, str], str]
) -> None:
    catalog = new_catalog()
    catalog.ensure_catalog_available()
    requests = bedrock.count()
    code = "print(it.get_model_info('Nova Lite', 'us-east-1').model_id, 'botocore' in sys.modules)"
    access = catalog.get_model_info("Nova Lite", HOME)
    assert elsewhere(catalog, code) == f"{access and access.model_id} False"
    assert bedrock.count() == requests


def test_a_failure_does_not_travel(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.access_denied())
    catalog = new_catalog(fallback_to_bundled=False)
    with pytest.raises(CatalogUnavailableError):
        catalog.ensure_catalog_available()
    bedrock.clear_faults()
    other = pickle.loads(pickle.dumps(catalog))
    assert other.ensure_catalog_available().model_count > 0


def test_the_size_is_what_the_docstring_says(bedrock: LocalBedrock) -> None:
    catalog = BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")
    catalog.ensure_catalog_available()
    assert 100_000 < len(pickle.dumps(catalog)) < 300_000


# Forking


def test_a_child_has_what_the_parent_had_loaded(
    bedrock: LocalBedrock, in_child: Callable[[Callable[[], Any]], Any]
) -> None:
    catalog = new_catalog()
    catalog.ensure_catalog_available()
    requests = bedrock.count()
    assert in_child(lambda: catalog.is_model_available("Nova Lite", HOME)) is True
    assert bedrock.count() == requests
    assert in_child(lambda: catalog.refresh_catalog().metadata.source) is CatalogSource.API
    assert bedrock.count() == requests + 2


@pytest.mark.parametrize("mode", CacheMode)
def test_a_manager_that_travels_leaves_the_catalogue_behind(
    bedrock: LocalBedrock, cache_dir: Path, mode: CacheMode
) -> None:
    manager = LLMManager(
        ["Nova Lite"], [HOME], catalog_cache_mode=mode, catalog_cache_directory=cache_dir
    )
    packed = pickle.dumps(manager)
    assert len(packed) < 4096
    arrived = pickle.loads(packed)
    assert arrived.get_model_access_info("Nova Lite", HOME)["access_methods"]


@pytest.mark.parametrize("mode", [CacheMode.NONE, CacheMode.MEMORY])
def test_a_child_made_in_the_middle_of_a_load_loads_for_itself(
    bedrock: LocalBedrock,
    snapshot: dict[str, Any],
    in_child: Callable[[Callable[[], Any]], Any],
    mode: CacheMode,
) -> None:
    bedrock.fail(Fault.slow(0.5))
    catalog = new_catalog(cache_mode=mode)
    with LocalBedrock(snapshot) as quick:

        def work() -> Any:
            os.environ["AWS_ENDPOINT_URL_BEDROCK"] = quick.url
            return catalog.ensure_catalog_available().metadata.source

        thread = threading.Thread(target=catalog.ensure_catalog_available)
        thread.start()
        while not catalog._lock.locked():
            time.sleep(0.001)
        assert in_child(work) is CatalogSource.API
        thread.join()
        assert (bedrock.count(), quick.count()) == (2, 2)
    assert catalog.is_catalog_loaded


def test_with_a_file_the_child_waits_for_the_parent_and_reads_what_it_wrote(
    bedrock: LocalBedrock, cache_dir: Path, in_child: Callable[[Callable[[], Any]], Any]
) -> None:
    bedrock.fail(Fault.slow(0.5))
    catalog = new_catalog(cache_mode=CacheMode.FILE, cache_directory=cache_dir)
    thread = threading.Thread(target=catalog.ensure_catalog_available)
    thread.start()
    while not list(cache_dir.glob("*.lock")):
        time.sleep(0.001)
    time.sleep(0.05)  # between making the file and locking it
    source = in_child(lambda: catalog.ensure_catalog_available().metadata.source)
    thread.join()
    assert source is CatalogSource.CACHE
    assert bedrock.count() == 2


def test_a_child_made_during_a_refresh_in_the_background_answers_from_local_data(
    bedrock: LocalBedrock, in_child: Callable[[Callable[[], Any]], Any]
) -> None:
    bedrock.fail(Fault.slow(0.5), times=2)
    catalog = new_catalog(refresh="background")
    assert catalog.ensure_catalog_available().metadata.source is CatalogSource.BUNDLED

    def work() -> Any:
        before = catalog.get_catalog_metadata().source
        return before, catalog.refresh_catalog().metadata.source

    assert in_child(work) == (CatalogSource.BUNDLED, CatalogSource.API)
    deadline = time.monotonic() + 10
    while catalog.get_catalog_metadata().source is not CatalogSource.API:
        assert time.monotonic() < deadline
        time.sleep(0.01)
