"""Reads the file for language models as they would, and compares it with the package."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import generate_llm_docs
import public_api
import release_4_0_0  # until 4.0.0
from bestehorn_llmmanager import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from public_api import Public

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "generate_llm_docs.py"
TEXT = generate_llm_docs.generate()
# Name and text of each entry; names repeat where two modules have the same.
ENTRIES = re.findall(r"^### (\w+)\n\n```\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def test_the_file_is_what_would_be_written_now() -> None:
    assert generate_llm_docs.TARGET.read_text(encoding="utf-8") == TEXT


def test_the_catalogue_its_modes_and_the_bundle_come_first() -> None:
    assert re.findall(r"^## (.*)$", TEXT, re.MULTILINE)[:2] == [
        "What has to be understood: the catalogue",
        "Cache modes",
    ]
    opening = TEXT.partition("### ")[0]
    assert all(mode in opening for mode in ("CacheMode.FILE", "CacheMode.MEMORY", "CacheMode.NONE"))
    assert "# bundled" in opening


def test_a_new_version_does_not_make_it_old() -> None:
    assert "__version__ = ..." in TEXT
    assert f"'{__version__}'" not in TEXT


def test_it_fits_into_a_conversation() -> None:
    assert len(TEXT.encode()) < 215_000


def test_everything_public_has_its_entry() -> None:
    names = [name for name, _ in ENTRIES]
    assert len(names) > 150
    offered = list(public_api.public())
    # until 4.0.0
    stays = public_api.library().resolve
    gone = [each for each in public_api.everything() if each.exported]
    offered += [each for each in gone if not stays(each.module.name, each.name)]
    # end
    assert sorted(names) == sorted(each.name for each in offered)


def test_nothing_is_told_twice() -> None:
    texts = [text for _, text in ENTRIES if '"""' in text]
    assert len(set(texts)) == len(texts)


def test_every_entry_is_a_definition_as_python_reads_it() -> None:
    for name, text in ENTRIES:
        [node] = ast.parse(text).body
        assert isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.Assign, ast.AnnAssign))
        assert public_api.name_of(node) == name


def callables() -> Iterator[tuple[str, Any, ast.FunctionDef]]:
    """Every function and method of an entry, with the same of the running package."""
    for each in public_api.public():
        if each.can_be_imported and not isinstance(each.node, (ast.Assign, ast.AnnAssign)):
            found = getattr(importlib.import_module(each.module.name), each.name)
            yield from told(found, entry_of(each))


def entry_of(public: Public) -> ast.stmt:
    kind = type(public.node)
    nodes = (ast.parse(text).body[0] for name, text in ENTRIES if name == public.name)
    told_of = [node for node in nodes if isinstance(node, kind)]
    names = {public_api.name_of(member) for member in members(public.node)}
    return next(n for n in told_of if {public_api.name_of(m) for m in members(n)} == names)


def members(node: ast.stmt) -> list[public_api.Definition]:
    return list(public_api.members(node)) if isinstance(node, ast.ClassDef) else []


def told(found: Any, node: ast.stmt) -> Iterator[tuple[str, Any, ast.FunctionDef]]:
    for each in [node, *members(node)]:
        if isinstance(each, ast.FunctionDef):
            real = found if each is node else inspect.getattr_static(found, each.name)
            function = getattr(real, "fget", None) or getattr(real, "__func__", real)
            yield f"{found.__qualname__}.{each.name}", function, each


def test_arguments_and_defaults_are_those_of_the_running_package() -> None:
    compared = 0
    for name, function, node in callables():
        real = list(inspect.signature(function).parameters.values())
        real = [each for each in real if each.name != "unified_model_manager"]  # until 4.0.0
        given = node.args
        arguments = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
        assert [a.arg for a in arguments if a] == [parameter.name for parameter in real], name
        positional = [*given.posonlyargs, *given.args]
        pairs = [
            *zip(positional[len(positional) - len(given.defaults) :], given.defaults, strict=True)
        ]
        pairs += [(a, d) for a, d in zip(given.kwonlyargs, given.kw_defaults, strict=True) if d]
        shown = {argument.arg: default for argument, default in pairs}
        expected = {p.name: p.default for p in real if p.default is not p.empty}
        assert set(shown) == set(expected), name
        for argument, default in shown.items():
            compared += is_shown(default, expected[argument], f"{name}: {argument}")
    assert compared > 300


def is_shown(shown: ast.expr, value: object, where: str) -> bool:
    try:
        literal = ast.literal_eval(shown)
    except ValueError:
        # A member of an enumeration, or what makes a value.
        assert not isinstance(value, (str, int)) or hasattr(value, "name"), where
        return False
    assert literal == value, where
    return True


def other_pythons() -> Iterator[str]:
    """Those of pyenv, or else of `PATH`; the shims of pyenv fail for what is not activated."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for minor in sorted({10, 11, 12, 13, 14} - {sys.version_info.minor}):
        found = next(root.glob(f"versions/3.{minor}.*/bin/python"), None)
        python = str(found or shutil.which(f"python3.{minor}") or "")
        if python and "shims" not in python:
            yield python


PYTHONS = list(other_pythons())  # before a test gets an environment of its own


@pytest.mark.skipif(not PYTHONS, reason="this machine has one Python")
def test_the_lowest_and_the_highest_python_of_this_machine_write_the_same() -> None:
    for python in {PYTHONS[0], PYTHONS[-1]}:
        done = run(python, SCRIPT, "--check")
        assert done.returncode == 0, f"{python}: {done.stdout}{done.stderr}"


def run(python: str, script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-B", str(script), *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the script reads."""
    scripts = ["generate_llm_docs.py", "public_api.py", "llm_opening.md"]
    scripts += ["release_4_0_0.py"]  # until 4.0.0
    names = [f"scripts/{name}" for name in scripts] + ["docs/forLLMConsumption.md"]
    names += [str(path.relative_to(ROOT)) for path in ROOT.glob("src/**/*.py")]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_a_changed_docstring_is_noticed_and_written(tree: Path) -> None:
    script = tree / "scripts" / "generate_llm_docs.py"
    module = tree / "src" / "bestehorn_llmmanager" / "bedrock" / "models" / "tool_use.py"
    source = module.read_text(encoding="utf-8")
    changed = source.replace("class ToolUse:\n", 'class ToolUse:\n    """Another."""\n\n', 1)
    assert changed != source
    module.write_text(changed, encoding="utf-8")
    refused = run(sys.executable, script, "--check")
    assert (refused.returncode, "is not current" in refused.stdout) == (1, True), refused.stderr
    assert run(sys.executable, script).returncode == 0
    written = (tree / "docs" / "forLLMConsumption.md").read_text(encoding="utf-8")
    assert '"""Another."""' in written


# until 4.0.0
def test_what_4_0_0_takes_out_leaves_a_current_file(tree: Path) -> None:
    names = [str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()]
    release_4_0_0.take_out(tree, names)
    assert not (tree / "scripts" / "release_4_0_0.py").exists()
    assert list(release_4_0_0.leftovers(tree, ["docs/forLLMConsumption.md"])) == []
    done = run(sys.executable, tree / "scripts" / "generate_llm_docs.py", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


# end
