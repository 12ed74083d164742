"""Says where the catalogue's files are, without touching the disk."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class CatalogFilePaths:
    """Names and places of the cache file and of the bundled catalogue.

    The environment is read on each call, so a change of ``XDG_CACHE_HOME`` counts at once.
    Nothing is created or looked at.
    """

    CACHE_FILENAME = "bedrock_catalog.json"
    BUNDLED_DATA_FILENAME = "bedrock_catalog_bundled.json"
    BUNDLED_DATA_DIRECTORY = "package_data"

    @staticmethod
    def get_default_cache_directory() -> Path:
        r"""Where the cache goes first.

        Windows: ``%LOCALAPPDATA%\bestehorn-llmmanager\cache``, else
        ``~\.bestehorn-llmmanager\cache``. Elsewhere: ``$XDG_CACHE_HOME/bestehorn-llmmanager``,
        else ``~/.cache/bestehorn-llmmanager``. A user without a home gets the fallback.
        """
        from pathlib import Path  # noqa: PLC0415  (cold starts without a cache do not pay for it)

        windows = sys.platform == "win32"
        base = os.environ.get("LOCALAPPDATA" if windows else "XDG_CACHE_HOME")
        below_base = "bestehorn-llmmanager/cache" if windows else "bestehorn-llmmanager"
        below_home = ".bestehorn-llmmanager/cache" if windows else ".cache/bestehorn-llmmanager"
        if base:
            return Path(base) / below_base
        home = os.path.expanduser("~")  # noqa: PTH111  (`Path.home` raises where there is none)
        if home == "~":
            return CatalogFilePaths.get_fallback_cache_directory()
        return Path(home) / below_home

    @staticmethod
    def get_default_cache_file_path() -> Path:
        """The cache file in the default directory."""
        return CatalogFilePaths.get_default_cache_directory() / CatalogFilePaths.CACHE_FILENAME

    @staticmethod
    def get_fallback_cache_directory() -> Path:
        """Where the cache goes if the first place cannot be written, as on AWS Lambda."""
        from pathlib import Path  # noqa: PLC0415

        return Path("/tmp/bestehorn-llmmanager-cache")  # noqa: S108  (the cache checks its owner)

    @staticmethod
    def get_all_cache_locations() -> list[Path]:
        """The directories in the order in which they are tried, each once."""
        default = CatalogFilePaths.get_default_cache_directory()
        fallback = CatalogFilePaths.get_fallback_cache_directory()
        return [default] if default == fallback else [default, fallback]
