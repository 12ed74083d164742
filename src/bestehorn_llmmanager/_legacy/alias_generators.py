"""Offers the rules of `name_aliases` as classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from bestehorn_llmmanager.bedrock.catalog import name_aliases

if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.catalog.name_resolution_structures import (
        AliasGenerationConfig,
    )
    from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo


class AliasGenerator(ABC):
    def __init__(self, config: AliasGenerationConfig) -> None:
        self.config = config

    @abstractmethod
    def can_generate(self, model_info: UnifiedModelInfo) -> bool: ...

    @abstractmethod
    def generate(self, model_info: UnifiedModelInfo) -> list[str]: ...


class ClaudeAliasGenerator(AliasGenerator):
    CLAUDE_VARIANTS: ClassVar[list[str]] = list(name_aliases.CLAUDE_VARIANTS)
    REGIONAL_PREFIXES: ClassVar[list[str]] = list(name_aliases.GEOGRAPHIES)

    def can_generate(self, model_info: UnifiedModelInfo) -> bool:
        return name_aliases.is_claude(model_info.model_name)

    def generate(self, model_info: UnifiedModelInfo) -> list[str]:
        return name_aliases.claude_aliases(model_info.model_name, self.config)


class VersionedModelAliasGenerator(AliasGenerator):
    def can_generate(self, model_info: UnifiedModelInfo) -> bool:
        name = model_info.model_name
        return name_aliases.has_digit(name) and not name_aliases.is_claude(name)

    def generate(self, model_info: UnifiedModelInfo) -> list[str]:
        return name_aliases.versioned_aliases(model_info.model_name, self.config)


class PrefixedModelAliasGenerator(AliasGenerator):
    REGIONAL_PREFIXES: ClassVar[list[str]] = list(name_aliases.GEOGRAPHIES)
    PROVIDER_PREFIXES: ClassVar[list[str]] = list(name_aliases.PROVIDERS)
    KNOWN_PREFIXES: ClassVar[list[str]] = REGIONAL_PREFIXES + PROVIDER_PREFIXES

    def can_generate(self, model_info: UnifiedModelInfo) -> bool:
        return name_aliases.has_known_prefix(model_info.model_name)

    def generate(self, model_info: UnifiedModelInfo) -> list[str]:
        return name_aliases.prefixed_aliases(model_info.model_name, self.config)


class VersionPeriodAliasGenerator(AliasGenerator):
    def can_generate(self, model_info: UnifiedModelInfo) -> bool:
        name = model_info.model_name
        return self.config.enable_version_period_aliases and name_aliases.has_number_pair(name)

    def generate(self, model_info: UnifiedModelInfo) -> list[str]:
        return name_aliases.version_period_aliases(model_info.model_name, self.config)
