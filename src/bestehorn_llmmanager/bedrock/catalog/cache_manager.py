"""Keeps one catalogue file on disk: reads it if it can be trusted, replaces it in one move."""

from __future__ import annotations

import contextlib
import json
import os
import time
from datetime import datetime, timezone

from bestehorn_llmmanager._fork import NoForkMeanwhile
from bestehorn_llmmanager._lazy import lazy_logger
from bestehorn_llmmanager._version import __version__
from bestehorn_llmmanager.bedrock.catalog import private_files
from bestehorn_llmmanager.bedrock.models.catalog_paths import (
    FALLBACK_CACHE_DIRECTORY,
    CatalogFilePaths,
    default_cache_directory,
)
from bestehorn_llmmanager.bedrock.models.catalog_structures import (
    CacheMode,
    CatalogSource,
    UnifiedCatalog,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from dataclasses import replace
    from pathlib import Path
    from typing import Any
else:
    from bestehorn_llmmanager._dataclass import replace

logger = lazy_logger(__name__)

_CLOCK_TOLERANCE_SECONDS = 60


class CacheManager:
    """Stores a catalogue between uses. Safe to share between threads and processes.

    In `CacheMode.FILE` there is one file, in the directory given (or the user's cache
    directory), or, where that cannot be written, in a directory below ``/tmp``. In `MEMORY`
    the catalogue is kept in this object; in `NONE` nowhere; neither touches a file system.

    A file remembers the endpoint that it was fetched from, if `AWS_ENDPOINT_URL_BEDROCK` or
    `AWS_ENDPOINT_URL` named one, and is read only while these variables say the same: what a
    test endpoint lists does not pass for what AWS does.

    Args:
        mode: Where to keep it.
        directory: For `FILE`; made on the first save, with mode 0700. None means the default:
            ``$XDG_CACHE_HOME/bestehorn-llmmanager`` or the platform's equivalent.
        max_age_hours: How long a catalogue is valid after AWS gave it.

    Raises:
        ValueError: `mode` is not a `CacheMode`, or `max_age_hours` is not positive.
        TypeError: `directory` is not a path.
    """

    def __init__(
        self,
        mode: CacheMode,
        directory: str | os.PathLike[str] | None = None,
        max_age_hours: float = 24.0,
    ) -> None:
        if not isinstance(mode, CacheMode):
            raise ValueError(f"`mode` must be a `CacheMode`, got {mode!r}")  # noqa: TRY004
        if not max_age_hours > 0:
            raise ValueError(f"`max_age_hours` must be positive, got {max_age_hours!r}")
        self._mode = mode
        self._directory = None if directory is None else _text_path(directory)
        self._max_age_hours = max_age_hours
        self._memory: UnifiedCatalog | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Who pickles a catalogue has it; who pickles a manager wants none.
        return {**vars(self), "_memory": None}

    @property
    def mode(self) -> CacheMode:
        """Where the catalogue is kept."""
        return self._mode

    @property
    def cache_file_path(self) -> Path | None:
        """The file that is tried first; None unless the mode is `FILE`."""
        return _path(self._locations()[0]) if self._mode is CacheMode.FILE else None

    def load_cache(self) -> UnifiedCatalog | None:
        """The stored catalogue if it is valid: right version, not too old, not from the future.

        Returns:
            The catalogue, with `CatalogSource.CACHE` if it was read from a file. None if there
            is none, if it is too old, or if the file is damaged, foreign or unreadable.
        """
        return next((c for c in self._readable() if self._is_valid(c)), None)

    def load_stored(self) -> UnifiedCatalog | None:
        """The stored catalogue whatever its age: the last that AWS is known to have given."""
        return max(self._readable(), key=_trust, default=None)

    def save_cache(self, catalog: UnifiedCatalog) -> Path | None:
        """Store the catalogue, replacing the old one in one move.

        A place that cannot be written is not an error: the next one is tried, and where there
        is none, a WARNING says so.

        Returns:
            The file written; None in the other modes or if no place could be written.
        """
        if self._mode is CacheMode.MEMORY:
            self._memory = catalog
        if self._mode is not CacheMode.FILE:
            return None
        data = {
            **catalog.to_record(),
            "package_version": __version__,
            "endpoint": current_endpoint(),
        }
        text = json.dumps(data, separators=(",", ":"))
        refused: list[str] = []
        for path in self._locations():
            try:
                private_files.write(path, text.encode())
            except OSError as error:
                refused.append(f"{path}: {error}")
                continue
            if refused:
                logger.warning(
                    "path=%s refused=%s | catalogue cached in the fall-back", path, refused
                )
            return _path(path)
        logger.warning(
            "refused=%s | the catalogue cannot be cached; give a writable `cache_directory`, "
            "or use `CacheMode.MEMORY`",
            refused,
        )
        return None

    def is_cache_valid(self) -> bool:
        """Whether the memory, or the file that is tried first, has a valid catalogue."""
        in_file = self._mode is CacheMode.FILE
        catalog = _read(self._locations()[0]) if in_file else self._memory
        return catalog is not None and self._is_valid(catalog)

    def is_fresh(self, retrieved: datetime, now: datetime | None = None) -> bool:
        """Whether data that AWS gave at `retrieved` is still valid.

        A time without zone is read as local time, as 0.9.0 wrote it. A time in the future,
        beyond a minute of difference between clocks, is not believed.
        """
        age = (now or datetime.now(timezone.utc)) - retrieved.astimezone(timezone.utc)
        return -_CLOCK_TOLERANCE_SECONDS <= age.total_seconds() <= self._max_age_hours * 3600

    def clear_cache(self) -> None:
        """Forget what is stored, in memory and in every place where a file may be."""
        self._memory = None
        if self._mode is not CacheMode.FILE:
            return
        for path in self._locations():
            private_files.delete(path)

    @contextlib.contextmanager
    def lock(self, timeout: float) -> Iterator[bool]:
        """Hold the lock beside the cache file, so that one process or thread fetches for all.

        Args:
            timeout: Seconds to wait for whoever holds it.

        Yields:
            Whether the lock is held. False where another one kept it all the time. In the other
            modes, and where no lock file can be made, there is nothing to share: True.
        """
        lock = self._file_lock()
        if lock is None:
            yield True
            return
        import filelock  # noqa: PLC0415

        try:
            lock.acquire(timeout=timeout)
        except filelock.Timeout:
            yield False
            return
        except (OSError, NotImplementedError) as error:
            # A file system without locks must not keep anybody from fetching.
            logger.debug("error=%s | cannot lock the catalogue cache", error)
            yield True
            return
        try:
            yield True
        finally:
            lock.release()

    def _file_lock(self) -> Any:
        if self._mode is not CacheMode.FILE:
            return None
        with NoForkMeanwhile():
            import filelock  # noqa: PLC0415

        for path in self._locations():
            try:
                private_files.prepare_directory(os.path.dirname(path))
            except OSError:
                continue
            if os.access(os.path.dirname(path), os.W_OK):
                return filelock.FileLock(f"{path}.lock", mode=0o600, thread_local=False)
        return None

    def _readable(self) -> Iterator[UnifiedCatalog]:
        in_file = self._mode is CacheMode.FILE
        found = map(_read, self._locations()) if in_file else (self._memory,)
        return (catalog for catalog in found if catalog is not None)

    def _is_valid(self, catalog: UnifiedCatalog) -> bool:
        return self.is_fresh(catalog.metadata.retrieval_timestamp)

    def _locations(self) -> list[str]:
        first = self._directory or default_cache_directory()
        directories = dict.fromkeys((first, FALLBACK_CACHE_DIRECTORY))
        return [
            os.path.join(directory, CatalogFilePaths.CACHE_FILENAME) for directory in directories
        ]


def _text_path(directory: str | os.PathLike[str]) -> str:
    path = os.fspath(directory)
    if not isinstance(path, str):
        raise TypeError(f"`directory` must be a text path, got {type(path).__name__}")
    return path


def _trust(catalog: UnifiedCatalog) -> tuple[bool, datetime]:
    """Sorts the newest last, but what no clock can have written before all others."""
    return not _is_from_the_future(catalog), _retrieved(catalog)


def _is_from_the_future(catalog: UnifiedCatalog) -> bool:
    return _retrieved(catalog).timestamp() > time.time() + _CLOCK_TOLERANCE_SECONDS


def _retrieved(catalog: UnifiedCatalog) -> datetime:
    """When the newest of its regions was asked."""
    times = [entry.retrieved_utc for entry in catalog.regions_metadata.values()]
    return max(times, default=catalog.metadata.retrieval_timestamp.astimezone(timezone.utc))


def _path(text: str) -> Path:
    from pathlib import Path  # noqa: PLC0415  (3 ms that a cold start without cache saves)

    return Path(text)


def _read(path: str) -> UnifiedCatalog | None:
    """The catalogue of the file; None, and at most one WARNING, if there is none to trust."""
    try:
        content = private_files.read(path)
        data = json.loads(content)
        written_by = str(data["package_version"])
        if _compatibility(written_by) != _compatibility(__version__):
            is_newer = _compatibility(written_by) > _compatibility(__version__)
            say = logger.warning if is_newer else logger.debug  # an upgrade is no surprise
            say("path=%s | cache of another version", path)
            return None
        if data.get("endpoint") != current_endpoint():
            logger.debug("path=%s | cache of another endpoint", path)
            return None
        catalog = _as_cached(UnifiedCatalog.from_dict(data), path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        logger.warning(
            "path=%s error=%s | cached catalogue ignored", path, private_files.described(error)
        )
        return None
    if _is_from_the_future(catalog):
        logger.warning("path=%s | cached catalogue is from the future: not valid", path)
    return catalog


def current_endpoint() -> str | None:
    """What the environment names as control plane, if not AWS itself."""
    return os.environ.get("AWS_ENDPOINT_URL_BEDROCK") or os.environ.get("AWS_ENDPOINT_URL")


def _compatibility(version: str) -> list[int]:
    return [int(part) if part.isdecimal() else -1 for part in version.split(".")[:2]]


def _as_cached(catalog: UnifiedCatalog, path: str) -> UnifiedCatalog:
    metadata = replace(
        catalog.metadata,
        source=CatalogSource.CACHE,
        cache_file_path=_path(path),
        regions_metadata={
            region: replace(entry, source=CatalogSource.CACHE)
            for region, entry in catalog.metadata.regions_metadata.items()
        },
    )
    return replace(catalog, metadata=metadata)
