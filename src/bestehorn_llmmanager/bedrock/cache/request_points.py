"""Finds, adds and removes the cache points of a request, which itself is never modified."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

TOOLS, SYSTEM = -2, -1


class Place(NamedTuple):
    """After a block of a request; places compare in the order in which the service reads them.

    Attributes:
        section: `TOOLS`, `SYSTEM`, or the index of a message.
        block: Index of the block within it.
    """

    section: int
    block: int


class Point(NamedTuple):
    """A cache point with its time to live, ``"5m"`` or ``"1h"``."""

    place: Place
    ttl: str


def is_point(block: Any) -> bool:
    """Whether a block of a message, of the system prompt or of the tools is a cache point."""
    return isinstance(block, dict) and "cachePoint" in block


def sections(request: Mapping[str, Any]) -> list[tuple[int, Sequence[Any]]]:
    """The lists that may hold cache points, in the order in which the service reads them."""
    messages = _list(request, "messages")
    return [
        (TOOLS, _list(request.get("toolConfig"), "tools")),
        (SYSTEM, _list(request, "system")),
        *((index, _list(message, "content")) for index, message in enumerate(messages)),
    ]


def points_in(request: Mapping[str, Any]) -> list[Point]:
    """The cache points that stand in the request, in order."""
    return [
        Point(Place(section, index), _ttl(block))
        for section, blocks in sections(request)
        for index, block in enumerate(blocks)
        if is_point(block)
    ]


def has_points(request: Mapping[str, Any]) -> bool:
    """Whether a cache point stands anywhere in the request."""
    return any(is_point(block) for _, blocks in sections(request) for block in blocks)


def with_points(request: Mapping[str, Any], points: Iterable[Point]) -> dict[str, Any]:
    """A request with a cache point after each of the places; shares what is not changed."""
    by_section: dict[int, dict[int, str]] = {}
    for place, ttl in points:
        by_section.setdefault(place.section, {})[place.block] = ttl
    changed = dict(request)
    for section, blocks in sections(request):
        if section not in by_section:
            continue
        longer = _with_points(blocks, by_section[section])
        if section == TOOLS:
            changed["toolConfig"] = {**request["toolConfig"], "tools": longer}
        elif section == SYSTEM:
            changed["system"] = longer
        else:
            if changed["messages"] is request["messages"]:
                changed["messages"] = list(request["messages"])
            changed["messages"][section] = {**request["messages"][section], "content": longer}
    return changed


def without_points(request: dict[str, Any]) -> dict[str, Any]:
    """The request without any cache point: the same object if it has none.

    What then has nothing left goes: a message, `system`, `toolConfig`.
    """
    if not has_points(request):
        return request
    messages, system = _list(request, "messages"), _list(request, "system")
    tools = _list(request.get("toolConfig"), "tools")
    left: dict[str, Any] = {}
    if messages:
        left["messages"] = messages_without_points(messages)
    if system:
        left["system"] = _without_points(system)
    if tools:
        tools = _without_points(tools)
        left["toolConfig"] = {**request["toolConfig"], "tools": tools} if tools else None
    return {key: value for key, value in {**request, **left}.items() if value or key not in left}


def messages_without_points(messages: Iterable[Any]) -> list[Any]:
    """Copies of the messages without their cache points; a message of nothing else goes."""
    left = []
    for message in messages:
        blocks = _list(message, "content")
        kept = _without_points(blocks)
        if kept or not blocks:
            left.append({**message, "content": kept} if blocks else message)
    return left


def _list(owner: Any, key: str) -> Sequence[Any]:
    value = owner.get(key) if isinstance(owner, dict) else None
    return value if isinstance(value, (list, tuple)) else ()


def _ttl(block: Mapping[str, Any]) -> str:
    details = block["cachePoint"]
    return "1h" if isinstance(details, dict) and details.get("ttl") == "1h" else "5m"


def _with_points(blocks: Iterable[Any], ttls: Mapping[int, str]) -> list[Any]:
    longer = []
    for index, block in enumerate(blocks):
        longer.append(block)
        if index in ttls:
            # Five minutes is the default; older models refuse to be told so.
            ttl = {} if ttls[index] == "5m" else {"ttl": ttls[index]}
            longer.append({"cachePoint": {"type": "default", **ttl}})
    return longer


def _without_points(blocks: Iterable[Any]) -> list[Any]:
    return [block for block in blocks if not is_point(block)]
