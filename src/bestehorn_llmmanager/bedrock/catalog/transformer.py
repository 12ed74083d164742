"""Turns raw API listings into a `UnifiedCatalog`; no I/O."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.catalog.naming import by_unique_name
from bestehorn_llmmanager.bedrock.correlators.model_cris_correlator import ModelCRISCorrelator
from bestehorn_llmmanager.bedrock.models import reading
from bestehorn_llmmanager.bedrock.models.catalog_structures import (
    CatalogMetadata,
    CatalogSource,
    RegionFailure,
    RegionMetadata,
    UnifiedCatalog,
)
from bestehorn_llmmanager.bedrock.models.model_details import (
    ContextVariant,
    ModelLifecycle,
    NotCallableModel,
)
from bestehorn_llmmanager.bedrock.models.region_access import RegionAccess
from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bestehorn_llmmanager.bedrock.catalog.api_fetcher import RawCatalogData
    from bestehorn_llmmanager.bedrock.models.model_details import InferenceProfile

logger = logging.getLogger(__name__)

_SHOWN_PROBLEMS = 5
_COLONS_OF_A_VARIANT = 2


@dataclass
class _Draft:
    """What the listings of all regions say of one model id."""

    model_id: str
    summaries: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    profiles: list[InferenceProfile] = field(default_factory=list)
    variants: list[_Draft] = field(default_factory=list)

    @property
    def first_summary(self) -> Mapping[str, Any]:
        return self.summaries[min(self.summaries)] if self.summaries else {}

    def inference_types(self) -> dict[str, list[str]]:
        regions: dict[str, list[str]] = {}
        for region in sorted(self.summaries):
            for kind in _texts(self.summaries[region], "inferenceTypesSupported"):
                regions.setdefault(kind, []).append(region)
        return regions

    def is_callable(self) -> bool:
        return bool(
            RegionAccess(self.model_id, self.inference_types().get("ON_DEMAND", ()), self.profiles)
        )


class CatalogTransformer:
    """Transforms raw listings; keeps no state of a transformation, so one may be shared.

    Args:
        enable_fuzzy_matching: Accepted for code written for 0.9.0. Profiles are matched to
            models by ARN, exactly, whatever is given here.
    """

    def __init__(self, enable_fuzzy_matching: bool | None = None) -> None:
        self.enable_fuzzy_matching = enable_fuzzy_matching
        self._correlator = ModelCRISCorrelator()

    def transform_api_data(
        self, raw_data: RawCatalogData, retrieval_timestamp: datetime | None = None
    ) -> UnifiedCatalog:
        """Make one catalogue of what the regions returned.

        Args:
            raw_data: Listings per region, and the regions that failed.
            retrieval_timestamp: When they were fetched; now, if not given.

        Returns:
            A catalogue with `CatalogSource.API`. What could not be used (a summary without an
            id, a profile that names no model) is left out and reported in one WARNING.

        Raises:
            ValueError: No region returned anything.
        """
        if not raw_data.has_data:
            raise ValueError(
                "There is nothing to transform: no region returned data. "
                f"Failed regions: {raw_data.failed_regions or 'none'}"
            )
        correlation = self._correlator.correlate(raw_data.inference_profiles)
        problems = list(correlation.problems)
        drafts = _collect_models(raw_data.foundation_models, problems)
        for model_id, profiles in correlation.profiles.items():
            drafts.setdefault(model_id, _Draft(model_id)).profiles = profiles
        _attach_variants(drafts)
        _report(problems)
        providers = _providers_by_prefix(drafts.values())
        callable_models = [_to_model(d, providers) for d in drafts.values() if d.is_callable()]
        return UnifiedCatalog(
            models=by_unique_name(callable_models),
            metadata=_metadata(raw_data, retrieval_timestamp or datetime.now(timezone.utc)),
            not_callable={
                draft.model_id: _to_not_callable(draft, providers)
                for draft in sorted(drafts.values(), key=lambda draft: draft.model_id)
                if not draft.is_callable()
            },
        )


def _collect_models(
    models_by_region: Mapping[str, Iterable[Any]], problems: list[str]
) -> dict[str, _Draft]:
    drafts: dict[str, _Draft] = {}
    for region in sorted(models_by_region):
        for summary in models_by_region[region]:
            model_id = summary.get("modelId") if isinstance(summary, dict) else None
            if isinstance(model_id, str) and model_id.strip():
                drafts.setdefault(model_id, _Draft(model_id)).summaries[region] = summary
            else:
                problems.append(f"a foundation model in {region} has no `modelId`")
    return drafts


def _attach_variants(drafts: dict[str, _Draft]) -> None:
    """Move each ``<model id>:<context length>`` below the model, if that can be called.

    One that has a profile of its own stays a model of its own: the two must not be mixed up.
    """
    for model_id in sorted(drafts):
        base = drafts.get(model_id.rpartition(":")[0])
        is_variant = model_id.count(":") >= _COLONS_OF_A_VARIANT and not drafts[model_id].profiles
        if is_variant and base and base.is_callable():
            base.variants.append(drafts.pop(model_id))


def _report(problems: list[str]) -> None:
    if problems:
        shown = "; ".join(problems[:_SHOWN_PROBLEMS])
        logger.warning(
            "problems=%d | could not use all that the API returned: %s", len(problems), shown
        )


def _providers_by_prefix(drafts: Iterable[_Draft]) -> dict[str, str]:
    """How the API spells the provider that ids abbreviate: ``{"ai21": "AI21 Labs", …}``."""
    return {
        draft.model_id.partition(".")[0]: provider
        for draft in drafts
        if (provider := _text(draft.first_summary, "providerName"))
    }


def _provider(draft: _Draft, providers: Mapping[str, str]) -> str:
    prefix = draft.model_id.partition(".")[0]
    listed = _text(draft.first_summary, "providerName")
    return listed or providers.get(prefix) or prefix.strip() or draft.model_id


def _name(draft: _Draft, provider: str) -> str:
    listed = _text(draft.first_summary, "modelName")
    if listed or not draft.profiles:
        return listed or draft.model_id
    profile = draft.profiles[0]
    name = _without_first_words(_without_first_words(profile.name, profile.geography), provider)
    return name.strip() or draft.model_id


def _without_first_words(text: str, words: str) -> str:
    return text[len(words) + 1 :] if text.casefold().startswith(f"{words} ".casefold()) else text


def _to_model(draft: _Draft, providers: Mapping[str, str]) -> UnifiedModelInfo:
    summary = draft.first_summary
    provider = _provider(draft, providers)
    types = draft.inference_types()
    lifecycle, exceptions = _lifecycles(draft)
    return UnifiedModelInfo(
        model_name=_name(draft, provider),
        provider=provider,
        model_id=draft.model_id,
        input_modalities=_texts(summary, "inputModalities"),
        output_modalities=_texts(summary, "outputModalities"),
        streaming_supported=summary.get("responseStreamingSupported") is True,
        region_access=RegionAccess(draft.model_id, types.get("ON_DEMAND", ()), draft.profiles),
        lifecycle=lifecycle,
        lifecycle_by_region=exceptions,
        inference_types=types,
        customizations=_customizations(draft),
        profiles=draft.profiles,
        context_variants=[
            ContextVariant(v.model_id, v.model_id.rpartition(":")[2], v.inference_types())
            for v in draft.variants
        ],
        described=bool(draft.summaries),
    )


def _customizations(draft: _Draft) -> list[str]:
    """Those of any region: a model is customised in few, and called in many."""
    listed = (
        kind
        for region in sorted(draft.summaries)
        for kind in _texts(draft.summaries[region], "customizationsSupported")
    )
    return list(dict.fromkeys(listed))


def _to_not_callable(draft: _Draft, providers: Mapping[str, str]) -> NotCallableModel:
    provider = _provider(draft, providers)
    return NotCallableModel(
        model_id=draft.model_id,
        name=_name(draft, provider),
        provider=provider,
        reason="provisioned_only" if "PROVISIONED" in draft.inference_types() else "not_offered",
        regions=sorted(draft.summaries),
    )


def _lifecycles(draft: _Draft) -> tuple[ModelLifecycle | None, dict[str, ModelLifecycle]]:
    """The lifecycle that most regions state, and the regions that state another."""
    stated = {
        region: lifecycle
        for region in sorted(draft.summaries)
        if (lifecycle := _lifecycle(draft.summaries[region].get("modelLifecycle")))
    }
    if not stated:
        return None, {}
    [(common, _)] = Counter(stated.values()).most_common(1)
    return common, {region: other for region, other in stated.items() if other != common}


def _lifecycle(data: Any) -> ModelLifecycle | None:
    status = _text(data, "status") if isinstance(data, dict) else ""
    if not status:
        return None
    return ModelLifecycle(
        status=status,
        start_of_life=_time(data.get("startOfLifeTime")),
        legacy_since=_time(data.get("legacyTime")),
        public_extended_access=_time(data.get("publicExtendedAccessTime")),
        end_of_life=_time(data.get("endOfLifeTime")),
    )


def _time(value: Any) -> datetime | None:
    """A time as boto3 gives it, or as a recorded answer has it (ISO 8601)."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            return None
    if not isinstance(value, datetime) or not reading.is_clock_time(value):
        return None
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value.strip() if isinstance(value, str) else ""


def _texts(data: Mapping[str, Any], key: str) -> list[str]:
    value = data.get(key)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _metadata(raw_data: RawCatalogData, retrieved: datetime) -> CatalogMetadata:
    regions = sorted(raw_data.successful_regions)
    return CatalogMetadata(
        source=CatalogSource.API,
        retrieval_timestamp=retrieved,
        api_regions_queried=regions,
        regions_metadata={r: RegionMetadata(CatalogSource.API, retrieved) for r in regions},
        unavailable_regions={
            region: RegionFailure(raw_data.failure_kinds.get(region, "failed"), reason, retrieved)
            for region, reason in sorted(raw_data.failed_regions.items())
        },
    )
