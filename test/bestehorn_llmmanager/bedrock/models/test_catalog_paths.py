"""Tests where the catalogue's files are said to be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bestehorn_llmmanager.bedrock.models.catalog_constants import CatalogDefaults
from bestehorn_llmmanager.bedrock.models.catalog_constants import CatalogFilePaths as OldPath
from bestehorn_llmmanager.bedrock.models.catalog_paths import CatalogFilePaths

FALLBACK = Path("/tmp/bestehorn-llmmanager-cache")


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/bestehorn-llmmanager"),
        ("linux", {"XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/bestehorn-llmmanager"),
        ("darwin", {"HOME": "/h"}, "/h/.cache/bestehorn-llmmanager"),
        ("win32", {"LOCALAPPDATA": "/l", "HOME": "/h"}, "/l/bestehorn-llmmanager/cache"),
        ("win32", {"HOME": "/h"}, "/h/.bestehorn-llmmanager/cache"),
    ],
)
def test_the_default_directory_follows_platform_and_environment(
    monkeypatch: pytest.MonkeyPatch, platform: str, environment: dict[str, str], expected: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert CatalogFilePaths.get_default_cache_directory() == Path(expected)
    assert CatalogFilePaths.get_default_cache_file_path() == Path(expected, "bedrock_catalog.json")
    assert CatalogFilePaths.get_all_cache_locations() == [Path(expected), FALLBACK]


def test_a_user_without_a_home_gets_the_fallback_alone() -> None:
    code = (
        "import os, pwd\n"
        "for name in ('HOME', 'XDG_CACHE_HOME'): os.environ.pop(name, None)\n"
        "os.getuid = lambda: 4_000_000  # no such user, as in some containers\n"
        "from bestehorn_llmmanager.bedrock.models.catalog_paths import CatalogFilePaths as c\n"
        f"assert [str(p) for p in c.get_all_cache_locations()] == [{str(FALLBACK)!r}]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_asking_for_paths_creates_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert CatalogFilePaths.get_all_cache_locations()[0].parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_the_old_path_gives_the_same_class() -> None:
    assert OldPath is CatalogFilePaths


def test_the_default_regions_include_those_of_earlier_releases() -> None:
    assert {"af-south-1", "me-south-1", "me-central-1", "us-east-1"} <= set(
        CatalogDefaults.DEFAULT_AWS_REGIONS
    )
