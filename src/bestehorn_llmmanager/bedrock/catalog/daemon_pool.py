"""Runs calls on threads that the interpreter does not wait for when it ends.

`ThreadPoolExecutor` joins its threads at exit: a region that hangs, or a refresh in the
background, would keep a program alive that has long finished.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class DaemonPool:
    """A fixed number of daemon threads; safe to share between threads."""

    def __init__(self, threads: int, name: str) -> None:
        self._threads = 0
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        try:
            while self._threads < threads:
                thread_name = f"{name}-{self._threads}"
                threading.Thread(target=self._work, name=thread_name, daemon=True).start()
                self._threads += 1
        except RuntimeError:  # the system gives no more threads: make do with what there is
            if not self._threads:
                raise

    def submit(self, call: Callable[..., T], *args: Any) -> Future[T]:
        """Run ``call(*args)`` on the next free thread."""
        future: Future[T] = Future()
        self._calls.put((future, lambda: call(*args)))
        return future

    def stop(self) -> None:
        """Let the threads end after what was submitted; does not wait for them."""
        for _ in range(self._threads):
            self._calls.put(None)

    def _work(self) -> None:
        while (submitted := self._calls.get()) is not None:
            future, call = submitted
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001  (it belongs to whoever reads the future)
                future.set_exception(error)
