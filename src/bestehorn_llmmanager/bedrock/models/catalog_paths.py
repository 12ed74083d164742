"""Says where the catalogue's files are, without touching the disk."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


FALLBACK_CACHE_DIRECTORY = "/tmp/bestehorn-llmmanager-cache"  # noqa: S108  (its owner is checked)


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
        return _path(default_cache_directory())

    @staticmethod
    def get_default_cache_file_path() -> Path:
        """The cache file in the default directory."""
        return CatalogFilePaths.get_default_cache_directory() / CatalogFilePaths.CACHE_FILENAME

    @staticmethod
    def get_fallback_cache_directory() -> Path:
        """Where the cache goes if the first place cannot be written, as on AWS Lambda."""
        return _path(FALLBACK_CACHE_DIRECTORY)

    @staticmethod
    def get_all_cache_locations() -> list[Path]:
        """The directories in the order in which they are tried, each once."""
        directories = (default_cache_directory(), FALLBACK_CACHE_DIRECTORY)
        return [_path(directory) for directory in dict.fromkeys(directories)]


def default_cache_directory() -> str:
    """`CatalogFilePaths.get_default_cache_directory` as text, for where `pathlib` costs too much."""
    windows = sys.platform == "win32"
    base = os.environ.get("LOCALAPPDATA" if windows else "XDG_CACHE_HOME")
    if base:
        return os.path.join(base, "bestehorn-llmmanager", *(("cache",) if windows else ()))
    home = os.path.expanduser("~")
    if home == "~":
        return FALLBACK_CACHE_DIRECTORY
    if windows:
        return os.path.join(home, ".bestehorn-llmmanager", "cache")
    return os.path.join(home, ".cache", "bestehorn-llmmanager")


def _path(text: str) -> Path:
    from pathlib import Path  # noqa: PLC0415

    return Path(text)
