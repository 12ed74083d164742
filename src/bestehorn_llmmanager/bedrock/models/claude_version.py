"""Reads which Claude an id, a profile id, an ARN or a name means."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

# "claude-sonnet-4-5-20250929-v1-0" and "claude-3-5-haiku-20241022-v1-0": a date is no version.
_FAMILY_FIRST = re.compile(r"claude-([a-z]+)-(\d{1,2})(?:-(\d{1,2}))?(?!\d)")
_NUMBER_FIRST = re.compile(r"claude-(\d)(?:-(\d{1,2}))?-([a-z]+)")


class ClaudeVersion(NamedTuple):
    """Family (``"sonnet"``) and version (``(4, 5)``) of a Claude model."""

    family: str
    number: tuple[int, int]


def slug(text: str) -> str:
    """Lower case, with one dash for whatever is neither letter nor digit.

    >>> slug("Claude Sonnet 4.5")
    'claude-sonnet-4-5'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


@functools.lru_cache(maxsize=256)
def claude_version(text: str) -> ClaudeVersion | None:
    """The Claude that `text` names, None where it names none or says no version.

    >>> claude_version("eu.anthropic.claude-sonnet-4-20250514-v1:0")
    ClaudeVersion(family='sonnet', number=(4, 0))
    >>> claude_version("Claude 3.5 Haiku")
    ClaudeVersion(family='haiku', number=(3, 5))
    """
    normalized = slug(text)
    found = _FAMILY_FIRST.search(normalized)
    if found:
        family, major, minor = found.groups()
    else:
        found = _NUMBER_FIRST.search(normalized)
        if not found:
            return None
        major, minor, family = found.groups()
    return ClaudeVersion(family, (int(major), int(minor or 0)))
