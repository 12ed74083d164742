"""Tests that a child is not left waiting for what a thread of its parent was importing."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# A module that takes its time, and asks for a logger as modules do.
SLOW = "import logging, time\ntime.sleep(0.3)\nlogging.getLogger('slow')\nvalue = 1\n"
PROGRAM = """if True:
    import os, signal, sys, threading, time, warnings
    from bestehorn_llmmanager._fork import NoForkMeanwhile

    sys.path.insert(0, sys.argv[1])
    warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside other threads

    def first_use():
        with NoForkMeanwhile():
            from slow_module import value
        return value

    thread = threading.Thread(target=first_use)
    thread.start()
    while "slow_module" not in sys.modules:
        time.sleep(0.001)
    time.sleep(0.1)  # `logging` is there now, and has its own plans for a fork
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        os._exit(0 if first_use() == 1 else 1)
    status = os.waitpid(child, 0)[1]
    thread.join()
    again = threading.Thread(target=first_use, daemon=True)
    again.start()
    again.join(5)
    assert not again.is_alive()
    assert os.waitpid(os.fork() or os._exit(0), 0)[1] == 0
    sys.exit(status)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_fork_waits_for_what_another_thread_imports(tmp_path: Path) -> None:
    (tmp_path / "slow_module.py").write_text(SLOW)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path], capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
