# until 4.0.0: this file
"""The inference profiles of Bedrock as 0.9.0 listed them. Deprecated; 4.0.0 removes it."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager._legacy import manager_views
from bestehorn_llmmanager._legacy.cris_constants import CRISFilePaths, CRISURLs
from bestehorn_llmmanager._legacy.cris_structures import (
    CRISCatalog,
    CRISInferenceProfile,
    CRISModelInfo,
)
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import LLMManagerError
from bestehorn_llmmanager.bedrock.models.aws_regions import get_commercial_regions
from bestehorn_llmmanager.bedrock.models.model_details import ANY_REGION

if TYPE_CHECKING:
    import os

    from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
    from bestehorn_llmmanager.bedrock.models.catalog_structures import UnifiedCatalog
    from bestehorn_llmmanager.bedrock.models.model_details import InferenceProfile

__all__ = ["CRISManager", "CRISManagerError"]

logger = logging.getLogger(__name__)


class CRISManagerError(LLMManagerError):
    """The manager has no data, or gets none."""


class CRISManager(manager_views.ManagerView[CRISCatalog]):
    """Deprecated, and removed in 4.0.0; a view of the model catalogue, for its old methods.

    Use instead: `from bestehorn_llmmanager import BedrockModelCatalog` and
    `BedrockModelCatalog().get_model_info(model_name, region).get_cris_profile_ids()`.

    "Models" are inference profiles here: their names are the API's `inferenceProfileName`, for
    example ``"US Anthropic Claude Sonnet 4.5"``. Making one reads and sends nothing.

    Args:
        html_output_path: Stored; nothing is written there.
        json_output_path: Where `refresh_cris_data` writes what it returns.
        documentation_url: Stored, with a warning; profiles come from the API.
        download_timeout: Stored, without effect.
        use_api: False warns; there is only the API.
        auth_manager: Credentials for the API; None means boto3's own chain.
    """

    def __init__(
        self,
        html_output_path: str | os.PathLike[str] | None = None,
        json_output_path: str | os.PathLike[str] | None = None,
        documentation_url: str | None = None,
        download_timeout: int = 30,
        use_api: bool = True,
        auth_manager: AuthManager | None = None,
    ) -> None:
        manager_views.announce(
            "CRISManager",
            "BedrockModelCatalog().get_model_info(model_name, region).get_cris_profile_ids()",
        )
        if documentation_url is not None:
            manager_views.announce_only_api("documentation_url")
        if not use_api:
            manager_views.announce_only_api("use_api=False")
        super().__init__(json_output_path or CRISFilePaths.DEFAULT_JSON_OUTPUT, CRISManagerError)
        self.html_output_path = Path(html_output_path or CRISFilePaths.DEFAULT_HTML_OUTPUT)
        self.documentation_url = documentation_url or CRISURLs.DOCUMENTATION
        self.download_timeout = download_timeout
        self._auth_manager = auth_manager

    def __repr__(self) -> str:
        return (
            f"CRISManager(html_path='{self.html_output_path}', "
            f"json_path='{self.json_output_path}', url='{self.documentation_url}')"
        )

    def refresh_cris_data(self, force_download: bool = True) -> CRISCatalog:
        """Load the catalogue, write it to `json_output_path`, and answer from it from now on.

        Args:
            force_download: Ask AWS now; otherwise a valid cache of the catalogue answers, too.

        Raises:
            CRISManagerError: No source has data, or the file cannot be written.
        """
        return self._keep(
            self._fetch(force_refresh=force_download, auth_manager=self._auth_manager)
        )

    def load_cached_data(self) -> CRISCatalog | None:
        """What `json_output_path` has, to answer from it from now on; None if absent or bad."""
        return self._load()

    def get_models_by_source_region(self, source_region: str) -> dict[str, CRISModelInfo]:
        """Name to model, where it can be called in `source_region`.

        Raises:
            CRISManagerError: There is no data yet; so for every query.
        """
        return self._known().get_models_by_source_region(source_region)

    def get_models_by_destination_region(self, destination_region: str) -> dict[str, CRISModelInfo]:
        """Name to model, where `destination_region` may answer."""
        return self._known().get_models_by_destination_region(destination_region)

    def get_inference_profile_for_model(self, model_name: str) -> str | None:
        """The profile id to send; None for an unknown name."""
        return self._known().get_inference_profile_for_model(model_name)

    def get_all_source_regions(self) -> list[str]:
        """Regions in which any profile can be called, sorted."""
        return self._known().get_all_source_regions()

    def get_all_destination_regions(self) -> list[str]:
        """Regions that may answer, sorted; for global profiles all commercial ones."""
        return self._known().get_all_destination_regions()

    def get_model_names(self) -> list[str]:
        """All names, sorted."""
        return self._known().get_model_names()

    def get_model_count(self) -> int:
        """How many names there are."""
        return self._known().model_count

    def has_model(self, model_name: str) -> bool:
        """Whether there is exactly this name."""
        return self._known().has_model(model_name)

    def get_destinations_for_source_and_model(
        self, model_name: str, source_region: str
    ) -> list[str]:
        """Regions that may answer a call from `source_region`, sorted; empty for unknown names."""
        info = self._known().cris_models.get(model_name)
        return info.get_destinations_for_source(source_region) if info else []

    def _view(self, unified: UnifiedCatalog) -> CRISCatalog:
        models: dict[str, CRISModelInfo] = {}
        for profile in (p for model in unified.models.values() for p in model.profiles):
            info = _info(profile, models.get(profile.name))
            if info:
                models[profile.name] = info
        return CRISCatalog(unified.metadata.retrieval_timestamp, models)

    def _read(self, data: dict[str, Any]) -> CRISCatalog:
        return CRISCatalog.from_dict(data)


def _info(profile: InferenceProfile, namesake: CRISModelInfo | None) -> CRISModelInfo | None:
    """The profile as a model; with the profiles that have the same name, if there are any."""
    others = namesake.inference_profiles if namesake else {}
    # The old form has no names with other characters than these.
    name = re.sub(r"[^A-Za-z0-9\s.-]", " ", profile.name)
    routes = {source: _destinations(regions) for source, regions in profile.routes.items()}
    try:
        own = CRISInferenceProfile(profile.profile_id, routes, profile.is_global)
        return CRISModelInfo(name, {**others, profile.profile_id: own})
    except ValueError as error:
        logger.warning("profile=%r error=%s | left out", profile.profile_id, error)
        return None


def _destinations(regions: list[str]) -> list[str]:
    if ANY_REGION not in regions:
        return list(regions)
    return sorted({*regions, *get_commercial_regions()} - {ANY_REGION})


manager_views.make_callable(__name__, CRISManager)
