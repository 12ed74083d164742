"""Tests that the package finds, reads and describes the catalogue it carries."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import zipfile
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import bestehorn_llmmanager
from bestehorn_llmmanager import __version__
from bestehorn_llmmanager.bedrock.catalog import BundledDataLoader, CatalogSource
from bestehorn_llmmanager.bedrock.catalog.bundled_loader import bundled_catalog, bundled_regions

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = Path(bestehorn_llmmanager.__file__).parent
FILE = Path("bestehorn_llmmanager/bedrock/package_data/bedrock_catalog_bundled.json")


def run(code: str, python_path: Path) -> str:
    """Run Python code that finds the package in `python_path` first; what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(python_path)},
        cwd=python_path.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_bundle_loads_and_says_that_it_is_one() -> None:
    catalog = BundledDataLoader.load_bundled_catalog()
    assert catalog.metadata.source is CatalogSource.BUNDLED
    assert {entry.source for entry in catalog.metadata.regions_metadata.values()} == {
        CatalogSource.BUNDLED
    }
    assert catalog.metadata.bundled_data_version == __version__
    assert catalog.metadata.retrieval_timestamp.tzinfo is not None
    assert catalog.metadata.cache_file_path is None
    assert catalog.model_count > 100


def test_the_path_is_that_of_the_file_in_the_package() -> None:
    path = BundledDataLoader.get_bundled_data_path()
    assert path == PACKAGE.parent / FILE
    assert json.loads(path.read_text(encoding="utf-8"))["metadata"]["source"] == "bundled"


def test_what_is_known_of_the_bundle() -> None:
    catalog = bundled_catalog()
    expected = {
        "source": "bundled",
        "generation_timestamp": catalog.metadata.retrieval_timestamp.isoformat(),
        "version": __version__,
        "model_count": catalog.model_count,
        "regions": sorted(catalog.metadata.api_regions_queried),
    }
    assert BundledDataLoader.get_bundled_data_metadata() == expected
    assert BundledDataLoader.get_bundled_data_metadata(catalog) == expected
    assert bundled_regions() == expected["regions"]
    assert "us-east-1" in bundled_regions()


def test_each_load_warns_once_with_date_and_age(caplog: pytest.LogCaptureFixture) -> None:
    retrieved = bundled_catalog().metadata.retrieval_timestamp
    assert caplog.records == []  # reading alone is nobody's loss
    for expected in (1, 2):
        before = datetime.now(timezone.utc)
        BundledDataLoader.load_bundled_catalog()
        after = datetime.now(timezone.utc)
        assert len(caplog.records) == expected
        record = caplog.records[-1]
        assert record.levelno == logging.WARNING
        assert retrieved.date().isoformat() in record.getMessage()
        ages = {(moment - retrieved).days for moment in (before, after)}
        assert any(f"age_days={age} " in record.getMessage() for age in ages)


def test_the_metadata_alone_warn_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    BundledDataLoader.get_bundled_data_metadata()
    assert caplog.records == []


def test_the_bundle_is_read_once_and_shared() -> None:
    assert bundled_catalog() is bundled_catalog()
    assert BundledDataLoader.load_bundled_catalog() is bundled_catalog()


@pytest.fixture(scope="module")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package in a zip."""
    path = tmp_path_factory.mktemp("zipped") / "package.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(PACKAGE.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(PACKAGE.parent))
    return path


def test_the_bundle_loads_from_a_zip(zipped: Path) -> None:
    code = """if True:
        import bestehorn_llmmanager
        from bestehorn_llmmanager.bedrock.catalog import BundledDataLoader
        assert ".zip" in bestehorn_llmmanager.__file__
        path = BundledDataLoader.get_bundled_data_path()
        print(BundledDataLoader.load_bundled_catalog().model_count, path.exists(), path)
    """
    path = zipped / FILE
    assert run(code, zipped).strip() == f"{bundled_catalog().model_count} False {path}"


def test_a_catalogue_answers_from_a_zip(zipped: Path) -> None:
    code = """if True:
        from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog, CacheMode
        catalog = BedrockModelCatalog(cache_mode=CacheMode.NONE)
        print(catalog.get_model_info("Nova Micro", "us-east-1").model_id)
    """
    assert run(code, zipped).strip() == "amazon.nova-micro-v1:0"


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package whose bundle can be damaged."""
    folder = tmp_path_factory.mktemp("copied") / "site"
    shutil.copytree(
        PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__", "testing")
    )
    return folder


REPORT_THE_ERRORS = """if True:
    import json
    from bestehorn_llmmanager.bedrock.catalog import (
        BedrockModelCatalog, BundledDataError, BundledDataLoader, CacheMode,
        CatalogUnavailableError,
    )
    from bestehorn_llmmanager.bedrock.catalog.bundled_loader import bundled_regions
    said = []
    for ask in (
        BundledDataLoader.load_bundled_catalog, BundledDataLoader.get_bundled_data_metadata
    ):
        try:
            ask()
            said.append("loaded")
        except BundledDataError as error:
            said.append(str(error))
    said.append(bundled_regions())
    try:
        BedrockModelCatalog(cache_mode=CacheMode.NONE).ensure_catalog_available()
        said.append("loaded")
    except CatalogUnavailableError as error:
        said.append(str(error))
    print(json.dumps(said))
"""


def _without(*keys: str) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        *place, last = keys
        for key in place:
            data = data[key]
        del data[last]

    return change


def _with(*keys_and_value: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        *place, last, value = keys_and_value
        for key in place:
            data = data[key]
        data[last] = value

    return change


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(None, id="missing"),
        pytest.param(b"", id="empty"),
        pytest.param(b'{"models": ', id="cut off"),
        pytest.param(b"\xff\xfe\x00", id="not text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"{}", id="nothing in it"),
        pytest.param(_without("models"), id="no models"),
        pytest.param(_without("metadata"), id="no metadata"),
        pytest.param(_without("metadata", "source"), id="no source"),
        pytest.param(_without("metadata", "retrieval_timestamp"), id="no time"),
        pytest.param(_with("metadata", "source", "hearsay"), id="unknown source"),
        pytest.param(_with("metadata", "retrieval_timestamp", "yesterday"), id="no ISO time"),
        pytest.param(_with("models", [1]), id="models in a list"),
        pytest.param(_with("models", "Nova Micro", None), id="a model that is null"),
        pytest.param(_without("models", "Nova Micro", "provider"), id="no provider"),
        pytest.param(_with("models", "Nova Micro", "provider", " "), id="blank provider"),
        pytest.param(_with("models", "Nova Micro", "profiles", 5), id="profiles are a number"),
        pytest.param(
            _with("models", "Nova Micro", "inference_types", {"ON_DEMAND": None}), id="null regions"
        ),
    ],
)
def test_a_damaged_installation_is_a_bundled_data_error(
    copied: Path, damage: bytes | Callable[[dict[str, Any]], None] | None
) -> None:
    bundle = copied / FILE
    whole = (PACKAGE.parent / FILE).read_bytes()
    if damage is None:
        bundle.unlink()
    elif isinstance(damage, bytes):
        bundle.write_bytes(damage)
    else:
        data = json.loads(whole)
        damage(data)
        bundle.write_text(json.dumps(data), encoding="utf-8")
    try:
        *said, regions, catalog_said = json.loads(run(REPORT_THE_ERRORS, copied))
    finally:
        bundle.write_bytes(whole)
    for sentence in said:
        assert "The catalogue that the package carries" in sentence
    assert regions == []
    assert "The catalogue that the package carries" in catalog_said


def test_the_copy_that_is_damaged_above_is_good(copied: Path) -> None:
    *said, regions, catalog_said = json.loads(run(REPORT_THE_ERRORS, copied))
    assert (said, catalog_said) == (["loaded", "loaded"], "loaded")
    assert regions == bundled_regions()


def test_reading_the_bundle_does_not_load_boto3_or_ask_for_credentials(copied: Path) -> None:
    code = """if True:
        import sys
        from bestehorn_llmmanager.bedrock.catalog import BundledDataLoader
        BundledDataLoader.load_bundled_catalog()
        print(sorted({"boto3", "botocore", "filelock", "ssl", "socket"} & set(sys.modules)))
    """
    assert run(code, copied).strip() == "[]"
