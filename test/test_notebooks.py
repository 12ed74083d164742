"""Executes each notebook as its reader does, and looks at what is stored in it."""

from __future__ import annotations

import functools
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
NAMES = [
    "CRISManager.ipynb",
    "Caching.ipynb",
    "ExtendedContext_Demo.ipynb",
    "HelloWorld_LLMManager.ipynb",
    "HelloWorld_MessageBuilder.ipynb",
    "HelloWorld_Streaming_Demo.ipynb",
    "ModelIDManager.ipynb",
    "ParallelLLMManager_Demo.ipynb",
    "ResponseValidation.ipynb",
    "UnifiedModelManager.ipynb",
]
MOST_BYTES = 50_000
# What tells where, by whom, or when a notebook was executed.
TRACES = re.compile(
    r"(?<![\w.<])/(?:home|root|tmp|Users|var|work|usr|private)/"
    r"|[A-Z]:\\\\|ipykernel_|127\.0\.0\.1|localhost"
    r"|AKIA[A-Z0-9]{12}|ASIA[A-Z0-9]{12}|aws_secret|bearer ",
    re.IGNORECASE,
)

NEEDS = {"Caching": [pytest.mark.needs_member("cachePoint")]}

each_notebook = pytest.mark.parametrize(
    "path", [pytest.param(p, id=p.stem, marks=NEEDS.get(p.stem, [])) for p in NOTEBOOKS]
)


def test_all_notebooks_are_there() -> None:
    assert [path.name for path in NOTEBOOKS] == NAMES


@each_notebook
# Of the packages that talk to the kernel; what the notebook does happens in another process.
@pytest.mark.filterwarnings("default")
def test_every_cell_runs(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nb_run = pytest.importorskip("nbmake.nb_run")
    from traitlets.config import Config

    monkeypatch.setenv("HOME", str(tmp_path))  # the kernel writes its history there
    before = sorted(path.parent.iterdir())
    with tempfile.TemporaryDirectory() as short:  # the name of a socket has at most 104 bytes
        if sys.platform != "win32":
            # A port that is free when it is looked for may be another test's when the kernel takes it.
            sockets = {"KernelManager": {"transport": "ipc", "ip": f"{short}/kernel"}}
            client = functools.partial(nb_run.NotebookClient, config=Config(sockets))
            monkeypatch.setattr(nb_run, "NotebookClient", client)
        done = nb_run.NotebookRun(path, default_timeout=60).execute()
    assert done.error is None, done.error.trace
    assert sorted(path.parent.iterdir()) == before


@each_notebook
def test_it_is_stored_as_it_was_executed_from_top_to_bottom(path: Path) -> None:
    code = [cell for cell in cells(path) if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    kinds = {output["output_type"] for cell in code for output in cell["outputs"]}
    assert {"stream"} <= kinds <= {"stream", "execute_result"}


@each_notebook
def test_what_is_stored_is_small_and_says_nothing_of_the_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) < MOST_BYTES
    assert TRACES.search(text) is None
    assert not any("execution" in cell["metadata"] for cell in cells(path))


@each_notebook
def test_it_says_what_it_shows_then_starts_without_credentials_the_same_way(path: Path) -> None:
    title, start, *_ = cells(path)
    assert source(title).startswith("# ")
    assert "LocalBedrock(set_environment=True)" in source(start)
    assert source(start).partition("bedrock = None")[2] == START.partition("bedrock = None")[2]
    assert "".join(start["outputs"][0]["text"]).startswith("No AWS credentials: using LocalBedrock")


@pytest.mark.parametrize(
    "trace",
    ["/tmp/ipykernel_1/2.py:1", "in /home/me/x.py", "C:\\\\Users\\\\me", "http://127.0.0.1:4"],
)
def test_a_trace_of_the_machine_is_found(trace: str) -> None:
    assert TRACES.search(trace)


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


START = source(cells(NOTEBOOKS[0])[1])
