"""Lays one catalogue over another, region by region."""

from __future__ import annotations

from bestehorn_llmmanager.bedrock.catalog.naming import by_unique_name
from bestehorn_llmmanager.bedrock.models.region_access import RegionAccess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from dataclasses import replace

    from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo
    from bestehorn_llmmanager.bedrock.models.catalog_structures import (
        UnifiedCatalog,
    )
    from bestehorn_llmmanager.bedrock.models.model_details import (
        ContextVariant,
        InferenceProfile,
        ModelLifecycle,
        NotCallableModel,
    )
    from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo
else:
    from bestehorn_llmmanager._dataclass import replace


def overlay(upper: UnifiedCatalog, lower: UnifiedCatalog) -> UnifiedCatalog:
    """Everything of `upper`, and of `lower` the regions that `upper` does not have.

    Limits, prices and former names, which belong to a model and not to a region, are taken from
    `lower` where `upper` has none. The metadata are `upper`'s, with the regions of both.
    """
    kept = lower.regions_metadata.keys() - upper.regions_metadata.keys()
    below = _by_id(lower)
    models = [_combined(model, below.pop(key, None), kept) for key, model in _by_id(upper).items()]
    models += [part for model in below.values() if (part := only_in(model, kept))]
    named = by_unique_name(models)
    regions = {**lower.regions_metadata, **upper.regions_metadata}
    return replace(
        upper,
        models=named,
        metadata=replace(
            upper.metadata,
            regions_metadata=dict(sorted(regions.items())),
            bundled_data_version=lower.metadata.bundled_data_version
            or upper.metadata.bundled_data_version,
        ),
        not_callable=_apart(named, lower, upper),
    )


def newer_over(upper: UnifiedCatalog, lower: UnifiedCatalog) -> UnifiedCatalog:
    """The same, but where both have a region, the one that AWS gave later counts."""
    below = lower.regions_metadata
    newer = [
        region
        for region, entry in upper.regions_metadata.items()
        if region not in below or entry.retrieved_utc >= below[region].retrieved_utc
    ]
    return overlay(restricted(upper, newer), lower)


def with_knowledge_of(catalog: UnifiedCatalog, other: UnifiedCatalog) -> UnifiedCatalog:
    """Add what `other` knows of the models of `catalog` beyond regions: limits, prices, names."""
    known = _by_id(other)
    models = (
        _with_knowledge_of(model, known[key]) if key in known else model
        for key, model in _by_id(catalog).items()
    )
    named = by_unique_name(models)
    return replace(catalog, models=named, not_callable=_apart(named, other, catalog))


def restricted(catalog: UnifiedCatalog, regions: Collection[str]) -> UnifiedCatalog:
    """The catalogue as if only `regions` were known."""
    known = catalog.regions_metadata
    if known.keys() <= set(regions):
        return catalog
    parts = (only_in(model, regions) for model in catalog.models.values())
    left = {region: known[region] for region in known if region in regions}
    metadata = replace(catalog.metadata, regions_metadata=left, api_regions_queried=sorted(left))
    return replace(catalog, models=by_unique_name(filter(None, parts)), metadata=metadata)


def only_in(model: UnifiedModelInfo, regions: Collection[str]) -> UnifiedModelInfo | None:
    """The model as it is in these regions; None if it cannot be called in any."""
    types = _types_in(model.inference_types, regions)
    profiles = [p for p in (_profile_in(p, regions) for p in model.profiles) if p.routes]
    access: Mapping[str, ModelAccessInfo]
    if isinstance(model.region_access, RegionAccess):
        access = RegionAccess(model.model_id, types.get("ON_DEMAND", ()), profiles)
    else:
        access = {r: entry for r, entry in model.region_access.items() if r in regions}
    if not access:
        return None
    return replace(
        model,
        region_access=access,
        inference_types=types,
        profiles=profiles,
        context_variants=[
            replace(variant, inference_types=types)
            for variant in model.context_variants
            if (types := _types_in(variant.inference_types, regions))
        ],
        lifecycle_by_region={r: x for r, x in model.lifecycle_by_region.items() if r in regions},
    )


def _apart(
    named: Mapping[str, UnifiedModelInfo], lower: UnifiedCatalog, upper: UnifiedCatalog
) -> dict[str, NotCallableModel]:
    callable_ids = {model.model_id for model in named.values()}
    apart = {**lower.not_callable, **upper.not_callable}
    for key in lower.not_callable.keys() & upper.not_callable.keys():
        above, below = upper.not_callable[key], lower.not_callable[key]
        apart[key] = replace(
            above,
            facts=above.facts or below.facts,
            former_names=above.former_names or below.former_names,
        )
    return {key: apart[key] for key in sorted(apart) if key not in callable_ids}


def _by_id(catalog: UnifiedCatalog) -> dict[str, UnifiedModelInfo]:
    return {model.model_id or name: model for name, model in catalog.models.items()}


def _types_in(types: Mapping[str, list[str]], regions: Collection[str]) -> dict[str, list[str]]:
    found = {kind: [r for r in listed if r in regions] for kind, listed in types.items()}
    return {kind: listed for kind, listed in found.items() if listed}


def _profile_in(profile: InferenceProfile, regions: Collection[str]) -> InferenceProfile:
    return replace(profile, routes={r: to for r, to in profile.routes.items() if r in regions})


def _combined(
    upper: UnifiedModelInfo, lower: UnifiedModelInfo | None, kept: Collection[str]
) -> UnifiedModelInfo:
    if lower is None:
        return upper
    model = _with_knowledge_of(upper, lower)
    rest = only_in(lower, kept)
    if rest is None:
        return model
    types = _joined_types(upper.inference_types, rest.inference_types)
    profiles = _joined_profiles(upper.profiles, rest.profiles)
    access: Mapping[str, ModelAccessInfo]
    if isinstance(upper.region_access, RegionAccess) and isinstance(
        rest.region_access, RegionAccess
    ):
        access = RegionAccess(upper.model_id, types.get("ON_DEMAND", ()), profiles)
    else:
        access = {**rest.region_access, **upper.region_access}
    return replace(
        model,
        region_access=access,
        inference_types=types,
        profiles=profiles,
        context_variants=_joined_variants(upper.context_variants, rest.context_variants),
        lifecycle_by_region=_joined_lifecycles(model.lifecycle, upper, rest, kept),
    )


def _with_knowledge_of(upper: UnifiedModelInfo, lower: UnifiedModelInfo) -> UnifiedModelInfo:
    """`upper` in its own regions, completed by what does not depend on the region."""
    # Where only profiles speak of the model, the older listing knows its name and modalities.
    speaker = upper if upper.described or not lower.described else lower
    return replace(
        speaker,
        region_access=upper.region_access,
        inference_types=upper.inference_types,
        profiles=upper.profiles,
        context_variants=upper.context_variants,
        lifecycle_by_region=upper.lifecycle_by_region,
        facts=upper.facts or lower.facts,
        former_names=upper.former_names or lower.former_names,
    )


def _joined_types(
    upper: Mapping[str, list[str]], lower: Mapping[str, list[str]]
) -> dict[str, list[str]]:
    return {
        kind: sorted({*upper.get(kind, ()), *lower.get(kind, ())})
        for kind in sorted({*upper, *lower})
    }


def _joined_profiles(
    upper: list[InferenceProfile], lower: list[InferenceProfile]
) -> list[InferenceProfile]:
    profiles = {profile.profile_id: profile for profile in lower}
    for profile in upper:
        below = profiles.get(profile.profile_id)
        routes = {**(below.routes if below else {}), **profile.routes}
        profiles[profile.profile_id] = replace(profile, routes=dict(sorted(routes.items())))
    return [profiles[profile_id] for profile_id in sorted(profiles)]


def _joined_variants(
    upper: list[ContextVariant], lower: list[ContextVariant]
) -> list[ContextVariant]:
    variants = {variant.model_id: variant for variant in lower}
    for variant in upper:
        below = variants.get(variant.model_id)
        types = _joined_types(variant.inference_types, below.inference_types if below else {})
        variants[variant.model_id] = replace(variant, inference_types=types)
    return [variants[model_id] for model_id in sorted(variants)]


def _joined_lifecycles(
    common: ModelLifecycle | None,
    upper: UnifiedModelInfo,
    lower: UnifiedModelInfo,
    kept: Collection[str],
) -> dict[str, ModelLifecycle]:
    """Each region's lifecycle where it differs from the one that now stands for the model."""
    stated = {r: upper.get_lifecycle(r) for r in upper.region_access}
    stated |= {r: lower.get_lifecycle(r) for r in lower.region_access if r in kept}
    return {r: own for r, own in sorted(stated.items()) if own is not None and own != common}
