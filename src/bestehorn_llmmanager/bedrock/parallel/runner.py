"""Keeps a bounded number of requests in flight and gives their results as they finish."""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
import time
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    AuthenticationError,
    RequestValidationError,
)
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import (
    ParallelProcessingError,
    RequestIdCollisionError,
)
from bestehorn_llmmanager.bedrock.parallel.worker import Order, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
    from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
    from bestehorn_llmmanager.bedrock.parallel.journal import Journal

logger = logging.getLogger(__name__)

_HOPELESS = (RequestValidationError, AuthenticationError)
_WAITING_PER_PLACE = 16
_SECONDS_BETWEEN_LOOKS = 0.5  # so that Ctrl-C is noticed on every platform


class Finished(NamedTuple):
    """A request with its outcome; `error` is None for an answer."""

    request: BedrockConverseRequest
    response: BedrockResponse | None
    error: Exception | None
    is_resumed: bool = False


class Retries(NamedTuple):
    """How often a failed request is tried again, and after how many seconds."""

    most: int
    pause: Callable[[int], float]


class _Flight(NamedTuple):
    order: Order
    key: str | None
    tries: int = 1


class Runner:
    """One run over many requests. For one thread; used once.

    Args:
        submit: Starts an order; its future ends with the response.
        order_for: Makes an order of a request.
        window: Orders under way at once, those that wait for a thread included.
        retries: What to do with failures.
        journal: Where results are kept and looked up, None for nowhere.
    """

    def __init__(
        self,
        submit: Callable[[Order], Future[BedrockResponse]],
        order_for: Callable[[BedrockConverseRequest], Order],
        *,
        window: int,
        retries: Retries,
        journal: Journal | None = None,
    ) -> None:
        self._submit = submit
        self._order_for = order_for
        self._window = window
        self._retries = retries
        self._journal = journal
        self._landed: queue.SimpleQueue[Future[BedrockResponse]] = queue.SimpleQueue()
        self._flights: dict[Future[BedrockResponse], _Flight] = {}
        self._ids: set[str] = set()
        self._later: list[tuple[float, int, _Flight]] = []
        self._numbers = itertools.count()

    def results(self, requests: Iterable[BedrockConverseRequest]) -> Iterator[Finished]:
        """Results in the order in which they finish.

        Raises:
            RequestIdCollisionError: Two requests in flight have one id.
            ParallelProcessingError: The journal cannot be written, after the results of what was
                under way.
        """
        source = iter(requests)
        is_more = True
        while True:
            while is_more and self._has_room():
                request = next(source, None)
                if request is None:
                    is_more = False
                else:
                    key = self._journal.key_of(request) if self._journal else None
                    if self._journal and key is not None and key in self._journal:
                        yield Finished(request, self._journal.response(key), None, True)
                    else:
                        self._check_id(request)
                        self._start(_Flight(self._order_for(request), key))
            self._start_what_is_due()
            if not self._flights and not self._later:
                return
            landed = self._next_landing()
            if landed is not None:
                finished, key = landed
                problem = self._keep(finished, key)
                yield finished
                if problem:
                    raise problem

    def _has_room(self) -> bool:
        """Whether to take another request; those that wait for another try hold few others up."""
        return (
            len(self._flights) < self._window
            and len(self._later) < self._window * _WAITING_PER_PLACE
        )

    def drain(self) -> Iterator[Finished]:
        """What is still under way, after a stop; nothing new is started."""
        for future in self._flights:
            future.cancel()
        self._later.clear()
        while self._flights:
            future = self._landed.get()
            flight = self._flights.pop(future)
            finished = _outcome(flight.order.request, future)
            if finished is not None:
                self._keep(finished, flight.key)
                yield finished

    def _check_id(self, request: BedrockConverseRequest) -> None:
        name = str(request.request_id)
        if name in self._ids:
            others = [f.order.request for f in self._flights.values()]
            same = [each for each in others if each.request_id == name]
            raise RequestIdCollisionError({name: [*same, request]})
        self._ids.add(name)

    def _start(self, flight: _Flight) -> None:
        future = self._submit(flight.order)
        self._flights[future] = flight
        future.add_done_callback(self._landed.put)

    def _start_what_is_due(self) -> None:
        while self._later and self._later[0][0] <= time.monotonic():
            self._start(heapq.heappop(self._later)[2])

    def _next_landing(self) -> tuple[Finished, str | None] | None:
        """The next result and its key; None if a failed request is to be tried again, or nothing came yet."""
        wait = _SECONDS_BETWEEN_LOOKS
        if self._later:
            wait = min(wait, max(self._later[0][0] - time.monotonic(), 0.0))
        try:
            future = self._landed.get(timeout=wait)
        except queue.Empty:
            return None
        flight = self._flights.pop(future)
        finished = _outcome(flight.order.request, future)
        if finished is not None and finished.error is not None:
            flight.order.request.record_failure(finished.error)
            if self._is_worth_another_try(flight, finished.error):
                due = time.monotonic() + self._retries.pause(flight.tries)
                again = flight._replace(tries=flight.tries + 1)
                heapq.heappush(self._later, (due, next(self._numbers), again))
                return None
        self._ids.discard(str(flight.order.request.request_id))
        return None if finished is None else (finished, flight.key)

    def _is_worth_another_try(self, flight: _Flight, error: Exception) -> bool:
        own = flight.order.request.max_retries
        most = self._retries.most if own is None else own
        return flight.tries <= most and not isinstance(error, _HOPELESS)

    def _keep(self, finished: Finished, key: str | None) -> ParallelProcessingError | None:
        """Write an answer down; gives the error if that cannot be done."""
        if self._journal and key is not None and finished.response:
            try:
                self._journal.append(key, str(finished.request.request_id), finished.response)
            except ParallelProcessingError as error:
                return error
        return None


def _outcome(request: BedrockConverseRequest, future: Future[BedrockResponse]) -> Finished | None:
    """The result of a future; None if it was cancelled or stopped."""
    try:
        return Finished(request, future.result(), None)
    except (CancelledError, Stopped):
        return None
    except Exception as error:  # noqa: BLE001  (an entry of the result, whatever it is)
        return Finished(request, None, error)


class Threads:
    """Threads of a run's own, or a borrowed executor.

    Args:
        executor: Borrowed, or None.
        most: Threads at once.
    """

    def __init__(self, executor: Executor | None, most: int) -> None:
        self._own = None if executor else ThreadPoolExecutor(most, "bestehorn-llmmanager")
        self.executor: Executor = executor or self._own  # type: ignore[assignment]  # one of them

    def close(self) -> None:
        """End the threads, if they are our own, once their calls have ended."""
        if self._own is not None:
            self._own.shutdown(wait=True, cancel_futures=True)
