"""Keeps a bounded number of requests in flight and gives their results as they finish."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    LLMManagerError,
    RetryExhaustedError,
)
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import (
    ParallelProcessingError,
    RequestIdCollisionError,
    RequestValidationError,
)
from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
from bestehorn_llmmanager.bedrock.parallel.interrupts import Uninterrupted
from bestehorn_llmmanager.bedrock.parallel.results import seconds_spent
from bestehorn_llmmanager.bedrock.retry.decisions import Decision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from typing import TypeGuard

    from bestehorn_llmmanager.bedrock.models.attempt_record import AttemptRecord
    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
    from bestehorn_llmmanager.bedrock.parallel.journal import Journal
    from bestehorn_llmmanager.bedrock.parallel.worker import Order

# After any other error the same request would meet the same error a few seconds later, or would
# have to be paid for once more.
_PASSING = {Decision.REST.value, Decision.AGAIN.value}
_WAITING_PER_PLACE = 16
_SHORTEST_TRY_SECONDS = 1.0
_SECONDS_BETWEEN_LOOKS = 0.5  # so that Ctrl-C is noticed on every platform
# Among many threads, waking one more for each result costs more than all else that is done here.
_BATCHES_PER_WINDOW = 8
_SECONDS_FOR_A_BATCH = 0.02


class Finished(NamedTuple):
    """A request with its outcome; `error` is None for an answer."""

    request: BedrockConverseRequest
    response: BedrockResponse | None
    error: Exception | None
    is_resumed: bool = False


class Retries(NamedTuple):
    """How often a failed request is tried again, and after how many seconds.

    Attributes:
        most: Further tries of a request that does not say otherwise.
        pause: From the number of a further try, 1 for the first, to the seconds before it.
    """

    most: int
    pause: Callable[[int], float]


@dataclass(slots=True, eq=False)
class _Flight:
    """A request that was taken and has no result yet.

    Attributes:
        key: What the journal knows it by.
        tries: This one included.
        earlier: The sendings of the tries before.
        future: Its outcome; None while it waits for another try.
        has_landed: Whether the outcome is there, and in the journal.
        trouble: Why it is not in the journal.
    """

    order: Order
    key: str | None
    tries: int = 1
    earlier: tuple[AttemptRecord, ...] = ()
    future: Future[BedrockResponse] | None = None
    has_landed: bool = False
    trouble: Exception | None = None

    @property
    def request(self) -> BedrockConverseRequest:
        return self.order.request


class _Bell:
    """An event without a condition, which Ctrl-C could leave locked; one waits, others ring.

    Two that ring at once may be heard one after the other: who waits has to look what there is.
    """

    def __init__(self) -> None:
        self._silence = threading.Lock()
        self._silence.acquire()

    def ring(self) -> None:
        if self._silence.locked():
            with suppress(RuntimeError):  # another thread was faster
                self._silence.release()

    def wait(self, seconds: float) -> None:
        """Return when it rings, or after so many seconds; it is mute then."""
        self._silence.acquire(timeout=seconds)

    def mute(self) -> None:
        self._silence.acquire(blocking=False)


class Runner:
    """One run over many requests. For one thread; used once.

    An answer is in the journal as soon as it is there, whoever waits for it.

    Args:
        submit: Starts an order; its future ends with the response.
        halt: Lets orders that wait, or come to wait, end without a result.
        order_for: Makes an order of a request.
        window: Orders under way at once, those that wait for a thread included.
        retries: What to do with failures.
        journal: Where answers are kept and looked up, None for nowhere.
    """

    def __init__(
        self,
        submit: Callable[[Order], Future[BedrockResponse]],
        halt: Callable[[], object],
        order_for: Callable[[BedrockConverseRequest], Order],
        *,
        window: int,
        retries: Retries,
        journal: Journal | None = None,
    ) -> None:
        self._submit = submit
        self._halt = halt
        self._order_for = order_for
        self._window = window
        self._retries = retries
        self._journal = journal
        self._landed: deque[_Flight] = deque()
        self._batch = window // _BATCHES_PER_WINDOW
        self._some, self._enough = _Bell(), _Bell()
        self._flights: dict[object, _Flight] = {}
        self._later: list[tuple[float, int, _Flight]] = []
        self._numbers = itertools.count()
        self._takes_more = True
        self._stopped = False
        self._problem: Exception | None = None

    def results(self, requests: Iterable[BedrockConverseRequest]) -> Iterator[Finished | None]:
        """Results in the order in which they finish; `given` is to be called with each.

        Gives None from time to time while none finishes.

        Raises:
            Exception: What `requests` raised, after the results of all that it gave before.
            RequestIdCollisionError: Two requests under way have one id; likewise.
            RequestValidationError: The one of `parallel_exceptions`: what came is no request;
                likewise.
            ParallelProcessingError: The journal cannot be written, or the executor takes no more;
                after the results of what was under way.
        """
        source = iter(requests)
        while self._takes_more or self._flights:
            if self._takes_more and self._has_room():
                resumed = self._take_from(source)
                if resumed is not None:
                    yield resumed
            self._start_what_is_due()
            if self._waits_in_vain():
                yield None
            while self._landed:
                finished = self._result(self._landed.popleft())
                if finished is not None:
                    yield finished
        if self._problem is not None:
            raise self._problem

    def given(self, finished: Finished) -> None:
        """Forget a request, now that its result is where it belongs."""
        if not finished.is_resumed:
            flight = self._flights.pop(finished.request.request_id, None)
            if flight is not None:
                flight.future = None  # which knows it: no cycle is left to the garbage collector

    def stop(self, problem: Exception | None = None) -> None:
        """Start nothing more: `results` ends with what is under way, and raises `problem`."""
        with Uninterrupted():
            self._takes_more, self._stopped = False, True
            self._problem = self._problem or problem
            self._halt()
            self._later.clear()
            for name, flight in list(self._flights.items()):
                if flight.future is None:
                    del self._flights[name]
                else:
                    flight.future.cancel()

    def drain(self) -> Iterator[Finished]:
        """Stop; then the results of what was under way and has not been `given`."""
        self.stop()
        while self._flights:
            self._landed.clear()  # `has_landed` says the same
            for name, flight in list(self._flights.items()):
                finished = self._result(flight) if flight.has_landed else None
                if finished is not None:
                    yield finished
                if flight.has_landed:
                    self._flights.pop(name, None)
            if self._flights:
                self._wait_for_landings(_SECONDS_BETWEEN_LOOKS)

    def _has_room(self) -> bool:
        """Whether to take another request; those that wait for another try hold few others up."""
        waiting = len(self._later)
        return (
            self._count_under_way() < self._window and waiting < self._window * _WAITING_PER_PLACE
        )

    def _count_under_way(self) -> int:
        return len(self._flights) - len(self._later)

    # Taking off

    def _take_from(self, source: Iterator[BedrockConverseRequest]) -> Finished | None:
        """Start the next request; gives its result if the journal has that already."""
        try:
            request = next(source)
        except StopIteration:
            self._takes_more = False
        except Exception as error:  # noqa: BLE001  (raised when all that came before is done)
            self._takes_more, self._problem = False, self._problem or error
        else:
            with Uninterrupted():
                return self._take(request)
        return None

    def _take(self, request: BedrockConverseRequest) -> Finished | None:
        key = None
        try:
            self._check(request)
            if self._journal is not None:
                key = self._journal.key_of(request)
                answer = self._journal.find(key)
                if answer is not None:
                    return Finished(request, answer, None, is_resumed=True)
        except Exception as error:  # noqa: BLE001  (raised when all that came before is done)
            self._takes_more, self._problem = False, self._problem or error
        else:
            flight = self._flights[request.request_id] = _Flight(self._order_for(request), key)
            self._start(flight)
        return None

    def _check(self, request: object) -> None:
        if not isinstance(request, BedrockConverseRequest):
            raise RequestValidationError(
                "`requests` must give `BedrockConverseRequest`, but gave something of type "
                f"{type(request).__name__}"
            )
        try:
            other = self._flights.get(request.request_id)
        except TypeError as error:
            raise RequestValidationError(
                f"`request_id` must be a string, but is of type {type(request.request_id).__name__}"
            ) from error
        if other is not None:
            raise RequestIdCollisionError({str(request.request_id): [other.request, request]})

    def _start(self, flight: _Flight) -> None:
        flight.has_landed = False
        try:
            future = self._submit(flight.order)
        except Exception as error:  # noqa: BLE001  (of somebody else's executor)
            self.stop(executor_ended(error))
        else:
            future.add_done_callback(lambda future: self._land(flight, future))
            flight.future = future

    def _start_what_is_due(self) -> None:
        while self._later and self._later[0][0] <= time.monotonic():
            with Uninterrupted():
                self._start(heapq.heappop(self._later)[2])

    # Landing

    def _land(self, flight: _Flight, future: Future[BedrockResponse]) -> None:
        """Keep the answer; in whatever thread has it."""
        try:
            is_answered = _error_of(future) is None
            if is_answered and flight.earlier:
                _tell_of_earlier_tries(flight, future.result())
            if is_answered and self._journal is not None and flight.key is not None:
                self._journal.append(flight.key, flight.request.request_id, future.result())
        except Exception as error:  # noqa: BLE001  (the run must hear of the landing, and of this)
            flight.trouble = error
        flight.has_landed = True
        self._landed.append(flight)
        self._some.ring()
        if len(self._landed) >= self._batch:
            self._enough.ring()

    def _waits_in_vain(self) -> bool:
        """Wait for something to land, where there is nothing else to do; whether nothing has."""
        if not self._flights or (self._takes_more and self._has_room()):
            return False
        wait = _SECONDS_BETWEEN_LOOKS
        if self._later:
            wait = min(wait, max(self._later[0][0] - time.monotonic(), 0.0))
        self._wait_for_landings(wait)
        return not self._landed

    def _wait_for_landings(self, seconds: float) -> None:
        """Wait for as many as are soon there; if there is none, for the first."""
        if self._batch > 1 and self._count_under_way() > self._batch:
            self._enough.wait(min(seconds, _SECONDS_FOR_A_BATCH))
        if not self._landed:
            self._some.wait(seconds)
        self._some.mute()
        self._enough.mute()

    def _result(self, flight: _Flight) -> Finished | None:
        """The result of what has landed; None if it is tried again, or ended without one."""
        with Uninterrupted():  # a thread may still come across a future that was cancelled
            return self._outcome(flight)

    def _outcome(self, flight: _Flight) -> Finished | None:
        if flight.trouble is not None:
            self.stop(flight.trouble)
        assert flight.future is not None
        error = _error_of(flight.future)
        if error is None:
            return Finished(flight.request, flight.future.result(), None)
        is_outcome = isinstance(error, Exception) and not isinstance(error, CancelledError)
        if self._stopped and (not is_outcome or _may_pass(error)):
            self._flights.pop(flight.request.request_id, None)
            return None
        if not is_outcome:
            error = ParallelProcessingError(f"The executor gave it up: {type(error).__name__}")
        assert isinstance(error, Exception)
        _record(flight.request, error)
        if self._is_tried_again(flight, error):
            return None
        if flight.earlier and isinstance(error, LLMManagerError):
            error.attempt_log = [*flight.earlier, *error.attempt_log]
        return Finished(flight.request, None, error)

    def _is_tried_again(self, flight: _Flight, error: Exception) -> bool:
        """Line a failed request up for another try, if it may have one."""
        own = flight.request.max_retries
        most = own if isinstance(own, int) else self._retries.most
        if self._stopped or flight.tries > most or not _may_pass(error):
            return False
        pause = self._retries.pause(flight.tries)
        left = flight.order.timeout - seconds_spent(error) - pause
        if left < _SHORTEST_TRY_SECONDS:
            return False
        flight.order = flight.order._replace(timeout=left)
        flight.tries += 1
        flight.earlier += tuple(error.attempt_log)
        flight.future = None
        heapq.heappush(self._later, (time.monotonic() + pause, next(self._numbers), flight))
        return True


def executor_ended(error: Exception) -> ParallelProcessingError:
    """What ends a run whose executor takes no more: `error` is what that said."""
    problem = ParallelProcessingError(
        f"The executor takes no more requests: {type(error).__name__}. Make a new one; with "
        "`journal=`, what was answered is not asked again."
    )
    problem.__cause__ = error
    return problem


def _tell_of_earlier_tries(flight: _Flight, response: BedrockResponse) -> None:
    """Let an answer say what the whole request took."""
    log = response.attempt_log = [*flight.earlier, *response.attempt_log]
    until_last = (log[-1].started_at - log[0].started_at).total_seconds()
    response.total_duration_ms = until_last * 1000 + log[-1].duration_ms
    response.warnings.append(
        f"Answered at try {flight.tries} of the request; `attempt_log` has the sendings of all."
    )


def _error_of(future: Future[BedrockResponse]) -> BaseException | None:
    return CancelledError() if future.cancelled() else future.exception()


def _may_pass(error: BaseException) -> TypeGuard[RetryExhaustedError]:
    """Whether the same request may be answered a little later: some target only had a bad moment."""
    if not isinstance(error, RetryExhaustedError) or error.out_of_time:
        return False
    last = {(entry.model, entry.region): entry.decision for entry in error.attempt_log}
    return not _PASSING.isdisjoint(last.values())


def _record(request: BedrockConverseRequest, error: Exception) -> None:
    model = region = None
    if isinstance(error, LLMManagerError):
        # The record outlives the run; a traceback would keep its frames, and the prompt, alive.
        error.__traceback__ = None
        if error.attempts:
            model, region = error.attempts[-1].model_id, error.attempts[-1].region
    request.record_failure(error, model, region)
