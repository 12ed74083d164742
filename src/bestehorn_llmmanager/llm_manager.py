"""Gets an answer from one of several models in one of several regions."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.bedrock.catalog.bedrock_catalog import BedrockModelCatalog
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    AuthenticationError,
    CatalogError,
    ConfigurationError,
    LLMManagerError,
    RequestValidationError,
    RetryExhaustedError,
)
from bestehorn_llmmanager.bedrock.models.arns import parse_arn
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.models.catalog_structures import CacheMode
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    Boto3Config,
    LLMManagerConfig,
    RequestAttempt,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from botocore.exceptions import ParamValidationError

    from bestehorn_llmmanager.bedrock.catalog.bedrock_catalog import Refresh
    from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo
    from bestehorn_llmmanager.bedrock.models.model_details import InferenceProfile
    from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

logger = logging.getLogger(__name__)

_MOST_SECONDS_FOR_THE_CATALOGUE = 30
_SHOWN_REGIONS = 8
# "Invalid type for parameter messages[0].content, value: …", "Missing required parameter in
# messages[0]: …", 'Unknown parameter in input: "…"': see botocore.validate
_COMPLAINT = re.compile(
    r"^(?:Invalid [\w ]+ (?:parameter|structure)|(?:Missing required|Unknown) parameter in)"
    r" ([\w.\[\]]+)(?:: \"(\w+)\")?",
    re.MULTILINE,
)


class _Target(NamedTuple):
    """One thing to call."""

    model: str  # as the caller wrote it
    region: str
    access_method: str
    identifier: str


class LLMManager:
    """Sends a prompt to the first of the given models and regions that answers.

    Model names are resolved when the manager is made; a call then only sends. Safe to share
    between threads.

    Args:
        models: Names, ids, profile ids or ARNs, in order of preference.
        regions: AWS region codes, in order of preference.
        auth_config: Where credentials come from; None means boto3's own chain.
        boto3_config: Settings of the clients.
        catalog_cache_mode: Where the model catalogue is kept; None means `CacheMode.FILE`.
        catalog_cache_directory: For `CacheMode.FILE`; None means the user's cache directory.
        catalog_refresh: When AWS is asked for the catalogue: see `BedrockModelCatalog`. The
            models are resolved once, at construction: what ``"background"`` fetches serves the
            next manager, or this one after `refresh_model_data`.
        force_refresh: Ask AWS for the catalogue now, whatever the cache has.
        default_inference_config: `inferenceConfig` of every call; that of a call wins.
        timeout: Seconds; the catalogue gets this, or 30 if it is more.
        log_level: Level of the logger ``bestehorn_llmmanager``.

    Raises:
        ConfigurationError: A wrong argument, or no model can be called in any of the regions.
    """

    def __init__(
        self,
        models: Sequence[str],
        regions: Sequence[str],
        auth_config: AuthConfig | None = None,
        boto3_config: Boto3Config | None = None,
        *,
        catalog_cache_mode: CacheMode | None = None,
        catalog_cache_directory: str | os.PathLike[str] | None = None,
        catalog_refresh: Refresh = "blocking",
        force_refresh: bool = False,
        default_inference_config: dict[str, Any] | None = None,
        timeout: float = LLMManagerConfig.DEFAULT_TIMEOUT,
        log_level: int | str = LLMManagerConfig.DEFAULT_LOG_LEVEL,
    ) -> None:
        logging.getLogger("bestehorn_llmmanager").setLevel(log_level)
        self._models = _checked_names(models, "models")
        self._regions = _checked_names(regions, "regions")
        self._inference_config = dict(default_inference_config or {})
        if auth_config is not None and not isinstance(auth_config, AuthConfig):
            raise ConfigurationError(
                f"`auth_config` must be an `AuthConfig`, got {type(auth_config).__name__}"
            )
        self._auth_manager = AuthManager(auth_config, _checked_boto3_config(boto3_config))
        try:
            self._catalog = BedrockModelCatalog(
                auth_manager=self._auth_manager,
                cache_mode=catalog_cache_mode or CacheMode.FILE,
                cache_directory=catalog_cache_directory,
                force_refresh=force_refresh,
                timeout=min(timeout, _MOST_SECONDS_FOR_THE_CATALOGUE),
                refresh=catalog_refresh,
                regions=self._regions,
            )
            self._catalog.ensure_catalog_available()
        except (CatalogError, ValueError, TypeError) as error:
            raise ConfigurationError(f"The model catalogue cannot be loaded: {error}") from error
        self._targets = self._resolve()

    def __repr__(self) -> str:
        auth_type = self._auth_manager.get_auth_info()["auth_type"]
        return f"LLMManager(models={len(self._models)}, regions={len(self._regions)}, auth={auth_type})"

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
        access = self._catalog.get_model_info(model_name, region)
        if access is None:
            return None
        return {
            "access_methods": [method for method, _ in _ways(access)],
            "model_id": access.model_id,
            "regional_cris_profile_id": access.regional_cris_profile_id,
            "global_cris_profile_id": access.global_cris_profile_id,
            "region": region,
        }

    def validate_configuration(self) -> dict[str, Any]:
        """What was found at construction; sends nothing.

        Returns:
            `valid`, `errors`, `warnings`, `model_region_combinations` (pairs that can be called)
            and `auth_status`.
        """
        return {
            "valid": bool(self._targets),
            "errors": [],
            "warnings": self._left_out(self._targets),
            "model_region_combinations": len(self._targets),
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
        self._targets = self._resolve()

    def converse(
        self,
        messages: list[dict[str, Any]],
        system: list[dict[str, Any]] | None = None,
        inference_config: dict[str, Any] | None = None,
        *,
        tool_config: dict[str, Any] | None = None,
        guardrail_config: dict[str, Any] | None = None,
        extra_request_fields: dict[str, Any] | None = None,
    ) -> BedrockResponse:
        """Send one request to each target in turn until one answers.

        Args:
            messages: As Converse takes them; at least one.
            system: System blocks.
            inference_config: `inferenceConfig`; wins over the manager's default, key by key.
            tool_config: `toolConfig`.
            guardrail_config: `guardrailConfig`.
            extra_request_fields: Further members of the request; win over all others.

        Raises:
            RequestValidationError: There is no message, or the request is not of the form that
                Converse takes; `invalid_fields` names the places.
            RetryExhaustedError: No target answered; `last_errors` has each one's error.

        Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
        """
        if not messages:
            raise RequestValidationError(
                "`messages` is empty; Converse needs at least one message."
            )
        if "modelId" in (extra_request_fields or {}):
            raise RequestValidationError(
                "`extra_request_fields` must not have `modelId`: the manager chooses it."
            )
        members = {
            "messages": messages,
            "system": system,
            "inferenceConfig": {**self._inference_config, **(inference_config or {})},
            "toolConfig": tool_config,
            "guardrailConfig": guardrail_config,
        }
        request = {key: value for key, value in members.items() if value}
        return self._first_answer({**request, **(extra_request_fields or {})})

    def _first_answer(self, request: dict[str, Any]) -> BedrockResponse:
        from botocore.exceptions import (  # noqa: PLC0415
            BotoCoreError,
            ClientError,
            ParamValidationError,
        )

        started = time.perf_counter()
        attempts: list[RequestAttempt] = []
        for number, target in enumerate(self._targets, start=1):
            attempt = RequestAttempt(
                model_id=target.model,
                region=target.region,
                access_method=target.access_method,
                attempt_number=number,
                start_time=datetime.now(timezone.utc),
            )
            attempts.append(attempt)
            try:
                client = self._auth_manager.get_bedrock_client(target.region)
                answer = client.converse(modelId=target.identifier, **request)
            except ParamValidationError as error:
                # Not from the error: botocore quotes what stands at the place, which may be a prompt.
                raise _refused(error, request) from None
            except (ClientError, BotoCoreError, AuthenticationError, OSError) as error:
                attempt.error, attempt.end_time = error, datetime.now(timezone.utc)
                continue
            attempt.success, attempt.end_time = True, datetime.now(timezone.utc)
            return _response(answer, target, attempts, (time.perf_counter() - started) * 1000)
        raise _exhausted(attempts)

    def _resolve(self) -> list[_Target]:
        targets = [
            target
            for model in self._models
            for region in self._regions
            if (target := self._target(model, region))
        ]
        if targets:
            for sentence in self._left_out(targets):
                logger.warning("%s", sentence)
            return list(dict.fromkeys(targets))
        reasons = " ".join(self._why_not_callable(model) for model in self._models)
        raise ConfigurationError(
            f"None of the models {self._models} can be called in any of the regions "
            f"{self._regions}. {reasons}",
            invalid_config={"models": self._models, "regions": self._regions},
        )

    def _left_out(self, targets: Sequence[_Target]) -> list[str]:
        """One sentence for each model and each region that is in no target."""
        models = {target.model for target in targets}
        regions = {target.region for target in targets}
        only_arns = all(map(parse_arn, self._models))  # whose own regions count
        sentences = [self._why_not_callable(m) for m in self._models if m not in models]
        if not only_arns:
            sentences += [self._why_unused(r) for r in self._regions if r not in regions]
        return list(dict.fromkeys(sentences))

    def _why_unused(self, region: str) -> str:
        catalog = self._catalog.ensure_catalog_available()
        known = catalog.get_all_regions()
        if region in known:
            return f"None of the models can be called in {region!r}."
        failure = catalog.metadata.unavailable_regions.get(region)
        why = f" ({failure.kind})" if failure else ""
        return f"Region {region!r} is not known{why}; closest: {_closest(region, known)}."

    def _target(self, model: str, region: str) -> _Target | None:
        arn = parse_arn(model)
        region = arn.region if arn and arn.region else region
        found = self._catalog.find_model(model)
        profile = found and _profile_named(found, arn.resource_id if arn else model)
        if profile:
            # Whoever names a profile means this one, not another way to the same model.
            method = "global_cris" if profile.is_global else "regional_cris"
            routes = region in profile.routes
            return _Target(model, region, method, profile.profile_id) if routes else None
        access = found and found.get_access_info_for_region(region)
        if access:
            method, identifier = _ways(access)[0]
            return _Target(model, region, method, identifier)
        # The catalogue knows what AWS offers to all; what an account made itself passes through.
        if arn and arn.kind not in {"foundation-model", "inference-profile"}:
            return _Target(model, region, "direct", model)
        return None

    def _why_not_callable(self, model: str) -> str:
        found = self._catalog.find_model(model)
        if found is None:
            return self._catalog.explain_missing(model)
        profile = _profile_named(found, model.rpartition("/")[2])
        regions = profile.source_regions if profile else found.get_supported_regions()
        shown = ", ".join(regions[:_SHOWN_REGIONS])
        more = f" and {len(regions) - _SHOWN_REGIONS} more" if len(regions) > _SHOWN_REGIONS else ""
        name = profile.profile_id if profile else found.model_name
        return f"{name!r} can be called in {shown}{more}."


def _checked_names(values: Sequence[str], what: str) -> list[str]:
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


def _checked_boto3_config(config: Boto3Config | None) -> Boto3Config:
    if config is None:
        return Boto3Config()
    if not isinstance(config, Boto3Config):
        raise ConfigurationError(
            f"`boto3_config` must be a `Boto3Config`, got {type(config).__name__}"
        )
    return config


def _closest(text: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415

    return ", ".join(get_close_matches(text, known, n=3, cutoff=0)) or "none"


def _profile_named(model: UnifiedModelInfo, text: str) -> InferenceProfile | None:
    return next((profile for profile in model.profiles if profile.profile_id == text), None)


def _ways(access: ModelAccessInfo) -> list[tuple[str, str]]:
    """Access methods with what to send, in the order in which they are preferred."""
    ways = (
        ("direct", access.model_id),
        ("regional_cris", access.regional_cris_profile_id),
        ("global_cris", access.global_cris_profile_id),
    )
    return [(method, identifier) for method, identifier in ways if identifier]


def _response(
    answer: dict[str, Any], target: _Target, attempts: list[RequestAttempt], duration_ms: float
) -> BedrockResponse:
    uses_profile = target.access_method != "direct"
    return BedrockResponse(
        success=True,
        response_data=answer,
        model_used=target.model,
        region_used=target.region,
        access_method_used=target.access_method,
        inference_profile_used=uses_profile,
        inference_profile_id=target.identifier if uses_profile else None,
        attempts=attempts,
        total_duration_ms=duration_ms,
        api_latency_ms=(answer.get("metrics") or {}).get("latencyMs"),
        model_id_used=target.identifier,
    )


def _refused(error: ParamValidationError, request: dict[str, Any]) -> RequestValidationError:
    """Name the places that botocore complains of, by their paths in the request alone."""
    members = {"input", *request}
    found = [
        f"{place}.{key}" if key else place.rstrip(".")
        for place, key in _COMPLAINT.findall(str(error))
        if re.split(r"\W", place)[0] in members  # a prompt may hold a line like botocore's
    ]
    places = [place.removeprefix("input.") for place in dict.fromkeys(found)]
    return RequestValidationError(
        "The request is not of the form that Converse takes: look at "
        f"{', '.join(places) or 'its members'}. A message is "
        "{'role': 'user', 'content': [{'text': '…'}]}",
        invalid_fields=places,
    )


def _exhausted(attempts: list[RequestAttempt]) -> RetryExhaustedError:
    errors = [attempt.error for attempt in attempts if attempt.error]
    tried = "; ".join(f"{a.model_id} in {a.region}: {type(a.error).__name__}" for a in attempts)
    return RetryExhaustedError(
        f"No target answered, {len(attempts)} were tried. {tried}",
        attempts_made=len(attempts),
        last_errors=errors,
        models_tried=list(dict.fromkeys(attempt.model_id for attempt in attempts)),
        regions_tried=list(dict.fromkeys(attempt.region for attempt in attempts)),
    )
