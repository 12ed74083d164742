"""Old path of the look-up of older names."""

from __future__ import annotations

from bestehorn_llmmanager._legacy.legacy_name_mapper import LegacyNameMapper

__all__ = ["LegacyNameMapper"]
