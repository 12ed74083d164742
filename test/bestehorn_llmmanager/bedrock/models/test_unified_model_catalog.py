# until 4.0.0: this file
"""Tests the model list of the deprecated manager."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from bestehorn_llmmanager._legacy.unified_model_catalog import UnifiedModelCatalog
from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo
from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

NOW = datetime(2025, 1, 1, tzinfo=timezone.utc)


def direct(region: str) -> ModelAccessInfo:
    return ModelAccessInfo(region=region, has_direct_access=True, model_id="nova")


def by_profile(region: str) -> ModelAccessInfo:
    return ModelAccessInfo(
        region=region, has_regional_cris=True, regional_cris_profile_id="eu.nova"
    )


def model(name: str, provider: str, *access: ModelAccessInfo, streaming: bool) -> UnifiedModelInfo:
    regions = {each.region: each for each in access}
    return UnifiedModelInfo(name, provider, "nova", ["TEXT"], ["TEXT"], streaming, regions)


CATALOG = UnifiedModelCatalog(
    NOW,
    {
        "Pro": model("Pro", "Amazon", direct("us-east-1"), by_profile("eu-west-1"), streaming=True),
        "Embed": model("Embed", "Cohere", by_profile("us-east-1"), streaming=False),
    },
)


def test_the_list_is_counted_and_named_in_order() -> None:
    assert CATALOG.model_count == 2
    assert CATALOG.get_model_names() == ["Embed", "Pro"]
    assert CATALOG.get_all_supported_regions() == ["eu-west-1", "us-east-1"]
    assert CATALOG.has_model("Pro")
    assert not CATALOG.has_model("pro")


@pytest.mark.parametrize(
    ("query", "argument", "names"),
    [
        ("get_models_by_provider", "Amazon", ["Pro"]),
        ("get_models_by_provider", "amazon", []),
        ("get_models_by_region", "us-east-1", ["Pro", "Embed"]),
        ("get_models_by_region", "nowhere", []),
        ("get_direct_access_models_by_region", "us-east-1", ["Pro"]),
        ("get_direct_access_models_by_region", "eu-west-1", []),
        ("get_cris_only_models_by_region", "us-east-1", ["Embed"]),
        ("get_cris_only_models_by_region", "eu-west-1", ["Pro"]),
    ],
)
def test_a_query_gives_the_models_that_match(query: str, argument: str, names: list[str]) -> None:
    found = getattr(CATALOG, query)(argument)
    assert found == {name: CATALOG.unified_models[name] for name in names}


def test_streaming_models_are_those_that_stream() -> None:
    assert list(CATALOG.get_streaming_models()) == ["Pro"]


def test_the_list_becomes_a_dict_and_comes_back() -> None:
    assert UnifiedModelCatalog.from_dict(CATALOG.to_dict()) == CATALOG


@pytest.mark.parametrize(
    "change",
    [
        {"retrieval_timestamp": None},
        {"retrieval_timestamp": "yesterday"},
        {"unified_models": []},
        {"unified_models": {"Pro": 3}},
        {"unified_models": {"Pro": {}}},
    ],
)
def test_a_dict_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="unified_models"):
        UnifiedModelCatalog.from_dict(CATALOG.to_dict() | change)


@pytest.mark.parametrize("missing", ["retrieval_timestamp", "unified_models"])
def test_a_missing_key_is_named(missing: str) -> None:
    data = CATALOG.to_dict()
    del data[missing]
    with pytest.raises(ValueError, match=f"`{missing}` is missing"):
        UnifiedModelCatalog.from_dict(data)
