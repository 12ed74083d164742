"""Checks the types of what a JSON file says, before it becomes one of our values.

Every complaint is a `ValueError` that names the key; the caller adds where the data came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")

_ONLY_TEXT = {str}
_ONLY_LISTS = {list}
_FIRST_YEAR, _LAST_YEAR = 1971, 9000


def mapping(value: object, what: str) -> Mapping[str, Any]:
    """`value` itself, if it is a mapping."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{what} must be an object, got {type(value).__name__}")  # noqa: TRY004
    return value


def required(data: Mapping[str, Any], key: str, kind: type[T]) -> T:
    """The value of `key`, which must be there and of type `kind`."""
    if key not in data:
        raise ValueError(f"`{key}` is missing")
    value = data[key]
    if not isinstance(value, kind):
        raise ValueError(f"`{key}` must be {kind.__name__}, got {type(value).__name__}")  # noqa: TRY004
    return value


def optional(data: Mapping[str, Any], key: str, kind: type[T]) -> T | None:
    """The value of `key`, of type `kind`, or None where it is absent or null."""
    return None if data.get(key) is None else required(data, key, kind)


def texts(data: Mapping[str, Any], key: str) -> list[str]:
    """The list of strings under `key`; empty where it is absent."""
    value = data.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not set(map(type, value)) <= _ONLY_TEXT:
        raise ValueError(f"`{key}` must be a list of strings")
    return value


def texts_by_text(data: Mapping[str, Any], key: str) -> dict[str, list[str]]:
    """The object of lists of strings under `key`; empty where it is absent."""
    value = data.get(key)
    if value is None:
        return {}
    # In two sweeps over all lists: a catalogue has thousands of short ones.
    if (
        not isinstance(value, dict)
        or not set(map(type, value.values())) <= _ONLY_LISTS
        or not set(map(type, chain.from_iterable(value.values()))) <= _ONLY_TEXT
    ):
        raise ValueError(f"`{key}` must be an object of lists of strings")
    return value


def is_clock_time(value: datetime) -> bool:
    """Whether `time` reads what `value` is written as."""
    return _FIRST_YEAR <= value.year <= _LAST_YEAR


def time(data: Mapping[str, Any], key: str) -> datetime:
    """The ISO 8601 time under `key`, which must be there.

    Years that no clock shows are refused: their arithmetic overflows.
    """
    text = required(data, key, str)
    try:
        value = datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text)
    except ValueError:
        raise ValueError(f"`{key}` must be an ISO 8601 time, got {text!r}") from None
    if not is_clock_time(value):
        raise ValueError(f"`{key}` must be a time of this age, got {text!r}")
    return value


def optional_time(data: Mapping[str, Any], key: str) -> datetime | None:
    """The ISO 8601 time under `key`, or None where it is absent or null."""
    return None if data.get(key) is None else time(data, key)
