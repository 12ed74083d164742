"""A whole catalogue: its models, and where and when each region's data came from."""

from __future__ import annotations

from datetime import timezone
from enum import Enum

from bestehorn_llmmanager.bedrock.models import reading
from bestehorn_llmmanager.bedrock.models.model_details import NotCallableModel
from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from dataclasses import dataclass, field
    from datetime import datetime
    from pathlib import Path
    from typing import Any, TypeAlias
else:
    from bestehorn_llmmanager._dataclass import dataclass, field

ModelName: TypeAlias = str
CatalogDict: TypeAlias = "dict[str, Any]"


class CacheMode(Enum):
    """Where a fetched catalogue is kept between uses."""

    FILE = "file"
    MEMORY = "memory"
    NONE = "none"


class CatalogSource(Enum):
    """Where data came from, from the most to the least certain."""

    API = "api"
    CACHE = "cache"
    BUNDLED = "bundled"


@dataclass(frozen=True)
class RegionMetadata:
    """Where one region's data came from, and when AWS gave it.

    Attributes:
        source: API (just fetched), CACHE or BUNDLED.
        retrieval_timestamp: When the region was asked; aware, UTC.
    """

    source: CatalogSource
    retrieval_timestamp: datetime

    @property
    def retrieved_utc(self) -> datetime:
        """The time for comparisons; a naive one, as 0.9.0 wrote, is local time."""
        return self.retrieval_timestamp.astimezone(timezone.utc)

    def to_dict(self) -> dict[str, Any]:
        """The source as its value, the time as ISO 8601."""
        return {
            "source": self.source.value,
            "retrieval_timestamp": self.retrieval_timestamp.isoformat(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RegionMetadata:
        """The inverse of `to_dict`.

        Raises:
            ValueError: A key is missing or of the wrong type.
        """
        return cls(
            source=CatalogSource(reading.required(data, "source", str)),
            retrieval_timestamp=reading.time(data, "retrieval_timestamp"),
        )


@dataclass(frozen=True)
class RegionFailure:
    """Why a region gave no data when it was asked.

    Attributes:
        kind: ``"opted_out"`` (the account has not enabled the region), ``"denied"`` (no
            permission to list), ``"no_endpoint"``, ``"throttled"``, ``"timeout"`` or
            ``"failed"``.
        reason: What AWS or the network said, without credentials.
        retrieval_timestamp: When it was asked; aware, UTC.
    """

    kind: str
    reason: str
    retrieval_timestamp: datetime

    @property
    def retrieved_utc(self) -> datetime:
        """The time for comparisons."""
        return self.retrieval_timestamp.astimezone(timezone.utc)

    @property
    def is_refusal(self) -> bool:
        """Whether asking again soon would give the same answer."""
        return self.kind in {"opted_out", "denied", "no_endpoint"}

    def to_dict(self) -> dict[str, Any]:
        """The fields under their names, the time as ISO 8601."""
        return {
            "kind": self.kind,
            "reason": self.reason,
            "retrieval_timestamp": self.retrieval_timestamp.isoformat(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RegionFailure:
        """The inverse of `to_dict`.

        Raises:
            ValueError: A key is missing or of the wrong type.
        """
        return cls(
            kind=reading.required(data, "kind", str),
            reason=reading.required(data, "reason", str),
            retrieval_timestamp=reading.time(data, "retrieval_timestamp"),
        )


@dataclass(frozen=True)
class CatalogMetadata:
    """Where a catalogue came from.

    Attributes:
        source: That of the least certain region asked for (refused regions aside).
        retrieval_timestamp: When the oldest of those regions was asked.
        api_regions_queried: Regions that AWS answered for, sorted.
        bundled_data_version: Version of the package that made the bundled data, if used.
        cache_file_path: The cache file that was read or written, if any.
        regions_metadata: Region to its own source and time, for every region that has data.
        unavailable_regions: Region to why it gave no fresh data when it was last asked.
        all_regions: What "all regions" meant when they were last fetched; empty if never.
    """

    source: CatalogSource
    retrieval_timestamp: datetime
    api_regions_queried: list[str]
    bundled_data_version: str | None = None
    cache_file_path: Path | None = None
    regions_metadata: Mapping[str, RegionMetadata] = field(default_factory=dict)
    unavailable_regions: Mapping[str, RegionFailure] = field(default_factory=dict)
    all_regions: list[str] = field(default_factory=list)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # What 0.9.0 pickled has none of these.
        added: dict[str, Any] = {
            "regions_metadata": {},
            "unavailable_regions": {},
            "all_regions": [],
        }
        vars(self).update({**added, **state})

    def __repr__(self) -> str:
        return (
            f"CatalogMetadata(source={self.source.value!r}, "
            f"retrieval_timestamp={self.retrieval_timestamp.isoformat()!r}, "
            f"regions={len(self.regions_metadata or self.api_regions_queried)}, "
            f"unavailable={sorted(self.unavailable_regions)})"
        )

    def to_dict(self) -> CatalogDict:
        """The fields under their names, as JSON values."""
        return {
            "source": self.source.value,
            "retrieval_timestamp": self.retrieval_timestamp.isoformat(),
            "api_regions_queried": list(self.api_regions_queried),
            "bundled_data_version": self.bundled_data_version,
            "cache_file_path": None if self.cache_file_path is None else str(self.cache_file_path),
            "regions_metadata": {r: entry.to_dict() for r, entry in self.regions_metadata.items()},
            "unavailable_regions": {
                r: entry.to_dict() for r, entry in self.unavailable_regions.items()
            },
            "all_regions": list(self.all_regions),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CatalogMetadata:
        """The inverse of `to_dict`; reads what 0.9.0 wrote, too.

        Raises:
            ValueError: `source`, `retrieval_timestamp` or `api_regions_queried` is missing, or
                something is of the wrong type.
        """
        data = reading.mapping(data, "`metadata`")
        reading.required(data, "api_regions_queried", list)
        path = reading.optional(data, "cache_file_path", str)
        return cls(
            source=CatalogSource(reading.required(data, "source", str)),
            retrieval_timestamp=reading.time(data, "retrieval_timestamp"),
            api_regions_queried=reading.texts(data, "api_regions_queried"),
            bundled_data_version=reading.optional(data, "bundled_data_version", str),
            cache_file_path=_path(path) if path else None,
            regions_metadata={
                region: RegionMetadata.from_dict(reading.mapping(entry, "A region's metadata"))
                for region, entry in _entries(data, "regions_metadata")
            },
            unavailable_regions={
                region: RegionFailure.from_dict(reading.mapping(entry, "A region's failure"))
                for region, entry in _entries(data, "unavailable_regions")
            },
            all_regions=reading.texts(data, "all_regions"),
        )


@dataclass(frozen=True)
class UnifiedCatalog:
    """The models that can be called, by canonical name, and where the data came from.

    Attributes:
        models: Canonical name to model.
        metadata: Source and age, as a whole and per region.
        not_callable: Model id to models that are known but that no region offers: kept apart,
            to explain why a name cannot be used.
    """

    models: dict[str, UnifiedModelInfo]
    metadata: CatalogMetadata
    not_callable: Mapping[str, NotCallableModel] = field(default_factory=dict)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # What 0.9.0 pickled has none of these.
        vars(self).update({"not_callable": {}, **state})

    def __repr__(self) -> str:
        return f"UnifiedCatalog(models={len(self.models)}, metadata={self.metadata!r})"

    @property
    def model_count(self) -> int:
        """Number of callable models."""
        return len(self.models)

    @property
    def regions_metadata(self) -> Mapping[str, RegionMetadata]:
        """Region to source and time; 0.9.0's catalogues have one time for all."""
        metadata = self.metadata
        return metadata.regions_metadata or {
            region: RegionMetadata(metadata.source, metadata.retrieval_timestamp)
            for region in metadata.api_regions_queried
        }

    def get_model(self, name: str) -> UnifiedModelInfo | None:
        """The model of exactly this canonical name, or None."""
        return self.models.get(name)

    def filter_models(
        self,
        region: str | None = None,
        provider: str | None = None,
        streaming_only: bool = False,
    ) -> list[UnifiedModelInfo]:
        """Models that satisfy everything given, in the order of the catalogue."""
        return [
            model
            for model in self.models.values()
            if (region is None or region in model.region_access)
            and (provider is None or model.provider == provider)
            and (model.streaming_supported or not streaming_only)
        ]

    def get_all_regions(self) -> list[str]:
        """Regions in which any model can be called, sorted."""
        return sorted({region for model in self.models.values() for region in model.region_access})

    def get_all_providers(self) -> list[str]:
        """Providers of the models, sorted."""
        return sorted({model.provider for model in self.models.values()})

    def to_dict(self) -> CatalogDict:
        """Everything as JSON values, in the shape that 0.9.0's readers know."""
        return self._to_dict(UnifiedModelInfo.to_dict)

    def to_record(self) -> CatalogDict:
        """The same, without what `from_dict` can work out: how catalogue files are kept."""
        return self._to_dict(UnifiedModelInfo.to_record)

    def _to_dict(self, convert: Callable[[UnifiedModelInfo], CatalogDict]) -> CatalogDict:
        data: CatalogDict = {
            "models": {name: convert(model) for name, model in self.models.items()},
            "metadata": self.metadata.to_dict(),
        }
        if self.not_callable:
            data["not_callable"] = {
                key: model.to_dict() for key, model in self.not_callable.items()
            }
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> UnifiedCatalog:
        """Read what `to_dict`, `to_record` or 0.9.0 wrote.

        Raises:
            ValueError: Something is missing or of the wrong type; the message says what, where.
        """
        data = reading.mapping(data, "A catalogue")
        models = reading.required(data, "models", dict)
        return cls(
            models={name: _read_model(name, entry) for name, entry in models.items()},
            metadata=CatalogMetadata.from_dict(reading.required(data, "metadata", dict)),
            not_callable={
                key: NotCallableModel.from_dict(reading.mapping(entry, f"`not_callable` {key!r}"))
                for key, entry in _entries(data, "not_callable")
            },
        )


def _path(text: str) -> Path:
    from pathlib import Path  # noqa: PLC0415  (3 ms that a cold start without cache saves)

    return Path(text)


def _entries(data: Mapping[str, Any], key: str) -> Iterable[tuple[str, Any]]:
    return (reading.optional(data, key, dict) or {}).items()


def _read_model(name: str, entry: Any) -> UnifiedModelInfo:
    try:
        return UnifiedModelInfo.from_dict(entry)
    except ValueError as error:
        raise ValueError(f"Model {name!r}: {error}") from error
