# until 4.0.0: this file
"""Lets `LLMManager` take its models from a deprecated manager, or from a stand-in for one."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol

from bestehorn_llmmanager._legacy.unified_model_catalog import UnifiedModelCatalog
from bestehorn_llmmanager.bedrock.catalog.bedrock_catalog import BedrockModelCatalog
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import CatalogUnavailableError
from bestehorn_llmmanager.bedrock.models.catalog_structures import (
    CacheMode,
    CatalogMetadata,
    CatalogSource,
    UnifiedCatalog,
)
from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo

logger = logging.getLogger(__name__)


class Manager(Protocol):
    def load_cached_data(self) -> Any: ...

    def refresh_unified_data(self) -> Any: ...

    def get_model_access_info(self, model_name: str, region: str) -> ModelAccessInfo | None: ...

    def get_model_names(self) -> Any: ...


def catalog_of(
    manager: Manager, models: Sequence[str], regions: Sequence[str]
) -> BedrockModelCatalog:
    """A catalogue of what `manager` answers for `regions`.

    Args:
        manager: Has these four methods.
        models: Names to ask for, whether or not the manager lists them.
        regions: The regions to ask for.
    """
    catalog = BedrockModelCatalog(cache_mode=CacheMode.NONE, regions=regions)
    loader: Any = _ManagerLoader(manager, models, regions)
    catalog._loader = loader  # noqa: SLF001  (nothing but the deprecated option needs this)
    return catalog


class _ManagerLoader:
    """Stands in for the `CatalogLoader`; a pickle takes along what was loaded, not the manager."""

    fallback_to_bundled = False

    def __init__(self, manager: Manager, models: Sequence[str], regions: Sequence[str]) -> None:
        self._manager: Manager | None = manager
        self._models = list(models)
        self._regions = list(regions)
        self._last: UnifiedCatalog | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_manager": None}

    def load(self, *, bypass_cache: bool = False, **_: object) -> UnifiedCatalog:
        if self._manager is None:
            if self._last is None:
                raise CatalogUnavailableError("The `unified_model_manager` did not travel along.")
            return self._last
        try:
            data = None if bypass_cache else _cached(self._manager)
            if data is None:
                data = self._manager.refresh_unified_data()
            self._last = self._catalog(self._manager, data)
        except Exception as error:  # a stand-in may raise anything
            raise CatalogUnavailableError(
                f"The `unified_model_manager` has no data: {error}. Leave the option out."
            ) from error
        return self._last

    def _catalog(self, manager: Manager, data: Any) -> UnifiedCatalog:
        models: dict[str, UnifiedModelInfo] = {}
        names = list(self._models)
        retrieved = datetime.now(timezone.utc)
        if isinstance(data, UnifiedModelCatalog):
            models.update(data.unified_models)
            retrieved = data.retrieval_timestamp
        else:
            listed = manager.get_model_names()
            names += listed if isinstance(listed, (list, tuple, set)) else []
        for name in names:
            access = {
                region: manager.get_model_access_info(name, region) for region in self._regions
            }
            known = {region: info for region, info in access.items() if info is not None}
            if known and name not in models:
                models[name] = _model(name, known)
        return UnifiedCatalog(
            models, CatalogMetadata(CatalogSource.CACHE, retrieved, list(self._regions))
        )


def _cached(manager: Manager) -> Any:
    try:
        return manager.load_cached_data()
    except Exception as error:  # noqa: BLE001  (then it is asked to refresh)
        logger.debug("error=%r | no cached data", error)
        return None


def _model(name: str, access: dict[str, ModelAccessInfo]) -> UnifiedModelInfo:
    ids = [info.model_id for info in access.values() if info.model_id]
    return UnifiedModelInfo(
        model_name=name,
        provider="unknown",
        model_id=ids[0] if ids else None,
        input_modalities=[],
        output_modalities=[],
        streaming_supported=True,
        region_access=access,
    )
