"""Finds the model id behind a name of the time before the API's model list."""

from __future__ import annotations

from bestehorn_llmmanager._legacy import legacy_name_mappings
from bestehorn_llmmanager.bedrock.catalog.name_normalizer import normalize_model_name


class LegacyNameMapper:
    def __init__(self) -> None:
        self._by_spelling: dict[str, str] = {}
        for name, model_id in legacy_name_mappings.older_names().items():
            self._by_spelling.setdefault(normalize_model_name(name), model_id)

    def resolve_legacy_name(self, user_name: str) -> str | None:
        exact = legacy_name_mappings.get_legacy_mapping(user_name)
        return exact or self._by_spelling.get(normalize_model_name(user_name))

    def is_legacy_name(self, user_name: str) -> bool:
        return self.is_deprecated(user_name) or self.resolve_legacy_name(user_name) is not None

    def is_deprecated(self, user_name: str) -> bool:
        return legacy_name_mappings.is_deprecated_model(user_name)

    def get_deprecation_info(self, user_name: str) -> str | None:
        return legacy_name_mappings.get_deprecation_reason(user_name)

    def get_all_legacy_names(self) -> list[str]:
        return legacy_name_mappings.get_all_legacy_names()

    def get_all_deprecated_names(self) -> list[str]:
        return legacy_name_mappings.get_all_deprecated_names()
