"""Turns what a test scripted, or nothing, into an output of Converse or the events of its stream."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Output: TypeAlias = Mapping[str, Any]
Events: TypeAlias = Sequence[Mapping[str, Any]]
_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_OTHER_BLOCK = 100


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """What a reply function is given.

    Attributes:
        operation: ``"Converse"`` or ``"ConverseStream"``.
        region: Where the request was sent.
        model_id: As sent, decoded.
        body: The JSON body.
        headers: The HTTP headers, names in lower case.
    """

    operation: str
    region: str
    model_id: str
    body: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


Script: TypeAlias = str | Output | Events
Reply: TypeAlias = Script | Callable[[ReceivedRequest], Script]


@dataclass(slots=True)
class _Rule:
    reply: Reply
    model_id: str | None
    region: str | None
    left: int | None

    def answers(self, request: ReceivedRequest) -> bool:
        if self.left == 0 or (is_events(self.reply) and request.operation != "ConverseStream"):
            return False
        return self.model_id in {None, request.model_id} and self.region in {None, request.region}


class ReplyBook:
    """Safe to share between threads; `_lock` guards the rules."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: list[_Rule] = []
        self._lasting: list[_Rule] = []

    def add(
        self, reply: Reply, *, model_id: str | None, region: str | None, times: int | None
    ) -> None:
        if times is not None and times < 1:
            raise ValueError(f"`times` must be at least 1, got {times!r}")
        rule = _Rule(reply, model_id, region, times)
        with self._lock:
            if times is None:
                self._lasting.insert(0, rule)
            else:
                self._counted.append(rule)

    def clear(self) -> None:
        with self._lock:
            self._counted.clear()
            self._lasting.clear()

    def take(self, request: ReceivedRequest) -> Reply | None:
        """The oldest reply with `times` left, else the newest without, else None."""
        if not self._counted and not self._lasting:
            return None
        with self._lock:
            for rule in (*self._counted, *self._lasting):
                if rule.answers(request):
                    if rule.left is not None:
                        rule.left -= 1
                    return rule.reply
        return None


def is_events(reply: Reply) -> bool:
    return isinstance(reply, Sequence) and not isinstance(reply, str)


def default_text(request: ReceivedRequest) -> str:
    """Says what it is; never repeats anything of the prompt."""
    words = sum(len(text.split()) for text in _texts(request.body.get("messages")))
    noun = "word" if words == 1 else "words"
    return f"LocalBedrock: {request.model_id} in {request.region} received {words} {noun}."


def rest_of(text: str, body: Mapping[str, Any]) -> str:
    """What a model says that is given the beginning of its answer; else all of it."""
    last = (body.get("messages") or [{}])[-1]
    if last.get("role") != "assistant":
        return text
    beginning = "".join(block.get("text", "") for block in last["content"])
    return text.removeprefix(beginning)


def count_tokens(body: Mapping[str, Any]) -> int:
    """A made-up but steady count: 4 characters to a token, 100 tokens for a block without text."""
    tokens = 0
    for part in (body.get("system"), body.get("messages")):
        tokens += sum(map(_tokens_in, _texts(part)))
        tokens += _TOKENS_PER_OTHER_BLOCK * _other_blocks(part)
    if tools := body.get("toolConfig"):
        tokens += _tokens_in(json.dumps(tools))
    return max(tokens, 1)


def text_output(text: str, body: Mapping[str, Any], latency_ms: int) -> dict[str, Any]:
    input_tokens, output_tokens = count_tokens(body), _tokens_in(text)
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
        "stopReason": "end_turn",
        "usage": {
            "inputTokens": input_tokens,
            "outputTokens": output_tokens,
            "totalTokens": input_tokens + output_tokens,
        },
        "metrics": {"latencyMs": latency_ms},
    }


def events_of(output: Output) -> list[dict[str, Any]]:
    """The stream that says the same as `output`.

    Raises:
        ValueError: It has a block of a kind that the service does not stream.
    """
    message = output["output"]["message"]
    events: list[dict[str, Any]] = [{"messageStart": {"role": message["role"]}}]
    for index, block in enumerate(message["content"]):
        for event_type, payload in _block_events(block):
            events.append({event_type: {**payload, "contentBlockIndex": index}})
        events.append({"contentBlockStop": {"contentBlockIndex": index}})
    stop = _some_of(output, "stopReason", "additionalModelResponseFields")
    metadata = _some_of(output, "usage", "metrics", "trace", "performanceConfig", "serviceTier")
    return [*events, {"messageStop": stop}, {"metadata": metadata}]


def _some_of(output: Output, *names: str) -> dict[str, Any]:
    return {name: output[name] for name in names if name in output}


def _block_events(block: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    ((kind, content),) = block.items()
    if kind == "text":
        yield from _text_deltas(content)
    elif kind == "toolUse":
        start = {name: value for name, value in content.items() if name != "input"}
        yield "contentBlockStart", {"start": {"toolUse": start}}
        yield _delta({"toolUse": {"input": json.dumps(content["input"])}})
    elif kind == "reasoningContent":
        yield from _reasoning_deltas(content)
    elif kind == "citationsContent":
        for part in content.get("content", []):
            yield from _text_deltas(part["text"])
        for citation in content.get("citations", []):
            yield _delta({"citation": citation})
    else:
        raise ValueError(f"A block of kind {kind!r} cannot be streamed; script the events instead")


def _reasoning_deltas(content: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if "redactedContent" in content:
        yield _delta({"reasoningContent": {"redactedContent": content["redactedContent"]}})
        return
    reasoning = content["reasoningText"]
    for words in _words(reasoning["text"]):
        yield _delta({"reasoningContent": {"text": words}})
    if "signature" in reasoning:
        yield _delta({"reasoningContent": {"signature": reasoning["signature"]}})


def _text_deltas(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for word in _words(text):
        yield _delta({"text": word})


def _delta(delta: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "contentBlockDelta", {"delta": delta}


def _words(text: str) -> list[str]:
    """Words with the white space that follows them: joined again they are the text."""
    return re.findall(r"^\s+|\S+\s*", text)


def _tokens_in(text: str) -> int:
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


def _blocks(part: Any) -> Iterator[Mapping[str, Any]]:
    """The content blocks of `messages`, or those of `system`."""
    for item in part or ():
        if "content" in item:
            yield from item["content"]
        else:
            yield item


def _texts(part: Any) -> list[str]:
    return [block["text"] for block in _blocks(part) if "text" in block]


def _other_blocks(part: Any) -> int:
    return sum("text" not in block for block in _blocks(part))
