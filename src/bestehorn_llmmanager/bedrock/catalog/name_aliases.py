"""Derives from a model's name the further names that people use for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from bestehorn_llmmanager.bedrock.catalog.name_normalizer import normalize_model_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    class AliasOptions(Protocol):
        """What the rules read of an `AliasGenerationConfig`."""

        @property
        def generate_version_variants(self) -> bool: ...
        @property
        def generate_no_prefix_variants(self) -> bool: ...
        @property
        def generate_spacing_variants(self) -> bool: ...
        @property
        def enable_version_period_aliases(self) -> bool: ...
        @property
        def max_aliases_per_model(self) -> int: ...


CLAUDE_VARIANTS = ("Haiku", "Sonnet", "Opus")
GEOGRAPHIES = ("APAC", "EU", "US")
PROVIDERS = ("Anthropic", "Amazon", "Meta", "Cohere", "AI21", "Mistral", "Stability")

_two_numbers = re.compile(r"(\d+)[.\s]+(\d+)")
_one_number = re.compile(r"\b(\d+)\b")
_word_then_number = re.compile(r"([A-Za-z]+)\s+(\d+)")
_digit_pair = re.compile(r"\b(\d)\s+(\d)\b")
_number_pair = re.compile(r"\b(\d+)\s+(\d+)\b")
_date_and_rest = re.compile(r"\s+\d{8}\b.*$")


def aliases_of(name: str, config: AliasOptions) -> list[str]:
    """All aliases of a canonical name, the most likely first.

    No two are spellings of each other; at most `config.max_aliases_per_model`.
    """
    aliases: list[str] = []
    if is_claude(name):
        aliases += claude_aliases(name, config)
    elif has_digit(name):
        aliases += versioned_aliases(name, config)
    aliases += prefixed_aliases(name, config)
    if config.enable_version_period_aliases:
        aliases += version_period_aliases(name, config)
    return _distinct(aliases, config)


def is_claude(name: str) -> bool:
    return "claude" in name.lower()


def has_digit(name: str) -> bool:
    return any(character.isdecimal() for character in name)


def claude_aliases(name: str, config: AliasOptions) -> list[str]:
    """``Claude Haiku 4 5 20251001`` is also ``Claude 4.5 Haiku`` and ``Claude4.5 Haiku``.

    Empty for a name without a variant (Haiku, Sonnet, Opus) or without a version.
    """
    lower = name.lower()
    variant = next((v for v in CLAUDE_VARIANTS if v.lower() in lower), None)
    version = _claude_version(name)
    if variant is None or version is None:
        return []
    geography, _ = _cut(name, GEOGRAPHIES)
    front = f"{geography.upper()} " if geography else ""
    aliases = []
    if config.generate_version_variants:
        aliases.append(f"{front}Claude {version} {variant}")
    if config.generate_spacing_variants:
        aliases.append(f"{front}Claude{version} {variant}")
    return _distinct(aliases, config)


def versioned_aliases(name: str, config: AliasOptions) -> list[str]:
    """``Llama 3 8B Instruct`` is also ``Llama3 8B Instruct``; ``Jamba 1 5`` also ``Jamba 1.5``."""
    aliases = []
    if config.generate_spacing_variants:
        aliases += [_word_then_number.sub(r"\1\2", name, count=1), name]
    if config.generate_version_variants:
        dotted = _digit_pair.sub(r"\1.\2", name, count=1)
        if dotted != name:
            aliases.append(dotted)
    return _distinct(aliases, config)


def prefixed_aliases(name: str, config: AliasOptions) -> list[str]:
    """``APAC Anthropic Claude 3 Haiku`` is also ``APAC Claude 3 Haiku``."""
    if not config.generate_no_prefix_variants:
        return []
    geography, rest = _cut(name, GEOGRAPHIES)
    provider, short = _cut(rest, PROVIDERS)
    if not provider:
        return []
    return [f"{geography} {short}" if geography else short]


def version_period_aliases(name: str, config: AliasOptions) -> list[str]:
    """``Claude Haiku 4 5 20251001`` is also ``Claude Haiku 4.5 20251001`` and ``Claude Haiku 4.5``."""
    dotted = _number_pair.sub(r"\1.\2", name)
    if dotted == name:
        return []
    return _distinct([dotted, _date_and_rest.sub("", dotted)], config)


def has_number_pair(name: str) -> bool:
    return _number_pair.search(name) is not None


def has_known_prefix(name: str) -> bool:
    return bool(_cut(name, GEOGRAPHIES + PROVIDERS)[0])


def _claude_version(name: str) -> str | None:
    if pair := _two_numbers.search(name):
        return f"{pair[1]}.{pair[2]}"
    number = _one_number.search(name)
    return number and number[1]


def _cut(name: str, leading: tuple[str, ...]) -> tuple[str, str]:
    """Cut the first word off if it is one of `leading` in any case, else cut nothing."""
    first, *rest = name.split(maxsplit=1) or [""]
    if rest and first.lower() in {word.lower() for word in leading}:
        return first, rest[0].strip()
    return "", name


def _distinct(aliases: Iterable[str], config: AliasOptions) -> list[str]:
    by_spelling: dict[str, str] = {}
    for alias in aliases:
        if spelling := normalize_model_name(alias):
            by_spelling.setdefault(spelling, alias)
    return list(by_spelling.values())[: config.max_aliases_per_model]
