"""Holds the source of a statement."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Citation:
    """One entry of ``citations`` in a ``citationsContent`` block."""

    title: str | None = field(default=None, repr=False)
    source: str | None = field(default=None, repr=False)
    source_content: list[dict[str, Any]] = field(default_factory=list, repr=False)
    location: dict[str, Any] | None = field(default=None, repr=False)

    @classmethod
    def from_citation(cls, citation: dict[str, Any]) -> Citation:
        source_content = citation.get("sourceContent")
        return cls(
            title=citation.get("title"),
            source=citation.get("source"),
            source_content=list(source_content) if isinstance(source_content, list) else [],
            location=citation.get("location"),
        )
