"""Tests how a call sends: by which client, through which gate, until when."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.bedrock.builders.parameter_builder import ParameterBuilder
from bestehorn_llmmanager.bedrock.calls.call import Call, Equipment
from bestehorn_llmmanager.bedrock.calls.learning import Learned
from bestehorn_llmmanager.bedrock.calls.preparation import Preparation
from bestehorn_llmmanager.bedrock.exceptions import (
    AuthenticationError,
    ContentError,
    RetryExhaustedError,
)
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import Boto3Config, RetryConfig
from bestehorn_llmmanager.bedrock.retry.decisions import Decision
from bestehorn_llmmanager.bedrock.retry.health import TargetHealth
from bestehorn_llmmanager.bedrock.retry.plan import Deadline
from bestehorn_llmmanager.bedrock.retry.targets import Target, Way
from bestehorn_llmmanager.bedrock.tracking.access_method_tracker import AccessMethodTracker
from bestehorn_llmmanager.bedrock.tracking.parameter_compatibility_tracker import (
    ParameterCompatibilityTracker,
)
from bestehorn_llmmanager.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bestehorn_llmmanager.testing import LocalBedrock

NOVA = "amazon.nova-lite-v1:0"
EAST = Target("Nova Lite", "us-east-1", NOVA, (Way("direct", NOVA),))
WEST = Target("Nova Lite", "us-west-2", NOVA, (Way("direct", NOVA),))
REQUEST = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}


class Pass:
    """Permission for one sending, which notes how it ended."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def answered(self, answer: Mapping[str, Any]) -> None:
        self.log.append(f"answered {answer['stopReason']}")

    def failed(self, error: BaseException) -> None:
        self.log.append(f"failed {type(error).__name__}")


class Door:
    """Lets a number of sendings through, all but those to one region, after a while."""

    def __init__(
        self, lets_through: int = 100, *, closed_to: str = "", seconds: float = 0.0
    ) -> None:
        self.left = lets_through
        self.closed_to = closed_to
        self.seconds = seconds
        self.log: list[str] = []
        self.until: list[float | None] = []
        self.opened_at: datetime | None = None

    def enter(self, target: Target, request: Mapping[str, Any], until: float | None) -> Pass | None:
        assert request == REQUEST
        self.left -= 1
        self.until.append(until)
        self.log.append(f"enter {target.region}")
        time.sleep(self.seconds)
        self.opened_at = datetime.now(timezone.utc)
        return Pass(self.log) if self.left >= 0 and target.region != self.closed_to else None


@pytest.fixture
def new_call() -> Iterator[Callable[..., Call]]:
    AccessMethodTracker.reset_for_testing()
    with AuthManager(boto3_config=Boto3Config()) as auth:

        def make(*targets: Target, deadline: Deadline | None = None, **options: Any) -> Call:
            learned = Learned()
            equipment = Equipment(
                auth=options.pop("auth", auth),
                retry=RetryConfig(retry_delay=0),
                health=options.pop("health", TargetHealth()),
                learned=learned,
                access_methods=AccessMethodTracker.get_instance(),
                compatibility=ParameterCompatibilityTracker(),
                cache_points=None,
                **options,
            )
            preparation = Preparation(REQUEST, learned, parameters=ParameterBuilder())
            return Call(equipment, preparation, targets or (EAST,), deadline=deadline)

        yield make
    AccessMethodTracker.reset_for_testing()


def run(call: Call) -> list[Decision | str]:
    """Send until there is an answer or nothing is left."""
    ends: list[Decision | str] = []
    while attempt := call.next():
        try:
            answer = call.converse(attempt)
        except Exception as error:  # noqa: BLE001  (as a manager does)
            ends.append(call.failed(attempt, error))
            continue
        call.answered(attempt)
        assert answer["output"]["message"]["role"] == "assistant"
        ends.append("answered")
        break
    return ends


@pytest.mark.parametrize(
    ("left", "is_hard", "idle", "seconds"),
    [
        (None, False, None, 600),
        (3, False, None, 600),
        (3, True, None, 2),
        (5, True, None, 5),
        (29, True, None, 10),
        (10_000, True, None, 600),
        (None, False, 7, 10),
        (20, True, 3, 5),
        (1.2, True, 60, 1),
    ],
)
def test_the_client_gives_up_when_the_call_or_the_idle_time_ends(
    bedrock: LocalBedrock,
    new_call: Callable[..., Call],
    left: float | None,
    is_hard: bool,
    idle: float | None,
    seconds: float,
) -> None:
    deadline = None if left is None else Deadline(time.monotonic() + left, is_hard)
    call = new_call(deadline=deadline)
    attempt = call.next()
    assert attempt is not None
    client = call.client_for(attempt, idle)
    assert client.meta.region_name == "us-east-1"
    assert client.meta.config.read_timeout == seconds
    assert client.meta.config.retries["total_max_attempts"] == 1


def test_a_call_sends_once_per_attempt_and_to_the_region_of_the_target(
    bedrock: LocalBedrock, new_call: Callable[..., Call]
) -> None:
    bedrock.fail(Fault.unavailable(), times=3, operation="Converse")
    call = new_call(EAST, WEST)
    assert run(call) == [Decision.AGAIN, Decision.AGAIN, Decision.AGAIN, "answered"]
    served = [(r.region, r.model_id) for r in bedrock.requests if r.operation == "Converse"]
    assert [region for region, _ in served][:2] == ["us-east-1", "us-west-2"]
    assert served == [(record.region, record.model_id) for record in call.log]


def test_an_answer_that_is_none_is_asked_for_elsewhere(
    bedrock: LocalBedrock, new_call: Callable[..., Call]
) -> None:
    bedrock.fail(Fault.broken_json(), region="us-east-1", operation="Converse")
    call = new_call(EAST, WEST)
    assert run(call) == [Decision.GENERATE_AGAIN, "answered"]
    assert isinstance(call.log[0].error, ContentError)


def test_a_gate_is_asked_before_each_sending_and_told_of_its_end(
    bedrock: LocalBedrock, new_call: Callable[..., Call]
) -> None:
    bedrock.fail(Fault.access_denied(), region="us-east-1", operation="Converse")
    bedrock.fail(Fault.broken_json(), region="us-west-2", operation="Converse", times=1)
    door, deadline = Door(), Deadline(time.monotonic() + 300, is_hard=False)
    call = new_call(EAST, WEST, gate=door, deadline=deadline)
    assert run(call) == [Decision.NEXT_TARGET, Decision.GENERATE_AGAIN, "answered"]
    assert door.log == [
        "enter us-east-1",
        "failed AccessDeniedException",
        "enter us-west-2",
        "failed ContentError",
        "enter us-west-2",
        "answered end_turn",
    ]
    assert door.until == [deadline.at] * 3


def test_a_gate_leaves_time_for_the_call_before_a_hard_deadline(
    bedrock: LocalBedrock, new_call: Callable[..., Call]
) -> None:
    door, deadline = Door(), Deadline(time.monotonic() + 300, is_hard=True)
    assert run(new_call(gate=door, deadline=deadline)) == ["answered"]
    assert door.until == [pytest.approx(deadline.at - 0.95)]


def test_what_a_gate_does_not_let_through_in_time_is_no_sending_and_no_fault_of_the_target(
    bedrock: LocalBedrock, new_call: Callable[..., Call]
) -> None:
    health, door = TargetHealth(), Door(lets_through=0)
    call = new_call(
        EAST,
        WEST,
        gate=door,
        health=health,
        why_closed=lambda target, _: f"{target.region} is full",
    )
    assert run(call) == []
    assert door.log == ["enter us-east-1", "enter us-west-2"]
    failure = call.failure()
    assert isinstance(failure, RetryExhaustedError)
    assert failure.out_of_time
    assert (
        failure.message
        == str(failure.args[0])
        == (
            "The time is up, 0 were tried. "
            "Nova Lite in us-east-1 could not be asked: us-east-1 is full. "
            "Nova Lite in us-west-2 could not be asked: us-west-2 is full."
        )
    )
    assert (failure.attempts, failure.attempt_log, failure.attempts_made) == ([], [], 0)
    assert not health
    assert bedrock.count("Converse") == 0


def test_where_one_gate_stays_closed_another_target_is_asked(
    bedrock: LocalBedrock, new_call: Callable[..., Call]
) -> None:
    call = new_call(EAST, WEST, gate=Door(closed_to="us-east-1"))
    assert run(call) == ["answered"]
    assert [record.region for record in call.log] == ["us-west-2"]
    assert [attempt.region for attempt in call.attempts] == ["us-west-2"]


def test_a_target_that_failed_and_then_had_no_room_keeps_its_failure(
    bedrock: LocalBedrock, new_call: Callable[..., Call]
) -> None:
    bedrock.fail(Fault.unavailable(), operation="Converse")
    call = new_call(gate=Door(lets_through=1))
    assert run(call) == [Decision.AGAIN]
    failure = call.failure()
    assert isinstance(failure, RetryExhaustedError)
    assert failure.out_of_time
    assert failure.message == (
        "The time is up, 1 was tried. Nova Lite in us-east-1: ServiceUnavailableException "
        "Nova Lite in us-east-1 could not be asked in time."
    )
    assert len(failure.last_errors) == len(failure.attempts) == len(failure.attempt_log) == 1


def test_the_record_has_the_times_of_the_sending_not_of_the_waiting_before(
    bedrock: LocalBedrock, new_call: Callable[..., Call]
) -> None:
    door = Door(seconds=0.2)
    call = new_call(gate=door)
    assert run(call) == ["answered"]
    (record,) = call.log
    assert door.opened_at is not None
    assert record.started_at >= door.opened_at
    since_opened = (datetime.now(timezone.utc) - door.opened_at).total_seconds()
    assert record.duration_ms <= since_opened * 1000


def test_a_permission_is_given_back_when_no_client_can_be_made(
    new_call: Callable[..., Call],
) -> None:
    door = Door()
    call = new_call(EAST, WEST, gate=door)
    assert run(call) == [Decision.NO_CREDENTIALS]
    assert door.log == ["enter us-east-1", "failed AuthenticationError"]
    assert isinstance(call.failure(), AuthenticationError)


def test_an_interrupt_is_no_failure_of_the_call_but_its_permission_is_given_back(
    bedrock: LocalBedrock, new_call: Callable[..., Call]
) -> None:
    class Interrupted:
        def runtime_client(self, *_: object) -> Any:
            raise KeyboardInterrupt

    door = Door()
    call = new_call(EAST, WEST, gate=door, auth=Interrupted())
    attempt = call.next()
    assert attempt is not None
    with pytest.raises(KeyboardInterrupt):
        call.converse(attempt)
    assert door.log == ["enter us-east-1", "failed KeyboardInterrupt"]


def test_no_attempt_is_begun_that_cannot_end_in_time(
    bedrock: LocalBedrock, new_call: Callable[..., Call]
) -> None:
    call = new_call(deadline=Deadline(time.monotonic() + 0.5, is_hard=True))
    assert run(call) == []
    failure = call.failure()
    assert isinstance(failure, RetryExhaustedError)
    assert failure.message == "The time is up, 0 were tried. An attempt needs at least 1 second."
    assert failure.attempts_made == 0
    assert bedrock.count("Converse") == 0
