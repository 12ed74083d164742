"""Tests which error a call ends with, by what became of its targets."""

from __future__ import annotations

import pickle
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from bestehorn_llmmanager.bedrock.calls.failures import failure_of
from bestehorn_llmmanager.bedrock.exceptions import (
    AuthenticationError,
    ConfigurationError,
    LLMManagerError,
    RequestValidationError,
    RetryExhaustedError,
)
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RequestAttempt
from bestehorn_llmmanager.bedrock.retry.decisions import Decision, Verdict
from bestehorn_llmmanager.bedrock.retry.plan import Attempt
from bestehorn_llmmanager.bedrock.retry.targets import Target, Way

if TYPE_CHECKING:
    from collections.abc import Sequence

SECRET = "a-very-private-prompt"


def answer(code: str, message: str = "x") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Converse")


def failed(
    *outcomes: tuple[Decision, Exception], out_of_time: bool = False, missed: Attempt | None = None
) -> LLMManagerError:
    """The error where the targets m1 in r1, m2 in r2, … ended like this."""
    attempts = [
        RequestAttempt(f"m{number}", f"r{number}", "direct", number, datetime.now(timezone.utc))
        for number in range(1, len(outcomes) + 1)
    ]
    judged = [(Verdict(decision, _names(decision)), error) for decision, error in outcomes]
    return failure_of(judged, attempts, out_of_time=out_of_time, missed=missed)


def _names(decision: Decision) -> tuple[str, ...]:
    if decision is Decision.NEXT_MODEL:
        return ("input is too long",)
    return ("tool_use",) if decision is Decision.WITHOUT_FEATURE else ()


THROTTLED = (Decision.REST, answer("ThrottlingException", "Too many tokens."))
TOO_LONG = (Decision.NEXT_MODEL, answer("ValidationException", f"{SECRET} is too long"))
NO_TOOLS = (Decision.WITHOUT_FEATURE, answer("ValidationException", f"no tools: {SECRET}"))
NO_FIELD = (Decision.WITHOUT_PARAMETER, answer("ValidationException", SECRET))
MALFORMED = (Decision.REFUSED, answer("ValidationException", f"malformed: {SECRET}"))
DENIED = (Decision.NEXT_TARGET, answer("AccessDeniedException", "You have no access."))
UNKNOWN_TOKEN = (Decision.NEXT_CREDENTIALS, answer("UnrecognizedClientException", "invalid"))
EXPIRED = (Decision.NO_CREDENTIALS, answer("ExpiredTokenException", "expired"))
NEEDS_PROFILE = (Decision.NEXT_METHOD, answer("ValidationException", f"on-demand {SECRET}"))
UNREACHABLE = (Decision.AGAIN, EndpointConnectionError(endpoint_url="https://x"))
REJECTED = (Decision.REJECTED, Exception(f"Validation failed: {SECRET} is no JSON"))
WITHOUT_POINTS = (Decision.WITHOUT_CACHE_POINTS, answer("ValidationException", SECRET))


@pytest.mark.parametrize(
    ("outcomes", "kind", "cause"),
    [
        ([TOO_LONG], RequestValidationError, 0),
        ([TOO_LONG, TOO_LONG], RequestValidationError, 1),
        ([TOO_LONG, NO_TOOLS, NO_FIELD, WITHOUT_POINTS], RequestValidationError, 3),
        ([MALFORMED], RequestValidationError, 0),
        ([THROTTLED, MALFORMED], RequestValidationError, 1),
        # A repeated target can be the one that refuses, while the other's error was the last new.
        ([MALFORMED, THROTTLED], RequestValidationError, 0),
        ([EXPIRED], AuthenticationError, 0),
        ([THROTTLED, EXPIRED], AuthenticationError, 1),
        ([EXPIRED, THROTTLED], AuthenticationError, 0),
        ([UNKNOWN_TOKEN], AuthenticationError, 0),
        ([UNKNOWN_TOKEN, UNKNOWN_TOKEN], AuthenticationError, 1),
        ([UNKNOWN_TOKEN, DENIED], RetryExhaustedError, 1),
        ([THROTTLED], RetryExhaustedError, 0),
        ([TOO_LONG, THROTTLED], RetryExhaustedError, 1),
        ([TOO_LONG, DENIED], RetryExhaustedError, 1),
        ([DENIED, UNREACHABLE, NEEDS_PROFILE, REJECTED], RetryExhaustedError, 3),
        ([REJECTED], RetryExhaustedError, 0),
    ],
)
def test_each_mixture_of_outcomes_has_its_error_with_the_one_that_decided_as_its_cause(
    outcomes: Sequence[tuple[Decision, Exception]], kind: type[LLMManagerError], cause: int
) -> None:
    failure = failed(*outcomes)
    assert type(failure) is kind
    assert failure.__cause__ is outcomes[cause][1]


def test_a_model_that_refuses_the_request_in_one_region_refuses_it() -> None:
    now = datetime.now(timezone.utc)
    attempts = [
        RequestAttempt(model, region, "direct", 1, now)
        for model, region in (("m1", "r1"), ("m1", "r2"), ("m2", "r1"))
    ]
    outcomes = [
        (Verdict(decision, ("words",)), error)
        for decision, error in (THROTTLED, TOO_LONG, NO_TOOLS)
    ]
    failure = failure_of(outcomes, attempts, out_of_time=False)
    assert type(failure) is RequestValidationError
    assert failure.__cause__ is NO_TOOLS[1]
    both = [*outcomes[:2], (Verdict(Decision.REST), THROTTLED[1])]
    assert type(failure_of(both, attempts, out_of_time=False)) is RetryExhaustedError


@pytest.mark.parametrize("outcomes", [[], [TOO_LONG], [THROTTLED, DENIED]])
def test_who_runs_out_of_time_has_not_been_refused(
    outcomes: Sequence[tuple[Decision, Exception]],
) -> None:
    failure = failed(*outcomes, out_of_time=True)
    assert type(failure) is RetryExhaustedError
    assert failure.message.startswith("The time is up, ")
    assert failure.attempts_made == len(outcomes)


def test_an_exhausted_call_says_what_was_tried_in_order() -> None:
    outcomes = [DENIED, UNREACHABLE, THROTTLED, NEEDS_PROFILE, REJECTED, NEEDS_PROFILE]
    failure = failed(*outcomes)
    assert isinstance(failure, RetryExhaustedError)
    assert failure.message == (
        "No target answered, 6 were tried. 2 of them need an inference profile that is not known."
        " m1 in r1: AccessDeniedException (You have no access.);"
        " m2 in r2: EndpointConnectionError;"
        " m3 in r3: ThrottlingException (Too many tokens.);"
        " m4 in r4: ValidationException;"
        " m5 in r5: the answer was rejected;"
        " m6 in r6: ValidationException"
    )
    assert failure.attempts_made == 6
    assert failure.last_errors == [error for _, error in outcomes]
    assert failure.models_tried == ["m1", "m2", "m3", "m4", "m5", "m6"]
    assert failure.regions_tried == ["r1", "r2", "r3", "r4", "r5", "r6"]


@pytest.mark.parametrize("pause", [0.0, 1.234567, 30.0])
@pytest.mark.parametrize("outcomes", [[], [THROTTLED]])
def test_who_runs_out_of_time_is_told_what_there_was_no_time_for(
    outcomes: Sequence[tuple[Decision, Exception]], pause: float
) -> None:
    way = Way("direct", "m")
    missed = Attempt(Target("m", "r", "m", (way,)), way, pause)
    failure = failed(*outcomes, out_of_time=True, missed=missed)
    head, _, rest = failure.message.partition(" tried.")
    assert head == ("The time is up, 1 was" if outcomes else "The time is up, 0 were")
    reason = {
        1.234567: " The next pause, of 1.23 s, would leave no time for an attempt.",
        30.0: " The next pause, of 30 s, would leave no time for an attempt.",
    }.get(pause, "" if outcomes else " An attempt needs at least 1 second.")
    assert rest == reason + (
        " m1 in r1: ThrottlingException (Too many tokens.)" if outcomes else ""
    )


@pytest.mark.parametrize("decision", [Decision.REJECTED, Decision.ASK_AGAIN])
def test_the_class_of_what_a_validation_function_raised_is_in_the_error(decision: Decision) -> None:
    refusal = Exception(f"Validation failed: {SECRET}")
    attempt = RequestAttempt("m", "r", "direct", 1, datetime.now(timezone.utc))
    failure = failure_of(
        [(Verdict(decision, ("KeyError",)), refusal)], [attempt], out_of_time=False
    )
    assert failure.message.endswith(
        " m in r: the answer was rejected: the validation function raised KeyError"
    )


def test_a_function_that_gives_no_verdict_is_said_as_it_is() -> None:
    own = ConfigurationError("It must return a `ValidationResult`.")
    assert failed(THROTTLED, (Decision.NO_VERDICT, own)) is own


MUST_START = (
    "A conversation must start with a user message. Try again with a conversation that starts with "
    "a user message."
)


def test_what_the_service_says_of_the_form_of_a_request_is_quoted() -> None:
    said = answer("ValidationException", MUST_START)
    assert failed((Decision.REFUSED, said)).message == (
        f"No target takes this request; the service refused it. It said: {MUST_START} `__cause__` "
        "has its answer, `attempt_log` says what was asked of whom."
    )
    mixed = failed((Decision.NEXT_MODEL, said), THROTTLED)
    assert f"ValidationException ({MUST_START[:200]}); m2" in mixed.message


def test_a_refusal_names_the_words_of_the_service_once() -> None:
    assert "the service refused it (input is too long, tool_use)." in str(
        failed(TOO_LONG, NO_TOOLS, TOO_LONG)
    )


def test_a_refusal_that_ends_the_call_does_not_name_the_words_about_others() -> None:
    assert "input is too long" not in str(failed(TOO_LONG, MALFORMED))


@pytest.mark.parametrize("kind", [AuthenticationError, RequestValidationError])
def test_an_error_of_our_own_is_raised_as_it_is(kind: type[LLMManagerError]) -> None:
    own = kind("It says itself what is wrong.")
    decision = Decision.NO_CREDENTIALS if kind is AuthenticationError else Decision.REFUSED
    assert failed(THROTTLED, (decision, own)) is own


def test_an_authentication_error_names_the_code_and_the_region() -> None:
    failure = failed(THROTTLED, EXPIRED)
    assert isinstance(failure, AuthenticationError)
    assert failure.region == "r2"
    assert "ExpiredTokenException" in failure.message


@pytest.mark.parametrize("decision", Decision)
def test_what_the_service_says_of_accounts_and_quotas_is_quoted(decision: Decision) -> None:
    error = answer("ThrottlingException", "Ask for a higher quota.")
    # Another target, so that the call is exhausted whatever became of this one.
    message = str(failed((decision, error), THROTTLED, out_of_time=True))
    about_the_account = {
        Decision.REST,
        Decision.OUT_FOR_TODAY,
        Decision.NEXT_TARGET,
        Decision.NEXT_CREDENTIALS,
    }
    assert ("Ask for a higher quota." in message) is (decision in about_the_account)


def test_what_an_unknown_code_says_is_not_quoted() -> None:
    error = answer("SomeException", "It may quote the prompt.")
    message = str(failed((Decision.NEXT_TARGET, error), THROTTLED, out_of_time=True).message)
    assert "SomeException" in message
    assert "quote the prompt" not in message


NOT_HERE = (Decision.NEXT_TARGET, answer("ValidationException", f"not here: {SECRET}"))
ALL = [
    THROTTLED, TOO_LONG, NO_TOOLS, NO_FIELD, DENIED, UNKNOWN_TOKEN, NEEDS_PROFILE, UNREACHABLE,
    REJECTED, WITHOUT_POINTS, NOT_HERE,
]  # fmt: skip


@pytest.mark.parametrize(
    "outcomes", [ALL, [TOO_LONG, NO_TOOLS], [MALFORMED], [REJECTED], [*ALL, EXPIRED]]
)
def test_what_the_service_may_quote_is_not_repeated(
    outcomes: Sequence[tuple[Decision, Exception]],
) -> None:
    failure = failed(*outcomes)
    for shown in (str(failure), repr(failure), repr(failure.details), repr(failure.args)):
        assert SECRET not in shown


@pytest.mark.parametrize("outcomes", [ALL, [TOO_LONG], [MALFORMED], [EXPIRED], []])
def test_every_failure_travels_between_processes(
    outcomes: Sequence[tuple[Decision, Exception]],
) -> None:
    failure = failed(*outcomes)
    copy = pickle.loads(pickle.dumps(failure))
    assert type(copy) is type(failure)
    assert str(copy) == str(failure)
    assert [type(error) for error in getattr(copy, "last_errors", [])] == [
        type(error) for error in getattr(failure, "last_errors", [])
    ]


def test_long_messages_are_cut() -> None:
    failure = failed((Decision.NEXT_TARGET, answer("AccessDeniedException", "no " * 1000)))
    assert len(str(failure)) < 1000


@pytest.mark.parametrize("response", [{}, {"Error": None}, {"Error": {}}, {"Error": {"Code": 5}}])
def test_an_answer_of_another_shape_is_named_by_its_class_or_code(response: Any) -> None:
    class OddError(Exception):
        pass

    error = OddError()
    error.response = response  # type: ignore[attr-defined]  # as botocore's errors have it
    assert "m1 in r1: " in str(failed((Decision.NEXT_TARGET, error)))
