"""Runs calls on threads that are started when needed, and that no program waits for at its end."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class _Submitted(NamedTuple):
    future: Future[Any]
    call: Callable[[Any], Any]
    argument: Any


class Threads:
    """Daemon threads for the calls of one run; for one owner.

    `ThreadPoolExecutor` makes the interpreter wait at its end: a call that hangs would keep a
    program alive whose user has pressed Ctrl-C twice.

    Args:
        most: Threads at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads: list[threading.Thread] = []
        self._calls: SimpleQueue[_Submitted | None] = SimpleQueue()

    def submit(self, call: Callable[[Any], Any], argument: Any) -> Future[Any]:
        """Run ``call(argument)`` on the next free thread.

        Raises:
            RuntimeError: The system gives no thread at all.
        """
        if len(self._threads) < self._most:
            self._add_thread()
        future: Future[Any] = Future()
        self._calls.put(_Submitted(future, call, argument))
        return future

    def stop(self) -> None:
        """Let each thread end after what was submitted; does not wait for that.

        It may be called again. Ctrl-C interrupts it before or after, not in the middle.
        """
        self._calls.put(None)  # for all of them: each passes it on

    def join(self) -> None:
        """Wait for the threads to end."""
        for thread in self._threads:
            thread.join()

    def _add_thread(self) -> None:
        name = f"bestehorn-llmmanager-{len(self._threads)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system gives no more threads: make do with what there is
            if not self._threads:
                raise
            self._most = len(self._threads)
        else:
            self._threads.append(thread)

    def _work(self) -> None:
        while (submitted := self._calls.get()) is not None:
            future, call, argument = submitted
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call(argument))
                except BaseException as error:  # noqa: BLE001  (it belongs to the future's reader)
                    future.set_exception(error)
            del submitted, future, call, argument  # nothing is kept while waiting
        self._calls.put(None)
