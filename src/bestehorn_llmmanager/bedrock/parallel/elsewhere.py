"""Has requests answered in other processes: by any executor, several requests to a task."""

from __future__ import annotations

import hashlib
import io
import pickle
import threading
import time
import uuid
from collections import deque
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from contextlib import suppress
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

from bestehorn_llmmanager._fork import start_afresh_after_fork
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    LLMManagerError,
    RequestValidationError,
)
from bestehorn_llmmanager.bedrock.parallel.pacing import PacedHealth
from bestehorn_llmmanager.bedrock.parallel.runner import executor_ended
from bestehorn_llmmanager.bedrock.parallel.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bestehorn_llmmanager.bedrock.calls.call import Gate
    from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import ParallelProcessingError
    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
    from bestehorn_llmmanager.bedrock.parallel.pacing import Pacer
    from bestehorn_llmmanager.bedrock.parallel.worker import Order
    from bestehorn_llmmanager.bedrock.retry.targets import Target
    from bestehorn_llmmanager.llm_manager import LLMManager

# A task of a cluster costs it milliseconds, whatever is in it: as much as one or two requests.
_TASKS_PER_SECOND = 10.0
_FIRST_TASKS = 8
_MOST_BYTES_PER_TASK = 1_000_000
_SHARE_OF_A_CALL = 0.1
_SHORTEST_LINGER, _LONGEST_LINGER = 0.002, 0.05
_SHARE_OF_THE_LATEST = 0.3
_KEPT_WORKERS = 8
_LONGEST_WAIT_SECONDS = 1.0
_COMES_BACK = b""


# What travels


class Parcel(NamedTuple):
    """What a process needs to answer requests; it unpacks it once.

    Attributes:
        key: Equal for equal content.
        content: The pickled manager, and its pacer.
        threads: Requests that it may have under way at once.
    """

    key: str
    content: bytes
    threads: int

    def __repr__(self) -> str:  # the content has credentials
        return f"Parcel(key={self.key!r}, threads={self.threads})"

    @classmethod
    def of(cls, manager: LLMManager, pacer: Pacer) -> Parcel:
        content = pickle.dumps((manager, pacer))
        return cls(hashlib.sha256(content).hexdigest(), content, pacer.most)


class _Pickler(pickle.Pickler):
    """Keeps the classes of botocore's errors, which exist only in the client that made them."""

    def reducer_override(self, value: object) -> Any:
        from botocore.exceptions import ClientError  # noqa: PLC0415  (loaded with the clients)

        kind = type(value)
        if isinstance(value, ClientError) and kind.__module__ == "botocore.errorfactory":
            return _client_error, (kind.__name__, value.response, value.operation_name)
        return NotImplemented


def _client_error(name: str, response: Any, operation: str) -> Exception:
    from botocore.exceptions import ClientError  # noqa: PLC0415  (loaded with the clients)

    kind = type(name, (ClientError,), {"__module__": "botocore.errorfactory"})
    error: Exception = kind(response, operation)
    return error


def _packed(value: object) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(value)
    return buffer.getvalue()


# In the other process


class _WaitedLong(BaseException):
    """An order got no leave to send anything in a while; it has neither an answer nor an error."""


class _Gate:
    """Has no order wait long for its first sending, as a stop of its run does not reach it here.

    Args:
        gate: Gives leave.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._order = threading.local()

    def begin(self) -> None:
        """Another order, on this thread."""
        self._order.until = time.monotonic() + _LONGEST_WAIT_SECONDS

    def enter(self, target: Target, request: Mapping[str, Any], until: float | None) -> Any:
        first = self._order.until
        if first is None or (until is not None and until <= first):
            return self._gate.enter(target, request, until)
        leave = self._gate.enter(target, request, first)
        if leave is None:
            raise _WaitedLong
        self._order.until = None
        return leave


class _Place:
    """A worker with its threads, for as long as the process lives."""

    def __init__(self, parcel: Parcel) -> None:
        manager, pacer = pickle.loads(parcel.content)  # noqa: S301  (our own bytes)
        self._gate = _Gate(pacer)
        self._worker = Worker(manager, PacedHealth(pacer), gate=self._gate)
        self._threads = ThreadPoolExecutor(parcel.threads, "llmmanager-worker")

    def answer_all(self, orders: Sequence[bytes]) -> list[bytes]:
        if len(orders) == 1 and threading.current_thread() is not threading.main_thread():
            return [self._answer(orders[0])]
        answers = [self._threads.submit(self._answer, order) for order in orders]
        try:
            wait(answers)
        except KeyboardInterrupt:
            # Ctrl-C reaches every process of a terminal. What is under way is paid for, and whoever
            # asked for it waits for it.
            wait(answers)
        return [answer.result() for answer in answers]

    def _answer(self, order: bytes) -> bytes:
        self._gate.begin()
        try:
            response = self._worker.answer(pickle.loads(order))  # noqa: S301  (our own bytes)
            if len(response.attempt_log) == 1:  # there is no error in it
                return pickle.dumps((response, None, None), pickle.HIGHEST_PROTOCOL)
            return _packed((response, None, None))
        except _WaitedLong:
            return _COMES_BACK
        except Exception as error:  # noqa: BLE001  (an entry of the result, whatever it is)
            return _packed_error(error)


def _packed_error(error: Exception) -> bytes:
    try:
        return _packed((None, error, error.__cause__))
    except Exception:  # noqa: BLE001  (somebody else's error may not pickle; a sentence does)
        said = f"{type(error).__name__} in another process, which cannot be brought here"
        return _packed((None, LLMManagerError(said), None))


class _Places:
    """The places of this process; a forked child starts without any."""

    def __init__(self) -> None:
        self._start_afresh()
        start_afresh_after_fork(self)

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, _Place] = {}

    def place(self, parcel: Parcel) -> _Place:
        place = self._known.get(parcel.key)
        if place is None:
            with self._lock:
                place = self._known.get(parcel.key)
                if place is None:
                    place = self._known[parcel.key] = _Place(parcel)
                    while len(self._known) > _KEPT_WORKERS:
                        self._known.pop(next(iter(self._known)))
        return place

    def forget(self, parcel: Parcel) -> None:
        """Let a place go, with its threads as soon as they are idle."""
        with self._lock:
            self._known.pop(parcel.key, None)


_places = _Places()


def answer_elsewhere(parcel: Parcel, orders: Sequence[bytes], _number: str = "") -> list[bytes]:
    """Answer requests in a process that may never have seen the manager.

    Args:
        parcel: What to do it with.
        orders: Pickled orders.
        _number: Another one for each task: Dask runs what looks equal only once.

    Returns:
        For each order its response, error and the error's cause, pickled; nothing for one that
        waited long and was not sent.
    """
    try:
        place = _places.place(parcel)
    except Exception as error:  # noqa: BLE001  (whatever a missing or another class says)
        return [_packed_error(_not_rebuilt(error))] * len(orders)
    return place.answer_all(orders)


# In this process


class _Job(NamedTuple):
    """An order that was given, with the future of its response."""

    order: bytes
    future: Future[BedrockResponse]
    is_alone: bool = False

    def __repr__(self) -> str:  # the order has the prompt
        return f"_Job(future={self.future!r}, is_alone={self.is_alone})"


class Elsewhere:
    """Gives orders to an executor of processes, as many to a task as its speed asks for.

    A task costs the executor the same whatever is in it; so those that come in quick succession
    go together, to be answered at the same time, and slow ones go alone. No more orders are with
    the executor at once than the pacer has as its `most`. Those of a task that is lost with its
    process go again, each alone. Those that waited there for a while and were not sent come back
    and go again, too: so a stop has not to wait for a quota. Safe to share between threads; one
    lock guards everything.

    Args:
        executor: Any; the processes of a `ProcessPoolExecutor` and of a Dask cluster are counted.
        manager: Sends, over there.
        pacer: Its quota is divided by the processes.
        now: Monotonic clock.

    Attributes:
        ended: The error of orders that were not sent, because the executor takes no more; None
            while it does.
    """

    def __init__(
        self,
        executor: Executor,
        manager: LLMManager,
        pacer: Pacer,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ended: ParallelProcessingError | None = None
        self._executor = executor
        self._now = now
        self._most = pacer.most
        processes, self._tasks_at_once = _size_of(executor, self._most)
        self._parcel = Parcel.of(manager, pacer.part(processes))
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting: deque[_Job] = deque()
        self._under_way = 0
        self._seconds: float | None = None
        self._closed = False
        if isinstance(executor, ProcessPoolExecutor):
            # Processes that are forked start now, before there is a thread of ours.
            with suppress(RuntimeError):  # it has ended: the first task will say so
                executor.submit(int)
        self._dispatcher = threading.Thread(
            target=self._dispatch, name="bestehorn-llmmanager-dispatcher", daemon=True
        )
        self._dispatcher.start()

    def submit(self, order: Order) -> Future[BedrockResponse]:
        """Have an order answered; a future like that of an executor."""
        future: Future[BedrockResponse] = Future()
        try:
            job = _Job(pickle.dumps(_without_history(order), pickle.HIGHEST_PROTOCOL), future)
        except Exception as error:  # noqa: BLE001  (whatever an object says that does not pickle)
            future.set_exception(_unsendable(error))
            return future
        with self._lock:
            if self._closed:
                future.cancel()
            else:
                self._waiting.append(job)
                self._changed.notify()
        return future

    def close(self) -> None:
        """Give the executor nothing more; what waits is cancelled."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, deque()
            self._changed.notify()
        for job in waiting:
            if not job.future.cancel():  # it was with the executor before
                job.future.set_exception(CancelledError())
        if threading.current_thread() is not self._dispatcher:
            self._dispatcher.join()
        _places.forget(self._parcel)  # where the executor's workers are threads of this process

    def _dispatch(self) -> None:
        while True:
            with self._changed:
                while not self._closed and not (self._waiting and self._under_way < self._most):
                    self._changed.wait()
                if self._closed:
                    return
                linger = self._linger()
            if linger:
                time.sleep(linger)
            for task in self._take():
                self._send(task)

    def _per_task(self) -> int:
        """How many orders a task has, at most."""
        least = ceil(self._most / self._tasks_at_once)
        if self._seconds is None:
            return max(least, ceil(self._most / _FIRST_TASKS))
        busy = ceil(self._most / self._seconds / _TASKS_PER_SECOND)
        return max(least, min(busy, ceil(self._most / 2)))

    def _linger(self) -> float:
        """Seconds to wait for others that could go along."""
        per_task = self._per_task()
        room = self._most - self._under_way
        if per_task == 1 or min(len(self._waiting), room) >= per_task:
            return 0.0
        usual = (self._seconds or 0.0) * _SHARE_OF_A_CALL
        return min(max(usual, _SHORTEST_LINGER), _LONGEST_LINGER)

    def _take(self) -> list[list[_Job]]:
        tasks: list[list[_Job]] = []
        with self._lock:
            per_task, size = self._per_task(), 0
            while self._waiting and self._under_way < self._most:
                job = self._waiting.popleft()
                if not job.future.running() and not job.future.set_running_or_notify_cancel():
                    continue
                is_full = not tasks or len(tasks[-1]) >= per_task or tasks[-1][-1].is_alone
                if is_full or job.is_alone or size + len(job.order) > _MOST_BYTES_PER_TASK:
                    tasks.append([])
                    size = 0
                tasks[-1].append(job)
                size += len(job.order)
                self._under_way += 1
        return tasks

    def _send(self, jobs: list[_Job]) -> None:
        with self._lock:
            closed_since_taken = self._closed
        if closed_since_taken:
            self._lost(jobs, None, may_go_again=False)
            return
        sent = self._now()
        orders = tuple(job.order for job in jobs)
        try:
            task = self._executor.submit(answer_elsewhere, self._parcel, orders, uuid.uuid4().hex)
        except Exception as error:  # noqa: BLE001  (of somebody else's executor)
            if isinstance(error, BrokenExecutor) and jobs[0].is_alone:  # it was sent before
                self._lost(jobs, error, may_go_again=False)
            else:
                self._refused(jobs, error)
        else:
            task.add_done_callback(lambda task: self._returned(jobs, task, sent))

    def _returned(self, jobs: list[_Job], task: Future[list[bytes]], sent: float) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None or task.cancelled():
            self._lost(jobs, error, may_go_again=len(jobs) > 1)
            return
        try:
            self._settle(jobs, task.result(), sent)
        except Exception as problem:  # noqa: BLE001  (here nobody hears of it; the run would wait)
            for job in jobs:
                if not job.future.done():
                    job.future.set_exception(_gone(problem))

    def _settle(self, jobs: list[_Job], outcomes: list[bytes], sent: float) -> None:
        waited = [
            job for job, outcome in zip(jobs, outcomes, strict=True) if outcome == _COMES_BACK
        ]
        self._leave(jobs, None if waited else self._now() - sent)
        self._again([job._replace(order=_later(job.order)) for job in waited])
        for job, outcome in zip(jobs, outcomes, strict=True):
            if outcome == _COMES_BACK:
                continue
            try:
                response, failure, cause = pickle.loads(outcome)  # noqa: S301  (our own bytes)
            except Exception as problem:  # noqa: BLE001  (of an error's class; nobody must wait for it)
                response, failure, cause = None, _gone(problem), problem
            if failure is None:
                job.future.set_result(response)
            else:
                failure.__cause__ = cause
                job.future.set_exception(failure)

    def _refused(self, jobs: list[_Job], error: Exception) -> None:
        self._leave(jobs, None)
        if self.ended is None:
            self.ended = executor_ended(error)
        for job in jobs:
            job.future.set_exception(self.ended)

    def _lost(self, jobs: list[_Job], error: BaseException | None, *, may_go_again: bool) -> None:
        self._leave(jobs, None)
        if may_go_again:
            self._again([job._replace(is_alone=True) for job in jobs])
            return
        with self._lock:
            failure = CancelledError() if self._closed else _gone(error)
        for job in jobs:
            job.future.set_exception(failure)

    def _again(self, jobs: list[_Job]) -> None:
        """Line orders up before all others; after a stop they have no outcome."""
        with self._lock:
            if not self._closed:
                self._waiting.extendleft(reversed(jobs))
                self._changed.notify()
                return
        for job in jobs:
            job.future.set_exception(CancelledError())

    def _leave(self, jobs: list[_Job], seconds: float | None) -> None:
        with self._lock:
            self._under_way -= len(jobs)
            if seconds is not None:
                usual = seconds if self._seconds is None else self._seconds
                self._seconds = max(usual + _SHARE_OF_THE_LATEST * (seconds - usual), 0.001)
            self._changed.notify()


def _size_of(executor: Executor, most: int) -> tuple[int, int]:
    """How many processes an executor has, and how many tasks it runs at once, if it says so."""
    client: Any = getattr(executor, "_client", None)
    if hasattr(client, "nthreads"):  # Dask's
        try:
            threads = client.nthreads()
        except Exception:  # noqa: BLE001  (it is closed: the first task will say so)
            return 1, most
        # Workers that are threads of this process have addresses of their own, too.
        processes = {address.startswith("inproc:") or address for address in threads}
        return min(len(processes), most) or 1, sum(threads.values()) or most
    workers = getattr(executor, "_max_workers", None)
    return (min(workers, most), workers) if workers else (1, most)


def _later(order: bytes) -> bytes:
    """The same order with the time that is left after a long wait."""
    before: Order = pickle.loads(order)  # noqa: S301  (our own bytes)
    left = max(before.timeout - _LONGEST_WAIT_SECONDS, 0.001)
    waited = before.waited + _LONGEST_WAIT_SECONDS
    return pickle.dumps(before._replace(timeout=left, waited=waited), pickle.HIGHEST_PROTOCOL)


def _without_history(order: Order) -> Order:
    if not order.request.failure_history:
        return order
    return order._replace(request=replace(order.request, failure_history=[]))


def _unsendable(error: Exception) -> RequestValidationError:
    failure = RequestValidationError(
        "The request cannot be sent to another process: something in it, or the function of the "
        "response validation, does not pickle. Use functions that are defined in a module."
    )
    failure.__cause__ = error
    return failure


def _not_rebuilt(error: BaseException) -> LLMManagerError:
    failure = LLMManagerError(
        f"The other process cannot rebuild the manager ({type(error).__name__}), and has sent "
        "nothing: it needs this library and boto3 in the versions of this process, and classes of "
        "your own in a module that it can import."
    )
    failure.__cause__ = error
    return failure


def _gone(error: BaseException | None) -> LLMManagerError:
    if isinstance(error, ImportError):  # of this module, which is the first thing a worker needs
        return _not_rebuilt(error)
    what = "cancelled" if error is None else type(error).__name__
    failure = LLMManagerError(
        f"The executor lost the request ({what}): its process may have died. It may have been "
        "answered; send it again with another executor."
    )
    failure.__cause__ = error
    return failure
