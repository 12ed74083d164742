# until 4.0.0: this file
"""Models and inference profiles as 0.9.0 listed them together. Deprecated; 4.0.0 removes it."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager._legacy import manager_views
from bestehorn_llmmanager._legacy.json_serializer import JSONModelSerializer
from bestehorn_llmmanager._legacy.unified_constants import (
    AccessMethodPriority,
    CacheManagementConstants,
    UnifiedFilePaths,
)
from bestehorn_llmmanager._legacy.unified_model_catalog import UnifiedModelCatalog
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import LLMManagerError
from bestehorn_llmmanager.bedrock.models.access_method import AccessRecommendation, ModelAccessInfo

if TYPE_CHECKING:
    import os

    from bestehorn_llmmanager.bedrock.models.catalog_structures import UnifiedCatalog
    from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

__all__ = ["UnifiedModelManager", "UnifiedModelManagerError"]

logger = logging.getLogger(__name__)

_LEAST_AGE = CacheManagementConstants.MIN_CACHE_AGE_HOURS
_MOST_AGE = CacheManagementConstants.MAX_CACHE_AGE_HOURS


class UnifiedModelManagerError(LLMManagerError):
    """The manager has no data, or gets none; or `max_cache_age_hours` is out of range."""


class UnifiedModelManager(manager_views.ManagerView[UnifiedModelCatalog]):
    """Deprecated, and removed in 4.0.0; a view of the model catalogue, for its old methods.

    Use instead: `from bestehorn_llmmanager import BedrockModelCatalog` and
    `BedrockModelCatalog().get_model_info(model_name, region)`.

    Making one reads and sends nothing.

    Args:
        json_output_path: Where `refresh_unified_data` writes what it returns.
        force_download: What `refresh_unified_data` does if it is not told.
        download_timeout: Stored, without effect.
        enable_fuzzy_matching: Stored, without effect: a profile names its model, nothing is
            matched by name. None means True.
        max_cache_age_hours: How old data may be before `ensure_data_available` asks AWS, 0.1 to 168.
        strict_cache_mode: Whether `ensure_data_available` refuses data older than that.
        ignore_cache_age: Whether `ensure_data_available` takes the file however old it is.

    Raises:
        UnifiedModelManagerError: `max_cache_age_hours` is out of range.
    """

    def __init__(
        self,
        json_output_path: str | os.PathLike[str] | None = None,
        force_download: bool = False,
        download_timeout: int = 30,
        enable_fuzzy_matching: bool | None = None,
        max_cache_age_hours: float = 24.0,
        strict_cache_mode: bool = False,
        ignore_cache_age: bool = False,
    ) -> None:
        manager_views.announce(
            "UnifiedModelManager", "BedrockModelCatalog().get_model_info(model_name, region)"
        )
        if not _LEAST_AGE <= max_cache_age_hours <= _MOST_AGE:
            raise UnifiedModelManagerError(
                f"`max_cache_age_hours` must be {_LEAST_AGE} to {_MOST_AGE}, "
                f"got {max_cache_age_hours!r}"
            )
        super().__init__(
            json_output_path or UnifiedFilePaths.DEFAULT_UNIFIED_JSON_OUTPUT,
            UnifiedModelManagerError,
        )
        self.force_download = force_download
        self.download_timeout = download_timeout
        self.max_cache_age_hours = max_cache_age_hours
        self.strict_cache_mode = strict_cache_mode
        self.ignore_cache_age = ignore_cache_age
        self._fuzzy_matching = enable_fuzzy_matching is not False
        self._stats = dict.fromkeys(_STATS, 0)

    def __repr__(self) -> str:
        return (
            f"UnifiedModelManager(json_path='{self.json_output_path}', "
            f"force_download={self.force_download}, fuzzy_matching={self._fuzzy_matching})"
        )

    def refresh_unified_data(self, force_download: bool | None = None) -> UnifiedModelCatalog:
        """Load the catalogue, write it to `json_output_path`, and answer from it from now on.

        Args:
            force_download: Ask AWS now; otherwise a valid cache of the catalogue answers, too.
                None means what the constructor was given.

        Raises:
            UnifiedModelManagerError: No source has data, or the file cannot be written.
        """
        return self._keep(self._fetch_unified(force_download))

    def ensure_data_available(self) -> UnifiedModelCatalog:
        """The file's data if it is valid, else the catalogue's.

        Where AWS does not answer, older data does, with a warning in the log: the file's, the
        catalogue's cache or that in the package, whichever is newest.

        Raises:
            UnifiedModelManagerError: No source has data; or `strict_cache_mode` is on, and only
                data older than `max_cache_age_hours` is there.
        """
        status = self.get_cache_status()
        loaded = self._load() if status["status"] == "valid" else None
        if loaded is not None:
            return loaded
        unified = self._fetch_unified()
        is_old = not (
            manager_views.is_from_api(unified)
            or self.ignore_cache_age
            or self._is_young(unified.metadata)
        )
        if is_old and self.strict_cache_mode:
            raise UnifiedModelManagerError(
                f"AWS did not answer, and all data is older than {self.max_cache_age_hours} hours "
                f"({status['reason']}). `strict_cache_mode=False` takes it all the same."
            )
        if is_old:
            logger.warning("reason=%s | AWS did not answer; older data is used", status["reason"])
        try:
            return self._keep(unified)
        except UnifiedModelManagerError:
            if status["status"] != "expired" or self.strict_cache_mode:
                raise
            logger.warning("path=%s | cannot be written", self.json_output_path)
            return self._known()

    def load_cached_data(self) -> UnifiedModelCatalog | None:
        """What `json_output_path` has, however old, to answer from it; None if absent or bad."""
        return self._load()

    def get_cache_status(self) -> dict[str, Any]:
        """What `json_output_path` has.

        Returns:
            `status` (``"valid"``, ``"missing"``, ``"corrupted"`` or ``"expired"``), `reason`,
            `max_age_hours`, `path`, `exists`, and `age_hours` if it is valid or expired.
        """
        exists = self.json_output_path.exists()
        age = None
        if exists:
            status, reason, age = self._judge()
        else:
            status, reason = "missing", "there is no file"
        return {
            "status": status,
            "reason": reason,
            "max_age_hours": self.max_cache_age_hours,
            "path": str(self.json_output_path),
            "exists": exists,
            **({} if age is None else {"age_hours": age}),
        }

    def get_model_access_info(self, model_name: str, region: str) -> ModelAccessInfo | None:
        """How the model of exactly this name is called in `region`; None if it is not.

        Raises:
            UnifiedModelManagerError: There is no data yet; so for every query.
        """
        info = self._known().unified_models.get(model_name)
        return info.get_access_info_for_region(region) if info else None

    def get_recommended_access(self, model_name: str, region: str) -> AccessRecommendation | None:
        """Direct access if there is any, with the profiles as alternative; else the profiles."""
        access = self.get_model_access_info(model_name, region)
        if access is None:
            return None
        reasons = AccessMethodPriority.PRIORITY_RATIONALES
        if not access.has_direct_access:
            return AccessRecommendation(access, reasons["cris_only"], [])
        direct = ModelAccessInfo(region=region, has_direct_access=True, model_id=access.model_id)
        return AccessRecommendation(direct, reasons["direct_preferred"], _by_profile(access))

    def is_model_available_in_region(self, model_name: str, region: str) -> bool:
        """Whether the model of exactly this name can be called in `region`."""
        return self.get_model_access_info(model_name, region) is not None

    def get_models_by_region(self, region: str) -> dict[str, UnifiedModelInfo]:
        """Name to model, where it can be called in `region`."""
        return self._known().get_models_by_region(region)

    def get_models_by_provider(self, provider: str) -> dict[str, UnifiedModelInfo]:
        """Name to model, where the provider is exactly this."""
        return self._known().get_models_by_provider(provider)

    def get_direct_access_models_by_region(self, region: str) -> dict[str, UnifiedModelInfo]:
        """Name to model, where its own id can be sent in `region`."""
        return self._known().get_direct_access_models_by_region(region)

    def get_cris_only_models_by_region(self, region: str) -> dict[str, UnifiedModelInfo]:
        """Name to model, where only a profile reaches it from `region`."""
        return self._known().get_cris_only_models_by_region(region)

    def get_all_supported_regions(self) -> list[str]:
        """Regions in which any model can be called, sorted."""
        return self._known().get_all_supported_regions()

    def get_model_names(self) -> list[str]:
        """All names, sorted."""
        return self._known().get_model_names()

    def get_streaming_models(self) -> dict[str, UnifiedModelInfo]:
        """Name to model, where ConverseStream works."""
        return self._known().get_streaming_models()

    def get_model_count(self) -> int:
        """How many models there are."""
        return self._known().model_count

    def has_model(self, model_name: str) -> bool:
        """Whether there is a model of exactly this name."""
        return self._known().has_model(model_name)

    def get_regions_for_model(self, model_name: str) -> list[str]:
        """Regions in which it can be called, sorted; empty for an unknown name."""
        info = self._known().unified_models.get(model_name)
        return info.get_supported_regions() if info else []

    def get_correlation_stats(self) -> dict[str, int]:
        """Counts of models with and without profiles; zeros before a refresh.

        What counted guesses (`fuzzy_matched_models`, `corrected_cris_only_models`) stays zero.
        """
        return dict(self._stats)

    def is_fuzzy_matching_enabled(self) -> bool:
        """What was set; without effect."""
        return self._fuzzy_matching

    def set_fuzzy_matching_enabled(self, enabled: bool) -> None:
        """Set what `is_fuzzy_matching_enabled` tells; without effect."""
        self._fuzzy_matching = enabled

    def _fetch_unified(self, force_download: bool | None = None) -> UnifiedCatalog:
        return self._fetch(
            force_refresh=self.force_download if force_download is None else force_download,
            cache_max_age_hours=self.max_cache_age_hours,
        )

    def _judge(self) -> tuple[str, str, float | None]:
        try:
            catalog = self._read(JSONModelSerializer().load_from_file(self.json_output_path))
        except (OSError, ValueError) as error:
            return "corrupted", str(error), None
        if not catalog.unified_models:
            return "corrupted", "the file has no models", None
        age = _age_hours(catalog)
        if self.ignore_cache_age or self._is_young(catalog):
            return "valid", "the data is young enough", age
        if age < 0:
            return "corrupted", "the file was written in the future", None
        return "expired", f"the data is {age:.1f} hours old", age

    def _is_young(self, catalog: manager_views.Retrieved) -> bool:
        return 0 <= _age_hours(catalog) <= self.max_cache_age_hours

    def _view(self, unified: UnifiedCatalog) -> UnifiedModelCatalog:
        models = unified.models.values()
        with_profiles = sum(bool(model.profiles) for model in models)
        self._stats |= {
            "matched_models": with_profiles,
            "unmatched_regular_models": len(models) - with_profiles,
            "unmatched_cris_models": sum(not model.described for model in models),
            "cris_only_models": sum(not model.get_direct_access_regions() for model in models),
        }
        return UnifiedModelCatalog(unified.metadata.retrieval_timestamp, dict(unified.models))

    def _read(self, data: dict[str, Any]) -> UnifiedModelCatalog:
        return UnifiedModelCatalog.from_dict(data)


_STATS = (
    "matched_models",
    "unmatched_regular_models",
    "unmatched_cris_models",
    "cris_only_models",
    "fuzzy_matched_models",
    "corrected_cris_only_models",
)


def _age_hours(catalog: manager_views.Retrieved) -> float:
    return (datetime.now(timezone.utc) - manager_views.utc(catalog)).total_seconds() / 3600


def _by_profile(access: ModelAccessInfo) -> list[ModelAccessInfo]:
    if not access.has_any_cris_access():
        return []
    return [
        ModelAccessInfo(
            region=access.region,
            has_regional_cris=access.has_regional_cris,
            has_global_cris=access.has_global_cris,
            regional_cris_profile_id=access.regional_cris_profile_id,
            global_cris_profile_id=access.global_cris_profile_id,
        )
    ]


manager_views.make_callable(__name__, UnifiedModelManager)
