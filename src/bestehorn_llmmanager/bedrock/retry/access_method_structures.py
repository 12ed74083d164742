"""Offers the access method preference under its old path."""

from __future__ import annotations

from bestehorn_llmmanager.bedrock.models.access_method_preference import (
    AccessMethodNames,
    AccessMethodPreference,
)

__all__ = ["AccessMethodNames", "AccessMethodPreference"]
