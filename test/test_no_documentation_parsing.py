"""Tests that models come from the API alone: nothing here downloads or parses web pages."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "bestehorn_llmmanager"
MODULES = {".".join(path.relative_to(PACKAGE).parts): path for path in PACKAGE.rglob("*.py")}
DOWNLOADERS = {"aiohttp", "httpx", "requests", "urllib.request", "urllib3.request"}
PARSERS = {"bs4", "html", "html5lib", "lxml", "xml"}


def imported(source: str) -> Iterator[str]:
    """Every module that an import statement names, and those that contain it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:length]) for length in range(1, len(parts) + 1))


@pytest.mark.parametrize(
    "line",
    ["import bs4", "from lxml import etree", "from urllib import request", "import html.parser"],
)
def test_an_import_of_either_would_be_seen(line: str) -> None:
    assert set(imported(f"def f():\n    {line}")) & (DOWNLOADERS | PARSERS)


def test_no_module_imports_a_downloader_or_a_parser() -> None:
    assert len(MODULES) > 100
    found = {
        name: used
        for name, path in MODULES.items()
        if (used := {*imported(path.read_text(encoding="utf-8"))} & (DOWNLOADERS | PARSERS))
    }
    assert found == {}


@pytest.mark.parametrize("room", ["downloaders", "parsers"])
def test_the_rooms_for_it_are_gone(room: str) -> None:
    assert importlib.util.find_spec(f"bestehorn_llmmanager.bedrock.{room}") is None


@pytest.mark.parametrize("name", ["beautifulsoup4", "bs4", "html5lib", "lxml", "requests"])
def test_the_package_depends_on_none_of_it(name: str) -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '"boto3>=' in project
    assert not re.search(rf"""["']{name}\b""", project, re.IGNORECASE)
