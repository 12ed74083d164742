"""Keeps Ctrl-C away from what it must not leave half done."""

from __future__ import annotations

# The functions of `signal` without the enumerations that it puts around them: seven times as fast,
# which counts where there is a block for each request.
import _signal  # type: ignore[import-not-found]  # private, hence without stubs
import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_PATIENCE_SECONDS = 1.0


class Uninterrupted:
    """A block at whose end Ctrl-C takes effect, not in the middle; one object per block.

    What the handler of a signal raises comes up in the main thread, after any instruction: a thread
    that was started is then unknown, and a condition of `threading` stays locked, so that those who
    wait for it wait for ever.

    A block that waits, as for an executor of the caller's, can be left all the same: by another
    Ctrl-C, a second or more after the first. A block in a block is part of it. In other threads
    than the main one, which get no signals, it does nothing. What C code has set beside Python's
    handler is not known here, and lost.
    """

    __slots__ = ("_frame", "_handler", "_pressed_at")

    def __init__(self) -> None:
        self._handler: Callable[[int, FrameType | None], object] | None = None
        self._pressed_at: float | None = None
        self._frame: FrameType | None = None

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        handler = _signal.getsignal(_signal.SIGINT)
        if callable(handler) and _block_of(handler) is None:
            self._handler = handler
            try:
                _signal.signal(_signal.SIGINT, self._remember)
            except ValueError:  # an interpreter that is not the main one
                self._handler = None

    def __exit__(self, *_: object) -> None:
        handler = self._handler
        if handler is not None:
            self.give_back()
            if self._pressed_at is not None:
                handler(_signal.SIGINT, self._frame)

    def give_back(self) -> None:
        """Let the program's own handler have Ctrl-C again."""
        if self._handler is not None:
            _signal.signal(_signal.SIGINT, self._handler)
            self._handler = None

    def _remember(self, number: int, frame: FrameType | None) -> None:
        now, handler = time.monotonic(), self._handler
        if self._pressed_at is None:
            self._pressed_at, self._frame = now, frame
        elif handler is not None and now - self._pressed_at >= _PATIENCE_SECONDS:
            self.give_back()
            handler(number, frame)


def _block_of(handler: object) -> Uninterrupted | None:
    block = getattr(handler, "__self__", None)
    return block if isinstance(block, Uninterrupted) else None


def _in_child() -> None:
    # A process that is forked in the middle of a block, as by an executor, never sees its end.
    block = _block_of(_signal.getsignal(_signal.SIGINT))
    if block is not None:
        block.give_back()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_in_child)
