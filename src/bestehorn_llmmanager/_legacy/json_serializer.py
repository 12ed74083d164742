"""Writes catalogues to JSON files and reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import os


class _HasDict(Protocol):
    def to_dict(self) -> dict[str, Any]: ...


class JSONModelSerializer:
    def __init__(self, indent: int = 2, ensure_ascii: bool = False) -> None:
        self._indent = indent
        self._ensure_ascii = ensure_ascii

    def serialize_to_file(self, catalog: _HasDict, output_path: str | os.PathLike[str]) -> None:
        self.serialize_dict_to_file(catalog.to_dict(), output_path)

    def serialize_to_string(self, catalog: _HasDict) -> str:
        return self._text(catalog.to_dict())

    def serialize_dict_to_file(
        self, data: dict[str, Any], output_path: str | os.PathLike[str]
    ) -> None:
        content = self._text(data).encode()  # an error here leaves the file as it was
        path = Path(output_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def load_from_file(self, input_path: str | os.PathLike[str]) -> dict[str, Any]:
        path = Path(input_path)
        try:
            data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{str(path)!r} is not a JSON file: {error}") from error
        return data

    def _text(self, data: dict[str, Any]) -> str:
        try:
            return json.dumps(
                data, indent=self._indent, ensure_ascii=self._ensure_ascii, sort_keys=True
            )
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"JSON cannot express this: {error}") from error
