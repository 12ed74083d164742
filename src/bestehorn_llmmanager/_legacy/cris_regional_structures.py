# until 4.0.0: this file
"""Offers a model's inference profiles by geography."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from bestehorn_llmmanager._legacy import cris_routes
from bestehorn_llmmanager._legacy.cris_constants import CRISRegionPrefixes
from bestehorn_llmmanager._legacy.cris_routes import RegionMappings, Routes, RoutesOfParts
from bestehorn_llmmanager.bedrock.models import reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CRISRegionPrefix: TypeAlias = str
CRISRegionalVariantDict: TypeAlias = dict[str, Any]
CRISMultiRegionalModelDict: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class CRISRegionalVariant(Routes):
    region_prefix: str
    inference_profile_id: str
    region_mappings: RegionMappings

    def __post_init__(self) -> None:
        known = CRISRegionPrefixes.PRIMARY_PREFERENCE_ORDER
        if self.region_prefix not in known:
            raise ValueError(f"`region_prefix` must be one of {known}, got {self.region_prefix!r}")
        cris_routes.check_profile_id(self.inference_profile_id)
        cris_routes.check_mappings(self.region_mappings)

    def to_dict(self) -> CRISRegionalVariantDict:
        return {
            "region_prefix": self.region_prefix,
            "inference_profile_id": self.inference_profile_id,
            "region_mappings": self.region_mappings,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CRISRegionalVariant:
        data = reading.mapping(data, "A variant")
        return cls(
            region_prefix=reading.required(data, "region_prefix", str),
            inference_profile_id=reading.required(data, "inference_profile_id", str),
            region_mappings=cris_routes.read_mappings(data),
        )


RegionalVariantsMap: TypeAlias = dict[str, CRISRegionalVariant]


@dataclass(frozen=True)
class CRISMultiRegionalModel(RoutesOfParts):
    model_name: str
    regional_variants: RegionalVariantsMap

    def __post_init__(self) -> None:
        cris_routes.check_model_name(self.model_name)
        cris_routes.check_keys(self.regional_variants, "region_prefix")

    def _parts(self) -> Iterable[Routes]:
        return self.regional_variants.values()

    @property
    def inference_profile_id(self) -> str:
        order = CRISRegionPrefixes.PRIMARY_PREFERENCE_ORDER
        first = next(prefix for prefix in order if prefix in self.regional_variants)
        return self.regional_variants[first].inference_profile_id

    def get_variant_by_prefix(self, region_prefix: str) -> CRISRegionalVariant | None:
        return self.regional_variants.get(region_prefix)

    def get_all_inference_profiles(self) -> dict[str, str]:
        return {
            prefix: variant.inference_profile_id
            for prefix, variant in self.regional_variants.items()
        }

    def get_regional_prefixes(self) -> list[str]:
        return sorted(self.regional_variants)

    def has_regional_variant(self, region_prefix: str) -> bool:
        return region_prefix in self.regional_variants

    def to_dict(self) -> CRISMultiRegionalModelDict:
        return {
            "model_name": self.model_name,
            "regional_variants": {
                prefix: variant.to_dict() for prefix, variant in self.regional_variants.items()
            },
            "inference_profile_id": self.inference_profile_id,
            "region_mappings": self.region_mappings,
            "all_inference_profiles": self.get_all_inference_profiles(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CRISMultiRegionalModel:
        data = reading.mapping(data, "A model")
        variants = reading.required(data, "regional_variants", dict)
        return cls(
            model_name=reading.required(data, "model_name", str),
            regional_variants={
                prefix: CRISRegionalVariant.from_dict(item) for prefix, item in variants.items()
            },
        )
