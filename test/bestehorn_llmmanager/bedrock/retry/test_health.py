"""Tests how long targets rest that fail."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.retry.health import TargetHealth
from bestehorn_llmmanager.bedrock.retry.targets import Target, Way

TARGET = Target("Nova Lite", "us-east-1", "nova", (Way("direct", "nova"),))
OTHER = Target("Nova Lite", "us-west-2", "nova", (Way("direct", "nova"),))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def rest_of(health: TargetHealth, clock: Clock, target: Target = TARGET) -> float:
    until = health.rests_until(target)
    return until and until - clock.now


def test_who_never_failed_does_not_rest() -> None:
    health = TargetHealth()
    assert not health
    assert health.rests_until(TARGET) == 0.0


@pytest.mark.parametrize("rand", [0.0, 0.3, 1.0])
def test_a_rest_doubles_from_failure_to_failure_up_to_a_minute(rand: float) -> None:
    clock = Clock()
    health = TargetHealth(clock, lambda: rand)
    rests = []
    for _ in range(9):
        health.failed(TARGET)
        rests.append(rest_of(health, clock))
        clock.now += rests[-1]
        assert health.rests_until(TARGET) == 0.0
    longest = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert rests == pytest.approx([seconds * (1 + rand) / 2 for seconds in longest])


@given(failures=st.integers(1, 40), rand=st.floats(0, 1), asked=st.none() | st.floats(0, 500))
def test_a_rest_is_between_half_and_all_of_its_length_and_as_long_as_the_service_asks(
    failures: int, rand: float, asked: float | None
) -> None:
    clock = Clock()
    health = TargetHealth(clock, lambda: rand)
    for _ in range(failures):
        clock.now = max(clock.now, health.rests_until(TARGET))
        health.failed(TARGET, retry_after=asked)
    longest = min(2.0 ** (failures - 1), 60.0)
    least, most = max(longest / 2, asked or 0), max(longest, asked or 0)
    assert least - 1e-6 <= rest_of(health, clock) <= most + 1e-6


def test_calls_that_fail_together_are_one_failure() -> None:
    clock = Clock()
    health = TargetHealth(clock, lambda: 1.0)
    for _ in range(50):
        health.failed(TARGET)
        clock.now += 0.001
    assert rest_of(health, clock) <= 1.0
    clock.now += 1.0
    health.failed(TARGET)
    assert rest_of(health, clock) == pytest.approx(2.0)


def test_a_rest_is_never_shortened_by_another_failure() -> None:
    clock = Clock()
    health = TargetHealth(clock, lambda: 0.0)
    health.failed(TARGET, retry_after=30.0)
    health.failed(TARGET)
    health.failed(TARGET, retry_after=2.0)
    assert rest_of(health, clock) == 30.0
    health.failed(TARGET, retry_after=40.0)
    assert rest_of(health, clock) == 40.0


def test_a_quota_that_is_used_up_for_today_means_an_hour() -> None:
    clock = Clock()
    health = TargetHealth(clock, lambda: 0.0)
    health.failed(TARGET, for_today=True)
    assert rest_of(health, clock) == 3600.0


def test_a_success_ends_the_rest_and_its_growth() -> None:
    clock = Clock()
    health = TargetHealth(clock, lambda: 1.0)
    for _ in range(4):
        clock.now = max(clock.now, health.rests_until(TARGET))
        health.failed(TARGET)
    assert rest_of(health, clock) == 8.0
    health.succeeded(TARGET)
    assert not health
    assert health.rests_until(TARGET) == 0.0
    health.failed(TARGET)
    assert rest_of(health, clock) == 1.0


def test_each_target_rests_for_itself() -> None:
    clock = Clock()
    health = TargetHealth(clock, lambda: 1.0)
    health.failed(TARGET)
    assert health
    assert health.rests_until(OTHER) == 0.0
    health.succeeded(OTHER)
    assert rest_of(health, clock) == 1.0


def test_two_spellings_of_a_model_rest_together() -> None:
    clock = Clock()
    health = TargetHealth(clock, lambda: 1.0)
    health.failed(TARGET)
    spelled = Target("nova-lite", "us-east-1", "nova", (Way("direct", "nova"),))
    assert rest_of(health, clock, spelled) == 1.0


def test_threads_that_fail_at_once_count_as_one_failure() -> None:
    clock = Clock()
    health = TargetHealth(clock, lambda: 1.0)
    threads = 8
    barrier = threading.Barrier(threads)

    def fail() -> None:
        barrier.wait()
        for _ in range(200):
            health.failed(TARGET)
            health.rests_until(TARGET)

    workers = [threading.Thread(target=fail) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert rest_of(health, clock) == 1.0


def test_threads_may_fail_and_succeed_as_they_like() -> None:
    health = TargetHealth()
    barrier = threading.Barrier(4)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            barrier.wait()
            for step in range(500):
                target = (TARGET, OTHER)[step % 2]
                if (number + step) % 3:
                    health.failed(target, retry_after=step % 5)
                else:
                    health.succeeded(target)
                assert health.rests_until(target) >= 0.0
        except BaseException as error:  # noqa: BLE001  (shown by the main thread)
            errors.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []
    health.succeeded(TARGET)
    health.succeeded(OTHER)
    assert not health
