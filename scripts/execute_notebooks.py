"""Executes the notebooks against `LocalBedrock` and stores what they show.

    python scripts/execute_notebooks.py                    all of notebooks/
    python scripts/execute_notebooks.py notebooks/X.ipynb  only these
    python scripts/execute_notebooks.py --check            stores nothing; status 1 if one differs

AWS credentials of the caller are not used. Needs the extra `dev`. Execution times are not stored,
and where outputs differ from the stored ones in measured times alone, the stored ones stay.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbclient import NotebookClient

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
SECONDS_PER_CELL = 60

# What is measured, and differs from run to run.
MEASURED = re.compile(
    r"\b\d[\d.,]* ?(?:ms|s|answers per second)\b"
    r"|(?<=age_days=)\d+"
    r"|(?<=margin-left:)[\d.]+%|(?<=width:)[\d.]+%(?=\")"
    r"|\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::[\d.]+)?(?:\+00:00| UTC)"
)


def main() -> int:
    """Exit status: 1 if `--check` finds outputs that differ, else 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("--check", action="store_true", help="store nothing")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        leave_credentials_behind(home)
        differing = [path for path in given.notebooks or paths() if differs(path, given.check)]
    for path in differing:
        print(f"{path.name}: {'differs' if given.check else 'stored'}")
    return 1 if differing and given.check else 0


def paths() -> list[Path]:
    return sorted(FOLDER.glob("*.ipynb"))


def leave_credentials_behind(home: str) -> None:
    """Let the kernels find no AWS credentials, and no settings of the user."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ.update(dict.fromkeys(("HOME", "USERPROFILE", "XDG_CACHE_HOME"), home))


def differs(path: Path, check: bool) -> bool:
    """Execute one notebook; whether it shows something else than what is stored."""
    stored = read(path)
    shown = read(path)
    NotebookClient(
        shown,
        timeout=SECONDS_PER_CELL,
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=40"],
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    tidy(shown)
    keep_what_was_measured(stored, shown)
    text = written(shown)
    if text == path.read_text(encoding="utf-8"):
        return False
    if not check:
        path.write_text(text, encoding="utf-8")
    return True


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # has no types


def written(notebook: Any) -> str:
    return f"{nbformat.writes(notebook).rstrip()}\n"  # type: ignore[no-untyped-call]  # has no types


def tidy(notebook: Any) -> None:
    """Leave out what says more of this machine than of the notebook."""
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)


def keep_what_was_measured(stored: Any, shown: Any) -> None:
    """Put the stored outputs back where the new ones differ in measured times alone."""
    for old, new in zip(code_cells(stored), code_cells(shown), strict=True):
        if MEASURED.sub("", written_outputs(old)) == MEASURED.sub("", written_outputs(new)):
            new.outputs = old.outputs


def code_cells(notebook: Any) -> Iterator[Any]:
    return (cell for cell in notebook.cells if cell.cell_type == "code")


def written_outputs(cell: Any) -> str:
    parts = []
    for output in cell.outputs:
        data = output.get("data", {})
        parts += [output.output_type, output.get("name", ""), output.get("text", "")]
        parts += [f"{kind} {data[kind]}" for kind in sorted(data)]
    return "\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
