"""Makes one answer of a stream that broke and the stream that continues it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bestehorn_llmmanager.bedrock.streaming.assembly import AnswerAssembly

_Event = dict[str, Any]


class Continuation:
    """Turns the events of a second stream into those that the first has not brought yet.

    There is no second `messageStart`, content blocks are counted on, and text that is there
    already does not come again:

    - The second model is not shown the white space at the end of the text so far; where its own
      text begins with it, that is left out.
    - A model that is not known to continue may begin anew with the same words. They are held back
      as long as they are the same, and left out if they cover all that is there.

    Args:
        so_far: What the first stream has brought: nothing but text.
        may_repeat: Whether the model may begin anew.
    """

    def __init__(self, so_far: AnswerAssembly, *, may_repeat: bool) -> None:
        text = "".join(so_far.texts())
        self._white_space = text[len(text.rstrip()) :]
        self._whole = text if may_repeat else ""
        self._held = ""
        self._is_joined = False
        # The block in which the first stream broke; None where it had ended.
        self._open = so_far.last_index if text and not so_far.is_last_ended else None
        self._offset = so_far.last_index + 1 if self._open is None else self._open
        self._begun: set[int] = set()

    def events(self, events: Iterable[_Event]) -> Iterator[_Event]:
        """What `events` bring that is missing."""
        for event in events:
            for kind, content in event.items():
                if kind == "messageStart":
                    continue
                if isinstance(content, dict):
                    yield from self._missing(kind, content)
                else:
                    yield {kind: content}

    def _missing(self, kind: str, content: dict[str, Any]) -> Iterator[_Event]:
        delta = content.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        if isinstance(delta.get("text"), str):
            text = self._new_part(delta["text"])
            if text:
                yield self._text(content.get("contentBlockIndex"), text)
            return
        if self._held:
            yield self._text(0, self._released())
        if "contentBlockIndex" not in content:
            yield {kind: content}
            return
        index = self._index(content["contentBlockIndex"])
        if kind == "contentBlockStop":
            if index not in self._begun and index != self._open:
                return  # the end of a block of nothing
        elif index == self._open and "citation" not in delta:
            yield {"contentBlockStop": {"contentBlockIndex": index}}
            self._offset, index = self._offset + 1, index + 1
        self._begun.add(index)
        yield {kind: {**content, "contentBlockIndex": index}}

    def _text(self, index: object, text: str) -> _Event:
        number = self._index(index)
        self._begun.add(number)
        return {"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": number}}

    def _index(self, given: object) -> int:
        return self._offset + (given if isinstance(given, int) else 0)

    # The joint

    def _new_part(self, text: str) -> str:
        """What the text, with what was held back before it, brings that is new."""
        if self._is_joined:
            return text
        self._held += text
        known = (self._white_space, self._whole)
        if any(len(self._held) < len(each) and each.startswith(self._held) for each in known):
            return ""
        return self._released()

    def _released(self) -> str:
        held, self._held, self._is_joined = self._held, "", True
        if self._whole and held.startswith(self._whole):
            return held[len(self._whole) :]
        for position, (expected, got) in enumerate(zip(self._white_space, held, strict=False)):
            if expected != got:
                return held[position:]
        return held[len(self._white_space) :]


def continued(messages: Sequence[dict[str, Any]], texts: Sequence[str]) -> list[dict[str, Any]]:
    """The messages with the text so far as the beginning of the answer; copies where they change.

    White space at its end stays away, because models refuse it. What the caller gave as the
    beginning stays before it.
    """
    texts = [text for text in texts if text.strip()]
    if not texts:
        return list(messages)
    texts[-1] = texts[-1].rstrip()
    *earlier, last = messages
    if last.get("role") != "assistant":
        return [*messages, {"role": "assistant", "content": [{"text": text} for text in texts]}]
    content = list(last["content"])
    if content and isinstance(content[-1], dict) and [*content[-1]] == ["text"]:
        texts[0] = content.pop()["text"] + texts[0]
    return [*earlier, {**last, "content": content + [{"text": text} for text in texts]}]
