"""Compares what the sources are read to offer with what the package offers when it runs."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import bestehorn_llmmanager
import document_code
import public_api
from public_api import PACKAGE, Public

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
OFFERED = public_api.public()
OFFERED = public_api.everything()  # until 4.0.0
HOMES = {(each.module.name, each.name) for each in OFFERED}


def packages() -> Iterator[str]:
    yield PACKAGE
    for found in pkgutil.walk_packages(bestehorn_llmmanager.__path__, f"{PACKAGE}."):
        if found.ispkg and "._" not in found.name:
            yield found.name


def test_whatever_a_package_exports_is_public() -> None:
    names = [
        (package, name)
        for package in packages()
        for name in getattr(importlib.import_module(package), "__all__", ())
    ]
    assert len(names) > 100
    known = {(each.path.rpartition(".")[0], each.name) for each in OFFERED} | HOMES
    library = public_api.library()
    library = public_api.Library(deprecated_too=True)  # until 4.0.0
    for package, name in names:
        found = library.resolve(package, name)
        assert found, f"{package}.{name} is not found"
        assert (package, name) in known or (found[0].name, name) in known


def test_each_is_what_the_place_to_import_it_from_has() -> None:
    importable = [each for each in OFFERED if each.can_be_imported]
    assert len(importable) > 130
    for each in importable:
        place = importlib.import_module(each.path.rpartition(".")[0])
        home = importlib.import_module(each.module.name)
        assert getattr(place, each.name) is getattr(home, each.name), each.path


def test_what_cannot_be_imported_is_named_by_signatures_alone() -> None:
    others = [each for each in OFFERED if not each.can_be_imported]
    assert [each.path for each in others if each.exported] == []


def test_everything_stands_on_a_page() -> None:
    assert {each.page.slug for each in OFFERED} == {page.slug for page in public_api.PAGES}


def test_what_has_no_page_is_refused() -> None:
    module = public_api.Module(f"{PACKAGE}.attic", "class Ghost: ...")
    ghost = Public("Ghost", f"{PACKAGE}.Ghost", module, module.defined["Ghost"], exported=True)
    with pytest.raises(LookupError, match=r"add its home 'attic' to a page"):
        _ = ghost.page


def test_what_documents_and_examples_import_is_public() -> None:
    sources = [
        block
        for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")]
        for block in document_code.blocks(page)
    ]
    sources += [path.read_text(encoding="utf-8") for path in ROOT.glob("examples/*.py")]
    sources += [cell for path in ROOT.glob("notebooks/*.ipynb") for cell in cells(path)]
    library = public_api.Library()
    imported = [
        (str(node.module), alias.name)
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    found = [(place, library.resolve(*place)) for place in imported]
    homes = {(home[0].name, place[1]) for place, home in found if home}
    assert len(homes) > 30
    assert homes <= HOMES


def cells(path: Path) -> Iterator[str]:
    """The code of a notebook, without what is for its shell."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            yield "".join(line for line in cell["source"] if not line.startswith(("%", "!")))
