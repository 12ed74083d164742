"""Tests the laws by which one catalogue is laid over another."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.catalog.api_fetcher import RawCatalogData
from bestehorn_llmmanager.bedrock.catalog.overlay import (
    only_in,
    overlay,
    restricted,
    with_knowledge_of,
)
from bestehorn_llmmanager.bedrock.catalog.transformer import CatalogTransformer
from bestehorn_llmmanager.bedrock.models.catalog_structures import CatalogSource, UnifiedCatalog
from bestehorn_llmmanager.bedrock.models.model_details import ModelFacts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo

REGIONS = ("r-east-1", "r-north-1", "r-west-1")
IDS = ("acme.duck-v1:0", "acme.duck-v2:0", "acme.goose-v1:0", "zoo.owl-v1:0")
NAMES = {"acme.duck-v1:0": "Duck", "acme.duck-v2:0": "Duck", "acme.goose-v1:0": "Goose"}
EARLIER = datetime(2026, 1, 1, tzinfo=timezone.utc)
LATER = datetime(2026, 2, 1, tzinfo=timezone.utc)

# For each region: how each of its models is listed. "profile" lists the model together with a
# profile, "only profile" the profile alone.
Listings = dict[str, dict[str, str]]
KINDS = ("on demand", "provisioned", "profile", "only profile", "both", "variant", "legacy")


def catalog_of(listings: Mapping[str, Mapping[str, str]], when: datetime = LATER) -> UnifiedCatalog:
    raw = RawCatalogData()
    for region, kinds in listings.items():
        models = [m for model_id, kind in kinds.items() for m in models_listed(model_id, kind)]
        profiles = [
            profile_listed(region, model_id)
            for model_id, kind in kinds.items()
            if kind in {"profile", "only profile", "both"}
        ]
        raw.add_region_data(region, models, profiles)
    return CatalogTransformer().transform_api_data(raw, when)


def models_listed(model_id: str, kind: str) -> list[dict[str, Any]]:
    types = {"provisioned": ["PROVISIONED"], "profile": ["INFERENCE_PROFILE"], "only profile": []}
    summary = {
        "modelId": model_id,
        "modelName": NAMES.get(model_id, "Owl"),
        "providerName": model_id.partition(".")[0].title(),
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "inferenceTypesSupported": types.get(kind, ["ON_DEMAND"]),
        "modelLifecycle": {"status": "LEGACY" if kind == "legacy" else "ACTIVE"},
    }
    if kind == "only profile":
        return []
    if kind == "variant":
        variant = {"modelId": f"{model_id}:8k", "inferenceTypesSupported": ["PROVISIONED"]}
        return [summary, {**summary, **variant}]
    return [summary]


def profile_listed(region: str, model_id: str) -> dict[str, Any]:
    arn = f"arn:aws:bedrock:{region}::foundation-model/{model_id}"
    return {
        "inferenceProfileId": f"r.{model_id}",
        "inferenceProfileName": f"R {model_id}",
        "models": [{"modelArn": arn}],
        "status": "ACTIVE",
    }


def listings_of(
    regions: Collection[str], kinds: Sequence[str] = KINDS
) -> st.SearchStrategy[Listings]:
    listed = st.dictionaries(st.sampled_from(IDS), st.sampled_from(kinds))
    return st.fixed_dictionaries(dict.fromkeys(regions, listed))


some_listings = st.sets(st.sampled_from(REGIONS), min_size=1).flatmap(listings_of)


def access_in(catalog: UnifiedCatalog, region: str) -> dict[str, ModelAccessInfo]:
    """Model id to how it is called in the region."""
    return {
        model.model_id or "": model.region_access[region]
        for model in catalog.models.values()
        if region in model.region_access
    }


def status_in(catalog: UnifiedCatalog, region: str) -> dict[str, str]:
    """Model id to its lifecycle in the region, where it is listed there."""
    found = {}
    for model in catalog.models.values():
        listed = any(region in regions for regions in model.inference_types.values())
        lifecycle = model.get_lifecycle(region)
        if listed and lifecycle and region in model.region_access:
            found[model.model_id or ""] = lifecycle.status
    return found


def by_id(catalog: UnifiedCatalog) -> dict[str, Any]:
    return {model.model_id or "": model for model in catalog.models.values()}


@given(upper=some_listings, lower=some_listings)
def test_each_region_is_as_the_upper_says_else_as_the_lower(
    upper: Listings, lower: Listings
) -> None:
    above, below = catalog_of(upper), catalog_of(lower, EARLIER)
    result = overlay(above, below)
    for region in REGIONS:
        source = above if region in upper else below
        assert access_in(result, region) == access_in(source, region)
        assert status_in(result, region) == status_in(source, region)
        entry = source.metadata.regions_metadata.get(region)
        assert result.metadata.regions_metadata.get(region) == entry
    assert result.metadata.retrieval_timestamp == LATER
    assert result.metadata.source is CatalogSource.API


@given(upper=some_listings, lower=some_listings)
def test_names_and_ids_stay_unique_whatever_is_laid_over(upper: Listings, lower: Listings) -> None:
    result = overlay(catalog_of(upper), catalog_of(lower))
    assert [model.model_name for model in result.models.values()] == list(result.models)
    assert len(by_id(result)) == len(result.models)
    ducks = [model for model in by_id(result).values() if model.api_name == "Duck"]
    assert len([model for model in ducks if model.model_name == "Duck"]) == min(1, len(ducks))
    assert list(result.models) == sorted(result.models, key=str.casefold)


@given(some_listings)
def test_a_catalogue_over_itself_is_itself(listings: Listings) -> None:
    catalog = catalog_of(listings)
    assert overlay(catalog, catalog) == catalog


@given(upper=some_listings, lower=some_listings)
def test_laying_the_same_over_again_changes_nothing(upper: Listings, lower: Listings) -> None:
    above = catalog_of(upper)
    once = overlay(above, catalog_of(lower))
    assert overlay(above, once).models == once.models
    assert overlay(once, catalog_of(lower)).models == once.models


# Where a model is only provisioned, its half keeps no more of it than that it cannot be called.
@given(listings_of(REGIONS, [kind for kind in KINDS if kind != "provisioned"]))
def test_two_halves_make_the_whole(listings: Listings) -> None:
    first = {region: listings[region] for region in REGIONS[:1]}
    rest = {region: listings[region] for region in REGIONS[1:]}
    whole, result = catalog_of(listings), overlay(catalog_of(first), catalog_of(rest))
    assert list(result.models) == list(whole.models)
    for name, model in result.models.items():
        expected = whole.models[name]
        assert model.region_access == expected.region_access
        assert model.inference_types == expected.inference_types
        assert model.profiles == expected.profiles
        assert model.context_variants == expected.context_variants
        assert model.described == expected.described
        assert model.input_modalities == expected.input_modalities
    assert result.not_callable.keys() == whole.not_callable.keys()


@given(upper=some_listings, lower=some_listings)
def test_what_can_be_called_is_not_listed_as_uncallable(upper: Listings, lower: Listings) -> None:
    above, below = catalog_of(upper), catalog_of(lower)
    result = overlay(above, below)
    callable_ids = by_id(result).keys()
    mentioned = above.not_callable.keys() | below.not_callable.keys()
    assert result.not_callable.keys() == mentioned - callable_ids


@given(upper=some_listings, lower=some_listings)
def test_what_is_known_of_a_model_survives(upper: Listings, lower: Listings) -> None:
    below = catalog_of(lower)
    models = {
        name: dataclasses.replace(
            model,
            facts=ModelFacts(as_of="2026-01-01", max_output_tokens=len(name)),
            former_names=[f"Old {model.model_id}"],
        )
        for name, model in below.models.items()
    }
    knowing = dataclasses.replace(below, models=models)
    result, told = (
        overlay(catalog_of(upper), knowing),
        with_knowledge_of(catalog_of(upper), knowing),
    )
    for catalog in (result, told):
        for model_id, model in by_id(catalog).items():
            known = by_id(knowing).get(model_id)
            assert model.facts == (known.facts if known else None)
            assert model.former_names == (known.former_names if known else [])
    for region in REGIONS:
        assert access_in(told, region) == access_in(catalog_of(upper), region)


def test_newer_facts_and_names_are_not_replaced_by_older_ones() -> None:
    def knowing(year: str) -> UnifiedCatalog:
        catalog = catalog_of({"r-east-1": {"zoo.owl-v1:0": "on demand"}})
        owl = dataclasses.replace(
            catalog.models["Owl"], facts=ModelFacts(as_of=year), former_names=[f"Owl of {year}"]
        )
        return dataclasses.replace(catalog, models={"Owl": owl})

    owl = overlay(knowing("2026"), knowing("2020")).models["Owl"]
    assert owl.facts == ModelFacts(as_of="2026")
    assert owl.former_names == ["Owl of 2026"]


def test_a_model_known_by_its_profiles_alone_takes_the_older_description() -> None:
    undescribed = catalog_of({"r-east-1": {"zoo.owl-v1:0": "only profile"}})
    described = catalog_of({"r-west-1": {"zoo.owl-v1:0": "on demand"}})
    [alone] = undescribed.models.values()
    assert (alone.described, alone.input_modalities) == (False, [])
    owl = overlay(undescribed, described).models["Owl"]
    assert (owl.described, owl.provider, owl.input_modalities) == (True, "Zoo", ["TEXT"])
    assert owl.region_access["r-east-1"].regional_cris_profile_id == "r.zoo.owl-v1:0"
    assert owl.region_access["r-west-1"].model_id == "zoo.owl-v1:0"
    assert overlay(described, undescribed).models["Owl"].described


def test_a_model_that_vanished_is_gone_where_aws_was_asked_and_nowhere_else() -> None:
    everywhere = catalog_of({region: {"zoo.owl-v1:0": "both"} for region in REGIONS})
    result = overlay(catalog_of({"r-east-1": {}}), everywhere)
    owl = result.models["Owl"]
    assert owl.get_supported_regions() == ["r-north-1", "r-west-1"]
    assert owl.inference_types == {"ON_DEMAND": ["r-north-1", "r-west-1"]}
    assert [profile.source_regions for profile in owl.profiles] == [["r-north-1", "r-west-1"]]
    assert overlay(catalog_of({region: {} for region in REGIONS}), everywhere).models == {}


@given(listings=some_listings, regions=st.sets(st.sampled_from(REGIONS)))
def test_a_restricted_catalogue_knows_only_its_regions(
    listings: Listings, regions: set[str]
) -> None:
    whole = catalog_of(listings)
    part = restricted(whole, regions)
    for region in REGIONS:
        expected = access_in(whole, region) if region in regions else {}
        assert access_in(part, region) == expected
    assert part.metadata.regions_metadata.keys() == listings.keys() & regions


@given(listings=some_listings, regions=st.sets(st.sampled_from(REGIONS)), lower=some_listings)
def test_regions_that_a_restriction_took_away_are_those_of_the_lower_again(
    listings: Listings, regions: set[str], lower: Listings
) -> None:
    below = catalog_of(lower)
    result = overlay(restricted(catalog_of(listings), regions), below)
    for region in lower.keys() - (listings.keys() & regions):
        assert access_in(result, region) == access_in(below, region)


def test_a_model_that_cannot_be_called_in_any_of_the_regions_is_none() -> None:
    [owl] = catalog_of({"r-east-1": {"zoo.owl-v1:0": "both"}}).models.values()
    assert only_in(owl, ["r-west-1"]) is None
    assert only_in(owl, ["r-east-1", "r-west-1"]) == owl


def test_catalogues_of_090_without_times_per_region_are_laid_over_as_well() -> None:
    def shape_of_090(listings: Listings) -> UnifiedCatalog:
        data = catalog_of(listings).to_dict()
        data["metadata"]["regions_metadata"] = {}
        for model in data["models"].values():
            for key in ("inference_types", "profiles", "context_variants", "lifecycle_by_region"):
                del model[key]
        return UnifiedCatalog.from_dict(data)

    upper: Listings = {"r-east-1": {"zoo.owl-v1:0": "on demand"}}
    lower: Listings = {
        "r-east-1": {"acme.goose-v1:0": "on demand"},
        "r-west-1": {"zoo.owl-v1:0": "only profile", "acme.goose-v1:0": "both"},
    }
    for above in (catalog_of(upper), shape_of_090(upper)):
        result = overlay(above, shape_of_090(lower))
        assert access_in(result, "r-east-1") == access_in(above, "r-east-1")
        assert access_in(result, "r-west-1") == access_in(catalog_of(lower), "r-west-1")
        assert result.metadata.regions_metadata.keys() == {"r-east-1", "r-west-1"}
