"""Tests what is in flight when, and that each request gets one result, without sending anything."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    AuthenticationError,
    RequestValidationError,
    RetryExhaustedError,
)
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import (
    ParallelProcessingError,
    RequestIdCollisionError,
)
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import (
    RequestValidationError as BatchError,
)
from bestehorn_llmmanager.bedrock.models.attempt_record import AttemptRecord
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RequestAttempt
from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
from bestehorn_llmmanager.bedrock.parallel.journal import Journal
from bestehorn_llmmanager.bedrock.parallel.pacing import Stopped
from bestehorn_llmmanager.bedrock.parallel.runner import Finished, Retries, Runner
from bestehorn_llmmanager.bedrock.parallel.worker import Order
from bestehorn_llmmanager.bedrock.retry.decisions import Decision

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

ANSWER = BedrockResponse(success=True, response_data={"output": {}})
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def request(name: Any, **options: Any) -> BedrockConverseRequest:
    return BedrockConverseRequest(
        [{"role": "user", "content": [{"text": "Hi"}]}], request_id=name, **options
    )


def exhausted(
    *decisions: Decision, regions: str = "abc", seconds: float = 0.1, out_of_time: bool = False
) -> RetryExhaustedError:
    """An error after one sending per decision, each in the next of the regions."""
    error = RetryExhaustedError("No target answered")
    error.out_of_time = out_of_time
    error.attempts = [RequestAttempt("m", region, "direct", 1, START) for region in regions]
    error.attempt_log = [
        AttemptRecord(
            "m",
            regions[number % len(regions)],
            "direct",
            "id",
            START + timedelta(seconds=seconds) * number,
            seconds * 1000,
            0.0,
            decision.value,
        )
        for number, decision in enumerate(decisions)
    ]
    return error


PASSES = exhausted(Decision.AGAIN)


class Desk:
    """Where orders are handed in.

    Args:
        outcomes: Of the first try of a request, of its second, …; the last of them of all others.
            None leaves it under way.
        others: Outcomes of the requests with these ids.
        has_free_hands: Whether what is under way has been started, and cannot be cancelled.
    """

    def __init__(
        self,
        *outcomes: Any,
        others: Mapping[Any, Sequence[Any]] | None = None,
        has_free_hands: bool = True,
    ) -> None:
        self._outcomes = outcomes or (ANSWER,)
        self._others = others or {}
        self._has_free_hands = has_free_hands
        self.orders: list[Order] = []
        self.futures: dict[Any, Future[BedrockResponse]] = {}
        self.halted = 0
        self.taken: list[Any] = []

    @property
    def names(self) -> list[Any]:
        return [order.request.request_id for order in self.orders]

    def submit(self, order: Order) -> Future[BedrockResponse]:
        name = order.request.request_id
        future = self.futures[name] = Future()
        self.orders.append(order)
        if self._has_free_hands:
            future.set_running_or_notify_cancel()
        outcomes = self._others.get(name, self._outcomes)
        self.end(name, outcomes[min(self.names.count(name), len(outcomes)) - 1])
        return future

    def end(self, name: Any, outcome: Any) -> None:
        future = self.futures[name]
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        elif outcome is not None:
            future.set_result(outcome)

    def halt(self) -> None:
        self.halted += 1

    def runner(
        self, *, window: int = 4, most: int = 3, journal: Journal | None = None, pause: float = 0.0
    ) -> Runner:
        return Runner(
            self.submit,
            self.halt,
            lambda request: Order(request, (0,), 30.0, None, None),
            window=window,
            retries=Retries(most, lambda number: pause * number),
            journal=journal,
        )

    def source(self, names: Iterable[Any]) -> Iterator[BedrockConverseRequest]:
        for name in names:
            self.taken.append(name)
            yield request(name)


def each(runner: Runner, requests: Iterable[BedrockConverseRequest]) -> Iterator[Finished]:
    for finished in runner.results(requests):
        if finished is not None:
            yield finished
            runner.given(finished)


def name_of(finished: Finished) -> Any:
    return finished.request.request_id


def names(results: Iterable[Finished]) -> list[Any]:
    return list(map(name_of, results))


# --- what is in flight ----------------------------------------------------------------------------


def test_results_come_in_the_order_in_which_they_finish() -> None:
    desk = Desk(None)
    results = each(desk.runner(), desk.source("abc"))

    def end_them() -> None:
        while len(desk.orders) < 3:
            time.sleep(0.001)
        for name in "cab":
            desk.end(name, ANSWER)

    thread = threading.Thread(target=end_them)
    thread.start()
    assert names(results) == ["c", "a", "b"]
    thread.join()


def test_no_more_requests_are_taken_than_there_is_room_for() -> None:
    desk = Desk(None, others={3: [ANSWER]})
    results = each(desk.runner(window=4), desk.source(range(100)))
    assert name_of(next(results)) == 3
    assert desk.taken == [0, 1, 2, 3]
    threading.Timer(0.02, desk.end, (1, ANSWER)).start()
    assert name_of(next(results)) == 1
    assert desk.taken == [0, 1, 2, 3, 4]


def test_a_result_is_given_before_more_is_asked_of_a_slow_source() -> None:
    desk = Desk()
    given: list[Any] = []
    waiting_at_each_take = []

    def source() -> Iterator[BedrockConverseRequest]:
        for name in range(20):
            waiting_at_each_take.append(name - len(given))
            yield request(name)

    for finished in each(desk.runner(window=8), source()):
        given.append(name_of(finished))  # noqa: PERF401  (the source looks at it meanwhile)
    assert given == list(range(20))
    assert max(waiting_at_each_take) == 0


def test_requests_that_wait_for_another_try_do_not_hold_up_others() -> None:
    desk = Desk(others={number: [PASSES] for number in range(4)})
    results = each(desk.runner(window=2, pause=20), desk.source(range(10)))
    assert [name_of(next(results)) for _ in range(6)] == [4, 5, 6, 7, 8, 9]


def test_waiting_requests_are_bounded_too() -> None:
    desk = Desk(PASSES, ANSWER)
    results = names(each(desk.runner(window=1, pause=0.05), desk.source(range(40))))
    assert sorted(results) == list(range(40))
    first_retry = next(i for i, name in enumerate(desk.names) if name in desk.names[:i])
    assert first_retry <= 17


@given(
    st.lists(st.lists(st.sampled_from(["pass", "hopeless"]), max_size=3), max_size=20),
    st.integers(1, 5),
)
def test_every_request_gets_exactly_one_result(plans: list[list[str]], window: int) -> None:
    errors = {"pass": PASSES, "hopeless": AuthenticationError("no")}
    desk = Desk(
        others={
            number: [*(errors[kind] for kind in plan), ANSWER] for number, plan in enumerate(plans)
        }
    )
    results = list(each(desk.runner(window=window), desk.source(range(len(plans)))))
    assert sorted(map(name_of, results)) == list(range(len(plans)))
    for finished in results:
        plan = plans[name_of(finished)]
        assert (finished.error is None) == ("hopeless" not in plan)
        tries = plan.index("hopeless") + 1 if "hopeless" in plan else len(plan) + 1
        assert desk.names.count(name_of(finished)) == tries


# --- what comes in --------------------------------------------------------------------------------


def test_what_the_source_raises_comes_after_the_results_of_all_it_gave() -> None:
    desk = Desk(PASSES, ANSWER)

    def source() -> Iterator[BedrockConverseRequest]:
        yield request("a")
        yield request("b")
        raise LookupError("line 3")

    results = each(desk.runner(), source())
    assert sorted([name_of(next(results)), name_of(next(results))]) == [
        "a",
        "b",
    ]
    with pytest.raises(LookupError, match="line 3"):
        next(results)
    assert desk.halted == 0


@pytest.mark.parametrize("thing", [None, {"messages": []}, "a"])
def test_what_is_no_request_is_refused_after_the_results_of_what_came_before(thing: Any) -> None:
    results = each(Desk().runner(), iter([request("a"), thing, request("b")]))
    assert name_of(next(results)) == "a"
    with pytest.raises(BatchError, match=type(thing).__name__):
        next(results)


def test_an_id_that_cannot_be_looked_up_is_refused() -> None:
    with pytest.raises(BatchError, match="must be a string, but is of type list"):
        list(each(Desk().runner(), [request(["a"])]))


def test_two_requests_under_way_must_not_share_an_id() -> None:
    desk = Desk(None, ANSWER)
    first, second = request(7), request(7)
    results = each(desk.runner(), [first, second])
    threading.Timer(0.02, desk.end, (7, ANSWER)).start()
    assert next(results).request is first
    with pytest.raises(RequestIdCollisionError) as caught:
        next(results)
    assert caught.value.duplicated_ids == {"7": [first, second]}


def test_a_request_that_waits_for_another_try_keeps_its_id() -> None:
    desk = Desk(PASSES, ANSWER)
    first, second = request("a"), request("a")
    results = each(desk.runner(pause=0.02), [first, second])
    assert next(results).request is first
    with pytest.raises(RequestIdCollisionError):
        next(results)


def test_an_id_may_come_again_after_its_result() -> None:
    assert names(each(Desk().runner(), [request("a"), request("a")])) == ["a", "a"]


def test_ids_keep_their_type() -> None:
    results = names(each(Desk().runner(), [request(5), request("5"), request((5, "x"))]))
    assert results == [5, "5", (5, "x")]


# --- what is tried again --------------------------------------------------------------------------


@pytest.mark.parametrize(("own", "tries"), [(None, 3), (0, 1), (1, 2), (5, 6)])
def test_what_may_pass_is_tried_again_as_often_as_the_request_or_the_run_says(
    own: int | None, tries: int
) -> None:
    desk = Desk(PASSES)
    one = request("a", max_retries=own)
    (finished,) = each(desk.runner(most=2), [one])
    assert finished == Finished(one, None, PASSES)
    assert len(desk.orders) == tries
    assert one.retry_count == len(one.failure_history) == tries
    assert (one.failure_history[0].model, one.failure_history[0].region) == ("m", "c")


@pytest.mark.parametrize(
    "error",
    [
        RequestValidationError("malformed"),
        AuthenticationError("no credentials"),
        exhausted(Decision.NEXT_TARGET, Decision.NEXT_TARGET),
        exhausted(Decision.OUT_FOR_TODAY),
        exhausted(Decision.REJECTED, Decision.REJECTED),
        # It has been asked for once more already, and paid for twice.
        exhausted(Decision.GENERATE_AGAIN, Decision.GENERATE_AGAIN),
        exhausted(Decision.REST, out_of_time=True),
        # The only target that had a bad moment then refused.
        exhausted(Decision.AGAIN, Decision.NEXT_TARGET, regions="a"),
        exhausted(),
        TypeError("a bug"),
    ],
    ids=str,
)
def test_what_will_not_pass_is_not_tried_again(error: Exception) -> None:
    desk = Desk(error)
    one = request("a", max_retries=9)
    assert list(each(desk.runner(), [one])) == [Finished(one, None, error)]
    assert len(desk.orders) == 1
    assert [entry.exception for entry in one.failure_history] == [error]


@pytest.mark.parametrize(
    "decisions",
    [
        (Decision.REST,),
        (Decision.GENERATE_AGAIN, Decision.AGAIN),
        (Decision.NEXT_TARGET, Decision.AGAIN),
        (Decision.REST, Decision.REJECTED, Decision.OUT_FOR_TODAY),
    ],
)
def test_one_target_with_a_bad_moment_is_enough_for_another_try(
    decisions: tuple[Decision, ...],
) -> None:
    desk = Desk(exhausted(*decisions), ANSWER)
    (finished,) = each(desk.runner(), [request("a")])
    assert finished.response is ANSWER
    assert len(desk.orders) == 2


def test_all_tries_together_have_the_time_of_one_request() -> None:
    slow = exhausted(Decision.AGAIN, Decision.AGAIN, seconds=4.0)
    desk = Desk(slow)
    list(each(desk.runner(most=9, pause=0.01), [request("a")]))
    # 30 s, of which each try spends 8.
    assert [order.timeout for order in desk.orders] == pytest.approx([30, 22, 14, 6], abs=0.1)


def test_each_further_try_waits_for_its_own_pause() -> None:
    desk = Desk(PASSES)
    at = []
    outcome = desk.submit

    def submit(order: Order) -> Future[BedrockResponse]:
        at.append(time.monotonic())
        return outcome(order)

    desk.submit = submit  # type: ignore[method-assign]  # our own stand-in, to read the clock
    list(each(desk.runner(most=2, pause=0.04), [request("a")]))
    assert at[1] - at[0] == pytest.approx(0.04, abs=0.03)
    assert at[2] - at[1] == pytest.approx(0.08, abs=0.03)


def test_a_failure_keeps_no_frames_alive() -> None:
    error = exhausted(Decision.NEXT_TARGET)
    try:
        raise error
    except RetryExhaustedError:
        assert error.__traceback__ is not None
    list(each(Desk(error).runner(), [request("a")]))
    assert error.__traceback__ is None


# --- stopping -------------------------------------------------------------------------------------


def stopping(desk: Desk, runner: Runner, problem: Exception | None = None) -> Iterator[Finished]:
    """Stop after the first result."""
    for finished in runner.results(desk.source("abcdefghij")):
        if finished is not None:
            runner.given(finished)
            runner.stop(problem)
            yield finished


def test_after_a_stop_nothing_is_started_and_what_is_under_way_is_given() -> None:
    desk = Desk(None, others={"d": [ANSWER]})
    results = stopping(desk, desk.runner(window=4))
    assert name_of(next(results)) == "d"
    for name in "cab":
        desk.end(name, ANSWER)
    assert names(results) == ["c", "a", "b"]
    assert desk.halted
    assert desk.taken == ["a", "b", "c", "d"]


def test_what_has_not_started_yet_is_cancelled() -> None:
    desk = Desk(None, others={"d": [ANSWER]}, has_free_hands=False)
    assert names(stopping(desk, desk.runner(window=4))) == ["d"]
    assert all(desk.futures[name].cancelled() for name in "abc")


def test_the_problem_is_raised_after_the_last_result() -> None:
    desk = Desk()
    problem = ParallelProcessingError("it")
    results = stopping(desk, desk.runner(window=1), problem)
    assert name_of(next(results)) == "a"
    with pytest.raises(ParallelProcessingError) as caught:
        list(results)
    assert caught.value is problem


@pytest.mark.parametrize(
    ("error", "is_result"),
    [
        (Stopped(), False),
        (PASSES, False),
        (RequestValidationError("malformed"), True),
        (exhausted(Decision.NEXT_TARGET), True),
    ],
    ids=["stopped", "would_be_tried_again", "malformed", "refused_everywhere"],
)
def test_after_a_stop_only_what_is_final_is_a_result(error: BaseException, is_result: bool) -> None:
    desk = Desk(None, others={"b": [ANSWER]})
    results = stopping(desk, desk.runner(window=2))
    assert name_of(next(results)) == "b"
    desk.end("a", error)
    assert names(results) == (["a"] if is_result else [])
    assert desk.names == ["a", "b"]


def test_draining_gives_what_landed_and_was_not_given_whatever_hangs() -> None:
    desk = Desk(None, others={"d": [ANSWER]})
    runner = desk.runner(window=4)
    results = runner.results(desk.source("abcdefghij"))
    lost = next(results)  # and the caller is interrupted before `given`
    assert lost is not None
    assert lost.request.request_id == "d"
    desk.end("c", ANSWER)
    drained = runner.drain()
    assert {name_of(next(drained)), name_of(next(drained))} == {"c", "d"}
    threading.Timer(0.02, desk.end, ("b", PASSES)).start()
    threading.Timer(0.04, desk.end, ("a", ANSWER)).start()
    assert names(drained) == ["a"]
    assert list(runner.drain()) == []
    assert desk.taken == ["a", "b", "c", "d"]


def test_requests_that_wait_for_another_try_have_no_result_after_a_stop() -> None:
    desk = Desk(others={"a": [PASSES]})
    results = stopping(desk, desk.runner(window=1, pause=20))
    assert names(results) == ["b"]


def test_an_executor_that_takes_no_more_ends_the_run_after_the_results() -> None:
    desk = Desk()
    submit = desk.submit

    def start(order: Order) -> Future[BedrockResponse]:
        if len(desk.orders) == 2:
            raise RuntimeError("cannot schedule new futures after shutdown")
        return submit(order)

    desk.submit = start  # type: ignore[method-assign]  # our own stand-in
    runner = desk.runner()
    results = each(runner, desk.source("abcd"))
    assert [name_of(next(results)), name_of(next(results))] == ["a", "b"]
    with pytest.raises(ParallelProcessingError, match="takes no more requests: RuntimeError") as e:
        next(results)
    assert isinstance(e.value.__cause__, RuntimeError)


@pytest.mark.parametrize("outcome", ["cancelled", KeyboardInterrupt()], ids=str)
def test_what_an_executor_gives_up_is_a_failure(outcome: Any) -> None:
    desk = Desk(None, has_free_hands=False)
    submit = desk.submit

    def start(order: Order) -> Future[BedrockResponse]:
        future = submit(order)
        if outcome == "cancelled":
            future.cancel()
        else:
            future.set_exception(outcome)
        return future

    desk.submit = start  # type: ignore[method-assign]  # our own stand-in
    (finished,) = each(desk.runner(), [request("a")])
    assert isinstance(finished.error, ParallelProcessingError)
    assert len(desk.orders) == 1


# --- the journal ----------------------------------------------------------------------------------


def test_an_answer_is_in_the_journal_before_anybody_waits_for_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    desk = Desk(None, others={"b": [ANSWER]})
    results = each(desk.runner(window=2, journal=journal), desk.source("ab"))
    assert name_of(next(results)) == "b"
    assert journal.find("a") is None
    desk.end("a", ANSWER)
    assert journal.find("a") is not None
    assert names(results) == ["a"]
    journal.close()


def test_what_the_journal_has_is_given_and_not_started(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.append("b", "b", ANSWER)
    desk = Desk()
    results = list(each(desk.runner(journal=journal), desk.source("abc")))
    assert {f.request.request_id: f.is_resumed for f in results} == {"a": 0, "b": 1, "c": 0}
    assert all(f.response is not None and f.response.success for f in results)
    assert desk.names == ["a", "c"]
    journal.close()


def test_a_failure_is_not_in_the_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    desk = Desk(AuthenticationError("no"))
    list(each(desk.runner(journal=journal), desk.source("a")))
    assert journal.find("a") is None
    assert (tmp_path / "j").read_bytes() == b""
    journal.close()


def test_a_journal_that_cannot_be_written_ends_the_run_but_costs_no_result(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.close()
    desk = Desk(None, others={"b": [ANSWER]}, has_free_hands=False)
    results = each(desk.runner(window=2, journal=journal), desk.source("abcdef"))
    assert name_of(next(results)) == "b"
    with pytest.raises(ParallelProcessingError, match="cannot be written"):
        next(results)
    assert desk.taken == ["a", "b"]
    assert desk.futures["a"].cancelled()
