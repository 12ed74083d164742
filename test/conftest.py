"""What every test gets: a clean environment, and on request a Bedrock endpoint and a cache."""

from __future__ import annotations

import gzip
import json
import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from bestehorn_llmmanager.bedrock.models.catalog_paths import CatalogFilePaths
from bestehorn_llmmanager.testing import LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Iterator

# Two cores are shared with servers and processes that tests start: time is no law here.
settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")

DATA = Path(__file__).parent / "data"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No credentials, no settings and no cache but those that the test makes."""
    if not os.environ.get("LLMMANAGER_TEST_AWS"):
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg-cache"))
    fallback = CatalogFilePaths.get_fallback_cache_directory()
    shutil.rmtree(fallback, ignore_errors=True)
    yield
    shutil.rmtree(fallback, ignore_errors=True)
    logging.getLogger("bestehorn_llmmanager").setLevel(logging.NOTSET)


@pytest.fixture
def cache_dir(tmp_path: Path) -> Path:
    """A directory for the catalogue cache; not there yet."""
    return tmp_path / "cache"


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
