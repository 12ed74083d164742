# until 4.0.0: this file
"""What profiles and models of profiles answer about the regions that they connect."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeAlias

from bestehorn_llmmanager._legacy.cris_constants import CRISGlobalConstants
from bestehorn_llmmanager.bedrock.models import reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RegionMappings: TypeAlias = dict[str, list[str]]

_MARKER = CRISGlobalConstants.COMMERCIAL_REGIONS_MARKER


class Routes:
    """Answers from `region_mappings`: source region to destination regions.

    The destination `_COMMERCIAL_AWS_REGIONS_` is given as it stands; only
    `CRISInferenceProfile.get_expanded_destinations_for_source` replaces it.
    """

    region_mappings: RegionMappings

    def get_source_regions(self) -> list[str]:
        return sorted(self.region_mappings)

    def get_destination_regions(self) -> list[str]:
        return _united(self.region_mappings.values())

    def can_route_from_source(self, source_region: str) -> bool:
        return source_region in self.region_mappings

    def can_route_to_destination(self, destination_region: str) -> bool:
        return any(destination_region in regions for regions in self.region_mappings.values())

    def get_destinations_for_source(self, source_region: str) -> list[str]:
        return list(self.region_mappings.get(source_region, ()))


class RoutesOfParts(ABC):
    """Answers for several `Routes` together."""

    @abstractmethod
    def _parts(self) -> Iterable[Routes]: ...

    @property
    def region_mappings(self) -> RegionMappings:
        merged: RegionMappings = {}
        for part in self._parts():
            for source, regions in part.region_mappings.items():
                known = merged.get(source)
                merged[source] = _united((known, regions)) if known else list(regions)
        return merged

    def get_source_regions(self) -> list[str]:
        return _united(part.region_mappings for part in self._parts())

    def get_destination_regions(self) -> list[str]:
        return _united(part.get_destination_regions() for part in self._parts())

    def can_route_from_source(self, source_region: str) -> bool:
        return any(part.can_route_from_source(source_region) for part in self._parts())

    def can_route_to_destination(self, destination_region: str) -> bool:
        return any(part.can_route_to_destination(destination_region) for part in self._parts())

    def get_destinations_for_source(self, source_region: str) -> list[str]:
        return _united(part.get_destinations_for_source(source_region) for part in self._parts())


def _united(groups: Iterable[Iterable[str]]) -> list[str]:
    return sorted({text for group in groups for text in group})


def check_profile_id(profile_id: str) -> None:
    _check(profile_id, r"[a-z0-9.-]+([:-][a-z0-9-]+)?", "An inference profile id")


def check_model_name(model_name: str) -> None:
    _check(model_name, r"(?=.*\S)[A-Za-z0-9\s.-]+", "A model name")


def check_mappings(region_mappings: RegionMappings, *, marker_allowed: bool = False) -> None:
    if not region_mappings:
        raise ValueError("`region_mappings` must have at least one source region")
    for source, destinations in region_mappings.items():
        _check(source, r"[a-z0-9-]+", "A source region")
        if not destinations:
            raise ValueError(f"Source region {source!r} needs at least one destination")
        for region in destinations:
            if not (marker_allowed and region == _MARKER):
                _check(region, r"[a-z0-9-]+", "A destination region")


def check_keys(parts: Mapping[str, Any], attribute: str) -> None:
    if not parts:
        raise ValueError("A model needs at least one inference profile")
    for key, part in parts.items():
        own = getattr(part, attribute)
        if own != key:
            raise ValueError(f"The key {key!r} must be the `{attribute}` of its value, {own!r}")


def read_mappings(data: Mapping[str, Any]) -> RegionMappings:
    reading.required(data, "region_mappings", dict)
    return reading.texts_by_text(data, "region_mappings")


def _check(text: object, form: str, what: str) -> None:
    if not isinstance(text, str) or not re.fullmatch(form, text, re.DOTALL):
        raise ValueError(f"{what} must be of the form {form!r}, got {text!r}")
