"""Tests what becomes of a call, whatever the service answers."""

from __future__ import annotations

import copy
import logging
import pickle
import time
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    EventStreamError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import IncompleteRead, ProtocolError
from urllib3.exceptions import ReadTimeoutError as RawReadTimeoutError

from bestehorn_llmmanager.bedrock.builders.parameter_builder import ParameterBuilder
from bestehorn_llmmanager.bedrock.cache.cache_point_manager import CachePointManager
from bestehorn_llmmanager.bedrock.calls.call import Call, Equipment
from bestehorn_llmmanager.bedrock.calls.learning import Learned
from bestehorn_llmmanager.bedrock.calls.preparation import Preparation
from bestehorn_llmmanager.bedrock.exceptions import (
    AuthenticationError,
    ContentError,
    LLMManagerError,
    RequestValidationError,
    RetryExhaustedError,
)
from bestehorn_llmmanager.bedrock.models.cache_structures import CacheConfig, CacheErrorHandling
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryConfig
from bestehorn_llmmanager.bedrock.retry.decisions import Decision
from bestehorn_llmmanager.bedrock.retry.health import TargetHealth
from bestehorn_llmmanager.bedrock.retry.plan import Deadline
from bestehorn_llmmanager.bedrock.retry.targets import Target, Way
from bestehorn_llmmanager.bedrock.tracking.access_method_tracker import AccessMethodTracker
from bestehorn_llmmanager.bedrock.tracking.parameter_compatibility_tracker import (
    ParameterCompatibilityTracker,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SECRET = "a-very-private-prompt"
TEXT = {"text": f"{SECRET}: what is this?"}
IMAGE = {"image": {"format": "png", "source": {"bytes": SECRET.encode()}}}
POINT = {"cachePoint": {"type": "default"}}
GUARDRAIL = {"guardrailIdentifier": "g1", "guardrailVersion": "1"}
TOOLS = {
    "tools": [
        {"toolSpec": {"name": "t", "description": SECRET, "inputSchema": {"json": {}}}},
    ]
}
FIELDS = {"top_k": SECRET, "foo": SECRET}
REQUEST: dict[str, Any] = {
    "messages": [{"role": "user", "content": [IMAGE, POINT, TEXT]}],
    "system": [{"text": SECRET}],
    "toolConfig": TOOLS,
    "guardrailConfig": GUARDRAIL,
    "additionalModelRequestFields": FIELDS,
}


def invalid(message: str) -> ClientError:
    return answer("ValidationException", message)


def answer(code: str, message: str = "x", status: int = 400, **headers: str) -> ClientError:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata},
        "Converse",
    )


NO_TOOLS = "This model doesn't support tool use."
NO_IMAGES = "This model doesn't support the image field for user messages."
MISPLACED = "Cache point cannot be inserted after reasoning block."
NO_CACHING = "You invoked an unsupported model or your request did not allow prompt caching."
NO_TOP_K = "Malformed input request: #: extraneous key [top_k] is not permitted"
NO_FOO = "foo: Extra inputs are not permitted"
TOO_LONG = f"Input is too long for requested model: {SECRET}"
PROFILE_NEEDED = "Invocation of model ID x with on-demand throughput isn\u2019t supported."
NO_PREFILL = "This model does not support assistant message prefill."
URL = "https://bedrock-runtime.us-east-1.amazonaws.com"


class Purse:
    """Credentials that can be renewed a number of times; stands where an `AuthManager` does."""

    def __init__(self, renewals: int = 0) -> None:
        self.renewals = renewals

    def renew(self) -> bool:
        self.renewals -= 1
        return self.renewals >= 0


def target(model: str, region: str = "r1", *methods: str) -> Target:
    ways = tuple(Way(method, f"{method}.{model}") for method in methods or ("direct",))
    return Target(model, region, f"acme.{model}", ways)


class Office:
    """What calls share, with a record of the pauses."""

    def __init__(self, renewals: int = 0, **options: Any) -> None:
        AccessMethodTracker.reset_for_testing()
        self.pauses: list[float] = []
        self.learned = Learned()
        self.cache_points = options.pop("cache_points", None)
        self.compatibility = ParameterCompatibilityTracker()
        self.equipment = Equipment(
            auth=Purse(renewals),  # type: ignore[arg-type]  # nothing is sent
            retry=options.pop("retry", RetryConfig()),
            health=TargetHealth(),
            learned=self.learned,
            access_methods=AccessMethodTracker.get_instance(),
            compatibility=self.compatibility,
            cache_points=self.cache_points,
            sleep=self.pauses.append,
            **options,
        )

    def call(
        self,
        targets: Sequence[Target],
        request: dict[str, Any] | None = None,
        deadline: Deadline | None = None,
    ) -> Call:
        preparation = Preparation(
            copy.deepcopy(REQUEST) if request is None else request,
            self.learned,
            parameters=ParameterBuilder(),
            cache_points=self.cache_points,
        )
        return Call(self.equipment, preparation, targets, deadline=deadline)


class Sending:
    """One run of a call, with everything that was sent."""

    def __init__(self, call: Call, most: int = 300) -> None:
        self.call = call
        self.most = most
        self.sent: list[tuple[Target, str, dict[str, Any]]] = []
        self.decisions: list[Decision] = []

    def run(self, errors: Callable[[int], Exception | None]) -> LLMManagerError | None:
        """Fail with each error in turn; None is an answer."""
        while attempt := self.call.next():
            if len(self.sent) == self.most:
                pytest.fail("The call does not end.")
            request = self.call.request_for(attempt)
            self.sent.append((attempt.target, attempt.way.identifier, copy.deepcopy(request)))
            error = errors(len(self.sent) - 1)
            if error is None:
                assert self.call.answered(attempt).request == request
                assert self.call.attempt_of(attempt).success
                return None
            self.decisions.append(self.call.failed(attempt, error))
        return self.call.failure()

    @property
    def requests(self) -> list[dict[str, Any]]:
        return [request for _, _, request in self.sent]


def with_errors(*errors: Exception | None) -> Callable[[int], Exception | None]:
    return lambda number: errors[number] if number < len(errors) else None


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    yield
    AccessMethodTracker.reset_for_testing()


# --- laws ----------------------------------------------------------------------------------------------

makers: list[Callable[[], Exception]] = [
    *(
        (lambda message=message: invalid(message))
        for message in (
            NO_TOOLS, NO_IMAGES, NO_CACHING, MISPLACED, NO_TOP_K, NO_FOO, TOO_LONG, PROFILE_NEEDED, NO_PREFILL,
            "This model doesn't support documents.", "invalid beta flag", SECRET,
            f"1 validation error detected: Value '{SECRET}' at 'messages' failed to satisfy",
            f"The model returned the following errors: {SECRET}",
        )
    ),
    lambda: answer("ThrottlingException", status=429),
    lambda: answer("ThrottlingException", "Too many tokens per day", 429),
    lambda: answer("ServiceUnavailableException", status=503, **{"retry-after": "2"}),
    lambda: answer("ModelErrorException", SECRET, 424),
    lambda: answer("ModelTimeoutException", status=408),
    lambda: answer("AccessDeniedException", status=403),
    lambda: answer("AccessDeniedException", NO_CACHING, 403),
    lambda: answer("ExpiredTokenException", status=403),
    lambda: answer("UnrecognizedClientException", status=403),
    lambda: answer("", SECRET, 500),
    lambda: EndpointConnectionError(endpoint_url=URL),
    lambda: ReadTimeoutError(endpoint_url=URL, error=RawReadTimeoutError(None, URL, "x")),  # type: ignore[arg-type]  # the pool, which is not looked at
    NoCredentialsError,
    lambda: ParamValidationError(report=f"Invalid type for parameter messages, value: {SECRET}"),
    lambda: ContentError("The answer has no `output`."),
]  # fmt: skip
courses = st.lists(st.sampled_from(makers), min_size=1, max_size=15)
some_targets = st.builds(
    lambda models, regions, methods: [
        target(f"m{m}", f"r{r}", *methods) for m in range(models) for r in range(regions)
    ],
    st.integers(1, 3),
    st.integers(1, 2),
    st.sampled_from([("direct",), ("direct", "regional_cris"), ("global_cris",)]),
)
offices: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    renewals=st.integers(0, 2),
    retry=st.builds(
        RetryConfig,
        max_retries=st.integers(0, 3),
        enable_feature_fallback=st.booleans(),
        retryable_errors=st.sampled_from([(), ("ClientError",), ("ValidationException",)]),
    ),
    caches=st.sampled_from([None, *CacheErrorHandling]),
)


def office_of(caches: CacheErrorHandling | None, **options: Any) -> Office:
    points = caches and CachePointManager(CacheConfig(enabled=True, error_handling=caches))
    return Office(cache_points=points, **options)


@given(targets=some_targets, course=courses, options=offices, continues=st.booleans())
def test_every_call_ends_with_one_error_that_knows_everything(
    targets: list[Target],
    course: list[Callable[[], Exception]],
    options: dict[str, Any],
    continues: bool,
) -> None:
    call = office_of(**options).call(targets)
    call.continues = continues
    sending = Sending(call)
    failure = sending.run(lambda number: course[number % len(course)]())
    assert isinstance(failure, (RetryExhaustedError, RequestValidationError, AuthenticationError))
    # Every sending, in order, with its decision and its error
    assert [(r.model, r.region, r.model_id) for r in failure.attempt_log] == [
        (t.model, t.region, identifier) for t, identifier, _ in sending.sent
    ]
    assert [record.decision for record in failure.attempt_log] == [
        decision.value for decision in sending.decisions
    ]
    assert all(record.error is not None for record in failure.attempt_log)
    # and every target once.
    asked = list(dict.fromkeys(t for t, _, _ in sending.sent))
    assert [(each.model_id, each.region) for each in failure.attempts] == [
        (t.model, t.region) for t in asked
    ]
    assert [each.attempt_number for each in failure.attempts] == list(range(1, len(asked) + 1))
    assert not any(each.success for each in failure.attempts)
    assert all(each.error is not None and each.end_time is not None for each in failure.attempts)
    if isinstance(failure, RetryExhaustedError):
        assert failure.attempts_made == len(asked) == len(failure.last_errors)


@given(targets=some_targets, course=courses, options=offices)
def test_whatever_fails_the_guardrail_and_the_question_are_always_sent_and_nothing_is_modified(
    targets: list[Target], course: list[Callable[[], Exception]], options: dict[str, Any]
) -> None:
    request = copy.deepcopy(REQUEST)
    sending = Sending(office_of(**options).call(targets, request))
    sending.run(lambda number: course[number % len(course)]())
    assert request == REQUEST
    for sent in sending.requests:
        assert sent["guardrailConfig"] == GUARDRAIL
        assert sent["messages"][-1]["content"][-1] == TEXT
        assert sent["system"][0] == {"text": SECRET}


@given(targets=some_targets, course=courses, options=offices)
def test_what_was_refused_for_good_is_not_sent_again_as_it_was(
    targets: list[Target], course: list[Callable[[], Exception]], options: dict[str, Any]
) -> None:
    sending = Sending(office_of(**options).call(targets))
    sending.run(lambda number: course[number % len(course)]())
    decided = {
        Decision.WITHOUT_PARAMETER,
        Decision.WITHOUT_FEATURE,
        Decision.WITHOUT_CACHE_POINTS,
        Decision.NEXT_MODEL,
        Decision.NEXT_TARGET,
        Decision.NEXT_METHOD,
        Decision.OUT_FOR_TODAY,
    }
    for number, decision in enumerate(sending.decisions):
        assert decision not in decided or sending.sent[number] not in sending.sent[number + 1 :]


@given(targets=some_targets, course=courses, options=offices)
def test_no_error_shows_the_prompt_and_every_error_travels_between_processes(
    targets: list[Target], course: list[Callable[[], Exception]], options: dict[str, Any]
) -> None:
    failure = Sending(office_of(**options).call(targets)).run(
        lambda number: course[number % len(course)]()
    )
    assert failure is not None
    for shown in (str(failure), repr(failure), repr(failure.details), repr(failure.args)):
        assert SECRET not in shown
    copied = pickle.loads(pickle.dumps(failure))
    assert (type(copied), str(copied)) == (type(failure), str(failure))
    assert [(r.decision, str(r.error)) for r in copied.attempt_log] == [
        (r.decision, str(r.error)) for r in failure.attempt_log
    ]
    assert [(a.model_id, str(a.error)) for a in copied.attempts] == [
        (a.model_id, str(a.error)) for a in failure.attempts
    ]


# --- by decision -----------------------------------------------------------------------------------------


def test_an_answer_is_on_record_beside_what_failed_before() -> None:
    call = Office().call([target("a"), target("b", "r2")])
    error = answer("ThrottlingException", status=429)
    Sending(call).run(with_errors(error))
    first, second = call.attempts
    assert (first.model_id, first.region, first.access_method) == ("a", "r1", "direct")
    assert (first.success, first.error, first.attempt_number) == (False, error, 1)
    assert (second.model_id, second.region, second.attempt_number) == ("b", "r2", 2)
    assert (second.success, second.error) == (True, None)
    assert first.end_time is not None
    assert first.start_time <= first.end_time <= second.start_time
    assert [(r.model, r.decision, r.error) for r in call.log] == [
        ("a", Decision.REST.value, error),
        ("b", "answered", None),
    ]
    assert call.warnings == []


def test_a_target_that_is_repeated_is_one_attempt_and_several_sendings() -> None:
    office = Office()
    call = office.call([target("a")])
    errors = [answer("ThrottlingException", status=429) for _ in range(3)]
    Sending(call).run(with_errors(*errors))
    [attempt] = call.attempts
    assert (attempt.success, attempt.error) == (True, errors[-1])
    assert [record.error for record in call.log] == [*errors, None]
    assert [record.pause_ms for record in call.log[1:]] == [
        pytest.approx(pause * 1000) for pause in office.pauses
    ]


def test_a_target_that_fails_rests_until_it_answers_again() -> None:
    office = Office()
    health = office.equipment.health
    Sending(office.call([target("a"), target("b")])).run(
        with_errors(answer("ThrottlingException", status=429))
    )
    assert health.rests_until(target("a")) > 0
    assert health.rests_until(target("b")) == 0
    second = Sending(office.call([target("a"), target("b")]))
    second.run(with_errors())
    assert [t.model for t, _, _ in second.sent] == ["b"]
    Sending(office.call([target("a")])).run(with_errors())
    assert not health


def test_what_worked_is_remembered_for_the_process() -> None:
    points = CachePointManager(CacheConfig(enabled=True))
    office = Office(cache_points=points)
    nova = Target("n", "r1", "amazon.nova-lite-v1:0", (Way("regional_cris", "us.n"),))
    Sending(office.call([nova])).run(with_errors())
    preference = office.equipment.access_methods.get_preference(*nova.key)
    assert preference is not None
    assert preference.get_preferred_method() == "regional_cris"
    assert not preference.learned_from_error
    assert office.equipment.used_ways == {(*nova.key, "regional_cris")}
    assert points.get_availability_tracker().is_cache_supported(*nova.key) is True
    assert office.compatibility.get_statistics()["compatible_count"] == 1


def test_an_answer_to_a_request_without_cache_points_says_nothing_of_them() -> None:
    points = CachePointManager(CacheConfig(enabled=True))
    office = Office(cache_points=points)
    nova = Target("n", "r1", "amazon.nova-lite-v1:0", (Way("direct", "n"),))
    request = {"messages": [{"role": "user", "content": [TEXT]}]}
    Sending(office.call([nova], request)).run(with_errors())
    assert points.get_availability_tracker().is_cache_supported(*nova.key) is None
    assert office.compatibility.get_statistics()["total_combinations"] == 0
    # Nor does one from which they were taken out.
    points.refused(*nova.key)
    Sending(office.call([nova])).run(with_errors())
    assert points.get_availability_tracker().is_cache_supported(*nova.key) is False


def test_who_waits_throttling_out_does_so_until_the_deadline() -> None:
    office = Office(retry=RetryConfig(max_retries=0), waits_out_throttling=True)
    call = office.call([target("a")], deadline=Deadline(time.monotonic() + 3600, is_hard=True))
    sending = Sending(call)
    throttled = [answer("ThrottlingException", status=429) for _ in range(5)]
    assert sending.run(with_errors(*throttled)) is None
    assert len(sending.sent) == 6


@pytest.mark.parametrize(
    ("message", "left"), [(NO_TOP_K, {"foo": SECRET}), (NO_FOO, {"top_k": SECRET})]
)
def test_a_parameter_is_left_out_on_the_same_target_and_remembered(
    message: str, left: dict[str, Any]
) -> None:
    office = Office()
    first = Sending(office.call([target("a", "r1"), target("a", "r2"), target("b")]))
    assert first.run(with_errors(invalid(message))) is None
    assert [each.region for each, _, _ in first.sent] == ["r1", "r1"]
    assert first.decisions == [Decision.WITHOUT_PARAMETER]
    assert first.requests[0] == REQUEST
    assert first.requests[1] == {**REQUEST, "additionalModelRequestFields": left}
    [removed] = {"top_k", "foo"} - left.keys()
    assert first.call.warnings == [f"a in r1 does not take these parameters, left out: {removed}."]
    # The next call, and another region of the model, are sent without it straight away.
    second = Sending(office.call([target("a", "r2"), target("b")]))
    second.run(with_errors(answer("AccessDeniedException", status=403)))
    assert [request["additionalModelRequestFields"] for request in second.requests] == [
        left,
        FIELDS,
    ]
    assert office.compatibility.is_known_incompatible("acme.a", "r1", FIELDS)


def test_two_calls_that_meet_the_same_refusal_at_once_both_get_their_answer() -> None:
    office = Office()
    for message in (NO_TOP_K, NO_TOOLS, NO_CACHING):
        calls = [office.call([target("a")]) for _ in range(2)]
        attempts = []
        for call in calls:
            attempt = call.next()
            assert attempt is not None
            call.request_for(attempt)
            attempts.append(attempt)
        for call, attempt in zip(calls, attempts, strict=True):
            call.failed(attempt, invalid(message))
        for call in calls:
            again = call.next()
            assert again is not None
            assert call.request_for(again) != REQUEST


@pytest.mark.parametrize(
    ("message", "feature"), [(NO_TOOLS, "tool_use"), (NO_IMAGES, "image_processing")]
)
def test_a_feature_is_asked_of_other_models_first_and_then_left_out(
    message: str, feature: str
) -> None:
    office = Office()
    denied = answer("AccessDeniedException", status=403)
    sending = Sending(office.call([target("a", "r1"), target("a", "r2"), target("b")]))
    assert sending.run(with_errors(invalid(message), denied)) is None
    assert [(t.model, t.region) for t, _, _ in sending.sent] == [
        ("a", "r1"),
        ("b", "r1"),
        ("a", "r1"),
    ]
    assert sending.requests[1] == REQUEST
    assert sending.requests[2] != REQUEST
    [warning] = sending.call.warnings
    assert warning.startswith(f"Disabled {feature}: a in r1 does not have it")
    # Remembered: the model that has it comes first, although it is the caller's second.
    second = Sending(office.call([target("a"), target("b")]))
    second.run(with_errors())
    assert [t.model for t, _, _ in second.sent] == ["b"]


def test_a_feature_that_is_not_to_be_given_up_is_a_reason_for_the_next_model() -> None:
    office = Office(retry=RetryConfig(enable_feature_fallback=False))
    sending = Sending(office.call([target("a", "r1"), target("a", "r2"), target("b")]))
    failure = sending.run(lambda _: invalid(NO_TOOLS))
    assert [(t.model, t.region) for t, _, _ in sending.sent] == [("a", "r1"), ("b", "r1")]
    assert isinstance(failure, RequestValidationError)
    assert all(request == REQUEST for request in sending.requests)


def test_an_image_in_the_result_of_a_tool_is_not_mistaken_for_any_image() -> None:
    result = {"toolResult": {"toolUseId": "1", "content": [IMAGE]}}
    use = {"toolUse": {"toolUseId": "1", "name": "t", "input": {}}}
    request = {
        "messages": [
            {"role": "user", "content": [TEXT]},
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [result]},
        ],
        "toolConfig": TOOLS,
    }
    office = Office()
    sending = Sending(office.call([target("a"), target("b")], request))
    assert sending.run(with_errors(invalid(NO_IMAGES))) is None
    assert [(t.model, sent) for t, _, sent in sending.sent] == [("a", request), ("b", request)]
    assert office.learned.features == {}


def test_cache_points_are_left_out_on_the_same_target() -> None:
    office = Office()
    sending = Sending(office.call([target("a"), target("b")]))
    assert sending.run(with_errors(invalid(NO_CACHING))) is None
    assert [t.model for t, _, _ in sending.sent] == ["a", "a"]
    content = [IMAGE, TEXT]
    assert sending.requests[1] == {
        **REQUEST,
        "messages": [{"role": "user", "content": content}],
    }
    [warning] = sending.call.warnings
    assert warning.startswith("Disabled prompt_caching: a in r1 does not have it")
    # Remembered, and no reason to ask another model first
    second = Sending(office.call([target("a", "r2"), target("b")]))
    second.run(with_errors())
    assert [(t.model, sent) for t, _, sent in second.sent] == [("a", sending.requests[1])]


def test_a_cache_point_in_the_wrong_place_says_nothing_of_the_next_request() -> None:
    office = Office()
    first = Sending(office.call([target("a")]))
    first.run(with_errors(invalid(MISPLACED)))
    assert [request == REQUEST for request in first.requests] == [True, False]
    second = Sending(office.call([target("a")]))
    second.run(with_errors())
    assert second.requests == [REQUEST]


def test_without_a_cache_point_there_is_none_to_leave_out() -> None:
    request = {"messages": [{"role": "user", "content": [TEXT]}]}
    sending = Sending(Office().call([target("a", "r1"), target("a", "r2"), target("b")], request))
    sending.run(lambda _: answer("AccessDeniedException", NO_CACHING, 403))
    assert [t.model for t, _, _ in sending.sent] == ["a", "b"]


@pytest.mark.parametrize(
    ("handling", "sendings", "warned"),
    [
        (CacheErrorHandling.WARN_AND_CONTINUE, 2, True),
        (CacheErrorHandling.GRACEFUL_DEGRADATION, 2, False),
        (CacheErrorHandling.FAIL_FAST, 1, False),
    ],
)
def test_cache_points_of_ours_are_refused_as_configured(
    handling: CacheErrorHandling, sendings: int, warned: bool
) -> None:
    request = {"messages": [{"role": "user", "content": [{"text": "word " * 20_000}, TEXT]}]}
    points = CachePointManager(CacheConfig(enabled=True, error_handling=handling))
    nova = Target("n", "r1", "amazon.nova-lite-v1:0", (Way("direct", "n"),))
    office = Office(cache_points=points)
    sending = Sending(office.call([nova], request))
    sending.run(with_errors(invalid(NO_CACHING)))
    assert len(sending.sent) == sendings
    assert POINT in sending.requests[0]["messages"][0]["content"]
    assert POINT not in sending.requests[-1]["messages"][0]["content"] or sendings == 1
    assert bool(sending.call.warnings) is warned


def test_what_needs_a_profile_is_called_by_it_and_remembered() -> None:
    office = Office()
    both = target("a", "r1", "direct", "regional_cris")
    first = Sending(office.call([both]))
    first.run(with_errors(invalid(PROFILE_NEEDED)))
    assert [identifier for _, identifier, _ in first.sent] == ["direct.a", "regional_cris.a"]
    [attempt] = first.call.attempts
    assert attempt.success
    assert attempt.access_method == "regional_cris"
    assert attempt.error is not None
    assert first.call.warnings == [
        (
            "a in r1 needs an inference profile; the answer came by regional_cris through "
            "regional_cris.a."
        )
    ]
    second = Sending(office.call([both]))
    second.run(with_errors(answer("ThrottlingException", status=429)))
    assert [identifier for _, identifier, _ in second.sent] == ["regional_cris.a"] * 2
    assert second.call.warnings == []


def test_a_success_binds_nobody_who_prefers_another_method() -> None:
    office = Office()
    both = target("a", "r1", "direct", "regional_cris")
    for preferred in ("regional_cris", "direct", "regional_cris"):
        sending = Sending(office.call([both.preferring(preferred)]))
        sending.run(with_errors())
        assert [identifier for _, identifier, _ in sending.sent] == [f"{preferred}.a"]


@pytest.mark.parametrize(
    ("renewals", "failures", "sendings", "kind"),
    [
        (1, 1, 2, None),
        (1, 2, 2, AuthenticationError),
        (5, 2, 2, AuthenticationError),
        (0, 1, 1, AuthenticationError),
    ],
)
def test_credentials_that_expired_are_renewed_once(
    renewals: int, failures: int, sendings: int, kind: type[Exception] | None
) -> None:
    expired = [answer("ExpiredTokenException", status=403) for _ in range(failures)]
    sending = Sending(Office(renewals).call([target("a"), target("b")]))
    failure = sending.run(with_errors(*expired))
    assert [t.model for t, _, _ in sending.sent] == ["a"] * sendings
    assert failure is None if kind is None else isinstance(failure, kind)


@pytest.mark.parametrize(
    ("message", "decision"),
    [
        (NO_PREFILL, Decision.WITHOUT_PREFILL),
        (TOO_LONG, Decision.WITHOUT_PREFILL),
        (SECRET, Decision.WITHOUT_PREFILL),
        (NO_TOP_K, Decision.WITHOUT_PARAMETER),
    ],
)
def test_a_refusal_of_a_beginning_that_we_gave_is_put_down_to_it(
    message: str, decision: Decision
) -> None:
    office = Office()
    call = office.call([target("a")])
    assert call.takes_prefill(target("a"))
    attempt = call.next()
    assert attempt is not None
    call.request_for(attempt)
    call.continues = True
    assert call.failed(attempt, invalid(message)) is decision
    assert call.takes_prefill(target("a")) is (decision is not Decision.WITHOUT_PREFILL)
    assert call.next() == attempt


def test_a_beginning_that_the_caller_gave_is_a_matter_of_the_model() -> None:
    sending = Sending(Office().call([target("a", "r1"), target("a", "r2"), target("b")]))
    sending.run(with_errors(invalid(NO_PREFILL)))
    assert [t.model for t, _, _ in sending.sent] == ["a", "b"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), RuntimeError("x")])
def test_a_bug_is_raised_as_it_is(error: Exception) -> None:
    call = Office().call([target("a"), target("b")])
    attempt = call.next()
    assert attempt is not None
    with pytest.raises(type(error)) as raised:
        call.failed(attempt, error)
    assert raised.value is error


def test_an_error_that_the_caller_wants_repeated_is() -> None:
    class HookError(Exception):
        pass

    retry = RetryConfig(max_retries=2, retryable_errors=("HookError",))
    sending = Sending(Office(retry=retry).call([target("a")]))
    assert isinstance(sending.run(lambda _: HookError()), RetryExhaustedError)
    assert len(sending.sent) == 3


# --- privacy and travel --------------------------------------------------------------------------------------


def test_what_botocore_refuses_is_explained_without_what_stands_there() -> None:
    request = {"messages": [{"role": "user", "content": [{"text": 5}]}]}
    report = f"Invalid type for parameter messages[0].content[0].text, value: {SECRET}, type: x"
    sending = Sending(Office().call([target("a"), target("b")], request))
    failure = sending.run(lambda _: ParamValidationError(report=report))
    assert len(sending.sent) == 1
    assert isinstance(failure, RequestValidationError)
    assert failure.invalid_fields == ["messages[0].content[0].text"]
    for shown in (failure, *failure.attempt_log, *failure.attempts):
        assert SECRET not in f"{shown!s} {shown!r}"


def test_no_log_record_has_the_prompt_or_what_the_service_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="bestehorn_llmmanager")
    for maker in makers:
        Sending(Office().call([target("a"), target("b")])).run(lambda _, make=maker: make())  # type: ignore[misc]  # a default that binds
    assert len(caplog.records) > len(makers)
    assert SECRET not in caplog.text
    assert "Too many tokens" not in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        *(maker() for maker in makers),
        ConnectTimeoutError(endpoint_url=URL),
        EventStreamError({"Error": {"Code": "throttlingException"}}, "ConverseStream"),
        ProtocolError("Connection broken", IncompleteRead(1, 2)),
        IncompleteRead(1, 2),
        RawReadTimeoutError(None, URL, "x"),  # type: ignore[arg-type]  # the pool
        ConnectionResetError(104, "reset"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_kind_of_error_on_record_travels_between_processes(error: Exception) -> None:
    failure = Sending(Office().call([target("a")])).run(lambda _: error)
    assert failure is not None
    copied = pickle.loads(pickle.dumps(failure))
    [*records] = copied.attempt_log
    assert records
    # botocore makes a plain `ClientError` of its subclasses, which it generates.
    original = failure.attempt_log[0].error
    assert all(isinstance(original, type(record.error)) for record in records)


def raised(error: Exception, cause: Exception | None = None) -> NoReturn:
    raise error from cause


def fail_once(call: Call, error: Exception, cause: Exception | None = None) -> Exception:
    """What is on record after an error was raised while a call was under way."""
    attempt = call.next()
    assert attempt is not None
    try:
        raised(error, cause)
    except type(error) as caught:
        call.failed(attempt, caught)
    on_record = call.log[-1].error
    assert on_record is not None
    return on_record


def test_records_keep_no_frame_of_the_call_alive() -> None:
    cause = ConnectionResetError(104, "reset")
    with pytest.raises(ConnectionResetError):
        raised(cause)
    assert cause.__traceback__ is not None
    on_record = fail_once(
        Office().call([target("a")]), EndpointConnectionError(endpoint_url=URL), cause
    )
    assert on_record.__cause__ is cause
    assert on_record.__traceback__ is cause.__traceback__ is None


def test_an_exception_that_the_caller_handles_meanwhile_keeps_its_traceback() -> None:
    call = Office().call([target("a"), target("b")])

    def work() -> None:
        try:
            raised(LookupError("of the caller"))
        except LookupError:
            fail_once(call, EndpointConnectionError(endpoint_url=URL))
            raise

    with pytest.raises(LookupError) as of_the_caller:
        work()
    on_record = call.log[0].error
    assert on_record is not None
    assert on_record.__context__ is of_the_caller.value
    assert on_record.__traceback__ is None
    assert of_the_caller.traceback[-1].name == "raised"
