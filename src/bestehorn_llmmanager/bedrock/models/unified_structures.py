"""One model of the catalogue: what it is, and how it can be called in each region."""

from __future__ import annotations

from bestehorn_llmmanager._lazy import lazy_names  # until 4.0.0
from bestehorn_llmmanager.bedrock.models import reading
from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo, ModelAccessMethod
from bestehorn_llmmanager.bedrock.models.model_details import (
    ContextVariant,
    InferenceProfile,
    ModelFacts,
    ModelLifecycle,
)
from bestehorn_llmmanager.bedrock.models.region_access import RegionAccess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from dataclasses import dataclass, field
    from typing import Any, TypeAlias

    from bestehorn_llmmanager._legacy.unified_model_catalog import (  # until 4.0.0
        UnifiedModelCatalog,  # until 4.0.0
    )  # until 4.0.0
else:
    from bestehorn_llmmanager._dataclass import dataclass, field

__all__ = [
    "UnifiedCatalogDict",
    "UnifiedModelCatalog",  # until 4.0.0
    "UnifiedModelDict",
    "UnifiedModelInfo",
    "UnifiedModelName",
]

UnifiedModelName: TypeAlias = str
UnifiedModelDict: TypeAlias = "dict[str, Any]"
UnifiedCatalogDict: TypeAlias = "dict[str, Any]"

# until 4.0.0
__getattr__, __dir__ = lazy_names(
    __name__, {"UnifiedModelCatalog": "bestehorn_llmmanager._legacy.unified_model_catalog"}
)
# end


@dataclass(frozen=True)
class UnifiedModelInfo:
    """One model, over all regions that were looked at.

    Attributes:
        model_name: Its name in the catalogue, unique there: the API's `modelName`.
        provider: `providerName`, for example ``"Anthropic"``.
        model_id: For example ``"anthropic.claude-haiku-4-5-20251001-v1:0"``. Whether it can be
            sent as it is depends on the region: see `region_access`.
        input_modalities: ``"TEXT"``, ``"IMAGE"``, … as the API spells them.
        output_modalities: The same.
        streaming_supported: Whether ConverseStream works.
        region_access: Region to how the model is called there; never empty.
        inference_parameters_link: Always None; kept for readers of the old format.
        hyperparameters_link: Always None; the same.
        lifecycle: Status and dates that hold in most regions, or None where not stated.
        lifecycle_by_region: Only the regions whose lifecycle differs from `lifecycle`.
        inference_types: Inference type (``"ON_DEMAND"``, ``"INFERENCE_PROFILE"``,
            ``"PROVISIONED"``, …) to the regions whose listing has it, sorted.
        customizations: `customizationsSupported`: ``"FINE_TUNING"``, …
        profiles: Every system-defined inference profile of the model, sorted by id.
        context_variants: Ids of the same model with another context length.
        facts: Limits, prices and capabilities where known, with their date.
        former_names: Names by which the model was known to earlier versions of this library.
        described: False where no region's listing has the model itself, only profiles that
            route to it; modalities are then unknown (empty).

    Raises:
        ValueError: Blank name, blank provider, or no region at all.

    Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_FoundationModelSummary.html
    """

    model_name: str
    provider: str
    model_id: str | None
    input_modalities: list[str]
    output_modalities: list[str]
    streaming_supported: bool
    region_access: Mapping[str, ModelAccessInfo]
    inference_parameters_link: str | None = None
    hyperparameters_link: str | None = None
    lifecycle: ModelLifecycle | None = None
    lifecycle_by_region: Mapping[str, ModelLifecycle] = field(default_factory=dict)
    inference_types: Mapping[str, list[str]] = field(default_factory=dict)
    customizations: list[str] = field(default_factory=list)
    profiles: list[InferenceProfile] = field(default_factory=list)
    context_variants: list[ContextVariant] = field(default_factory=list)
    facts: ModelFacts | None = None
    former_names: list[str] = field(default_factory=list)
    described: bool = True

    def __post_init__(self) -> None:
        if not self.model_name.strip():
            raise ValueError("A model needs a name, got a blank one")
        if not self.provider.strip():
            raise ValueError(f"Model {self.model_name!r} needs a provider, got a blank one")
        if not self.region_access:
            raise ValueError(f"Model {self.model_name!r} needs at least one region")

    def __setstate__(self, state: dict[str, Any]) -> None:
        # What 0.9.0 pickled has none of these.
        mappings: dict[str, Any] = {name: {} for name in ("lifecycle_by_region", "inference_types")}
        names = ("customizations", "profiles", "context_variants", "former_names")
        vars(self).update({**mappings, **{name: [] for name in names}, **state})

    def __repr__(self) -> str:
        return (
            f"UnifiedModelInfo({self.model_name!r}, model_id={self.model_id!r}, "
            f"provider={self.provider!r}, regions={len(self.region_access)}, "
            f"profiles={len(self.profiles)})"
        )

    def _repr_html_(self) -> str:
        from bestehorn_llmmanager._html.model import model_html  # noqa: PLC0415  (notebooks alone)

        return model_html(self)

    @property
    def api_name(self) -> str:
        """The API's `modelName`: the name without the id that may have made it unique."""
        return self.model_name.removesuffix(f" ({self.model_id})")

    def get_supported_regions(self) -> list[str]:
        """Regions in which it can be called in any way, sorted."""
        return sorted(self.region_access)

    def get_direct_access_regions(self) -> list[str]:
        """Regions in which its own id can be sent, sorted."""
        return self._regions_where(lambda access: access.has_direct_access)

    def get_cris_access_regions(self) -> list[str]:
        """Regions in which an inference profile reaches it, sorted."""
        return self._regions_where(ModelAccessInfo.has_any_cris_access)

    def get_cris_only_regions(self) -> list[str]:
        """Regions in which only an inference profile reaches it, sorted."""
        return self._regions_where(
            lambda access: access.has_any_cris_access() and not access.has_direct_access
        )

    def _regions_where(self, holds: Callable[[ModelAccessInfo], bool]) -> list[str]:
        return [
            region for region in sorted(self.region_access) if holds(self.region_access[region])
        ]

    def get_access_info_for_region(self, region: str) -> ModelAccessInfo | None:
        """How to call it in `region`; None where it cannot be called."""
        return self.region_access.get(region)

    def is_available_in_region(self, region: str) -> bool:
        """Whether it can be called in `region` in any way."""
        return region in self.region_access

    def get_recommended_access_for_region(self, region: str) -> ModelAccessInfo | None:
        """Direct access alone if there is any, else what there is, else None."""
        access = self.region_access.get(region)
        if access is None or not access.has_direct_access:
            return access
        return ModelAccessInfo(region=region, has_direct_access=True, model_id=access.model_id)

    def get_inference_profiles(self) -> list[str]:
        """Unique ids of the profiles that `region_access` names, sorted."""
        accesses = self.region_access.values()
        return sorted({profile for access in accesses for profile in access.get_cris_profile_ids()})

    def get_lifecycle(self, region: str | None = None) -> ModelLifecycle | None:
        """The lifecycle in `region`, or the one that holds in most regions."""
        if region is None:
            return self.lifecycle
        return self.lifecycle_by_region.get(region, self.lifecycle)

    def to_dict(self) -> UnifiedModelDict:
        """Everything as JSON values; `region_access` is spelled out for readers of old files."""
        return {
            **self._described_dict(),
            "region_access": {
                region: _access_to_dict(access) for region, access in self.region_access.items()
            },
            **self._details_dict(),
        }

    def to_record(self) -> UnifiedModelDict:
        """The same without what `from_dict` can work out: how catalogue files keep a model."""
        if not isinstance(self.region_access, RegionAccess):
            return self.to_dict()
        record = {**self._described_dict(), **self._details_dict()}
        return {key: value for key, value in record.items() if value not in (None, [], {})}

    def _described_dict(self) -> UnifiedModelDict:
        return {
            "model_name": self.model_name,
            "provider": self.provider,
            "model_id": self.model_id,
            "input_modalities": list(self.input_modalities),
            "output_modalities": list(self.output_modalities),
            "streaming_supported": self.streaming_supported,
            "inference_parameters_link": self.inference_parameters_link,
            "hyperparameters_link": self.hyperparameters_link,
        }

    def _details_dict(self) -> UnifiedModelDict:
        details = {
            "lifecycle": self.lifecycle and self.lifecycle.to_dict(),
            "lifecycle_by_region": {r: lc.to_dict() for r, lc in self.lifecycle_by_region.items()},
            "inference_types": {
                kind: list(regions) for kind, regions in self.inference_types.items()
            },
            "customizations": list(self.customizations),
            "profiles": [profile.to_dict() for profile in self.profiles],
            "context_variants": [variant.to_dict() for variant in self.context_variants],
            "facts": self.facts and self.facts.to_dict(),
            "former_names": list(self.former_names),
        }
        return details if self.described else {**details, "described": False}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> UnifiedModelInfo:
        """Read what `to_dict`, `to_record` or an older version of this library wrote.

        Raises:
            ValueError: A key is missing or of the wrong type; the message names it.
        """
        data = reading.mapping(data, "A model")
        model_id = reading.optional(data, "model_id", str)
        inference_types = reading.texts_by_text(data, "inference_types")
        direct_regions = inference_types.get("ON_DEMAND", [])
        if direct_regions and not model_id:
            raise ValueError("`model_id` is needed where `inference_types` has ON_DEMAND")
        profiles = [InferenceProfile.from_dict(item) for item in _objects(data, "profiles")]
        lifecycle = reading.optional(data, "lifecycle", dict)
        facts = reading.optional(data, "facts", dict)
        return cls(
            model_name=reading.required(data, "model_name", str),
            provider=reading.required(data, "provider", str),
            model_id=model_id,
            input_modalities=reading.texts(data, "input_modalities"),
            output_modalities=reading.texts(data, "output_modalities"),
            streaming_supported=reading.required(data, "streaming_supported", bool),
            region_access=(
                _access_from_dict(reading.required(data, "region_access", dict))
                if "region_access" in data
                else RegionAccess(model_id, direct_regions, profiles)
            ),
            inference_parameters_link=reading.optional(data, "inference_parameters_link", str),
            hyperparameters_link=reading.optional(data, "hyperparameters_link", str),
            lifecycle=ModelLifecycle.from_dict(lifecycle) if lifecycle else None,
            lifecycle_by_region={
                region: ModelLifecycle.from_dict(reading.mapping(item, "A lifecycle"))
                for region, item in (
                    reading.optional(data, "lifecycle_by_region", dict) or {}
                ).items()
            },
            inference_types=inference_types,
            customizations=reading.texts(data, "customizations"),
            profiles=profiles,
            context_variants=[
                ContextVariant.from_dict(v) for v in _objects(data, "context_variants")
            ],
            facts=ModelFacts.from_dict(facts) if facts else None,
            former_names=reading.texts(data, "former_names"),
            described=reading.optional(data, "described", bool) is not False,
        )


def _objects(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    items = reading.optional(data, key, list) or []
    return [reading.mapping(item, f"Each of `{key}`") for item in items]


def _access_to_dict(access: ModelAccessInfo) -> dict[str, Any]:
    return {
        **vars(access),
        "access_method": access.legacy_access_method.value,
        "inference_profile_id": access.legacy_inference_profile_id,
    }


def _access_from_dict(regions: Mapping[str, Any]) -> dict[str, ModelAccessInfo]:
    return {
        region: _read_access(region, reading.mapping(entry, f"The access in {region!r}"))
        for region, entry in regions.items()
    }


def _read_access(region: str, entry: Mapping[str, Any]) -> ModelAccessInfo:
    model_id = reading.optional(entry, "model_id", str)
    if "has_direct_access" not in entry:
        method = ModelAccessMethod(reading.required(entry, "access_method", str))
        profile_id = reading.optional(entry, "inference_profile_id", str)
        return ModelAccessInfo.from_legacy(method, region, model_id, profile_id)
    return ModelAccessInfo(
        region=reading.optional(entry, "region", str) or region,
        has_direct_access=reading.required(entry, "has_direct_access", bool),
        has_regional_cris=reading.optional(entry, "has_regional_cris", bool) is True,
        has_global_cris=reading.optional(entry, "has_global_cris", bool) is True,
        model_id=model_id,
        regional_cris_profile_id=reading.optional(entry, "regional_cris_profile_id", str),
        global_cris_profile_id=reading.optional(entry, "global_cris_profile_id", str),
    )
