"""Keeps Ctrl-C away from what it must not leave half done."""

from __future__ import annotations

# Those of `signal`, without the enumerations that it puts around them: seven times as fast, which
# counts where there is a block for each request.
import _signal  # type: ignore[import-not-found]
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


class Uninterrupted:
    """A block at whose end Ctrl-C takes effect, not in the middle; one object per block.

    What the handler of a signal raises comes up in the main thread, after any instruction: a thread
    that was started is then unknown, and a condition of `threading` stays locked, so that those who
    wait for it wait for ever. A second Ctrl-C in the same block takes effect at once. Other threads
    than the main one get no signals, and nothing changes for them.
    """

    __slots__ = ("_frame", "_handler", "_is_due")

    def __init__(self) -> None:
        self._handler: Callable[[int, FrameType | None], object] | None = None
        self._frame: FrameType | None = None
        self._is_due = False

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        handler = _signal.getsignal(_signal.SIGINT)
        if callable(handler):
            self._handler = handler
            with suppress(ValueError):  # an interpreter that is not the main one
                _signal.signal(_signal.SIGINT, self._remember)

    def __exit__(self, *_: object) -> None:
        if self._handler is None:
            return
        with suppress(ValueError):
            _signal.signal(_signal.SIGINT, self._handler)
        if self._is_due:
            self._handler(_signal.SIGINT, self._frame)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self._is_due and self._handler is not None:
            self._is_due = False
            self._handler(number, frame)
        self._is_due, self._frame = True, frame
