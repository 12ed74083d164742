# until 4.0.0: this file
"""The models of Bedrock as 0.9.0 listed them. Deprecated; 4.0.0 removes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager._legacy import manager_views
from bestehorn_llmmanager._legacy.constants import FilePaths, URLs
from bestehorn_llmmanager._legacy.data_structures import BedrockModelInfo, ModelCatalog
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import LLMManagerError

if TYPE_CHECKING:
    import os

    from bestehorn_llmmanager.bedrock.models.catalog_structures import UnifiedCatalog

__all__ = ["ModelManager", "ModelManagerError"]


class ModelManagerError(LLMManagerError):
    """The manager has no data, or gets none."""


class ModelManager(manager_views.ManagerView[ModelCatalog]):
    """Deprecated, and removed in 4.0.0; a view of the model catalogue, for its old methods.

    Use instead: `from bestehorn_llmmanager import BedrockModelCatalog` and
    `BedrockModelCatalog().list_models()`.

    Making one reads and sends nothing.

    Args:
        html_output_path: Stored; nothing is written there.
        json_output_path: Where `refresh_model_data` writes what it returns.
        documentation_url: Stored, with a warning; models come from the API.
        download_timeout: Stored, without effect.
    """

    def __init__(
        self,
        html_output_path: str | os.PathLike[str] | None = None,
        json_output_path: str | os.PathLike[str] | None = None,
        documentation_url: str | None = None,
        download_timeout: int = 30,
    ) -> None:
        manager_views.announce("ModelManager", "BedrockModelCatalog().list_models()")
        if documentation_url is not None:
            manager_views.announce_only_api("documentation_url")
        super().__init__(json_output_path or FilePaths.DEFAULT_JSON_OUTPUT, ModelManagerError)
        self.html_output_path = Path(html_output_path or FilePaths.DEFAULT_HTML_OUTPUT)
        self.documentation_url = documentation_url or URLs.BEDROCK_MODELS_DOCUMENTATION
        self.download_timeout = download_timeout

    def __repr__(self) -> str:
        return (
            f"ModelManager(html_path='{self.html_output_path}', "
            f"json_path='{self.json_output_path}', url='{self.documentation_url}')"
        )

    def refresh_model_data(self, force_download: bool = True) -> ModelCatalog:
        """Load the catalogue, write it to `json_output_path`, and answer from it from now on.

        Args:
            force_download: Ask AWS now; otherwise a valid cache of the catalogue answers, too.

        Raises:
            ModelManagerError: No source has data, or the file cannot be written.
        """
        return self._keep(self._fetch(force_refresh=force_download))

    def load_cached_data(self) -> ModelCatalog | None:
        """What `json_output_path` has, to answer from it from now on; None if absent or bad."""
        return self._load()

    def get_models_by_provider(self, provider: str) -> dict[str, BedrockModelInfo]:
        """Name to model, where the provider is exactly this.

        Raises:
            ModelManagerError: There is no data yet; so for every query.
        """
        return self._known().get_models_by_provider(provider)

    def get_models_by_region(self, region: str) -> dict[str, BedrockModelInfo]:
        """Name to model, where it can be called in `region`."""
        return self._known().get_models_by_region(region)

    def get_streaming_models(self) -> dict[str, BedrockModelInfo]:
        """Name to model, where ConverseStream works."""
        return self._known().get_streaming_models()

    def get_model_count(self) -> int:
        """How many models there are."""
        return self._known().model_count

    def _view(self, unified: UnifiedCatalog) -> ModelCatalog:
        return ModelCatalog(
            retrieval_timestamp=unified.metadata.retrieval_timestamp,
            models={
                name: BedrockModelInfo(
                    provider=model.provider,
                    model_id=model.model_id or model.get_inference_profiles()[0],
                    regions_supported=model.get_supported_regions(),
                    input_modalities=list(model.input_modalities),
                    output_modalities=list(model.output_modalities),
                    streaming_supported=model.streaming_supported,
                    inference_types_supported=sorted(model.inference_types),
                )
                for name, model in unified.models.items()
            },
        )

    def _read(self, data: dict[str, Any]) -> ModelCatalog:
        return ModelCatalog.from_dict(data)


manager_views.keep_class_in_package(__name__, ModelManager)
