# until 4.0.0: this file
"""Offers the model list of the deprecated manager as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.models import reading

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo


@dataclass(frozen=True)
class UnifiedModelCatalog:
    retrieval_timestamp: datetime
    unified_models: dict[str, UnifiedModelInfo]

    def to_dict(self) -> dict[str, Any]:
        return {
            "retrieval_timestamp": self.retrieval_timestamp.isoformat(),
            "unified_models": {n: info.to_dict() for n, info in self.unified_models.items()},
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> UnifiedModelCatalog:
        # Most users of this module never read one back.
        from bestehorn_llmmanager.bedrock.models.unified_structures import (  # noqa: PLC0415
            UnifiedModelInfo,
        )

        try:
            return cls(
                retrieval_timestamp=reading.time(data, "retrieval_timestamp"),
                unified_models={
                    name: UnifiedModelInfo.from_dict(info)
                    for name, info in reading.required(data, "unified_models", dict).items()
                },
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                "A unified model catalogue needs `retrieval_timestamp` (ISO 8601) and "
                f"`unified_models` (name to model): {error!r}"
            ) from error

    @property
    def model_count(self) -> int:
        return len(self.unified_models)

    def get_model_names(self) -> list[str]:
        return sorted(self.unified_models)

    def has_model(self, model_name: str) -> bool:
        return model_name in self.unified_models

    def get_all_supported_regions(self) -> list[str]:
        return sorted({r for info in self.unified_models.values() for r in info.region_access})

    def get_models_by_provider(self, provider: str) -> dict[str, UnifiedModelInfo]:
        return self._where(lambda info: info.provider == provider)

    def get_models_by_region(self, region: str) -> dict[str, UnifiedModelInfo]:
        return self._where(lambda info: info.is_available_in_region(region))

    def get_direct_access_models_by_region(self, region: str) -> dict[str, UnifiedModelInfo]:
        return self._where(lambda info: region in info.get_direct_access_regions())

    def get_cris_only_models_by_region(self, region: str) -> dict[str, UnifiedModelInfo]:
        return self._where(lambda info: region in info.get_cris_only_regions())

    def get_streaming_models(self) -> dict[str, UnifiedModelInfo]:
        return self._where(lambda info: info.streaming_supported)

    def _where(self, test: Callable[[UnifiedModelInfo], bool]) -> dict[str, UnifiedModelInfo]:
        return {name: info for name, info in self.unified_models.items() if test(info)}
