"""Keeps forked children from waiting for threads that only their parent has.

A fork copies locks as they are. One that another thread held, be it ours, the import system's or
that of a connection pool, is never released in the child.
"""

from __future__ import annotations

import os
import threading
from weakref import WeakSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class _StartsAfresh(Protocol):
        def _start_afresh(self) -> None: ...


# An import that hangs, or one that forks itself, must not keep the program from forking.
_PATIENCE_SECONDS = 5.0

_owners: WeakSet[_StartsAfresh] = WeakSet()
_lock = threading.RLock()
_forking: set[int] = set()  # threads that have `_lock` for the time of a fork
_forks_wait = False


def start_afresh_after_fork(owner: _StartsAfresh) -> None:
    """Call `owner._start_afresh()` in every child that is forked while `owner` is alive.

    There is a single thread then, and nothing is under way. It must not wait for anything, and
    must not let go of what another thread may have had locked: finalizers wait for locks, too.
    """
    _owners.add(owner)


class NoForkMeanwhile:
    """Around imports on first use: another thread that forks waits until they are done."""

    def __enter__(self) -> None:
        self._entered = _lock
        self._entered.acquire()
        _let_forks_wait()

    def __exit__(self, *_: object) -> None:
        self._entered.release()


def _let_forks_wait() -> None:
    global _forks_wait  # noqa: PLW0603  (hooks cannot be taken back: once per process)
    if _forks_wait or not hasattr(os, "register_at_fork"):
        return
    # What comes last waits first. `logging` holds its lock during a fork, and what is being
    # imported asks for loggers: it must not have that lock yet while it is waited for.
    import logging  # noqa: F401, PLC0415

    os.register_at_fork(before=_wait_for_imports, after_in_parent=_forked)
    _forks_wait = True


def _wait_for_imports() -> None:
    if _lock.acquire(timeout=_PATIENCE_SECONDS):
        _forking.add(threading.get_ident())


def _forked() -> None:
    if threading.get_ident() in _forking:
        _forking.discard(threading.get_ident())
        _lock.release()


def _in_child() -> None:
    global _lock  # noqa: PLW0603  (the parent's may belong to a thread that is not here)
    if threading.get_ident() in _forking:
        _lock.release()
    else:
        _lock = threading.RLock()
    _forking.clear()
    for owner in list(_owners):
        owner._start_afresh()  # noqa: SLF001  (what it is for)


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_in_child)
