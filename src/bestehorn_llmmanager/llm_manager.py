"""Gets an answer from one of several models in one of several regions."""

from __future__ import annotations

import itertools
import logging
import math
import random
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.bedrock.builders.document_names import with_valid_document_names
from bestehorn_llmmanager.bedrock.builders.parameter_builder import ParameterBuilder
from bestehorn_llmmanager.bedrock.calls.call import Call, Equipment
from bestehorn_llmmanager.bedrock.calls.learning import Learned
from bestehorn_llmmanager.bedrock.calls.preparation import Preparation
from bestehorn_llmmanager.bedrock.calls.validation import ResponseValidation
from bestehorn_llmmanager.bedrock.catalog.bedrock_catalog import (
    REFRESHES,
    BedrockModelCatalog,
    is_region_code,
)
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    CatalogError,
    ConfigurationError,
    LLMManagerError,
    RequestValidationError,
)
from bestehorn_llmmanager.bedrock.models.arns import parse_arn
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.models.catalog_structures import CacheMode
from bestehorn_llmmanager.bedrock.models.converse_members import members_of
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    Boto3Config,
    LLMManagerConfig,
    RegionOrder,
    ResponseValidationConfig,
    RetryConfig,
)
from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig
from bestehorn_llmmanager.bedrock.models.structured_output import to_wire_output_config
from bestehorn_llmmanager.bedrock.retry.health import TargetHealth
from bestehorn_llmmanager.bedrock.retry.plan import Deadline
from bestehorn_llmmanager.bedrock.retry.resolution import TargetResolver, ways_of
from bestehorn_llmmanager.bedrock.tracking.access_method_tracker import AccessMethodTracker
from bestehorn_llmmanager.bedrock.tracking.parameter_compatibility_tracker import (
    ParameterCompatibilityTracker,
)
from bestehorn_llmmanager.bedrock.validators.converse_request import (
    check_arguments,
    check_request,
    find_inference_config_problems,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Mapping, Sequence

    from typing_extensions import Self

    from bestehorn_llmmanager.bedrock.cache.cache_point_manager import CachePointManager
    from bestehorn_llmmanager.bedrock.calls.preparation import Prepared
    from bestehorn_llmmanager.bedrock.catalog.bedrock_catalog import Refresh
    from bestehorn_llmmanager.bedrock.models.cache_structures import CacheConfig
    from bestehorn_llmmanager.bedrock.models.streaming_response import (
        StreamingResponse,
        StreamRestart,
    )
    from bestehorn_llmmanager.bedrock.retry.plan import Attempt
    from bestehorn_llmmanager.bedrock.retry.targets import Target

logger = logging.getLogger(__name__)

_MOST_SECONDS_FOR_THE_CATALOGUE = 30


class _Default(int):
    """A default that can be told from the same number passed by the caller."""


_DEFAULT_TIMEOUT = _Default(LLMManagerConfig.DEFAULT_TIMEOUT)


class Lane(NamedTuple):
    """What a run of many requests gives each of them.

    Attributes:
        equipment: Shared by the run.
        columns: Positions of the manager's regions, in the order of this request.
    """

    equipment: Equipment
    columns: tuple[int, ...]


class LLMManager:
    """Sends a prompt to the first of the given models and regions that answers.

    Model names are resolved when the manager is made; a call then only sends. What fails is tried
    again elsewhere, or here after a pause, as the error demands: docs/reliability.md has the
    table. Every sending is in the `attempt_log` of the response or the error.

    Safe to share between threads. Pickles: the configuration and what was resolved travel (with
    the credentials of an explicit `AuthConfig`); clients, the catalogue's data and what was learned
    do not. Use it as a context manager, or call `close`, to close its connections.

    Args:
        models: Names, ids, profile ids or ARNs, in order of preference.
        regions: AWS region codes, in order of preference. The region in an ARN wins.
        auth_config: Where credentials come from; None means boto3's own chain.
        boto3_config: Settings of the clients. With `retries_max_attempts` at its default, botocore
            makes one attempt for each of this manager; any other number is obeyed.
        retry_config: How often, where and with which pauses to try again.
        cache_config: Prompt caching: where cache points are put. None means nowhere.
        unified_model_manager: Deprecated (until 4.0.0); asked instead of the catalogue.
        catalog_cache_mode: Where the model catalogue is kept; None means `CacheMode.FILE`.
        catalog_cache_directory: For `CacheMode.FILE`; None means the user's cache directory.
        force_download: Deprecated name of `force_refresh`.
        force_refresh: Ask AWS for the catalogue now, whatever the cache has.
        strict_cache_mode: Deprecated and without effect.
        ignore_cache_age: Deprecated and without effect.
        default_inference_config: `inferenceConfig` of every call; that of a call wins.
        model_specific_config: Extended context and further fields, for every call.
        timeout: Seconds. Passed, it ends every call, with whatever is under way; its default only
            keeps further attempts from starting. The catalogue gets this, or 30 if it is more.
            None means no end.
        log_level: Level of the logger ``bestehorn_llmmanager``.
        region_order: One of `RegionOrder`; wins over that of `retry_config`.
        access_method_preference: ``"direct"``, ``"regional_cris"`` or ``"global_cris"``, to be
            used where a model has it; wins over that of `retry_config`.
        global_cris_fraction: Share of calls, 0 to 1, that go to the global profile where there is
            one; wins over the preference and over that of `retry_config`.
        catalog_refresh: When AWS is asked for the catalogue: see `BedrockModelCatalog`. The
            models are resolved once, at construction: what ``"background"`` fetches serves the
            next manager, or this one after `refresh_model_data`.
        allowed_destination_regions: The only regions in which a request may be processed. What
            may route anywhere else, or nobody knows where, is never called. None means any.

    Raises:
        ConfigurationError: A wrong argument, or no model can be called in any of the regions.
        ValueError: `log_level` is no level.
    """

    def __init__(
        self,
        models: Sequence[str],
        regions: Sequence[str],
        auth_config: AuthConfig | None = None,
        boto3_config: Boto3Config | None = None,
        retry_config: RetryConfig | None = None,
        cache_config: CacheConfig | None = None,
        unified_model_manager: Any = None,  # until 4.0.0
        catalog_cache_mode: CacheMode | None = None,
        catalog_cache_directory: str | os.PathLike[str] | None = None,
        force_download: bool = False,
        force_refresh: bool = False,
        strict_cache_mode: bool = False,
        ignore_cache_age: bool = False,
        default_inference_config: dict[str, Any] | None = None,
        model_specific_config: ModelSpecificConfig | None = None,
        timeout: float | None = _DEFAULT_TIMEOUT,
        log_level: int | str = LLMManagerConfig.DEFAULT_LOG_LEVEL,
        region_order: str | None = None,
        access_method_preference: str | None = None,
        global_cris_fraction: float | None = None,
        *,
        catalog_refresh: Refresh = "blocking",
        allowed_destination_regions: Collection[str] | None = None,
    ) -> None:
        logging.getLogger("bestehorn_llmmanager").setLevel(log_level)
        self._models = _checked_names(models, "models")
        self._regions = _checked_regions(regions, "regions")
        self._allowed_destinations = (
            None
            if allowed_destination_regions is None
            else _checked_regions(allowed_destination_regions, "allowed_destination_regions")
        )
        _check_type(auth_config, AuthConfig, "auth_config")
        _check_type(boto3_config, Boto3Config, "boto3_config")
        _check_type(retry_config, RetryConfig, "retry_config")
        _check_type(catalog_cache_mode, CacheMode, "catalog_cache_mode")
        _check_type(model_specific_config, ModelSpecificConfig, "model_specific_config")
        _check_type(default_inference_config, dict, "default_inference_config")
        self._boto3_config = boto3_config or Boto3Config()
        self._auth_manager = AuthManager(auth_config, self._boto3_config)
        self._retry_config = _merged(
            retry_config or RetryConfig(),
            region_order=region_order,
            access_method_preference=access_method_preference,
            global_cris_fraction=global_cris_fraction,
        )
        self._cache_points = _cache_points(cache_config)
        self._timeout = _checked_timeout(timeout)
        self._inference_config = _checked_inference_config(default_inference_config)
        self._model_specific_config = model_specific_config
        _warn_of_old_options(
            unified_model_manager=unified_model_manager,  # until 4.0.0
            force_download=force_download and not force_refresh,
            strict_cache_mode=strict_cache_mode,
            ignore_cache_age=ignore_cache_age,
        )
        if catalog_refresh not in REFRESHES:
            raise ConfigurationError(
                f"`catalog_refresh` must be one of {REFRESHES}, got {catalog_refresh!r}"
            )
        try:
            self._catalog = BedrockModelCatalog(
                auth_manager=self._auth_manager,
                cache_mode=catalog_cache_mode or CacheMode.FILE,
                cache_directory=catalog_cache_directory,
                force_refresh=force_refresh or force_download,
                timeout=min(
                    _MOST_SECONDS_FOR_THE_CATALOGUE,
                    self._timeout or _MOST_SECONDS_FOR_THE_CATALOGUE,
                ),
                refresh=catalog_refresh,
                regions=self._regions,
            )
            if unified_model_manager is not None:  # until 4.0.0
                from bestehorn_llmmanager._legacy.manager_catalog import catalog_of  # noqa: PLC0415  # until 4.0.0

                given = unified_model_manager  # until 4.0.0
                self._catalog = catalog_of(given, self._models, self._regions)  # until 4.0.0
            self._catalog.ensure_catalog_available()
        except (CatalogError, ValueError, TypeError) as error:
            raise ConfigurationError(f"The model catalogue cannot be loaded: {error}") from error
        self._resolve()
        for sentence in self._left_out:
            logger.warning("%s", sentence)
        self._start()

    def __repr__(self) -> str:
        auth_type = self._auth_manager.get_auth_info()["auth_type"]
        return f"LLMManager(models={len(self._models)}, regions={len(self._regions)}, auth={auth_type})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name not in _NOT_PICKLED}
        return {**state, "_catalog": self._catalog.without_data()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start()

    def connect(self, timeout: float | None = None) -> None:
        """Make the client of the first call now: in the initialisation of a Lambda function.

        Otherwise the first call does it, which takes long where the catalogue came from a cache or
        from the package: then botocore has not been imported yet. Asks for credentials, and sends
        nothing to Bedrock.

        Args:
            timeout: Seconds, if the call will pass a `timeout`. Clients differ by how long they
                wait; once botocore is there, another one takes milliseconds.

        Raises:
            AuthenticationError: There are no credentials, or the client cannot be made.
            ConfigurationError: `timeout` is not a number of seconds above 0.
        """
        targets = self._table.ordered(self._retry_config.retry_strategy, self._columns)
        deadline = self._deadline(timeout)
        seconds = None
        if deadline is not None and deadline.is_hard:
            seconds = deadline.at - time.monotonic()
        self._auth_manager.runtime_client(targets[0].region, seconds, len(targets) > 1)

    def close(self) -> None:
        """Close all connections. The next call opens new ones."""
        self._auth_manager.close()

    def get_available_models(self) -> list[str]:
        """The models as the caller gave them."""
        return list(self._models)

    def get_available_regions(self) -> list[str]:
        """The regions as the caller gave them."""
        return list(self._regions)

    def get_model_access_info(self, model_name: str, region: str) -> dict[str, Any] | None:
        """How a model is called in a region.

        Returns:
            `access_methods` (of ``"direct"``, ``"regional_cris"``, ``"global_cris"``, in this
            order), `model_id`, `regional_cris_profile_id`, `global_cris_profile_id` and
            `region`; None if the model is unknown or not there.
        """
        try:
            access = self._catalog.get_model_info(model_name, region)
        except CatalogError:
            return None
        if access is None:
            return None
        return {
            "access_methods": [way.method for way in ways_of(access)],
            "model_id": access.model_id,
            "regional_cris_profile_id": access.regional_cris_profile_id,
            "global_cris_profile_id": access.global_cris_profile_id,
            "region": region,
        }

    def get_retry_stats(self) -> dict[str, Any]:
        """The retry configuration in figures.

        Returns:
            `max_retries`, `retry_strategy`, `enable_feature_fallback`, and three counts of error
            kinds that are constant but for the caller's own `retryable_errors`.
        """
        retry = self._retry_config
        return {
            "max_retries": retry.max_retries,
            "retry_strategy": retry.retry_strategy.value,
            "enable_feature_fallback": retry.enable_feature_fallback,
            "retryable_error_count": 13 + len(retry.retryable_errors),
            "access_error_count": 3,
            "non_retryable_error_count": 4,
        }

    def validate_configuration(self) -> dict[str, Any]:
        """What was found at construction; sends nothing.

        Returns:
            `valid`, `errors`, `warnings`, `model_region_combinations` (pairs that can be called)
            and `auth_status`.
        """
        return {
            "valid": self._pairs > 0,
            "errors": [],
            "warnings": list(self._left_out),
            "model_region_combinations": self._pairs,
            "auth_status": self._auth_manager.get_auth_info()["auth_type"],
        }

    def refresh_model_data(self) -> None:
        """Ask AWS for the catalogue now, and resolve the models again.

        Raises:
            LLMManagerError: AWS gave nothing and nothing else is known.
        """
        try:
            self._catalog.refresh_catalog()
        except CatalogError as error:
            raise LLMManagerError(f"The model catalogue cannot be refreshed: {error}") from error
        self._resolve()

    def converse(
        self,
        messages: list[dict[str, Any]],
        system: list[dict[str, Any]] | None = None,
        inference_config: dict[str, Any] | None = None,
        additional_model_request_fields: dict[str, Any] | None = None,
        model_specific_config: ModelSpecificConfig | None = None,
        enable_extended_context: bool = False,
        additional_model_response_field_paths: list[str] | None = None,
        guardrail_config: dict[str, Any] | None = None,
        tool_config: dict[str, Any] | None = None,
        request_metadata: dict[str, Any] | None = None,
        prompt_variables: dict[str, Any] | None = None,
        response_validation_config: ResponseValidationConfig | None = None,
        output_config: dict[str, Any] | None = None,
        performance_config: dict[str, Any] | None = None,
        service_tier: dict[str, Any] | None = None,
        extra_request_fields: dict[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> BedrockResponse:
        """Get one answer.

        The arguments are members of Converse under their Python names. None of them is modified.

        Args:
            messages: At least one.
            system: System blocks.
            inference_config: Wins over the manager's default, key by key.
            additional_model_request_fields: What only this model knows. A name that a model
                refuses is left out for it; see `parameters_removed` of the response.
            model_specific_config: Wins over the manager's and over `enable_extended_context`.
            enable_extended_context: Ask for the long context window where a model has one.
            additional_model_response_field_paths: JSON pointers, at most ten.
            guardrail_config: Never left out, whatever a model says.
            tool_config: Tools and tool choice.
            request_metadata: Texts for the invocation log.
            prompt_variables: For a prompt's ARN as model.
            response_validation_config: Whether an answer is good enough; if not, another is asked
                for, and both count as attempts.
            output_config: As the API takes it, or from `build_json_schema_output_config`.
            performance_config: ``{"latency": "standard" | "optimized"}``.
            service_tier: ``{"type": "priority" | "default" | "flex" | "reserved"}``.
            extra_request_fields: Further members of the request; win over all others.
            timeout: Seconds until this call must end, attempts under way included; None means the
                manager's.

        Raises:
            RequestValidationError: The request is not of the form that Converse takes
                (`invalid_fields` names the places), or no model takes it.
            AuthenticationError: There are no credentials that AWS accepts.
            RetryExhaustedError: No target answered; `last_errors` has each one's error,
                `attempt_log` every sending.

        Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
        """
        return self._answer(
            {
                "messages": messages,
                "system": system,
                "inference_config": inference_config,
                "additional_model_request_fields": additional_model_request_fields,
                "model_specific_config": model_specific_config,
                "enable_extended_context": enable_extended_context,
                "additional_model_response_field_paths": additional_model_response_field_paths,
                "guardrail_config": guardrail_config,
                "tool_config": tool_config,
                "request_metadata": request_metadata,
                "prompt_variables": prompt_variables,
                "output_config": output_config,
                "performance_config": performance_config,
                "service_tier": service_tier,
                "extra_request_fields": extra_request_fields,
            },
            response_validation_config,
            deadline=self._deadline(timeout),
        )

    def converse_stream(  # noqa: D417  (the arguments of `converse` are described there)
        self,
        messages: list[dict[str, Any]],
        system: list[dict[str, Any]] | None = None,
        inference_config: dict[str, Any] | None = None,
        additional_model_request_fields: dict[str, Any] | None = None,
        model_specific_config: ModelSpecificConfig | None = None,
        enable_extended_context: bool = False,
        additional_model_response_field_paths: list[str] | None = None,
        guardrail_config: dict[str, Any] | None = None,
        tool_config: dict[str, Any] | None = None,
        request_metadata: dict[str, Any] | None = None,
        prompt_variables: dict[str, Any] | None = None,
        output_config: dict[str, Any] | None = None,
        performance_config: dict[str, Any] | None = None,
        service_tier: dict[str, Any] | None = None,
        extra_request_fields: dict[str, Any] | None = None,
        stream_processing_mode: str | None = None,
        *,
        timeout: float | None = None,
        idle_timeout: float | None = None,
        on_event: Callable[[dict[str, Any]], object] | None = None,
        on_restart: Callable[[StreamRestart], object] | None = None,
    ) -> StreamingResponse:
        """Get one answer piece by piece.

        Nothing is sent before the iteration starts, and no failure leaves it as an exception: it
        ends, and `success` and `stream_errors` say what happened. A stream that breaks is
        continued elsewhere or, where that cannot be, started again: see `restarts`.

        Args:
            messages: As for `converse`, like every argument that is not listed here.
            stream_processing_mode: ``"sync"`` or ``"async"``, for `guardrail_config`.
            timeout: Seconds until the whole answer must be there; None means the manager's.
            idle_timeout: Seconds without any event after which a stream counts as broken; None
                means `Boto3Config.read_timeout`.
            on_event: Called with every event as the API sends it, also of kinds that are not
                known yet. Continuations bring no second beginning.
            on_restart: Called before the answer starts again from its beginning.

        Raises:
            RequestValidationError: The request is not of the form that ConverseStream takes.

        Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
        """
        if stream_processing_mode is not None:
            check_arguments({"guardrail_config": guardrail_config})
            guardrail_config = {
                **(guardrail_config or {}),
                "streamProcessingMode": stream_processing_mode,
            }
        call = self._call(
            {
                "messages": messages,
                "system": system,
                "inference_config": inference_config,
                "additional_model_request_fields": additional_model_request_fields,
                "model_specific_config": model_specific_config,
                "enable_extended_context": enable_extended_context,
                "additional_model_response_field_paths": additional_model_response_field_paths,
                "guardrail_config": guardrail_config,
                "tool_config": tool_config,
                "request_metadata": request_metadata,
                "prompt_variables": prompt_variables,
                "output_config": output_config,
                "performance_config": performance_config,
                "service_tier": service_tier,
                "extra_request_fields": extra_request_fields,
            },
            self._deadline(timeout),
        )
        # Imported here: most programs, and all cold starts, do without.
        from bestehorn_llmmanager.bedrock.models.streaming_response import (  # noqa: PLC0415
            StreamingResponse,
        )
        from bestehorn_llmmanager.bedrock.streaming.stream_run import StreamRun  # noqa: PLC0415

        response = StreamingResponse(success=True, recovery_enabled=True)
        run = StreamRun(
            response,
            call,
            call.preparation.request,
            idle_timeout=_checked_timeout(idle_timeout, "idle_timeout"),
            on_event=on_event,
            on_restart=on_restart,
        )
        run.attach()
        return response

    def converse_with_request(
        self, request: Any, response_validation_config: ResponseValidationConfig | None = None
    ) -> BedrockResponse:
        """`converse` with the arguments that a `BedrockConverseRequest` holds."""
        if not callable(getattr(request, "to_converse_args", None)):
            raise RequestValidationError(
                f"`request` must be a `BedrockConverseRequest`, got {type(request).__name__}",
                invalid_fields=["request"],
            )
        return self.converse(
            **request.to_converse_args(), response_validation_config=response_validation_config
        )

    def _answer(
        self,
        arguments: Mapping[str, Any],
        response_validation_config: ResponseValidationConfig | None = None,
        *,
        deadline: Deadline | None = None,
        lane: Lane | None = None,
    ) -> BedrockResponse:
        """`converse` for callers of this library's own, which bring a deadline and a lane."""
        started = time.perf_counter()
        call = self._call(arguments, deadline, lane)
        validation = None
        if response_validation_config is not None:
            _check_type(
                response_validation_config, ResponseValidationConfig, "response_validation_config"
            )
            validation = ResponseValidation(response_validation_config)
        while attempt := call.next():
            try:
                answer = call.converse(attempt)
            except Exception as error:  # noqa: BLE001  (raised again unless it comes from AWS)
                call.failed(attempt, error)
                continue
            response = _response(answer, attempt)
            if validation is None or validation.accepts(response):
                return _completed(response, call, call.answered(attempt), validation, started)
            call.decide(attempt, validation.verdict(attempt.target), validation.error())
        failure = call.failure()
        if validation is not None:
            failure.validation_attempts = validation.attempts
            failure.rejected_response = validation.rejected
        raise failure

    def _call(
        self, arguments: Mapping[str, Any], deadline: Deadline | None, lane: Lane | None = None
    ) -> Call:
        request, renamed = self._request(arguments)
        equipment = lane.equipment if lane else self._equipment
        preparation = Preparation(
            request,
            equipment.learned,
            parameters=_PARAMETERS,
            model_specific_config=self._config_for_call(arguments),
            cache_points=self._cache_points,
        )
        targets = self._targets(lane.columns if lane else None)
        call = Call(equipment, preparation, targets, deadline=deadline)
        call.warnings += renamed
        return call

    def _request(self, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """The members that say something, checked, in the form that the API takes.

        Returns:
            The request, and a sentence for each document that got another name.
        """
        check_arguments(arguments)
        request = members_of(arguments)
        if self._inference_config:
            given = request.get("inferenceConfig", {})
            request["inferenceConfig"] = {**self._inference_config, **given}
        if extra := arguments.get("extra_request_fields"):
            request |= _checked_extra(extra)
        check_request({**request, "modelId": self._models[0]} if self._are_prompts else request)
        if "outputConfig" in request:
            request["outputConfig"] = to_wire_output_config(request["outputConfig"])
        messages = request.get("messages")  # a prompt's ARN needs none
        if not messages:
            return request, []
        request["messages"], renamed = with_valid_document_names(messages)
        return request, renamed

    def _config_for_call(self, arguments: Mapping[str, Any]) -> ModelSpecificConfig | None:
        config: ModelSpecificConfig | None = arguments.get("model_specific_config")
        if config is not None:
            _check_type(config, ModelSpecificConfig, "model_specific_config")
            return config
        if arguments.get("enable_extended_context"):
            return ModelSpecificConfig(enable_extended_context=True)
        return self._model_specific_config

    def _targets(self, columns: tuple[int, ...] | None = None) -> list[Target]:
        retry = self._retry_config
        if columns is None:
            columns = self._columns_in_order()
        method, fraction = retry.access_method_preference, retry.global_cris_fraction
        if fraction is not None:
            number = next(self._global_calls)
            is_global = math.floor((number + 1) * fraction) > math.floor(number * fraction)
            method = "global_cris" if is_global else None
        return self._table.ordered(retry.retry_strategy, columns, method)

    def _columns_in_order(self) -> tuple[int, ...]:
        retry, columns = self._retry_config, self._columns
        if retry.region_order == RegionOrder.ROTATE:
            turn = next(self._calls) % len(columns)
            columns = columns[turn:] + columns[:turn]
        elif retry.region_order == RegionOrder.SHUFFLE:
            columns = tuple(random.sample(columns, len(columns)))
        return columns

    def _deadline(self, timeout: float | None) -> Deadline | None:
        if timeout is not None:
            seconds = _checked_timeout(timeout)
            return Deadline(time.monotonic() + seconds, is_hard=True) if seconds else None
        if self._timeout is None:
            return None
        is_hard = not isinstance(self._timeout, _Default)
        return Deadline(time.monotonic() + self._timeout, is_hard)

    def _resolve(self) -> None:
        resolver = TargetResolver(
            self._catalog, self._models, self._regions, self._allowed_destinations
        )
        self._table = resolver.table()
        self._are_prompts = all(
            (arn := parse_arn(m)) and arn.kind == "prompt" for m in self._models
        )
        self._pairs, self._left_out = resolver.pairs, resolver.warnings()

    def _start(self) -> None:
        """Begin with nothing learned and nothing connected."""
        self._columns = tuple(range(len(self._regions)))
        self._calls = itertools.count()
        self._global_calls = itertools.count()
        self._equipment = Equipment(
            auth=self._auth_manager,
            retry=self._retry_config,
            health=TargetHealth(),
            learned=Learned(),
            access_methods=AccessMethodTracker.get_instance(),
            compatibility=ParameterCompatibilityTracker.get_instance(),
            cache_points=self._cache_points,
        )


_PARAMETERS = ParameterBuilder()
_A_YEAR = 365 * 24 * 3600
_NOT_PICKLED = frozenset({"_calls", "_columns", "_equipment", "_global_calls"})


def _checked_names(values: Iterable[str], what: str) -> list[str]:
    if isinstance(values, str):
        raise ConfigurationError(
            f"`{what}` must be a list, got the string {values!r}: use [{values!r}]"
        )
    if values is not None and not isinstance(values, Iterable):
        raise ConfigurationError(f"`{what}` must be a list, got {values!r}")
    names = list(values or ())
    if not names:
        raise ConfigurationError(f"`{what}` is empty; give at least one.")
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise ConfigurationError(f"`{what}` must hold non-blank strings, got {name!r}")
    return names


def _checked_regions(values: Iterable[str], what: str) -> list[str]:
    regions = _checked_names(values, what)
    for region in regions:
        if not is_region_code(region):
            from difflib import get_close_matches  # noqa: PLC0415

            from bestehorn_llmmanager.bedrock.models.aws_regions import (  # noqa: PLC0415
                get_all_regions,
            )

            close = ", ".join(get_close_matches(region, get_all_regions()))
            raise ConfigurationError(
                f"`{what}` must hold region codes such as 'eu-west-1', got {region!r}"
                f"{f'; closest: {close}' if close else ''}"
            )
    return regions


def _checked_inference_config(config: dict[str, Any] | None) -> dict[str, Any]:
    if problems := find_inference_config_problems(config or {}):
        raise ConfigurationError(
            f"`default_inference_config` cannot be sent: {'; '.join(map(str, problems))}",
            invalid_config={"default_inference_config": [each.place for each in problems]},
        )
    return dict(config or {})


def _check_type(value: object, kind: type, name: str) -> None:
    if value is not None and not isinstance(value, kind):
        raise ConfigurationError(
            f"`{name}` must be of type `{kind.__name__}`, got {type(value).__name__}"
        )


def _checked_timeout(timeout: float | None, name: str = "timeout") -> float | None:
    if timeout is None or timeout == math.inf:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout > 0:
        raise ConfigurationError(f"`{name}` must be a number of seconds above 0, got {timeout!r}")
    return min(timeout, _A_YEAR)  # more than clocks and sockets take means the same


def _checked_extra(extra: object) -> dict[str, Any]:
    if not isinstance(extra, dict):
        raise RequestValidationError(
            f"`extra_request_fields` must be a dict, got {type(extra).__name__}",
            invalid_fields=["extra_request_fields"],
        )
    if "modelId" in extra:
        raise RequestValidationError(
            "`extra_request_fields` must not have `modelId`: the manager chooses it.",
            invalid_fields=["modelId"],
        )
    return extra


def _merged(retry_config: RetryConfig, **overrides: Any) -> RetryConfig:
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return replace(retry_config, **given) if given else retry_config
    except ValueError as error:
        raise ConfigurationError(str(error), invalid_config=given) from error


def _cache_points(cache_config: CacheConfig | None) -> CachePointManager | None:
    if cache_config is None:
        return None
    from bestehorn_llmmanager.bedrock.cache.cache_point_manager import (  # noqa: PLC0415
        CachePointManager,
    )
    from bestehorn_llmmanager.bedrock.models.cache_structures import CacheConfig  # noqa: PLC0415

    _check_type(cache_config, CacheConfig, "cache_config")
    return CachePointManager(cache_config) if cache_config.enabled else None


def _warn_of_old_options(**options: object) -> None:
    for name, value in options.items():
        if value:
            logger.warning("option=%s | deprecated: %s", name, _OLD_OPTIONS[name])


_OLD_OPTIONS = {
    "unified_model_manager": "it replaces the model catalogue; leave it out",  # until 4.0.0
    "force_download": "use `force_refresh`",
    "strict_cache_mode": "it has no effect",
    "ignore_cache_age": "it has no effect; `force_refresh` asks AWS",
}


def _response(answer: dict[str, Any], attempt: Attempt) -> BedrockResponse:
    target, way, _ = attempt
    uses_profile = way.method != "direct"
    return BedrockResponse(
        success=True,
        response_data=answer,
        model_used=target.model,
        region_used=target.region,
        access_method_used=way.method,
        inference_profile_used=uses_profile,
        inference_profile_id=way.identifier if uses_profile else None,
        api_latency_ms=(answer.get("metrics") or {}).get("latencyMs"),
        model_id_used=way.identifier,
    )


def _completed(
    response: BedrockResponse,
    call: Call,
    prepared: Prepared,
    validation: ResponseValidation | None,
    started: float,
) -> BedrockResponse:
    response.attempts, response.attempt_log = call.attempts, call.log
    response.warnings = call.warnings
    if prepared.disabled_features:
        response.features_disabled = list(prepared.disabled_features)
    if prepared.removed_parameters:
        response.parameters_removed = list(prepared.removed_parameters)
        response.original_additional_fields = dict(prepared.wanted_fields or {})
        response.final_additional_fields = dict(prepared.fields)
    if validation is not None:
        response.validation_attempts = validation.attempts
        response.validation_errors = validation.errors
    response.total_duration_ms = (time.perf_counter() - started) * 1000
    return response
