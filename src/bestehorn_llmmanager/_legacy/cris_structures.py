# until 4.0.0: this file
"""Offers the inference profiles of `CRISManager` as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from bestehorn_llmmanager._legacy import cris_routes
from bestehorn_llmmanager._legacy.cris_constants import CRISGlobalConstants
from bestehorn_llmmanager._legacy.cris_routes import RegionMappings, Routes, RoutesOfParts
from bestehorn_llmmanager.bedrock.models import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

CRISModelName: TypeAlias = str
CRISRegionName: TypeAlias = str
CRISInferenceProfileId: TypeAlias = str
CRISModelDict: TypeAlias = dict[str, Any]
CRISCatalogDict: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class CRISInferenceProfile(Routes):
    """`is_global` is derived from the id, so that `to_dict`, which does not have it, loses nothing."""

    inference_profile_id: str
    region_mappings: RegionMappings
    is_global: bool = False

    def __post_init__(self) -> None:
        cris_routes.check_profile_id(self.inference_profile_id)
        cris_routes.check_mappings(self.region_mappings, marker_allowed=True)
        if self.inference_profile_id.startswith(CRISGlobalConstants.GLOBAL_PROFILE_PREFIX):
            object.__setattr__(self, "is_global", True)

    def expand_commercial_regions_marker(self, destinations: list[str]) -> list[str]:
        expanded: dict[str, None] = {}
        for region in destinations:
            is_marker = region == CRISGlobalConstants.COMMERCIAL_REGIONS_MARKER
            regions = CRISGlobalConstants.COMMERCIAL_AWS_REGIONS if is_marker else [region]
            expanded.update(dict.fromkeys(regions))
        return list(expanded)

    def get_expanded_destinations_for_source(self, source_region: str) -> list[str]:
        return self.expand_commercial_regions_marker(
            self.get_destinations_for_source(source_region)
        )

    def to_dict(self) -> dict[str, RegionMappings]:
        return {"region_mappings": self.region_mappings}


InferenceProfilesMap: TypeAlias = dict[str, CRISInferenceProfile]


@dataclass(frozen=True)
class CRISModelInfo(RoutesOfParts):
    model_name: str
    inference_profiles: InferenceProfilesMap

    def __post_init__(self) -> None:
        cris_routes.check_model_name(self.model_name)
        cris_routes.check_keys(self.inference_profiles, "inference_profile_id")

    def _parts(self) -> Iterable[Routes]:
        return self.inference_profiles.values()

    @property
    def inference_profile_id(self) -> str:
        ids = list(self.inference_profiles)
        preferred = (
            profile_id
            for prefixes in ("us.", "eu.", ("apac.", "ap."))
            for profile_id in ids
            if profile_id.startswith(prefixes)
        )
        return next(preferred, ids[0])

    def get_inference_profile(self, profile_id: str) -> CRISInferenceProfile | None:
        return self.inference_profiles.get(profile_id)

    def get_all_inference_profile_ids(self) -> list[str]:
        return list(self.inference_profiles)

    def has_inference_profile(self, profile_id: str) -> bool:
        return profile_id in self.inference_profiles

    def get_profiles_for_source_region(self, source_region: str) -> list[str]:
        return list(self._where(lambda profile: profile.can_route_from_source(source_region)))

    def get_profiles_for_destination_region(self, destination_region: str) -> list[str]:
        return list(
            self._where(lambda profile: profile.can_route_to_destination(destination_region))
        )

    def get_regional_profiles(self) -> InferenceProfilesMap:
        return self._where(lambda profile: not profile.is_global)

    def get_global_profiles(self) -> InferenceProfilesMap:
        return self._where(lambda profile: profile.is_global)

    def get_regional_profiles_for_source(self, source_region: str) -> list[str]:
        regional = self.get_regional_profiles()
        return [
            key for key in self.get_profiles_for_source_region(source_region) if key in regional
        ]

    def get_global_profiles_for_source(self, source_region: str) -> list[str]:
        worldwide = self.get_global_profiles()
        return [
            key for key in self.get_profiles_for_source_region(source_region) if key in worldwide
        ]

    def _where(self, test: Callable[[CRISInferenceProfile], bool]) -> InferenceProfilesMap:
        return {key: profile for key, profile in self.inference_profiles.items() if test(profile)}

    def to_dict(self) -> CRISModelDict:
        return {
            "model_name": self.model_name,
            "inference_profiles": {
                key: profile.to_dict() for key, profile in self.inference_profiles.items()
            },
            "inference_profile_id": self.inference_profile_id,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CRISModelInfo:
        data = reading.mapping(data, "A model")
        profiles = reading.required(data, "inference_profiles", dict)
        return cls(
            model_name=reading.required(data, "model_name", str),
            inference_profiles={
                key: CRISInferenceProfile(
                    key, cris_routes.read_mappings(reading.mapping(item, f"Profile {key!r}"))
                )
                for key, item in profiles.items()
            },
        )


@dataclass(frozen=True)
class CRISCatalog:
    retrieval_timestamp: datetime
    cris_models: dict[str, CRISModelInfo]

    def to_dict(self) -> CRISCatalogDict:
        return {
            "retrieval_timestamp": self.retrieval_timestamp.isoformat(),
            "CRIS": {name: info.to_dict() for name, info in self.cris_models.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CRISCatalog:
        data = reading.mapping(data, "A catalogue")
        return cls(
            retrieval_timestamp=reading.time(data, "retrieval_timestamp"),
            cris_models={
                name: CRISModelInfo.from_dict(item)
                for name, item in reading.required(data, "CRIS", dict).items()
            },
        )

    @property
    def model_count(self) -> int:
        return len(self.cris_models)

    def get_models_by_source_region(self, source_region: str) -> dict[str, CRISModelInfo]:
        return self._where(lambda info: info.can_route_from_source(source_region))

    def get_models_by_destination_region(self, destination_region: str) -> dict[str, CRISModelInfo]:
        return self._where(lambda info: info.can_route_to_destination(destination_region))

    def _where(self, test: Callable[[CRISModelInfo], bool]) -> dict[str, CRISModelInfo]:
        return {name: info for name, info in self.cris_models.items() if test(info)}

    def get_inference_profile_for_model(self, model_name: str) -> str | None:
        info = self.cris_models.get(model_name)
        return info.inference_profile_id if info else None

    def get_all_source_regions(self) -> list[str]:
        return sorted({r for info in self.cris_models.values() for r in info.get_source_regions()})

    def get_all_destination_regions(self) -> list[str]:
        infos = self.cris_models.values()
        return sorted({region for info in infos for region in info.get_destination_regions()})

    def get_model_names(self) -> list[str]:
        return sorted(self.cris_models)

    def has_model(self, model_name: str) -> bool:
        return model_name in self.cris_models
