"""Reads the catalogue that the package carries."""

from __future__ import annotations

import functools
import json
import logging
import os
from datetime import datetime, timezone

import bestehorn_llmmanager.bedrock
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import BundledDataError
from bestehorn_llmmanager.bedrock.models.catalog_paths import CatalogFilePaths
from bestehorn_llmmanager.bedrock.models.catalog_structures import UnifiedCatalog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

logger = logging.getLogger(__name__)

_PACKAGE = "bestehorn_llmmanager.bedrock"
_FOLDER = CatalogFilePaths.BUNDLED_DATA_DIRECTORY
_NAME = CatalogFilePaths.BUNDLED_DATA_FILENAME


class BundledDataLoader:
    """The bundled catalogue, as public API; keeps no state."""

    @staticmethod
    def get_bundled_data_path() -> Path:
        """Where the bundled file lies; in a zip, a path that does not exist on disk."""
        from pathlib import Path  # noqa: PLC0415

        return Path(_bundle_path())

    @staticmethod
    def load_bundled_catalog() -> UnifiedCatalog:
        """The bundled catalogue; a WARNING says how old it is.

        Raises:
            BundledDataError: The file is missing, is not JSON, or is not a catalogue.
        """
        catalog = bundled_catalog()
        warn_of_age(catalog)
        return catalog

    @staticmethod
    def get_bundled_data_metadata(catalog: UnifiedCatalog | None = None) -> dict[str, Any]:
        """What is known of the bundled data.

        Args:
            catalog: The bundled catalogue, if it is at hand; read otherwise.

        Returns:
            `source` (``"bundled"``), `generation_timestamp` (ISO 8601; when AWS gave the
            data), `version` (of the package that made it), `model_count`, `regions` (sorted).

        Raises:
            BundledDataError: As for `load_bundled_catalog`.
        """
        catalog = catalog or bundled_catalog()
        return {
            "source": "bundled",
            "generation_timestamp": catalog.metadata.retrieval_timestamp.isoformat(),
            "version": catalog.metadata.bundled_data_version,
            "model_count": catalog.model_count,
            "regions": sorted(catalog.metadata.api_regions_queried),
        }


def read_bundle() -> dict[str, Any]:
    """The bundled file as JSON values: the catalogue, `older_names` and `retired_names`.

    Raises:
        BundledDataError: The file is missing or is not a JSON object.
    """
    try:
        data = json.loads(_read_bytes())
    except (OSError, ValueError) as error:
        raise BundledDataError(
            f"The catalogue that the package carries cannot be read: {error}. "
            "Install the package again."
        ) from error
    if not isinstance(data, dict):
        raise BundledDataError("The catalogue that the package carries is not a JSON object.")
    return data


def _bundle_path() -> str:
    return os.path.join(os.path.dirname(bestehorn_llmmanager.bedrock.__file__), _FOLDER, _NAME)


def _read_bytes() -> bytes:
    try:
        with open(_bundle_path(), "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        # The package is in a zip. Importing `resources` costs more than reading the file, so
        # the usual case goes without it.
        from importlib import resources  # noqa: PLC0415

        return resources.files(_PACKAGE).joinpath(_FOLDER).joinpath(_NAME).read_bytes()


@functools.lru_cache(maxsize=1)
def bundled_catalog() -> UnifiedCatalog:
    """The bundled catalogue, read once per process and shared: not to be changed.

    Raises:
        BundledDataError: As for `read_bundle`, or the data is not a catalogue.
    """
    try:
        return UnifiedCatalog.from_dict(read_bundle())
    except ValueError as error:
        raise BundledDataError(
            f"The catalogue that the package carries is damaged: {error}. "
            "Install the package again."
        ) from error


def bundled_regions() -> list[str]:
    """The regions that the bundled catalogue has; none if it cannot be read."""
    try:
        return list(bundled_catalog().metadata.api_regions_queried)
    except BundledDataError:
        return []


def warn_of_age(catalog: UnifiedCatalog) -> None:
    """Tell the operator that bundled data is in use."""
    retrieved = catalog.metadata.retrieval_timestamp
    age = datetime.now(timezone.utc) - retrieved.astimezone(timezone.utc)
    logger.warning(
        "retrieved=%s age_days=%d | using the bundled model catalogue; it may be stale",
        retrieved.date().isoformat(),
        age.days,
    )
