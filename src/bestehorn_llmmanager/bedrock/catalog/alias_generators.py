"""Old path of the alias rules as classes."""

from __future__ import annotations

from bestehorn_llmmanager._legacy.alias_generators import (
    AliasGenerator,
    ClaudeAliasGenerator,
    PrefixedModelAliasGenerator,
    VersionedModelAliasGenerator,
    VersionPeriodAliasGenerator,
)

__all__ = [
    "AliasGenerator",
    "ClaudeAliasGenerator",
    "PrefixedModelAliasGenerator",
    "VersionPeriodAliasGenerator",
    "VersionedModelAliasGenerator",
]
