"""Tests how many calls targets get, in virtual time where time matters."""

from __future__ import annotations

import heapq
import itertools
import math
import pickle
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.parallel.pacing import (
    Charge,
    Lane,
    PacedHealth,
    Pacer,
    Slot,
    Stopped,
    estimated_input,
)
from bestehorn_llmmanager.bedrock.retry.targets import Target, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOVA = "amazon.nova-lite-v1:0"
CLAUDE = "anthropic.claude-sonnet-4-6"


def target(region: str = "us-east-1", model_id: str = NOVA, **facts: Any) -> Target:
    return Target("Nova Lite", region, model_id, (Way("direct", model_id),), **facts)


EAST, WEST = target(), target("us-west-2")
HI: dict[str, Any] = {
    "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
    "inferenceConfig": {"maxTokens": 99},
}
RESERVED_BY_HI = 100
SMALL_QUOTA = (
    "one call reserves more than the quota of a minute, so such calls go one by one, about one a "
    "minute; a smaller `maxTokens` reserves less"
)
PATIENCE_SECONDS = 10.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "No."}}, "Converse")


THROTTLED = refused("ThrottlingException")


def answer(tokens: int) -> dict[str, Any]:
    return {"usage": {"inputTokens": 1, "outputTokens": tokens - 1}}


def entered(pacer: Pacer, where: Target = EAST, request: dict[str, Any] = HI) -> Slot:
    slot = pacer.enter(where, request, until=0.0)
    assert slot is not None
    return slot


def has_room(pacer: Pacer, where: Target = EAST, request: dict[str, Any] = HI) -> bool:
    slot = pacer.enter(where, request, until=0.0)
    if slot is not None:
        slot.failed(refused("ValidationException"))
    return slot is not None


# --- additive increase, multiplicative decrease ---------------------------------------------------


def test_a_target_takes_as_many_calls_at_once_as_allowed_and_others_have_their_own() -> None:
    pacer = Pacer(3)
    slots = [entered(pacer) for _ in range(3)]
    assert not has_room(pacer)
    assert has_room(pacer, WEST)
    assert has_room(pacer, target(model_id=CLAUDE))
    slots[0].answered(answer(1))
    assert has_room(pacer)


def test_calls_that_are_throttled_together_halve_the_limit_once() -> None:
    clock = Clock()
    lane = Lane(16)
    calls = [lane.start(clock()) for _ in range(16)]
    clock.now += 1
    for call in calls:
        lane.throttled(call, clock())
    assert (lane.limit, lane.calls) == (8.0, 0)


def test_what_was_sent_after_a_cut_halves_the_limit_again() -> None:
    lane = Lane(16)
    limits = []
    for now in range(6):
        calls = [lane.start(now) for _ in range(int(lane.limit))]
        for call in calls:
            lane.throttled(call, now + 0.5)
        limits.append(lane.limit)
    assert limits == [8.0, 4.0, 2.0, 1.0, 1.0, 1.0]


def test_a_few_calls_that_are_throttled_say_that_a_few_are_too_many() -> None:
    lane = Lane(64)
    calls = [lane.start(0.0) for _ in range(4)]
    lane.throttled(calls[0], 1.0)
    assert lane.limit == 2.0
    assert lane.wait(1.0, 0) == math.inf


def test_each_round_of_answers_adds_one_call_up_to_the_most() -> None:
    lane = Lane(6)
    lane.throttled(lane.start(0.0), 0.0)
    limits = []
    for now in range(1, 9):
        for call in [lane.start(now) for _ in range(int(lane.limit))]:
            lane.answered(call, now, {})
        limits.append(lane.limit)
    assert limits == sorted(limits)
    steps = [after - before for before, after in itertools.pairwise([1.0, *limits])]
    assert all(0.6 <= step <= 1.0 for step in steps[:4])
    assert limits[-1] == 6.0


@pytest.mark.parametrize("code", ["ValidationException", "InternalServerException"])
def test_other_errors_leave_the_limit_as_it_is(code: str) -> None:
    pacer = Pacer(2)
    slots = [entered(pacer), entered(pacer)]
    slots[0].failed(refused(code))
    assert has_room(pacer)


def test_a_throttled_call_lets_fewer_in() -> None:
    pacer = Pacer(2)
    slots = [entered(pacer), entered(pacer)]
    slots[0].failed(THROTTLED)
    assert not has_room(pacer)
    slots[1].answered(answer(1))
    assert has_room(pacer)


# --- the token quota ------------------------------------------------------------------------------


def test_calls_reserve_what_they_may_use_and_settle_on_what_they_did() -> None:
    pacer = Pacer(64, 2 * RESERVED_BY_HI)
    first = entered(pacer)
    second = entered(pacer)
    assert not has_room(pacer)
    first.answered(answer(RESERVED_BY_HI - 1))
    assert not has_room(pacer)
    second.answered(answer(1))
    assert has_room(pacer)


def test_what_was_used_counts_until_the_period_is_over_and_a_little_longer() -> None:
    clock = Clock()
    pacer = Pacer(64, RESERVED_BY_HI, now=clock)
    entered(pacer).answered(answer(1))
    started = clock.now
    for seconds, is_free in ((59.0, False), (60.5, False), (61.3, True)):
        clock.now = started + seconds
        assert has_room(pacer) is is_free


def test_a_throttled_or_refused_call_counts_nothing() -> None:
    pacer = Pacer(64, RESERVED_BY_HI)
    entered(pacer).failed(THROTTLED)
    entered(pacer).failed(refused("ValidationException"))
    assert has_room(pacer)


def test_a_call_that_broke_off_counts_what_it_reserved() -> None:
    pacer = Pacer(64, RESERVED_BY_HI)
    entered(pacer).failed(ReadTimeoutError(endpoint_url="http://localhost"))
    assert not has_room(pacer)


def test_output_counts_five_times_where_the_model_burns_so() -> None:
    claude = target(model_id=CLAUDE)
    pacer = Pacer(64, 400)
    used = {"usage": {"inputTokens": 1, "outputTokens": 60}}
    for where, is_free in ((EAST, True), (claude, False)):
        entered(pacer, where).answered(used)
        assert has_room(pacer, where, HI) is is_free


def test_a_call_bigger_than_the_quota_goes_when_nothing_else_counts() -> None:
    clock = Clock()
    pacer = Pacer(64, RESERVED_BY_HI - 1, now=clock)
    entered(pacer).answered(answer(RESERVED_BY_HI))
    assert not has_room(pacer)
    clock.now += 62
    assert has_room(pacer)


def test_a_quota_smaller_than_one_call_is_told_once_for_each_target(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pacer = Pacer(64, RESERVED_BY_HI - 1)
    secret = "a-very-private-prompt"
    long = {
        "messages": [{"content": [{"text": secret * 100}]}],
        "inferenceConfig": {"maxTokens": 1},
    }
    for where in (EAST, WEST, EAST):
        pacer.enter(where, HI, until=0.0)
        pacer.enter(where, long, until=0.0)
    assert {each.levelname for each in caplog.records} == {"WARNING"}
    assert [each.getMessage() for each in caplog.records] == [
        f"model=Nova Lite region={region} reserved=100 quota=99 | {SMALL_QUOTA}"
        for region in ("us-east-1", "us-west-2")
    ]


def test_a_quota_that_one_call_fits_in_is_worth_no_word(caplog: pytest.LogCaptureFixture) -> None:
    for pacer in (Pacer(64, RESERVED_BY_HI), Pacer(64)):
        entered(pacer)
        pacer.enter(EAST, HI, until=0.0)
    assert not caplog.records


def test_it_says_why_there_was_no_room() -> None:
    crowded, used_up, too_small = Pacer(1, 1000), Pacer(64, 150), Pacer(64, 60)
    for pacer in (crowded, used_up, too_small):
        entered(pacer)
        assert not has_room(pacer)
    assert crowded.why_full(EAST, HI) == "it took no more calls at once"
    assert used_up.why_full(EAST, HI) == "its quota of 150 tokens per minute had no room in time"
    assert too_small.why_full(EAST, HI) == (
        "the request reserves 100 tokens, more than the whole quota of 60 tokens per minute, and "
        "waits until nothing else counts; a smaller `maxTokens` reserves less"
    )


@pytest.mark.parametrize(
    ("inference_config", "longest", "reserved"),
    [
        ({"maxTokens": 50}, 8000, 51),
        ({"temperature": 0.5}, 8000, 8001),
        (None, 8000, 8001),
        (None, None, 4097),
    ],
)
def test_without_max_tokens_the_longest_answer_of_the_model_is_reserved(
    inference_config: dict[str, Any] | None, longest: int | None, reserved: int
) -> None:
    request = {**HI, "inferenceConfig": inference_config}
    where = target(max_output_tokens=longest)
    for quota, are_two_too_many in ((2 * reserved - 1, True), (2 * reserved, False)):
        pacer = Pacer(64, quota)
        entered(pacer, where, request)
        assert has_room(pacer, where, request) is not are_two_too_many


@pytest.mark.parametrize(
    ("quotas", "quota"),
    [
        (500, 500),
        ({NOVA: 500, "*": 100}, 500),
        ({"us.amazon.nova-lite-v1:0": 500, "*": 100}, 500),
        ({"nova": 500, "*": 100}, 500),
        ({"*": 500}, 500),
        ({CLAUDE: 100}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_quota_of_a_target_is_found_by_its_id_by_what_is_called_or_by_the_callers_name(
    quotas: dict[str, int] | int | None, quota: int | None
) -> None:
    ways = (Way("direct", NOVA), Way("regional_cris", "us.amazon.nova-lite-v1:0"))
    where = Target("nova", "us-east-1", NOVA, ways)
    pacer = Pacer(64, quotas)
    held = 0
    while held < 20 and pacer.enter(where, HI, until=0.0):
        held += 1
    assert held == (quota // RESERVED_BY_HI if quota else 20)


def test_the_estimate_of_prompts_follows_what_they_turned_out_to_be() -> None:
    lane = Lane(64, 100_000)
    for now in range(100):
        call = lane.start(now, 100, input_estimate=100)
        lane.answered(call, now, {"inputTokens": 250, "outputTokens": 0})
    assert lane.reservation(100, 1000) == pytest.approx(1250, rel=0.01)


def test_short_prompts_say_little_about_long_ones() -> None:
    lane = Lane(64, 1_000_000)
    for now in range(100):
        for estimate, counted in ((10_000, 9_000), (1, 9)):
            call = lane.start(now, estimate, input_estimate=estimate)
            lane.answered(call, now, {"inputTokens": counted, "outputTokens": 0})
    assert lane.reservation(10_000, 0) == pytest.approx(9_000, rel=0.01)


def test_prompts_that_come_from_the_cache_hardly_count() -> None:
    lane = Lane(64, 100_000)
    for now in range(100):
        call = lane.start(now, 100, input_estimate=100)
        lane.answered(call, now, {"inputTokens": 0, "cacheReadInputTokens": 100})
    assert lane.reservation(100, 1000) == 1001


def test_processes_that_share_a_quota_have_a_part_each() -> None:
    part = Pacer(64, {NOVA: 4 * RESERVED_BY_HI, "*": 1}).part(2)
    held = 0
    while part.enter(EAST, HI, until=0.0):
        held += 1
    assert held == 2
    assert part.most == 64


def test_text_counts_a_token_for_four_characters_and_what_is_no_text_a_thousand() -> None:
    request = {
        "messages": [{"role": "user", "content": [{"text": "x" * 400}, {"image": {}}]}],
        "system": [{"text": "x" * 40}],
        "toolConfig": {"tools": []},
    }
    assert estimated_input(request) == 101 + 1000 + 11 + len(str({"tools": []})) // 4
    assert estimated_input({}) == 0


@pytest.mark.parametrize(
    ("block", "tokens"),
    [
        ({"cachePoint": {"type": "default"}}, 0),
        ({"toolUse": {"toolUseId": "1", "name": "t", "input": "x" * 400}}, 101),
        ({"toolUse": {"input": {"query": "x" * 400}}}, 104),
        ({"toolResult": {"content": [{"text": "x" * 400}, {"json": "x" * 40}]}}, 112),
        ({"toolResult": {"content": [{"image": {}}, {"text": ""}]}}, 1001),
        ({"toolResult": {"content": []}}, 0),
        ({"reasoningContent": {"reasoningText": {"text": "x" * 400, "signature": "s"}}}, 101),
        ({"reasoningContent": {"redactedContent": b"x"}}, 1000),
        ({"guardContent": {"text": {"text": "x" * 400}}}, 101),
        ({"guardContent": {"image": {}}}, 1000),
        ({"document": {}}, 1000),
        ({"toolResult": None}, 1000),
        ({"toolUse": {}}, 1000),
        ({"text": None}, 1000),
        ("text", 1000),
    ],
)
def test_what_text_is_inside_other_blocks_counts_as_text(block: Any, tokens: int) -> None:
    assert estimated_input({"messages": [{"content": [block]}]}) == tokens
    assert estimated_input({"system": [block]}) == tokens


# --- laws, in virtual time ------------------------------------------------------------------------


class Planned(NamedTuple):
    """A call that a simulation makes."""

    gap: float
    seconds: float
    max_tokens: int
    used: int
    outcome: str


CALLS = st.builds(
    Planned,
    gap=st.floats(0, 3),
    seconds=st.floats(0.001, 20),
    max_tokens=st.integers(1, 400),
    used=st.integers(1, 400),
    outcome=st.sampled_from(["answered"] * 6 + ["throttled", "refused", "broke off"]),
)
PERIOD = 10.0


class Simulated(NamedTuple):
    """A start: when, the lane's books just after it, and the call."""

    now: float
    limit: float
    calls: int
    charge: Charge
    planned: Planned


class Simulation:
    """Lets calls arrive, wait their turn and end, as threads would in the order of time."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.starts: list[Simulated] = []
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = itertools.count()
        self._waiting: deque[Planned] = deque()

    def run(self, plan: list[Planned]) -> Iterator[Simulated]:
        now = 0.0
        for planned in plan:
            now += planned.gap
            self._at(now, partial(self._arrive, planned))
        for _ in range(10_000):
            if not self._events:
                break
            now, _, action = heapq.heappop(self._events)
            action(now)
            self._look(now)
            while self.starts:
                yield self.starts.pop(0)
        assert not self._events, "it never ends"
        assert not self._waiting

    def _at(self, when: float, action: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (when, next(self._numbers), action))

    def _arrive(self, planned: Planned, _: float) -> None:
        self._waiting.append(planned)

    def _look(self, now: float) -> None:
        while self._waiting:
            planned = self._waiting[0]
            seconds = self.lane.wait(now, planned.max_tokens)
            if seconds:
                assert seconds < math.inf or self.lane.calls, "nobody would ever look again"
                if seconds < math.inf:
                    self._at(now + seconds, lambda _: None)
                return
            charge = self.lane.start(now, self._waiting.popleft().max_tokens)
            self.starts.append(Simulated(now, self.lane.limit, self.lane.calls, charge, planned))
            self._at(now + planned.seconds, partial(self._end, charge, planned))

    def _end(self, charge: Charge, planned: Planned, now: float) -> None:
        if planned.outcome == "answered":
            used = min(planned.used, planned.max_tokens)
            self.lane.answered(charge, now, {"inputTokens": used})
        elif planned.outcome == "throttled":
            self.lane.throttled(charge, now)
        else:
            self.lane.failed(charge, counts=planned.outcome == "broke off")


def simulate(lane: Lane, plan: list[Planned]) -> Iterator[Simulated]:
    return Simulation(lane).run(plan)


@given(plan=st.lists(CALLS, max_size=40), most=st.integers(1, 8))
def test_there_are_never_more_calls_than_the_limit_and_all_come_to_their_end(
    plan: list[Planned], most: int
) -> None:
    lane = Lane(most)
    starts = list(simulate(lane, plan))
    assert len(starts) == len(plan)
    assert all(1 <= start.limit <= most for start in starts)
    assert all(start.calls <= start.limit for start in starts)
    assert lane.calls == 0


@given(plan=st.lists(CALLS, max_size=40), quota=st.integers(1, 1000), most=st.integers(1, 8))
def test_no_window_of_a_period_ever_has_more_than_the_quota(
    plan: list[Planned], quota: int, most: int
) -> None:
    lane = Lane(most, quota, period=PERIOD)
    charged: list[Simulated] = []
    for start in simulate(lane, plan):
        recent = [s for s in charged if s.now > start.now - PERIOD]
        # What a call counts at the moment: its charge forgets that only when it is old.
        total = sum(s.charge.tokens for s in recent) + start.planned.max_tokens
        assert total <= quota or not sum(s.charge.tokens for s in recent)
        assert start.calls <= start.limit
        charged.append(start)
    assert len(charged) == len(plan)
    assert lane.calls == 0
    later = charged[-1].now + 2 * PERIOD + 20 if charged else 0.0
    assert lane.wait(later, quota) == 0.0
    assert lane.tokens == 0


@given(
    plan=st.lists(CALLS, max_size=40),
    quota=st.integers(400, 2000),
    lateness=st.lists(st.floats(0, 0.02 * PERIOD), min_size=40, max_size=40),
)
def test_a_service_that_gets_calls_a_little_later_has_no_reason_to_throttle(
    plan: list[Planned], quota: int, lateness: list[float]
) -> None:
    lane = Lane(8, quota, period=PERIOD)
    plan = [
        p._replace(outcome="answered", seconds=max(p.seconds, late))
        for p, late in zip(plan, lateness, strict=False)
    ]
    received = [
        (start.now + late, start.now + start.planned.seconds, start.planned)
        for start, late in zip(simulate(lane, plan), lateness, strict=False)
    ]
    before: list[tuple[float, float, Planned]] = []
    for at, ended, planned in sorted(received, key=lambda each: each[0]):
        counted = sum(
            other.max_tokens if at < its_end else min(other.used, other.max_tokens)
            for since, its_end, other in before
            if since > at - PERIOD + 1e-9  # at the same moment, but for rounding
        )
        assert counted + planned.max_tokens <= quota
        before.append((at, ended, planned))


# --- threads --------------------------------------------------------------------------------------


@pytest.fixture
def crowd() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as threads:
        yield threads


def until_waiting(pacer: Pacer, number: int, where: Target = EAST) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(pacer._lanes[where.key].queue) < number:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_whoever_waits_is_served_in_turn(crowd: ThreadPoolExecutor) -> None:
    pacer = Pacer(1)
    served: list[int] = []
    slot = entered(pacer)

    def call(number: int) -> None:
        mine = pacer.enter(EAST, HI, None)
        assert mine is not None
        served.append(number)
        mine.answered(answer(1))

    calls = []
    for number in range(20):
        calls.append(crowd.submit(call, number))
        until_waiting(pacer, number + 1)
    slot.answered(answer(1))
    wait(calls, PATIENCE_SECONDS)
    assert served == list(range(20))


def test_whoever_gives_up_leaves_the_turn_to_the_next(crowd: ThreadPoolExecutor) -> None:
    pacer = Pacer(1)
    slot = entered(pacer)
    impatient = crowd.submit(pacer.enter, EAST, HI, time.monotonic() + 0.05)
    until_waiting(pacer, 1)
    patient = crowd.submit(pacer.enter, EAST, HI, time.monotonic() + PATIENCE_SECONDS)
    assert impatient.result(PATIENCE_SECONDS) is None
    slot.answered(answer(1))
    assert patient.result(PATIENCE_SECONDS) is not None


def test_room_that_comes_too_late_is_left_to_others(crowd: ThreadPoolExecutor) -> None:
    clock = Clock()
    pacer = Pacer(1, now=clock)
    slot = entered(pacer)
    late = crowd.submit(pacer.enter, EAST, HI, clock.now + PATIENCE_SECONDS)
    until_waiting(pacer, 1)
    clock.now += PATIENCE_SECONDS + 1
    slot.answered(answer(1))
    assert late.result(PATIENCE_SECONDS) is None
    assert has_room(pacer)


def test_room_that_time_makes_is_noticed(crowd: ThreadPoolExecutor) -> None:
    pacer = Pacer(8, RESERVED_BY_HI, period=0.05)
    for _ in range(4):
        waits = crowd.submit(pacer.enter, EAST, HI, time.monotonic() + PATIENCE_SECONDS)
        slot = waits.result(PATIENCE_SECONDS)
        assert slot is not None
        slot.answered(answer(RESERVED_BY_HI))


def test_a_stop_wakes_all_of_its_run_and_nobody_else(crowd: ThreadPoolExecutor) -> None:
    pacer = Pacer(1)
    slots = [entered(pacer, EAST), entered(pacer, WEST)]
    ours, theirs = threading.Event(), threading.Event()
    stopped = [crowd.submit(pacer.enter, EAST, HI, None, ours) for _ in range(9)]
    stopped += [crowd.submit(pacer.enter, WEST, HI, None, ours) for _ in range(9)]
    going_on = crowd.submit(pacer.enter, EAST, HI, None, theirs)
    until_waiting(pacer, 10, EAST)
    until_waiting(pacer, 9, WEST)
    ours.set()
    pacer.wake()
    assert {type(each.exception(PATIENCE_SECONDS)) for each in stopped} == {Stopped}
    assert not going_on.done()
    slots[0].answered(answer(1))
    assert going_on.result(PATIENCE_SECONDS) is not None
    with pytest.raises(Stopped):
        pacer.enter(WEST, HI, None, ours)


@pytest.mark.parametrize("quota", [None, 7 * RESERVED_BY_HI], ids=["no quota", "quota"])
def test_a_crowd_gets_through_without_ever_being_too_many(
    crowd: ThreadPoolExecutor, quota: int | None
) -> None:
    pacer = Pacer(5, quota, period=0.02)
    under_way = {EAST: 0, WEST: 0}
    most = {EAST: 0, WEST: 0}
    counting = threading.Lock()

    def call(number: int) -> bool:
        where = EAST if number % 3 else WEST
        slot = pacer.enter(where, HI, time.monotonic() + PATIENCE_SECONDS)
        if slot is None:
            return False
        with counting:
            under_way[where] += 1
            most[where] = max(most[where], under_way[where])
        time.sleep(0.0005)
        with counting:
            under_way[where] -= 1
        if number % 50 == 7:
            slot.failed(THROTTLED)
        else:
            slot.answered(answer(RESERVED_BY_HI // 2))
        return True

    assert all(crowd.map(call, range(400)))
    assert 1 <= most[EAST] <= 5
    assert 1 <= most[WEST] <= 5
    assert pacer.enter(EAST, HI, time.monotonic() + PATIENCE_SECONDS)


# --- what others see of it ------------------------------------------------------------------------


def test_free_targets_come_first_then_full_ones_by_how_full_they_are_then_those_that_rest() -> None:
    clock = Clock()
    pacer = Pacer(2, now=clock)
    health = PacedHealth(pacer)
    resting, slow, quick = (target(region) for region in ("us-east-2", "eu-west-1", "eu-west-3"))
    health.failed(resting)
    for where, seconds in ((slow, 30.0), (quick, 0.1)):
        slots = [entered(pacer, where) for _ in range(2)]
        clock.now += seconds
        for slot in slots:
            slot.answered(answer(1))
        assert health.rests_until(where) == 0.0
        entered(pacer, where)
        entered(pacer, where)
    order = [EAST, resting, slow, quick]
    assert sorted(order, key=health.rests_until) == [EAST, quick, slow, resting]
    assert health


def test_a_target_whose_quota_is_used_up_is_full_only_until_the_period_is_over() -> None:
    clock = Clock()
    pacer = Pacer(8, RESERVED_BY_HI, now=clock)
    entered(pacer).answered(answer(RESERVED_BY_HI))
    assert 0 < pacer.pressure(EAST) < 1
    clock.now += 62
    assert pacer.pressure(EAST) == 0.0


def test_it_travels_with_its_numbers_and_without_what_it_learned() -> None:
    pacer = Pacer(2, {NOVA: 2 * RESERVED_BY_HI}, period=30.0)
    entered(pacer)
    entered(pacer).failed(THROTTLED)
    copy = pickle.loads(pickle.dumps(pacer))
    assert len(pickle.dumps(pacer)) < 300
    assert copy.most == 2
    assert entered(copy)
    assert entered(copy)
    assert not has_room(copy)


def test_a_forked_child_does_not_wait_for_what_its_parent_holds(
    in_child: Callable[[Callable[[], Any]], Any],
) -> None:
    pacer = Pacer(1)
    entered(pacer)
    lane = pacer._lanes[EAST.key]
    with lane.lock:
        assert in_child(lambda: has_room(pacer))
