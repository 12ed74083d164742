"""Offers the bundle's tables of older and of retired model names."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def older_names() -> dict[str, str]:
    return dict(_bundle()["older_names"])


@cache
def retired_names() -> dict[str, str]:
    return dict(_bundle()["retired_names"])


def _bundle() -> dict[str, Any]:
    # Reading the bundle costs more than most importers of this module want to pay.
    from bestehorn_llmmanager.bedrock.catalog.bundled_loader import read_bundle  # noqa: PLC0415

    return read_bundle()


def get_legacy_mapping(legacy_name: str) -> str | None:
    return older_names().get(legacy_name)


def is_deprecated_model(legacy_name: str) -> bool:
    return legacy_name in retired_names()


def get_deprecation_reason(legacy_name: str) -> str | None:
    return retired_names().get(legacy_name)


def get_all_legacy_names() -> list[str]:
    return list(older_names())


def get_all_deprecated_names() -> list[str]:
    return list(retired_names())


def __getattr__(name: str) -> dict[str, str]:
    if name == "LEGACY_NAME_MAPPINGS":
        return older_names()
    if name == "DEPRECATED_MODELS":
        return retired_names()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
