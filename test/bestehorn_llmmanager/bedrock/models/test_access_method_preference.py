"""Tests which way of calling a model a preference stands for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from bestehorn_llmmanager.bedrock.models import access_method_preference
from bestehorn_llmmanager.bedrock.retry import access_method_structures
from bestehorn_llmmanager.bedrock.retry.access_method_structures import (
    AccessMethodNames,
    AccessMethodPreference,
)


def flags(preference: AccessMethodPreference) -> tuple[bool, bool, bool, bool]:
    return (
        preference.prefer_direct,
        preference.prefer_regional_cris,
        preference.prefer_global_cris,
        preference.learned_from_error,
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (AccessMethodNames.DIRECT, (True, False, False, False)),
        (AccessMethodNames.REGIONAL_CRIS, (False, True, False, False)),
        (AccessMethodNames.GLOBAL_CRIS, (False, False, True, False)),
    ],
)
def test_a_name_sets_exactly_its_flag(name: str, expected: tuple[bool, ...]) -> None:
    preference = AccessMethodPreference.from_method_name(name)
    assert flags(preference) == expected
    assert preference.get_preferred_method() == name


@pytest.mark.parametrize("name", ["unknown", "", "DIRECT", None])
def test_another_name_is_refused(name: Any) -> None:
    with pytest.raises(ValueError, match="regional_cris"):
        AccessMethodPreference.from_method_name(name)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((True, True, True), "direct"),
        ((False, True, True), "regional_cris"),
        ((False, False, True), "global_cris"),
        ((False, False, False), "unknown"),
    ],
)
def test_the_first_flag_counts(given: tuple[bool, bool, bool], expected: str) -> None:
    assert AccessMethodPreference(*given).get_preferred_method() == expected


def test_a_preference_is_direct_and_of_now_unless_told_otherwise() -> None:
    preference = AccessMethodPreference()
    assert flags(preference) == (True, False, False, False)
    assert abs(datetime.now() - preference.last_updated) < timedelta(minutes=1)  # noqa: DTZ005


def test_the_old_path_offers_the_same_classes() -> None:
    for name in ("AccessMethodNames", "AccessMethodPreference"):
        assert getattr(access_method_structures, name) is getattr(access_method_preference, name)
