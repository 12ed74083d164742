"""Tests that programs which use nothing deprecated are told of nothing deprecated."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

QUICKSTART = Path(__file__).parents[1] / "examples" / "quickstart.py"
IMPORT = "from bestehorn_llmmanager import LLMManager, ParallelLLMManager, MessageBuilder"


@pytest.mark.parametrize(
    "program", [["-c", IMPORT], [str(QUICKSTART)]], ids=["import", "quickstart"]
)
def test_it_stays_silent(program: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", *program],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
