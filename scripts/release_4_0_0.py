# until 4.0.0: this file
"""Takes out of the tree what 4.0.0 no longer has, and shows that what remains is whole.

    python scripts/release_4_0_0.py --check              in a copy: lint, types, contracts, all tests
    python scripts/release_4_0_0.py --check --quick      the same, but tests are only collected
    python scripts/release_4_0_0.py --check -- test/…    the same, with other arguments for pytest
    python scripts/release_4_0_0.py --apply              here; everything must be committed

What goes is marked where it stands, in a comment of the file's own language (`<!-- … -->` in
Markdown): `until 4.0.0` after a line takes that line; alone on a line, everything as far as a line
`end`; `until 4.0.0: this file` in the first line takes the file. In a notebook each cell is read
like a file, and `until 4.0.0: this cell` in its first line takes it.

The version, the changelog and the migration guide follow.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from importlib.metadata import requires
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
VERSION = "4.0.0"
MARK = f"until {VERSION}"
OPENINGS = {f"# {MARK}", f"<!-- {MARK} -->"}
ENDS = {"# end", "<!-- end -->"}

# What no file may mention any more, save those that tell the history.
GONE = re.compile(
    r"""\b(
        (Unified|CRIS)?Model(Manager|Catalog)(Error)? | CRISManager(Error)? | unified_model_manager
      | BedrockModelInfo | CRISCatalog | CRISModelInfo | CRISInferenceProfile
      | CRISMultiRegionalModel | CRISRegionalVariant
      | (Enhanced)?(Bedrock|CRIS)HTMLParser | HTMLDownloader | HTMLTableColumns
      | CRISHTML(Selectors|Attributes) | BEDROCK_MODELS_DOCUMENTATION | CRISURLs | DEFAULT_HTML_OUTPUT
    )\b(?!\.ipynb)""",
    re.VERBOSE,
)
HISTORY = {"CHANGELOG.md", "docs/MIGRATION_GUIDE.md", "docs/differences.md"}
READ = {".ipynb", ".md", ".py", ".toml", ".yaml", ".yml"}

CHANGES = f"""\
## [{VERSION}] - unreleased

### Removed
- `ModelManager`, `CRISManager`, `UnifiedModelManager`, their errors, and
  `LLMManager(unified_model_manager=…)`. `BedrockModelCatalog` does all that they did:
  `list_models()`, `get_model_info(name, region)` and its `get_cris_profile_ids()`.
- What only they returned: `BedrockModelInfo`, `ModelCatalog`, `UnifiedModelCatalog` and the modules
  `data_structures`, `cris_structures` and `cris_regional_structures` of `bedrock.models`.
  `BedrockModelCatalog` returns `UnifiedCatalog` and `UnifiedModelInfo`.
- `URLs`, `CRISURLs`, `FilePaths.DEFAULT_HTML_OUTPUT` and `CRISFilePaths.DEFAULT_HTML_OUTPUT`:
  models come from the API, nothing writes HTML.

"""
GUIDANCE = f"""
> `ModelManager`, `CRISManager` and `UnifiedModelManager` were removed in {VERSION}. Code that still
> uses them runs on 3.x, which warns at each place and names the line to use instead; when it no
> longer warns, it is ready for {VERSION}.
"""


def without_marked(text: str) -> str | None:
    """`text` without what is marked in it; None if that is all of it.

    Raises:
        ValueError: A passage has no end, or another begins in it.
    """
    lines = text.split("\n")
    if re.search(rf"{MARK}: this (file|cell)\b", lines[0]):
        return None
    kept: list[str] = []
    opened = 0
    closed = False
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        if opened:
            if bare in OPENINGS:
                raise ValueError(f"`{bare}` in line {opened} has no end before line {number}")
            closed = bare in ENDS
            opened = 0 if closed else opened
        elif bare in OPENINGS:
            opened = number
        elif MARK not in line:
            if bare or not closed or (kept and kept[-1].strip()):
                kept.append(line)
            closed = False
    if opened:
        raise ValueError(f"`{lines[opened - 1].strip()}` in line {opened} has no end")
    return "\n".join(kept)


def notebook_without_marked(text: str) -> str | None:
    """The same for a notebook, cell by cell; None if its first cell speaks of the whole file."""
    notebook = json.loads(text)
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    if sources and f"{MARK}: this file" in sources[0].split("\n")[0]:
        return None
    cells = []
    for cell, source in zip(notebook["cells"], sources, strict=True):
        kept = without_marked(source)
        if kept is None or (source.strip() and not kept.strip()):
            continue
        cells.append({**cell, "source": kept.splitlines(keepends=True)})
    return json.dumps({**notebook, "cells": cells}, indent=1, ensure_ascii=False) + "\n"


def take_out(root: Path, names: Iterable[str]) -> None:
    """Remove what is marked in the files `names` below `root`.

    Raises:
        ValueError: A passage of a file has no end.
    """
    for name in names:
        path = root / name
        content = path.read_bytes()
        if MARK.encode() not in content:
            continue
        read = notebook_without_marked if path.suffix == ".ipynb" else without_marked
        try:
            kept = read(content.decode())
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        if kept is None:
            path.unlink()
        else:
            path.write_bytes(kept.encode())


def move_version(root: Path) -> None:
    """Let the package, the bundle in it, the changelog and the guide speak of the new version."""
    package = root / "src" / "bestehorn_llmmanager"
    bundle = package / "bedrock" / "package_data" / "bedrock_catalog_bundled.json"
    _replace(package / "_version.py", r'(__version__ = ")[^"]+', rf"\g<1>{VERSION}")
    _replace(bundle, r'("bundled_data_version": ?")[^"]+', rf"\g<1>{VERSION}")
    _replace(root / "CHANGELOG.md", r"^(?=## \[)", CHANGES)
    guide = root / "docs" / "MIGRATION_GUIDE.md"
    if guide.exists():
        _replace(guide, r"^(# .*\n)", rf"\g<1>{GUIDANCE}")


def _replace(path: Path, pattern: str, by: str) -> None:
    text, count = re.subn(pattern, by, path.read_bytes().decode(), count=1, flags=re.MULTILINE)
    if not count:
        raise ValueError(f"{path} has nothing like {pattern!r}")
    path.write_bytes(text.encode())


def leftovers(root: Path, names: Iterable[str]) -> Iterator[str]:
    """Where a file still mentions what is gone."""
    for name in names:
        path = root / name
        if name in HISTORY or path.suffix not in READ or not path.exists():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            found = GONE.search(line)
            if found or MARK in line:
                yield f"{name}:{number}: {found[0] if found else MARK}"


def release(root: Path, names: Sequence[str]) -> list[str]:
    """Make `root` what 4.0.0 is; what it still mentions of the past."""
    take_out(root, names)
    move_version(root)
    # Where a line went, the rest of its statement may fit into one.
    ruff = [sys.executable, "-m", "ruff", "format", "--quiet", "."]
    subprocess.run(ruff, cwd=root, check=True)
    return list(leftovers(root, names))


def files(root: Path) -> list[str]:
    """What git has or would add, as far as it is there."""
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return sorted({name for name in listed if name and (root / name).is_file()})


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def copy(root: Path, names: Iterable[str], target: Path) -> None:
    """Copy the files `names` below `root` to `target`."""
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, target / name)


def environment(root: Path, place: Path) -> Path:
    """The Python of a new environment that has the packages of this one, and the library of `root`.

    `PYTHONPATH` would not do: some tests start programs without it, which would import what is
    installed here.
    """
    venv.create(place, symlinks=os.name != "nt")
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    script = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = Path(_output(python, script))
    # Lines of a .pth file are no site directories: the .pth files in them, of which one leads to
    # the library that is installed here, are not read.
    packages = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (own / "library.pth").write_text("\n".join([str(root / "src"), *packages, ""]))
    metadata = own / f"bestehorn_llmmanager-{VERSION}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    lines = ["Metadata-Version: 2.1", "Name: bestehorn-llmmanager", f"Version: {VERSION}"]
    lines += [f"Requires-Dist: {each}" for each in requires("bestehorn-llmmanager") or ()]
    metadata.write_text("\n".join([*lines, ""]))
    script = "import bestehorn_llmmanager as it; print(it.__version__, it.__file__)"
    found, expected = _output(python, script), root / "src" / "bestehorn_llmmanager" / "__init__.py"
    if found != f"{VERSION} {expected}":
        raise RuntimeError(f"the copy imports {found}, not {VERSION} {expected}")
    return python


def _output(python: Path, script: str) -> str:
    done = subprocess.run(
        [str(python), "-c", script],
        check=True,
        capture_output=True,
        text=True,
        cwd=python.parent,
        env=_variables(),
    )
    return done.stdout.strip()


def _variables() -> dict[str, str]:
    """The environment without what leads back here, or belongs to a test run that started this."""
    ours = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTEST_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def steps(python: Path, pytest_arguments: Sequence[str]) -> dict[str, list[str]]:
    """Name of each check to its command; what is imported is what `python` has."""
    ruff = [sys.executable, "-m", "ruff"]
    contracts = "from importlinter.cli import lint_imports_command as run; run()"
    return {
        "lint": [*ruff, "check", "."],
        "format": [*ruff, "format", "--check", "."],
        "types": [str(python), "-m", "mypy"],
        "import contracts": [str(python), "-c", contracts],
        "tests": [str(python), "-m", "pytest", *pytest_arguments],
    }


def check(pytest_arguments: Sequence[str]) -> list[str]:
    """The names of the checks that a copy of the tree, made what 4.0.0 is, does not pass."""
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        place = Path(folder).resolve()
        tree, names = place / "tree", files(ROOT)
        copy(ROOT, names, tree)
        mentioned = release(tree, names)
        print(f"{len(names) - len(list(present(tree, names)))} of {len(names)} files went")
        print("\n".join(mentioned))
        failed = ["mentions"] if mentioned else []
        for name, command in steps(environment(tree, place / "venv"), pytest_arguments).items():
            print(f"\n== {name}", flush=True)
            started = time.monotonic()
            status = subprocess.run(command, cwd=tree, env=_variables(), check=False).returncode
            print(f"== {name}: {status} after {time.monotonic() - started:.0f} s", flush=True)
            failed += [name] if status else []
        return failed


def present(root: Path, names: Iterable[str]) -> Iterator[str]:
    """Those of `names` that are still there."""
    return (name for name in names if (root / name).exists())


def main() -> int:
    """Exit status: 0 if all is well, 1 if a check failed, 2 if nothing could be done."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="in a copy, with all checks")
    what.add_argument("--apply", action="store_true", help="here, without checks")
    parser.add_argument("--quick", action="store_true", help="only collect the tests")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    given = parser.parse_args()
    if given.apply:
        if _git(ROOT, "status", "--porcelain"):
            print("Commit or remove what `git status` shows; `--apply` deletes files.")
            return 2
        mentioned = release(ROOT, files(ROOT))
        print("\n".join(mentioned) or f"This is {VERSION}. See `git diff`, then run .ci/run.")
        return 1 if mentioned else 0
    arguments = given.pytest or ["-q", "-n", "2"]
    failed = check(["--collect-only", "-q", "-q"] if given.quick else arguments)
    print(f"\nfailed: {', '.join(failed)}" if failed else f"\n{VERSION} can be released")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
