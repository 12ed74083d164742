"""Describes many requests that run at once, plus what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import Enum
from math import ceil, isfinite
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.models.cache_structures import CacheMetrics
from bestehorn_llmmanager.bedrock.models.converse_members import MEMBERS
from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig
from bestehorn_llmmanager.bedrock.models.request_identity import content_digest, new_request_id
from bestehorn_llmmanager.bedrock.models.response_accessors import read_token_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse


class FailureHandlingStrategy(Enum):
    """When a run of many requests counts as failed, and whether it goes on after a failure."""

    CONTINUE_ON_FAILURE = "continue_on_failure"
    STOP_ON_FIRST_FAILURE = "stop_on_first_failure"
    STOP_ON_THRESHOLD = "stop_on_threshold"


class LoadBalancingStrategy(Enum):
    """In which region a request starts: the next one, any one, or the one with the fewest."""

    ROUND_ROBIN = "round_robin"
    RANDOM = "random"
    LEAST_LOADED = "least_loaded"


@dataclass(frozen=True)
class ParallelProcessingConfig:
    """How many requests run at once, and what follows when some of them fail.

    Attributes:
        max_concurrent_requests: Requests under way at once; a fraction is rounded up.
        request_timeout_seconds: Time that one request has, all its attempts together.
        enable_request_prioritization: Has no effect.
        failure_handling_strategy: Also taken by its value, ``"stop_on_threshold"``.
        load_balancing_strategy: Also taken by its value, ``"least_loaded"``.
        failure_threshold: Share of failures, 0 to 1, that `STOP_ON_THRESHOLD` tolerates.
        enable_automatic_retry: Whether failed requests are tried again.
        max_retries_per_request: How often; None means 3.
        tokens_per_minute: Quota of each model in each region, in tokens as AWS counts them (see
            `output_weight`): one number for all, or numbers by model in any spelling of its name,
            model id or profile id that is called, with ``"*"`` for the others. None: not known.

    Raises:
        ValueError: A value is out of its range; all such values are named.
    """

    max_concurrent_requests: int = 5
    request_timeout_seconds: int = 300
    enable_request_prioritization: bool = True
    failure_handling_strategy: FailureHandlingStrategy = FailureHandlingStrategy.CONTINUE_ON_FAILURE
    load_balancing_strategy: LoadBalancingStrategy = LoadBalancingStrategy.ROUND_ROBIN
    failure_threshold: float = 0.5
    enable_automatic_retry: bool = True
    max_retries_per_request: int | None = None
    # A dict has no hash, and the configuration keeps its own.
    tokens_per_minute: Mapping[str, int] | int | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        problems = [
            f"`{name}` must be a number above 0, got {value!r}"
            for name in ("max_concurrent_requests", "request_timeout_seconds")
            if not _is_above_zero(value := getattr(self, name))
        ]
        self._read_member("failure_handling_strategy", FailureHandlingStrategy, problems)
        self._read_member("load_balancing_strategy", LoadBalancingStrategy, problems)
        if not _is_share(self.failure_threshold):
            problems.append(
                f"`failure_threshold` must be from 0.0 to 1.0, got {self.failure_threshold!r}"
            )
        retries = self.max_retries_per_request
        if retries is not None and not (isinstance(retries, int) and retries >= 0):
            problems.append(
                "`max_retries_per_request` must be a whole number of at least 0, or None, "
                f"got {retries!r}"
            )
        if not _is_quota(self.tokens_per_minute):
            problems.append(
                "`tokens_per_minute` must be a whole number above 0, a dict of models to such "
                f"numbers, or None, got {self.tokens_per_minute!r}"
            )
        if problems:
            raise ValueError("; ".join(problems))
        object.__setattr__(self, "max_concurrent_requests", ceil(self.max_concurrent_requests))

    def _read_member(self, name: str, kind: type[Enum], problems: list[str]) -> None:
        value = getattr(self, name)
        try:
            object.__setattr__(self, name, kind(value))
        except ValueError:
            choices = ", ".join(f"{kind.__name__}.{member.name}" for member in kind)
            problems.append(f"`{name}` must be one of {choices}, got {value!r}")

    def is_success(self, *, failed: int, total: int) -> bool:
        """What the failure strategy says of a run that is over."""
        strategy = self.failure_handling_strategy
        if strategy is FailureHandlingStrategy.STOP_ON_FIRST_FAILURE:
            return failed == 0
        if strategy is FailureHandlingStrategy.STOP_ON_THRESHOLD:
            return not total or failed / total <= self.failure_threshold
        return failed < total


def _is_above_zero(value: Any) -> bool:
    try:
        return bool(value > 0) and isfinite(value)
    except TypeError:
        return False


def _is_share(value: Any) -> bool:
    try:
        return bool(0.0 <= value <= 1.0)
    except TypeError:
        return False


def _is_quota(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(model, str) for model in value) and all(
            map(_is_count, value.values())
        )
    return value is None or _is_count(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


@dataclass(repr=False)
class FailureEntry:
    """One failure of a request; `exception` is the error itself."""

    attempt_number: int
    timestamp: datetime
    exception: Exception
    exception_type: str
    error_message: str
    model: str | None = None
    region: str | None = None

    def __repr__(self) -> str:
        return (
            f"FailureEntry(attempt={self.attempt_number}, type={self.exception_type}, "
            f"message='{self.error_message[:50]}...', model={self.model}, region={self.region})"
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields under their names; the time as ISO 8601, without the error object."""
        return {
            "attempt_number": self.attempt_number,
            "timestamp": self.timestamp.isoformat(),
            "exception_type": self.exception_type,
            "error_message": self.error_message,
            "model": self.model,
            "region": self.region,
        }


@dataclass(repr=False)
class BedrockConverseRequest:
    """One request of many: the arguments of `LLMManager.converse`, an id, and past failures.

    Attributes:
        request_id: Unique among the requests of a run. Made if None; see `new_request_id`.
        retry_count: Failures so far.
        failure_history: One entry for each of them.
        max_retries: Wins over what the manager says.

    The other fields are described at `LLMManager.converse`.
    """

    messages: list[dict[str, Any]]
    system: list[Any] | None = None
    inference_config: dict[str, Any] | None = None
    additional_model_request_fields: dict[str, Any] | None = None
    additional_model_response_field_paths: list[str] | None = None
    guardrail_config: dict[str, Any] | None = None
    tool_config: dict[str, Any] | None = None
    request_metadata: dict[str, Any] | None = None
    prompt_variables: dict[str, Any] | None = None
    model_specific_config: Any | None = None
    request_id: str | None = None
    retry_count: int = 0
    failure_history: list[FailureEntry] = field(default_factory=list)
    max_retries: int | None = None
    output_config: dict[str, Any] | None = None
    performance_config: dict[str, Any] | None = None
    service_tier: dict[str, Any] | None = None
    extra_request_fields: dict[str, Any] | None = None
    enable_extended_context: bool = False

    def __post_init__(self) -> None:
        self._generated_id: str | None = None
        if self.request_id is None:
            self._generated_id = self.request_id = new_request_id(
                self.messages, self.system, self.inference_config
            )

    def __repr__(self) -> str:
        count = len(self.messages) if hasattr(self.messages, "__len__") else 0
        return (
            f"BedrockConverseRequest(id={self.request_id}, messages={count}, "
            f"system={self.system is not None}, "
            f"inference_config={self.inference_config is not None})"
        )

    @property
    def has_generated_id(self) -> bool:
        """Whether the id was made here: another run will have another one."""
        return self._generated_id is not None and self.request_id == self._generated_id

    @property
    def content_key(self) -> str:
        """SHA-256 of all that is sent, as 64 hex digits: equal contents, equal keys, in any process.

        Computed anew each time. The digits of a generated id say less: they are of messages,
        system and inference configuration only.
        """
        return content_digest(self.to_converse_args())

    def to_converse_args(self) -> dict[str, Any]:
        """The keyword arguments of `LLMManager.converse`, without those that were not given."""
        arguments: dict[str, Any] = {"messages": self.messages}
        for name in _CONVERSE_ARGUMENTS:
            if (value := getattr(self, name)) is not None:
                arguments[name] = value
        if self.enable_extended_context:
            arguments["enable_extended_context"] = self.enable_extended_context
        return arguments

    def to_dict(self) -> dict[str, Any]:
        """The id and the arguments under their names, not copied; nothing of past failures.

        `model_specific_config`, `max_retries` and the fields after it are there if they are set.
        """
        data = {name: getattr(self, name) for name in _ALWAYS_IN_DICT}
        for name in _IN_DICT_IF_SET:
            value = getattr(self, name)
            if value is not None and value is not False:
                data[name] = value
        config = self.model_specific_config
        if isinstance(config, ModelSpecificConfig):
            data["model_specific_config"] = config.to_dict()
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> BedrockConverseRequest:
        """Read what `to_dict` gives; only `messages` is required, unknown keys are ignored.

        Raises:
            KeyError: There are no `messages`.
            TypeError: A field in `model_specific_config` is of another type.
        """
        names = (*_ALWAYS_IN_DICT, *_IN_DICT_IF_SET)
        values = {name: data[name] for name in names if data.get(name) is not None}
        values["messages"] = data["messages"]
        config = values.get("model_specific_config")
        if isinstance(config, dict):
            values["model_specific_config"] = ModelSpecificConfig.from_dict(config)
        return cls(**values)

    def record_failure(
        self, exception: Exception, model: str | None = None, region: str | None = None
    ) -> None:
        """Add an entry to `failure_history`, count it in `retry_count`."""
        self.retry_count += 1
        self.failure_history.append(
            FailureEntry(
                attempt_number=self.retry_count,
                timestamp=datetime.now(),  # noqa: DTZ005  (local, as ever)
                exception=exception,
                exception_type=type(exception).__name__,
                error_message=str(exception),
                model=model,
                region=region,
            )
        )

    def can_retry(self, max_retries: int) -> bool:
        """Whether there were fewer failures than the request's own limit, else the one given."""
        limit = max_retries if self.max_retries is None else self.max_retries
        return self.retry_count < limit

    def get_last_failure(self) -> FailureEntry | None:
        return self.failure_history[-1] if self.failure_history else None


_ALWAYS_IN_DICT = (
    "request_id",
    "messages",
    "system",
    "inference_config",
    "additional_model_request_fields",
    "additional_model_response_field_paths",
    "guardrail_config",
    "tool_config",
    "request_metadata",
    "prompt_variables",
)
_IN_DICT_IF_SET = (
    "model_specific_config",
    "max_retries",
    "output_config",
    "performance_config",
    "service_tier",
    "extra_request_fields",
    "enable_extended_context",
)
_CONVERSE_ARGUMENTS = (
    *(name for name in MEMBERS if name != "messages"),
    "model_specific_config",
    "extra_request_fields",
)


@dataclass(repr=False)
class RegionAssignment:
    """The regions in which a request is tried first."""

    request_id: str
    assigned_regions: list[str]
    priority: int = 0

    def __repr__(self) -> str:
        return (
            f"RegionAssignment(id={self.request_id}, regions={self.assigned_regions}, "
            f"priority={self.priority})"
        )


@dataclass
class ParallelExecutionStats:
    """Figures of a run; the durations are of the requests that succeeded.

    Attributes:
        concurrent_executions: Most requests that could be under way at once.
        region_distribution: How many requests were assigned to each region.
    """

    total_requests: int
    successful_requests: int
    failed_requests_count: int
    average_request_duration_ms: float
    max_request_duration_ms: float
    min_request_duration_ms: float
    concurrent_executions: int
    region_distribution: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        responses: Iterable[BedrockResponse],
        *,
        concurrent_executions: int,
        region_distribution: Mapping[str, int],
    ) -> ParallelExecutionStats:
        """Count `responses`."""
        total = successful = 0
        durations = []
        for response in responses:
            total += 1
            if response.success:
                successful += 1
                if response.total_duration_ms is not None:
                    durations.append(response.total_duration_ms)
        return cls(
            total_requests=total,
            successful_requests=successful,
            failed_requests_count=total - successful,
            average_request_duration_ms=sum(durations) / len(durations) if durations else 0.0,
            max_request_duration_ms=max(durations, default=0.0),
            min_request_duration_ms=min(durations, default=0.0),
            concurrent_executions=concurrent_executions,
            region_distribution=dict(region_distribution),
        )

    @property
    def success_rate(self) -> float:
        """Percentage from 0 to 100; 0 where there were no requests."""
        return _percentage(self.successful_requests, self.total_requests)

    @property
    def failure_rate(self) -> float:
        """Percentage from 0 to 100; 100 where there were no requests."""
        return 100.0 - self.success_rate

    def to_dict(self) -> dict[str, Any]:
        """The fields under their names."""
        data = {each.name: getattr(self, each.name) for each in fields(self)}
        data["region_distribution"] = self.region_distribution.copy()
        return data


def _percentage(part: int, whole: int) -> float:
    return part / whole * 100.0 if whole else 0.0


@dataclass(repr=False)
class ParallelResponse:
    """What became of each request of a run. Its accessors copy no response.

    Attributes:
        success: Whether every request has a response, and the failure strategy accepts them:
            `CONTINUE_ON_FAILURE` if at least one was answered, `STOP_ON_FIRST_FAILURE` if all were,
            `STOP_ON_THRESHOLD` if the share of failures is at most `failure_threshold`.
        request_responses: The answer, or what stands for it, by request id.
        warnings: Those of all responses.
        failed_requests: The ids of all failures, timeouts included.
        failed_request_ids: Those of failures other than a timeout.
        timed_out_request_ids: Those of timeouts.
        original_requests: The requests by their ids, those without a response included.
    """

    success: bool
    request_responses: dict[str, BedrockResponse] = field(default_factory=dict)
    total_duration_ms: float = 0.0
    parallel_execution_stats: ParallelExecutionStats | None = None
    warnings: list[str] = field(default_factory=list)
    failed_requests: list[str] = field(default_factory=list)
    successful_request_ids: list[str] = field(default_factory=list)
    failed_request_ids: list[str] = field(default_factory=list)
    timed_out_request_ids: list[str] = field(default_factory=list)
    original_requests: dict[str, BedrockConverseRequest] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        responses: dict[str, BedrockResponse],
        *,
        config: ParallelProcessingConfig,
        total_duration_ms: float,
        concurrent_executions: int,
        region_distribution: Mapping[str, int],
        original_requests: dict[str, BedrockConverseRequest],
    ) -> ParallelResponse:
        """Sort `responses` into successes, failures and timeouts.

        A failure is a timeout if one of its warnings has the words "timed out".
        """
        is_complete = original_requests.keys() <= responses.keys()
        successful, failed, timed_out = [], [], []
        for request_id, response in responses.items():
            if response.success:
                successful.append(request_id)
            elif any("timed out" in warning.lower() for warning in response.warnings):
                timed_out.append(request_id)
            else:
                failed.append(request_id)
        return cls(
            success=is_complete
            and config.is_success(failed=len(failed) + len(timed_out), total=len(responses)),
            request_responses=responses,
            total_duration_ms=total_duration_ms,
            parallel_execution_stats=ParallelExecutionStats.of(
                responses.values(),
                concurrent_executions=concurrent_executions,
                region_distribution=region_distribution,
            ),
            warnings=[warning for each in responses.values() for warning in each.warnings],
            failed_requests=failed + timed_out,
            successful_request_ids=successful,
            failed_request_ids=failed,
            timed_out_request_ids=timed_out,
            original_requests=original_requests,
        )

    def merged_with_retry(
        self, retry: ParallelResponse, config: ParallelProcessingConfig | None = None
    ) -> ParallelResponse:
        """This run with the results of a second one in place of those that it repeated.

        What was not repeated stays, failures included; durations and region counts add up.

        Args:
            retry: The second run.
            config: Whose failure strategy decides about `success`; None: the default's.
        """
        before, after = self.parallel_execution_stats, retry.parallel_execution_stats
        regions: Counter[str] = Counter()
        for stats in (before, after):
            regions.update(stats.region_distribution if stats else {})
        responses = {**self.request_responses, **retry.request_responses}
        if self.unfinished_request_ids:
            in_order = (*self.original_requests, *responses)
            responses = {name: responses[name] for name in in_order if name in responses}
        return ParallelResponse.of(
            responses,
            config=config or ParallelProcessingConfig(),
            total_duration_ms=self.total_duration_ms + retry.total_duration_ms,
            concurrent_executions=max(
                (stats.concurrent_executions for stats in (before, after) if stats), default=0
            ),
            region_distribution=regions,
            original_requests=self.original_requests,
        )

    def __repr__(self) -> str:
        successful = sum(1 for _ in self._successes())
        return (
            f"ParallelResponse(success={self.success}, "
            f"responses={successful}/{len(self.request_responses)}, "
            f"duration={self.total_duration_ms:.1f}ms)"
        )

    def _repr_html_(self) -> str:
        from bestehorn_llmmanager._html.parallel import (  # noqa: PLC0415  (for notebooks alone)
            parallel_html,
        )

        return parallel_html(self)

    def _successes(self) -> Iterator[BedrockResponse]:
        return (response for response in self.request_responses.values() if response.success)

    def _where(self, holds: Callable[[BedrockResponse], bool]) -> dict[str, BedrockResponse]:
        return {name: each for name, each in self.request_responses.items() if holds(each)}

    # Which requests

    @property
    def unfinished_request_ids(self) -> list[str]:
        """The ids of `original_requests` without a response: the run ended before they had one."""
        return [name for name in self.original_requests if name not in self.request_responses]

    def get_successful_responses(self) -> dict[str, BedrockResponse]:
        return self._where(lambda response: response.success)

    def get_failed_responses(self) -> dict[str, BedrockResponse]:
        """All failures, timeouts included."""
        return self._where(lambda response: not response.success)

    def get_response_by_id(self, request_id: str) -> BedrockResponse | None:
        return self.request_responses.get(request_id)

    def get_failed_by_exception_type(self, exception_type: str) -> dict[str, BedrockResponse]:
        """The failures whose last error is of the class with this name.

        A failure without an attempt has the last error that its request recorded.
        """
        return {
            request_id: response
            for request_id, response in self.get_failed_responses().items()
            if self._last_error_type(request_id, response) == exception_type
        }

    def _last_error_type(self, request_id: str, response: BedrockResponse) -> str | None:
        error = response.get_last_error()
        if error is not None:
            return type(error).__name__
        request = self.original_requests.get(request_id)
        recorded = request.get_last_failure() if request else None
        return recorded.exception_type if recorded else None

    def filter_failed_requests(
        self, filter_func: Callable[[str, BedrockResponse], bool]
    ) -> list[str]:
        """The ids of the failures for which `filter_func(request_id, response)` is true."""
        failed = self.get_failed_responses()
        return [request_id for request_id, each in failed.items() if filter_func(request_id, each)]

    def get_retryable_request_ids(self) -> list[str]:
        """The ids of all failures, those that timed out last."""
        return self.failed_request_ids + self.timed_out_request_ids

    # Figures

    def get_success_rate(self) -> float:
        """Percentage from 0 to 100; 0 where there are no responses."""
        successful = sum(1 for _ in self._successes())
        return _percentage(successful, len(self.request_responses))

    def get_total_tokens_used(self) -> dict[str, int]:
        """The five counts of `BedrockResponse.get_usage`, summed over the successes."""
        total = read_token_counts({})
        for response in self._successes():
            for name, count in (response.get_usage() or {}).items():
                total[name] += count
        return total

    def get_average_latency(self) -> float | None:
        """Mean of the successes' `api_latency_ms`, None where none is known."""
        known = [each.api_latency_ms for each in self._successes()]
        latencies = [latency for latency in known if latency is not None]
        return sum(latencies) / len(latencies) if latencies else None

    def get_cache_metrics(self) -> CacheMetrics:
        """How many successes read from the prompt cache, and how many tokens in all."""
        read = [response.get_cache_read_tokens() for response in self._successes()]
        hits = sum(1 for tokens in read if tokens > 0)
        return CacheMetrics(
            cache_hit_ratio=hits / len(read) if read else 0.0,
            cache_savings_tokens=sum(read),
            total_cache_hits=hits,
            total_cache_misses=len(read) - hits,
        )

    # Parameters that were left out

    def get_requests_with_removed_parameters(self) -> dict[str, list[str]]:
        """The names of the parameters that were left out, by request id."""
        return {
            request_id: list(response.parameters_removed)
            for request_id, response in self.request_responses.items()
            if response.parameters_removed
        }

    def get_parameter_compatibility_summary(self) -> dict[str, Any]:
        """How many requests had additional fields, how many lost some, and which."""
        removed = self.get_requests_with_removed_parameters()
        counts = Counter(name for names in removed.values() for name in names)
        return {
            "total_requests_with_parameters": sum(
                1 for request_id in self.request_responses if self._had_parameters(request_id)
            ),
            "requests_with_removed_parameters": len(removed),
            "most_common_incompatible_parameters": counts.most_common(),
            "affected_request_ids": list(removed),
        }

    def _had_parameters(self, request_id: str) -> bool:
        response = self.request_responses[request_id]
        request = self.original_requests.get(request_id)
        return bool(
            response.original_additional_fields
            or response.parameters_removed
            or (request and request.additional_model_request_fields)
        )

    # How the models were addressed

    def get_access_method_statistics(self) -> dict[str, Any]:
        """How many requests were answered by each access method, how many by a profile."""
        methods = [response.get_access_method() for response in self.request_responses.values()]
        breakdown = Counter(method for method in methods if method)
        profiles = sum(1 for each in self.request_responses.values() if each.was_profile_used())
        return {
            "total_requests": len(methods),
            "direct_access_count": breakdown["direct"],
            "regional_cris_count": breakdown["regional_cris"],
            "global_cris_count": breakdown["global_cris"],
            "profile_usage_count": profiles,
            "profile_usage_percentage": round(_percentage(profiles, len(methods)), 2),
            "access_method_breakdown": dict(breakdown),
        }

    def get_requests_by_access_method(self, access_method: str) -> dict[str, BedrockResponse]:
        return self._where(lambda response: response.get_access_method() == access_method)

    def get_profile_usage_details(self) -> dict[str, Any]:
        """Which inference profiles were called, and by which requests."""
        used = {
            request_id: profile
            for request_id, response in self.request_responses.items()
            if (profile := response.get_profile_id())
        }
        return {
            "requests_using_profiles": list(used),
            "profile_ids_used": list(dict.fromkeys(used.values())),
            "profile_usage_by_request": used,
        }

    # On disk

    def to_dict(self) -> dict[str, Any]:
        """The outcome under the names of the fields, responses as dicts; without the requests."""
        stats = self.parallel_execution_stats
        return {
            "success": self.success,
            "request_responses": {
                request_id: response.to_dict()
                for request_id, response in self.request_responses.items()
            },
            "total_duration_ms": self.total_duration_ms,
            "parallel_execution_stats": stats.to_dict() if stats else None,
            "warnings": self.warnings.copy(),
            "failed_requests": self.failed_requests.copy(),
        }
