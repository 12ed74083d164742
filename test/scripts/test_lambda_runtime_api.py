"""Makes Lambda functions that are never entered, or cannot start, and looks what stays of them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lambda_runtime_api import LambdaFunction, why_not_isolated

SCRIPTS = Path(__file__).parents[2] / "scripts"
NEVER_ENTERED = "from lambda_runtime_api import *; made = LambdaFunction('a.b', Path(), {})"
NEVER_LEFT = f"{NEVER_ENTERED}; made.__enter__()"


@pytest.mark.parametrize("program", [NEVER_ENTERED, NEVER_LEFT])
def test_a_program_ends_that_does_not_leave_its_function(program: str) -> None:
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=SCRIPTS, capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr


def test_a_function_whose_process_cannot_be_started_leaves_nothing_open(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(FileNotFoundError), LambdaFunction("a.b", tmp_path / "absent", {}):
        pass
    assert threading.active_count() == before


@pytest.mark.skipif(sys.platform != "linux", reason="mount namespaces are Linux's")
def test_without_the_program_for_it_isolation_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (why_not_isolated() or "").startswith("a mount namespace needs ")


def test_what_others_have_mounted_below_tmp_keeps_nobody_from_isolation(
    request: pytest.FixtureRequest,
) -> None:
    if problem := why_not_isolated():
        pytest.skip(problem)
    assert os.path.ismount(request.getfixturevalue("small_disk"))
    assert why_not_isolated() is None
