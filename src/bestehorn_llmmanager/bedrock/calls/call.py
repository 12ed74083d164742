"""Keeps the books of one call: what was sent where, what came back, what is sent next."""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol

from bestehorn_llmmanager.bedrock.auth.auth_manager import READ_TIMEOUT_STEPS
from bestehorn_llmmanager.bedrock.calls.failures import failure_of, forget_request
from bestehorn_llmmanager.bedrock.calls.preparation import Lacking
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import ContentError
from bestehorn_llmmanager.bedrock.models.attempt_record import AttemptRecord
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RequestAttempt
from bestehorn_llmmanager.bedrock.retry.decisions import Decision, Verdict, classify, is_from_aws
from bestehorn_llmmanager.bedrock.retry.plan import Plan
from bestehorn_llmmanager.bedrock.validators.converse_request import explain_param_validation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
    from bestehorn_llmmanager.bedrock.cache.cache_point_manager import CachePointManager
    from bestehorn_llmmanager.bedrock.calls.learning import Learned
    from bestehorn_llmmanager.bedrock.calls.preparation import Preparation, Prepared
    from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import LLMManagerError
    from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryConfig
    from bestehorn_llmmanager.bedrock.retry.health import TargetHealth
    from bestehorn_llmmanager.bedrock.retry.plan import Attempt, Deadline
    from bestehorn_llmmanager.bedrock.retry.targets import Target
    from bestehorn_llmmanager.bedrock.tracking.access_method_tracker import AccessMethodTracker
    from bestehorn_llmmanager.bedrock.tracking.parameter_compatibility_tracker import (
        ParameterCompatibilityTracker,
    )

logger = logging.getLogger(__name__)

_MAY_BE_ABOUT_PREFILL = {Decision.WITHOUT_PREFILL, Decision.NEXT_MODEL, Decision.REFUSED}


class Leave(Protocol):
    """Permission for one sending; one of its methods is called at its end."""

    def answered(self, answer: Mapping[str, Any]) -> None: ...

    def failed(self, error: BaseException) -> None: ...


class Gate(Protocol):
    """Holds sendings back, where many calls share a quota."""

    def enter(
        self, target: Target, request: Mapping[str, Any], until: float | None
    ) -> Leave | None:
        """Wait for leave; None if there was none until that monotonic time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """What all calls of a manager share; each part is safe to share between threads.

    Attributes:
        used_ways: Target and access method of every answer so far.
        sleep: Waits so many seconds.
        gate: Is asked before each sending, None for no need to. Not for streams.
        why_closed: Says why a gate gave a request no leave: "its quota …".
        waits_out_throttling: Whether a target that throttles is tried until the deadline.
    """

    auth: AuthManager
    retry: RetryConfig
    health: TargetHealth
    learned: Learned
    access_methods: AccessMethodTracker
    compatibility: ParameterCompatibilityTracker
    cache_points: CachePointManager | None
    used_ways: set[tuple[str, str, str]] = field(default_factory=set)
    sleep: Callable[[float], object] = time.sleep
    gate: Gate | None = None
    why_closed: Callable[[Target, Mapping[str, Any]], str] | None = None
    waits_out_throttling: bool = False


class Call:
    """One call of a manager, from its first attempt to its answer or its failure.

    Attributes:
        attempts: One entry per target, in the order in which they were first asked.
        log: One entry per sending.
        warnings: What the caller should know about how the answer was got.
        continues: Whether the request now ends with the beginning of an answer that this library
            put there.
    """

    def __init__(
        self,
        equipment: Equipment,
        preparation: Preparation,
        targets: Sequence[Target],
        *,
        deadline: Deadline | None = None,
    ) -> None:
        self._equipment = equipment
        self.preparation = preparation
        self.deadline = deadline
        requires_profile = equipment.access_methods.requires_profile
        self._plan = Plan(
            targets,
            equipment.retry,
            equipment.health,
            # Not a method: each call would leave a cycle to the garbage collector.
            needs_profile=lambda target: requires_profile(*target.key),
            lacking=Lacking(preparation),
            deadline=deadline,
            waits_out_throttling=equipment.waits_out_throttling,
        )
        self._by_target: dict[Target, RequestAttempt] = {}
        self.attempts: list[RequestAttempt] = []
        self.log: list[AttemptRecord] = []
        self.warnings: list[str] = []
        self.continues = False
        self.sleep = equipment.sleep
        self._without_prefill: set[str] = set()
        self._final: dict[Target, tuple[Verdict, Exception]] = {}
        self._prepared: Prepared | None = None
        self._renewed = False
        self._handled = 0
        self._admitted: tuple[Leave, dict[str, Any]] | None = None
        self._held_back = ""
        self._sent_at: datetime
        self._sent = 0.0

    # What comes next

    def next(self) -> Attempt | None:
        """The next attempt, once its time has come and the gate is open; None if there is none."""
        attempt = self._plan.next()
        if attempt is None:
            return None
        self._handled = id(sys.exc_info()[1])
        if attempt.pause:
            self.sleep(attempt.pause)
        gate = self._equipment.gate
        if gate is not None and not self._enter(gate, attempt):
            return self.next()
        target = attempt.target
        self._sent_at = datetime.now(timezone.utc)
        self._sent = time.perf_counter()
        if target not in self._by_target:
            entry = RequestAttempt(
                target.model,
                target.region,
                attempt.way.method,
                len(self.attempts) + 1,
                self._sent_at,
            )
            self._by_target[target] = entry
            self.attempts.append(entry)
        return attempt

    def converse(self, attempt: Attempt) -> dict[str, Any]:
        """Send the request, not as a stream; gives what boto3 gives.

        Raises:
            Exception: What boto3 raises.
            ContentError: The answer is none.
        """
        leave, request = self._admitted or (None, self.request_for(attempt))
        try:
            client = self.client_for(attempt)
            answer: dict[str, Any] = client.converse(modelId=attempt.way.identifier, **request)
            if "output" not in answer:  # a body that is no JSON: botocore does not mind
                raise ContentError("The answer has no `output`.")  # noqa: TRY301
        except BaseException as error:
            if leave:
                leave.failed(error)
            raise
        if leave:
            leave.answered(answer)
        return answer

    def request_for(self, attempt: Attempt) -> dict[str, Any]:
        """Everything that is sent but `modelId`."""
        self._prepared = self.preparation.for_target(attempt.target)
        return self._prepared.request

    def client_for(self, attempt: Attempt, idle_timeout: float | None = None) -> Any:
        """The client for an attempt: one that gives up when the call must end.

        Raises:
            AuthenticationError: There are no credentials.
        """
        left: float | None = None
        reserve = False
        if idle_timeout is not None:  # the reader bounds it exactly
            left = next((step for step in READ_TIMEOUT_STEPS if step >= idle_timeout), None)
        if self.deadline is not None and self.deadline.is_hard:
            until_deadline = self.deadline.at - time.monotonic()
            if left is None or until_deadline < left:
                left, reserve = until_deadline, self._plan.has_untried
        return self._equipment.auth.runtime_client(attempt.target.region, left, reserve)

    # What came of it

    def answered(self, attempt: Attempt) -> Prepared:
        """Take note of an answer; gives what it answers."""
        equipment, target, prepared = self._equipment, attempt.target, self._prepared
        assert prepared is not None
        entry = self._by_target[target]
        entry.success, entry.end_time = True, datetime.now(timezone.utc)
        entry.access_method = attempt.way.method
        self._record(attempt, "answered", None)
        if equipment.health:
            equipment.health.succeeded(target)
        way = (*target.key, attempt.way.method)
        if way not in equipment.used_ways:
            self._remember(way, attempt)
        if prepared.has_points and equipment.cache_points is not None:
            equipment.cache_points.accepted(*target.key)
        if prepared.removed_parameters or prepared.disabled_features:
            self._warn_of(prepared, target)
        elif prepared.wanted_fields:
            equipment.compatibility.record_success(*target.key, prepared.wanted_fields)
        return prepared

    def failed(self, attempt: Attempt, error: Exception) -> Decision:
        """Take note of an error.

        Raises:
            Exception: `error` itself, if it is none that a call to AWS raises.
        """
        retryable = self._equipment.retry.retryable_errors
        if not is_from_aws(error, retryable):
            raise error
        prepared = self._prepared
        verdict = classify(
            error,
            additional_fields=prepared.fields if prepared else (),
            retryable_errors=retryable,
        )
        verdict = self._achievable(attempt, verdict, error)
        if type(error).__name__ == "ParamValidationError":
            # botocore quotes what stands at the place, which may be a prompt.
            sent = prepared.request if prepared else self.preparation.request
            error = explain_param_validation(error, sent)
        return self.decide(attempt, verdict, error)

    def decide(self, attempt: Attempt, verdict: Verdict, error: Exception) -> Decision:
        """Take note of a failure whose verdict is known."""
        forget_request(error, handled=self._handled)  # the record outlives the call
        decision = verdict.decision
        self._plan.failed(attempt, verdict)
        entry = self._by_target[attempt.target]
        entry.error, entry.end_time = error, datetime.now(timezone.utc)
        self._final[attempt.target] = verdict, error
        self._record(attempt, decision.value, error)
        logger.debug(
            "model=%s region=%s method=%s error=%s | %s",
            attempt.target.model,
            attempt.target.region,
            attempt.way.method,
            type(error).__name__,
            decision.value,
        )
        return decision

    def attempt_of(self, attempt: Attempt) -> RequestAttempt:
        """The entry in `attempts` for the target of `attempt`."""
        return self._by_target[attempt.target]

    def takes_prefill(self, target: Target) -> bool:
        """Whether to give `target` the beginning of its answer; where unknown, it is tried."""
        known = self._equipment.learned.prefill.get(target.model_id, target.takes_prefill)
        return known is not False and target.model_id not in self._without_prefill

    def abandoned(self, attempt: Attempt) -> None:
        """Take note that the caller wants no more of the answer."""
        self._by_target[attempt.target].end_time = datetime.now(timezone.utc)
        self._record(attempt, "closed by the caller", None)

    def failure(self) -> LLMManagerError:
        """The error to raise when there is no next attempt."""
        error = failure_of(
            list(self._final.values()),
            self.attempts,
            out_of_time=self._plan.out_of_time,
            missed=self._plan.missed,
        )
        error.attempts = self.attempts
        error.attempt_log = self.log
        if self._held_back:
            error.message += self._held_back
            error.args = (error.message,)
        return error

    def _enter(self, gate: Gate, attempt: Attempt) -> bool:
        """Wait for leave to send `attempt`; False if there was none in time."""
        target, request = attempt.target, self.request_for(attempt)
        leave = gate.enter(target, request, self.deadline and self.deadline.last_start)
        if leave is not None:
            self._admitted = leave, request
            return True
        self._plan.held_back()
        why = self._equipment.why_closed
        reason = f": {why(target, request)}" if why else " in time"
        self._held_back += f" {target.model} in {target.region} could not be asked{reason}."
        return False

    def _record(self, attempt: Attempt, decision: str, error: Exception | None) -> None:
        target, way, pause = attempt
        self.log.append(
            AttemptRecord(
                target.model,
                target.region,
                way.method,
                way.identifier,
                self._sent_at,
                (time.perf_counter() - self._sent) * 1000,
                pause * 1000,
                decision,
                error,
            )
        )

    def _remember(self, way: tuple[str, str, str], attempt: Attempt) -> None:
        target, methods = attempt.target, self._equipment.access_methods
        if not methods.requires_profile(*target.key):
            self._equipment.used_ways.add(way)
            methods.record_success(*target.key, attempt.way.method, attempt.way.identifier)
        elif any(record.decision == Decision.NEXT_METHOD.value for record in self.log):
            self.warnings.append(
                f"{target.model} in {target.region} needs an inference profile; the answer came "
                f"by {attempt.way.method} through {attempt.way.identifier}."
            )

    def _warn_of(self, prepared: Prepared, target: Target) -> None:
        where = f"{target.model} in {target.region}"
        if prepared.removed_parameters:
            names = ", ".join(prepared.removed_parameters)
            self.warnings.append(f"{where} does not take these parameters, left out: {names}.")
        self.warnings += [
            f"Disabled {feature}: {where} does not have it; its content was left out."
            for feature in prepared.disabled_features
            if feature != "prompt_caching" or self._equipment.cache_points is None
        ]

    # What can be done

    def _achievable(self, attempt: Attempt, verdict: Verdict, error: Exception) -> Verdict:
        """The verdict, or the next best where it cannot be carried out (again)."""
        target, next_model = attempt.target, Verdict(Decision.NEXT_MODEL)
        if self.continues and self._is_about_prefill(target, verdict):
            self._without_prefill.add(target.model_id)
            self.continues = False
            return Verdict(Decision.WITHOUT_PREFILL)
        match verdict.decision:
            case Decision.NEXT_METHOD:
                self._equipment.access_methods.record_profile_requirement(*target.key)
            case Decision.WITHOUT_PARAMETER:
                return verdict if self._leave_out(target, verdict.names, error) else next_model
            case Decision.WITHOUT_FEATURE:
                return self._without_feature(target, verdict.names[0]) or next_model
            case Decision.WITHOUT_CACHE_POINTS:
                return self._without_points(target, verdict) or next_model
            case Decision.REFUSED if self._are_points_unknown(error):
                return self._without_points(target, verdict) or verdict
            case Decision.WITHOUT_PREFILL:
                return next_model  # the beginning of the answer is the caller's own
            case Decision.RENEW_CREDENTIALS:
                if self._renewed or not self._equipment.auth.renew():
                    return Verdict(Decision.NO_CREDENTIALS)
                self._renewed = True
        return verdict

    def _is_about_prefill(self, target: Target, verdict: Verdict) -> bool:
        """Whether the beginning of the answer may be what the model refuses."""
        if verdict.decision is Decision.WITHOUT_PREFILL:
            self._equipment.learned.prefill[target.model_id] = False
            return True
        return target.takes_prefill is not True and verdict.decision in _MAY_BE_ABOUT_PREFILL

    def _leave_out(self, target: Target, names: tuple[str, ...], error: Exception) -> bool:
        prepared, learned = self._prepared, self._equipment.learned
        if prepared is None or prepared.fields.keys().isdisjoint(names):
            return False
        learned.refuses_parameters(target.model_id, names)
        fields = dict(prepared.wanted_fields or {})
        self._equipment.compatibility.record_failure(*target.key, fields, error)
        return True

    def _without_feature(self, target: Target, feature: str) -> Verdict | None:
        if (
            self._prepared is None
            or not self._equipment.retry.enable_feature_fallback
            or feature in self._prepared.disabled_features
            or not self.preparation.can_do_without(feature)
        ):
            return None
        self._equipment.learned.lacks_feature(target.model_id, feature)
        return Verdict(Decision.WITHOUT_FEATURE, (feature,))

    def _are_points_unknown(self, error: Exception) -> bool:
        """Whether a botocore that knows no cache points refuses those that this library put in."""
        return (
            type(error).__name__ == "ParamValidationError"
            and '"cachePoint"' in str(error)
            and self._equipment.cache_points is not None
            and "prompt_caching" not in self.preparation.features
        )

    def _without_points(self, target: Target, verdict: Verdict) -> Verdict | None:
        points = self._equipment.cache_points
        fails = (
            not self._equipment.retry.enable_feature_fallback
            if points is None
            else points.fails_fast
        )
        prepared = self._prepared
        has_points = prepared and (
            prepared.has_points
            or "prompt_caching" in self.preparation.features.difference(prepared.disabled_features)
        )
        if fails or not has_points or not self.preparation.leave_out_cache_points(target):
            return None
        if points is not None and (warning := points.refused(target.model_id, target.region)):
            self.warnings.append(warning)
        if verdict.decision is Decision.REFUSED:
            return Verdict(Decision.WITHOUT_CACHE_POINTS, ("prompt_caching",))
        if points is None and verdict.names:
            self._equipment.learned.lacks_feature(target.model_id, "prompt_caching")
        return verdict
