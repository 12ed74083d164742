"""Tests how orders are put together for an executor, and what becomes of them."""

from __future__ import annotations

import pickle
import threading
import time
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import LLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    LLMManagerError,
    RequestValidationError,
    RetryExhaustedError,
)
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import ParallelProcessingError
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
from bestehorn_llmmanager.bedrock.parallel.elsewhere import (
    Elsewhere,
    Parcel,
    _Job,
    _packed,
    _packed_error,
    answer_elsewhere,
)
from bestehorn_llmmanager.bedrock.parallel.pacing import Pacer
from bestehorn_llmmanager.bedrock.parallel.worker import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bestehorn_llmmanager.testing import LocalBedrock

PATIENCE_SECONDS = 10.0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class ByHand(Executor):
    """Runs nothing: a test says what becomes of the tasks."""

    def __init__(self, tasks_at_once: int | None = None) -> None:
        if tasks_at_once is not None:
            self._max_workers = tasks_at_once
        self.tasks: list[tuple[tuple[bytes, ...], Future[Any]]] = []
        self.parcels: set[Parcel] = set()
        self.is_broken = False
        self._arrived = threading.Condition()

    def submit(  # type: ignore[override]
        self, function: Callable[..., Any], parcel: Parcel, orders: tuple[bytes, ...], _: str
    ) -> Future[Any]:
        assert function is answer_elsewhere
        if self.is_broken:
            raise RuntimeError("no more")
        with self._arrived:
            self.parcels.add(parcel)
            self.tasks.append((orders, Future()))
            self._arrived.notify()
        return self.tasks[-1][1]

    def orders(self, number: int) -> list[list[str]]:
        """Once there are so many, the names of the requests in each task."""
        with self._arrived:
            assert self._arrived.wait_for(
                lambda: sum(len(orders) for orders, _ in self.tasks) >= number, PATIENCE_SECONDS
            )
            return [[name_of(order) for order in orders] for orders, _ in self.tasks]

    def finish_all(self) -> None:
        tasks, self.tasks = self.tasks, []
        for orders, task in tasks:
            task.set_result([_packed((answered(order), None, None)) for order in orders])


def name_of(order: bytes) -> str:
    request: BedrockConverseRequest = pickle.loads(order).request
    return str(request.request_id)


def answered(order: bytes) -> BedrockResponse:
    return BedrockResponse(success=True, model_used=name_of(order))


def order(name: str, text: str = "Hi", **options: Any) -> Order:
    messages = [{"role": "user", "content": [{"text": text}]}]
    request = BedrockConverseRequest(messages=messages, request_id=name, **options)
    return Order(request, (0,), 30.0, None, None)


@pytest.fixture
def manager(bedrock: LocalBedrock) -> LLMManager:
    return LLMManager(
        ["Nova Lite"], ["us-east-1"], catalog_cache_mode=CacheMode.NONE, catalog_refresh="never"
    )


@pytest.fixture
def make(manager: LLMManager) -> Iterator[Callable[..., Elsewhere]]:
    made: list[Elsewhere] = []

    def make(executor: Executor, most: int = 64, quota: int | None = None, **o: Any) -> Elsewhere:
        made.append(Elsewhere(executor, manager, Pacer(most, quota), **o))
        return made[-1]

    yield make
    for each in made:
        each.close()


def submit(elsewhere: Elsewhere, number: int, prefix: str = "") -> list[Future[BedrockResponse]]:
    return [elsewhere.submit(order(f"{prefix}{each}")) for each in range(number)]


# --- how many to a task ---------------------------------------------------------------------------


def test_orders_that_come_together_go_together_and_each_gets_its_answer(
    make: Callable[..., Elsewhere],
) -> None:
    executor = ByHand()
    futures = submit(make(executor), 64)
    tasks = executor.orders(64)
    assert len(tasks) <= 16
    assert [name for task in tasks for name in task] == [str(each) for each in range(64)]
    executor.finish_all()
    answers = [future.result(PATIENCE_SECONDS).model_used for future in futures]
    assert answers == [str(each) for each in range(64)]


@pytest.mark.parametrize(
    ("seconds", "most_tasks", "fewest_tasks"), [(0.1, 4, 2), (0.5, 6, 4), (10.0, 64, 64)]
)
def test_quick_ones_go_with_more_and_slow_ones_alone(
    make: Callable[..., Elsewhere], seconds: float, most_tasks: int, fewest_tasks: int
) -> None:
    executor, clock = ByHand(), Clock()
    elsewhere = make(executor, now=clock)
    for _ in range(2):
        submit(elsewhere, 64)
        tasks = executor.orders(64)
        clock.now += seconds
        executor.finish_all()
    assert fewest_tasks <= len(tasks) <= most_tasks


def test_a_small_pool_gets_as_many_to_a_task_as_it_takes_to_be_busy_with_all(
    make: Callable[..., Elsewhere],
) -> None:
    executor, clock = ByHand(tasks_at_once=2), Clock()
    elsewhere = make(executor, most=20, now=clock)
    for _ in range(2):
        submit(elsewhere, 20)
        tasks = executor.orders(20)
        clock.now += 60.0
        executor.finish_all()
    # Those that come late may go apart; no task has more than its share.
    assert max(len(task) for task in tasks) == 10


def test_a_single_order_does_not_wait_for_others(make: Callable[..., Elsewhere]) -> None:
    executor = ByHand()
    started = time.monotonic()
    submit(make(executor), 1)
    assert executor.orders(1) == [["0"]]
    assert time.monotonic() - started < 5


def test_big_orders_go_apart(make: Callable[..., Elsewhere]) -> None:
    executor = ByHand(tasks_at_once=1)
    elsewhere = make(executor)
    for each in range(4):
        elsewhere.submit(order(str(each), "x" * 400_000))
    assert executor.orders(4) == [["0", "1"], ["2", "3"]]


def test_no_more_are_with_the_executor_than_allowed(make: Callable[..., Elsewhere]) -> None:
    executor = ByHand()
    futures = submit(make(executor, most=6), 10)
    assert sum(map(len, executor.orders(6))) == 6
    time.sleep(0.02)
    assert sum(map(len, executor.orders(6))) == 6
    executor.finish_all()
    assert sum(map(len, executor.orders(4))) == 4
    executor.finish_all()
    assert all(future.result(PATIENCE_SECONDS).success for future in futures)


# --- what travels ---------------------------------------------------------------------------------


def test_the_parcel_has_the_share_of_each_process_in_the_quota(
    make: Callable[..., Elsewhere],
) -> None:
    executor = ByHand(tasks_at_once=4)
    make(executor, quota=1000).submit(order("0"))
    executor.orders(1)
    (parcel,) = executor.parcels
    _, pacer = pickle.loads(parcel.content)
    assert pickle.dumps(pacer) == pickle.dumps(Pacer(64, 250))
    assert parcel.threads == 64


def test_past_failures_stay_at_home(make: Callable[..., Elsewhere]) -> None:
    executor = ByHand()
    tried = order("0")
    tried.request.record_failure(OSError("the first try"))
    make(executor).submit(tried)
    executor.orders(1)
    request = pickle.loads(executor.tasks[0][0][0]).request
    assert request.failure_history == []
    assert request.content_key == tried.request.content_key
    assert len(tried.request.failure_history) == 1


def test_what_does_not_pickle_fails_alone(make: Callable[..., Elsewhere]) -> None:
    executor = ByHand()
    elsewhere = make(executor)
    bad = elsewhere.submit(order("bad", additional_model_request_fields={"f": lambda: 1}))
    elsewhere.submit(order("good"))
    assert executor.orders(1) == [["good"]]
    error = bad.exception(PATIENCE_SECONDS)
    assert isinstance(error, RequestValidationError)
    assert "does not pickle" in str(error)


def test_orders_are_answered_where_the_parcel_is_unpacked(
    bedrock: LocalBedrock, manager: LLMManager
) -> None:
    parcel = Parcel.of(manager, Pacer(4))
    orders = [pickle.dumps(order(name)) for name in "abc"]
    for some in (orders, orders[:1]):
        answers = [pickle.loads(each) for each in answer_elsewhere(parcel, some)]
        assert [error for _, error, _ in answers] == [None] * len(some)
        assert all(response.get_content() for response, _, _ in answers)
    assert bedrock.count("Converse") == 4


def test_an_error_that_does_not_pickle_arrives_as_a_sentence() -> None:
    class Homemade(Exception):  # noqa: N818
        pass

    response, error, cause = pickle.loads(_packed_error(Homemade("prompt")))
    assert (response, cause) == (None, None)
    assert isinstance(error, LLMManagerError)
    assert "Homemade in another process" in str(error)
    assert "prompt" not in str(error)


# --- what goes wrong ------------------------------------------------------------------------------


def test_orders_of_a_lost_task_go_again_each_alone(make: Callable[..., Elsewhere]) -> None:
    executor = ByHand(tasks_at_once=1)
    futures = submit(make(executor, most=8), 4)
    assert executor.orders(4) == [["0", "1", "2", "3"]]
    _, task = executor.tasks.pop()
    task.set_exception(OSError("killed"))
    assert executor.orders(4) == [["0"], ["1"], ["2"], ["3"]]
    for number, (orders, task) in enumerate(executor.tasks):
        if number == 2:
            task.set_exception(OSError("killed again"))
        else:
            task.set_result([_packed((answered(orders[0]), None, None))])
    outcomes = [future.exception(PATIENCE_SECONDS) for future in futures]
    assert [type(error) for error in outcomes] == [
        type(None),
        type(None),
        LLMManagerError,
        type(None),
    ]
    assert "The executor lost the request (OSError)" in str(outcomes[2])


def test_a_task_that_somebody_cancelled_is_lost_too(make: Callable[..., Elsewhere]) -> None:
    executor = ByHand()
    (future,) = submit(make(executor), 1)
    executor.orders(1)
    executor.tasks[0][1].cancel()
    assert "lost the request (cancelled)" in str(future.exception(PATIENCE_SECONDS))


def test_an_executor_that_takes_nothing_fails_what_it_was_given(
    make: Callable[..., Elsewhere],
) -> None:
    executor = ByHand()
    executor.is_broken = True
    elsewhere = make(executor)
    futures = submit(elsewhere, 5)
    errors = {future.exception(PATIENCE_SECONDS) for future in futures}
    assert errors == {elsewhere.ended}
    assert isinstance(elsewhere.ended, ParallelProcessingError)
    assert elsewhere.ended.message == (
        "The executor takes no more requests: RuntimeError. Make a new one; with `journal=`, what "
        "was answered is not asked again."
    )


def test_an_answer_that_cannot_be_read_fails_only_its_order(
    make: Callable[..., Elsewhere],
) -> None:
    executor = ByHand(tasks_at_once=1)
    futures = submit(make(executor, most=8), 2)
    executor.orders(2)
    orders, task = executor.tasks[0]
    task.set_result([b"no pickle", _packed((answered(orders[1]), None, None))])
    assert isinstance(futures[0].exception(PATIENCE_SECONDS), LLMManagerError)
    assert futures[1].result(PATIENCE_SECONDS).model_used == "1"


def test_closing_cancels_what_waits_and_leaves_what_is_under_way(
    make: Callable[..., Elsewhere],
) -> None:
    executor = ByHand()
    elsewhere = make(executor, most=3)
    futures = submit(elsewhere, 5)
    assert sum(map(len, executor.orders(3))) == 3
    elsewhere.close()
    assert [future.cancelled() for future in futures] == [False] * 3 + [True] * 2
    assert elsewhere.submit(order("late")).cancelled()
    executor.finish_all()
    assert all(future.result(PATIENCE_SECONDS).success for future in futures[:3])
    assert not [t for t in threading.enumerate() if t.name.endswith("dispatcher")]


def test_what_is_lost_after_closing_has_no_outcome(make: Callable[..., Elsewhere]) -> None:
    executor = ByHand()
    elsewhere = make(executor, most=3)
    futures = submit(elsewhere, 3)
    executor.orders(3)
    elsewhere.close()
    for _, task in executor.tasks:
        task.set_exception(KeyboardInterrupt())
    for future in futures:
        assert isinstance(future.exception(PATIENCE_SECONDS), CancelledError)


def test_closing_ends_what_was_lost_and_waits_to_go_again(make: Callable[..., Elsewhere]) -> None:
    executor, clock = ByHand(tasks_at_once=1), Clock()
    elsewhere = make(executor, most=8, now=clock)
    submit(elsewhere, 8)
    executor.orders(8)
    clock.now += 60.0  # so slow that orders wait for others to go along
    executor.finish_all()
    futures = submit(elsewhere, 2)
    executor.orders(2)
    _, task = executor.tasks.pop()
    task.set_exception(OSError("killed"))
    elsewhere.close()
    assert executor.tasks == []
    assert all(isinstance(each.exception(PATIENCE_SECONDS), CancelledError) for each in futures)


class Here(Executor):
    """Runs tasks on threads of this process, as an executor that is not known."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(4)
        self.tasks = 0

    def submit(self, *arguments: Any) -> Future[Any]:  # type: ignore[override]
        self.tasks += 1
        return self._threads.submit(*arguments)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._threads.shutdown(wait, cancel_futures=cancel_futures)


def test_what_waits_long_for_its_turn_comes_back_and_goes_again(
    bedrock: LocalBedrock, manager: LLMManager
) -> None:
    bedrock.reply_with("x" * 400)
    with Here() as executor:
        elsewhere = Elsewhere(executor, manager, Pacer(4, 100, period=3))
        tried = {name: order(name, inference_config={"maxTokens": 60}) for name in "ab"}
        futures = [elsewhere.submit(each) for each in tried.values()]
        assert all(future.result(PATIENCE_SECONDS).success for future in futures)
        elsewhere.close()
    assert executor.tasks > 2
    first, second = (r.time for r in bedrock.requests if r.operation == "Converse")
    assert 0.5 < second - first < 6  # the first may arrive late: its client is made on the way


def test_what_comes_back_has_less_time_left(bedrock: LocalBedrock, manager: LLMManager) -> None:
    bedrock.reply_with("x" * 400)
    with Here() as executor:
        elsewhere = Elsewhere(executor, manager, Pacer(4, 100))
        tried = [
            order(name, inference_config={"maxTokens": 60})._replace(timeout=2.6) for name in "ab"
        ]
        futures = [elsewhere.submit(each) for each in tried]
        errors = [future.exception(PATIENCE_SECONDS) for future in futures]
        elsewhere.close()
    assert bedrock.count("Converse") == 1
    (error,) = (each for each in errors if each)
    assert isinstance(error, RetryExhaustedError)
    assert error.out_of_time
    # One wait of a second there, and what was left then, but for the second that a call needs.
    assert error.duration_seconds is not None
    assert 1.5 < error.duration_seconds < 5


def test_an_order_that_was_cancelled_while_it_waited_is_not_sent(
    make: Callable[..., Elsewhere],
) -> None:
    executor = ByHand()
    elsewhere = make(executor, most=2)
    submit(elsewhere, 2)
    executor.orders(2)
    waits, goes = submit(elsewhere, 2, "later")
    assert waits.cancel()
    executor.finish_all()
    assert executor.orders(1) == [["later1"]]
    executor.finish_all()
    assert goes.result(PATIENCE_SECONDS).success


def test_no_repr_shows_credentials_or_a_prompt() -> None:
    parcel = Parcel("digest", b"a secret", 4)
    assert repr(parcel) == "Parcel(key='digest', threads=4)"
    assert "secret" not in repr(_Job(b"a secret", Future()))
