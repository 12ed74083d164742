"""Keeps one list of regions on disk: reads it if it can be trusted, replaces it in one move."""

from __future__ import annotations

import json
import logging
import os
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.catalog import private_files
from bestehorn_llmmanager.bedrock.models import reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

logger = logging.getLogger(__name__)

_REGION_CODE = re.compile(r"[a-z]{2,5}(-[a-z]{1,12}){1,3}-\d{1,2}")
_MOST_REGIONS = 500
_CLOCK_TOLERANCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class RegionList:
    """Regions as somebody gave them at some time.

    Attributes:
        regions: Region codes, sorted, each once, at least one.
        retrieved: When; aware.
        asker: For whom the list holds; None: for everybody.
    """

    regions: tuple[str, ...]
    retrieved: datetime
    asker: str | None = None

    @property
    def age_hours(self) -> float:
        """Hours since then; negative if that is in the future."""
        age = datetime.now(timezone.utc) - self.retrieved.astimezone(timezone.utc)
        return age.total_seconds() / 3600

    def is_valid(self, max_age_hours: float) -> bool:
        """Whether it is younger than that, and not from the future.

        A minute of difference between clocks is allowed for.
        """
        age = self.age_hours
        return age >= -_CLOCK_TOLERANCE_SECONDS / 3600 and max(age, 0.0) < max_age_hours


class RegionFile:
    """A list of regions in the first of some directories that can be written.

    The layout is that of 0.9.0, which wrote its times without zone: they are read as local time.
    Safe to share between threads and processes.

    Args:
        directories: Where the file may be; made, with mode 0700, when something is to be stored.
        name: The name of the file.
    """

    def __init__(self, directories: Sequence[str], name: str) -> None:
        self._paths = [os.path.join(directory, name) for directory in directories]  # noqa: PTH118

    @property
    def path(self) -> str:
        """The file that is read: the first that exists; if none does, the first to be written."""
        return next(filter(os.path.lexists, self._paths), self._paths[0])

    def lists(self) -> Iterator[RegionList]:
        """What is stored and can be trusted; what is damaged is a WARNING."""
        return (found for path in self._paths if (found := _read_or_warn(path)))

    def save(self, regions: RegionList) -> bool:
        """Store it, replacing the old one; False, and a WARNING, if no place can be written."""
        record: dict[str, Any] = {
            "retrieval_timestamp": regions.retrieved.isoformat(),
            "regions": regions.regions,
        }
        if regions.asker is not None:
            record["asker"] = regions.asker
        content = json.dumps(record, indent=2).encode()
        refused: list[str] = []
        for path in self._paths:
            try:
                private_files.write(path, content)
            except OSError as error:
                refused.append(f"{path}: {error}")
                continue
            return True
        logger.warning("refused=%s | the list of regions cannot be cached", refused)
        return False

    def clear(self) -> None:
        """Delete the file in every place where it may be."""
        for path in self._paths:
            private_files.delete(path)


def read_regions(path: str) -> RegionList:
    """The list in a file.

    Raises:
        OSError: There is no such file, or others than this user and root can write it.
        ValueError: It is not a list of regions.
        RecursionError: Nor is that.
    """
    data = reading.mapping(json.loads(private_files.read(path)), "the file")
    regions = reading.texts(data, "regions")
    if not 0 < len(regions) <= _MOST_REGIONS or not all(map(_REGION_CODE.fullmatch, regions)):
        raise ValueError("`regions` must be a list of region codes")
    retrieved = reading.time(data, "retrieval_timestamp").astimezone(timezone.utc)
    return RegionList(tuple(sorted(set(regions))), retrieved, reading.optional(data, "asker", str))


def _read_or_warn(path: str) -> RegionList | None:
    try:
        return read_regions(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        logger.warning(
            "path=%s error=%s | cached regions ignored", path, private_files.described(error)
        )
        return None
