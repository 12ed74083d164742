"""Runs what the README shows: its code, and the quickstart with its output."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import document_code

if TYPE_CHECKING:
    from bestehorn_llmmanager.testing import LocalBedrock

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")


@pytest.mark.usefixtures("fallback")
def test_the_code_runs_and_prints_what_its_comments_say(
    bedrock: LocalBedrock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert document_code.run(README, bedrock) > len(document_code.blocks(README)) >= 10
    assert len(Path("answers.jsonl").read_bytes().splitlines()) == 100
    asked = [request.region for request in bedrock.requests if request.operation == "Converse"]
    # Both sides of the comparison, which come last, were throttled and went on.
    assert asked[-4:] == ["eu-central-1", "us-east-1"] * 2


def test_the_quickstart_prints_what_the_readme_shows() -> None:
    [shown] = re.findall(r"<!-- quickstart -->\n```\n(.*?)```", TEXT, re.DOTALL)
    quickstart = ROOT / "examples" / "quickstart.py"
    done = subprocess.run(
        [sys.executable, str(quickstart)], capture_output=True, text=True, check=True
    )
    assert without_what_varies(done.stdout) == without_what_varies(shown)


def without_what_varies(output: str) -> str:
    """The output without the port, and without the number of models of the bundle of the day."""
    output, found = re.subn(r"(?m)^\d{2,} models;", "MODELS;", output)
    assert found == 1
    return re.sub(r"127\.0\.0\.1:\d+", "PORT", output)


def test_it_can_be_read_in_one_go() -> None:
    assert len(TEXT.splitlines()) < 300


def test_the_figures_are_those_of_the_measurements() -> None:
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    costs = TEXT.partition("## What it costs")[2].partition("\n## ")[0]
    figures = re.findall(r"(less than )?([\d.]+) (µs|ms)", costs)
    assert [number for _, number, _ in figures] == re.findall(r"(?<!\w)\d[\d.]*", costs)
    exact = [f" {number} {unit} " for limit, number, unit in figures if not limit]
    assert len(exact) == 2
    assert [figure for figure in exact if figure not in text] == []
    [limit] = [number for limit, number, _ in figures if limit]
    [import_row] = re.findall(r"^\| `import bestehorn_llmmanager`.*$", text, re.MULTILINE)
    [upper_quartile] = re.findall(r" ms \(.* to ([\d.]+)\)", import_row)
    assert float(upper_quartile) < float(limit)


def test_what_it_does_stands_in_the_first_five_lines() -> None:
    paragraph = TEXT.split("\n\n")[1]
    assert len(paragraph.splitlines()) <= 5
    assert TEXT.index("## Run it, test it") < TEXT.index("## What do I call")


# until 4.0.0
@pytest.mark.usefixtures("bedrock")
def test_the_managers_warn_and_the_option_is_said_in_the_log(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    from bestehorn_llmmanager import LLMManager
    from bestehorn_llmmanager.bedrock.UnifiedModelManager import UnifiedModelManager

    with pytest.warns(DeprecationWarning, match=r"goes with 4\.0\.0"):
        unified = UnifiedModelManager(tmp_path / "models.json")
    unified.refresh_unified_data()
    LLMManager(["Nova Lite"], ["us-east-1"], unified_model_manager=unified)
    assert "option=unified_model_manager | deprecated" in caplog.text


# end
