"""Puts together what the events of a stream bring piece by piece."""

from __future__ import annotations

import json
from typing import Any

# What botocore makes of a union member that it does not know: the name, without the content.
_UNKNOWN = "SDK_UNKNOWN_MEMBER"


class AnswerAssembly:
    """The answer of one stream, or of one and its continuations, as far as it has come.

    No shape of an event breaks it; what is unknown is kept as it came.

    Attributes:
        has_only_text: Whether the message has nothing but text, so that it can be continued.
        is_complete: Whether the message has ended.
    """

    def __init__(self) -> None:
        self.has_only_text = True
        self.is_complete = False
        self._role: str | None = None
        self._texts: dict[int, list[str]] = {}
        self._fragments: dict[int, list[tuple[str, Any]]] = {}
        self._ended: set[int] = set()
        self._end: dict[str, Any] = {}

    @property
    def has_begun(self) -> bool:
        return bool(self._role or self._texts or self._fragments)

    def add_text(self, index: object, text: str) -> None:
        number = index if isinstance(index, int) else 0
        parts = self._texts.get(number)
        if parts is None:
            self._texts[number] = [text]
        else:
            parts.append(text)

    def add(self, kind: str, content: dict[str, Any]) -> None:
        """Take note of an event that brings no text."""
        index = content.get("contentBlockIndex")
        number = index if isinstance(index, int) else 0
        match kind:
            case "messageStart" if isinstance(content.get("role"), str):
                self._role = content["role"]
            case "contentBlockStart":
                self._add_fragments(number, content.get("start"))
            case "contentBlockDelta":
                self._add_fragments(number, content.get("delta"))
            case "contentBlockStop":
                self._ended.add(number)
            case "messageStop":
                self.is_complete = True
                self._end |= content
            case "metadata":
                self._end |= content

    def texts(self) -> list[str]:
        """The text of each block of text."""
        return ["".join(self._texts[index]) for index in sorted(self._texts)]

    @property
    def last_index(self) -> int:
        """The index of the last block of text, -1 if there is none."""
        return max(self._texts, default=-1)

    @property
    def is_last_ended(self) -> bool:
        return self.last_index in self._ended

    def output(self) -> dict[str, Any]:
        """What Converse would have returned."""
        indexes = sorted({*self._texts, *self._fragments})
        content = [block for index in indexes for block in self._blocks(index)]
        return {
            "output": {"message": {"role": self._role or "assistant", "content": content}},
            **self._end,
        }

    def _add_fragments(self, index: int, fragments: object) -> None:
        if isinstance(fragments, dict) and fragments:
            self.has_only_text = False
            self._fragments.setdefault(index, []).extend(fragments.items())

    def _blocks(self, index: int) -> list[dict[str, Any]]:
        """The block at `index`; several where the stream mixes what does not go together."""
        text = "".join(self._texts.get(index, ()))
        content: list[dict[str, Any]] = [{"text": text}] if text else []
        by_kind: dict[str, list[Any]] = {}
        for kind, fragment in self._fragments.get(index, ()):
            by_kind.setdefault(kind, []).append(fragment)
        if "citation" in by_kind:
            citations = by_kind.pop("citation")
            content = [{"citationsContent": {"content": content, "citations": citations}}]
        if content or len(by_kind) > 1:
            by_kind.pop(_UNKNOWN, None)
        return content + [{kind: _joined(kind, parts)} for kind, parts in by_kind.items()]


def _joined(kind: str, fragments: list[Any]) -> Any:
    dicts = [fragment for fragment in fragments if isinstance(fragment, dict)]
    whole = {name: value for each in dicts for name, value in each.items()}
    match kind:
        case "toolUse":
            return {**whole, "input": _parsed("".join(_strings(dicts, "input")))}
        case "toolResult":
            lists = [fragment for fragment in fragments if isinstance(fragment, list)]
            return {**whole, "content": _joined_texts([item for each in lists for item in each])}
        case "reasoningContent":
            return _joined_reasoning(dicts, whole)
        case "image":
            return {**whole, **_joined_bytes(dicts)}
    return whole if dicts else fragments[-1]


def _strings(fragments: list[dict[str, Any]], name: str) -> list[str]:
    values = [fragment.get(name) for fragment in fragments]
    return [value for value in values if isinstance(value, str)]


def _bytes(fragments: list[dict[str, Any]], name: str) -> bytes:
    values = [fragment.get(name) for fragment in fragments]
    return b"".join(value for value in values if isinstance(value, bytes))


def _parsed(text: str) -> Any:
    """The input of a tool; text that is no JSON stays text."""
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return text


def _joined_texts(items: list[Any]) -> list[Any]:
    """The content of a tool's result, with neighbouring pieces of text made one."""
    joined: list[Any] = []
    for item in items:
        if joined and _is_text(joined[-1]) and _is_text(item):
            joined[-1] = {"text": joined[-1]["text"] + item["text"]}
        else:
            joined.append(item)
    return joined


def _is_text(item: Any) -> bool:
    return isinstance(item, dict) and [*item] == ["text"] and isinstance(item["text"], str)


def _joined_reasoning(dicts: list[dict[str, Any]], whole: dict[str, Any]) -> dict[str, Any]:
    """One block of reasoning; its text may be empty where a model does not show it."""
    if "text" in whole or "signature" in whole:
        text = {"text": "".join(_strings(dicts, "text"))}
        signature = {name: whole[name] for name in ("signature",) if whole.get(name)}
        return {"reasoningText": {**text, **signature}}
    redacted = _bytes(dicts, "redactedContent")
    return {**whole, "redactedContent": redacted} if redacted else whole


def _joined_bytes(dicts: list[dict[str, Any]]) -> dict[str, Any]:
    sources = [each["source"] for each in dicts if isinstance(each.get("source"), dict)]
    data = _bytes(sources, "bytes")
    return {"source": {"bytes": data}} if data else {}
