"""Tests what follows when the caller's function judges an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.calls.validation import ResponseValidation
from bestehorn_llmmanager.bedrock.exceptions import ConfigurationError
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    ResponseValidationConfig,
    ValidationAttempt,
    ValidationResult,
)
from bestehorn_llmmanager.bedrock.retry.decisions import Decision, Verdict
from bestehorn_llmmanager.bedrock.retry.targets import Target, Way

if TYPE_CHECKING:
    from collections.abc import Callable

ONE = Target("a", "r1", "a", (Way("direct", "a"),))
OTHER = Target("a", "r2", "a", (Way("direct", "a"),))
TOO_SHORT = ValidationResult(success=False, error_message="too short", error_details={"least": 3})


def response(text: str) -> BedrockResponse:
    message = {"role": "assistant", "content": [{"text": text}]}
    return BedrockResponse(success=True, response_data={"output": {"message": message}})


def validation(function: Callable[[BedrockResponse], Any], **options: Any) -> ResponseValidation:
    return ResponseValidation(ResponseValidationConfig(function, **options))


def at_least_three(answer: BedrockResponse) -> ValidationResult:
    return ValidationResult(success=True) if len(answer.get_content() or "") >= 3 else TOO_SHORT


def test_every_verdict_is_kept_with_the_text_of_what_was_refused() -> None:
    asked = validation(at_least_three)
    assert not asked.accepts(response("no"))
    assert asked.accepts(response("yes"))
    assert asked.attempts == [
        ValidationAttempt(1, TOO_SHORT, "no"),
        ValidationAttempt(2, ValidationResult(success=True)),
    ]
    assert asked.errors == [TOO_SHORT.to_dict()]


def test_the_function_is_called_once_per_answer() -> None:
    seen: list[BedrockResponse] = []

    def never(answer: BedrockResponse) -> ValidationResult:
        seen.append(answer)
        return TOO_SHORT

    asked = validation(never, response_validation_retries=0)
    answers = [response("a"), response("b")]
    for answer in answers:
        asked.accepts(answer)
    assert seen == answers


def test_an_exception_of_the_function_is_a_refusal_that_quotes_it() -> None:
    def broken(answer: BedrockResponse) -> ValidationResult:
        raise KeyError("title")

    asked = validation(broken)
    assert not asked.accepts(response("x"))
    [error] = asked.errors
    assert error["success"] is False
    assert "KeyError: 'title'" in error["error_message"]
    assert error["error_details"] == {"exception_type": "KeyError"}


@pytest.mark.parametrize("result", [None, True, "fine", {"success": True}])
def test_whatever_else_the_function_returns_ends_the_call_with_a_sentence(result: object) -> None:
    asked = validation(lambda _: result)
    assert not asked.accepts(response("x"))
    assert asked.verdict(ONE) == Verdict(Decision.NO_VERDICT)
    error = asked.error()
    assert isinstance(error, ConfigurationError)
    assert f"must return a `ValidationResult`, got {type(result).__name__};" in error.message
    assert asked.errors[0]["error_message"] == error.message


def test_what_is_no_function_is_refused_when_it_is_given() -> None:
    with pytest.raises(
        ValueError, match=r"_delay` must be .*; `.*_function` must be callable, but is of type str"
    ) as e:
        ResponseValidationConfig("yes", 1, -1)  # type: ignore[arg-type]  # what is tested
    assert "yes" not in str(e.value)


def test_the_last_answer_that_was_refused_is_kept() -> None:
    asked = validation(at_least_three)
    assert asked.rejected is None
    last = response("nö")
    asked.accepts(response("no"))
    asked.accepts(last)
    asked.accepts(response("yes"))
    assert asked.rejected is last


def test_the_class_of_what_the_function_raises_is_known_to_the_verdict() -> None:
    def broken(answer: BedrockResponse) -> ValidationResult:
        raise KeyError("title")

    asked = validation(broken, response_validation_retries=1)
    asked.accepts(response("x"))
    assert asked.verdict(ONE) == Verdict(Decision.ASK_AGAIN, ("KeyError",))
    assert asked.verdict(ONE) == Verdict(Decision.REJECTED, ("KeyError",))


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_target_is_asked_again_so_often_and_then_the_next(retries: int) -> None:
    asked = validation(at_least_three, response_validation_retries=retries)
    again, rejected = Verdict(Decision.ASK_AGAIN), Verdict(Decision.REJECTED)
    assert [asked.verdict(ONE) for _ in range(retries + 1)] == [*[again] * retries, rejected]
    assert [asked.verdict(OTHER) for _ in range(retries + 1)] == [*[again] * retries, rejected]


def test_the_delay_comes_before_the_next_asking() -> None:
    asked = validation(at_least_three, response_validation_delay=1.5)
    assert asked.verdict(ONE) == Verdict(Decision.ASK_AGAIN, retry_after=1.5)


def test_the_record_has_the_last_refusal_as_an_error() -> None:
    asked = validation(at_least_three)
    asked.accepts(response("no"))
    assert str(asked.error()) == "Validation failed: too short"


@pytest.mark.parametrize("data", [None, {}, {"output": None}, {"output": {"message": 5}}])
def test_an_answer_of_another_shape_can_be_refused_as_well(data: Any) -> None:
    asked = validation(lambda _: TOO_SHORT)
    assert not asked.accepts(BedrockResponse(success=True, response_data=data))
    assert asked.attempts == [ValidationAttempt(1, TOO_SHORT)]
