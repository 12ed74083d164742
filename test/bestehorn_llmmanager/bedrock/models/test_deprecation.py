"""Tests that deprecation warnings say what and where."""

from __future__ import annotations

import pytest

from bestehorn_llmmanager.bedrock.models.deprecation import (
    DeprecatedAPIWarning,
    DeprecatedEnumValueWarning,
    deprecated,
    emit_deprecation_warning,
)


def test_every_call_of_a_deprecated_function_warns_at_the_caller() -> None:
    @deprecated("3.0", removal="4.0", alternative="new()", category=DeprecatedAPIWarning)
    def old(value: int, *, factor: int = 1) -> int:
        """Multiplies."""
        return value * factor

    for _ in range(2):
        with pytest.warns(DeprecatedAPIWarning) as caught:
            assert old(2, factor=3) == 6
        text = str(caught[0].message)
        assert caught[0].filename == __file__
        assert all(part in text for part in ("old", "3.0", "4.0", "new()"))
    assert (old.__name__, old.__doc__) == ("old", "Multiplies.")


def test_what_is_not_given_is_not_mentioned() -> None:
    with pytest.warns(DeprecationWarning, match="option `x`") as caught:
        emit_deprecation_warning("The option `x`", "3.0")
    assert str(caught[0].message) == "The option `x` is deprecated since 3.0"
    assert caught[0].filename == __file__


@pytest.mark.parametrize("category", [DeprecatedEnumValueWarning, DeprecatedAPIWarning])
def test_the_categories_are_deprecation_warnings(category: type[Warning]) -> None:
    assert issubclass(category, DeprecationWarning)
