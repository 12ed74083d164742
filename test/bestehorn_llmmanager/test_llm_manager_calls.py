"""What a call keeps, sends and waits for, where it is easily got wrong."""

from __future__ import annotations

import pickle
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import LLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.exceptions import RetryExhaustedError
from bestehorn_llmmanager.bedrock.models.cache_structures import CacheConfig
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    ResponseValidationConfig,
    RetryConfig,
    ValidationResult,
)
from bestehorn_llmmanager.bedrock.retry.decisions import Decision, Verdict
from bestehorn_llmmanager.bedrock.retry.health import TargetHealth
from bestehorn_llmmanager.bedrock.retry.plan import Deadline, Plan
from bestehorn_llmmanager.bedrock.retry.targets import Target, Way
from bestehorn_llmmanager.testing import Fault

if TYPE_CHECKING:
    from bestehorn_llmmanager.testing import LocalBedrock

SECRET = "the very private question"
PROMPT: list[dict[str, Any]] = [{"role": "user", "content": [{"text": SECRET}]}]


def new_manager(models: list[str] | None = None, **options: Any) -> LLMManager:
    return LLMManager(
        models or ["Nova Lite"],
        ["us-east-1"],
        **{
            "catalog_cache_mode": CacheMode.NONE,
            "retry_config": RetryConfig(max_retries=0, retry_delay=0),
            **options,
        },
    )


def target(model: str) -> Target:
    return Target(model, "us-east-1", model, (Way("direct", model),))


def new_plan(*models: str, **options: Any) -> Plan:
    return Plan(
        [target(model) for model in models],
        RetryConfig(retry_delay=0),
        TargetHealth(),
        needs_profile=lambda _: False,
        **options,
    )


@pytest.mark.parametrize("fault", [Fault.reset(), Fault.reset_in_body()])
def test_an_error_keeps_neither_the_prompt_nor_what_signed_it(
    bedrock: LocalBedrock, fault: Fault
) -> None:
    bedrock.fail(fault, operation="Converse")
    with pytest.raises(RetryExhaustedError) as raised:
        new_manager().converse(PROMPT)
    travelling = pickle.dumps([*raised.value.last_errors, raised.value.attempt_log])
    assert SECRET.encode() not in travelling
    assert b"Credential=" not in travelling
    shown = "".join(traceback.format_exception(raised.value.last_errors[0]))
    assert SECRET not in shown
    assert raised.value.last_errors[0].__traceback__ is None


def test_a_botocore_that_knows_no_cache_points_is_sent_none(bedrock: LocalBedrock) -> None:
    # An old botocore refuses what this library put in; a new one sends it.
    manager = new_manager(cache_config=CacheConfig(enabled=True))
    long = [{"role": "user", "content": [{"text": "x" * 20_000}, {"text": "why?"}]}]
    assert manager.converse(long).success
    assert bedrock.count("Converse") == 1


def test_what_a_model_lacks_counts_when_its_turn_comes() -> None:
    lacking: set[str] = set()
    plan = new_plan("a", "b", "c", lacking=lacking)
    first = plan.next()
    assert first is not None
    lacking.add("b")  # another call has learned it meanwhile
    plan.failed(first, Verdict(Decision.NEXT_TARGET))
    order = []
    while attempt := plan.next():
        order.append(attempt.target.model)
        plan.failed(attempt, Verdict(Decision.NEXT_TARGET))
    assert order == ["c", "b"]


def test_a_pause_that_does_not_fit_gives_way_to_a_target_not_tried_yet() -> None:
    plan = new_plan("a", "b", deadline=Deadline(104.0, is_hard=True), now=lambda: 100.0)
    first = plan.next()
    assert first is not None
    plan.failed(first, Verdict(Decision.ASK_AGAIN, retry_after=5.0))
    second = plan.next()
    assert second is not None
    assert second.target.model == "b"


def test_a_service_that_asks_for_hours_is_not_waited_for() -> None:
    plan = new_plan("a")
    first = plan.next()
    assert first is not None
    plan.failed(first, Verdict(Decision.REST, retry_after=86_400.0))
    assert plan.next() is None


def test_a_model_that_is_given_by_two_names_is_asked_once(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.access_denied(), operation="Converse")
    with pytest.raises(RetryExhaustedError) as raised:
        new_manager(["Nova Lite", "amazon.nova-lite-v1:0"]).converse(PROMPT)
    assert raised.value.attempts_made == 1
    assert bedrock.count("Converse") == 1


def test_what_a_validation_function_raises_is_not_in_the_error() -> None:
    def validate(_: object) -> ValidationResult:
        raise ValueError(SECRET)

    from bestehorn_llmmanager.bedrock.calls.validation import ResponseValidation
    from bestehorn_llmmanager.bedrock.models.bedrock_response import (
        BedrockResponse,
    )

    validation = ResponseValidation(ResponseValidationConfig(validate))
    assert validation.accepts(BedrockResponse(success=True)) is False
    assert str(validation.error()) == (
        "Validation failed: the validation function raised ValueError"
    )


def test_a_stream_that_is_closed_is_on_record(bedrock: LocalBedrock) -> None:
    bedrock.reply_with("one two three")
    stream = new_manager().converse_stream(PROMPT)
    next(stream)
    stream.close()
    assert [entry.decision for entry in stream.attempt_log] == ["closed by the caller"]
    assert stream.attempts[0].end_time is not None


def test_closing_wakes_a_stream_out_of_its_pause(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.throttling(retry_after=20), operation="ConverseStream")
    manager = new_manager(retry_config=RetryConfig(max_retries=3))
    stream = manager.converse_stream(PROMPT)
    threading.Timer(0.3, stream.close).start()
    started = time.monotonic()
    assert list(stream) == []
    assert time.monotonic() - started < 10


def test_the_callers_fields_are_not_those_of_the_response(bedrock: LocalBedrock) -> None:
    fields = {"foo": 1}
    bedrock.fail(
        Fault.validation("Malformed input request: #: extraneous key [foo] is not permitted"),
        operation="Converse",
        times=1,
    )
    response = new_manager().converse(PROMPT, additional_model_request_fields=fields)
    assert response.original_additional_fields == fields
    assert response.original_additional_fields is not fields
