"""Tests that the names of older releases are found in the bundle."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bestehorn_llmmanager.bedrock.catalog import legacy_name_mappings as mappings
from bestehorn_llmmanager.bedrock.catalog.legacy_name_mapper import LegacyNameMapper

CLAUDE_3_HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("Claude 3 Haiku", CLAUDE_3_HAIKU),
        ("claude-3-haiku", CLAUDE_3_HAIKU),
        (" CLAUDE  3 HAIKU ", CLAUDE_3_HAIKU),
        ("Claude 3.5 Sonnet v2", "anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ("Claude v1", None),
        ("No Such Model", None),
        ("", None),
    ],
)
def test_an_older_name_is_found_in_any_spelling(name: str, model_id: str | None) -> None:
    assert LegacyNameMapper().resolve_legacy_name(name) == model_id


@pytest.mark.parametrize(
    ("name", "older", "retired"),
    [
        ("Claude 3 Haiku", True, False),
        ("Claude v1", True, True),
        ("Titan Text G1", True, True),
        ("No Such Model", False, False),
    ],
)
def test_retired_names_are_older_names_with_a_reason(
    name: str, *, older: bool, retired: bool
) -> None:
    mapper = LegacyNameMapper()
    assert mapper.is_legacy_name(name) is older
    assert mapper.is_deprecated(name) is mappings.is_deprecated_model(name) is retired
    assert bool(mapper.get_deprecation_info(name)) is retired
    assert mappings.get_deprecation_reason(name) == mapper.get_deprecation_info(name)


def test_the_functions_of_the_module_want_the_exact_name() -> None:
    assert mappings.get_legacy_mapping("Claude 3 Haiku") == CLAUDE_3_HAIKU
    assert mappings.get_legacy_mapping("claude-3-haiku") is None


def test_the_tables_are_ordinary_dicts_and_always_the_same() -> None:
    assert type(mappings.LEGACY_NAME_MAPPINGS) is type(mappings.DEPRECATED_MODELS) is dict
    assert mappings.LEGACY_NAME_MAPPINGS is mappings.LEGACY_NAME_MAPPINGS
    assert mappings.get_all_legacy_names() == list(mappings.LEGACY_NAME_MAPPINGS)
    assert LegacyNameMapper().get_all_legacy_names() == list(mappings.LEGACY_NAME_MAPPINGS)
    assert mappings.get_all_deprecated_names() == list(mappings.DEPRECATED_MODELS)
    assert LegacyNameMapper().get_all_deprecated_names() == list(mappings.DEPRECATED_MODELS)


def test_importing_the_tables_does_not_read_the_bundle() -> None:
    code = (
        "import sys, bestehorn_llmmanager.bedrock.catalog.legacy_name_mappings as m;"
        "loader = 'bestehorn_llmmanager.bedrock.catalog.bundled_loader';"
        "assert loader not in sys.modules; m.LEGACY_NAME_MAPPINGS; assert loader in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
