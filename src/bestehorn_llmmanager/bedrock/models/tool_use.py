"""Holds a model's wish to call a tool."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ToolUse:
    """The payload of a ``toolUse`` block: answer it with a ``toolResult`` of the same id."""

    tool_use_id: str
    name: str
    input: dict[str, Any] = field(repr=False)

    @classmethod
    def from_tool_use_block(cls, tool_use_block: dict[str, Any]) -> ToolUse:
        """Read the payload, not the block around it; what is absent is empty."""
        return cls(
            tool_use_id=tool_use_block.get("toolUseId") or "",
            name=tool_use_block.get("name") or "",
            input=tool_use_block.get("input") or {},
        )
