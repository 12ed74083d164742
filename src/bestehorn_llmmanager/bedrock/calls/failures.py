"""Makes one error of what became of all targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    AuthenticationError,
    LLMManagerError,
    RequestValidationError,
    RetryExhaustedError,
)
from bestehorn_llmmanager.bedrock.retry.decisions import Decision, is_known_code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RequestAttempt
    from bestehorn_llmmanager.bedrock.retry.decisions import Verdict
    from bestehorn_llmmanager.bedrock.retry.plan import Attempt

_ABOUT_THE_REQUEST = {
    Decision.NEXT_MODEL,
    Decision.WITHOUT_FEATURE,
    Decision.WITHOUT_PARAMETER,
    Decision.WITHOUT_CACHE_POINTS,
}
_REJECTED = {Decision.ASK_AGAIN, Decision.REJECTED}
# What the service says of these is about accounts and quotas; of others it may quote the prompt:
# see `quoting`.
_QUOTABLE = {
    Decision.REST,
    Decision.OUT_FOR_TODAY,
    Decision.NEXT_TARGET,
    Decision.NEXT_CREDENTIALS,
}
_LONGEST_QUOTE = 200


def forget_request(error: BaseException, *, handled: int = 0) -> None:
    """Make an error forget what was sent: the frames of its traceback, and botocore's request.

    Both hold the prompt; the request has the signature, or the key, in its headers.

    Args:
        error: What a call raised; the errors that led to it forget, too.
        handled: The `id` of an exception that the caller was handling anyway. It ends the chain of
            contexts, and is none of this call's.
    """
    pending: list[BaseException | None] = [error]
    seen = {handled}
    while pending:
        each = pending.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        each.__traceback__ = None
        pending += [each.__cause__, each.__context__]
        if any(kind.__name__ == "HTTPClientError" for kind in type(each).__mro__):
            for name in ("request", "response"):
                setattr(each, name, None)


def failure_of(
    outcomes: Sequence[tuple[Verdict, Exception]],
    attempts: Sequence[RequestAttempt],
    *,
    out_of_time: bool,
    missed: Attempt | None = None,
) -> LLMManagerError:
    """The error of a call that got no answer.

    Args:
        outcomes: The last verdict and error of each target, in the order of `attempts`.
        attempts: One per target.
        out_of_time: Whether the deadline ended the call.
        missed: The attempt for which there was no time any more.
    """
    for attempt, (verdict, error) in zip(attempts, outcomes, strict=False):
        # Of these there is one at most: it ended the call.
        if verdict.decision is Decision.REFUSED:
            return _refused(error, verdict.names)
        if verdict.decision is Decision.NO_VERDICT and isinstance(error, LLMManagerError):
            return error
        if verdict.decision is Decision.NO_CREDENTIALS:
            return _unauthenticated(error, attempt.region)
    if {verdict.decision for verdict, _ in outcomes} == {Decision.NEXT_CREDENTIALS}:
        return _unauthenticated(outcomes[-1][1], attempts[-1].region)
    refusals = {
        attempt.model_id: (error, verdict.names)
        for attempt, (verdict, error) in zip(attempts, outcomes, strict=False)
        if verdict.decision in _ABOUT_THE_REQUEST
    }
    if refusals and not out_of_time and refusals.keys() == {each.model_id for each in attempts}:
        errors, names = zip(*refusals.values(), strict=True)
        return _refused(errors[-1], [name for some in names for name in some])
    return _exhausted(outcomes, attempts, out_of_time=out_of_time, missed=missed)


def _quotable(said: object) -> str | None:
    from bestehorn_llmmanager.bedrock.calls.quoting import quotable  # noqa: PLC0415  (rare)

    return quotable(said)


def _refused(error: Exception, about: Sequence[str]) -> LLMManagerError:
    if isinstance(error, RequestValidationError):
        return error
    found = f" ({', '.join(dict.fromkeys(about))})" if about else ""
    said = _quotable(_answer(error).get("Message"))
    failure = RequestValidationError(
        f"No target takes this request; the service refused it{found}. "
        f"{f'It said: {said} ' if said else ''}"
        "`__cause__` has its answer, `attempt_log` says what was asked of whom."
    )
    failure.__cause__ = error
    return failure


def _unauthenticated(error: Exception, region: str) -> LLMManagerError:
    if isinstance(error, AuthenticationError):
        return error
    failure = AuthenticationError(
        f"AWS does not accept the credentials: {_named(error)}. Renew them, or pass an "
        "`AuthConfig` with others.",
        region=region,
    )
    failure.__cause__ = error
    return failure


def _exhausted(
    outcomes: Sequence[tuple[Verdict, Exception]],
    attempts: Sequence[RequestAttempt],
    *,
    out_of_time: bool,
    missed: Attempt | None,
) -> RetryExhaustedError:
    described = [_described(verdict, error) for verdict, error in outcomes]
    tried = "; ".join(
        f"{attempt.model_id} in {attempt.region}: {description}"
        for attempt, description in zip(attempts, described, strict=False)
    )
    in_need = sum(verdict.decision is Decision.NEXT_METHOD for verdict, _ in outcomes)
    parts = [
        "The time is up" if out_of_time else "No target answered",
        f", {len(attempts)} {'was' if len(attempts) == 1 else 'were'} tried.",
        _why_no_more(missed, len(attempts)) if missed else "",
        f" {in_need} of them need an inference profile that is not known." if in_need else "",
        f" {tried}" if tried else "",
    ]
    failure = RetryExhaustedError(
        "".join(parts),
        attempts_made=len(attempts),
        last_errors=[error for _, error in outcomes],
        models_tried=list(dict.fromkeys(attempt.model_id for attempt in attempts)),
        regions_tried=list(dict.fromkeys(attempt.region for attempt in attempts)),
    )
    if failure.details and described:
        failure.details["last_errors"] = described  # their own texts may quote the prompt
    failure.out_of_time = out_of_time
    failure.__cause__ = outcomes[-1][1] if outcomes else None
    return failure


def _why_no_more(missed: Attempt, tried: int) -> str:
    if missed.pause:
        return f" The next pause, of {missed.pause:.3g} s, would leave no time for an attempt."
    return "" if tried else " An attempt needs at least 1 second."


def _described(verdict: Verdict, error: Exception) -> str:
    decision = verdict.decision
    if decision in _REJECTED:
        # What the function itself says of the answer may quote it.
        raised = f": the validation function raised {verdict.names[0]}" if verdict.names else ""
        return f"the answer was rejected{raised}"
    code, said = _answer(error).get("Code"), _answer(error).get("Message")
    if code == "ValidationException":
        said = _quotable(said)
    elif decision not in _QUOTABLE or not is_known_code(code):
        said = None
    return f"{_named(error)} ({said[:_LONGEST_QUOTE]})" if isinstance(said, str) else _named(error)


def _named(error: Exception) -> str:
    """The code of the service, else the class."""
    return str(_answer(error).get("Code") or type(error).__name__)


def _answer(error: Exception) -> Mapping[str, Any]:
    response: Any = getattr(error, "response", None)
    return (response.get("Error") if isinstance(response, dict) else None) or {}
