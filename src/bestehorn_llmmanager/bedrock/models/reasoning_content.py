"""Holds what a model thought before it answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ReasoningContent:
    """The payload of a ``reasoningContent`` block: a text with its signature, or redacted bytes."""

    text: str | None = field(default=None, repr=False)
    signature: str | None = field(default=None, repr=False)
    redacted_content: Any | None = field(default=None, repr=False)

    @classmethod
    def from_reasoning_block(cls, reasoning_block: dict[str, Any]) -> ReasoningContent:
        """Read the payload, not the block around it."""
        reasoning_text = reasoning_block.get("reasoningText")
        if not isinstance(reasoning_text, dict):
            reasoning_text = {}
        return cls(
            text=reasoning_text.get("text"),
            signature=reasoning_text.get("signature"),
            redacted_content=reasoning_block.get("redactedContent"),
        )

    def to_content_block(self) -> dict[str, Any]:
        """Make the block that Bedrock wants back in the next turn of a conversation.

        Raises:
            ValueError: There is neither a text nor redacted content.
        """
        if self.text is not None:
            reasoning_text = {"text": self.text}
            if self.signature is not None:
                reasoning_text["signature"] = self.signature
            return {"reasoningContent": {"reasoningText": reasoning_text}}
        if self.redacted_content is not None:
            return {"reasoningContent": {"redactedContent": self.redacted_content}}
        raise ValueError("A reasoning block needs `text` or `redacted_content`, got neither")
