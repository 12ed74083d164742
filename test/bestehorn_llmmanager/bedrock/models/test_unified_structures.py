"""Tests one model of the catalogue: its queries, its JSON, and the access derived per region."""

from __future__ import annotations

import contextlib
import copy
import json
import pickle
import warnings
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo
from bestehorn_llmmanager.bedrock.models.deprecation import DeprecatedEnumValueWarning
from bestehorn_llmmanager.bedrock.models.model_details import (
    ANY_REGION,
    ContextVariant,
    InferenceProfile,
    ModelFacts,
    ModelLifecycle,
    NotCallableModel,
)
from bestehorn_llmmanager.bedrock.models.region_access import RegionAccess
from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

REGIONS = ["ap-south-1", "eu-north-1", "eu-west-1", "us-east-1", "us-west-2"]

# Two models out of the catalogue that 0.9.0 bundles, as its `UnifiedCatalog.to_dict()` gives
# them; two regions of each.
WRITTEN_BY_0_9_0: dict[str, Any] = {
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
            },
            "us-east-1": {
                "region": "us-east-1",
                "has_direct_access": True,
                "has_regional_cris": True,
                "has_global_cris": False,
                "model_id": "amazon.nova-micro-v1:0",
                "regional_cris_profile_id": "us.amazon.nova-micro-v1:0",
                "global_cris_profile_id": None,
                "access_method": "both",
                "inference_profile_id": "us.amazon.nova-micro-v1:0",
            },
        },
    },
    "Claude Haiku 4 5 20251001": {
        "model_name": "Claude Haiku 4 5 20251001",
        "provider": "Anthropic",
        "model_id": "anthropic.claude-haiku-4-5-20251001-v1:0",
        "input_modalities": ["IMAGE", "TEXT"],
        "output_modalities": ["TEXT"],
        "streaming_supported": True,
        "inference_parameters_link": None,
        "hyperparameters_link": None,
        "region_access": {
            "eu-west-1": {
                "region": "eu-west-1",
                "has_direct_access": False,
                "has_regional_cris": True,
                "has_global_cris": True,
                "model_id": None,
                "regional_cris_profile_id": "eu.anthropic.claude-haiku-4-5-20251001-v1:0",
                "global_cris_profile_id": "global.anthropic.claude-haiku-4-5-20251001-v1:0",
                "access_method": "cris_only",
                "inference_profile_id": "eu.anthropic.claude-haiku-4-5-20251001-v1:0",
            },
            "us-west-1": {
                "region": "us-west-1",
                "has_direct_access": False,
                "has_regional_cris": True,
                "has_global_cris": True,
                "model_id": None,
                "regional_cris_profile_id": "us.anthropic.claude-haiku-4-5-20251001-v1:0",
                "global_cris_profile_id": "global.anthropic.claude-haiku-4-5-20251001-v1:0",
                "access_method": "cris_only",
                "inference_profile_id": "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            },
        },
    },
}

# Whole models are costly to make; half the usual number finds as much.
few = settings(max_examples=50)

words = st.text(min_size=1, max_size=8).filter(str.strip)
regions = st.sampled_from(REGIONS)
times = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 (the zones come from the next line)
    max_value=datetime(2100, 12, 31),  # noqa: DTZ001
    timezones=st.sampled_from([timezone.utc, timezone(timedelta(hours=2))]),
)
some_words = st.lists(words, max_size=3)
inference_types = st.dictionaries(
    st.sampled_from(["ON_DEMAND", "INFERENCE_PROFILE", "PROVISIONED", "NEWER"]),
    st.lists(regions, min_size=1, max_size=3, unique=True).map(sorted),
    max_size=3,
)
lifecycles = st.builds(
    ModelLifecycle,
    status=st.sampled_from(["ACTIVE", "LEGACY", "NEWER"]),
    start_of_life=st.none() | times,
    legacy_since=st.none() | times,
    public_extended_access=st.none() | times,
    end_of_life=st.none() | times,
)
prices = st.dictionaries(words, st.floats(0, 1e3), max_size=2)
facts = st.builds(
    ModelFacts,
    as_of=words,
    context_window_tokens=st.none() | st.integers(0),
    max_output_tokens=st.none() | st.integers(0),
    capabilities=st.dictionaries(words, st.booleans(), max_size=2),
    prices_usd_per_million_tokens=prices,
    prices_by_profile_prefix=st.dictionaries(words, prices, max_size=2),
    higher_price_above_input_tokens=st.none() | st.integers(0),
    prompt_cache_min_tokens=st.none() | st.integers(0),
    launch_date=st.none() | words,
    knowledge_cutoff=st.none() | words,
    end_of_life=st.none() | words,
    price_source=st.none() | words,
)
profiles = st.builds(
    InferenceProfile,
    profile_id=words,
    name=words,
    geography=st.sampled_from(["us", "eu", "global", "moon"]),
    routes=st.dictionaries(
        regions, st.lists(st.sampled_from([*REGIONS, ANY_REGION]), max_size=3), max_size=3
    ),
    status=st.sampled_from(["ACTIVE", "ACTIVE", "CREATING"]),
)
variants = st.builds(
    ContextVariant,
    model_id=words,
    context_length=words,
    # `to_dict` sorts what is in no particular order.
    inference_types=inference_types,
)
accesses = st.builds(
    lambda direct, regional, worldwide: ModelAccessInfo(
        "eu-west-1",
        direct is not None,
        regional is not None,
        worldwide is not None,
        direct,
        regional,
        worldwide,
    ),
    st.none() | words,
    st.none() | words,
    words,
)
not_callable = st.builds(
    NotCallableModel,
    model_id=words,
    name=words,
    provider=words,
    reason=st.sampled_from(["provisioned_only", "mantle_only", "retired"]),
    regions=st.lists(regions, max_size=2),
    former_names=some_words,
    facts=st.none() | facts,
    retired_on=st.none() | words,
    last_listed=st.none() | words,
    not_listed_on=st.none() | words,
    successors=some_words,
)


@st.composite
def models(draw: st.DrawFn, *, derived: bool | None = None) -> UnifiedModelInfo:
    """Any model; its access `derived` from the listings, spelled out, or either."""
    model_id = draw(words)
    types = draw(inference_types)
    own_profiles = draw(st.lists(profiles, max_size=3))
    access: Mapping[str, ModelAccessInfo] = RegionAccess(
        model_id, types.get("ON_DEMAND", ()), own_profiles
    )
    if not access or not (draw(st.booleans()) if derived is None else derived):
        if derived:
            types = {"ON_DEMAND": ["eu-west-1"]}
            access = RegionAccess(model_id, ["eu-west-1"], own_profiles)
        else:
            access = {"eu-west-1": draw(accesses)}
    return UnifiedModelInfo(
        model_name=draw(words),
        provider=draw(words),
        model_id=model_id,
        input_modalities=draw(some_words),
        output_modalities=draw(some_words),
        streaming_supported=draw(st.booleans()),
        region_access=access,
        lifecycle=draw(st.none() | lifecycles),
        lifecycle_by_region=draw(st.dictionaries(regions, lifecycles, max_size=2)),
        inference_types=types,
        customizations=draw(some_words),
        profiles=own_profiles,
        context_variants=draw(st.lists(variants, max_size=2)),
        facts=draw(st.none() | facts),
        former_names=draw(some_words),
        described=draw(st.booleans()),
    )


def profile(
    profile_id: str, destinations: list[str], *sources: str, status: str = "ACTIVE"
) -> InferenceProfile:
    geography = profile_id.partition(".")[0]
    routes = dict.fromkeys(sources, destinations)
    return InferenceProfile(profile_id, profile_id, geography, routes, status)


def haiku() -> UnifiedModelInfo:
    """Direct and global in us-east-1; regional and global in eu-west-1; regional in eu-north-1."""
    own_profiles = [
        profile("eu.haiku", ["eu-north-1", "eu-west-1"], "eu-west-1", "eu-north-1"),
        profile("global.haiku", [ANY_REGION], "us-east-1", "eu-west-1"),
    ]
    return UnifiedModelInfo(
        model_name="Haiku",
        provider="Anthropic",
        model_id="haiku",
        input_modalities=["TEXT", "IMAGE"],
        output_modalities=["TEXT"],
        streaming_supported=True,
        region_access=RegionAccess("haiku", ["us-east-1"], own_profiles),
        lifecycle=ModelLifecycle("ACTIVE"),
        lifecycle_by_region={"eu-west-1": ModelLifecycle("LEGACY")},
        inference_types={"ON_DEMAND": ["us-east-1"]},
        profiles=own_profiles,
    )


# Queries


def test_regions_are_told_apart_by_how_the_model_is_called_there() -> None:
    model = haiku()
    assert model.get_supported_regions() == ["eu-north-1", "eu-west-1", "us-east-1"]
    assert model.get_direct_access_regions() == ["us-east-1"]
    assert model.get_cris_access_regions() == ["eu-north-1", "eu-west-1", "us-east-1"]
    assert model.get_cris_only_regions() == ["eu-north-1", "eu-west-1"]
    assert model.get_inference_profiles() == ["eu.haiku", "global.haiku"]


def test_a_region_without_the_model_has_no_access() -> None:
    model = haiku()
    assert model.get_access_info_for_region("ap-south-1") is None
    assert model.get_recommended_access_for_region("ap-south-1") is None
    assert not model.is_available_in_region("ap-south-1")
    assert model.is_available_in_region("eu-west-1")


def test_direct_access_alone_is_recommended_where_there_is_any() -> None:
    model = haiku()
    assert model.get_access_info_for_region("us-east-1") == ModelAccessInfo(
        "us-east-1",
        has_direct_access=True,
        has_global_cris=True,
        model_id="haiku",
        global_cris_profile_id="global.haiku",
    )
    assert model.get_recommended_access_for_region("us-east-1") == ModelAccessInfo(
        "us-east-1", has_direct_access=True, model_id="haiku"
    )
    assert model.get_recommended_access_for_region("eu-west-1") == model.get_access_info_for_region(
        "eu-west-1"
    )


def test_the_lifecycle_of_a_region_that_differs_is_its_own() -> None:
    model = haiku()
    assert model.get_lifecycle() == ModelLifecycle("ACTIVE")
    assert model.get_lifecycle("us-east-1") == ModelLifecycle("ACTIVE")
    assert model.get_lifecycle("eu-west-1") == ModelLifecycle("LEGACY")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model_name": "\t"}, "needs a name"),
        ({"provider": " "}, "'Haiku' needs a provider"),
        ({"region_access": {}}, "'Haiku' needs at least one region"),
        ({"region_access": RegionAccess("haiku", [], [])}, "at least one region"),
    ],
)
def test_a_model_needs_name_provider_and_region(change: dict[str, Any], sentence: str) -> None:
    fields = {**vars(haiku()), **change}
    with pytest.raises(ValueError, match=sentence):
        UnifiedModelInfo(**fields)


# JSON


@few
@given(models())
def test_a_model_survives_json(model: UnifiedModelInfo) -> None:
    assert UnifiedModelInfo.from_dict(json.loads(json.dumps(model.to_dict()))) == model


@few
@given(models())
def test_a_model_survives_its_record(model: UnifiedModelInfo) -> None:
    assert UnifiedModelInfo.from_dict(json.loads(json.dumps(model.to_record()))) == model


@few
@given(models(derived=True))
def test_a_record_leaves_out_what_can_be_derived(model: UnifiedModelInfo) -> None:
    record = model.to_record()
    assert "region_access" not in record
    assert all(value not in (None, [], {}) for value in record.values())


@given(not_callable)
def test_a_model_that_nobody_can_call_survives_json(model: NotCallableModel) -> None:
    assert NotCallableModel.from_dict(json.loads(json.dumps(model.to_dict()))) == model


BARE = {"model_id": "acme.old-v1:0", "name": "Old", "provider": "Acme", "reason": "retired"}


def test_a_model_that_is_apart_writes_what_is_known_and_reads_what_it_knows() -> None:
    retired = {
        **BARE,
        "retired_on": "2026-09-14",
        "last_listed": "2026-06-17",
        "not_listed_on": "2026-10-27",
        "successors": ["acme.new-v1:0"],
    }
    assert NotCallableModel.from_dict(retired).to_dict() == retired
    assert NotCallableModel.from_dict({**BARE, "invented_later": 5}).to_dict() == BARE


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("retired_on", 20260914),
        ("last_listed", []),
        ("not_listed_on", {}),
        ("successors", "acme.new-v1:0"),
        ("successors", [1]),
    ],
)
def test_what_is_wrong_with_a_retirement_is_named(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"`{key}`"):
        NotCallableModel.from_dict({**BARE, key: value})


def test_the_keys_of_0_9_0_are_kept() -> None:
    data = haiku().to_dict()
    assert list(data)[:9] == [*list(WRITTEN_BY_0_9_0["Nova Micro"])]
    assert data["region_access"]["eu-west-1"] == {
        "region": "eu-west-1",
        "has_direct_access": False,
        "has_regional_cris": True,
        "has_global_cris": True,
        "model_id": None,
        "regional_cris_profile_id": "eu.haiku",
        "global_cris_profile_id": "global.haiku",
        "access_method": "cris_only",
        "inference_profile_id": "eu.haiku",
    }


@pytest.mark.parametrize("name", WRITTEN_BY_0_9_0)
def test_what_0_9_0_wrote_is_read_and_written_as_it_was(name: str) -> None:
    written = WRITTEN_BY_0_9_0[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = UnifiedModelInfo.from_dict(written).to_dict()
    assert {key: data[key] for key in written} == written


def test_entries_without_flags_are_read_by_the_older_keys() -> None:
    old = {
        **WRITTEN_BY_0_9_0["Nova Micro"],
        "region_access": {
            "eu-west-1": {"access_method": "direct", "model_id": "nova"},
            "us-east-1": {"access_method": "global_cris", "inference_profile_id": "global.nova"},
            "us-west-2": {"access_method": "regional_cris", "inference_profile_id": "us.nova"},
        },
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = UnifiedModelInfo.from_dict(old)
    assert model.region_access == {
        "eu-west-1": ModelAccessInfo("eu-west-1", has_direct_access=True, model_id="nova"),
        "us-east-1": ModelAccessInfo(
            "us-east-1", has_global_cris=True, global_cris_profile_id="global.nova"
        ),
        "us-west-2": ModelAccessInfo(
            "us-west-2", has_regional_cris=True, regional_cris_profile_id="us.nova"
        ),
    }


@pytest.mark.parametrize("method", ["cris_only", "both"])
def test_older_entries_with_a_summary_for_method_warn(method: str) -> None:
    entry = {"access_method": method, "model_id": "nova", "inference_profile_id": "eu.nova"}
    old = {**WRITTEN_BY_0_9_0["Nova Micro"], "region_access": {"eu-west-1": entry}}
    with pytest.warns(DeprecatedEnumValueWarning, match=method.upper()):
        access = UnifiedModelInfo.from_dict(old).region_access["eu-west-1"]
    assert (access.model_id, access.regional_cris_profile_id) == (
        ("nova" if method == "both" else None),
        "eu.nova",
    )


WRONG: list[tuple[str, Any]] = [
    ("model_name", 7),
    ("model_name", None),
    ("provider", []),
    ("model_id", 7),
    ("input_modalities", "TEXT"),
    ("input_modalities", ["TEXT", 7]),
    ("output_modalities", {}),
    ("streaming_supported", "yes"),
    ("streaming_supported", None),
    ("region_access", []),
    ("region_access", None),
    ("inference_parameters_link", 7),
    ("hyperparameters_link", 7),
    ("lifecycle", "ACTIVE"),
    ("lifecycle_by_region", []),
    ("inference_types", []),
    ("customizations", "FINE_TUNING"),
    ("profiles", 7),
    ("profiles", "eu.haiku"),
    ("profiles", [7]),
    ("context_variants", True),
    ("context_variants", [None]),
    ("facts", []),
    ("former_names", [7]),
    ("described", "no"),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_value_of_the_wrong_type_is_refused_by_its_key(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"`{key}`"):
        UnifiedModelInfo.from_dict({**haiku().to_dict(), key: value})


@pytest.mark.parametrize("key", ["model_name", "provider", "streaming_supported"])
def test_a_missing_key_is_named(key: str) -> None:
    data = haiku().to_dict()
    del data[key]
    with pytest.raises(ValueError, match=f"`{key}` is missing"):
        UnifiedModelInfo.from_dict(data)


@pytest.mark.parametrize(
    ("key", "inner", "named"),
    [
        ("region_access", {"eu-west-1": 7}, "'eu-west-1'"),
        ("region_access", {"eu-west-1": {}}, "`access_method`"),
        ("region_access", {"eu-west-1": {"has_direct_access": 1}}, "`has_direct_access`"),
        ("region_access", {"eu-west-1": {"access_method": "telepathy"}}, "telepathy"),
        ("region_access", {"eu-west-1": {"has_direct_access": False}}, "No access method"),
        ("lifecycle", {"status": 7}, "`status`"),
        ("lifecycle", {"status": "ACTIVE", "end_of_life": "soon"}, "`end_of_life`.*'soon'"),
        ("lifecycle_by_region", {"eu-west-1": 7}, "lifecycle"),
        ("inference_types", {"ON_DEMAND": "eu-west-1"}, "`inference_types`"),
        ("profiles", [{"profile_id": "eu.haiku"}], "`name`"),
        ("context_variants", [{"model_id": "haiku:1k"}], "`context_length`"),
        ("facts", {"max_output_tokens": 7}, "`as_of`"),
        ("facts", {"as_of": "2026-01-01", "max_output_tokens": "7"}, "`max_output_tokens`"),
    ],
)
def test_what_is_wrong_further_inside_is_named(key: str, inner: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        UnifiedModelInfo.from_dict({**haiku().to_dict(), key: inner})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(list(haiku().to_dict())), json_values)
def test_no_value_under_any_key_does_worse_than_a_value_error(key: str, value: Any) -> None:
    data = {**haiku().to_dict(), key: value}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecatedEnumValueWarning)
        with contextlib.suppress(ValueError):
            UnifiedModelInfo.from_dict(data)


@pytest.mark.parametrize("data", [None, [], "model", 7])
def test_what_is_no_object_is_no_model(data: Any) -> None:
    with pytest.raises(ValueError, match="must be an object"):
        UnifiedModelInfo.from_dict(data)


def test_facts_of_a_later_version_are_left_out() -> None:
    known = ModelFacts.from_dict({"as_of": "2026-01-01", "taste": "sweet", "end_of_life": None})
    assert known == ModelFacts("2026-01-01")


# Access per region


@few
@given(models(derived=True), st.randoms())
def test_derived_access_behaves_like_the_equal_dict(model: UnifiedModelInfo, random: Any) -> None:
    access = model.region_access
    assert isinstance(access, RegionAccess)
    asked = [*REGIONS, "mars-1"]
    random.shuffle(asked)
    got = {region: access[region] for region in asked if region in access}
    fresh = copy.deepcopy(access)
    assert access == got == dict(fresh)
    assert (access != got, got != access) == (False, False)
    assert len(access) == len(got)
    assert bool(access)
    assert list(access) == list(access.keys()) == sorted(got)
    assert list(access.items()) == sorted(got.items())
    assert list(access.values()) == [got[region] for region in sorted(got)]
    for region in asked:
        assert (region in access) is (region in got)
        assert access.get(region) == got.get(region)
    assert all(info.region == region for region, info in access.items())


@few
@given(models(derived=True))
def test_derived_access_survives_pickling_and_copying(model: UnifiedModelInfo) -> None:
    assert pickle.loads(pickle.dumps(model)) == model
    assert copy.deepcopy(model) == model
    assert copy.copy(model.region_access) == model.region_access


def test_a_region_without_access_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="mars-1"):
        haiku().region_access["mars-1"]


def test_derived_access_shows_what_it_holds() -> None:
    access = RegionAccess("nova", ["eu-west-1"], [])
    assert repr(access) == f"RegionAccess({dict(access)!r})"


def test_access_is_derived_once() -> None:
    access = haiku().region_access
    assert access["eu-west-1"] is access["eu-west-1"]


def test_the_narrowest_geography_is_preferred() -> None:
    wide = profile("apac.nova", ["ap-south-1", "ap-northeast-1", "ap-southeast-2"], "ap-south-1")
    near = profile("in.nova", ["ap-south-1", "ap-south-2"], "ap-south-1")
    for order in ([wide, near], [near, wide]):
        access = RegionAccess("nova", [], order)["ap-south-1"]
        assert access.regional_cris_profile_id == "in.nova"


def test_a_profile_that_is_not_active_gives_no_access() -> None:
    creating = profile("eu.nova", ["eu-west-1"], "eu-west-1", status="CREATING")
    access = RegionAccess("nova", ["us-east-1"], [creating])
    assert list(access) == ["us-east-1"]
    assert not RegionAccess("nova", [], [creating])


def test_a_model_that_is_only_reached_by_profiles_has_no_id_to_send() -> None:
    access = RegionAccess("nova", [], [profile("eu.nova", ["eu-west-1"], "eu-west-1")])
    assert access["eu-west-1"] == ModelAccessInfo(
        "eu-west-1", has_regional_cris=True, regional_cris_profile_id="eu.nova"
    )


def test_a_profile_knows_where_it_starts_and_ends() -> None:
    routes = {"eu-west-1": ["eu-west-1", "eu-north-1"], "eu-north-1": ["eu-north-1"]}
    regional = InferenceProfile("eu.nova", "EU Nova", "eu", routes)
    assert regional.source_regions == ["eu-north-1", "eu-west-1"]
    assert regional.destination_regions == ["eu-north-1", "eu-west-1"]
    assert not regional.is_global
    assert InferenceProfile("moon.nova", "Moon", "moon", {"eu-west-1": [ANY_REGION]}).is_global
    assert InferenceProfile("global.nova", "All", "global", {"eu-west-1": ["eu-west-1"]}).is_global
