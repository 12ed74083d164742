"""Says where two outcomes differ, and which entries of a table the differences need."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTHING = object()


def differences(before: Any, now: Any, place: str = "") -> set[str]:
    """Places that differ; a structure (``<Name>``) may have more fields than it had."""
    if isinstance(before, dict) and isinstance(now, dict):
        is_structure = place.endswith(">")
        names = [*before, *(() if is_structure else (each for each in now if each not in before))]
        pairs = [
            (f"{place}.{each}".strip("."), before.get(each, NOTHING), now.get(each, NOTHING))
            for each in names
        ]
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = [(f"{place}[{i}]", *both) for i, both in enumerate(zip(before, now, strict=True))]
    else:
        same = type(before) is type(now) and before == now
        return set() if same else {place}
    return {each for where, old, new in pairs for each in differences(old, new, where)}


def all_differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    """``<key of the call> @ <place>`` for every call that both have."""
    both = before.keys() & now.keys()
    return {f"{key} @ {place}" for key in both for place in differences(before[key], now[key])}


def matches(pattern: str, difference: str) -> bool:
    """`*` stands for anything; a pattern without ``@`` is for every place of the call."""
    whole = pattern if " @ " in pattern else f"{pattern} @ *"
    return bool(_compiled(whole).fullmatch(difference))


_KNOWN: dict[str, re.Pattern[str]] = {}


def _compiled(pattern: str) -> re.Pattern[str]:
    if pattern not in _KNOWN:
        parts = map(re.escape, pattern.split("*"))
        _KNOWN[pattern] = re.compile(".*".join(parts), re.DOTALL)
    return _KNOWN[pattern]
