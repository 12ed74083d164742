"""Tests how listings become a catalogue; plain values, no I/O."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.catalog.api_fetcher import RawCatalogData
from bestehorn_llmmanager.bedrock.catalog.naming import by_unique_name
from bestehorn_llmmanager.bedrock.catalog.transformer import CatalogTransformer
from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo
from bestehorn_llmmanager.bedrock.models.catalog_structures import (
    CatalogMetadata,
    CatalogSource,
    RegionFailure,
    RegionMetadata,
    UnifiedCatalog,
)
from bestehorn_llmmanager.bedrock.models.model_details import (
    ContextVariant,
    ModelLifecycle,
    NotCallableModel,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NOW = datetime(2026, 10, 27, tzinfo=timezone.utc)
NOVA = "amazon.nova-lite-v1:0"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
OPUS = "anthropic.claude-opus-4-1-20250805-v1:0"


def summary(model_id: str, name: str = "Some Model", **changes: Any) -> dict[str, Any]:
    fields = {
        "modelId": model_id,
        "modelName": name,
        "modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{model_id}",
        "providerName": "Some Provider",
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "customizationsSupported": [],
        "inferenceTypesSupported": ["ON_DEMAND"],
        "modelLifecycle": {"status": "ACTIVE"},
        **changes,
    }
    return {key: value for key, value in fields.items() if value is not ...}


def profile(profile_id: str, model_id: str, *destinations: str, **changes: Any) -> dict[str, Any]:
    return {
        "inferenceProfileId": profile_id,
        "inferenceProfileName": profile_id,
        "models": [
            {"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{model_id}"}
            for region in destinations
        ],
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
        **changes,
    }


def raw_data(
    models: Mapping[str, Iterable[Any]], profiles: Mapping[str, Iterable[Any]] | None = None
) -> RawCatalogData:
    raw = RawCatalogData()
    for region in models:
        raw.add_region_data(region, list(models[region]), list((profiles or {}).get(region, ())))
    return raw


def transform(
    models: Mapping[str, Iterable[Any]], profiles: Mapping[str, Iterable[Any]] | None = None
) -> UnifiedCatalog:
    return CatalogTransformer().transform_api_data(raw_data(models, profiles), NOW)


def of_snapshot(snapshot: Mapping[str, Any], regions: Iterable[str]) -> RawCatalogData:
    raw = RawCatalogData()
    for region in regions:
        listing = snapshot["regions"][region]
        raw.add_region_data(region, listing["modelSummaries"], listing["inferenceProfileSummaries"])
    return raw


@pytest.fixture(scope="module")
def whole(snapshot: dict[str, Any]) -> UnifiedCatalog:
    return CatalogTransformer().transform_api_data(of_snapshot(snapshot, snapshot["regions"]), NOW)


# The whole snapshot


def test_every_model_of_the_snapshot_is_in_the_catalogue(
    snapshot: dict[str, Any], whole: UnifiedCatalog
) -> None:
    listed = {
        model["modelId"]
        for region in snapshot["regions"].values()
        for model in region["modelSummaries"]
    }
    variants = [v.model_id for model in whole.models.values() for v in model.context_variants]
    assert whole.model_count == 127
    assert sorted(m.model_id or "" for m in whole.models.values()) == sorted(listed - {*variants})
    assert sorted(variants) == sorted(id_ for id_ in listed if id_.count(":") > 1)
    assert whole.not_callable == {}
    assert all(model.described for model in whole.models.values())


def test_every_profile_of_the_snapshot_can_be_called_where_it_is_listed(
    snapshot: dict[str, Any], whole: UnifiedCatalog
) -> None:
    by_id = {model.model_id: model for model in whole.models.values()}
    for region, listing in snapshot["regions"].items():
        for listed in listing["inferenceProfileSummaries"]:
            model_id = listed["models"][0]["modelArn"].rpartition("/")[2]
            [known] = [
                p for p in by_id[model_id].profiles if p.profile_id == listed["inferenceProfileId"]
            ]
            destinations = [m["modelArn"].split(":")[3] or "*" for m in listed["models"]]
            assert known.routes[region] == destinations
            assert by_id[model_id].region_access[region].has_any_cris_access()


def test_a_model_is_direct_exactly_where_it_is_listed_on_demand(
    snapshot: dict[str, Any], whole: UnifiedCatalog
) -> None:
    on_demand = {
        (model["modelId"], region)
        for region, listing in snapshot["regions"].items()
        for model in listing["modelSummaries"]
        if "ON_DEMAND" in model["inferenceTypesSupported"]
    }
    direct = {
        (model.model_id, region)
        for model in whole.models.values()
        for region in model.get_direct_access_regions()
    }
    assert direct == on_demand
    assert len(on_demand) > 600


def test_the_names_of_the_snapshot_are_those_of_the_api(
    snapshot: dict[str, Any], whole: UnifiedCatalog
) -> None:
    api_names = {
        model["modelName"]
        for region in snapshot["regions"].values()
        for model in region["modelSummaries"]
    }
    assert set(whole.models) == api_names
    assert all(name == model.model_name for name, model in whole.models.items())


def test_the_whole_catalogue_survives_json(whole: UnifiedCatalog) -> None:
    assert UnifiedCatalog.from_dict(whole.to_dict()) == whole
    assert UnifiedCatalog.from_dict(whole.to_record()) == whole


@given(st.randoms())
def test_neither_the_order_of_regions_nor_that_of_summaries_matters(random: Any) -> None:
    types = [["ON_DEMAND"], ["INFERENCE_PROFILE"], ["PROVISIONED"]]
    listing: dict[str, list[Any]] = {
        region: [
            summary("a.x-v1:0", "X", modelLifecycle={"status": ["ACTIVE", "LEGACY"][n % 2]}),
            summary("a.x-v2:0", "X", inputModalities=["TEXT", region]),
            summary("b.y-v1:0", "Y", inferenceTypesSupported=types[n % 3]),
            summary("b.y-v1:0:1k", "Y", inferenceTypesSupported=["PROVISIONED"]),
        ]
        for n, region in enumerate(["r-1", "r-2", "r-3", "r-4"])
    }
    routes = [profile("eu.b.y-v1:0", "b.y-v1:0", "r-1", "r-2"), profile("global.c.z", "c.z", "")]
    expected = transform(listing, dict.fromkeys(listing, routes))
    order = random.sample(list(listing), k=4)
    shuffled = {region: random.sample(listing[region], k=4) for region in order}
    again = transform(shuffled, {region: random.sample(routes, k=2) for region in order})
    assert again == expected
    assert list(again.models) == list(expected.models)


def test_the_order_in_which_regions_answer_does_not_matter(
    snapshot: dict[str, Any], whole: UnifiedCatalog
) -> None:
    backwards = of_snapshot(snapshot, list(snapshot["regions"])[::-1])
    again = CatalogTransformer().transform_api_data(backwards, NOW)
    assert again == whole
    assert list(again.models) == list(whole.models)


# What was wrong in 0.9.0


@pytest.mark.parametrize(
    ("model_id", "name"),
    [
        ("openai.gpt-oss-120b-1:0", "gpt-oss-120b"),
        ("deepseek.v3-v1:0", "DeepSeek-V3.1"),
        ("cohere.embed-v4:0", "Embed v4"),
        ("anthropic.claude-sonnet-4-20250514-v1:0", "Claude Sonnet 4"),
    ],
)
def test_names_that_were_made_from_ids_are_those_of_the_api(model_id: str, name: str) -> None:
    catalog = transform({"us-east-1": [summary(model_id, name)]})
    assert {n: m.model_id for n, m in catalog.models.items()} == {name: model_id}


def test_a_model_that_was_replaced_by_an_invented_one_keeps_id_and_facts() -> None:
    r1 = summary(
        "deepseek.r1-v1:0",
        "DeepSeek-R1",
        providerName="DeepSeek",
        inputModalities=["TEXT", "IMAGE"],
        responseStreamingSupported=False,
        inferenceTypesSupported=["INFERENCE_PROFILE"],
    )
    route = profile(
        "us.deepseek.r1-v1:0",
        "deepseek.r1-v1:0",
        "us-east-1",
        inferenceProfileName="US DeepSeek-R1",
    )
    catalog = transform({"us-east-1": [r1]}, {"us-east-1": [route]})
    [model] = catalog.models.values()
    assert (model.model_name, model.model_id, model.provider) == (
        "DeepSeek-R1",
        "deepseek.r1-v1:0",
        "DeepSeek",
    )
    assert (model.input_modalities, model.streaming_supported) == (["TEXT", "IMAGE"], False)
    assert model.region_access == {
        "us-east-1": ModelAccessInfo(
            "us-east-1", has_regional_cris=True, regional_cris_profile_id="us.deepseek.r1-v1:0"
        )
    }


def test_models_that_collapsed_into_one_name_are_both_there() -> None:
    both = [
        summary("stability.stable-image-core-v1:0", "Stable Image Core 1.0"),
        summary("stability.stable-image-core-v1:1", "Stable Image Core 1.0"),
    ]
    expected = {
        "Stable Image Core 1.0": "stability.stable-image-core-v1:1",
        "Stable Image Core 1.0 (stability.stable-image-core-v1:0)": (
            "stability.stable-image-core-v1:0"
        ),
    }
    for order in (both, both[::-1]):
        catalog = transform({"us-east-1": order})
        assert {name: model.model_id for name, model in catalog.models.items()} == expected


def test_lifecycle_customisation_and_inference_types_that_were_dropped_are_kept() -> None:
    catalog = transform(
        {
            "us-east-1": [
                summary(
                    NOVA,
                    customizationsSupported=["FINE_TUNING", "NEWER"],
                    inferenceTypesSupported=["ON_DEMAND", "NEWER"],
                    modelLifecycle={
                        "status": "LEGACY",
                        "startOfLifeTime": "2024-12-03T00:00:00Z",
                        "legacyTime": "2026-05-01T00:00:00+00:00",
                        "publicExtendedAccessTime": datetime(2026, 8, 1, tzinfo=timezone.utc),
                        "endOfLifeTime": datetime(2026, 12, 3, tzinfo=timezone.utc),
                    },
                )
            ],
            "eu-west-1": [
                summary(
                    NOVA,
                    customizationsSupported=["FINE_TUNING", "NEWER"],
                    modelLifecycle={"status": "LEGACY"},
                )
            ],
        }
    )
    model = catalog.models["Some Model"]
    legacy = ModelLifecycle("LEGACY")
    dated = ModelLifecycle(
        "LEGACY",
        datetime(2024, 12, 3, tzinfo=timezone.utc),
        datetime(2026, 5, 1, tzinfo=timezone.utc),
        datetime(2026, 8, 1, tzinfo=timezone.utc),
        datetime(2026, 12, 3, tzinfo=timezone.utc),
    )
    assert (model.get_lifecycle("eu-west-1"), model.get_lifecycle("us-east-1")) == (legacy, dated)
    assert model.inference_types == {
        "ON_DEMAND": ["eu-west-1", "us-east-1"],
        "NEWER": ["us-east-1"],
    }
    assert model.customizations == ["FINE_TUNING", "NEWER"]


def test_a_customisation_that_only_a_later_region_offers_is_kept() -> None:
    catalog = transform(
        {
            "eu-west-1": [summary(NOVA)],
            "us-east-1": [summary(NOVA, customizationsSupported=["FINE_TUNING"])],
        }
    )
    assert catalog.models["Some Model"].customizations == ["FINE_TUNING"]


def test_the_status_of_a_profile_that_was_not_looked_at_decides_whether_it_is_called() -> None:
    routes = [
        profile(f"us.{NOVA}", NOVA, "us-east-1", status="CREATING"),
        profile(f"global.{NOVA}", NOVA, ""),
    ]
    [model] = transform({"us-east-1": [summary(NOVA)]}, {"us-east-1": routes}).models.values()
    assert [(p.profile_id, p.status) for p in model.profiles] == [
        (f"global.{NOVA}", "ACTIVE"),
        (f"us.{NOVA}", "CREATING"),
    ]
    assert model.get_inference_profiles() == [f"global.{NOVA}"]


@pytest.mark.parametrize("model_id", [HAIKU, "anthropic.claude-sonnet-4-5-v1:0", OPUS])
def test_claude_4_5_that_was_never_direct_is_direct_where_the_api_says_so(model_id: str) -> None:
    catalog = transform({"us-east-1": [summary(model_id)]})
    assert catalog.models["Some Model"].get_direct_access_regions() == ["us-east-1"]


# Access


@pytest.mark.parametrize("types", [["ON_DEMAND"], ["NEWER", "ON_DEMAND"]])
def test_a_model_is_direct_where_the_api_says_on_demand(types: Any) -> None:
    catalog = transform({"us-east-1": [summary(NOVA, inferenceTypesSupported=types)]})
    assert catalog.models["Some Model"].get_direct_access_regions() == ["us-east-1"]


@pytest.mark.parametrize("types", [..., None, []])
def test_a_model_whose_inference_types_are_not_stated_is_known_but_not_called(types: Any) -> None:
    catalog = transform({"us-east-1": [summary(NOVA, inferenceTypesSupported=types)]})
    assert not catalog.models
    assert catalog.not_callable[NOVA].reason == "not_offered"


@pytest.mark.parametrize("types", [["INFERENCE_PROFILE"], ["PROVISIONED"], ["NEWER"]])
def test_a_model_that_is_not_on_demand_is_not_direct(types: list[str]) -> None:
    catalog = transform(
        {"us-east-1": [summary(NOVA, inferenceTypesSupported=types)]},
        {"us-east-1": [profile(f"us.{NOVA}", NOVA, "us-east-1")]},
    )
    assert catalog.models["Some Model"].get_cris_only_regions() == ["us-east-1"]


def test_correlation_is_by_arn_even_where_the_names_say_otherwise() -> None:
    swapped = [
        profile(f"us.{HAIKU}", OPUS, "us-east-1", inferenceProfileName="US Claude Haiku 4.5"),
        profile(f"us.{OPUS}", HAIKU, "us-east-1", inferenceProfileName="US Claude Opus 4.1"),
    ]
    models = [summary(HAIKU, "Claude Haiku 4.5"), summary(OPUS, "Claude Opus 4.1")]
    catalog = transform({"us-east-1": models}, {"us-east-1": swapped})
    assert {m.model_id: m.get_inference_profiles() for m in catalog.models.values()} == {
        HAIKU: [f"us.{OPUS}"],
        OPUS: [f"us.{HAIKU}"],
    }


def test_a_geography_that_nobody_has_heard_of_is_a_regional_profile() -> None:
    catalog = transform(
        {"moon-1": [summary(NOVA, inferenceTypesSupported=["INFERENCE_PROFILE"])]},
        {"moon-1": [profile(f"moon.{NOVA}", NOVA, "moon-1", "moon-2")]},
    )
    assert catalog.models["Some Model"].region_access == {
        "moon-1": ModelAccessInfo(
            "moon-1", has_regional_cris=True, regional_cris_profile_id=f"moon.{NOVA}"
        )
    }


def test_an_arn_without_region_makes_a_profile_global_whatever_its_prefix() -> None:
    catalog = transform(
        {"us-east-1": [summary(NOVA)]},
        {"us-east-1": [profile(f"moon.{NOVA}", NOVA, "", "us-east-1")]},
    )
    assert catalog.models["Some Model"].region_access["us-east-1"] == ModelAccessInfo(
        "us-east-1",
        has_direct_access=True,
        has_global_cris=True,
        model_id=NOVA,
        global_cris_profile_id=f"moon.{NOVA}",
    )


def test_a_region_that_lists_only_the_profile_is_added() -> None:
    catalog = transform(
        {"us-east-1": [summary(NOVA)], "us-west-1": []},
        {"us-west-1": [profile(f"us.{NOVA}", NOVA, "us-east-1")]},
    )
    model = catalog.models["Some Model"]
    assert model.get_direct_access_regions() == ["us-east-1"]
    assert model.get_cris_only_regions() == ["us-west-1"]


def test_a_profile_whose_model_no_region_lists_becomes_a_model_of_its_own() -> None:
    route = profile(
        f"us.{OPUS}", OPUS, "us-east-1", inferenceProfileName="US Anthropic Claude Opus 4.1"
    )
    haiku = summary(HAIKU, "Claude Haiku 4.5", providerName="Anthropic")
    catalog = transform({"us-east-1": [haiku]}, {"us-east-1": [route]})
    opus = catalog.models["Claude Opus 4.1"]
    assert (opus.model_id, opus.provider, opus.described) == (OPUS, "Anthropic", False)
    assert (opus.input_modalities, opus.output_modalities) == ([], [])
    assert opus.lifecycle is None
    assert opus.region_access["us-east-1"].regional_cris_profile_id == f"us.{OPUS}"
    assert catalog.models["Claude Haiku 4.5"].described


def test_an_unlisted_model_of_an_unlisted_provider_gets_the_provider_of_its_id() -> None:
    route = profile("eu.acme.rocket-v1:0", "acme.rocket-v1:0", "eu-west-1")
    catalog = transform({"eu-west-1": []}, {"eu-west-1": [route]})
    assert [m.provider for m in catalog.models.values()] == ["acme"]


def test_a_model_that_only_provisioned_throughput_serves_is_listed_apart() -> None:
    catalog = transform(
        {
            region: [
                summary(NOVA, "Nova Lite", inferenceTypesSupported=["PROVISIONED"]),
                summary(HAIKU, "Claude Haiku 4.5"),
            ]
            for region in ("us-west-2", "us-east-1")
        }
    )
    assert list(catalog.models) == ["Claude Haiku 4.5"]
    assert catalog.not_callable == {
        NOVA: NotCallableModel(
            NOVA, "Nova Lite", "Some Provider", "provisioned_only", ["us-east-1", "us-west-2"]
        )
    }


# Context variants


def test_an_id_with_a_context_length_is_a_variant_of_its_base_model() -> None:
    catalog = transform(
        {
            "us-east-1": [
                summary(f"{OPUS}:200k", "Claude Opus", inferenceTypesSupported=["PROVISIONED"]),
                summary(OPUS, "Claude Opus"),
                summary(f"{OPUS}:1m", "Claude Opus", inferenceTypesSupported=["PROVISIONED"]),
            ]
        }
    )
    [model] = catalog.models.values()
    assert (model.model_name, model.model_id) == ("Claude Opus", OPUS)
    assert model.context_variants == [
        ContextVariant(f"{OPUS}:1m", "1m", {"PROVISIONED": ["us-east-1"]}),
        ContextVariant(f"{OPUS}:200k", "200k", {"PROVISIONED": ["us-east-1"]}),
    ]
    assert catalog.not_callable == {}


def test_a_version_is_no_context_length() -> None:
    later = summary("a.x-v1:1", "X", inferenceTypesSupported=["PROVISIONED"])
    catalog = transform({"us-east-1": [summary("a.x-v1", "X"), later]})
    assert catalog.models["X"].context_variants == []
    assert list(catalog.not_callable) == ["a.x-v1:1"]


def test_a_variant_without_its_base_model_stands_for_itself() -> None:
    catalog = transform({"us-east-1": [summary(f"{OPUS}:200k", "Claude Opus")]})
    assert [model.model_id for model in catalog.models.values()] == [f"{OPUS}:200k"]


def test_a_variant_that_can_be_called_is_not_lost_below_a_base_model_that_cannot() -> None:
    variant = f"{OPUS}:200k"
    catalog = transform(
        {
            "us-east-1": [
                summary(OPUS, "Claude Opus", inferenceTypesSupported=["PROVISIONED"]),
                summary(variant, "Claude Opus"),
            ]
        },
        {"us-east-1": [profile(f"us.{variant}", variant, "us-east-1")]},
    )
    reachable = [
        (access.model_id, access.regional_cris_profile_id)
        for model in catalog.models.values()
        for access in model.region_access.values()
    ]
    assert reachable == [(variant, f"us.{variant}")]


# Names


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (
            summary(
                "a.x-v1:0",
                "X",
                modelLifecycle={"status": "A", "startOfLifeTime": "2026-01-01T00:00:00Z"},
            ),
            summary(
                "a.x-v2:0",
                "X",
                modelLifecycle={"status": "A", "startOfLifeTime": "2025-12-31T00:00:00Z"},
            ),
        ),
        (summary("a.x-v10:0", "X"), summary("a.x-v9:0", "X")),
        (summary("a.x-20250805-v1:0", "X"), summary("a.x-20240307-v1:0", "X")),
    ],
)
def test_the_newest_of_a_name_keeps_it_plain(newer: dict[str, Any], older: dict[str, Any]) -> None:
    catalog = transform({"us-east-1": [older, newer]})
    assert {name: model.model_id for name, model in catalog.models.items()} == {
        "X": newer["modelId"],
        f"X ({older['modelId']})": older["modelId"],
    }


def test_a_name_that_another_model_would_get_does_not_cost_a_model() -> None:
    listed = [summary("b", "A"), summary("z", "A"), summary("c", "A (b)")]
    catalog = transform({"us-east-1": listed})
    assert sorted(m.model_id or "" for m in catalog.models.values()) == ["b", "c", "z"]


def test_names_that_were_made_unique_stay_when_made_unique_again() -> None:
    models = transform(
        {"us-east-1": [summary("a.x-v1:0", "X"), summary("a.x-v2:0", "X"), summary("b.y", "Y")]}
    ).models
    assert by_unique_name(reversed(models.values())) == models


def test_models_come_sorted_by_name() -> None:
    listed = [summary("a.z", "zeta"), summary("a.b", "Beta"), summary("a.a", "alpha")]
    assert list(transform({"us-east-1": listed}).models) == ["alpha", "Beta", "zeta"]


def test_a_model_without_a_name_is_named_by_its_id() -> None:
    catalog = transform({"us-east-1": [summary(NOVA, modelName=...)]})
    assert list(catalog.models) == [NOVA]


def test_a_model_without_a_provider_gets_the_one_that_others_of_its_prefix_have() -> None:
    catalog = transform(
        {
            "us-east-1": [
                summary("ai21.a", "A", providerName=...),
                summary("ai21.b", "B", providerName="AI21 Labs"),
                summary("acme.c", "C", providerName=""),
            ]
        }
    )
    assert {n: m.provider for n, m in catalog.models.items()} == {
        "A": "AI21 Labs",
        "B": "AI21 Labs",
        "C": "acme",
    }


# Lifecycle


def test_the_lifecycle_is_that_of_most_regions_and_exceptions_are_named() -> None:
    catalog = transform(
        {
            "eu-west-1": [summary(NOVA, modelLifecycle={"status": "LEGACY"})],
            "us-east-1": [summary(NOVA)],
            "us-west-2": [summary(NOVA)],
            "us-west-1": [summary(NOVA, modelLifecycle=...)],
        }
    )
    model = catalog.models["Some Model"]
    assert model.lifecycle == ModelLifecycle("ACTIVE")
    assert model.lifecycle_by_region == {"eu-west-1": ModelLifecycle("LEGACY")}


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (..., None),
        (None, None),
        ("ACTIVE", None),
        ({}, None),
        ({"status": ""}, None),
        ({"status": 7}, None),
        ({"status": "NEWER"}, ModelLifecycle("NEWER")),
        ({"status": "ACTIVE", "endOfLifeTime": "soon"}, ModelLifecycle("ACTIVE")),
        ({"status": "ACTIVE", "endOfLifeTime": 7}, ModelLifecycle("ACTIVE")),
        (
            {"status": "ACTIVE", "endOfLifeTime": "2026-10-27"},
            ModelLifecycle("ACTIVE", end_of_life=NOW),
        ),
        (
            {"status": "ACTIVE", "endOfLifeTime": NOW.replace(tzinfo=None)},
            ModelLifecycle("ACTIVE", end_of_life=NOW),
        ),
    ],
)
def test_a_lifecycle_is_read_as_far_as_it_can_be(
    stated: Any, expected: ModelLifecycle | None
) -> None:
    catalog = transform({"us-east-1": [summary(NOVA, modelLifecycle=stated)]})
    assert catalog.models["Some Model"].lifecycle == expected


@pytest.mark.parametrize("end", [datetime(9999, 12, 31, tzinfo=timezone.utc), "0001-01-01"])
def test_a_time_that_no_clock_shows_does_not_keep_the_catalogue_from_being_stored(
    end: Any,
) -> None:
    never = {"status": "ACTIVE", "endOfLifeTime": end}
    catalog = transform({"us-east-1": [summary(NOVA, modelLifecycle=never)]})
    assert UnifiedCatalog.from_dict(catalog.to_dict()) == catalog


# What the API does not promise


def test_values_that_are_not_known_yet_pass_through() -> None:
    newer = summary(
        NOVA,
        inputModalities=["SMELL"],
        outputModalities=["TASTE"],
        customizationsSupported=["HYPNOSIS"],
        inferenceTypesSupported=["ON_DEMAND", "TELEPATHY"],
        anythingElse={"deep": [1]},
    )
    model = transform({"us-east-1": [newer]}).models["Some Model"]
    assert (model.input_modalities, model.output_modalities) == (["SMELL"], ["TASTE"])
    assert model.customizations == ["HYPNOSIS"]
    assert sorted(model.inference_types) == ["ON_DEMAND", "TELEPATHY"]


@pytest.mark.parametrize(
    ("field", "attribute", "left"),
    [
        ("inputModalities", "input_modalities", []),
        ("outputModalities", "output_modalities", []),
        ("customizationsSupported", "customizations", []),
        ("responseStreamingSupported", "streaming_supported", False),
    ],
)
@pytest.mark.parametrize("value", [..., None, 7, "TEXT", {}])
def test_a_field_that_cannot_be_read_is_unknown(
    field: str, attribute: str, left: Any, value: Any
) -> None:
    model = transform({"us-east-1": [summary(NOVA, **{field: value})]}).models["Some Model"]
    assert getattr(model, attribute) == left


def test_all_problems_together_are_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        catalog = transform(
            {"us-east-1": [None, {}, summary("", "A"), summary(NOVA)], "eu-west-1": ["x"] * 7},
            {"us-east-1": [{}, profile("us.n", "n"), profile(f"us.{NOVA}", NOVA, "us-east-1")]},
        )
    assert list(catalog.models) == ["Some Model"]
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "problems=12" in record.message
    assert "'us.n' in us-east-1 names no foundation model" in record.message


def test_a_listing_without_problems_warns_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "bestehorn_llmmanager"):
        transform({"us-east-1": [summary(NOVA)]})
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=6)
    | st.sampled_from(["ON_DEMAND", NOVA, "a.b:0", "2026-01-01"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
junk_models = junk | st.fixed_dictionaries(
    {
        "modelId": st.text(" .:a0", min_size=1, max_size=3) | junk,
        "inferenceTypesSupported": st.just(["ON_DEMAND"]) | junk,
    },
    optional={
        key: junk for key in summary("") if key not in {"modelId", "inferenceTypesSupported"}
    },
)
junk_profiles = junk | st.fixed_dictionaries(
    {
        "inferenceProfileId": junk | st.just("us.a.b"),
        "models": junk
        | st.lists(
            st.fixed_dictionaries(
                {
                    "modelArn": junk
                    | st.text(max_size=4).map(
                        "arn:aws:bedrock:us-east-1::foundation-model/{}".format
                    )
                }
            ),
            max_size=2,
        ),
    },
    optional={"inferenceProfileName": junk, "status": junk, "type": junk},
)


@given(st.lists(junk_models, max_size=3), st.lists(junk_profiles, max_size=3))
def test_junk_costs_only_itself(models: list[Any], profiles: list[Any]) -> None:
    good, route = summary(HAIKU, "Claude"), profile(f"us.{HAIKU}", HAIKU, "us-east-1")
    catalog = transform(
        {"us-east-1": [*models, good], "eu-west-1": [good]},
        {"us-east-1": [*profiles, route]},
    )
    [claude] = [m for m in catalog.models.values() if m.model_id == HAIKU]
    assert claude.get_direct_access_regions() == ["eu-west-1", "us-east-1"]
    assert f"us.{HAIKU}" in claude.get_inference_profiles()
    assert UnifiedCatalog.from_dict(catalog.to_dict()) == catalog


@pytest.mark.parametrize("model_id", [".b", " ", " .b", "."])
def test_a_model_id_without_a_provider_costs_only_itself(model_id: str) -> None:
    odd = summary(model_id, modelName=..., providerName=...)
    catalog = transform({"us-east-1": [odd, summary(HAIKU, "Claude")]})
    assert "Claude" in catalog.models


@pytest.mark.parametrize("name", ["US ", "us  ", "US a ", " ", "US a"])
def test_a_profile_whose_name_is_its_geography_costs_only_itself(name: str) -> None:
    odd = profile("us.a.b", "a.b", "us-east-1", inferenceProfileName=name)
    catalog = transform({"us-east-1": [summary(HAIKU, "Claude")]}, {"us-east-1": [odd]})
    assert sorted(model.model_id or "" for model in catalog.models.values()) == ["a.b", HAIKU]


# Metadata


def test_the_metadata_name_the_regions_that_answered_and_those_that_did_not() -> None:
    raw = raw_data({"us-east-1": [summary(NOVA)], "eu-west-1": []})
    raw.add_region_failure("af-south-1", "no token", kind="opted_out")
    raw.add_region_failure("ap-east-2", "broke")
    metadata = CatalogTransformer().transform_api_data(raw, NOW).metadata
    answered = RegionMetadata(CatalogSource.API, NOW)
    assert metadata == CatalogMetadata(
        CatalogSource.API,
        NOW,
        ["eu-west-1", "us-east-1"],
        regions_metadata={"eu-west-1": answered, "us-east-1": answered},
        unavailable_regions={
            "af-south-1": RegionFailure("opted_out", "no token", NOW),
            "ap-east-2": RegionFailure("failed", "broke", NOW),
        },
    )


def test_the_time_of_retrieval_is_now_unless_given() -> None:
    before = datetime.now(timezone.utc)
    metadata = (
        CatalogTransformer().transform_api_data(raw_data({"us-east-1": [summary(NOVA)]})).metadata
    )
    assert before <= metadata.retrieval_timestamp <= datetime.now(timezone.utc)
    assert metadata.regions_metadata["us-east-1"].retrieval_timestamp is not None


def test_nothing_at_all_is_an_error_that_names_the_failed_regions() -> None:
    raw = RawCatalogData()
    with pytest.raises(ValueError, match=r"nothing to transform.*none"):
        CatalogTransformer().transform_api_data(raw)
    raw.add_region_failure("us-east-1", "denied")
    with pytest.raises(ValueError, match=r"us-east-1.*denied"):
        CatalogTransformer().transform_api_data(raw)


@pytest.mark.parametrize("fuzzy", [None, True, False])
def test_profiles_are_never_matched_by_similarity(fuzzy: bool | None) -> None:
    route = profile("us.amazon.nova-lite-v1", "amazon.nova-lite-v1", "us-east-1")
    raw = raw_data({"us-east-1": [summary(NOVA, "Nova Lite")]}, {"us-east-1": [route]})
    catalog = CatalogTransformer(fuzzy).transform_api_data(raw, NOW)
    assert catalog.models["Nova Lite"].profiles == []
    assert catalog.model_count == 2
