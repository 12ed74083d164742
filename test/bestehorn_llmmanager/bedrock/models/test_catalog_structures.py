"""Tests a whole catalogue and its metadata: queries and JSON."""

from __future__ import annotations

import json
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo
from bestehorn_llmmanager.bedrock.models.catalog_structures import (
    CacheMode,
    CatalogMetadata,
    CatalogSource,
    RegionFailure,
    RegionMetadata,
    UnifiedCatalog,
)
from bestehorn_llmmanager.bedrock.models.model_details import (
    InferenceProfile,
    ModelLifecycle,
    NotCallableModel,
)
from bestehorn_llmmanager.bedrock.models.region_access import RegionAccess
from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=timezone.utc)

# What 0.9.0 writes to its cache file: `UnifiedCatalog.to_dict()` of the catalogue that it
# bundles, cut down to one model, one region and three of the regions queried.
WRITTEN_BY_0_9_0: dict[str, Any] = {
    "models": {
        "Nova Micro": {
            "model_name": "Nova Micro",
            "provider": "Amazon",
            "model_id": "amazon.nova-micro-v1:0",
            "input_modalities": ["TEXT"],
            "output_modalities": ["TEXT"],
            "streaming_supported": True,
            "inference_parameters_link": None,
            "hyperparameters_link": None,
            "region_access": {
                "eu-north-1": {
                    "region": "eu-north-1",
                    "has_direct_access": True,
                    "has_regional_cris": True,
                    "has_global_cris": False,
                    "model_id": "amazon.nova-micro-v1:0",
                    "regional_cris_profile_id": "eu.amazon.nova-micro-v1:0",
                    "global_cris_profile_id": None,
                    "access_method": "both",
                    "inference_profile_id": "eu.amazon.nova-micro-v1:0",
                }
            },
        }
    },
    "metadata": {
        "source": "bundled",
        "retrieval_timestamp": "2026-06-17T20:55:22.749659",
        "api_regions_queried": ["us-west-2", "ap-south-1", "eu-north-1"],
        "bundled_data_version": "0.8.3",
        "cache_file_path": None,
    },
}

words = st.text(min_size=1, max_size=8).filter(str.strip)
regions = st.sampled_from(["eu-west-1", "us-east-1", "mars-1"])
times = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 (the zones come from the next line)
    max_value=datetime(2100, 12, 31),  # noqa: DTZ001
    timezones=st.sampled_from([None, timezone.utc, timezone(-timedelta(hours=9, minutes=30))]),
)
sources = st.sampled_from(CatalogSource)
metadata_values = st.builds(
    CatalogMetadata,
    source=sources,
    retrieval_timestamp=times,
    api_regions_queried=st.lists(regions, max_size=3),
    bundled_data_version=st.none() | words,
    cache_file_path=st.none() | st.sampled_from([Path("/tmp/cache.json"), Path("x y/ü")]),
    regions_metadata=st.dictionaries(
        regions, st.builds(RegionMetadata, source=sources, retrieval_timestamp=times)
    ),
    unavailable_regions=st.dictionaries(
        regions, st.builds(RegionFailure, kind=words, reason=words, retrieval_timestamp=times)
    ),
    all_regions=st.lists(regions, max_size=3),
)


def model(name: str, provider: str = "Amazon", **changes: Any) -> UnifiedModelInfo:
    fields: dict[str, Any] = {
        "model_name": name,
        "provider": provider,
        "model_id": name.casefold(),
        "input_modalities": ["TEXT"],
        "output_modalities": ["TEXT"],
        "streaming_supported": True,
        "region_access": RegionAccess(name.casefold(), ["us-east-1"], ()),
        "inference_types": {"ON_DEMAND": ["us-east-1"]},
    }
    return UnifiedModelInfo(**{**fields, **changes})


EU = InferenceProfile("eu.haiku", "EU Haiku", "eu", {"eu-west-1": ["eu-west-1", "eu-north-1"]})
HAIKU = model(
    "Haiku",
    "Anthropic",
    region_access=RegionAccess("haiku", [], [EU]),
    inference_types={"INFERENCE_PROFILE": ["eu-west-1"]},
    profiles=[EU],
    lifecycle=ModelLifecycle("LEGACY", end_of_life=NOW),
)
NOVA = model("Nova")
EMBED = model(
    "Embed",
    streaming_supported=False,
    region_access={
        "eu-west-1": ModelAccessInfo("eu-west-1", has_direct_access=True, model_id="embed")
    },
)
METADATA = CatalogMetadata(CatalogSource.API, NOW, ["eu-west-1", "us-east-1"])
CATALOG = UnifiedCatalog({"Nova": NOVA, "Haiku": HAIKU, "Embed": EMBED}, METADATA)

model_lists = st.lists(st.sampled_from([NOVA, HAIKU, EMBED]), unique_by=lambda m: m.model_name)
apart = NotCallableModel("titan:1", "Titan", "Amazon", "provisioned_only", ["us-east-1"])
catalogs = st.builds(
    lambda models, metadata, not_callable: UnifiedCatalog(
        {each.model_name: each for each in models}, metadata, not_callable
    ),
    model_lists,
    metadata_values,
    st.sampled_from([{}, {"titan:1": apart}]),
)


def test_the_values_of_modes_and_sources_stay() -> None:
    assert [mode.value for mode in CacheMode] == ["file", "memory", "none"]
    assert [source.value for source in CatalogSource] == ["api", "cache", "bundled"]


# Queries


def test_a_catalogue_is_counted_and_looked_up_by_exact_name() -> None:
    assert CATALOG.model_count == 3
    assert CATALOG.get_model("Nova") is NOVA
    assert CATALOG.get_model("nova") is None
    assert CATALOG.get_all_regions() == ["eu-west-1", "us-east-1"]
    assert CATALOG.get_all_providers() == ["Amazon", "Anthropic"]


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        ({}, ["Nova", "Haiku", "Embed"]),
        ({"region": "eu-west-1"}, ["Haiku", "Embed"]),
        ({"provider": "Amazon"}, ["Nova", "Embed"]),
        ({"provider": "amazon"}, []),
        ({"streaming_only": True}, ["Nova", "Haiku"]),
        ({"region": "eu-west-1", "provider": "Amazon", "streaming_only": True}, []),
        ({"region": "eu-west-1", "streaming_only": True}, ["Haiku"]),
        ({"region": "mars-1"}, []),
    ],
)
def test_models_are_filtered_by_all_that_is_given(
    conditions: dict[str, Any], names: list[str]
) -> None:
    assert [m.model_name for m in CATALOG.filter_models(**conditions)] == names


def test_a_refusal_is_what_asking_again_soon_would_not_change() -> None:
    kinds = ["opted_out", "denied", "no_endpoint", "throttled", "timeout", "failed"]
    refusals = [kind for kind in kinds if RegionFailure(kind, "because", NOW).is_refusal]
    assert refusals == ["opted_out", "denied", "no_endpoint"]


# JSON


@given(catalogs)
def test_a_catalogue_survives_json(catalog: UnifiedCatalog) -> None:
    assert UnifiedCatalog.from_dict(json.loads(json.dumps(catalog.to_dict()))) == catalog


@given(catalogs)
def test_a_catalogue_survives_its_record(catalog: UnifiedCatalog) -> None:
    assert UnifiedCatalog.from_dict(json.loads(json.dumps(catalog.to_record()))) == catalog


@given(metadata_values)
def test_metadata_survive_json(metadata: CatalogMetadata) -> None:
    assert CatalogMetadata.from_dict(json.loads(json.dumps(metadata.to_dict()))) == metadata


def test_the_order_of_the_models_survives_json() -> None:
    read = UnifiedCatalog.from_dict(json.loads(json.dumps(CATALOG.to_dict())))
    assert list(read.models) == ["Nova", "Haiku", "Embed"]


def test_metadata_are_written_with_the_keys_of_0_9_0() -> None:
    metadata = CatalogMetadata(
        CatalogSource.CACHE, NOW, ["eu-west-1"], "1.2.3", Path("/tmp/catalog.json")
    )
    assert metadata.to_dict() == {
        "source": "cache",
        "retrieval_timestamp": "2026-01-02T03:04:05.000678+00:00",
        "api_regions_queried": ["eu-west-1"],
        "bundled_data_version": "1.2.3",
        "cache_file_path": "/tmp/catalog.json",
        "regions_metadata": {},
        "unavailable_regions": {},
        "all_regions": [],
    }


def test_what_0_9_0_wrote_is_read_and_written_as_it_was() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = UnifiedCatalog.from_dict(WRITTEN_BY_0_9_0).to_dict()
    old_model, new_model = WRITTEN_BY_0_9_0["models"]["Nova Micro"], data["models"]["Nova Micro"]
    assert {key: new_model[key] for key in old_model} == old_model
    old_metadata = WRITTEN_BY_0_9_0["metadata"]
    assert {key: data["metadata"][key] for key in old_metadata} == old_metadata


def test_a_time_with_z_is_read() -> None:
    data = {**METADATA.to_dict(), "retrieval_timestamp": "2026-01-02T03:04:05.000678Z"}
    assert CatalogMetadata.from_dict(data) == METADATA


def test_a_record_is_smaller_and_says_the_same() -> None:
    record = CATALOG.to_record()
    assert "region_access" not in record["models"]["Haiku"]
    assert len(json.dumps(record)) < len(json.dumps(CATALOG.to_dict()))
    assert UnifiedCatalog.from_dict(record) == CATALOG


@pytest.mark.parametrize("key", ["models", "metadata"])
def test_a_catalogue_needs_models_and_metadata(key: str) -> None:
    data = CATALOG.to_dict()
    del data[key]
    with pytest.raises(ValueError, match=f"`{key}` is missing"):
        UnifiedCatalog.from_dict(data)


@pytest.mark.parametrize("key", ["source", "retrieval_timestamp", "api_regions_queried"])
def test_metadata_need_source_time_and_regions(key: str) -> None:
    data = METADATA.to_dict()
    del data[key]
    with pytest.raises(ValueError, match=f"`{key}` is missing"):
        CatalogMetadata.from_dict(data)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("source", 7, "`source`"),
        ("source", "rumour", "rumour"),
        ("retrieval_timestamp", 7, "`retrieval_timestamp`"),
        ("retrieval_timestamp", "yesterday", "`retrieval_timestamp`.*'yesterday'"),
        ("api_regions_queried", "eu-west-1", "`api_regions_queried`"),
        ("api_regions_queried", [7], "`api_regions_queried`"),
        ("bundled_data_version", 1.0, "`bundled_data_version`"),
        ("cache_file_path", 7, "`cache_file_path`"),
        ("regions_metadata", [], "`regions_metadata`"),
        ("regions_metadata", {"eu-west-1": 7}, "region's metadata"),
        ("regions_metadata", {"eu-west-1": {"source": "api"}}, "`retrieval_timestamp`"),
        ("unavailable_regions", 7, "`unavailable_regions`"),
        ("unavailable_regions", {"eu-west-1": []}, "region's failure"),
        ("unavailable_regions", {"eu-west-1": {"kind": "denied"}}, "`reason`"),
        ("all_regions", {}, "`all_regions`"),
    ],
)
def test_metadata_of_the_wrong_type_are_refused_by_their_key(
    key: str, value: Any, named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        CatalogMetadata.from_dict({**METADATA.to_dict(), key: value})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"models": []}, "`models`"),
        ({"models": {"Nova": 7}}, "Model 'Nova'.*object"),
        ({"models": {"Nova": {}}}, "Model 'Nova'.*is missing"),
        ({"metadata": []}, "`metadata`"),
        ({"not_callable": []}, "`not_callable`"),
        ({"not_callable": {"titan:1": 7}}, "`not_callable` 'titan:1'"),
        ({"not_callable": {"titan:1": {}}}, "`model_id`"),
    ],
)
def test_a_catalogue_of_the_wrong_shape_is_refused_by_its_key(
    change: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        UnifiedCatalog.from_dict({**CATALOG.to_dict(), **change})


@pytest.mark.parametrize("data", [None, [], "catalogue", 7])
def test_what_is_no_object_is_no_catalogue(data: Any) -> None:
    with pytest.raises(ValueError, match="must be an object"):
        UnifiedCatalog.from_dict(data)
