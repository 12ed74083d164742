"""Asks the caller's function whether an answer is good enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import ConfigurationError
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    ValidationAttempt,
    ValidationResult,
)
from bestehorn_llmmanager.bedrock.retry.decisions import Decision, Verdict

if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
    from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
        ResponseValidationConfig,
    )
    from bestehorn_llmmanager.bedrock.retry.targets import Target


class ResponseValidation:
    """The verdicts of the caller's function on the answers of one call.

    Attributes:
        attempts: Every verdict, in order; refused text is in them, never in a log.
        errors: The unfavourable ones as dicts.
        rejected: The last answer that was refused, or None.
    """

    def __init__(self, config: ResponseValidationConfig) -> None:
        self._config = config
        self._raised: str | None = None
        self._no_verdict: ConfigurationError | None = None
        self._refusals: dict[Target, int] = {}
        self.attempts: list[ValidationAttempt] = []
        self.errors: list[dict[str, Any]] = []
        self.rejected: BedrockResponse | None = None

    def accepts(self, response: BedrockResponse) -> bool:
        """Ask once; whatever the function does but return a favourable verdict is a refusal."""
        result = self._ask(response)
        refused_text = None if result.success else response.get_content()
        self.attempts.append(ValidationAttempt(len(self.attempts) + 1, result, refused_text))
        if not result.success:
            self.errors.append(result.to_dict())
            self.rejected = response
        return result.success

    def verdict(self, target: Target) -> Verdict:
        """What follows the refusal of an answer of `target`."""
        if self._no_verdict:
            return Verdict(Decision.NO_VERDICT)
        names = (self._raised,) if self._raised else ()
        refusals = self._refusals[target] = self._refusals.get(target, 0) + 1
        if refusals > self._config.response_validation_retries:
            return Verdict(Decision.REJECTED, names)
        return Verdict(
            Decision.ASK_AGAIN, names, retry_after=self._config.response_validation_delay or None
        )

    def error(self) -> Exception:
        """The last refusal as an error for the record, with the `error_message` of the function.

        That text is the caller's. It stands in the record and in no message of this library.
        """
        if self._no_verdict:
            return self._no_verdict
        if self._raised:
            return Exception(f"Validation failed: the validation function raised {self._raised}")
        return Exception(f"Validation failed: {self.errors[-1].get('error_message')}")

    def _ask(self, response: BedrockResponse) -> ValidationResult:
        self._raised = None
        try:
            result: object = self._config.response_validation_function(response)
        except Exception as error:  # noqa: BLE001  (the caller's function; its answer is "no")
            self._raised = type(error).__name__
            return ValidationResult(
                success=False,
                error_message=f"The validation function raised {type(error).__name__}: {error}",
                error_details={"exception_type": type(error).__name__},
            )
        if not isinstance(result, ValidationResult):
            self._no_verdict = ConfigurationError(
                "The `response_validation_function` must return a `ValidationResult`, got "
                f"{type(result).__name__}; what it judged is the `rejected_response`."
            )
            return ValidationResult(success=False, error_message=self._no_verdict.message)
        return result
