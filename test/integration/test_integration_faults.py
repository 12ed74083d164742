"""Tests what `converse` does about every kind of failure, over HTTP.

A course such as ``"A B C ok"`` says which targets are asked in which order, and how it ends: ``ok``
or the class of the error. Targets are letters, see `TARGETS`.
"""

from __future__ import annotations

import logging
import os
import random
import re
import select
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import LLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.exceptions import (
    AuthenticationError,
    LLMManagerError,
    RetryExhaustedError,
)
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
    Boto3Config,
    ResponseValidationConfig,
    RetryConfig,
    ValidationAttempt,
    ValidationResult,
)
from bestehorn_llmmanager.bedrock.retry import decisions
from bestehorn_llmmanager.bedrock.retry.decisions import Decision
from bestehorn_llmmanager.testing import Fault, LocalBedrock, ReceivedRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from typing_extensions import Self

    NewManager = Callable[..., LLMManager]

NOVA, MISTRAL, GPT = (
    "amazon.nova-lite-v1:0",
    "mistral.mistral-large-3-675b-instruct",
    "openai.gpt-oss-120b-1:0",
)
# One model in three regions, where it can be called directly or (with the stroke) by a profile;
# or three models in two regions.
TARGETS = {
    "A": ("us-east-1", NOVA),
    "A'": ("us-east-1", f"us.{NOVA}"),
    "B": ("us-west-2", NOVA),
    "B'": ("us-west-2", f"us.{NOVA}"),
    "C": ("us-east-2", NOVA),
    "C'": ("us-east-2", f"us.{NOVA}"),
    "L1": ("us-east-1", NOVA),
    "L2": ("us-west-2", NOVA),
    "M1": ("us-east-1", MISTRAL),
    "M2": ("us-west-2", MISTRAL),
    "G1": ("us-east-1", GPT),
    "G2": ("us-west-2", GPT),
}
THREE_REGIONS = (["Nova Lite"], ["us-east-1", "us-west-2", "us-east-2"])
THREE_MODELS = (["Nova Lite", "Mistral Large 3", "gpt-oss-120b"], ["us-east-1", "us-west-2"])
NAMES = {NOVA: "Nova Lite", f"us.{NOVA}": "Nova Lite", MISTRAL: "Mistral Large 3", GPT: GPT}
NAMES[GPT] = "gpt-oss-120b"
POSITIONS = ("first", "middle", "last")
PROMPT = [{"role": "user", "content": [{"text": "Hi"}]}]
# Two further tries per target, and none of them waits.
TWICE_MORE = RetryConfig(max_retries=2, retry_delay=0)
PROFILE_NEEDED = (
    f"Invocation of model ID {NOVA} with on-demand throughput isn\u2019t supported. Retry your "
    "request with the ID or ARN of an inference profile that contains this model."
)


@pytest.fixture(scope="module")
def _endpoint() -> Iterator[LocalBedrock]:
    with LocalBedrock(record_bodies=True) as endpoint:
        yield endpoint


@pytest.fixture
def bedrock(_endpoint: LocalBedrock, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBedrock]:
    _endpoint.reset()
    for name, value in _endpoint.environment().items():
        monkeypatch.setenv(name, value)
    for region in ("us-east-1", "us-west-2", "us-east-2", "ap-northeast-1", "eu-north-1"):
        _endpoint.reply_with(f"Hello from {region}", region=region)
    yield _endpoint
    assert _endpoint.errors == ()


@pytest.fixture
def new_manager() -> Iterator[NewManager]:
    """Makes managers that know the bundled catalogue, never wait, and are closed afterwards."""
    with ExitStack() as stack:

        def make(
            plan: tuple[Sequence[str], Sequence[str]] = THREE_REGIONS, **options: Any
        ) -> LLMManager:
            defaults = {
                "catalog_cache_mode": CacheMode.NONE,
                "catalog_refresh": "never",
                "retry_config": TWICE_MORE,
            }
            return stack.enter_context(LLMManager(*plan, **{**defaults, **options}))

        yield make


def called(bedrock: LocalBedrock) -> list[tuple[str | None, str | None]]:
    """Region and identifier of every Converse request, in order."""
    return [(r.region, r.model_id) for r in bedrock.requests if r.operation == "Converse"]


def targets_of(course: str) -> list[tuple[str, str]]:
    return [TARGETS[letter] for letter in course.split()[:-1]]


def ending(course: str) -> str:
    return course.rsplit(maxsplit=1)[-1]


def logged(log: Any) -> list[tuple[str, str, str]]:
    """Region, identifier and decision of every entry of an attempt log."""
    return [(record.region, record.model_id, record.decision) for record in log]


def code_of(error: Any) -> str | None:
    """The code of the service, else the class."""
    if error is None:
        return None
    response = getattr(error, "response", None)
    return str(response["Error"]["Code"]) if response else type(error).__name__


def outcome_of(manager: LLMManager, **request: Any) -> tuple[str, Any]:
    """How a call ends, as the last word of a course says it, and its answer or error."""
    try:
        return "ok", manager.converse(**{"messages": PROMPT, **request})
    except LLMManagerError as error:
        return type(error).__name__, error


def check_books(course: str, told: Any) -> None:
    """`attempts` has each target once, in order, and only an answered one has succeeded."""
    answered = course.endswith(" ok")
    asked = targets_of(course)
    cells = list(dict.fromkeys((NAMES[identifier], region) for region, identifier in asked))
    assert [(a.model_id, a.region) for a in told.attempts] == cells
    assert [a.attempt_number for a in told.attempts] == list(range(1, len(cells) + 1))
    assert [a.success for a in told.attempts] == [
        answered and cell == (NAMES[asked[-1][1]], asked[-1][0]) for cell in cells
    ]
    assert [record.error is None for record in told.attempt_log] == [
        record.decision == "answered" for record in told.attempt_log
    ]
    for attempt in told.attempts:
        errors = [
            record.error
            for record in told.attempt_log
            if record.region == attempt.region and record.model == attempt.model_id
        ]
        assert attempt.error is next((error for error in reversed(errors) if error), None)
        assert attempt.end_time is not None
        assert attempt.start_time <= attempt.end_time
    if isinstance(told, RetryExhaustedError):
        assert told.attempts_made == len(cells)
        assert told.last_errors == [attempt.error for attempt in told.attempts]
        assert told.models_tried == list(dict.fromkeys(name for name, _ in cells))
        assert told.regions_tried == list(dict.fromkeys(region for _, region in cells))
        assert told.__cause__ is told.last_errors[-1]


# --- each row of the table, in each position of the plan ------------------------------------------

READ_TIMEOUT = 0.5
IMPATIENT = Boto3Config(read_timeout=READ_TIMEOUT)  # type: ignore[arg-type]  # fractions work


def patience(fault: Fault) -> Boto3Config | None:
    """A short read timeout, only where it matters: a busy machine may take its time to answer."""
    return IMPATIENT if fault.kind == "hang" else None


# Every way in which the service, or the network, says the same.
FAULTS: dict[Decision, dict[str, Fault]] = {
    Decision.REST: {
        "throttling": Fault.throttling(),
        "throttled": Fault.error("RequestThrottledException", 400),
        "throttling_error": Fault.error("ThrottlingError", 400),
        "quota": Fault.error("ServiceQuotaExceededException", 400),
        "too_many": Fault.error("TooManyRequestsException", 429),
        "unknown_429": Fault.error("SlowDownException", 429),
    },
    Decision.OUT_FOR_TODAY: {
        "throttling": Fault.throttling("Too many tokens per day, please wait before trying again."),
        "quota": Fault.error("ServiceQuotaExceededException", 400, "The quota per day is used up."),
    },
    Decision.AGAIN: {
        "unavailable": Fault.unavailable(),
        "internal": Fault.internal_error(),
        "not_ready": Fault.model_not_ready(),
        "service_unavailable": Fault.error("ServiceUnavailable", 503),
        "internal_error": Fault.error("InternalServerError", 500),
        "internal_failure": Fault.error("InternalFailure", 500),
        "service": Fault.error("ServiceException", 500),
        "unknown_500": Fault.error("SomethingException", 500),
        "unknown_502": Fault.error("BadGatewayException", 502),
        "unknown_504": Fault.error("GatewayTimeoutException", 504),
        "reset": Fault.reset(),
        "reset_in_body": Fault.reset_in_body(),
        "closed": Fault.hang(seconds=0.01),
    },
    Decision.GENERATE_AGAIN: {
        "model_timeout": Fault.model_timeout(),
        "model_error": Fault.model_error(),
        "stream_error": Fault.error("ModelStreamErrorException", 424),
        "unknown_408": Fault.error("RequestTimeoutException", 408),
        "unknown_424": Fault.error("DependencyException", 424),
        "read_timeout": Fault.hang(),
        "broken_json": Fault.broken_json(),
    },
    Decision.NEXT_METHOD: {
        "profile": Fault.validation(PROFILE_NEEDED),
        "plain_apostrophe": Fault.validation(PROFILE_NEEDED.replace("\u2019", "'")),
    },
    Decision.WITHOUT_PARAMETER: {
        "unknown": Fault.validation("Unknown parameter 'foo'"),
        "extraneous": Fault.validation(
            "Malformed input request: #: extraneous key [foo] is not permitted, please reformat."
        ),
        "extra_input": Fault.validation("foo: Extra inputs are not permitted"),
        "field": Fault.validation("This model doesn't support the foo field."),
        "parameter": Fault.validation("The model does not support parameter foo."),
    },
    Decision.WITHOUT_CACHE_POINTS: {
        "extraneous": Fault.validation(
            "Malformed input request: #/messages/0/content/1: extraneous key [cachePoint] is not "
            "permitted, please reformat your input and try again."
        ),
        "nothing": Fault.validation("There is nothing available to cache."),
        "access": Fault.access_denied("You did not allow prompt caching for this account."),
    },
    Decision.NEXT_TARGET: {
        "denied": Fault.access_denied(),
        "not_found": Fault.not_found(),
        "legacy": Fault.not_found(
            "Access denied. This Model is marked by provider as Legacy and you have not been "
            "actively using the model in the last 30 days."
        ),
        "end_of_life": Fault.not_found("This model version has reached the end of its life."),
        "unauthorized": Fault.error("UnauthorizedException", 401),
        "opt_in": Fault.error("OptInRequired", 403),
        "operation": Fault.validation("Operation not allowed"),
        "region": Fault.validation("The model is not available in your region."),
        "unknown_400": Fault.error("SomethingException", 400),
        "unknown_403": Fault.error("SomethingException", 403),
        "unknown_404": Fault.error("SomethingException", 404),
        "unknown_409": Fault.error("ConflictException", 409),
    },
    Decision.NEXT_CREDENTIALS: {
        "unrecognized": Fault.error("UnrecognizedClientException", 403),
        "token_id": Fault.error("InvalidClientTokenId", 403),
        "signature": Fault.error("InvalidSignatureException", 403),
        "missing": Fault.error("MissingAuthenticationToken", 403),
        "missing_token": Fault.error("MissingAuthenticationTokenException", 403),
        "incomplete": Fault.error("IncompleteSignature", 400),
        "unknown_401": Fault.error("SomethingException", 401),
    },
    Decision.REFUSED: {
        "roles": Fault.validation("messages: roles must alternate between user and assistant"),
        "blank": Fault.validation("The text field in the ContentBlock object is blank."),
        "pattern": Fault.validation("1 validation error detected: Value failed to satisfy a rule"),
        "tool_name": Fault.validation("The tool 'x' of toolConfig is not used in function calls."),
        "image": Fault.validation("Could not process image"),
        "cache": Fault.validation("Invalid cache_control: ttl must be ordered"),
        "fields": Fault.validation("thinking.budget_tokens: must be greater than 1024"),
    },
}

# The faulty target is the first, the second or the third; those before it refuse access.
COURSES: dict[Decision, tuple[str, str, str]] = {
    Decision.REST: ("A B ok", "A B C ok", "A B C C C RetryExhaustedError"),
    Decision.OUT_FOR_TODAY: ("A B ok", "A B C ok", "A B C RetryExhaustedError"),
    Decision.AGAIN: ("A B ok", "A B C ok", "A B C C C RetryExhaustedError"),
    Decision.GENERATE_AGAIN: ("A B ok", "A B C ok", "A B C C RetryExhaustedError"),
    Decision.NEXT_METHOD: ("A A' ok", "A B B' ok", "A B C C' ok"),
    Decision.WITHOUT_PARAMETER: ("A A ok", "A B B ok", "A B C C ok"),
    Decision.WITHOUT_CACHE_POINTS: ("A A ok", "A B B ok", "A B C C ok"),
    Decision.NEXT_TARGET: ("A B ok", "A B C ok", "A B C RetryExhaustedError"),
    Decision.NEXT_CREDENTIALS: ("A B ok", "A B C ok", "A B C RetryExhaustedError"),
    Decision.REFUSED: (
        "A RequestValidationError",
        "A B RequestValidationError",
        "A B C RequestValidationError",
    ),
}
ROWS = [
    pytest.param(decision, fault, position, id=f"{decision.name}-{name}-{POSITIONS[position]}")
    for decision, faults in FAULTS.items()
    for name, fault in faults.items()
    for position in range(3)
]

# The request uses all that can be left out, so that it shows when something is.
REQUEST: dict[str, Any] = {
    "messages": [
        {
            "role": "user",
            "content": [
                {"text": "What is this?"},
                {"cachePoint": {"type": "default"}},
                {"image": {"format": "png", "source": {"bytes": b"not looked at"}}},
            ],
        }
    ],
    "additional_model_request_fields": {"foo": 1, "bar": {"depth": [2]}},
    "guardrail_config": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
    "tool_config": {"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {}}}}]},
}
TEXT, CACHE_POINT = {"text": "What is this?"}, {"cachePoint": {"type": "default"}}
IMAGE = {"image": {"format": "png", "source": {"bytes": "bm90IGxvb2tlZCBhdA=="}}}
BODY = {
    "messages": [{"role": "user", "content": [TEXT, CACHE_POINT, IMAGE]}],
    "additionalModelRequestFields": REQUEST["additional_model_request_fields"],
    "guardrailConfig": REQUEST["guardrail_config"],
    "toolConfig": REQUEST["tool_config"],
}
# What is sent in the end, where that is not all of it.
REDUCED = {
    Decision.WITHOUT_PARAMETER: {**BODY, "additionalModelRequestFields": {"bar": {"depth": [2]}}},
    Decision.WITHOUT_CACHE_POINTS: {
        **BODY,
        "messages": [{"role": "user", "content": [TEXT, IMAGE]}],
    },
}


@pytest.mark.needs_member("cachePoint")
@pytest.mark.parametrize(("decision", "fault", "position"), ROWS)
def test_a_fault_anywhere_in_the_plan_is_answered_as_the_table_says(
    bedrock: LocalBedrock,
    new_manager: NewManager,
    decision: Decision,
    fault: Fault,
    position: int,
) -> None:
    course = COURSES[decision][position]
    regions = THREE_REGIONS[1]
    for region in regions[:position]:
        bedrock.fail(Fault.access_denied(), region=region)
    by_itself = decision in REDUCED
    bedrock.fail(
        fault,
        region=regions[position],
        model_id=NOVA if decision is Decision.NEXT_METHOD else None,
        times=1 if by_itself else None,
    )
    manager = new_manager(boto3_config=patience(fault))

    outcome, told = outcome_of(manager, **REQUEST)

    asked = targets_of(course)
    assert called(bedrock) == asked
    assert outcome == ending(course)
    verdicts = [Decision.NEXT_TARGET] * position + [decision] * (len(asked) - position)
    expected = [(*target, v.value) for target, v in zip(asked, verdicts, strict=True)]
    if outcome == "ok":
        expected[-1] = (*asked[-1], "answered")
    assert logged(told.attempt_log) == expected
    check_books(course, told)
    bodies = [request.body for request in bedrock.requests]
    if by_itself:
        assert bodies == [BODY] * (len(asked) - 1) + [REDUCED[decision]]
    else:
        assert bodies == [BODY] * len(asked)
    if outcome == "ok":
        check_answer(asked[-1], told)


def check_answer(target: tuple[str, str], response: Any) -> None:
    region, identifier = target
    assert response.get_content() == f"Hello from {region}"
    assert (response.model_used, response.region_used) == (NAMES[identifier], region)
    assert response.model_id_used == identifier
    uses_profile = identifier.startswith("us.")
    assert response.access_method_used == ("regional_cris" if uses_profile else "direct")
    assert response.inference_profile_id == (identifier if uses_profile else None)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, id=f"{decision.name}-{name}")
        for decision in (Decision.REST, Decision.AGAIN, Decision.GENERATE_AGAIN)
        for name, fault in FAULTS[decision].items()
    ],
)
@pytest.mark.parametrize("position", range(3), ids=POSITIONS)
def test_what_passes_is_waited_for_where_no_other_target_is_left(
    bedrock: LocalBedrock, new_manager: NewManager, fault: Fault, position: int
) -> None:
    down, regions = THREE_REGIONS[1][position], THREE_REGIONS[1]
    for region in regions:
        if region != down:
            bedrock.fail(Fault.access_denied(), region=region)
    bedrock.fail(fault, region=down, times=1)
    manager = new_manager(boto3_config=patience(fault))

    response = manager.converse(PROMPT)

    course = f"A B C {'ABC'[position]} ok"
    assert called(bedrock) == targets_of(course)
    check_books(course, response)
    assert response.get_content() == f"Hello from {down}"
    assert [record.error is None for record in response.attempt_log] == [False] * 3 + [True]


# --- what is about a model ------------------------------------------------------------------------

ABOUT_THE_MODEL = {
    "too_long": "Input is too long for requested model.",
    "prompt_too_long": "prompt is too long: 210000 tokens > 200000 maximum",
    "context": "input length and `max_tokens` exceed context limit: 190000 + 64000 > 200000",
    "identifier": "The provided model identifier is invalid.",
    "deprecated": "`temperature` is deprecated for this model.",
    "both": "`temperature` and `top_p` cannot both be specified for this model.",
    "max_tokens": "The maximum tokens you requested exceeds the model limit of 10000.",
    "its_own": "The model returned the following errors: something is wrong",
    "guardrail": "Guardrails are not supported by this model.",
    "guardrail_plain": "This model doesn't support guardrails.",
    "system": "This model doesn't support system messages.",
    "streaming": "This model doesn't support tool use in streaming mode.",
}


@pytest.mark.needs_member("cachePoint")
@pytest.mark.parametrize("message", ABOUT_THE_MODEL.values(), ids=ABOUT_THE_MODEL)
@pytest.mark.parametrize(
    ("position", "course"),
    [
        (0, "L1 M1 ok"),
        (1, "L1 L2 M1 G1 ok"),
        (2, "L1 L2 M1 M2 G1 RetryExhaustedError"),
    ],
    ids=POSITIONS,
)
def test_what_a_model_cannot_take_is_offered_to_the_next_model(
    bedrock: LocalBedrock,
    new_manager: NewManager,
    message: str,
    position: int,
    course: str,
) -> None:
    ids = [NOVA, MISTRAL, GPT]
    for model_id in ids[:position]:
        bedrock.fail(Fault.access_denied(), model_id=model_id)
    bedrock.fail(Fault.validation(message), model_id=ids[position])

    outcome, told = outcome_of(new_manager(THREE_MODELS), **REQUEST)

    asked = targets_of(course)
    assert (called(bedrock), outcome) == (asked, ending(course))
    verdicts = [
        Decision.NEXT_MODEL if identifier == ids[position] else Decision.NEXT_TARGET
        for _, identifier in asked
    ]
    expected = [(*target, v.value) for target, v in zip(asked, verdicts, strict=True)]
    if outcome == "ok":
        expected[-1] = (*asked[-1], "answered")
        check_answer(asked[-1], told)
    assert logged(told.attempt_log) == expected
    check_books(course, told)
    assert [r.body for r in bedrock.requests] == [BODY] * len(asked)


@pytest.mark.parametrize("message", ABOUT_THE_MODEL.values(), ids=ABOUT_THE_MODEL)
def test_what_no_model_can_take_is_a_mistake_of_the_request(
    bedrock: LocalBedrock, new_manager: NewManager, message: str
) -> None:
    bedrock.fail(Fault.validation(message))
    outcome, error = outcome_of(new_manager(THREE_MODELS))
    assert outcome == "RequestValidationError"
    assert called(bedrock) == targets_of("L1 M1 G1 end")
    assert code_of(error.__cause__) == "ValidationException"
    check_books("L1 M1 G1 RequestValidationError", error)


FEATURES = {
    "image": ("This model doesn't support images.", "image_processing"),
    "image_field": (
        "This model doesn't support the image field for user messages. Remove image and try again.",
        "image_processing",
    ),
    "image_block": ("The model does not support image content blocks.", "image_processing"),
    "tools": ("This model doesn't support tool use.", "tool_use"),
    "tool_config": ("This model doesn't support the toolConfig field.", "tool_use"),
}
WITHOUT = {
    "image_processing": {
        **BODY,
        "messages": [{"role": "user", "content": [TEXT, CACHE_POINT]}],
    },
    "tool_use": {name: value for name, value in BODY.items() if name != "toolConfig"},
}


@pytest.mark.needs_member("cachePoint")
@pytest.mark.parametrize(("message", "feature"), FEATURES.values(), ids=FEATURES)
@pytest.mark.parametrize(
    ("position", "course"),
    [
        (0, "L1 M1 ok"),
        (1, "L1 L2 M1 G1 ok"),
        (2, "L1 L2 M1 M2 G1 G1 ok"),
    ],
    ids=POSITIONS,
)
def test_a_feature_is_looked_for_elsewhere_before_it_is_left_out(
    bedrock: LocalBedrock,
    new_manager: NewManager,
    message: str,
    feature: str,
    position: int,
    course: str,
) -> None:
    ids = [NOVA, MISTRAL, GPT]
    for model_id in ids[:position]:
        bedrock.fail(Fault.access_denied(), model_id=model_id)
    bedrock.fail(Fault.validation(message), model_id=ids[position], times=1)
    manager = new_manager(THREE_MODELS)

    response = manager.converse(**REQUEST)

    asked = targets_of(course)
    assert called(bedrock) == asked
    check_books(course, response)
    check_answer(asked[-1], response)
    left_out = asked[-1] == asked[-2]
    bodies = [r.body for r in bedrock.requests]
    assert bodies == [BODY] * (len(asked) - 1) + [WITHOUT[feature] if left_out else BODY]
    assert response.features_disabled == ([feature] if left_out else [])
    assert [feature in warning for warning in response.warnings] == [True] * left_out
    assert response.attempt_log[position * 2].decision == Decision.WITHOUT_FEATURE.value


@pytest.mark.needs_member("cachePoint")
def test_a_model_without_a_feature_comes_last_from_then_on(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.validation("This model doesn't support images."), model_id=NOVA, times=1)
    manager = new_manager(THREE_MODELS)
    manager.converse(**REQUEST)
    assert manager.converse(**REQUEST).model_id_used == MISTRAL
    assert manager.converse(PROMPT).model_id_used == NOVA
    bedrock.fail(Fault.access_denied(), model_id=MISTRAL)
    bedrock.fail(Fault.access_denied(), model_id=GPT)
    response = manager.converse(**REQUEST)
    assert (response.model_id_used, response.features_disabled) == (NOVA, ["image_processing"])
    assert called(bedrock)[4:] == targets_of("M1 M2 G1 G2 L1 ok")


@pytest.mark.needs_member("cachePoint")
def test_a_feature_is_not_left_out_where_that_is_switched_off(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.validation("This model doesn't support images."))
    retry = RetryConfig(max_retries=2, retry_delay=0, enable_feature_fallback=False)
    outcome, _ = outcome_of(new_manager(THREE_MODELS, retry_config=retry), **REQUEST)
    assert outcome == "RequestValidationError"
    assert called(bedrock) == targets_of("L1 M1 G1 end")
    assert [r.body for r in bedrock.requests] == [BODY] * 3


@pytest.mark.parametrize(
    "message",
    [
        "Guardrails are not supported by this model.",
        "This model doesn't support the guardrailConfig field. Remove guardrailConfig.",
        "Guardrail g was not found",
        "The guardrail blocked a tool, a function, an image, a document or a cache.",
    ],
)
def test_a_guardrail_is_never_left_out(
    bedrock: LocalBedrock, new_manager: NewManager, message: str
) -> None:
    bedrock.fail(Fault.validation(message))
    outcome, _ = outcome_of(new_manager(THREE_MODELS), **REQUEST)
    assert outcome == "RequestValidationError"
    assert [r.body for r in bedrock.requests] == [BODY] * len(bedrock.requests)


def test_a_refused_parameter_is_left_out_for_good_and_for_that_model_only(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.validation("Unknown parameter 'foo'"), model_id=NOVA, times=1)
    fields = {"foo": 1, "bar": 2}
    manager = new_manager(THREE_MODELS)
    responses = [manager.converse(PROMPT, additional_model_request_fields=fields) for _ in "12"]
    bedrock.fail(Fault.access_denied(), model_id=NOVA)
    responses.append(manager.converse(PROMPT, additional_model_request_fields=fields))
    sent = [r.body["additionalModelRequestFields"] for r in bedrock.requests if r.body]
    assert called(bedrock) == targets_of("L1 L1 L1 L1 L2 M1 ok")
    assert sent == [fields, {"bar": 2}, {"bar": 2}, {"bar": 2}, {"bar": 2}, fields]
    assert [r.parameters_removed for r in responses] == [["foo"], ["foo"], None]
    assert [r.final_additional_fields for r in responses] == [{"bar": 2}, {"bar": 2}, None]
    assert [len(r.warnings) for r in responses] == [1, 1, 0]


def test_a_model_that_still_complains_without_the_parameter_is_left(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.validation("Unknown parameter 'foo'"), model_id=NOVA)
    fields = {"foo": 1, "bar": 2}
    response = new_manager(THREE_MODELS).converse(PROMPT, additional_model_request_fields=fields)
    assert called(bedrock) == targets_of("L1 L1 M1 ok")
    sent = [r.body["additionalModelRequestFields"] for r in bedrock.requests if r.body]
    assert sent == [fields, {"bar": 2}, fields]
    assert response.parameters_removed is None


OTHER_PARAMETERS = {
    "temperature": "Unsupported parameter: 'temperature' is not supported with this model.",
    "top_k": "Malformed input request: #: extraneous key [top_k] is not permitted, please reformat.",
    "output_config": "output_config: Extra inputs are not permitted",
    "image": "Malformed input request: #/messages/0/content/2: extraneous key [image] is not permitted",
}


@pytest.mark.parametrize("message", OTHER_PARAMETERS.values(), ids=OTHER_PARAMETERS)
@pytest.mark.parametrize("fields", [None, {"foo": 1}], ids=["no_fields", "fields"])
def test_a_parameter_that_is_no_additional_field_leads_to_the_next_model_with_all_fields(
    bedrock: LocalBedrock,
    new_manager: NewManager,
    message: str,
    fields: dict[str, Any] | None,
) -> None:
    bedrock.fail(Fault.validation(message), model_id=NOVA, times=1)
    manager = new_manager(THREE_MODELS)
    for _ in range(2):
        manager.converse(PROMPT, additional_model_request_fields=fields)
    assert called(bedrock) == targets_of("L1 M1 L1 ok")
    sent = [r.body.get("additionalModelRequestFields") for r in bedrock.requests if r.body]
    assert sent == [fields] * 3


def test_the_beginning_of_an_answer_is_offered_to_the_next_model(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    message = "This model does not support assistant message prefill. End with a user message."
    bedrock.fail(Fault.validation(message), model_id=NOVA)
    messages = [*PROMPT, {"role": "assistant", "content": [{"text": "Well,"}]}]
    response = new_manager(THREE_MODELS).converse(messages)
    assert called(bedrock) == targets_of("L1 M1 ok")
    assert [r.body for r in bedrock.requests] == [{"messages": messages}] * 2
    assert response.success


def test_a_profile_is_used_at_once_where_it_was_needed_before(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.validation(PROFILE_NEEDED), region="us-east-1", model_id=NOVA)
    manager = new_manager()
    first, second = manager.converse(PROMPT), manager.converse(PROMPT)
    assert called(bedrock) == targets_of("A A' A' ok")
    assert (len(first.warnings), second.warnings) == (1, [])
    for part in ("Nova Lite", "us-east-1", "regional_cris", f"us.{NOVA}"):
        assert part in first.warnings[0]
    assert [(a.success, a.access_method, code_of(a.error)) for a in first.attempts] == [
        (True, "regional_cris", "ValidationException")
    ]


def test_a_target_whose_profile_fails_too_is_left(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.validation(PROFILE_NEEDED))
    outcome, error = outcome_of(new_manager())
    assert called(bedrock) == targets_of("A A' B B' C C' end")
    assert outcome == "RetryExhaustedError"
    assert "3 of them need an inference profile" in str(error)
    check_books("A A' B B' C C' RetryExhaustedError", error)


@pytest.mark.parametrize(
    ("fault", "named", "course"),
    [
        (Fault.not_found(), "ResourceNotFoundException", "A B C A B C A B C end"),
        (Fault.validation("malformed"), "ValidationException", "A B C A B C A B C end"),
        (Fault.hang(), "ReadTimeoutError", "A B C A B C A B C end"),
        (Fault.access_denied(), "ResourceNotFoundException", "A B C end"),
    ],
    ids=["code", "refused", "class", "other"],
)
def test_what_the_caller_wants_repeated_is_repeated(
    bedrock: LocalBedrock,
    new_manager: NewManager,
    fault: Fault,
    named: str,
    course: str,
) -> None:
    bedrock.fail(fault)
    manager = new_manager(
        boto3_config=patience(fault),
        retry_config=RetryConfig(max_retries=2, retry_delay=0, retryable_errors=(named,)),
    )
    outcome_of(manager)
    assert called(bedrock) == targets_of(course)


# --- many targets ---------------------------------------------------------------------------------

FIVE_REGIONS = (
    ["Nova Lite"],
    ["us-east-1", "us-west-2", "us-east-2", "ap-northeast-1", "eu-north-1"],
)
DOWN = {
    "throttled": Fault.throttling(),
    "per_day": Fault.throttling("Too many tokens per day, please wait before trying again."),
    "unavailable": Fault.unavailable(),
    "internal": Fault.internal_error(),
    "denied": Fault.access_denied(),
    "reset": Fault.reset(),
    "hang": Fault.hang(),
    "signature": Fault.error("UnrecognizedClientException", 403),
}


@pytest.mark.parametrize("fault", DOWN.values(), ids=DOWN)
@pytest.mark.parametrize("up", range(5))
def test_every_region_but_one_down(
    bedrock: LocalBedrock, new_manager: NewManager, fault: Fault, up: int
) -> None:
    regions = FIVE_REGIONS[1]
    for region in regions:
        if region != regions[up]:
            bedrock.fail(fault, region=region)
    manager = new_manager(FIVE_REGIONS, boto3_config=patience(fault))
    response = manager.converse(PROMPT)
    assert called(bedrock) == [(region, NOVA) for region in regions[: up + 1]]
    assert response.get_content() == f"Hello from {regions[up]}"


ALL_DOWN = {
    "throttled": (Fault.throttling(), "A B C A B C A B C RetryExhaustedError", "Throttling"),
    "per_day": (
        Fault.throttling("Too many tokens per day."),
        "A B C RetryExhaustedError",
        "Throttling",
    ),
    "unavailable": (
        Fault.unavailable(),
        "A B C A B C A B C RetryExhaustedError",
        "ServiceUnavailable",
    ),
    "internal": (Fault.internal_error(), "A B C A B C A B C RetryExhaustedError", "InternalServer"),
    "model_error": (Fault.model_error(), "A B C A RetryExhaustedError", "ModelError"),
    "denied": (Fault.access_denied(), "A B C RetryExhaustedError", "AccessDenied"),
    "not_found": (Fault.not_found(), "A B C RetryExhaustedError", "ResourceNotFound"),
    "reset": (Fault.reset(), "A B C A B C A B C RetryExhaustedError", "ConnectionClosed"),
    "hang": (Fault.hang(), "A B C A RetryExhaustedError", "ReadTimeout"),
    "signature": (
        Fault.error("InvalidSignatureException", 403),
        "A B C AuthenticationError",
        "InvalidSignature",
    ),
    "malformed": (Fault.validation("malformed"), "A RequestValidationError", "Validation"),
}


@pytest.mark.parametrize(("fault", "course", "code"), ALL_DOWN.values(), ids=ALL_DOWN)
def test_all_regions_down(
    bedrock: LocalBedrock,
    new_manager: NewManager,
    fault: Fault,
    course: str,
    code: str,
) -> None:
    bedrock.fail(fault)
    manager = new_manager(boto3_config=patience(fault))
    outcome, error = outcome_of(manager)
    assert (called(bedrock), outcome) == (targets_of(course), ending(course))
    check_books(course, error)
    assert {code in str(code_of(record.error)) for record in error.attempt_log} == {True}
    assert code in str(code_of(error.__cause__))


def test_all_regions_down_because_nobody_listens(
    monkeypatch: pytest.MonkeyPatch, new_manager: NewManager
) -> None:
    with LocalBedrock() as endpoint:
        for name, value in endpoint.environment().items():
            monkeypatch.setenv(name, value)
    outcome, error = outcome_of(new_manager())
    assert outcome == "RetryExhaustedError"
    course = "A B C A B C A B C RetryExhaustedError"
    again = Decision.AGAIN.value
    assert logged(error.attempt_log) == [(*target, again) for target in targets_of(course)]
    assert {code_of(record.error) for record in error.attempt_log} == {"EndpointConnectionError"}
    check_books(course, error)


def test_all_regions_silent_for_a_passed_timeout(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.hang())
    seconds, (outcome, error) = timed(lambda: outcome_of(new_manager(), timeout=1.9))
    assert outcome == "RetryExhaustedError"
    assert called(bedrock) == targets_of("A end")
    assert str(error).startswith("The time is up, 1 was tried.")
    assert seconds < 1.9 + LITTLE


KINDS = [
    *(fault for faults in FAULTS.values() for fault in faults.values() if fault != Fault.hang()),
    *map(Fault.validation, ABOUT_THE_MODEL.values()),
    *(Fault.validation(message) for message, _ in FEATURES.values()),
]


@pytest.mark.needs_member("cachePoint")
@pytest.mark.parametrize("seed", range(60))
def test_whatever_mixture_of_faults_no_target_is_asked_more_often_than_allowed(
    bedrock: LocalBedrock, new_manager: NewManager, seed: int
) -> None:
    dice = random.Random(seed)
    cells = [(r, m) for m in (NOVA, MISTRAL, GPT) for r in THREE_MODELS[1]]
    for region, model_id in cells:
        for fault in dice.sample(KINDS, dice.randint(0, 3)):
            times = dice.choice([1, 2, 5, None])
            bedrock.fail(fault, region=region, model_id=model_id, times=times)

    outcome, told = outcome_of(new_manager(THREE_MODELS), **REQUEST)

    log = told.attempt_log
    assert [(record.region, record.model_id) for record in log] == called(bedrock)
    assert outcome in {"ok", "RetryExhaustedError", "RequestValidationError"}
    assert [record.decision == "answered" for record in log] == [False] * (len(log) - 1) + [
        outcome == "ok"
    ]
    repeatable = {Decision.REST.value, Decision.AGAIN.value, Decision.GENERATE_AGAIN.value}
    for model, region in {(record.model, record.region) for record in log}:
        sent = [
            record.decision for record in log if (record.model, record.region) == (model, region)
        ]
        assert sum(decision in repeatable for decision in sent) <= 3
        # Beyond the first and two repetitions: by a profile, without two parameters and two
        # features, and without cache points.
        assert len(sent) <= 3 + 1 + 2 + 2 + 1
    lost = sum(record.decision == Decision.GENERATE_AGAIN.value for record in log)
    assert lost <= len(cells) + 1
    if outcome == "RetryExhaustedError":
        dropped = {r.model for r in log if r.decision == Decision.NEXT_MODEL.value}
        asked = {(record.model, record.region) for record in log}
        missing = {(NAMES[m], r) for r, m in cells if NAMES[m] not in dropped} - asked
        assert missing == set()


# --- deadlines ------------------------------------------------------------------------------------

LITTLE = 5.0  # seconds that shared cores may take for what is no waiting


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.monotonic()
    result = work()
    return time.monotonic() - started, result


class Silence:
    """An endpoint that a client waits for in vain; `phase` says from where on."""

    def __init__(self, phase: str) -> None:
        self._phase = phase
        self._stack = ExitStack()
        backlog = 0 if phase == "connect" else 16
        self._listener = self._stack.enter_context(
            closing(socket.create_server(("127.0.0.1", 0), backlog=backlog))
        )
        scheme = "https" if phase == "handshake" else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        if self._phase == "connect":
            self._fill_the_queue()
        if self._phase in {"body", "late body"}:
            thread = threading.Thread(target=self._send_half_of_an_answer, daemon=True)
            thread.start()
            self._stack.callback(thread.join, 5)
            self._stack.callback(self._listener.shutdown, socket.SHUT_RDWR)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _fill_the_queue(self) -> None:
        for _ in range(4):
            client = self._stack.enter_context(closing(socket.socket()))
            client.setblocking(False)
            client.connect_ex(self._listener.getsockname())

    def _send_half_of_an_answer(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with closing(connection):
            connection.recv(1 << 16)
            if self._phase == "late body":
                select.select([], [], [], 0.9)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b'Content-Length: 1000\r\n\r\n{"output": {"mess'
            )
            while connection.recv(1 << 16):  # until the client leaves
                pass


@pytest.mark.parametrize("phase", ["connect", "handshake", "headers", "body"])
@pytest.mark.parametrize("passed_to", ["manager", "call"])
def test_a_hang_in_any_phase_ends_by_the_passed_timeout(
    bedrock: LocalBedrock,
    new_manager: NewManager,
    monkeypatch: pytest.MonkeyPatch,
    phase: str,
    passed_to: str,
) -> None:
    with Silence(phase) as silence:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", silence.url)
        manager = new_manager(**({"timeout": 1.9} if passed_to == "manager" else {}))
        request = {"timeout": 1.9} if passed_to == "call" else {}
        seconds, (outcome, error) = timed(lambda: outcome_of(manager, **request))
    assert outcome == "RetryExhaustedError"
    assert logged(error.attempt_log)[0][:2] == TARGETS["A"]
    assert len(error.attempt_log) == 1
    expected = "ConnectTimeoutError" if phase == "connect" else "ReadTimeoutError"
    assert code_of(error.__cause__) == expected
    assert 0.9 < seconds < 1.9 + LITTLE
    assert "The time is up" in str(error)


def test_a_hang_after_late_headers_takes_no_more_than_twice_the_passed_timeout(
    bedrock: LocalBedrock,
    new_manager: NewManager,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Silence("late body") as silence:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", silence.url)
        manager = new_manager()
        seconds, (outcome, _) = timed(lambda: outcome_of(manager, timeout=1.9))
    assert outcome == "RetryExhaustedError"
    assert seconds < 2 * 1.9 + LITTLE


def test_a_handler_passes_its_remaining_time_and_the_manager_serves_the_next_event(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    manager = new_manager()

    def handler(event: dict[str, Any], context: Any) -> str | None:
        seconds = context.get_remaining_time_in_millis() / 1000 - 1
        try:
            return manager.converse(event["messages"], timeout=seconds).get_content()
        except RetryExhaustedError:
            return None

    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 2900)
    bedrock.fail(Fault.hang(), times=1)
    seconds, answer = timed(lambda: handler({"messages": PROMPT}, context))
    assert answer is None
    assert seconds < 1.9 + LITTLE
    assert handler({"messages": PROMPT}, context) == "Hello from us-west-2"
    assert called(bedrock) == targets_of("A B ok")


def test_the_default_timeout_leaves_attempts_to_the_timeouts_of_botocore(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.slow(1.8))
    manager = new_manager()
    with ThreadPoolExecutor() as pool:
        patient = pool.submit(outcome_of, manager)
        hurried = pool.submit(outcome_of, manager, timeout=1.9)
        assert (patient.result()[0], hurried.result()[0]) == ("ok", "RetryExhaustedError")


def test_read_timeout_ends_a_hang_in_time_for_another_region(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.hang(), region="us-east-1")
    manager = new_manager(boto3_config=IMPATIENT, timeout=3)
    seconds, response = timed(lambda: manager.converse(PROMPT))
    assert called(bedrock) == targets_of("A B ok")
    assert response.region_used == "us-west-2"
    assert seconds < READ_TIMEOUT + LITTLE


def test_a_silent_region_leaves_a_second_for_another_one(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.hang(), region="us-east-1")
    manager = new_manager(boto3_config=Boto3Config(read_timeout=3))
    seconds, response = timed(lambda: manager.converse(PROMPT, timeout=3))
    assert called(bedrock) == targets_of("A B ok")
    assert response.region_used == "us-west-2"
    assert 1.7 < seconds < 1.75 + LITTLE


@pytest.mark.parametrize("timeout", [2, 2.0])
def test_a_round_number_of_seconds_is_used_to_its_end(
    bedrock: LocalBedrock, new_manager: NewManager, timeout: float
) -> None:
    bedrock.fail(Fault.slow(1.1))
    # A busy machine may take the twentieth of a second that a call has to begin; not each time.
    assert any(outcome_of(new_manager(), timeout=timeout)[0] == "ok" for _ in range(3))


def test_a_timeout_of_a_second_is_enough_for_an_attempt(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    manager = new_manager()
    # Of a second, a busy machine may take the twentieth that a call has to begin.
    assert any(outcome_of(manager, timeout=1)[0] == "ok" for _ in range(5))
    assert called(bedrock) == targets_of("A ok")


def test_no_attempt_starts_with_less_than_a_second_left(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.slow(0.6))
    bedrock.fail(Fault.access_denied())
    outcome, error = outcome_of(new_manager(), timeout=1.5)
    assert (outcome, called(bedrock)) == ("RetryExhaustedError", targets_of("A end"))
    assert "The time is up, 1 was tried." in str(error)
    assert code_of(error.__cause__) == "AccessDeniedException"


def test_attempts_and_pauses_share_one_deadline(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    retry = RetryConfig(max_retries=10_000, retry_delay=0.02, max_retry_delay=0.02)
    manager = new_manager((["Nova Lite"], ["us-east-1"]), retry_config=retry)
    manager.converse(PROMPT, timeout=1.9)  # makes the client
    bedrock.fail(Fault.throttling())
    seconds, (outcome, error) = timed(lambda: outcome_of(manager, timeout=1.9))
    assert outcome == "RetryExhaustedError"
    assert 0.8 < seconds < 1.9 + LITTLE
    assert len(error.attempt_log) == len(called(bedrock)) - 1 > 4
    assert all(0 <= record.pause_ms <= 20 for record in error.attempt_log)
    assert sum(r.pause_ms + r.duration_ms for r in error.attempt_log) <= seconds * 1000


# --- what the service says about time -------------------------------------------------------------


def test_a_retry_after_of_the_service_is_waited_for(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.throttling(retry_after=0.3), times=1)
    manager = new_manager((["Nova Lite"], ["us-east-1"]))
    seconds, response = timed(lambda: manager.converse(PROMPT))
    assert called(bedrock) == targets_of("A A ok")
    assert 0.3 <= seconds < 0.3 + LITTLE
    assert [record.pause_ms for record in response.attempt_log] == [
        0,
        pytest.approx(300, abs=100),
    ]


def test_no_retry_after_is_waited_for_while_another_target_is_healthy(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.throttling(retry_after=60), region="us-east-1")
    seconds, response = timed(lambda: new_manager().converse(PROMPT))
    assert called(bedrock) == targets_of("A B ok")
    assert seconds < LITTLE
    assert [record.pause_ms for record in response.attempt_log] == [0, 0]


def test_the_target_that_asks_for_the_shortest_wait_is_the_first_to_be_asked_again(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    for region, seconds in zip(THREE_REGIONS[1], (30.0, 0.2, 30.0), strict=True):
        bedrock.fail(Fault.throttling(retry_after=seconds), region=region, times=1)
    seconds, response = timed(lambda: new_manager().converse(PROMPT))
    assert called(bedrock) == targets_of("A B C B ok")
    assert 0.15 < seconds < 0.2 + LITTLE
    assert response.region_used == "us-west-2"


@pytest.mark.parametrize("retry_after", [1.1, 30.0])
def test_a_deadline_shorter_than_the_pause_ends_the_call_at_once(
    bedrock: LocalBedrock, new_manager: NewManager, retry_after: float
) -> None:
    bedrock.fail(Fault.throttling(retry_after=retry_after))
    manager = new_manager((["Nova Lite"], ["us-east-1"]))
    seconds, (outcome, error) = timed(lambda: outcome_of(manager, timeout=2))
    assert (outcome, called(bedrock)) == ("RetryExhaustedError", targets_of("A end"))
    assert "The time is up, 1 was tried. The next pause, of " in str(error)
    assert seconds < LITTLE


def test_a_target_whose_quota_is_used_up_for_today_comes_last_from_then_on(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(
        Fault.throttling("Too many tokens per day, please wait before trying again."),
        region="us-east-1",
    )
    manager = new_manager()
    assert [manager.converse(PROMPT).region_used for _ in range(3)] == ["us-west-2"] * 3
    bedrock.fail(Fault.throttling(), region="us-west-2")
    bedrock.fail(Fault.throttling(), region="us-east-2")
    outcome, _ = outcome_of(manager)
    assert outcome == "RetryExhaustedError"
    assert called(bedrock)[:4] == targets_of("A B B B end")
    assert called(bedrock)[4:] == targets_of("B C A B C B C end")


# --- credentials ----------------------------------------------------------------------------------

EXPIRED = {
    "token": Fault.expired_token(),
    "token_short": Fault.error("ExpiredToken", 403),
    "request": Fault.error("RequestExpired", 400),
    "denied": Fault.access_denied("The security token included in the request is expired"),
}


@pytest.fixture
def process_credentials(
    bedrock: LocalBedrock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Credentials that a program gives anew whenever it is asked; the file counts how often."""
    counter, program, config = tmp_path / "count", tmp_path / "give.py", tmp_path / "config"
    program.write_text(
        "import json, pathlib, sys\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "number = int(path.read_text()) + 1 if path.exists() else 1\n"
        "path.write_text(str(number))\n"
        'print(json.dumps({"Version": 1, "AccessKeyId": f"AKIA{number:016}", '
        '"SecretAccessKey": "s", "SessionToken": "t", "Expiration": "2099-01-01T00:00:00Z"}))\n'
    )
    config.write_text(f"[default]\ncredential_process = {sys.executable} {program} {counter}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    return counter


@pytest.mark.parametrize("fault", EXPIRED.values(), ids=EXPIRED)
@pytest.mark.parametrize("position", range(3), ids=POSITIONS)
def test_credentials_that_expire_half_way_are_renewed_once(
    bedrock: LocalBedrock,
    new_manager: NewManager,
    process_credentials: Path,
    fault: Fault,
    position: int,
) -> None:
    keys: list[str] = []

    def answer(request: ReceivedRequest) -> str:
        keys.append(key_of(request.headers))
        return "Hello."

    bedrock.reply_with(answer)
    manager = new_manager()
    assert manager.converse(PROMPT).success
    regions = THREE_REGIONS[1]
    for region in regions[:position]:
        bedrock.fail(Fault.access_denied(), region=region)
    bedrock.fail(fault, region=regions[position], times=1)

    response = manager.converse(PROMPT)

    course = ("A A ok", "A B B ok", "A B C C ok")[position]
    assert called(bedrock)[1:] == targets_of(course)
    check_books(course, response)
    assert response.attempt_log[-2].decision == Decision.RENEW_CREDENTIALS.value
    assert process_credentials.read_text() == "2"
    assert keys == [f"AKIA{number:016}" for number in (1, 2)]
    assert manager.converse(PROMPT).success
    assert process_credentials.read_text() == "2"


def key_of(headers: Any) -> str:
    return str(headers["authorization"]).partition("Credential=")[2].partition("/")[0]


@pytest.mark.parametrize("fault", EXPIRED.values(), ids=EXPIRED)
def test_credentials_that_stay_expired_are_an_authentication_error(
    bedrock: LocalBedrock,
    new_manager: NewManager,
    process_credentials: Path,
    fault: Fault,
) -> None:
    bedrock.fail(fault)
    outcome, error = outcome_of(new_manager())
    assert outcome == "AuthenticationError"
    assert called(bedrock) == targets_of("A A end")
    assert [record.decision for record in error.attempt_log] == [
        Decision.RENEW_CREDENTIALS.value,
        Decision.NO_CREDENTIALS.value,
    ]
    assert process_credentials.read_text() == "2"
    assert code_of(error.__cause__) == fault.code


@pytest.mark.parametrize("fault", EXPIRED.values(), ids=EXPIRED)
@pytest.mark.parametrize("position", range(3), ids=POSITIONS)
def test_keys_that_cannot_be_renewed_end_the_call_when_they_expire(
    bedrock: LocalBedrock, new_manager: NewManager, fault: Fault, position: int
) -> None:
    keys = AuthConfig(
        AuthenticationType.CREDENTIALS, access_key_id="AKIAEXAMPLE", secret_access_key="s"
    )
    regions = THREE_REGIONS[1]
    for region in regions[:position]:
        bedrock.fail(Fault.access_denied(), region=region)
    bedrock.fail(fault, region=regions[position])
    outcome, error = outcome_of(new_manager(auth_config=keys))
    course = ("A end", "A B end", "A B C end")[position]
    assert (outcome, called(bedrock)) == ("AuthenticationError", targets_of(course))
    assert error.attempt_log[-1].decision == Decision.NO_CREDENTIALS.value


def test_missing_credentials_are_found_out_before_anything_is_sent(
    bedrock: LocalBedrock,
    new_manager: NewManager,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AuthenticationError) as raised:
        new_manager().converse(PROMPT)
    assert bedrock.count() == 0
    assert logged(raised.value.attempt_log) == [(*TARGETS["A"], Decision.NO_CREDENTIALS.value)]


# --- health ---------------------------------------------------------------------------------------


def test_a_first_region_that_always_throttles_costs_one_round_trip_once(
    monkeypatch: pytest.MonkeyPatch, new_manager: NewManager
) -> None:
    latency = 0.1
    with LocalBedrock(latency=latency) as slow:
        for name, value in slow.environment().items():
            monkeypatch.setenv(name, value)
        manager = new_manager((["Nova Lite"], ["us-east-1", "us-west-2"]))
        manager.converse(PROMPT)
        slow.fail(Fault.access_denied(), region="us-east-1", times=1)
        manager.converse(PROMPT)
        manager.close()
        slow.reset()
        # A manager that has made its clients, but knows nothing of the regions' health.
        manager = new_manager((["Nova Lite"], ["us-east-1", "us-west-2"]))
        slow.fail(Fault.throttling(retry_after=60), region="us-east-1")
        first, response = timed(lambda: manager.converse(PROMPT))
        assert [r.region for r in slow.requests] == ["us-east-1", "us-west-2"]
        assert response.region_used == "us-west-2"
        assert 2 * latency <= first < 2 * latency + LITTLE
        following = [timed(lambda: manager.converse(PROMPT)) for _ in range(3)]
        assert [answer.region_used for _, answer in following] == ["us-west-2"] * 3
        assert [r.region for r in slow.requests][2:] == ["us-west-2"] * 3
        assert latency <= min(seconds for seconds, _ in following) < 2 * latency


def test_what_one_thread_learns_of_a_region_holds_for_all(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.throttling(retry_after=60), region="us-east-1")
    manager = new_manager()
    manager.converse(PROMPT)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: manager.converse(PROMPT), range(16)))
    assert {answer.region_used for answer in answers} == {"us-west-2"}
    assert called(bedrock) == targets_of("A B ok") + targets_of("B ok") * 16


def test_a_region_is_used_again_after_its_rest(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.throttling(), region="us-east-1", times=1)
    manager = new_manager()
    started = time.monotonic()
    assert manager.converse(PROMPT).region_used == "us-west-2"
    while manager.converse(PROMPT).region_used != "us-east-1":
        assert time.monotonic() - started < 5
        select.select([], [], [], 0.05)
    assert 0.4 < time.monotonic() - started < 1.0 + LITTLE
    assert manager.converse(PROMPT).region_used == "us-east-1"


def test_a_success_ends_the_rest(bedrock: LocalBedrock, new_manager: NewManager) -> None:
    bedrock.fail(Fault.throttling(retry_after=0.1), region="us-east-1", times=1)
    bedrock.fail(Fault.access_denied(), region="us-west-2", times=1)
    bedrock.fail(Fault.access_denied(), region="us-east-2", times=1)
    manager = new_manager()
    assert manager.converse(PROMPT).region_used == "us-east-1"
    assert manager.converse(PROMPT).region_used == "us-east-1"
    assert called(bedrock) == targets_of("A B C A A ok")


# --- one layer of retries -------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.internal_error(), Fault.throttling(), Fault.reset()])
@pytest.mark.parametrize(
    ("boto3_config", "per_attempt"),
    [
        (None, 1),
        (Boto3Config(), 1),
        (Boto3Config(read_timeout=5, max_pool_connections=3), 1),
        (Boto3Config(retries_max_attempts=0), 1),
        (Boto3Config(retries_max_attempts=1), 2),
    ],
    ids=["none", "default", "other_settings", "no_retries", "one_retry"],
)
def test_there_is_one_layer_of_retries_unless_botocore_is_asked_for_another(
    bedrock: LocalBedrock,
    new_manager: NewManager,
    fault: Fault,
    boto3_config: Boto3Config | None,
    per_attempt: int,
) -> None:
    bedrock.fail(fault)
    retry = RetryConfig(max_retries=0 if per_attempt > 1 else 2, retry_delay=0)
    manager = new_manager(
        (["Nova Lite"], ["us-east-1"]), boto3_config=boto3_config, retry_config=retry
    )
    outcome, error = outcome_of(manager)
    assert outcome == "RetryExhaustedError"
    assert len(error.attempt_log) == retry.max_retries + 1
    assert len(called(bedrock)) == per_attempt * len(error.attempt_log)


# --- response validation --------------------------------------------------------------------------


def refusing(times: int, **options: Any) -> tuple[ResponseValidationConfig, list[Any]]:
    """A configuration that refuses so many answers, and the answers that it saw."""
    seen: list[Any] = []

    def judge(response: Any) -> ValidationResult:
        seen.append(response)
        if len(seen) > times:
            return ValidationResult(success=True)
        return ValidationResult(
            success=False, error_message=f"no {len(seen)}", error_details={"number": len(seen)}
        )

    return ResponseValidationConfig(judge, **options), seen


def test_an_answer_that_is_accepted_is_judged_once(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    config, seen = refusing(0)
    response = new_manager().converse(PROMPT, response_validation_config=config)
    assert called(bedrock) == targets_of("A ok")
    assert response.validation_attempts == [ValidationAttempt(1, ValidationResult(success=True))]
    assert (response.validation_errors, response.had_validation_failures()) == ([], False)
    (judged,) = seen
    assert (judged.success, judged.model_used, judged.region_used, judged.access_method_used) == (
        True,
        "Nova Lite",
        "us-east-1",
        "direct",
    )
    assert judged.get_content() == "Hello from us-east-1"


def test_after_a_refusal_the_same_target_is_asked_for_another_answer(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    for text in ("one", "two"):
        bedrock.reply_with(text, times=1)
    config, seen = refusing(1)
    response = new_manager().converse(PROMPT, response_validation_config=config)
    assert called(bedrock) == targets_of("A A ok")
    assert [answer.get_content() for answer in seen] == ["one", "two"]
    assert response.get_content() == "two"
    refusal: dict[str, Any] = {
        "success": False,
        "error_message": "no 1",
        "error_details": {"number": 1},
    }
    assert response.validation_attempts == [
        ValidationAttempt(1, ValidationResult(**refusal), "one"),
        ValidationAttempt(2, ValidationResult(success=True)),
    ]
    assert response.validation_errors == [refusal]
    assert response.had_validation_failures()
    assert response.get_validation_metrics()["successful_validation_attempt"] == 2
    assert logged(response.attempt_log) == [
        (*TARGETS["A"], Decision.ASK_AGAIN.value),
        (*TARGETS["A"], "answered"),
    ]
    (attempt,) = response.attempts
    assert (attempt.success, str(attempt.error)) == (True, "Validation failed: no 1")


@pytest.mark.parametrize("position", range(3), ids=POSITIONS)
@pytest.mark.parametrize("retries", [0, 1, 2])
def test_an_answer_that_is_always_refused_is_asked_of_the_next_target(
    bedrock: LocalBedrock, new_manager: NewManager, retries: int, position: int
) -> None:
    for region in THREE_REGIONS[1][:position]:
        bedrock.fail(Fault.access_denied(), region=region)
    config, seen = refusing(retries + 1, response_validation_retries=retries)
    outcome, told = outcome_of(new_manager(), response_validation_config=config)
    again = retries + 1
    course = (f"{'A ' * again}B ok", f"A {'B ' * again}C ok", f"A B {'C ' * again}end")[position]
    assert called(bedrock) == targets_of(course)
    assert outcome == ("RetryExhaustedError" if position == 2 else "ok")
    assert len(seen) == again + (position < 2)
    refused = [record.decision for record in told.attempt_log][position : position + again]
    assert refused == [Decision.ASK_AGAIN.value] * retries + [Decision.REJECTED.value]


def test_answers_that_are_refused_everywhere_exhaust_the_call(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.reply_with("a private answer")
    config, seen = refusing(100, response_validation_retries=1)
    outcome, error = outcome_of(new_manager(), response_validation_config=config)
    course = "A A B B C C RetryExhaustedError"
    assert (called(bedrock), outcome) == (targets_of(course), "RetryExhaustedError")
    assert len(seen) == 6
    assert isinstance(error, RetryExhaustedError)
    assert [str(each) for each in error.last_errors] == [
        f"Validation failed: no {number}" for number in (2, 4, 6)
    ]
    assert "private" not in f"{error} {error!r}"
    assert [each.failed_content for each in error.validation_attempts] == ["a private answer"] * 6
    assert error.validation_attempts[5].validation_result.error_message == "no 6"
    assert error.rejected_response is seen[5]
    check_books(course, error)


@pytest.mark.parametrize("verdict", [None, True, {"success": True}])
def test_a_validation_function_without_a_verdict_ends_the_call(
    bedrock: LocalBedrock, new_manager: NewManager, verdict: Any
) -> None:
    config = ResponseValidationConfig(lambda _: verdict)
    outcome, error = outcome_of(new_manager(), response_validation_config=config)
    assert (called(bedrock), outcome) == (targets_of("A end"), "ConfigurationError")
    assert f"must return a `ValidationResult`, got {type(verdict).__name__};" in str(error)
    assert error.rejected_response.get_content() == "Hello from us-east-1"
    assert [record.decision for record in error.attempt_log] == [Decision.NO_VERDICT.value]
    assert len(error.validation_attempts) == len(error.attempts) == 1


def test_a_validation_function_that_always_raises_is_named_by_what_it_raises(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    def judge(answer: Any) -> ValidationResult:
        return ValidationResult(success=int(answer.get_content()) > 0)

    config = ResponseValidationConfig(judge)
    outcome, error = outcome_of(new_manager(), response_validation_config=config)
    assert outcome == "RetryExhaustedError"
    assert (
        str(error).count("the answer was rejected: the validation function raised ValueError") > 2
    )
    assert "Hello" not in f"{error} {error!r}"


def test_a_validation_function_that_raises_refuses(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    message = (
        "The validation function raised ValueError: invalid literal for int() with base 10: 'x'"
    )
    details = {"exception_type": "ValueError"}
    judges: list[Any] = [lambda _: int("x"), lambda _: ValidationResult(success=True)]

    def take_turns(response: Any) -> Any:
        return judges.pop(0)(response)

    config = ResponseValidationConfig(take_turns)
    response = new_manager().converse(PROMPT, response_validation_config=config)
    assert called(bedrock) == targets_of("A A ok")
    expected = ValidationResult(success=False, error_message=message, error_details=details)
    assert response.validation_attempts[0].validation_result == expected
    assert response.validation_errors == [expected.to_dict()]


def test_the_validation_delay_lies_between_two_answers(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    config, _ = refusing(1, response_validation_delay=0.2)
    response = new_manager().converse(PROMPT, response_validation_config=config)
    assert [record.pause_ms for record in response.attempt_log] == [0, 200]
    first, second = bedrock.requests
    assert second.time - first.time >= 0.19


def test_a_deadline_ends_endless_refusals(bedrock: LocalBedrock, new_manager: NewManager) -> None:
    config, seen = refusing(10**9, response_validation_retries=10**9)
    manager = new_manager()
    seconds, (outcome, error) = timed(
        lambda: outcome_of(manager, timeout=1.9, response_validation_config=config)
    )
    assert (outcome, str(error).partition(",")[0]) == ("RetryExhaustedError", "The time is up")
    assert 0.8 < seconds < 0.9 + LITTLE
    assert len(seen) == len(called(bedrock)) == len(error.attempt_log) > 1


@pytest.mark.needs_member("cachePoint")
@pytest.mark.parametrize(
    ("fault", "model_id", "course"),
    [
        (Fault.validation(PROFILE_NEEDED), NOVA, "A A' A' ok"),
        (Fault.validation("Unknown parameter 'foo'"), None, "A A A ok"),
        (Fault.validation("There is nothing available to cache."), None, "A A A ok"),
        (Fault.throttling(retry_after=60), None, "A B B ok"),
    ],
    ids=["profile", "parameter", "cache_point", "throttled"],
)
def test_a_judged_call_has_the_same_fallbacks(
    bedrock: LocalBedrock,
    new_manager: NewManager,
    fault: Fault,
    model_id: str | None,
    course: str,
) -> None:
    bedrock.fail(fault, region="us-east-1", model_id=model_id, times=1)
    config, _ = refusing(1)
    response = new_manager().converse(**REQUEST, response_validation_config=config)
    assert called(bedrock) == targets_of(course)
    check_books(course, response)
    check_answer(targets_of(course)[-1], response)
    assert len(response.validation_attempts) == 2


def test_a_judged_call_uses_the_access_method_that_is_preferred_and_says_so(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    config, seen = refusing(1)
    manager = new_manager(access_method_preference="regional_cris")
    response = manager.converse(PROMPT, response_validation_config=config)
    assert called(bedrock) == targets_of("A' A' ok")
    assert [answer.access_method_used for answer in seen] == ["regional_cris"] * 2
    check_answer(TARGETS["A'"], response)


def test_a_refused_answer_is_in_no_log(
    bedrock: LocalBedrock,
    new_manager: NewManager,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bedrock.reply_with("a private answer")
    config, _ = refusing(100)
    manager = new_manager(log_level="DEBUG")
    caplog.set_level(logging.DEBUG, logger="bestehorn_llmmanager")
    with pytest.raises(RetryExhaustedError):
        manager.converse(PROMPT, response_validation_config=config)
    assert "private" not in caplog.text


def test_an_ordinary_call_has_no_verdicts(bedrock: LocalBedrock, new_manager: NewManager) -> None:
    response = new_manager().converse(PROMPT)
    assert (response.validation_attempts, response.had_validation_failures()) == ([], False)


def test_what_is_no_validation_config_is_refused_unsent(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    wrong: Any = {"response_validation_function": print}
    with pytest.raises(LLMManagerError, match="must be of type `ResponseValidationConfig`"):
        new_manager().converse(PROMPT, response_validation_config=wrong)
    assert bedrock.count() == 0


# --- the document ---------------------------------------------------------------------------------

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"


def table_under(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading of the document."""
    section = DOCUMENT.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    section = section.partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_the_document_names_every_code_with_its_decision() -> None:
    documented = {
        value.strip("`"): set(re.findall(r"`([\w ]+)`", errors))
        for value, errors, _ in table_under("What follows an error")
    }
    in_code: dict[str, set[str]] = {decision.value: set() for decision in Decision}
    for table in (decisions._BY_CODE, decisions._BY_CLASS):
        for name, decision in table.items():
            in_code[decision.value].add(name)
    for status, decision in decisions._BY_STATUS.items():
        in_code[decision.value].add(f"HTTP {status}")
    assert documented == in_code


def test_the_document_counts_the_cases_that_there_are() -> None:
    documented = {name.strip("`"): int(count) for _, count, _, name in table_under("Fault matrix")}
    listing = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"),
            *("-p", "no:randomly", "-m", "slow or not slow"),
            __file__,
            str(Path(__file__).with_name("test_integration_endurance.py")),
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=DOCUMENT.parents[1],
        env={**os.environ},
    ).stdout
    collected = re.findall(r"::(test_\w+)", listing)
    assert documented
    assert documented == {name: collected.count(name) for name in documented}
