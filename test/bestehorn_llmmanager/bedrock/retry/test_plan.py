"""Tests which attempt follows which, as laws over all failures that can come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryConfig
from bestehorn_llmmanager.bedrock.retry.decisions import Decision, Verdict
from bestehorn_llmmanager.bedrock.retry.health import TargetHealth
from bestehorn_llmmanager.bedrock.retry.plan import Attempt, Deadline, Plan
from bestehorn_llmmanager.bedrock.retry.targets import Target, Way

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Collection, Iterable, Sequence

REPEATED = {Decision.REST, Decision.AGAIN, Decision.GENERATE_AGAIN}
# After these the same target follows; that they do not follow each other for ever is the call's
# business.
STAYS = {
    Decision.WITHOUT_PARAMETER,
    Decision.WITHOUT_CACHE_POINTS,
    Decision.WITHOUT_PREFILL,
    Decision.RENEW_CREDENTIALS,
    Decision.ASK_AGAIN,
}
GOES_ON = [decision for decision in Decision if decision not in STAYS]
ENDS = {Decision.REFUSED, Decision.NO_CREDENTIALS}
# 0.9.0 went on to the next target after each of these.
DIFFERS_BY_TARGET = {
    *REPEATED,
    Decision.OUT_FOR_TODAY,
    Decision.NEXT_METHOD,
    Decision.NEXT_TARGET,
    Decision.NEXT_CREDENTIALS,
    Decision.REJECTED,
}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Sent(NamedTuple):
    attempt: Attempt
    at: float
    verdict: Verdict


def target(model: str, region: str = "r1", *methods: str) -> Target:
    ways = tuple(Way(method, f"{method}.{model}") for method in methods or ("direct",))
    return Target(model, region, model, ways)


def grid(models: int, regions: int, *methods: str) -> list[Target]:
    return [target(f"m{m}", f"r{r}", *methods) for m in range(models) for r in range(regions)]


def names(attempts: Iterable[Attempt]) -> list[str]:
    return [f"{attempt.target.model} {attempt.target.region}" for attempt in attempts]


class Bench:
    """A plan with a clock that only pauses and sendings move, and what it did."""

    def __init__(
        self,
        targets: Sequence[Target],
        *,
        retry: RetryConfig | None = None,
        health: TargetHealth | None = None,
        lacking: Collection[str] = (),
        deadline: Deadline | None = None,
        waits_out_throttling: bool = False,
        seconds_per_attempt: float = 0.0,
        rand: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self.clock = Clock()
        self.health = health or TargetHealth(self.clock, rand)
        self.in_need: set[Target] = set()
        self.without: set[str] = set()
        self.seconds = seconds_per_attempt
        self.sent: list[Sent] = []
        self.plan = Plan(
            targets,
            retry or RetryConfig(),
            self.health,
            needs_profile=self.in_need.__contains__,
            lacking=lacking,
            deadline=deadline,
            waits_out_throttling=waits_out_throttling,
            now=self.clock,
            rand=rand,
        )

    def run(self, verdicts: Callable[[Attempt], Verdict | None], most: int = 200) -> list[Sent]:
        """Send until the plan ends or an attempt has no verdict, which is an answer.

        What a call never says is not said: a model that is asked without a feature is not refused
        for it again.
        """
        while (attempt := self.plan.next()) is not None:
            if len(self.sent) == most:
                pytest.fail("The plan does not end.")
            self.clock.now += attempt.pause
            at = self.clock.now
            self.clock.now += self.seconds
            verdict = verdicts(attempt)
            if verdict is None:
                break
            if verdict.decision is Decision.NEXT_METHOD:
                self.in_need.add(attempt.target)
            if verdict.decision is Decision.WITHOUT_FEATURE:
                if attempt.target.model_id in self.without:
                    verdict = Verdict(Decision.NEXT_MODEL)
                self.without.add(attempt.target.model_id)
            self.sent.append(Sent(attempt, at, verdict))
            self.plan.failed(attempt, verdict)
        return self.sent

    @property
    def tried(self) -> list[Attempt]:
        return [attempt for attempt, _, _ in self.sent]


def always(decision: Decision, **more: Any) -> Callable[[Attempt], Verdict]:
    return lambda _: Verdict(decision, ("image_processing",), **more)


# --- laws ------------------------------------------------------------------------------------------

retries = st.builds(
    RetryConfig,
    max_retries=st.integers(0, 4),
    retry_delay=st.sampled_from([0.0, 0.001, 1.0, 7.5]),
    backoff_multiplier=st.sampled_from([0.5, 1.0, 2.0, 1e200, float("inf")]),
    max_retry_delay=st.sampled_from([0.5, 60.0]),
)
pauses = st.none() | st.floats(0, 30)
verdicts = st.builds(
    Verdict,
    st.sampled_from(GOES_ON),
    st.just(("image_processing",)),
    pauses,
)
# A verdict for every attempt: the list is gone through again and again.
courses = st.lists(verdicts, min_size=1, max_size=12)
harmless = st.lists(
    verdicts.filter(lambda verdict: verdict.decision not in ENDS), min_size=1, max_size=12
)
targets_of_a_call = st.builds(
    grid,
    st.integers(1, 3),
    st.integers(1, 3),
)
several_ways = st.builds(
    lambda models, regions: grid(models, regions, "direct", "regional_cris", "global_cris"),
    st.integers(1, 3),
    st.integers(1, 2),
)


def in_turn(course: Sequence[Verdict]) -> Callable[[Attempt], Verdict]:
    position = iter(range(10**9))
    return lambda _: course[next(position) % len(course)]


@given(targets=targets_of_a_call | several_ways, retry=retries, course=courses)
def test_every_plan_ends_whatever_fails(
    targets: list[Target], retry: RetryConfig, course: list[Verdict]
) -> None:
    bench = Bench(targets, retry=retry)
    bench.run(in_turn(course), most=len(targets) * (5 + retry.max_retries))
    assert bench.plan.next() is None
    assert not bench.plan.out_of_time


@given(targets=targets_of_a_call, retry=retries, course=courses)
def test_no_target_is_asked_more_often_than_max_retries_allows(
    targets: list[Target], retry: RetryConfig, course: list[Verdict]
) -> None:
    bench = Bench(targets, retry=retry)
    bench.run(in_turn(course))
    for each in targets:
        failures = [s for s in bench.sent if s.attempt.target == each]
        repeated = [s for s in failures if s.verdict.decision in REPEATED]
        assert len(repeated) <= 1 + retry.max_retries
        parked = [s for s in failures if s.verdict.decision is Decision.WITHOUT_FEATURE]
        assert len(failures) - len(parked) <= 1 + retry.max_retries


@given(targets=targets_of_a_call, retry=retries, course=harmless)
def test_what_is_out_stays_out(
    targets: list[Target], retry: RetryConfig, course: list[Verdict]
) -> None:
    bench = Bench(targets, retry=retry)
    out: set[Target] = set()
    out_models: set[str] = set()
    for attempt, _, verdict in bench.run(in_turn(course)):
        assert attempt.target not in out
        assert attempt.target.model_id not in out_models
        if verdict.decision in {
            Decision.OUT_FOR_TODAY,
            Decision.NEXT_TARGET,
            Decision.NEXT_CREDENTIALS,
            Decision.REJECTED,
        }:
            out.add(attempt.target)
        if verdict.decision is Decision.NEXT_MODEL:
            out_models.add(attempt.target.model_id)


@given(targets=targets_of_a_call, retry=retries, course=harmless)
def test_what_was_not_tried_comes_before_what_is_repeated(
    targets: list[Target], retry: RetryConfig, course: list[Verdict]
) -> None:
    bench = Bench(targets, retry=retry)
    dropped: set[str] = set()  # models whose other targets come later, or not at all
    tried: set[Target] = set()
    for attempt, _, verdict in bench.run(in_turn(course)):
        if attempt.target in tried:
            left = {t for t in targets if t not in tried and t.model_id not in dropped}
            assert not left
        tried.add(attempt.target)
        if verdict.decision in {Decision.NEXT_MODEL, Decision.WITHOUT_FEATURE}:
            dropped.add(attempt.target.model_id)


@given(
    targets=targets_of_a_call,
    retry=retries,
    course=st.lists(
        verdicts.filter(lambda verdict: verdict.decision in DIFFERS_BY_TARGET), min_size=1
    ),
)
def test_every_target_gets_its_turn_where_the_error_can_differ_by_target(
    targets: list[Target], retry: RetryConfig, course: list[Verdict]
) -> None:
    bench = Bench(targets, retry=retry)
    bench.run(in_turn(course))
    assert {attempt.target for attempt in bench.tried} == set(targets)


@given(
    targets=targets_of_a_call,
    retry=retries,
    course=harmless,
    rand=st.randoms(use_true_random=False),
)
def test_a_pause_has_full_jitter_and_is_as_long_as_the_service_asks(
    targets: list[Target], retry: RetryConfig, course: list[Verdict], rand: random.Random
) -> None:
    bench = Bench(targets, retry=retry, rand=rand.random)
    failures: dict[Target, list[Sent]] = {}
    for sent in bench.run(in_turn(course)):
        attempt, at, _ = sent
        earlier = [s for s in failures.get(attempt.target, []) if s.verdict.decision in REPEATED]
        if attempt.pause and earlier:
            last = earlier[-1]
            asked = last.verdict.retry_after or 0.0
            longest = retry.retry_delay * min(retry.backoff_multiplier, 1e9) ** (len(earlier) - 1)
            longest = max(min(longest, retry.max_retry_delay), asked)
            assert asked - 1e-6 <= at - last.at <= longest + 1e-6
        failures.setdefault(attempt.target, []).append(sent)


@given(targets=targets_of_a_call, retry=retries, course=harmless)
def test_without_a_delay_nothing_is_waited_for_but_what_the_service_asks(
    targets: list[Target], retry: RetryConfig, course: list[Verdict]
) -> None:
    impatient = RetryConfig(
        max_retries=retry.max_retries,
        retry_delay=0,
        backoff_multiplier=retry.backoff_multiplier,
    )
    bench = Bench(targets, retry=impatient)
    bench.run(in_turn([verdict._replace(retry_after=None) for verdict in course]))
    assert [attempt.pause for attempt in bench.tried] == [0.0] * len(bench.tried)


@given(
    targets=targets_of_a_call,
    retry=retries,
    course=courses,
    seconds=st.sampled_from([0.0, 0.3, 2.0]),
    timeout=st.sampled_from([0.5, 1.0, 3.0, 10.0]),
    is_hard=st.booleans(),
)
def test_nothing_is_sent_after_the_deadline_nor_what_cannot_finish_before_a_hard_one(
    targets: list[Target],
    retry: RetryConfig,
    course: list[Verdict],
    seconds: float,
    timeout: float,
    is_hard: bool,
) -> None:
    deadline = Deadline(1000.0 + timeout, is_hard)
    bench = Bench(targets, retry=retry, deadline=deadline, seconds_per_attempt=seconds)
    bench.run(in_turn(course))
    for _, at, _ in bench.sent:
        assert deadline.at - at > 0
        assert deadline.at - at >= 0.95 or not is_hard
    if bench.plan.out_of_time:
        patient = Bench(targets, retry=retry, seconds_per_attempt=seconds)
        assert len(patient.run(in_turn(course))) > len(bench.sent)


@given(targets=targets_of_a_call, retry=retries, course=courses)
def test_a_deadline_far_away_changes_nothing(
    targets: list[Target], retry: RetryConfig, course: list[Verdict]
) -> None:
    plans = [
        Bench(targets, retry=retry, deadline=deadline)
        for deadline in (None, Deadline(1e9, True), Deadline(1e9, False))
    ]
    one, two, three = [bench.run(in_turn(course)) for bench in plans]
    assert one == two == three


@given(targets=targets_of_a_call, retry=retries, course=harmless)
def test_an_answer_that_was_lost_is_paid_for_again_once_at_most(
    targets: list[Target], retry: RetryConfig, course: list[Verdict]
) -> None:
    bench = Bench(targets, retry=retry)
    lost: set[Target] = set()
    paid_again = 0
    for attempt, _, verdict in bench.run(in_turn(course)):
        paid_again += attempt.target in lost
        lost.discard(attempt.target)
        if verdict.decision is Decision.GENERATE_AGAIN:
            lost.add(attempt.target)
    assert paid_again <= 1


# --- each decision, in each place ----------------------------------------------------------------------

THREE = [target("m0"), target("m1"), target("m2")]
AFTER_A_FAILURE_OF_ONE = {
    # What follows where the first, the second or the third of three fails in this way and the
    # others in a way that does not pass.
    Decision.REST: ("m0 m1 m2 m0", "m0 m1 m2 m1", "m0 m1 m2 m2"),
    Decision.AGAIN: ("m0 m1 m2 m0", "m0 m1 m2 m1", "m0 m1 m2 m2"),
    Decision.GENERATE_AGAIN: ("m0 m1 m2 m0", "m0 m1 m2 m1", "m0 m1 m2 m2"),
    Decision.OUT_FOR_TODAY: ("m0 m1 m2", "m0 m1 m2", "m0 m1 m2"),
    Decision.NEXT_METHOD: ("m0 m0 m1 m2", "m0 m1 m1 m2", "m0 m1 m2 m2"),
    Decision.WITHOUT_PARAMETER: ("m0 m0 m1 m2", "m0 m1 m1 m2", "m0 m1 m2 m2"),
    Decision.WITHOUT_FEATURE: ("m0 m1 m2 m0", "m0 m1 m2 m1", "m0 m1 m2 m2"),
    Decision.WITHOUT_CACHE_POINTS: ("m0 m0 m1 m2", "m0 m1 m1 m2", "m0 m1 m2 m2"),
    Decision.WITHOUT_PREFILL: ("m0 m0 m1 m2", "m0 m1 m1 m2", "m0 m1 m2 m2"),
    Decision.NEXT_MODEL: ("m0 m1 m2", "m0 m1 m2", "m0 m1 m2"),
    Decision.NEXT_TARGET: ("m0 m1 m2", "m0 m1 m2", "m0 m1 m2"),
    Decision.NEXT_CREDENTIALS: ("m0 m1 m2", "m0 m1 m2", "m0 m1 m2"),
    Decision.RENEW_CREDENTIALS: ("m0 m0 m1 m2", "m0 m1 m1 m2", "m0 m1 m2 m2"),
    Decision.NO_CREDENTIALS: ("m0", "m0 m1", "m0 m1 m2"),
    Decision.REFUSED: ("m0", "m0 m1", "m0 m1 m2"),
    Decision.NO_VERDICT: ("m0", "m0 m1", "m0 m1 m2"),
    Decision.ASK_AGAIN: ("m0 m0 m1 m2", "m0 m1 m1 m2", "m0 m1 m2 m2"),
    Decision.REJECTED: ("m0 m1 m2", "m0 m1 m2", "m0 m1 m2"),
}


@pytest.mark.parametrize("decision", Decision)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_what_follows_a_failure_in_first_middle_and_last_place(
    decision: Decision, position: int
) -> None:
    targets = [target(f"m{n}", "r1", "direct", "regional_cris") for n in range(3)]
    bench = Bench(targets)

    def verdict(attempt: Attempt) -> Verdict:
        is_first = all(attempt.target != other.target for other in bench.tried)
        failing = attempt.target.model == f"m{position}" and is_first
        return Verdict(decision if failing else Decision.NEXT_TARGET, ("image_processing",))

    bench.run(verdict)
    followed = " ".join(attempt.target.model for attempt in bench.tried)
    assert followed == AFTER_A_FAILURE_OF_ONE[decision][position]


@pytest.mark.parametrize(
    ("decision", "tried"),
    [
        # Two models in two regions each; the first target fails in this way, all others are out.
        (Decision.NEXT_MODEL, ["m0 r0", "m1 r0", "m1 r1"]),
        (Decision.WITHOUT_FEATURE, ["m0 r0", "m1 r0", "m1 r1", "m0 r0", "m0 r1"]),
        (Decision.NEXT_TARGET, ["m0 r0", "m0 r1", "m1 r0", "m1 r1"]),
        (Decision.AGAIN, ["m0 r0", "m0 r1", "m1 r0", "m1 r1", "m0 r0"]),
        (Decision.REFUSED, ["m0 r0"]),
    ],
)
def test_what_a_failure_means_for_the_other_regions_of_the_model(
    decision: Decision, tried: list[str]
) -> None:
    bench = Bench(grid(2, 2))
    bench.run(lambda _: Verdict(decision if not bench.sent else Decision.NEXT_TARGET))
    assert names(bench.tried) == tried


def test_a_model_without_a_feature_is_asked_without_it_in_every_region_at_last() -> None:
    course = iter(
        [
            Verdict(Decision.REST),  # m0 r0, which waits
            Verdict(Decision.WITHOUT_FEATURE),  # m0 r1
            Verdict(Decision.REST),  # m1 r0
            *[Verdict(Decision.NEXT_TARGET)] * 9,
        ]
    )
    bench = Bench([target("m0", "r0"), target("m0", "r1"), target("m0", "r2"), target("m1", "r0")])
    bench.run(lambda _: next(course))
    assert names(bench.tried) == [
        "m0 r0",
        "m0 r1",
        "m1 r0",
        "m1 r0",
        "m0 r1",
        "m0 r2",
        "m0 r0",
    ]


def test_a_second_feature_that_is_missing_costs_no_region() -> None:
    bench = Bench(grid(1, 3), lacking={"m0"})
    bench.run(
        lambda _: Verdict(Decision.WITHOUT_FEATURE if not bench.sent else Decision.NEXT_TARGET)
    )
    assert names(bench.tried) == ["m0 r0", "m0 r0", "m0 r1", "m0 r2"]


def test_models_known_to_lack_a_feature_come_last() -> None:
    bench = Bench(grid(3, 2), lacking={"m0", "m2"})
    bench.run(always(Decision.NEXT_TARGET))
    assert names(bench.tried) == ["m1 r0", "m1 r1", "m0 r0", "m0 r1", "m2 r0", "m2 r1"]


def test_what_another_call_learns_meanwhile_counts() -> None:
    lacking: set[str] = set()
    bench = Bench(grid(3, 1), lacking=lacking)

    def verdict(_: Attempt) -> Verdict:
        lacking.add("m1")
        return Verdict(Decision.NEXT_TARGET)

    bench.run(verdict)
    assert names(bench.tried) == ["m0 r0", "m2 r0", "m1 r0"]


@pytest.mark.parametrize(
    ("methods", "used"),
    [
        (("direct",), ["direct"]),
        (("direct", "regional_cris"), ["direct", "regional_cris"]),
        (("direct", "regional_cris", "global_cris"), ["direct", "regional_cris", "global_cris"]),
        (("direct", "global_cris"), ["direct", "global_cris"]),
        (("regional_cris", "direct", "global_cris"), ["regional_cris", "global_cris"]),
        (("regional_cris",), ["regional_cris"]),
    ],
)
def test_a_target_that_needs_a_profile_is_called_by_its_profiles_in_turn(
    methods: tuple[str, ...], used: list[str]
) -> None:
    bench = Bench([target("m0", "r0", *methods)])
    bench.run(always(Decision.NEXT_METHOD))
    assert [attempt.way.method for attempt in bench.tried] == used


def test_a_target_known_to_need_a_profile_is_not_called_directly_again() -> None:
    ways = ("direct", "regional_cris", "global_cris")
    bench = Bench([target("m0", "r0", *ways), target("m1", "r0", *ways)])
    bench.in_need.add(target("m0", "r0", *ways))
    bench.run(always(Decision.NEXT_TARGET))
    assert [attempt.way.method for attempt in bench.tried] == ["regional_cris", "direct"]


def test_a_target_that_has_no_profile_is_called_as_it_can_be() -> None:
    bench = Bench([target("m0")])
    bench.in_need.add(target("m0"))
    bench.run(always(Decision.NEXT_TARGET))
    assert [attempt.way.method for attempt in bench.tried] == ["direct"]


def test_a_repeated_attempt_goes_the_way_that_was_found() -> None:
    course = iter([Decision.NEXT_METHOD, Decision.AGAIN, Decision.AGAIN, Decision.NEXT_TARGET])
    bench = Bench([target("m0", "r0", "direct", "regional_cris")])
    bench.run(lambda _: Verdict(next(course)))
    assert [attempt.way.method for attempt in bench.tried] == ["direct", *["regional_cris"] * 3]


def test_where_no_second_answer_may_be_paid_for_others_are_repeated() -> None:
    first = {"m0": Decision.GENERATE_AGAIN, "m1": Decision.GENERATE_AGAIN, "m2": Decision.REST}
    asked = {"m0": 1.0, "m1": 2.0, "m2": 3.0}
    bench = Bench(grid(3, 1), retry=RetryConfig(retry_delay=0))

    def verdict(attempt: Attempt) -> Verdict:
        model = attempt.target.model
        decision = first.pop(model, Decision.NEXT_TARGET)
        return Verdict(decision, retry_after=asked[model])

    bench.run(verdict)
    assert [attempt.target.model for attempt in bench.tried] == ["m0", "m1", "m2", "m0", "m2"]


def test_the_call_asks_the_same_target_again_after_the_pause_of_the_verdict() -> None:
    bench = Bench(grid(2, 1))
    first = bench.plan.next()
    assert first is not None
    bench.plan.failed(first, Verdict(Decision.ASK_AGAIN, retry_after=0.5))
    assert bench.plan.next() == first._replace(pause=0.5)
    bench.plan.failed(first, Verdict(Decision.WITHOUT_PARAMETER, ("foo",)))
    assert bench.plan.next() == first


# --- pauses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retry", "pauses"),
    [
        (RetryConfig(), [0, 1, 2, 4]),
        (RetryConfig(max_retries=0), [0]),
        (RetryConfig(max_retries=5, max_retry_delay=3), [0, 1, 2, 3, 3, 3]),
        (RetryConfig(retry_delay=0.5, backoff_multiplier=3), [0, 0.5, 1.5, 4.5]),
        (RetryConfig(retry_delay=0), [0, 0, 0, 0]),
        (RetryConfig(retry_delay=0, backoff_multiplier=1e300), [0, 0, 0, 0]),
        (RetryConfig(backoff_multiplier=1e300), [0, 1, 60, 60]),
    ],
)
def test_pauses_grow_up_to_their_limit(retry: RetryConfig, pauses: list[float]) -> None:
    bench = Bench(grid(1, 1), retry=retry)
    bench.run(always(Decision.REST))
    assert [attempt.pause for attempt in bench.tried] == pauses


@pytest.mark.parametrize("share", [0.0, 0.25, 0.999])
def test_pauses_are_a_random_share_of_that(share: float) -> None:
    bench = Bench(grid(1, 1), rand=lambda: share)
    bench.run(always(Decision.AGAIN))
    pauses = [attempt.pause for attempt in bench.tried]
    assert pauses == pytest.approx([0, share, 2 * share, 4 * share])


def test_the_service_may_ask_for_a_longer_pause() -> None:
    bench = Bench(grid(1, 1), retry=RetryConfig(max_retries=2))
    bench.run(always(Decision.REST, retry_after=1.5))
    assert [attempt.pause for attempt in bench.tried] == [0, 1.5, 2]


@pytest.mark.parametrize(
    ("asked", "longest", "sendings"),
    [(300.0, 60.0, 4), (301.0, 60.0, 1), (86_400.0, 60.0, 1), (301.0, 400.0, 4)],
)
def test_a_target_that_asks_for_longer_than_a_call_should_last_is_out(
    asked: float, longest: float, sendings: int
) -> None:
    bench = Bench(grid(1, 1), retry=RetryConfig(max_retry_delay=longest))
    bench.run(always(Decision.REST, retry_after=asked))
    assert len(bench.tried) == sendings


def test_time_that_passed_elsewhere_is_no_longer_waited_for() -> None:
    bench = Bench(grid(2, 1), retry=RetryConfig(max_retries=1), seconds_per_attempt=0.4)
    bench.run(always(Decision.AGAIN))
    assert names(bench.tried) == ["m0 r0", "m1 r0", "m0 r0", "m1 r0"]
    assert [attempt.pause for attempt in bench.tried] == pytest.approx([0, 0, 0.6, 0])


def test_the_one_that_is_ready_first_is_repeated_first() -> None:
    asked = {"m0": 9.0, "m1": 3.0, "m2": 6.0}
    bench = Bench(grid(3, 1), retry=RetryConfig(max_retries=1))
    bench.run(lambda attempt: Verdict(Decision.REST, retry_after=asked[attempt.target.model]))
    assert [attempt.target.model for attempt in bench.tried] == ["m0", "m1", "m2", "m1", "m2", "m0"]


# --- health ------------------------------------------------------------------------------------------------


def test_those_that_rest_are_tried_last_the_one_that_is_well_soonest_first() -> None:
    clock = Clock()
    health = TargetHealth(clock, lambda: 1.0)
    targets = grid(4, 1)
    for number, seconds in ((0, 50.0), (2, 5.0)):
        health.failed(targets[number], retry_after=seconds)
    bench = Bench(targets, health=health)
    bench.run(always(Decision.NEXT_TARGET))
    assert [attempt.target.model for attempt in bench.tried] == ["m1", "m3", "m2", "m0"]


@given(
    rests=st.lists(st.none() | st.floats(0.01, 100), min_size=1, max_size=5),
    passed=st.floats(0, 120),
)
def test_healthy_targets_keep_their_order_and_come_before_resting_ones(
    rests: list[float | None], passed: float
) -> None:
    clock = Clock()
    health = TargetHealth(clock, lambda: 0.0)
    targets = grid(len(rests), 1)
    for each, seconds in zip(targets, rests, strict=True):
        if seconds is not None:
            health.failed(each, retry_after=seconds)
    clock.now += passed
    until = {each: health.rests_until(each) for each in targets}
    plan = Plan(
        targets, RetryConfig(max_retries=0), health, needs_profile=lambda _: False, now=clock
    )
    tried = []
    while attempt := plan.next():
        tried.append(attempt.target)
        plan.failed(attempt, Verdict(Decision.REJECTED))
    assert tried == sorted(targets, key=lambda each: until[each])


@pytest.mark.parametrize("decision", Decision)
def test_which_failures_make_a_target_rest(decision: Decision) -> None:
    bench = Bench(grid(1, 1))
    attempt = bench.plan.next()
    assert attempt is not None
    bench.plan.failed(attempt, Verdict(decision, ("image_processing",)))
    rests = bench.health.rests_until(attempt.target) - bench.clock.now
    expected = 0.0 - bench.clock.now
    if decision is Decision.OUT_FOR_TODAY:
        expected = 3600.0
    elif decision in {*REPEATED, Decision.NEXT_TARGET, Decision.NEXT_CREDENTIALS}:
        expected = 1.0
    assert rests == expected


# --- deadlines ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeout", "is_hard", "sent"),
    [(0.9, True, 0), (1.0, True, 1), (0.9, False, 1), (0.0, False, 0), (-1.0, False, 0)],
)
def test_the_first_attempt_needs_time_too(timeout: float, is_hard: bool, sent: int) -> None:
    bench = Bench(grid(1, 1), deadline=Deadline(1000.0 + timeout, is_hard))
    bench.run(always(Decision.NEXT_TARGET))
    assert len(bench.sent) == sent
    assert bench.plan.out_of_time is (sent == 0)


def test_a_pause_that_ends_after_the_deadline_is_not_begun() -> None:
    bench = Bench(grid(1, 1), deadline=Deadline(1005.0, is_hard=False))
    bench.run(always(Decision.REST, retry_after=5.0))
    assert len(bench.sent) == 1
    assert bench.plan.out_of_time
    assert bench.clock.now == 1000.0


def test_a_target_without_the_feature_is_asked_rather_than_a_pause_that_takes_too_long() -> None:
    bench = Bench(grid(2, 1), lacking={"m0"}, deadline=Deadline(1005.0, is_hard=True))
    answers = iter([Verdict(Decision.REST, retry_after=60.0), None])
    bench.run(lambda _: next(answers))
    assert names(bench.tried) == ["m1 r0"]
    assert not bench.plan.out_of_time


def test_another_target_is_asked_rather_than_a_pause_that_takes_too_long() -> None:
    bench = Bench(grid(2, 1), deadline=Deadline(1005.0, is_hard=True))
    answers = iter([Verdict(Decision.ASK_AGAIN, retry_after=60.0), None])
    bench.run(lambda _: next(answers))
    assert names(bench.tried) == ["m0 r0"]
    assert not bench.plan.out_of_time


def test_a_plan_that_ends_before_the_deadline_is_not_out_of_time() -> None:
    bench = Bench(grid(2, 2), deadline=Deadline(1001.0, is_hard=True))
    bench.run(always(Decision.NEXT_MODEL))
    assert not bench.plan.out_of_time


# --- waiting throttling out ----------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("is_hard", [True, False])
@pytest.mark.parametrize(
    "retry",
    [
        RetryConfig(),
        RetryConfig(max_retries=1, max_retry_delay=2),
        RetryConfig(max_retries=0, retry_delay=60, max_retry_delay=600),
        RetryConfig(retry_delay=0),
        RetryConfig(backoff_multiplier=0.5),
    ],
    ids=["default", "quick", "slow", "no delay", "shrinking"],
)
def test_who_waits_throttling_out_tries_until_the_deadline_and_not_all_the_time(
    retry: RetryConfig, is_hard: bool, share: float
) -> None:
    deadline = Deadline(1010.0, is_hard)
    bench = Bench(
        grid(1, 1),
        retry=retry,
        deadline=deadline,
        waits_out_throttling=True,
        seconds_per_attempt=0.05,
        rand=lambda: share,
    )
    bench.run(always(Decision.REST))
    assert bench.plan.out_of_time
    assert deadline.last_start - 0.2 < bench.sent[-1].at <= deadline.last_start
    pauses = [attempt.pause for attempt in bench.tried[1:]]
    assert min(pauses) >= 0.1 * share - 1e-6
    assert max(pauses) <= 5.0 * share + 1e-6


def test_pauses_of_who_waits_throttling_out_grow_to_half_of_what_is_left() -> None:
    bench = Bench(grid(1, 1), deadline=Deadline(1020.0, is_hard=False), waits_out_throttling=True)
    bench.run(always(Decision.REST))
    pauses = [attempt.pause for attempt in bench.tried[:7]]
    assert pauses == [0, 1, 2, 4, 5, 4, 2]


def test_who_waits_throttling_out_waits_as_long_as_the_service_asks() -> None:
    bench = Bench(grid(1, 1), deadline=Deadline(1020.0, is_hard=True), waits_out_throttling=True)
    bench.run(always(Decision.REST, retry_after=6.0))
    assert [sent.at for sent in bench.sent] == [1000.0, 1006.0, 1012.0, 1018.0]
    assert bench.plan.out_of_time
    assert bench.clock.now == 1018.0


def test_throttling_that_is_waited_out_leaves_the_tries_after_other_errors() -> None:
    bench = Bench(
        grid(1, 1),
        retry=RetryConfig(max_retries=2),
        deadline=Deadline(1300.0, is_hard=True),
        waits_out_throttling=True,
    )
    decisions = iter([*[Decision.REST] * 5, *[Decision.AGAIN] * 9])
    bench.run(lambda _: Verdict(next(decisions)))
    assert len(bench.sent) == 5 + 3
    assert not bench.plan.out_of_time


@pytest.mark.parametrize("decision", [Decision.AGAIN, Decision.GENERATE_AGAIN])
def test_only_throttling_is_waited_out(decision: Decision) -> None:
    bench = Bench(
        grid(1, 1),
        retry=RetryConfig(max_retries=1),
        deadline=Deadline(1300.0, is_hard=True),
        waits_out_throttling=True,
    )
    bench.run(always(decision))
    assert len(bench.sent) == 2


def test_nobody_waits_for_ever() -> None:
    bench = Bench(grid(1, 1), waits_out_throttling=True)
    bench.run(always(Decision.REST))
    assert len(bench.sent) == 4


# --- what could not be sent ------------------------------------------------------------------------


def test_who_is_held_back_at_one_target_may_have_time_for_another() -> None:
    bench = Bench(grid(2, 1), deadline=Deadline(1300.0, is_hard=True))
    attempts = []
    while attempt := bench.plan.next():
        attempts.append(attempt)
        bench.plan.held_back()
    assert names(attempts) == ["m0 r0", "m1 r0"]
    assert bench.plan.out_of_time
    assert not bench.health


def test_the_last_attempt_starts_a_second_before_a_hard_deadline() -> None:
    assert Deadline(1000.0, is_hard=True).last_start == pytest.approx(999.05)
    assert Deadline(1000.0, is_hard=False).last_start == 1000.0
