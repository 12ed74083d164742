"""Cache, lock, live API and bundle together, against an endpoint that counts the requests."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
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
from bestehorn_llmmanager.bedrock.catalog.bundled_loader import bundled_catalog
from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FALLBACK = Path("/tmp/bestehorn-llmmanager-cache")
NAME = "bedrock_catalog.json"
MOMENT_HOURS = 1e-6
NOTHING: dict[str, list[Any]] = {"modelSummaries": [], "inferenceProfileSummaries": []}
VIRGINIA, IRELAND, TOKYO = REGIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")


@functools.cache
def _auth_manager(endpoint: str) -> AuthManager:
    return AuthManager()


def catalog_in(directory: Path | None, *regions: str, **options: Any) -> BedrockModelCatalog:
    """A new catalogue, as another process would make it: it shares the file.

    (And, because boto3 takes a tenth of a second to make one, the session.)
    """
    return BedrockModelCatalog(
        _auth_manager(os.environ["AWS_ENDPOINT_URL_BEDROCK"]),
        cache_directory=directory,
        regions=regions or REGIONS,
        **{"max_retries": 1, **options},
    )


def stored(directory: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((directory / NAME).read_text())
    return data


def shift(directory: Path, by: timedelta, *regions: str) -> None:
    """Let what AWS said (of these regions, or of all) be older, or for negative `by` younger."""
    data = stored(directory)
    metadata = data["metadata"]
    entries = [*metadata["regions_metadata"].items(), *metadata["unavailable_regions"].items()]
    for region, entry in entries:
        if not regions or region in regions:
            at = datetime.fromisoformat(entry["retrieval_timestamp"])
            entry["retrieval_timestamp"] = (at - by).isoformat()
    metadata["retrieval_timestamp"] = min(entry["retrieval_timestamp"] for _, entry in entries)
    (directory / NAME).write_text(json.dumps(data))


def expire(directory: Path) -> None:
    """Let what AWS said be older than `MOMENT_HOURS`, and newer than the bundle of any age."""
    age = datetime.now(timezone.utc) - bundled_catalog().metadata.retrieval_timestamp
    shift(directory, min(age / 2, timedelta(days=30)))


def requests_per_region(bedrock: LocalBedrock) -> dict[str, int]:
    regions = sorted({request.region or "?" for request in bedrock.requests})
    return {region: bedrock.count(region=region) for region in regions}


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture(scope="module")
def nova_only(snapshot: dict[str, Any]) -> dict[str, Any]:
    """The snapshot with three regions and a few models: these tests are about files."""
    kept = {"modelSummaries": "modelId", "inferenceProfileSummaries": "inferenceProfileId"}
    return {
        "regions": {
            region: {
                key: [
                    item for item in snapshot["regions"][region][key] if "amazon.nova" in item[id_]
                ]
                for key, id_ in kept.items()
            }
            for region in REGIONS
        }
    }


@pytest.fixture
def bedrock(nova_only: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBedrock]:
    """A running endpoint that boto3 clients of this process, and of its children, find."""
    with LocalBedrock(nova_only) as endpoint:
        for name, value in endpoint.environment().items():
            monkeypatch.setenv(name, value)
        yield endpoint


ACME = {
    "modelSummaries": [
        {
            "modelArn": "arn:aws:bedrock:us-east-1::foundation-model/acme.duck-v1:0",
            "modelId": "acme.duck-v1:0",
            "modelName": "Acme Duck",
            "providerName": "Acme",
            "inputModalities": ["TEXT"],
            "outputModalities": ["TEXT"],
            "inferenceTypesSupported": ["ON_DEMAND"],
        }
    ],
    "inferenceProfileSummaries": [],
}


# Created, loaded, expired


def test_the_first_start_fetches_and_the_second_reads(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    first = catalog_in(cache_dir).get_catalog_metadata()
    assert first.source is CatalogSource.API
    assert first.cache_file_path == cache_dir / NAME
    assert requests_per_region(bedrock) == dict.fromkeys(sorted(REGIONS), 2)
    second = catalog_in(cache_dir)
    assert second.get_catalog_metadata().source is CatalogSource.CACHE
    assert second.get_catalog_metadata().retrieval_timestamp == first.retrieval_timestamp
    assert second.is_model_available("Nova Micro", VIRGINIA)
    assert bedrock.count() == 6
    assert {path.name for path in cache_dir.iterdir()} <= {NAME, f"{NAME}.lock"}


def test_the_models_from_the_file_are_those_from_the_api(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    fetched = catalog_in(cache_dir).ensure_catalog_available()
    read = catalog_in(cache_dir).ensure_catalog_available()
    assert read.models == fetched.models
    assert read.not_callable == fetched.not_callable


def test_the_default_place_is_shared_by_all_who_name_none(
    bedrock: LocalBedrock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    catalog_in(None).ensure_catalog_available()
    assert (tmp_path / "xdg" / "bestehorn-llmmanager" / NAME).is_file()
    assert catalog_in(None).get_catalog_metadata().source is CatalogSource.CACHE
    assert bedrock.count() == 6


@pytest.mark.parametrize(("age_hours", "asked"), [(0.9, False), (1.1, True)])
def test_a_file_expires(
    bedrock: LocalBedrock, cache_dir: Path, age_hours: float, asked: bool
) -> None:
    catalog_in(cache_dir).ensure_catalog_available()
    shift(cache_dir, timedelta(hours=age_hours))
    # The bundle may have been made a minute ago, and would beat the file.
    catalog = catalog_in(cache_dir, cache_max_age_hours=1, fallback_to_bundled=False)
    source = catalog.get_catalog_metadata().source
    assert source is (CatalogSource.API if asked else CatalogSource.CACHE)
    assert bedrock.count() == (12 if asked else 6)


def test_a_damaged_file_is_fetched_anew_and_repaired(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    catalog_in(cache_dir).ensure_catalog_available()
    content = (cache_dir / NAME).read_bytes()
    (cache_dir / NAME).write_bytes(content[: len(content) // 2])
    assert catalog_in(cache_dir).get_catalog_metadata().source is CatalogSource.API
    assert catalog_in(cache_dir).get_catalog_metadata().source is CatalogSource.CACHE
    assert bedrock.count() == 12


def test_a_file_from_the_future_is_fetched_anew(bedrock: LocalBedrock, cache_dir: Path) -> None:
    catalog_in(cache_dir).ensure_catalog_available()
    shift(cache_dir, timedelta(days=-30))  # the clock has been put back since
    metadata = catalog_in(cache_dir).get_catalog_metadata()
    assert metadata.source is CatalogSource.API
    assert metadata.retrieval_timestamp <= datetime.now(timezone.utc)
    assert bedrock.count() == 12
    assert catalog_in(cache_dir).get_catalog_metadata().source is CatalogSource.CACHE
    assert bedrock.count() == 12


def test_clearing_lets_the_next_query_fetch(bedrock: LocalBedrock, cache_dir: Path) -> None:
    catalog = catalog_in(cache_dir)
    catalog.ensure_catalog_available()
    catalog.clear_cache()
    assert not (cache_dir / NAME).exists()
    assert not catalog.is_catalog_loaded
    assert catalog.is_model_available("Nova Micro", VIRGINIA)
    assert bedrock.count() == 12


def test_a_forced_refresh_asks_though_the_file_is_fresh(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    catalog_in(cache_dir).ensure_catalog_available()
    forced = catalog_in(cache_dir, force_refresh=True)
    assert forced.get_catalog_metadata().source is CatalogSource.API
    forced.list_models()
    assert bedrock.count() == 12


@pytest.mark.parametrize("mode", [CacheMode.MEMORY, CacheMode.NONE])
def test_without_a_file_each_catalogue_asks_for_itself(
    bedrock: LocalBedrock, cache_dir: Path, mode: CacheMode
) -> None:
    for expected in (6, 12):
        catalog = catalog_in(cache_dir, cache_mode=mode)
        catalog.list_models()
        catalog.list_models()
        assert catalog.get_catalog_metadata().source is CatalogSource.API
        assert bedrock.count() == expected
    assert not cache_dir.exists()


# Only what is missing


def test_regions_of_several_managers_meet_in_one_file(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    catalog_in(cache_dir, VIRGINIA).ensure_catalog_available()
    catalog_in(cache_dir, VIRGINIA, IRELAND).ensure_catalog_available()
    catalog_in(cache_dir, TOKYO).ensure_catalog_available()
    assert requests_per_region(bedrock) == dict.fromkeys(sorted(REGIONS), 2)
    assert stored(cache_dir)["metadata"]["api_regions_queried"] == sorted(REGIONS)
    together = catalog_in(cache_dir)
    assert together.get_catalog_metadata().source is CatalogSource.CACHE
    apart = BedrockModelCatalog(cache_mode=CacheMode.NONE, regions=REGIONS)
    for region in REGIONS:
        assert {m.model_id for m in together.list_models(region)} == {
            m.model_id for m in apart.list_models(region)
        }


def test_only_the_expired_region_is_asked_again(bedrock: LocalBedrock, cache_dir: Path) -> None:
    catalog_in(cache_dir).ensure_catalog_available()
    shift(cache_dir, timedelta(hours=25), IRELAND)
    metadata = catalog_in(cache_dir).get_catalog_metadata()
    assert bedrock.count(region=IRELAND) == 4
    assert bedrock.count() == 8
    assert metadata.source is CatalogSource.CACHE  # that of the least certain region
    sources = {region: metadata.regions_metadata[region].source for region in REGIONS}
    assert sources == {
        VIRGINIA: CatalogSource.CACHE,
        IRELAND: CatalogSource.API,
        TOKYO: CatalogSource.CACHE,
    }


def test_a_region_that_nobody_needs_may_be_as_old_as_it_likes(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    catalog_in(cache_dir).ensure_catalog_available()
    shift(cache_dir, timedelta(days=9), IRELAND)
    metadata = catalog_in(cache_dir, VIRGINIA).get_catalog_metadata()
    assert metadata.source is CatalogSource.CACHE
    assert bedrock.count() == 6


# Partial failures


def test_a_region_that_failed_is_asked_again_and_only_that_one(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    bedrock.fail(Fault.internal_error(), region=IRELAND)
    metadata = catalog_in(cache_dir).get_catalog_metadata()
    assert list(metadata.unavailable_regions) == [IRELAND]
    assert stored(cache_dir)["metadata"]["api_regions_queried"] == sorted({VIRGINIA, TOKYO})
    bedrock.clear_faults()
    metadata = catalog_in(cache_dir).get_catalog_metadata()
    assert metadata.unavailable_regions == {}
    assert metadata.regions_metadata[IRELAND].source is CatalogSource.API
    assert requests_per_region(bedrock) == {TOKYO: 2, IRELAND: 4, VIRGINIA: 2}


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.error("UnrecognizedClientException", 403), "opted_out"),
        (Fault.error("OptInRequired", 403), "opted_out"),
        (Fault.access_denied(), "denied"),
    ],
)
def test_a_refusal_is_remembered_for_as_long_as_data(
    bedrock: LocalBedrock, cache_dir: Path, fault: Fault, kind: str
) -> None:
    bedrock.fail(fault, region=IRELAND)
    metadata = catalog_in(cache_dir).get_catalog_metadata()
    assert metadata.unavailable_regions[IRELAND].kind == kind
    asked = bedrock.count()
    for _ in range(2):
        metadata = catalog_in(cache_dir).get_catalog_metadata()
        assert metadata.unavailable_regions[IRELAND].kind == kind
    assert bedrock.count() == asked

    bedrock.clear_faults()
    shift(cache_dir, timedelta(hours=25), IRELAND)
    metadata = catalog_in(cache_dir).get_catalog_metadata()
    assert metadata.unavailable_regions == {}
    assert metadata.regions_metadata[IRELAND].source is CatalogSource.API
    assert bedrock.count() == asked + 2
    assert catalog_in(cache_dir).get_catalog_metadata().unavailable_regions == {}


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(Fault.hang(), "timeout"), (Fault.throttling(), "throttled"), (Fault.reset(), "failed")],
)
def test_what_may_be_over_soon_is_not_remembered(
    bedrock: LocalBedrock, cache_dir: Path, fault: Fault, kind: str
) -> None:
    bedrock.fail(fault, region=IRELAND)
    timeout = 2 if kind == "timeout" else 20
    metadata = catalog_in(cache_dir, VIRGINIA, IRELAND, timeout=timeout).get_catalog_metadata()
    assert metadata.unavailable_regions[IRELAND].kind == kind
    assert stored(cache_dir)["metadata"]["unavailable_regions"] == {}
    bedrock.clear_faults()
    metadata = catalog_in(cache_dir, VIRGINIA, IRELAND).get_catalog_metadata()
    assert metadata.regions_metadata[IRELAND].source is CatalogSource.API


@pytest.mark.parametrize("fault", [Fault.internal_error(), Fault.access_denied(), Fault.reset()])
def test_the_only_region_asked_is_named_if_it_fails(
    bedrock: LocalBedrock, cache_dir: Path, fault: Fault
) -> None:
    catalog_in(cache_dir, VIRGINIA).ensure_catalog_available()
    bedrock.fail(fault, region=IRELAND)
    metadata = catalog_in(cache_dir, VIRGINIA, IRELAND).get_catalog_metadata()
    assert list(metadata.unavailable_regions) == [IRELAND]
    assert metadata.regions_metadata[VIRGINIA].source is CatalogSource.CACHE


def test_a_refusal_by_all_that_were_asked_is_not_remembered(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    # It may be the credentials: tomorrow's would be told of a refusal that was not theirs.
    catalog_in(cache_dir, VIRGINIA).ensure_catalog_available()
    bedrock.fail(Fault.error("UnrecognizedClientException", 403), region=IRELAND)
    catalog_in(cache_dir, VIRGINIA, IRELAND).ensure_catalog_available()
    bedrock.clear_faults()
    metadata = catalog_in(cache_dir, VIRGINIA, IRELAND).get_catalog_metadata()
    assert metadata.regions_metadata[IRELAND].source is CatalogSource.API
    assert bedrock.count(region=VIRGINIA) == 2


def test_nothing_is_stored_where_nobody_answers(bedrock: LocalBedrock, cache_dir: Path) -> None:
    bedrock.fail(Fault.internal_error())
    metadata = catalog_in(cache_dir).get_catalog_metadata()
    assert metadata.source is CatalogSource.BUNDLED
    assert not (cache_dir / NAME).exists()
    with pytest.raises(CatalogUnavailableError):
        catalog_in(cache_dir, fallback_to_bundled=False).ensure_catalog_available()


@pytest.mark.parametrize("operation", [None, "ListFoundationModels", "ListInferenceProfiles"])
def test_an_answer_that_cannot_be_read_costs_no_good_data(
    bedrock: LocalBedrock, cache_dir: Path, operation: str | None
) -> None:
    catalog = catalog_in(cache_dir)
    before = {
        region: [(m.model_id, m.region_access[region]) for m in catalog.list_models(region)]
        for region in REGIONS
    }
    bedrock.fail(Fault.broken_json(), region=IRELAND, operation=operation)
    catalog.refresh_catalog()
    bedrock.clear_faults()
    for each in (catalog, catalog_in(cache_dir, refresh="never")):
        for region in REGIONS:
            assert [
                (m.model_id, m.region_access[region]) for m in each.list_models(region)
            ] == before[region]


def test_an_empty_listing_is_never_kept(monkeypatch: pytest.MonkeyPatch, cache_dir: Path) -> None:
    with LocalBedrock({"regions": dict.fromkeys(REGIONS, NOTHING)}) as empty:
        for name, value in empty.environment().items():
            monkeypatch.setenv(name, value)
        catalog = catalog_in(cache_dir)
        assert catalog.is_model_available("Nova Micro", VIRGINIA)  # the bundle knows it
        assert not (cache_dir / NAME).exists()
        asked = empty.count()
        catalog_in(cache_dir).ensure_catalog_available()
        assert empty.count() == 2 * asked


def test_an_empty_listing_does_not_replace_what_is_loaded(
    bedrock: LocalBedrock, monkeypatch: pytest.MonkeyPatch, cache_dir: Path
) -> None:
    catalog = catalog_in(cache_dir)
    before = [model.model_id for model in catalog.list_models(IRELAND)]
    with LocalBedrock({"regions": dict.fromkeys(REGIONS, NOTHING)}) as empty:
        for name, value in empty.environment().items():
            monkeypatch.setenv(name, value)
        shift(cache_dir, timedelta(hours=25))
        path = cache_dir / NAME
        path.write_text(json.dumps({**json.loads(path.read_text()), "endpoint": empty.url}))
        later = catalog_in(cache_dir, fallback_to_bundled=False)
        assert [model.model_id for model in later.list_models(IRELAND)] == before


def test_what_one_endpoint_said_is_not_believed_of_another(
    bedrock: LocalBedrock, monkeypatch: pytest.MonkeyPatch, cache_dir: Path
) -> None:
    invented = {"regions": {**dict.fromkeys(REGIONS, NOTHING), VIRGINIA: ACME}}
    with LocalBedrock(invented) as other:
        for name, value in other.environment().items():
            monkeypatch.setenv(name, value)
        assert catalog_in(cache_dir, VIRGINIA).find_model("Acme Duck")
        assert catalog_in(cache_dir, VIRGINIA, refresh="never").find_model("Acme Duck")
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", bedrock.url)
    assert catalog_in(cache_dir, VIRGINIA, refresh="never").find_model("Acme Duck") is None
    assert catalog_in(cache_dir, VIRGINIA).get_catalog_metadata().source is CatalogSource.API


def test_a_refusal_counts_though_older_data_is_there(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    catalog_in(cache_dir).ensure_catalog_available()
    shift(cache_dir, timedelta(hours=25))
    bedrock.fail(Fault.access_denied(), region=IRELAND)
    catalog_in(cache_dir).ensure_catalog_available()
    asked = bedrock.count()
    metadata = catalog_in(cache_dir, fallback_to_bundled=False).get_catalog_metadata()
    assert bedrock.count() == asked
    assert metadata.unavailable_regions[IRELAND].kind == "denied"
    assert metadata.regions_metadata[IRELAND].source is CatalogSource.CACHE


@pytest.mark.parametrize("refresh", ["background", "blocking"])
def test_a_program_does_not_outlive_its_work_because_a_region_hangs(
    bedrock: LocalBedrock, cache_dir: Path, refresh: str
) -> None:
    bedrock.fail(Fault.hang())
    program = (
        "import sys, time\n"
        "from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog\n"
        "catalog = BedrockModelCatalog(cache_directory=sys.argv[1], refresh=sys.argv[2],\n"
        "                              timeout=1 if sys.argv[2] == 'blocking' else 30,\n"
        "                              regions=['us-east-1'])\n"
        "assert catalog.get_model_info('Nova Micro', 'us-east-1')\n"
        "time.sleep(0.5)\n"
    )
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", program, str(cache_dir), refresh], check=True)
    assert time.monotonic() - started < 10


# Last known good


def test_an_expired_file_beats_the_bundle_when_nobody_answers(
    bedrock: LocalBedrock, cache_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    catalog_in(cache_dir).ensure_catalog_available()
    expire(cache_dir)
    bedrock.fail(Fault.unavailable())
    metadata = catalog_in(cache_dir, cache_max_age_hours=MOMENT_HOURS).get_catalog_metadata()
    assert metadata.source is CatalogSource.CACHE
    assert "no live model catalogue" in caplog.text


def test_the_bundle_beats_a_file_that_is_older_still(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    catalog_in(cache_dir).ensure_catalog_available()
    bundled = bundled_catalog().metadata.retrieval_timestamp
    shift(cache_dir, datetime.now(timezone.utc) - bundled + timedelta(days=1))
    bedrock.fail(Fault.unavailable())
    catalog = catalog_in(cache_dir)
    metadata = catalog.get_catalog_metadata()
    assert metadata.source is CatalogSource.BUNDLED
    assert metadata.retrieval_timestamp == bundled
    for region in REGIONS:
        assert {model.model_id for model in catalog.list_models(region)} == {
            model.model_id for model in bundled_catalog().filter_models(region)
        }


def test_the_bundle_beats_only_the_regions_that_are_older(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    catalog_in(cache_dir).ensure_catalog_available()
    bundled = bundled_catalog().metadata.retrieval_timestamp
    shift(cache_dir, datetime.now(timezone.utc) - bundled + timedelta(days=1), IRELAND)
    bedrock.fail(Fault.unavailable())
    catalog = catalog_in(cache_dir)
    sources = {
        region: catalog.get_catalog_metadata().regions_metadata[region].source for region in REGIONS
    }
    assert sources == {
        VIRGINIA: CatalogSource.CACHE,
        IRELAND: CatalogSource.BUNDLED,
        TOKYO: CatalogSource.CACHE,
    }
    assert all(catalog.list_models(region) for region in REGIONS)


def test_an_expired_file_serves_where_the_bundle_may_not(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    catalog_in(cache_dir).ensure_catalog_available()
    shift(cache_dir, timedelta(days=3000))
    bedrock.fail(Fault.unavailable())
    catalog = catalog_in(cache_dir, fallback_to_bundled=False)
    assert catalog.get_catalog_metadata().source is CatalogSource.CACHE
    assert catalog.is_model_available("Nova Micro", VIRGINIA)


def test_times_without_zone_do_not_disturb(bedrock: LocalBedrock, cache_dir: Path) -> None:
    catalog_in(cache_dir, VIRGINIA).ensure_catalog_available()
    data = stored(cache_dir)
    local = datetime.now().isoformat()  # noqa: DTZ005  (as 0.9.0 wrote times)
    data["metadata"]["retrieval_timestamp"] = local
    data["metadata"]["regions_metadata"][VIRGINIA]["retrieval_timestamp"] = local
    (cache_dir / NAME).write_text(json.dumps(data))
    assert catalog_in(cache_dir, VIRGINIA).get_catalog_metadata().source is CatalogSource.CACHE
    assert bedrock.count() == 2
    never = catalog_in(cache_dir, VIRGINIA, IRELAND, refresh="never")
    assert never.get_catalog_metadata().source is CatalogSource.BUNDLED
    both = catalog_in(cache_dir, VIRGINIA, IRELAND)
    assert both.get_catalog_metadata().regions_metadata[IRELAND].source is CatalogSource.API
    assert bedrock.count() == 4


# refresh=


def test_never_sends_nothing_until_it_is_told(bedrock: LocalBedrock, cache_dir: Path) -> None:
    catalog = catalog_in(cache_dir, refresh="never")
    assert catalog.is_model_available("Nova Micro", VIRGINIA)
    assert catalog.get_catalog_metadata().source is CatalogSource.BUNDLED
    assert bedrock.count() == 0
    assert not cache_dir.exists()
    catalog.refresh_catalog()
    assert catalog.get_catalog_metadata().source is CatalogSource.API
    assert bedrock.count() == 6


def _is_refreshing() -> bool:
    return any(thread.name == "bedrock-catalog-refresh" for thread in threading.enumerate())


def test_in_the_background_it_answers_at_once_and_swaps_later(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    gate = Fault.slow(2)
    bedrock.fail(gate)
    catalog = catalog_in(cache_dir, refresh="background")
    started = time.monotonic()
    assert catalog.get_catalog_metadata().source is CatalogSource.BUNDLED
    assert time.monotonic() - started < 1.8
    assert within(30, lambda: catalog.get_catalog_metadata().source is CatalogSource.API)
    assert bedrock.count() == 6
    assert (cache_dir / NAME).is_file()


def test_in_the_background_an_expired_file_answers_first(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    catalog_in(cache_dir).ensure_catalog_available()
    expire(cache_dir)
    bedrock.fail(Fault.slow(0.3))
    catalog = catalog_in(cache_dir, cache_max_age_hours=MOMENT_HOURS, refresh="background")
    assert catalog.get_catalog_metadata().source is CatalogSource.CACHE
    assert within(10, lambda: catalog.get_catalog_metadata().source is CatalogSource.API)


def test_in_the_background_a_fresh_file_is_enough(bedrock: LocalBedrock, cache_dir: Path) -> None:
    catalog_in(cache_dir).ensure_catalog_available()
    catalog = catalog_in(cache_dir, refresh="background")
    assert catalog.get_catalog_metadata().source is CatalogSource.CACHE
    assert within(5, lambda: not _is_refreshing())
    assert bedrock.count() == 6


def test_a_background_refresh_that_fails_leaves_what_there_was(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    bedrock.fail(Fault.internal_error())
    catalog = catalog_in(cache_dir, refresh="background")
    assert catalog.is_model_available("Nova Micro", VIRGINIA)
    assert within(10, lambda: bedrock.count() == 6 and not _is_refreshing())
    assert catalog.get_catalog_metadata().source is CatalogSource.BUNDLED
    assert catalog.is_model_available("Nova Micro", VIRGINIA)


# One sweep for all


def _in_threads(number: int, work: Callable[[], Any]) -> list[Any]:
    barrier = threading.Barrier(number)
    answers: list[Any] = []

    def run() -> None:
        barrier.wait()
        answers.append(work())

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_fifty_threads_with_a_catalogue_each_make_one_sweep(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    answers = _in_threads(50, lambda: catalog_in(cache_dir).list_models(VIRGINIA))
    assert len(answers) == 50
    assert len({tuple(model.model_id for model in models) for models in answers}) == 1
    assert requests_per_region(bedrock) == dict.fromkeys(sorted(REGIONS), 2)


@pytest.mark.parametrize("mode", CacheMode)
def test_fifty_threads_with_one_catalogue_make_one_sweep(
    bedrock: LocalBedrock, cache_dir: Path, mode: CacheMode
) -> None:
    catalog = catalog_in(cache_dir, cache_mode=mode)
    answers = _in_threads(50, catalog.ensure_catalog_available)
    assert len(answers) == 50
    assert all(answer is answers[0] for answer in answers)
    assert requests_per_region(bedrock) == dict.fromkeys(sorted(REGIONS), 2)


START = """if True:
    import json, sys
    from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog
    catalog = BedrockModelCatalog(cache_directory=sys.argv[1], regions=sys.argv[2:])
    print("ready", flush=True)
    sys.stdin.readline()
    print(catalog.get_catalog_metadata().source.value, len(catalog.list_models()))
"""


def _start_together(number: int, directory: Path, regions: Sequence[str] = REGIONS) -> list[str]:
    """What each of so many processes said, which were let loose at the same moment."""
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", START, str(directory), *regions],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(number)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        return [process.communicate()[0].strip() for process in processes]


@pytest.mark.parametrize("number", [2, 50])
def test_processes_that_start_together_make_one_sweep(
    bedrock: LocalBedrock, cache_dir: Path, number: int
) -> None:
    said = _start_together(number, cache_dir)
    assert requests_per_region(bedrock) == dict.fromkeys(sorted(REGIONS), 2)
    assert sorted({line.split()[0] for line in said}) == ["api", "cache"]
    assert [line.split()[0] for line in said].count("api") == 1
    assert len({line.split()[1] for line in said}) == 1
    assert len(said) == number


def test_processes_without_a_common_place_ask_each_for_itself(
    bedrock: LocalBedrock, tmp_path: Path, fallback: Path
) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    fallback.write_text("")
    said = _start_together(2, blocker / "cache")
    assert [line.split()[0] for line in said] == ["api", "api"]
    assert bedrock.count() == 12


@pytest.mark.usefixtures("holder")
def test_who_hangs_with_the_lock_costs_the_others_the_timeout_only(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    started = time.monotonic()
    catalog = catalog_in(cache_dir, timeout=0.3)
    assert catalog.get_catalog_metadata().source is CatalogSource.BUNDLED
    assert 0.25 < time.monotonic() - started < 5
    assert bedrock.count() == 0
    with pytest.raises(CatalogUnavailableError, match="another process"):
        catalog_in(cache_dir, timeout=0.1, fallback_to_bundled=False).ensure_catalog_available()


@pytest.mark.usefixtures("holder")
def test_a_fresh_file_is_read_without_the_lock(bedrock: LocalBedrock, cache_dir: Path) -> None:
    elsewhere = cache_dir.with_name("elsewhere")
    catalog_in(elsewhere).ensure_catalog_available()
    shutil.copy(elsewhere / NAME, cache_dir / NAME)
    started = time.monotonic()
    assert catalog_in(cache_dir, timeout=20).get_catalog_metadata().source is CatalogSource.CACHE
    assert time.monotonic() - started < 5


def test_who_dies_with_the_lock_stops_nobody(
    bedrock: LocalBedrock, cache_dir: Path, holder: subprocess.Popen[str]
) -> None:
    holder.kill()
    holder.wait()
    catalog = catalog_in(cache_dir, timeout=20)
    assert catalog.get_catalog_metadata().source is CatalogSource.API


# File systems that refuse


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


def run_mounted(mount: str, code: str, directory: Path) -> Any:
    """What Python code printed as JSON after the shell command `mount`; ``$1`` is `directory`."""
    command = mount_namespace()
    if command is None:
        pytest.skip("needs a mount namespace (`unshare -m`), which this machine does not allow")
    done = subprocess.run(
        [
            *command,
            *("sh", "-c", f'{mount} && exec "$2" -c "$3" "$1"', "sh"),
            *(str(directory), sys.executable, code),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


START_TWICE_AT_HOME = """if True:
    import json, os, sys
    from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog
    os.environ["HOME"] = sys.argv[1]
    os.environ.pop("XDG_CACHE_HOME", None)
    said = []
    for _ in range(2):
        metadata = BedrockModelCatalog(regions=["us-east-1"]).get_catalog_metadata()
        said.append([metadata.source.value, str(metadata.cache_file_path)])
    print(json.dumps(said))
"""


def test_a_read_only_home_costs_one_sweep_all_the_same(
    bedrock: LocalBedrock, tmp_path: Path, fallback: Path
) -> None:
    mount = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1"'
    path = str(fallback / NAME)
    said = run_mounted(mount, START_TWICE_AT_HOME, tmp_path)
    assert said == [["api", path], ["cache", path]]
    assert bedrock.count() == 2


START_TWICE_ON_A_FULL_DISK = """if True:
    import json, os, sys
    from pathlib import Path
    from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog
    directory = Path(sys.argv[1])
    for name in os.environ["OLD_FILE"].split():
        (directory / "bedrock_catalog.json").write_bytes(Path(name).read_bytes())
    before = sorted(path.name for path in directory.iterdir())
    try:
        with (directory / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
    except OSError:
        pass
    said = []
    for _ in range(2):
        catalog = BedrockModelCatalog(cache_directory=directory, regions=["us-east-1"])
        metadata = catalog.get_catalog_metadata()
        said.append([metadata.source.value, str(metadata.cache_file_path)])
    after = sorted({path.name for path in directory.iterdir()} - {"filler"})
    print(json.dumps([said, before, [name for name in after if not name.endswith(".lock")]]))
"""


@pytest.mark.parametrize("with_old_file", [False, True])
def test_a_full_disk_costs_one_sweep_all_the_same(
    bedrock: LocalBedrock,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    cache_dir: Path,
    fallback: Path,
    with_old_file: bool,
) -> None:
    old = ""
    if with_old_file:
        catalog_in(cache_dir, VIRGINIA).ensure_catalog_available()
        shift(cache_dir, timedelta(hours=25))
        old = str(cache_dir / NAME)
        bedrock.reset()
    monkeypatch.setenv("OLD_FILE", old)
    full = tmp_path / "full"
    full.mkdir()
    said, before, after = run_mounted(
        'mount -t tmpfs -o size=2m none "$1"', START_TWICE_ON_A_FULL_DISK, full
    )
    path = str(fallback / NAME)
    assert said == [["api", path], ["cache", path]]
    assert before == after == ([NAME] if with_old_file else [])
    assert bedrock.count() == 2


def test_nowhere_writable_still_answers(
    bedrock: LocalBedrock, tmp_path: Path, fallback: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    fallback.write_text("")
    metadata = catalog_in(blocker / "cache").get_catalog_metadata()
    assert metadata.source is CatalogSource.API
    assert metadata.cache_file_path is None
    assert "cannot be cached" in caplog.text


def test_no_secret_is_in_the_file(bedrock: LocalBedrock, cache_dir: Path) -> None:
    catalog_in(cache_dir).ensure_catalog_available()
    text = (cache_dir / NAME).read_text()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert os.environ[name] not in text
