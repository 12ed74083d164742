"""Reads the JSON of a catalogue file: plain, gzipped, or the bundle in a wheel."""

from __future__ import annotations

import gzip
import json
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

BUNDLE_IN_WHEEL = "bestehorn_llmmanager/bedrock/package_data/bedrock_catalog_bundled.json"
GZIP_MAGIC = b"\x1f\x8b"


def read_catalog_file(path: Path) -> dict[str, Any]:
    """The JSON object in `path`.

    Raises:
        ValueError: There is none; the message says why.
    """
    try:
        data = json.loads(_content(path))
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} is not a catalogue: it holds a {type(data).__name__}")  # noqa: TRY004
    return data


def _content(path: Path) -> bytes:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            return wheel.read(BUNDLE_IN_WHEEL)
    content = path.read_bytes()
    return gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
