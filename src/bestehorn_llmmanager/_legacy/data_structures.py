# until 4.0.0: this file
"""Offers the model list of `ModelManager` as one value."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from bestehorn_llmmanager.bedrock.models import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

ModelName: TypeAlias = str
RegionName: TypeAlias = str
ProviderName: TypeAlias = str
ModelDict: TypeAlias = dict[str, Any]
CatalogDict: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class BedrockModelInfo:
    provider: str
    model_id: str
    regions_supported: list[str]
    input_modalities: list[str]
    output_modalities: list[str]
    streaming_supported: bool
    inference_parameters_link: str | None = None
    hyperparameters_link: str | None = None
    inference_types_supported: list[str] | None = None

    def to_dict(self) -> ModelDict:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> BedrockModelInfo:
        return cls(
            provider=reading.required(data, "provider", str),
            model_id=reading.required(data, "model_id", str),
            regions_supported=reading.texts(data, "regions_supported"),
            input_modalities=reading.texts(data, "input_modalities"),
            output_modalities=reading.texts(data, "output_modalities"),
            streaming_supported=reading.required(data, "streaming_supported", bool),
            inference_parameters_link=reading.optional(data, "inference_parameters_link", str),
            hyperparameters_link=reading.optional(data, "hyperparameters_link", str),
            inference_types_supported=reading.optional(data, "inference_types_supported", list),
        )


@dataclass(frozen=True)
class ModelCatalog:
    retrieval_timestamp: datetime
    models: dict[str, BedrockModelInfo]

    def to_dict(self) -> CatalogDict:
        return {
            "retrieval_timestamp": self.retrieval_timestamp.isoformat(),
            "models": {name: info.to_dict() for name, info in self.models.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelCatalog:
        data = reading.mapping(data, "A model catalogue")
        return cls(
            retrieval_timestamp=reading.time(data, "retrieval_timestamp"),
            models={
                name: BedrockModelInfo.from_dict(reading.mapping(info, f"Model {name!r}"))
                for name, info in reading.required(data, "models", dict).items()
            },
        )

    @property
    def model_count(self) -> int:
        return len(self.models)

    def get_models_by_provider(self, provider: str) -> dict[str, BedrockModelInfo]:
        return self._where(lambda info: info.provider == provider)

    def get_models_by_region(self, region: str) -> dict[str, BedrockModelInfo]:
        return self._where(lambda info: region in info.regions_supported)

    def get_streaming_models(self) -> dict[str, BedrockModelInfo]:
        return self._where(lambda info: info.streaming_supported)

    def _where(self, test: Callable[[BedrockModelInfo], bool]) -> dict[str, BedrockModelInfo]:
        return {name: info for name, info in self.models.items() if test(info)}
