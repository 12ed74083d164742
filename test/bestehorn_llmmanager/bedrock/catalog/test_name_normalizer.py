"""Tests that spellings of one name become equal, and different names do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.catalog.name_normalizer import normalize_model_name

WORDS = st.sampled_from(["claude", "nova", "llama3", "8b", "v1:0", "2024", "x", "(1"])
VERSIONS = st.tuples(st.integers(0, 9), st.integers(0, 9))
SEPARATORS = st.text("-_. \t", min_size=1, max_size=3)


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        (None, ""),
        ("", ""),
        (" -_. ", ""),
        ("Claude 3.5 Haiku", "claude 35 haiku"),
        ("claude-3-5-haiku", "claude 35 haiku"),
        ("CLAUDE_3_5_HAIKU", "claude 35 haiku"),
        ("  Claude   3 \t 5  Haiku ", "claude 35 haiku"),
        ("gpt-oss-120b", "gpt oss 120b"),
        ("Command R+", "command r+"),
        ("Titan Embed Text V2:0", "titan embed text v2:0"),
        ("4 5 6 7", "45 67"),
        ("1 2 3", "12 3"),
        ("Claude 4 20250514", "claude 4 20250514"),
        ("Llama3 1 8b", "llama3 1 8b"),
        ("(4 5)", "(45)"),
    ],
)
def test_a_name_has_one_normal_form(name: str | None, normal: str) -> None:
    assert normalize_model_name(name) == normal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Claude Sonnet 4", "Claude Sonnet 4.6"),
        ("Command R", "Command R+"),
        ("Claude 3 Haiku", "Claude 3.5 Haiku"),
        ("Nova Pro", "Amazon Nova Pro"),
    ],
)
def test_different_models_stay_different(one: str, other: str) -> None:
    assert normalize_model_name(one) != normalize_model_name(other)


@given(name=st.text() | st.text("aA1 2-_.3:(+"))
def test_normalizing_twice_changes_nothing(name: str) -> None:
    once = normalize_model_name(name)
    assert normalize_model_name(once) == once


@given(before=WORDS, version=VERSIONS, after=WORDS, separators=st.tuples(*[SEPARATORS] * 3))
def test_case_and_separators_do_not_matter(
    before: str, version: tuple[int, int], after: str, separators: tuple[str, str, str]
) -> None:
    plain = f"{before} {version[0]}.{version[1]} {after}"
    first, dot, last = separators
    variant = f" {before.upper()}{first}{version[0]}{dot}{version[1]}{last}{after.title()}-"
    assert normalize_model_name(variant) == normalize_model_name(plain)
