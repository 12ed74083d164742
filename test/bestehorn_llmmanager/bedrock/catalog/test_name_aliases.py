"""Tests which further names a model's name gives rise to."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.catalog import alias_generators, name_aliases
from bestehorn_llmmanager.bedrock.catalog.name_aliases import aliases_of
from bestehorn_llmmanager.bedrock.catalog.name_normalizer import normalize_model_name
from bestehorn_llmmanager.bedrock.catalog.name_resolution_structures import AliasGenerationConfig

ALL = AliasGenerationConfig()
NAMES = st.lists(
    st.sampled_from(
        [
            "EU",
            "us",
            "Anthropic",
            "Amazon",
            "Claude",
            "claude",
            "Haiku",
            "Sonnet",
            "Nova",
            "Llama3",
            "3",
            "5",
            "4.5",
            "8b",
            "20250101",
            "v1:0",
        ]
    )
    | st.text(max_size=5),
    max_size=7,
).map(" ".join)


@pytest.mark.parametrize(
    ("name", "aliases"),
    [
        (
            "Claude Haiku 4 5 20251001",
            [
                "Claude 4.5 Haiku",
                "Claude4.5 Haiku",
                "Claude Haiku 4.5 20251001",
                "Claude Haiku 4.5",
            ],
        ),
        ("Claude 3 Haiku 20240307", ["Claude 3 Haiku", "Claude3 Haiku"]),
        ("Llama 3 8B Instruct", ["Llama3 8B Instruct", "Llama 3 8B Instruct"]),
        ("Marengo Embed 3 0", ["Marengo Embed3 0", "Marengo Embed 3 0"]),
        ("Amazon Nova Pro", ["Nova Pro"]),
        ("APAC Anthropic Claude 3 Haiku", ["APAC Claude 3 Haiku", "APAC Claude3 Haiku"]),
        ("Nova Pro", []),
        ("", []),
    ],
)
def test_a_model_has_these_aliases(name: str, aliases: list[str]) -> None:
    assert aliases_of(name, ALL) == aliases


@pytest.mark.parametrize(
    ("name", "aliases"),
    [
        ("Claude 3 5 Sonnet 20241022", ["Claude 3.5 Sonnet", "Claude3.5 Sonnet"]),
        ("claude-3-haiku", ["Claude 3 Haiku", "Claude3 Haiku"]),
        ("eu claude 3 opus", ["EU Claude 3 Opus", "EU Claude3 Opus"]),
        ("Claude Instant 1", []),
        ("Claude Haiku", []),
    ],
)
def test_claude_is_known_by_version_and_variant(name: str, aliases: list[str]) -> None:
    assert name_aliases.claude_aliases(name, ALL) == aliases


@pytest.mark.parametrize(
    ("name", "aliases"),
    [
        ("Llama 3 8B Instruct", ["Llama3 8B Instruct", "Llama 3 8B Instruct"]),
        ("Qwen3 235b A22b 2507", ["Qwen3 235b A22b2507", "Qwen3 235b A22b 2507"]),
        ("Rerank V3 5", ["Rerank V3 5"]),
        ("Jurassic-2 Mid", ["Jurassic-2 Mid"]),
        (" - ", []),
    ],
)
def test_a_version_may_be_joined_to_its_word(name: str, aliases: list[str]) -> None:
    assert name_aliases.versioned_aliases(name, ALL) == aliases


def test_a_version_may_have_a_dot() -> None:
    config = AliasGenerationConfig(generate_spacing_variants=False)
    assert name_aliases.versioned_aliases("Jamba 1 5 Large 2 3", config) == ["Jamba 1.5 Large 2 3"]


@pytest.mark.parametrize(
    ("name", "aliases"),
    [
        ("Cohere Command R", ["Command R"]),
        ("EU Amazon Nova 2", ["EU Nova 2"]),
        ("eu anthropic claude 3", ["eu claude 3"]),
        ("EU Nova 2", []),
        ("EU Amazon", []),
        ("Amazon", []),
        ("Amazonia Nova", []),
    ],
)
def test_a_provider_may_be_left_out(name: str, aliases: list[str]) -> None:
    assert name_aliases.prefixed_aliases(name, ALL) == aliases


@pytest.mark.parametrize(
    ("name", "aliases"),
    [
        ("Nova 2 1 20250101 V1 0", ["Nova 2.1 20250101 V1 0", "Nova 2.1"]),
        ("X 1 2 3 4", ["X 1.2 3.4"]),
        ("Foo 4 5b", []),
        ("Nova 2", []),
    ],
)
def test_two_numbers_may_be_a_version(name: str, aliases: list[str]) -> None:
    assert name_aliases.version_period_aliases(name, ALL) == aliases


@pytest.mark.parametrize(
    ("option", "name", "missing"),
    [
        ("generate_version_variants", "Claude Haiku 4 5", "Claude 4.5 Haiku"),
        ("generate_spacing_variants", "Claude Haiku 4 5", "Claude4.5 Haiku"),
        ("generate_no_prefix_variants", "Amazon Nova Pro", "Nova Pro"),
        ("enable_version_period_aliases", "Claude Haiku 4 5", "Claude Haiku 4.5"),
    ],
)
def test_each_option_turns_its_rule_off(option: str, name: str, missing: str) -> None:
    assert missing in aliases_of(name, ALL)
    assert missing not in aliases_of(name, AliasGenerationConfig(**{option: False}))


@given(name=NAMES, limit=st.integers(1, 5))
def test_aliases_are_few_and_no_two_are_spellings_of_each_other(name: str, limit: int) -> None:
    aliases = aliases_of(name, AliasGenerationConfig(max_aliases_per_model=limit))
    spellings = [normalize_model_name(alias) for alias in aliases]
    assert len(set(spellings)) == len(spellings) <= limit
    assert "" not in spellings


@given(name=NAMES)
def test_the_generators_are_views_of_the_rules(name: str) -> None:
    model: Any = SimpleNamespace(model_name=name)
    generators = [
        alias_generators.ClaudeAliasGenerator(ALL),
        alias_generators.VersionedModelAliasGenerator(ALL),
        alias_generators.PrefixedModelAliasGenerator(ALL),
        alias_generators.VersionPeriodAliasGenerator(ALL),
    ]
    lists = [each.generate(model) for each in generators if each.can_generate(model)]
    joined = {normalize_model_name(alias): alias for alias in reversed([*itertools.chain(*lists)])}
    assert set(aliases_of(name, ALL)) == set(joined.values())


def test_the_base_of_the_generators_is_abstract() -> None:
    with pytest.raises(TypeError):
        alias_generators.AliasGenerator(ALL)  # type: ignore[abstract]  # that is the point
