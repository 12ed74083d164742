"""Turns the bundled catalogue back into the listings that the control plane would return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.catalog.bundled_loader import bundled_catalog
from bestehorn_llmmanager.bedrock.models.model_details import ANY_REGION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bestehorn_llmmanager.bedrock.models.catalog_structures import UnifiedCatalog
    from bestehorn_llmmanager.bedrock.models.model_details import InferenceProfile, ModelLifecycle
    from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

# The account of the examples in AWS's own documentation.
_ACCOUNT = "123456789012"
_LIFECYCLE_KEYS = {
    "status": "status",
    "start_of_life": "startOfLifeTime",
    "legacy_since": "legacyTime",
    "public_extended_access": "publicExtendedAccessTime",
    "end_of_life": "endOfLifeTime",
}


def bundled_snapshot() -> dict[str, Any]:
    """Region to its `modelSummaries` and `inferenceProfileSummaries`, below ``"regions"``.

    Descriptions and dates of profiles are not in the bundle and so not in here.
    """
    return snapshot_of(bundled_catalog())


def snapshot_of(catalog: UnifiedCatalog) -> dict[str, Any]:
    """The same for any catalogue that was made from listings."""
    regions: dict[str, dict[str, list[dict[str, Any]]]] = {
        region: {"modelSummaries": [], "inferenceProfileSummaries": []}
        for region in catalog.metadata.api_regions_queried
    }
    for model in catalog.models.values():
        _add_model(regions, model, model.model_id or "", model.inference_types)
        for variant in model.context_variants:
            _add_model(regions, model, variant.model_id, variant.inference_types)
        for profile in model.profiles:
            for region, destinations in profile.routes.items():
                summary = _profile_summary(profile, model.model_id or "", region, destinations)
                regions[region]["inferenceProfileSummaries"].append(summary)
    return {"regions": regions}


def _add_model(
    regions: dict[str, dict[str, list[dict[str, Any]]]],
    model: UnifiedModelInfo,
    model_id: str,
    inference_types: Mapping[str, list[str]],
) -> None:
    types_by_region: dict[str, list[str]] = {}
    for kind, listed_in in inference_types.items():
        for region in listed_in:
            types_by_region.setdefault(region, []).append(kind)
    for region, types in types_by_region.items():
        regions[region]["modelSummaries"].append(_model_summary(model, model_id, region, types))


def _model_summary(
    model: UnifiedModelInfo, model_id: str, region: str, types: list[str]
) -> dict[str, Any]:
    summary = {
        "modelArn": _model_arn(region, model_id),
        "modelId": model_id,
        "modelName": model.api_name,
        "providerName": model.provider,
        "inputModalities": model.input_modalities,
        "outputModalities": model.output_modalities,
        "responseStreamingSupported": model.streaming_supported,
        "customizationsSupported": model.customizations,
        "inferenceTypesSupported": types,
    }
    lifecycle = model.get_lifecycle(region)
    return {**summary, "modelLifecycle": _lifecycle(lifecycle)} if lifecycle else summary


def _lifecycle(lifecycle: ModelLifecycle) -> dict[str, str]:
    return {_LIFECYCLE_KEYS[key]: value for key, value in lifecycle.to_dict().items()}


def _profile_summary(
    profile: InferenceProfile, model_id: str, region: str, destinations: list[str]
) -> dict[str, Any]:
    arn = f"arn:aws:bedrock:{region}:{_ACCOUNT}:inference-profile/{profile.profile_id}"
    arns = [_model_arn("" if to == ANY_REGION else to, model_id) for to in destinations]
    return {
        "inferenceProfileName": profile.name,
        "inferenceProfileArn": arn,
        "inferenceProfileId": profile.profile_id,
        "models": [{"modelArn": model_arn} for model_arn in arns],
        "status": profile.status,
        "type": "SYSTEM_DEFINED",
    }


def _model_arn(region: str, model_id: str) -> str:
    return f"arn:aws:bedrock:{region}::foundation-model/{model_id}"
