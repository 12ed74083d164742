"""Tells developers at their own line that something they use will go."""

from __future__ import annotations

import warnings
from functools import wraps
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")


class DeprecatedEnumValueWarning(DeprecationWarning):
    """An enum value of an older format is used."""


class DeprecatedAPIWarning(DeprecationWarning):
    """An older function or class is used."""


def deprecated(
    since: str,
    removal: str | None = None,
    alternative: str | None = None,
    category: type[Warning] = DeprecationWarning,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make every call of a function warn at the caller's line.

    Args:
        since: Version that deprecated it.
        removal: Version that drops it, if that is decided.
        alternative: What to use instead, as code.
        category: Class of the warning.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def warning_first(*args: P.args, **kwargs: P.kwargs) -> R:
            emit_deprecation_warning(
                function.__name__, since, removal, alternative, category, stacklevel=3
            )
            return function(*args, **kwargs)

        return warning_first

    return decorate


def emit_deprecation_warning(
    feature: str,
    since: str,
    removal: str | None = None,
    alternative: str | None = None,
    category: type[Warning] = DeprecationWarning,
    stacklevel: int = 2,
) -> None:
    """Warn that `feature` is deprecated; the arguments are those of `deprecated`.

    With the default `stacklevel` the warning points at the caller of this function, with 3
    at the caller's caller.
    """
    text = f"{feature} is deprecated since {since}"
    if removal:
        text += f" and goes with {removal}"
    if alternative:
        text += f"; use {alternative} instead"
    warnings.warn(text, category, stacklevel=stacklevel)
