"""Says which optional features a Converse request uses, and makes the request without one of them.

Nothing here decides that a feature is to be given up, and nothing changes what it is given: what
comes back is copied along the way to each change, and shares the rest.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    # What is sent in the place of a block: itself, others, or none.
    Rewrite = Callable[[dict[str, Any]], Sequence[dict[str, Any]]]

_FEATURES = {
    "image": "image_processing",
    "document": "document_processing",
    "video": "video_processing",
    "audio": "audio_processing",
    "toolUse": "tool_use",
    "toolResult": "tool_use",
    "toolAddition": "tool_use",
    "toolRemoval": "tool_use",
    "cachePoint": "prompt_caching",
    "guardContent": "guardrails",
}
REMOVABLE_FEATURES = frozenset(_FEATURES.values()) - {"guardrails"}


def features_used(request: Mapping[str, Any]) -> frozenset[str]:
    """The optional features that a request asks for.

    Of ``image_processing``, ``document_processing``, ``video_processing``, ``audio_processing``,
    ``tool_use``, ``prompt_caching`` and ``guardrails``.
    """
    used = {_FEATURES[kind] for block in _blocks(request) for kind in block if kind in _FEATURES}
    if request.get("toolConfig"):
        used.add("tool_use")
    if request.get("guardrailConfig"):
        used.add("guardrails")
    return frozenset(used)


def without_feature(request: Mapping[str, Any], feature: str) -> dict[str, Any] | None:
    """The request, one that `check_request` lets pass, without one of `REMOVABLE_FEATURES`.

    - Images, documents, videos, audio: their blocks go. In the result of a tool, which has to
      stay, a sentence says that something is missing where nothing else is left.
    - ``tool_use``: `toolConfig` goes, and so do additions and removals of tools. Calls and
      results in the history, which Converse refuses without `toolConfig`, become text, so that
      the model still knows what came of them.
    - ``prompt_caching``: cache points go from `messages`, `system` and `toolConfig`.

    A message that has nothing left goes, too. Neighbours that then are of one role become one
    message, because roles have to alternate.

    Returns:
        The request; None where it would ask something else, because its last message is among
        those that go, or would begin with an answer.

    Raises:
        ValueError: `feature` is ``"guardrails"``, without which nothing may be sent, or none.
    """
    if feature == "guardrails":
        raise ValueError("A request is never sent without its guardrail.")
    if feature not in REMOVABLE_FEATURES:
        raise ValueError(
            f"There is no feature {feature!r}; those that a request can do without are "
            f"{', '.join(sorted(REMOVABLE_FEATURES))}."
        )
    changed = dict(request)
    rewrite: Rewrite
    if feature == "tool_use":
        changed.pop("toolConfig", None)
        rewrite = _tools_as_text
    else:
        rewrite = _dropping({kind for kind, name in _FEATURES.items() if name == feature})
    if feature == "prompt_caching":
        _drop_other_cache_points(changed, rewrite)
    if not request.get("messages"):
        return changed
    messages = _rewritten_messages(request["messages"], rewrite)
    return None if messages is None else {**changed, "messages": messages}


# Looking


def _blocks(request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for message in _dicts(request.get("messages")):
        for block in _dicts(message.get("content")):
            yield block
            if "toolResult" in block and isinstance(block["toolResult"], dict):
                yield from _dicts(block["toolResult"].get("content"))
    yield from _dicts(request.get("system"))
    tools = request.get("toolConfig")
    if isinstance(tools, dict):
        yield from _dicts(tools.get("tools"))


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, (list, tuple)):
        for item in value:
            if isinstance(item, dict):
                yield item


# Rewriting blocks


def _dropping(kinds: set[str]) -> Rewrite:
    def rewrite(block: dict[str, Any]) -> Sequence[dict[str, Any]]:
        if not kinds.isdisjoint(block):
            return ()
        result = block.get("toolResult")
        if not isinstance(result, dict) or all(
            kinds.isdisjoint(inner) for inner in _dicts(result.get("content"))
        ):
            return (block,)
        kept = [inner for inner in result["content"] if kinds.isdisjoint(inner)]
        content = kept or [{"text": "(The result is of a kind that cannot be shown.)"}]
        return ({**block, "toolResult": {**result, "content": content}},)

    return rewrite


def _tools_as_text(block: dict[str, Any]) -> Sequence[dict[str, Any]]:
    if "toolUse" in block:
        use = block["toolUse"]
        said = _written(use.get("input", {}))
        return ({"text": f"[Tool call {use.get('toolUseId')}: {use.get('name')}({said})]"},)
    if "toolResult" in block:
        result = block["toolResult"]
        header = {"text": f"[Result of tool call {result.get('toolUseId')}:]"}
        return (
            header,
            *(shown for inner in _dicts(result.get("content")) for shown in _shown(inner)),
        )
    return () if "toolAddition" in block or "toolRemoval" in block else (block,)


def _shown(inner: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """A block of a tool's result as one of a message, where blank text is refused."""
    if "json" in inner:
        return ({"text": _written(inner["json"])},)
    if "text" in inner and not inner["text"].strip():
        return ()
    return (inner,)


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


# Rewriting requests


def _drop_other_cache_points(request: dict[str, Any], rewrite: Rewrite) -> None:
    if system := request.get("system"):
        request["system"] = _rewritten(system, rewrite)
        if not request["system"]:
            del request["system"]
    config = request.get("toolConfig")
    if config and config.get("tools"):
        request["toolConfig"] = {**config, "tools": _rewritten(config["tools"], rewrite)}


def _rewritten(blocks: Sequence[Any], rewrite: Rewrite) -> Sequence[Any]:
    new = [kept for block in blocks for kept in rewrite(block)]
    same = len(new) == len(blocks) and all(a is b for a, b in zip(new, blocks, strict=True))
    return blocks if same else new


def _rewritten_messages(messages: Sequence[Any], rewrite: Rewrite) -> list[Any] | None:
    kept: list[dict[str, Any]] = []
    dropped = last_is_dropped = False
    for message in messages:
        content = _rewritten(message["content"], rewrite)
        if content is not message["content"]:
            if all("cachePoint" in block for block in content):
                dropped = True
                last_is_dropped = message["role"] != "system" or last_is_dropped
                continue
            message = {**message, "content": content}  # noqa: PLW2901
        if dropped and kept and kept[-1]["role"] == message["role"]:
            content = [*kept[-1]["content"], *message["content"]]
            kept[-1] = {**kept[-1], "content": content}
        else:
            kept.append(message)
        dropped = False
        last_is_dropped = message["role"] == "system" and last_is_dropped
    if not kept or last_is_dropped or _speaker(kept) != _speaker(messages):
        return None
    return kept


def _speaker(messages: Sequence[Any]) -> str | None:
    """Who begins the conversation."""
    roles: Iterator[str] = (message["role"] for message in messages)
    return next((role for role in roles if role != "system"), None)
