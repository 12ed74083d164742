# until 4.0.0: this file
"""What the three deprecated managers have in common: they show the catalogue in an older form."""

from __future__ import annotations

import logging
import sys
from abc import ABC, abstractmethod
from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from bestehorn_llmmanager._legacy.json_serializer import JSONModelSerializer
from bestehorn_llmmanager.bedrock.catalog.bedrock_catalog import BedrockModelCatalog
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import CatalogError
from bestehorn_llmmanager.bedrock.models.catalog_structures import CatalogSource
from bestehorn_llmmanager.bedrock.models.deprecation import emit_deprecation_warning

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from bestehorn_llmmanager.bedrock.models.catalog_structures import UnifiedCatalog

logger = logging.getLogger(__name__)


class Retrieved(Protocol):
    @property
    def retrieval_timestamp(self) -> datetime: ...


class OldCatalog(Retrieved, Protocol):
    def to_dict(self) -> dict[str, Any]: ...


CatalogT = TypeVar("CatalogT", bound=OldCatalog)


class ManagerView(ABC, Generic[CatalogT]):
    """Holds one older form of the catalogue, and keeps it in a JSON file.

    Args:
        json_output_path: The file.
        error: What is raised where the manager has no data, or gets none.
    """

    def __init__(
        self, json_output_path: str | os.PathLike[str], error: Callable[[str], Exception]
    ) -> None:
        self.json_output_path = Path(json_output_path)
        self._error = error
        self._catalog: CatalogT | None = None

    @abstractmethod
    def _view(self, unified: UnifiedCatalog) -> CatalogT: ...

    @abstractmethod
    def _read(self, data: dict[str, Any]) -> CatalogT: ...

    def _known(self) -> CatalogT:
        if self._catalog is None:
            raise self._error("There is no data yet: call the `refresh_…` method first.")
        return self._catalog

    def _load(self) -> CatalogT | None:
        if not self.json_output_path.exists():
            return None
        try:
            self._catalog = self._read(JSONModelSerializer().load_from_file(self.json_output_path))
        except (OSError, ValueError) as error:
            logger.warning("path=%s error=%s | the file is not used", self.json_output_path, error)
            return None
        return self._catalog

    def _fetch(self, **options: Any) -> UnifiedCatalog:
        try:
            return BedrockModelCatalog(**options).ensure_catalog_available()
        except CatalogError as error:
            raise self._error(f"The model catalogue cannot be loaded: {error}") from error

    def _keep(self, unified: UnifiedCatalog) -> CatalogT:
        """Show `unified` from now on, and write it; a newer file wins over older data."""
        catalog = self._view(unified)
        if not is_from_api(unified):
            kept = self._load()
            if kept is not None and utc(kept) > utc(catalog):
                path = self.json_output_path
                logger.warning("path=%s | AWS did not answer; the file is newer", path)
                return kept
        self._catalog = catalog
        try:
            JSONModelSerializer().serialize_dict_to_file(catalog.to_dict(), self.json_output_path)
        except OSError as error:
            raise self._error(
                f"{str(self.json_output_path)!r} cannot be written: {error}. Give a "
                "`json_output_path` that can. The data is there; queries are answered."
            ) from error
        return catalog


def utc(catalog: Retrieved) -> datetime:
    """When it was retrieved; a time without zone, as 0.9.0 wrote, is local."""
    return catalog.retrieval_timestamp.astimezone(timezone.utc)


def is_from_api(unified: UnifiedCatalog) -> bool:
    """Whether AWS answered just now, for any region."""
    entries = unified.regions_metadata.values()
    return any(entry.source is CatalogSource.API for entry in entries)


def announce(old: str, new: str) -> None:
    """Warn at the line that makes a manager: it calls `__init__`, which calls this."""
    emit_deprecation_warning(
        old,
        since="0.9.0",
        removal="4.0.0",
        alternative=f"`from bestehorn_llmmanager import BedrockModelCatalog` and `{new}`",
        stacklevel=4,
    )


def announce_only_api(option: str) -> None:
    """Warn, at the same line, of an option that chose the documentation as source."""
    emit_deprecation_warning(
        f"`{option}`, which has no effect (there is only the API now),",
        since="0.9.0",
        removal="4.0.0",
        stacklevel=4,
    )


def make_callable(module_name: str, manager: type) -> None:
    """Let the module be called like the class of its name.

    `from bestehorn_llmmanager.bedrock import CRISManager` gives the module; 0.9.0's documentation
    shows that line, and then calls what it gave.
    """

    class CallableModule(ModuleType):
        # Not a function: the frame that warnings point at stays the caller's.
        __call__ = staticmethod(manager)

    sys.modules[module_name].__class__ = CallableModule


def keep_class_in_package(module_name: str, manager: type) -> None:
    """Let the package's attribute of the module's name be the class, whatever is imported first.

    The import system sets it to the module as soon as that is loaded.
    """
    module = sys.modules[module_name]
    package = sys.modules[module_name.rpartition(".")[0]]

    class Package(ModuleType):
        def __setattr__(self, name: str, value: object) -> None:
            if value is not module:
                super().__setattr__(name, value)

    package.__class__ = Package
    setattr(package, manager.__name__, manager)
