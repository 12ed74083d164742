"""Tests what the requests of a run share, and how a run is stopped."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import LLMManager, ModelSpecificConfig
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import RetryExhaustedError
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryConfig, RetryStrategy
from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
from bestehorn_llmmanager.bedrock.parallel.pacing import PacedHealth, Pacer, Stopped
from bestehorn_llmmanager.bedrock.parallel.progress import RunProgress
from bestehorn_llmmanager.bedrock.parallel.results import failed_response
from bestehorn_llmmanager.bedrock.parallel.worker import Order, Worker
from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bestehorn_llmmanager.bedrock.retry.targets import Target
    from bestehorn_llmmanager.testing import ReceivedRequest

PATIENCE_SECONDS = 10.0


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBedrock]:
    with LocalBedrock(record_bodies=True) as endpoint:
        for name, value in endpoint.environment().items():
            monkeypatch.setenv(name, value)
        yield endpoint


@pytest.fixture
def manager(bedrock: LocalBedrock) -> LLMManager:
    return LLMManager(
        ["Nova Lite"],
        ["us-east-1", "us-west-2"],
        retry_config=RetryConfig(retry_delay=0.01, max_retry_delay=0.05),
        catalog_cache_mode=CacheMode.NONE,
        catalog_refresh="never",
    )


def order(*columns: int, timeout: float = 30.0, **options: Any) -> Order:
    request = BedrockConverseRequest(
        messages=[{"role": "user", "content": [{"text": "Hi"}]}],
        inference_config={"maxTokens": 99},
        **options,
    )
    return Order(request, columns or (0, 1), timeout, None, None)


def new_worker(manager: LLMManager, most: int = 8, quota: int | None = None) -> Worker:
    return Worker(manager, PacedHealth(Pacer(most, quota)))


def targets_of(manager: LLMManager) -> Sequence[Target]:
    return manager._table.ordered(RetryStrategy.REGION_FIRST, (0, 1))


def test_a_request_starts_in_its_first_region_and_falls_back_to_the_others(
    bedrock: LocalBedrock, manager: LLMManager
) -> None:
    worker = new_worker(manager)
    assert [worker.answer(order(*columns)).region_used for columns in ((0, 1), (1, 0))] == [
        "us-east-1",
        "us-west-2",
    ]
    bedrock.fail(Fault.unavailable(), region="us-west-2")
    assert worker.answer(order(1, 0)).region_used == "us-east-1"


def test_the_configuration_of_a_request_wins_over_that_of_the_run(
    bedrock: LocalBedrock, manager: LLMManager
) -> None:
    of_the_run = ModelSpecificConfig(custom_fields={"whose": "run"})
    own = ModelSpecificConfig(custom_fields={"whose": "own"})
    worker = new_worker(manager)
    for configured in (order(), order(model_specific_config=own)):
        worker.answer(configured._replace(model_specific_config=of_the_run))
    bodies = [served.body or {} for served in bedrock.requests]
    assert [body["additionalModelRequestFields"] for body in bodies] == [
        {"whose": "run"},
        {"whose": "own"},
    ]


def test_a_throttled_request_waits_and_is_answered_however_often_it_was_throttled(
    bedrock: LocalBedrock, manager: LLMManager
) -> None:
    bedrock.fail(Fault.throttling(), operation="Converse", times=25)
    response = new_worker(manager).answer(order())
    assert response.success
    assert len(response.attempt_log) == 26


def test_a_request_that_is_throttled_until_its_time_is_up_fails_as_timed_out(
    bedrock: LocalBedrock, manager: LLMManager
) -> None:
    bedrock.fail(Fault.throttling(), operation="Converse")
    with pytest.raises(RetryExhaustedError) as caught:
        new_worker(manager).answer(order(timeout=2.5))
    assert caught.value.out_of_time
    assert len(caught.value.attempt_log) > 3


def test_a_request_for_which_the_quota_has_no_room_in_time_is_not_sent(
    bedrock: LocalBedrock, manager: LLMManager
) -> None:
    worker = new_worker(manager, quota=150)
    bedrock.reply_with("x" * 400)
    for column in (0, 1):
        worker.answer(order(column))
    late = order(timeout=1.9)
    with pytest.raises(RetryExhaustedError) as caught:
        worker.answer(late)
    error = caught.value
    assert error.out_of_time
    assert error.message == (
        "The time is up, 0 were tried. An attempt needs at least 1 second. Nova Lite in us-east-1 "
        "could not be asked: its quota of 150 tokens per minute had no room in time."
    )
    assert bedrock.count("Converse") == 2
    figures = RunProgress()
    figures.add(failed_response(late.request, error, timeout=1.9, model="m", region="r"))
    assert (figures.failed, figures.throttles) == (1, 0)
    assert error.attempt_log == []
    health = worker._equipment.health
    assert all(health.rests_until(target) < 1 for target in targets_of(manager))


def test_a_request_that_reserves_more_than_the_quota_is_told_both_numbers(
    bedrock: LocalBedrock, manager: LLMManager
) -> None:
    worker = new_worker(manager, quota=60)
    for column in (0, 1):
        worker.answer(order(column))
    with pytest.raises(RetryExhaustedError, match="could not be asked") as caught:
        worker.answer(order(timeout=1.9))
    assert "reserves 100 tokens, more than the whole quota of 60 tokens per" in str(caught.value)
    assert "a smaller `maxTokens` reserves less" in str(caught.value)


def test_a_place_that_comes_free_too_late_for_an_answer_is_not_taken(
    bedrock: LocalBedrock, manager: LLMManager
) -> None:
    bedrock.fail(Fault.slow(1.4))
    worker = new_worker(manager, most=1)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(worker.answer, order(0))
        while not bedrock.count("Converse"):
            time.sleep(0.001)
        late = order(0, timeout=1.5)
        with pytest.raises(RetryExhaustedError, match="it took no more calls at once") as caught:
            worker.answer(late)
        assert caught.value.out_of_time
        assert first.result(PATIENCE_SECONDS).success
    assert bedrock.count("Converse") == 1


def test_who_wants_no_delay_is_patient_too(bedrock: LocalBedrock) -> None:
    manager = LLMManager(
        ["Nova Lite"],
        ["us-east-1"],
        retry_config=RetryConfig(retry_delay=0),
        catalog_cache_mode=CacheMode.NONE,
        catalog_refresh="never",
    )
    bedrock.fail(Fault.throttling(), operation="Converse", times=10)
    response = new_worker(manager).answer(order(0))
    assert len(response.attempt_log) == 11
    assert all(0 < record.pause_ms <= 100 for record in response.attempt_log[1:])


def test_runs_share_what_is_known_of_the_targets(
    bedrock: LocalBedrock, manager: LLMManager
) -> None:
    health = PacedHealth(Pacer(8))
    bedrock.fail(Fault.throttling(retry_after=60), region="us-east-1", times=1)
    regions = [Worker(manager, health).answer(order()).region_used for _ in range(2)]
    assert regions == ["us-west-2", "us-west-2"]
    assert bedrock.count("Converse", "us-east-1") == 1


def test_a_stop_ends_those_who_wait_for_a_place_and_lets_the_others_finish(
    bedrock: LocalBedrock, manager: LLMManager
) -> None:
    began, stopped = threading.Event(), threading.Event()

    def reply(_: ReceivedRequest) -> str:
        began.set()
        return str(stopped.wait(PATIENCE_SECONDS))

    bedrock.reply_with(reply)
    worker = new_worker(manager, most=1)
    with ThreadPoolExecutor(8) as threads:
        answers = [threads.submit(worker.answer, order(0)) for _ in range(8)]
        assert began.wait(PATIENCE_SECONDS)
        worker.stop()
        assert len(list(islice(as_completed(answers, PATIENCE_SECONDS), 7))) == 7
        stopped.set()
    outcomes = [type(answer.exception()) for answer in answers]
    assert outcomes.count(Stopped) == 7
    assert bedrock.count("Converse") == 1


def test_a_stop_ends_pauses(bedrock: LocalBedrock) -> None:
    manager = LLMManager(
        ["Nova Lite"],
        ["us-east-1"],
        retry_config=RetryConfig(retry_delay=60, max_retry_delay=60),
        catalog_cache_mode=CacheMode.NONE,
        catalog_refresh="never",
    )
    bedrock.fail(Fault.throttling(retry_after=60), operation="Converse")
    worker = new_worker(manager)
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(worker.answer, order(0, timeout=600))
        while not bedrock.count("Converse"):
            time.sleep(0.001)
        worker.stop()
        assert isinstance(answer.exception(PATIENCE_SECONDS), Stopped)


def test_after_a_stop_nothing_is_sent(bedrock: LocalBedrock, manager: LLMManager) -> None:
    worker = new_worker(manager)
    stopped = threading.Event()
    worker.at_stop(stopped.set)
    worker.stop()
    with pytest.raises(Stopped):
        worker.answer(order())
    assert stopped.is_set()
    assert bedrock.count("Converse") == 0
