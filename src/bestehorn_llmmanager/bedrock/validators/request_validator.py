"""Refuses a batch of requests before any of them is sent."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    RequestValidationError as ArgumentError,
)
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import (
    RequestIdCollisionError,
    RequestValidationError,
)
from bestehorn_llmmanager.bedrock.models.converse_members import members_of
from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig
from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
from bestehorn_llmmanager.bedrock.validators.converse_request import (
    check_arguments,
    find_problems,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_SHOWN = 10


class RequestValidator:
    """Checks requests as `LLMManager.converse` would, all of them before the first is sent.

    Safe to share between threads.
    """

    def validate_batch_requests(self, requests: list[BedrockConverseRequest]) -> None:
        """Check that there are requests, that their ids differ, and each request by itself.

        Raises:
            RequestValidationError: The one of `parallel_exceptions`; `validation_errors` has all
                that is wrong, each with the id of its request.
            RequestIdCollisionError: Requests share an id.
        """
        self.validate_request_ids(requests)
        problems = [
            f"Request {request.request_id}: {problem}"
            for request in requests
            for problem in self.validate_request_structure(request)
        ]
        if problems:
            raise _refusal("The requests cannot be sent", problems)

    def validate_request_ids(self, requests: list[BedrockConverseRequest]) -> None:
        """Check that there are requests, and that their ids differ.

        Raises:
            RequestValidationError: The one of `parallel_exceptions`.
            RequestIdCollisionError: Requests share an id.
        """
        _check_batch(requests)
        by_id: dict[Any, list[BedrockConverseRequest]] = {}
        for request in requests:
            by_id.setdefault(request.request_id, []).append(request)
        shared = {request_id: them for request_id, them in by_id.items() if len(them) > 1}
        if shared:
            raise RequestIdCollisionError(shared)

    def validate_request_structure(self, request: BedrockConverseRequest) -> list[str]:
        """What is wrong with one request, a sentence each; empty if nothing is."""
        arguments = request.to_converse_args()
        members = members_of(arguments)
        problems: list[str] = []
        extra = request.extra_request_fields
        if not (wrong := _complaints(check_arguments, {"extra_request_fields": extra})):
            members |= extra or {}
        problems += wrong
        problems += map(str, find_problems(members))
        problems += _complaints(self.validate_model_specific_config, request.model_specific_config)
        problems += _complaints(
            self.validate_enable_extended_context, request.enable_extended_context
        )
        return problems

    def validate_additional_model_request_fields(
        self, additional_model_request_fields: Any
    ) -> None:
        """Check that it is a dict or None.

        Raises:
            RequestValidationError: The one of `llm_manager_exceptions`.
        """
        value = additional_model_request_fields
        if value is not None and not isinstance(value, dict):
            raise _wrong_argument("additionalModelRequestFields", "a dict or None", value)

    def validate_enable_extended_context(self, enable_extended_context: Any) -> None:
        """Check that it is True or False.

        Raises:
            RequestValidationError: The one of `llm_manager_exceptions`.
        """
        if not isinstance(enable_extended_context, bool):
            raise _wrong_argument(
                "enable_extended_context", "True or False", enable_extended_context
            )

    def validate_model_specific_config(self, model_specific_config: Any) -> None:
        """Check that it is a `ModelSpecificConfig` or None.

        Raises:
            RequestValidationError: The one of `llm_manager_exceptions`.
        """
        value = model_specific_config
        if value is not None and not isinstance(value, ModelSpecificConfig):
            raise _wrong_argument("model_specific_config", "a `ModelSpecificConfig` or None", value)


def _check_batch(requests: Any) -> None:
    if isinstance(requests, BedrockConverseRequest):
        raise RequestValidationError("`requests` is a single request; put it into a list")
    if isinstance(requests, (str, bytes, Mapping)) or not isinstance(requests, Collection):
        raise RequestValidationError(
            f"`requests` must be a list of `BedrockConverseRequest`, but is {_what_it_is(requests)}"
        )
    if len(requests) == 0:  # arrays of numpy have no truth
        raise RequestValidationError("`requests` is empty; give at least one")
    problems = [
        problem
        for number, request in enumerate(requests)
        if (problem := _not_a_request(number, request))
    ]
    if problems:
        raise _refusal("`requests` must be a list of `BedrockConverseRequest`", problems)


def _what_it_is(value: object) -> str:
    """What came in place of requests, without its content, and what takes it."""
    if value is None:
        return "None"
    kind = f"of type {type(value).__name__}"
    if isinstance(value, Mapping):
        return f"{kind}; `BedrockConverseRequest.from_dict` takes dicts with `messages`"
    if isinstance(value, Iterator):
        return f"{kind}; `iter_converse_parallel` takes generators"
    return kind


def _not_a_request(number: int, request: object) -> str | None:
    if not isinstance(request, BedrockConverseRequest):
        return f"`requests[{number}]` is {_what_it_is(request)}"
    try:
        hash(request.request_id)
    except TypeError:
        return (
            f"`requests[{number}].request_id` must be a string, "
            f"but is of type {type(request.request_id).__name__}"
        )
    return None


def _refusal(sentence: str, problems: list[str]) -> RequestValidationError:
    """An error with all problems, of which its text has the first few."""
    shown = problems[:_MOST_SHOWN]
    details = {
        "request_id": None,
        "validation_error_count": len(problems),
        "validation_errors": shown,
    }
    return RequestValidationError(
        f"{sentence}: {len(problems)} {'problem' if len(problems) == 1 else 'problems'}, "
        "see `validation_errors`",
        validation_errors=problems,
        details=details,
    )


def _wrong_argument(name: str, expected: str, value: object) -> ArgumentError:
    return ArgumentError(
        f"`{name}` must be {expected}, but is of type {type(value).__name__}",
        invalid_fields=[name],
    )


def _complaints(check: Callable[[Any], None], value: Any) -> list[str]:
    try:
        check(value)
    except ArgumentError as error:
        return error.validation_errors or [error.message]
    return []
