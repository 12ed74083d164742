"""Reduces the spelling variants of a model's name to one."""

from __future__ import annotations

import functools
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


@functools.cache
def _split_digit_pairs() -> Callable[[str], list[str]]:
    # Compiled on first need, since ids and exact names do not come here. Splitting at the blank
    # of "4 5" (its digits are captured) is twice as fast as `sub`.
    return re.compile(r"(\b\d) (\d\b)").split


def normalize_model_name(name: str | None) -> str:
    """Ignore case, punctuation between words and the dot of a version.

    Names that are equal after this are spellings of the same name. Doing it twice changes nothing.

    >>> normalize_model_name("Claude 3.5 Haiku")
    'claude 35 haiku'
    >>> normalize_model_name("CLAUDE_3-5  haiku")
    'claude 35 haiku'
    """
    if not name:
        return ""
    blanks = name.lower().replace("-", " ").replace("_", " ").replace(".", " ")
    return "".join(_split_digit_pairs()(" ".join(blanks.split())))
