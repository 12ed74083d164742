"""Runs the README's code as a reader would, block after block in one program."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from bestehorn_llmmanager.testing import LocalBedrock

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_here", "fallback")
def test_the_code_runs_and_prints_what_its_comments_say(
    bedrock: LocalBedrock, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(BLOCKS) >= 4
    namespace: dict[str, Any] = {}
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), namespace)
        printed = capsys.readouterr().out
        for said in re.findall(r"^print\(.*\)\s+# (.*)$", block, re.MULTILINE):
            assert said.partition(":")[0] in printed


def test_the_quickstart_prints_what_the_readme_shows() -> None:
    [shown] = re.findall(r"<!-- quickstart -->\n```\n(.*?)```", README, re.DOTALL)
    quickstart = ROOT / "examples" / "quickstart.py"
    done = subprocess.run(
        [sys.executable, str(quickstart)], capture_output=True, text=True, check=True
    )
    port = re.compile(r"127\.0\.0\.1:\d+")
    assert port.sub("PORT", done.stdout) == port.sub("PORT", shown)


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links {target}"
