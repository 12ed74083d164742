# until 4.0.0: this file
"""Tests that what 4.0.0 removes can be removed, on copies of this tree."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import release_4_0_0 as release

ROOT = Path(__file__).parents[2]
SCRIPT = "scripts/release_4_0_0.py"
PACKAGE = "src/bestehorn_llmmanager"

pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists() or not shutil.which("git"), reason="git says what belongs to it"
)

# As the plan of the clean-up names them.
DELETED = [
    *(f"{PACKAGE}/bedrock/{name}Manager.py" for name in ("Model", "CRIS", "UnifiedModel")),
    *(f"{PACKAGE}/bedrock/{name}" for name in ("downloaders", "parsers")),
    f"{PACKAGE}/bedrock/models/data_structures.py",
    *(
        f"test/bestehorn_llmmanager/bedrock/test_{name}Manager.py"
        for name in ("Model", "CRIS", "UnifiedModel")
    ),
    "test/integration/test_integration_unified_model_manager.py",
    "test/integration/test_integration_bedrock_api.py",
]
CLEANED = [f"{PACKAGE}/bedrock/models/{name}.py" for name in ("constants", "cris_constants")]
WHAT_STAYS_AND_WHAT_GOES = """
from bestehorn_llmmanager import __version__, bedrock
from bestehorn_llmmanager.bedrock.models import constants, cris_constants
assert __version__ == "4.0.0"
assert constants.__all__ == ["FilePaths", "JSONFields"]
assert vars(constants.FilePaths).keys() & {"DEFAULT_HTML_OUTPUT", "DEFAULT_JSON_OUTPUT"} == {
    "DEFAULT_JSON_OUTPUT"
}
assert not hasattr(cris_constants, "CRISURLs")
assert not hasattr(cris_constants.CRISFilePaths, "DEFAULT_HTML_OUTPUT")
assert cris_constants.CRISJSONFields.CRIS == "CRIS"
gone = {"ModelManager", "ModelManagerError", "CRISManager", "UnifiedModelManager", "URLs"}
assert not gone & set(dir(bedrock)), dir(bedrock)
for name in bedrock.__all__:
    getattr(bedrock, name)
import importlib, pkgutil, bestehorn_llmmanager as package
for module in pkgutil.walk_packages(package.__path__, "bestehorn_llmmanager."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(folder / "src")},
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with what this one has, committed."""
    copied = tmp_path / "tree"
    release.copy(ROOT, release.files(ROOT), copied)
    for command in ("init --quiet", "add .", "commit --quiet --no-verify -m all"):
        author = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        done = run(copied, "git", *author, *command.split())
        assert done.returncode == 0, done.stderr
    return copied


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\nb  # until 4.0.0\nc\n", "a\nc\n"),
        ("a\n# until 4.0.0\nb\n# end\nc\n", "a\nc\n"),
        ("a\n    # until 4.0.0\n    b\n    # end\n# end\n", "a\n# end\n"),
        ("a\n\n<!-- until 4.0.0 -->\nb\n<!-- end -->\n\nc\n", "a\n\nc\n"),
        ("a\n\n\n# until 4.0.0\nb\n# end\nc\n", "a\n\n\nc\n"),
        ("# until 4.0.0\na\nb  # until 4.0.0\n# end\n", ""),
        ("# until 4.0.0: this file\na\n", None),
        ("a\n# in 4.0.0\n", "a\n# in 4.0.0\n"),
    ],
)
def test_what_is_marked_goes_and_nothing_else(text: str, kept: str | None) -> None:
    assert release.without_marked(text) == kept


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a\n# until 4.0.0\nb\n", "in line 2 has no end"),
        ("# until 4.0.0\n# until 4.0.0\n# end\n", "in line 1 has no end before line 2"),
    ],
)
def test_a_passage_without_an_end_is_an_error(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(text)
    with pytest.raises(ValueError, match=rf"a\.py: .*{sentence}"):
        release.take_out(tmp_path, ["a.py"])
    assert (tmp_path / "a.py").read_text() == text


def test_a_notebook_loses_the_cells_that_are_marked() -> None:
    cells = [
        "# What stays",
        "<!-- until 4.0.0: this cell -->\nold",
        "# until 4.0.0\nold\n# end\n",
        "new\nold  # until 4.0.0\nnew",
        "",
    ]
    notebook = {"cells": [{"source": cell.splitlines(keepends=True)} for cell in cells], "a": "é"}
    kept = release.notebook_without_marked(json.dumps(notebook))
    assert kept is not None
    assert json.loads(kept) == {
        "cells": [{"source": ["# What stays"]}, {"source": ["new\n", "new"]}, {"source": []}],
        "a": "é",
    }
    notebook["cells"] = [{"source": ["<!-- until 4.0.0: this file -->\n", "a"]}]
    assert release.notebook_without_marked(json.dumps(notebook)) is None


def test_what_still_mentions_the_past_is_named(tmp_path: Path) -> None:
    names = ["a.py", "b.md", "CHANGELOG.md", "c.json", "gone.py"]
    for name in names[:-1]:
        lines = ["BedrockModelCatalog", "notebooks/CRISManager.ipynb", "the `CRISManager`"]
        (tmp_path / name).write_text("\n".join(lines))
    assert list(release.leftovers(tmp_path, names)) == [
        "a.py:3: CRISManager",
        "b.md:3: CRISManager",
    ]


def test_the_guide_says_since_when_they_are_gone(tmp_path: Path) -> None:
    for name in (f"{PACKAGE}/_version.py", "CHANGELOG.md"):
        release.copy(ROOT, [name], tmp_path)
    bundle = tmp_path / PACKAGE / "bedrock" / "package_data" / "bedrock_catalog_bundled.json"
    bundle.parent.mkdir(parents=True)
    bundle.write_text('{"metadata":{"bundled_data_version":"3.0.0"}}')
    guide = tmp_path / "docs" / "MIGRATION_GUIDE.md"
    guide.parent.mkdir()
    guide.write_text("# Migration\n\nFrom 0.9.0.\n")
    release.move_version(tmp_path)
    assert re.match(
        r"# Migration\n\n> .* removed in 4\.0\.0\.[^#]*\n\nFrom 0\.9\.0\.", guide.read_text()
    )
    assert bundle.read_text() == '{"metadata":{"bundled_data_version":"4.0.0"}}'


def test_the_tree_becomes_what_4_0_0_is(tree: Path) -> None:
    before = (tree / "CHANGELOG.md").read_text()
    done = run(tree, sys.executable, SCRIPT, "--apply")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert [name for name in DELETED if (tree / name).exists()] == []
    assert [name for name in CLEANED if not (tree / name).exists()] == []
    assert not (tree / SCRIPT).exists()
    head, _, rest = (tree / "CHANGELOG.md").read_text().partition("## [4.0.0]")
    assert head + rest[rest.index("## [") :] == before
    assert run(tree, "git", "grep", "-l", release.MARK).stdout == ""
    done = run(tree, sys.executable, "-W", "error", "-c", WHAT_STAYS_AND_WHAT_GOES)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_checks_import_the_copy_and_nothing_else(tree: Path, tmp_path: Path) -> None:
    release.release(tree, release.files(tree))
    python = release.environment(tree, tmp_path / "venv")
    code = """
import sys, boto3, bestehorn_llmmanager
from importlib.metadata import version
print(bestehorn_llmmanager.__path__[0], version("bestehorn-llmmanager"), *sys.path)
"""
    done = subprocess.run(
        [str(python), "-c", code], capture_output=True, text=True, check=True, env={}
    )
    package, number, *path = done.stdout.split()
    assert (package, number) == (str(tree / PACKAGE), "4.0.0")
    assert str(ROOT / "src") not in path


def test_checks_that_would_import_something_else_do_not_begin(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"the copy imports 3\..*, not 4\.0\.0"):
        release.environment(tree, tmp_path / "venv")


def test_what_is_not_committed_is_not_touched(tree: Path) -> None:
    (tree / "new.py").write_text("mine")
    done = run(tree, sys.executable, SCRIPT, "--apply")
    assert done.returncode == 2
    assert "git status" in done.stdout
    assert run(tree, "git", "status", "--porcelain").stdout == "?? new.py\n"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_everything_that_is_checked_passes_on_what_remains() -> None:
    done = run(ROOT, sys.executable, SCRIPT, "--check")
    assert done.returncode == 0, done.stdout[-10_000:]
