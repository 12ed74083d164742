"""Tests what is called for each model in each region, and what is said of those left out."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog, CacheManager, CacheMode
from bestehorn_llmmanager.bedrock.exceptions import ConfigurationError
from bestehorn_llmmanager.bedrock.models.catalog_structures import UnifiedCatalog
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryStrategy
from bestehorn_llmmanager.bedrock.retry.resolution import TargetResolver, ways_of
from bestehorn_llmmanager.bedrock.retry.targets import Target, Way
from bestehorn_llmmanager.testing import LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

ACCOUNT = "123456789012"
NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
DUCK, GOOSE, SWAN, OWL = "acme.duck-v1:0", "acme.goose-v1:0", "acme.swan-v1:0", "acme.owl-v1:0"
EGG = "acme.egg-v1:0"
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "ap-southeast-2")


def listed(model_id: str, name: str, *types: str, **lifecycle: Any) -> dict[str, Any]:
    return {
        "modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{model_id}",
        "modelId": model_id,
        "modelName": name,
        "providerName": "Acme",
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "inferenceTypesSupported": list(types),
        "modelLifecycle": {"status": "LEGACY" if lifecycle else "ACTIVE", **lifecycle},
    }


def profile(region: str, prefix: str, model_id: str, *destinations: str) -> dict[str, Any]:
    profile_id = f"{prefix}.{model_id}"
    return {
        "inferenceProfileName": profile_id,
        "inferenceProfileId": profile_id,
        "inferenceProfileArn": f"arn:aws:bedrock:{region}:{ACCOUNT}:inference-profile/{profile_id}",
        "models": [
            {"modelArn": f"arn:aws:bedrock:{destination}::foundation-model/{model_id}"}
            for destination in destinations
        ],
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }


def ends(days: int) -> dict[str, str]:
    """The lifecycle of a model that ends so many days from now."""
    return {"endOfLifeTime": (NOW + timedelta(days=days)).isoformat()}


US = ("us-east-1", "us-west-2")
AU, APAC = ("ap-southeast-2", "ap-southeast-4"), ("ap-southeast-2", "ap-northeast-1", "ap-south-1")
LISTINGS = {
    "us-east-1": (
        [
            listed(DUCK, "Duck", "ON_DEMAND"),
            listed(SWAN, "Swan", "INFERENCE_PROFILE"),
            listed("acme.past-v1:0", "Past", "ON_DEMAND", **ends(-1)),
            listed("acme.soon-v1:0", "Soon", "ON_DEMAND", **ends(59)),
            listed("acme.later-v1:0", "Later", "ON_DEMAND", **ends(61)),
            listed("acme.mixed-v1:0", "Mixed", "ON_DEMAND", **ends(30)),
            listed(HAIKU, "Claude 3 Haiku", "ON_DEMAND"),
        ],
        [
            profile("us-east-1", "us", DUCK, *US),
            profile("us-east-1", "global", DUCK, "", "us-east-1"),
            profile("us-east-1", "us", SWAN, *US),
        ],
    ),
    "us-west-2": (
        [
            listed(DUCK, "Duck", "ON_DEMAND"),
            listed("acme.mixed-v1:0", "Mixed", "ON_DEMAND"),
            {**listed(EGG, "Egg", "ON_DEMAND"), "outputModalities": ["EMBEDDING"]},
            {
                **listed("acme.song-v1:0", "Song", "ON_DEMAND"),
                "outputModalities": ["SPEECH", "TEXT"],
            },
        ],
        [profile("us-west-2", "us", DUCK, *US), profile("us-west-2", "us", EGG, *US)],
    ),
    "eu-west-1": ([listed(GOOSE, "Goose", "ON_DEMAND")], []),
    "ap-southeast-2": (
        [listed(OWL, "Owl", "INFERENCE_PROFILE")],
        [
            profile("ap-southeast-2", "au", OWL, *AU),
            profile("ap-southeast-2", "apac", OWL, *APAC),
            profile("ap-southeast-2", "global", OWL, ""),
        ],
    ),
}
SNAPSHOT = {
    "regions": {
        region: {"modelSummaries": models, "inferenceProfileSummaries": profiles}
        for region, (models, profiles) in LISTINGS.items()
    }
}


@pytest.fixture(scope="module")
def catalog() -> BedrockModelCatalog:
    with LocalBedrock(SNAPSHOT, set_environment=True):
        catalog = BedrockModelCatalog(cache_mode=CacheMode.NONE, regions=list(REGIONS))
        catalog.ensure_catalog_available()
    return catalog


def resolver_of(
    catalog: BedrockModelCatalog,
    models: Sequence[str],
    regions: Sequence[str] = ("us-east-1",),
    allowed: Collection[str] | None = None,
    now: datetime = NOW,
) -> TargetResolver:
    return TargetResolver(catalog, models, regions, allowed, now=lambda: now)


def targets_of(resolver: TargetResolver, columns: int = 1) -> list[Target]:
    return resolver.table().ordered(RetryStrategy.REGION_FIRST, tuple(range(columns)))


def refusal_of(resolver: TargetResolver) -> str:
    with pytest.raises(ConfigurationError) as raised:
        resolver.table()
    return raised.value.message


def arn(kind: str, resource: str, region: str = "us-east-1", account: str = ACCOUNT) -> str:
    return f"arn:aws:bedrock:{region}:{account}:{kind}/{resource}"


# --- what is called ----------------------------------------------------------------------------------

ALL_WAYS = (
    Way("direct", DUCK),
    Way("regional_cris", f"us.{DUCK}"),
    Way("global_cris", f"global.{DUCK}"),
)


@pytest.mark.parametrize(
    ("model", "region", "model_id", "ways"),
    [
        # names and ids: by every way that the region has
        ("Duck", "us-east-1", DUCK, ALL_WAYS),
        ("acme DUCK", "us-east-1", DUCK, ALL_WAYS),
        (DUCK, "us-east-1", DUCK, ALL_WAYS),
        ("Duck", "us-west-2", DUCK, ALL_WAYS[:2]),
        ("Swan", "us-east-1", SWAN, (Way("regional_cris", f"us.{SWAN}"),)),
        (
            "Owl",
            "ap-southeast-2",
            OWL,
            (Way("regional_cris", f"au.{OWL}"), Way("global_cris", f"global.{OWL}")),
        ),
        # profiles: this one and no other
        (f"us.{DUCK}", "us-east-1", DUCK, ALL_WAYS[1:2]),
        (f"global.{DUCK}", "us-east-1", DUCK, ALL_WAYS[2:]),
        (f"apac.{OWL}", "ap-southeast-2", OWL, (Way("regional_cris", f"apac.{OWL}"),)),
        (arn("inference-profile", f"us.{DUCK}"), "us-east-1", DUCK, ALL_WAYS[1:2]),
        (arn("inference-profile", f"global.{DUCK}"), "us-east-1", DUCK, ALL_WAYS[2:]),
        # foundation models
        (arn("foundation-model", DUCK, account=""), "us-east-1", DUCK, ALL_WAYS),
        (arn("foundation-model", DUCK, region="", account=""), "us-west-2", DUCK, ALL_WAYS[:2]),
    ],
)
def test_what_the_catalogue_knows_is_called_as_the_region_offers_it(
    catalog: BedrockModelCatalog, model: str, region: str, model_id: str, ways: tuple[Way, ...]
) -> None:
    [target] = targets_of(resolver_of(catalog, [model], [region]))
    assert target == Target(model, region, model_id, ways)
    assert target.key == (model_id, region)


ACCOUNT_RESOURCES = [
    ("application-inference-profile", "ab12cd34ef56"),
    ("provisioned-model", "ab12cd34ef56"),
    ("imported-model", "ab12cd34ef56"),
    ("custom-model", f"{DUCK}/ab12cd34ef56"),
    ("custom-model-deployment", "ab12cd34ef56"),
    ("prompt", "AB12CD34EF:3"),
    ("default-prompt-router", "acme.birds:1"),
    ("prompt-router", "ab12cd34ef56"),
    ("some-kind-of-next-year", "ab12cd34ef56"),
]


@pytest.mark.parametrize(("kind", "resource"), ACCOUNT_RESOURCES)
def test_what_an_account_made_is_called_as_it_is(
    catalog: BedrockModelCatalog, kind: str, resource: str
) -> None:
    identifier = arn(kind, resource)
    resolver = resolver_of(catalog, [identifier])
    [target] = targets_of(resolver)
    assert target == Target(identifier, "us-east-1", identifier, (Way("direct", identifier),))
    assert resolver.warnings() == []


@pytest.mark.parametrize(
    "model",
    [
        arn("foundation-model", DUCK, "us-west-2", ""),
        arn("inference-profile", f"us.{DUCK}", "us-west-2"),
        *(arn(kind, resource, "us-west-2") for kind, resource in ACCOUNT_RESOURCES),
    ],
)
def test_the_region_of_an_arn_wins(catalog: BedrockModelCatalog, model: str) -> None:
    resolver = resolver_of(catalog, [model], ["us-east-1", "eu-west-1"])
    assert [target.region for target in targets_of(resolver, 2)] == ["us-west-2"]
    assert resolver.pairs == 1
    assert resolver.warnings() == []


def test_facts_travel_with_the_target(catalog: BedrockModelCatalog) -> None:
    [target] = targets_of(resolver_of(catalog, [HAIKU]))
    found = catalog.find_model(HAIKU)
    assert found is not None
    assert found.facts is not None
    assert target.takes_prefill is found.facts.capabilities.get("assistant_prefill")
    assert target.cache_min_tokens == found.facts.prompt_cache_min_tokens


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2"])
def test_ways_come_in_the_default_order(catalog: BedrockModelCatalog, region: str) -> None:
    access = catalog.get_model_info("Duck", region)
    assert access is not None
    assert ways_of(access) == (ALL_WAYS if region == "us-east-1" else ALL_WAYS[:2])


# --- what drops out -----------------------------------------------------------------------------------


def test_pairs_that_cannot_be_called_are_left_out_silently(catalog: BedrockModelCatalog) -> None:
    resolver = resolver_of(catalog, ["Duck", "Goose"], ["us-east-1", "eu-west-1", "us-west-2"])
    called = [(target.model, target.region) for target in targets_of(resolver, 3)]
    assert called == [("Duck", "us-east-1"), ("Duck", "us-west-2"), ("Goose", "eu-west-1")]
    assert resolver.pairs == 3
    assert resolver.warnings() == []


def test_a_model_and_a_region_that_drop_out_are_one_warning_each(
    catalog: BedrockModelCatalog,
) -> None:
    resolver = resolver_of(
        catalog,
        ["Duck", "Duckk", "Goose", "Goose"],
        ["us-east-1", "us-esat-1", "ap-southeast-2"],
    )
    close, elsewhere, unknown, unused = resolver.warnings()
    assert close.startswith("There is no model 'Duckk'. Closest: Duck")
    assert elsewhere == "'Goose' can be called in eu-west-1."
    assert re.fullmatch(r"Region 'us-esat-1' is not known; closest: .*us-east-1.*\.", unknown)
    assert unused == "None of the models can be called in 'ap-southeast-2'."


def test_without_any_pair_the_error_says_for_each_model_what_is_close_and_where_it_is(
    catalog: BedrockModelCatalog,
) -> None:
    models = ["Duckk", "Goose", f"us.{DUCK}", arn("inference-profile", f"us.{SWAN}", "eu-west-1")]
    message = refusal_of(resolver_of(catalog, models, ["ap-southeast-2"]))
    assert message.startswith(f"None of the models {models} can be called in any of the regions")
    assert "['ap-southeast-2']" in message
    assert "There is no model 'Duckk'. Closest: Duck" in message
    assert "'Goose' can be called in eu-west-1." in message
    assert f"'us.{DUCK}' can be called in us-east-1, us-west-2." in message
    assert f"'us.{SWAN}' can be called in us-east-1." in message
    assert message.endswith(" Models that can be called there: Owl.")


def test_a_profile_of_elsewhere_comes_with_the_name_that_can_be_called_here(
    catalog: BedrockModelCatalog,
) -> None:
    named = f"global.{DUCK}"
    here = f"{named!r} can be called in us-east-1. As 'Duck' it can be called in us-west-2."
    assert here in refusal_of(resolver_of(catalog, [named], ["us-west-2"]))
    assert here in resolver_of(catalog, [named, "Song"], ["us-west-2"]).warnings()
    forbidden = refusal_of(resolver_of(catalog, [named], ["us-west-2"], ["eu-west-1"]))
    assert "As 'Duck'" not in forbidden


EMBEDS = "'Egg' answers with EMBEDDING, not with text; Converse does not serve it."


@pytest.mark.parametrize(
    "egg",
    [
        "Egg",
        EGG,
        f"us.{EGG}",
        arn("foundation-model", EGG, "us-west-2", ""),
        arn("inference-profile", f"us.{EGG}", "us-west-2"),
    ],
)
def test_a_model_that_does_not_answer_with_text_drops_out(
    catalog: BedrockModelCatalog, egg: str
) -> None:
    resolver = resolver_of(catalog, [egg, "Song"], ["us-west-2"])
    assert [target.model for target in targets_of(resolver)] == ["Song"]
    assert resolver.warnings() == [EMBEDS]
    message = refusal_of(resolver_of(catalog, [egg], ["us-west-2"]))
    assert EMBEDS in message
    assert message.endswith(" Models that can be called there: Duck, Mixed, Song.")


def test_a_model_of_which_nothing_but_a_profile_is_known_is_called() -> None:
    only_a_profile = {
        "regions": {
            "us-east-1": {
                "modelSummaries": [],
                "inferenceProfileSummaries": [profile("us-east-1", "us", SWAN, *US)],
            }
        }
    }
    with LocalBedrock(only_a_profile, set_environment=True):
        catalog = BedrockModelCatalog(cache_mode=CacheMode.NONE, regions=["us-east-1"])
        catalog.ensure_catalog_available()
    found = catalog.find_model(SWAN)
    assert found is not None
    assert (found.described, found.output_modalities) == (False, [])
    assert [t.ways[0].identifier for t in targets_of(resolver_of(catalog, [SWAN]))] == [
        f"us.{SWAN}"
    ]


def test_no_model_is_offered_that_must_not_be_called(catalog: BedrockModelCatalog) -> None:
    message = refusal_of(resolver_of(catalog, ["Goose"], ["us-east-1"], ["us-east-1"]))
    offered = message.rpartition("Models that can be called there: ")[2]
    assert "Duck" in offered
    assert "Swan" not in offered  # only through a profile, which leads elsewhere
    elsewhere = refusal_of(resolver_of(catalog, ["Duck"], ["us-east-1"], ["eu-west-1"]))
    assert "Models that can be called there" not in elsewhere


def test_where_nothing_can_be_called_nothing_is_offered(catalog: BedrockModelCatalog) -> None:
    message = refusal_of(resolver_of(catalog, ["Goose"], ["moon-north-1"]))
    assert message.endswith("'Goose' can be called in eu-west-1.")


def test_of_many_regions_only_some_are_listed(catalog: BedrockModelCatalog) -> None:
    # In regions that were not asked, the bundled catalogue knows it.
    message = refusal_of(resolver_of(catalog, ["Nova Lite"], ["moon-north-1"]))
    listed = re.search(r"'Nova Lite' can be called in (.*) and (\d+) more\.", message)
    assert listed is not None
    found = catalog.find_model("Nova Lite")
    assert found is not None
    shown = listed[1].split(", ")
    assert shown == found.get_supported_regions()[:8]
    assert len(shown) + int(listed[2]) == len(found.get_supported_regions())


def test_a_region_that_gave_no_catalogue_is_a_warning_with_the_reason() -> None:
    with LocalBedrock(SNAPSHOT, set_environment=True):
        catalog = BedrockModelCatalog(
            cache_mode=CacheMode.NONE, regions=["us-east-1", "moon-north-1"]
        )
        catalog.ensure_catalog_available()
    [failure] = catalog.get_catalog_metadata().unavailable_regions.values()
    [warning] = resolver_of(catalog, ["Duck"], ["us-east-1", "moon-north-1"]).warnings()
    assert warning.startswith(f"Region 'moon-north-1' is not known ({failure.kind}); closest: ")


@pytest.mark.parametrize("kind", ["foundation-model", "inference-profile"])
def test_an_arn_of_what_the_catalogue_should_know_but_does_not_is_refused(
    catalog: BedrockModelCatalog, kind: str
) -> None:
    unknown = arn(kind, "acme.nobody-v1:0")
    assert f"There is no model '{unknown}'" in refusal_of(resolver_of(catalog, [unknown]))


def test_the_error_has_what_was_given(catalog: BedrockModelCatalog) -> None:
    with pytest.raises(ConfigurationError) as raised:
        resolver_of(catalog, ["Goose"], ["us-west-2"]).table()
    assert raised.value.invalid_config == {"models": ["Goose"], "regions": ["us-west-2"]}


# --- end of life ----------------------------------------------------------------------------------------


@pytest.mark.needs_member("endOfLifeTime")
@pytest.mark.parametrize(
    ("model", "warnings"),
    [
        ("Past", ["'Past' reached its end of life on 2026-05-31; plan for its successor."]),
        ("Soon", ["'Soon' reaches its end of life on 2026-07-30; plan for its successor."]),
        (
            "acme.soon-v1:0",
            ["'Soon' reaches its end of life on 2026-07-30; plan for its successor."],
        ),
        ("Later", []),
        ("Duck", []),
    ],
)
def test_a_model_past_or_within_60_days_of_its_end_is_a_warning_with_the_date(
    catalog: BedrockModelCatalog, model: str, warnings: list[str]
) -> None:
    assert resolver_of(catalog, [model]).warnings() == warnings


@pytest.mark.needs_member("endOfLifeTime")
def test_without_another_clock_it_is_now(catalog: BedrockModelCatalog) -> None:
    [warning] = TargetResolver(catalog, ["Past", "Duck"], ["us-east-1"]).warnings()
    assert "'Past' reached its end of life on 2026-05-31" in warning


@pytest.mark.parametrize(
    ("days", "count"), [(-61, 0), (-60, 1), (-1, 1), (0, 1), (1, 1), (1000, 1)]
)
def test_an_announced_date_counts_where_the_api_has_none(
    catalog: BedrockModelCatalog, days: int, count: int
) -> None:
    found = catalog.find_model(HAIKU)
    assert found is not None
    assert found.facts is not None
    assert found.facts.end_of_life == "2026-09-10"
    now = datetime(2026, 9, 10, tzinfo=timezone.utc) + timedelta(days=days)
    warnings = resolver_of(catalog, [HAIKU], now=now).warnings()
    verb = "reached" if days >= 0 else "reaches"
    expected = f"'Claude 3 Haiku' {verb} its end of life on 2026-09-10; plan for its successor."
    assert warnings == [expected] * count


@pytest.mark.needs_member("endOfLifeTime")
def test_only_the_regions_that_are_called_count(catalog: BedrockModelCatalog) -> None:
    in_west = arn("foundation-model", "acme.mixed-v1:0", "us-west-2", "")
    assert resolver_of(catalog, ["Mixed"], ["us-west-2"]).warnings() == []
    assert resolver_of(catalog, [in_west], ["us-east-1"]).warnings() == []
    [warning] = resolver_of(catalog, ["Mixed"], ["us-west-2", "us-east-1"]).warnings()
    assert "'Mixed' reaches its end of life on 2026-07-01" in warning


# --- where requests may be processed ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "region", "allowed", "ways"),
    [
        ("Duck", "us-east-1", ["us-east-1"], ALL_WAYS[:1]),
        ("Duck", "us-east-1", US, ALL_WAYS[:2]),
        ("Duck", "us-east-1", [*US, "eu-west-1"], ALL_WAYS[:2]),
        (f"us.{DUCK}", "us-east-1", US, ALL_WAYS[1:2]),
        (arn("inference-profile", f"us.{DUCK}"), "us-east-1", US, ALL_WAYS[1:2]),
        ("Swan", "us-east-1", US, (Way("regional_cris", f"us.{SWAN}"),)),
        ("Owl", "ap-southeast-2", AU, (Way("regional_cris", f"au.{OWL}"),)),
        # The narrowest profile leads elsewhere, a wider one does not.
        ("Owl", "ap-southeast-2", APAC, (Way("regional_cris", f"apac.{OWL}"),)),
        (
            arn("provisioned-model", "x1"),
            "us-east-1",
            ["us-east-1"],
            (Way("direct", arn("provisioned-model", "x1")),),
        ),
        (
            arn("custom-model-deployment", "x1"),
            "us-east-1",
            ["us-east-1"],
            (Way("direct", arn("custom-model-deployment", "x1")),),
        ),
    ],
)
def test_only_what_stays_in_the_allowed_regions_is_called(
    catalog: BedrockModelCatalog,
    model: str,
    region: str,
    allowed: Sequence[str],
    ways: tuple[Way, ...],
) -> None:
    [target] = targets_of(resolver_of(catalog, [model], [region], allowed))
    assert target.ways == ways


@pytest.mark.parametrize(
    ("model", "region", "allowed", "where"),
    [
        ("Duck", "us-east-1", ["eu-west-1"], "us-east-1"),
        ("Swan", "us-east-1", ["us-east-1"], "us-west-2"),
        (f"us.{DUCK}", "us-east-1", ["us-east-1"], "us-west-2"),
        (f"global.{DUCK}", "us-east-1", [*US, "eu-west-1", *APAC], "any region"),
        (arn("inference-profile", f"global.{DUCK}"), "us-east-1", US, "any region"),
        ("Owl", "ap-southeast-2", ["ap-southeast-2"], "ap-southeast-4"),
        (arn("provisioned-model", "x1", "us-west-2"), "us-east-1", ["us-east-1"], "us-west-2"),
        (arn("custom-model", "x/y", "us-west-2"), "us-east-1", ["us-east-1"], "us-west-2"),
        (arn("imported-model", "x1", "us-west-2"), "us-east-1", ["us-east-1"], "us-west-2"),
        # It is not known where these lead.
        (
            arn("application-inference-profile", "x1"),
            "us-east-1",
            US,
            "regions that are not known",
        ),
        (arn("prompt-router", "x1"), "us-east-1", US, "regions that are not known"),
        (arn("default-prompt-router", "x1"), "us-east-1", US, "regions that are not known"),
        (arn("prompt", "X1:1"), "us-east-1", US, "regions that are not known"),
        (arn("some-kind-of-next-year", "x1"), "us-east-1", US, "regions that are not known"),
    ],
)
def test_what_may_be_processed_anywhere_else_is_never_called_and_the_error_says_why(
    catalog: BedrockModelCatalog, model: str, region: str, allowed: Sequence[str], where: str
) -> None:
    message = refusal_of(resolver_of(catalog, [model], [region], allowed))
    assert re.search(rf"may be processed in {re.escape(where)}, which", message)
    assert f"`allowed_destination_regions` {sorted(allowed)} does not allow" in message


def test_a_region_that_drops_out_for_that_reason_is_a_warning_with_the_reason(
    catalog: BedrockModelCatalog,
) -> None:
    resolver = resolver_of(catalog, ["Duck", "Swan"], ["us-west-2", "us-east-1"], ["us-west-2"])
    assert [target.region for target in targets_of(resolver, 2)] == ["us-west-2"]
    assert resolver.warnings() == [
        (
            f"What is sent to 'us.{SWAN}' in 'us-east-1' may be processed in us-east-1, which "
            "`allowed_destination_regions` ['us-west-2'] does not allow."
        ),
        (
            f"What is sent to '{DUCK}' in 'us-east-1' may be processed in us-east-1, which "
            "`allowed_destination_regions` ['us-west-2'] does not allow."
        ),
    ]


@pytest.mark.parametrize("known", ["no destinations", "no profiles"])
def test_a_profile_whose_destinations_are_not_known_is_never_called(
    catalog: BedrockModelCatalog, cache_dir: Path, known: str
) -> None:
    data = catalog.ensure_catalog_available().to_dict()
    for model in data["models"].values():
        for entry in model["profiles"]:
            entry["routes"] = {region: [] for region in entry["routes"]}
        if known == "no profiles":  # as in the files of earlier releases
            del model["profiles"], model["inference_types"]
    CacheManager(CacheMode.FILE, cache_dir).save_cache(UnifiedCatalog.from_dict(data))
    kept = BedrockModelCatalog(
        cache_mode=CacheMode.FILE,
        cache_directory=cache_dir,
        refresh="never",
        regions=["us-east-1"],
    )
    assert targets_of(resolver_of(kept, ["Swan"]))[0].ways[0].method == "regional_cris"
    message = refusal_of(resolver_of(kept, ["Swan"], allowed=REGIONS))
    assert "may be processed in regions that are not known" in message
    [target] = targets_of(resolver_of(kept, ["Duck"], allowed=REGIONS))
    assert target.ways == ALL_WAYS[:1]
