# until 4.0.0: this file
"""Tests the deprecated `UnifiedModelManager`; goes with it."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import bestehorn_llmmanager
from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog, CacheMode
from bestehorn_llmmanager.bedrock.catalog.bundled_loader import BundledDataLoader
from bestehorn_llmmanager.bedrock.exceptions import LLMManagerError
from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo
from bestehorn_llmmanager.bedrock.models.unified_structures import (
    UnifiedModelCatalog,
    UnifiedModelInfo,
)
from bestehorn_llmmanager.bedrock.UnifiedModelManager import (
    UnifiedModelManager,
    UnifiedModelManagerError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bestehorn_llmmanager.testing import LocalBedrock

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated since 0.9.0:DeprecationWarning")

DIRECT = ModelAccessInfo("eu-west-1", has_direct_access=True, model_id="nova")
PROFILES = ModelAccessInfo(
    "us-east-1",
    has_regional_cris=True,
    has_global_cris=True,
    regional_cris_profile_id="us.nova",
    global_cris_profile_id="global.nova",
)
ALL = ModelAccessInfo(
    "us-west-2",
    has_direct_access=True,
    has_regional_cris=True,
    model_id="nova",
    regional_cris_profile_id="us.nova",
)
NOVA = UnifiedModelInfo(
    "Nova",
    "Amazon",
    "nova",
    ["TEXT"],
    ["TEXT"],
    True,
    {access.region: access for access in (DIRECT, PROFILES, ALL)},
)
RANK = UnifiedModelInfo("Rank", "Cohere", "nova", ["TEXT"], ["TEXT"], False, {"eu-west-1": DIRECT})


PACKAGE = Path(bestehorn_llmmanager.__file__).parent


def hours_ago(hours: float) -> datetime:
    return datetime.now(timezone.utc) - timedelta(hours=hours)


def write(
    manager: UnifiedModelManager, retrieved: datetime | str, *models: UnifiedModelInfo
) -> None:
    text = retrieved if isinstance(retrieved, str) else retrieved.isoformat()
    entries = {model.model_name: model.to_dict() for model in models or (NOVA, RANK)}
    manager.json_output_path.write_text(
        json.dumps({"retrieval_timestamp": text, "unified_models": entries})
    )


@pytest.fixture
def new(tmp_path: Path) -> Callable[..., UnifiedModelManager]:
    def make(**options: Any) -> UnifiedModelManager:
        return UnifiedModelManager(tmp_path / "unified.json", **options)

    return make


@pytest.fixture
def loaded(new: Callable[..., UnifiedModelManager]) -> UnifiedModelManager:
    manager = new()
    write(manager, hours_ago(1))
    manager.load_cached_data()
    return manager


def test_making_one_warns_once_with_the_line_to_write_instead() -> None:
    with pytest.warns(DeprecationWarning, match=r"UnifiedModelManager.* 4\.0\.0") as record:
        UnifiedModelManager()
    (warning,) = record
    assert warning.filename == __file__
    assert "from bestehorn_llmmanager import BedrockModelCatalog" in str(warning.message)
    assert "BedrockModelCatalog().get_model_info(model_name, region)" in str(warning.message)


def test_the_arguments_are_kept_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    manager = UnifiedModelManager()
    assert manager.json_output_path == Path("src/docs/UnifiedModels.json")
    assert manager.max_cache_age_hours == 24.0
    assert (manager.force_download, manager.strict_cache_mode, manager.ignore_cache_age) == (
        False,
        False,
        False,
    )
    other = UnifiedModelManager(Path("a.json"), True, 5, False, 1.0, True, True)
    assert repr(other) == (
        "UnifiedModelManager(json_path='a.json', force_download=True, fuzzy_matching=False)"
    )
    assert (other.strict_cache_mode, other.ignore_cache_age) == (True, True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("hours", [0.0, 0.09, 168.1, -1, math.inf, math.nan])
def test_an_age_out_of_range_is_refused(hours: float) -> None:
    with pytest.raises(UnifiedModelManagerError, match="max_cache_age_hours"):
        UnifiedModelManager(max_cache_age_hours=hours)
    assert UnifiedModelManager(max_cache_age_hours=0.1).max_cache_age_hours == 0.1
    assert UnifiedModelManager(max_cache_age_hours=168).max_cache_age_hours == 168


QUERIES: list[tuple[Callable[[UnifiedModelManager], object], object]] = [
    (lambda manager: manager.get_model_access_info("Nova", "us-east-1"), PROFILES),
    (lambda manager: manager.get_model_access_info("nova", "us-east-1"), None),
    (lambda manager: manager.get_model_access_info("Nova", "eu-west-3"), None),
    (lambda manager: manager.get_recommended_access("Nova", "eu-west-3"), None),
    (lambda manager: manager.is_model_available_in_region("Nova", "us-east-1"), True),
    (lambda manager: manager.is_model_available_in_region("Rank", "us-east-1"), False),
    (lambda manager: manager.get_models_by_region("us-east-1"), {"Nova": NOVA}),
    (lambda manager: manager.get_models_by_provider("Cohere"), {"Rank": RANK}),
    (lambda manager: manager.get_direct_access_models_by_region("us-west-2"), {"Nova": NOVA}),
    (lambda manager: manager.get_cris_only_models_by_region("us-west-2"), {}),
    (lambda manager: manager.get_cris_only_models_by_region("us-east-1"), {"Nova": NOVA}),
    (lambda manager: manager.get_streaming_models(), {"Nova": NOVA}),
    (lambda m: m.get_all_supported_regions(), ["eu-west-1", "us-east-1", "us-west-2"]),
    (lambda manager: manager.get_model_names(), ["Nova", "Rank"]),
    (lambda manager: manager.get_model_count(), 2),
    (lambda manager: manager.has_model("Nova"), True),
    (lambda manager: manager.has_model("Nova Lite"), False),
    (lambda m: m.get_regions_for_model("Nova"), ["eu-west-1", "us-east-1", "us-west-2"]),
    (lambda manager: manager.get_regions_for_model("nova"), []),
]


@pytest.mark.parametrize(("query", "answer"), QUERIES)
def test_queries_answer_for_exact_names(
    loaded: UnifiedModelManager, query: Callable[[UnifiedModelManager], object], answer: object
) -> None:
    assert query(loaded) == answer


@pytest.mark.parametrize("query", [query for query, _ in QUERIES])
def test_before_there_is_data_queries_raise(
    new: Callable[..., UnifiedModelManager], query: Callable[[UnifiedModelManager], object]
) -> None:
    with pytest.raises(UnifiedModelManagerError, match="refresh"):
        query(new())
    assert issubclass(UnifiedModelManagerError, LLMManagerError)


@pytest.mark.parametrize(
    ("region", "recommended", "alternatives"),
    [
        ("eu-west-1", DIRECT, []),
        ("us-east-1", PROFILES, []),
        (
            "us-west-2",
            ModelAccessInfo("us-west-2", has_direct_access=True, model_id="nova"),
            [
                ModelAccessInfo(
                    "us-west-2", has_regional_cris=True, regional_cris_profile_id="us.nova"
                )
            ],
        ),
    ],
)
def test_direct_access_is_recommended_and_profiles_are_the_alternative(
    loaded: UnifiedModelManager,
    region: str,
    recommended: ModelAccessInfo,
    alternatives: list[ModelAccessInfo],
) -> None:
    advice = loaded.get_recommended_access("Nova", region)
    assert advice is not None
    assert advice.recommended_access == recommended
    assert advice.alternatives == alternatives
    assert advice.rationale


@pytest.mark.parametrize(
    ("retrieved", "status", "age"),
    [
        (hours_ago(1), "valid", 1),
        (hours_ago(1).replace(microsecond=123456), "valid", 1),
        (hours_ago(1).astimezone().replace(tzinfo=None), "valid", 1),
        (hours_ago(1).astimezone(timezone(timedelta(hours=-9))), "valid", 1),
        (hours_ago(1).strftime("%Y-%m-%dT%H:%M:%SZ"), "valid", 1),
        (hours_ago(25), "expired", 25),
        (hours_ago(-5), "corrupted", None),
        ("soon", "corrupted", None),
    ],
    ids=["aware", "fraction", "naive", "zone", "Z", "old", "future", "no time"],
)
def test_the_status_of_a_file_is_that_of_its_time(
    new: Callable[..., UnifiedModelManager],
    retrieved: datetime | str,
    status: str,
    age: float | None,
) -> None:
    manager = new()
    write(manager, retrieved)
    found = manager.get_cache_status()
    assert found["status"] == status
    assert found.get("age_hours") == (age and pytest.approx(age, abs=0.2))
    assert found["reason"]
    assert found["max_age_hours"] == 24.0
    assert (found["path"], found["exists"]) == (str(manager.json_output_path), True)


@pytest.fixture
def tokyo() -> Iterator[None]:
    """Local time is nine hours ahead of UTC."""
    if not hasattr(time, "tzset"):
        pytest.skip("needs POSIX time zones")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("tokyo")
@pytest.mark.parametrize(("hours", "status"), [(1, "valid"), (25, "expired"), (-5, "corrupted")])
def test_a_time_without_zone_is_local_as_the_previous_release_wrote_it(
    new: Callable[..., UnifiedModelManager], hours: int, status: str
) -> None:
    manager = new()
    write(manager, datetime.now() - timedelta(hours=hours))  # noqa: DTZ005  (as 0.9.0 did)
    found = manager.get_cache_status()
    assert found["status"] == status
    assert found.get("age_hours") == (pytest.approx(hours, abs=0.2) if hours > 0 else None)


def test_the_status_tells_what_is_missing_corrupted_or_ignored(
    new: Callable[..., UnifiedModelManager],
) -> None:
    manager = new(ignore_cache_age=True)
    assert manager.get_cache_status() == {
        "status": "missing",
        "reason": "there is no file",
        "max_age_hours": 24.0,
        "path": str(manager.json_output_path),
        "exists": False,
    }
    write(manager, hours_ago(1000))
    assert manager.get_cache_status()["status"] == "valid"
    manager.json_output_path.write_text("{")
    assert manager.get_cache_status()["status"] == "corrupted"
    manager.json_output_path.write_text(
        json.dumps({"retrieval_timestamp": hours_ago(1).isoformat(), "unified_models": {}})
    )
    assert manager.get_cache_status()["status"] == "corrupted"


@pytest.mark.parametrize("content", [b"", b"[]", b"5", b"{}", b"\xff", b"[" * 100_000])
def test_a_bad_file_is_no_data(new: Callable[..., UnifiedModelManager], content: bytes) -> None:
    manager = new()
    assert manager.load_cached_data() is None
    manager.json_output_path.write_bytes(content)
    assert manager.load_cached_data() is None


def test_cached_data_is_what_the_file_has_however_old(
    new: Callable[..., UnifiedModelManager],
) -> None:
    manager = new()
    write(manager, hours_ago(5000), NOVA)
    data = manager.load_cached_data()
    assert isinstance(data, UnifiedModelCatalog)
    assert data.unified_models == {"Nova": NOVA}
    assert manager.get_model_count() == 1


def test_a_refresh_shows_and_writes_the_catalogue_and_calls_its_own_file_valid(
    bedrock: LocalBedrock, new: Callable[..., UnifiedModelManager]
) -> None:
    manager = new()
    data = manager.refresh_unified_data()
    catalog = BedrockModelCatalog().ensure_catalog_available()
    assert data.unified_models == catalog.models
    assert manager.get_model_names() == sorted(catalog.models)
    written = json.loads(manager.json_output_path.read_text())
    assert written == json.loads(json.dumps(data.to_dict()))
    assert manager.get_cache_status()["status"] == "valid"
    asked = bedrock.count()
    assert new().ensure_data_available().unified_models.keys() == catalog.models.keys()
    assert bedrock.count() == asked


def test_whether_a_refresh_asks_aws_is_the_callers_wish_then_the_managers(
    bedrock: LocalBedrock, new: Callable[..., UnifiedModelManager]
) -> None:
    new().refresh_unified_data()
    asked = bedrock.count()
    new().refresh_unified_data()
    new(force_download=True).refresh_unified_data(force_download=False)
    assert bedrock.count() == asked
    new(force_download=True).refresh_unified_data()
    assert bedrock.count() == 2 * asked


def test_the_counts_are_those_of_models_with_and_without_profiles(
    new: Callable[..., UnifiedModelManager],
) -> None:
    manager = new()
    names = [
        "matched_models",
        "unmatched_regular_models",
        "unmatched_cris_models",
        "cris_only_models",
        "fuzzy_matched_models",
        "corrected_cris_only_models",
    ]
    assert manager.get_correlation_stats() == dict.fromkeys(names, 0)
    models = manager.refresh_unified_data().unified_models.values()
    matched = sum(bool(model.get_inference_profiles()) for model in models)
    only = sum(not model.get_direct_access_regions() for model in models)
    stats = manager.get_correlation_stats()
    assert [stats[name] for name in names] == [matched, len(models) - matched, 0, only, 0, 0]
    assert 0 < only < matched < len(models)


def test_fuzzy_matching_is_a_switch_without_effect(
    new: Callable[..., UnifiedModelManager],
) -> None:
    manager = new()
    assert manager.is_fuzzy_matching_enabled()
    manager.set_fuzzy_matching_enabled(False)
    assert not manager.is_fuzzy_matching_enabled()
    assert not new(enable_fuzzy_matching=False).is_fuzzy_matching_enabled()


def test_a_valid_file_is_enough(new: Callable[..., UnifiedModelManager]) -> None:
    manager = new(strict_cache_mode=True)
    write(manager, hours_ago(1))
    assert manager.ensure_data_available().unified_models == {"Nova": NOVA, "Rank": RANK}
    assert manager.get_model_count() == 2


def test_an_expired_file_is_replaced(
    bedrock: LocalBedrock, new: Callable[..., UnifiedModelManager]
) -> None:
    manager = new(strict_cache_mode=True)
    write(manager, hours_ago(25))
    assert manager.ensure_data_available().model_count > 100
    assert manager.get_cache_status()["status"] == "valid"


def test_the_age_that_is_allowed_is_that_of_the_catalogues_cache_too(
    bedrock: LocalBedrock, new: Callable[..., UnifiedModelManager], tmp_path: Path
) -> None:
    new().refresh_unified_data()
    asked = bedrock.count()
    cache = tmp_path / "xdg-cache" / "bestehorn-llmmanager" / "bedrock_catalog.json"
    today = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    before = hours_ago(48).strftime("%Y-%m-%d")
    cache.write_text(cache.read_text().replace(f'"{today}T', f'"{before}T'))
    manager = new(max_cache_age_hours=168)
    manager.json_output_path.unlink()
    manager.ensure_data_available()
    assert bedrock.count() == asked
    manager = new(max_cache_age_hours=1)
    manager.json_output_path.unlink()  # it has what the bundle has, if that is newer
    manager.ensure_data_available()
    assert bedrock.count() == 2 * asked


def test_where_aws_does_not_answer_and_there_is_no_file_the_package_does(
    new: Callable[..., UnifiedModelManager],
) -> None:
    assert new().ensure_data_available().model_count > 100


# The package may have been made a minute ago: what is said of old data is tried on an older one.


@pytest.fixture(scope="module")
def old_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a copy of the package is, the catalogue of which is thirty days old."""
    folder = tmp_path_factory.mktemp("old_package")
    unneeded = shutil.ignore_patterns("__pycache__", "testing")
    shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=unneeded)
    bundle = folder / BundledDataLoader.get_bundled_data_path().relative_to(PACKAGE.parent)
    data = json.loads(bundle.read_text(encoding="utf-8"))
    metadata = data["metadata"]
    for entry in (metadata, *metadata["regions_metadata"].values()):
        entry["retrieval_timestamp"] = hours_ago(30 * 24).isoformat()
    bundle.write_text(json.dumps(data), encoding="utf-8")
    return folder


ENSURE_DATA = """if True:
    import json, logging, sys
    from pathlib import Path
    from bestehorn_llmmanager.bedrock.UnifiedModelManager import (
        UnifiedModelManager, UnifiedModelManagerError
    )
    logging.basicConfig(format="%(levelname)s %(message)s")
    manager = UnifiedModelManager(Path(sys.argv[1]), **json.loads(sys.argv[2]))
    try:
        print(manager.ensure_data_available().model_count)
    except UnifiedModelManagerError as error:
        print(error)
"""


def ensured_where_aws_does_not_answer(
    old_package: Path, path: Path, **options: bool
) -> tuple[str, list[str]]:
    """How many models an old package has for the file `path`, or its refusal; and its log."""
    done = subprocess.run(
        [
            *(sys.executable, "-W", "ignore::DeprecationWarning", "-c", ENSURE_DATA),
            *(str(path), json.dumps(options)),
        ],
        env={**os.environ, "PYTHONPATH": str(old_package)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr.splitlines()


def test_where_aws_does_not_answer_the_expired_file_does_if_it_is_the_newest(
    new: Callable[..., UnifiedModelManager], old_package: Path
) -> None:
    path = new().json_output_path
    write(new(), hours_ago(25))
    said, logged = ensured_where_aws_does_not_answer(old_package, path)
    assert said == "2"
    assert any("older data is used" in line for line in logged)
    assert {line.split()[0] for line in logged} == {"WARNING"}
    write(new(), hours_ago(31 * 24))
    said, _ = ensured_where_aws_does_not_answer(old_package, path)
    assert int(said) > 100


@pytest.mark.parametrize("has_file", [True, False])
def test_strict_mode_refuses_old_data(
    new: Callable[..., UnifiedModelManager], old_package: Path, has_file: bool
) -> None:
    path = new().json_output_path
    if has_file:
        write(new(), hours_ago(25))
    before = list(path.parent.glob("*.json"))
    said, _ = ensured_where_aws_does_not_answer(old_package, path, strict_cache_mode=True)
    assert "strict_cache_mode" in said
    assert list(path.parent.glob("*.json")) == before


def test_whoever_ignores_age_gets_data_of_any_age(
    new: Callable[..., UnifiedModelManager], old_package: Path
) -> None:
    path = new().json_output_path
    options = {"strict_cache_mode": True, "ignore_cache_age": True}
    said, _ = ensured_where_aws_does_not_answer(old_package, path, **options)
    assert int(said) > 100


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    manager = UnifiedModelManager(tmp_path / "file" / "unified.json")
    with pytest.raises(UnifiedModelManagerError, match="cannot be written"):
        manager.refresh_unified_data()
    assert manager.get_model_count() > 100
    with pytest.raises(UnifiedModelManagerError, match="cannot be written"):
        manager.ensure_data_available()


def test_an_expired_file_that_cannot_be_written_does_not_keep_data_away(
    bedrock: LocalBedrock, new: Callable[..., UnifiedModelManager]
) -> None:
    manager = new()
    write(manager, hours_ago(25))
    manager.json_output_path.chmod(0o400)
    if os.access(manager.json_output_path, os.W_OK):
        pytest.skip("this user may write everywhere")
    assert manager.ensure_data_available().model_count > 100


def test_the_package_is_the_same_as_the_catalogue_says(
    new: Callable[..., UnifiedModelManager],
) -> None:
    bundled = BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")
    data = new().refresh_unified_data()
    assert data.unified_models == bundled.ensure_catalog_available().models
    assert data.retrieval_timestamp == bundled.get_catalog_metadata().retrieval_timestamp
