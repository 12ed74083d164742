"""Tests that a name finds the model that it stands for, and never another."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog, CacheMode
from bestehorn_llmmanager.bedrock.catalog.name_aliases import aliases_of
from bestehorn_llmmanager.bedrock.catalog.name_normalizer import normalize_model_name
from bestehorn_llmmanager.bedrock.catalog.name_resolution_structures import (
    AliasGenerationConfig,
    MatchType,
    ModelNameMatch,
)
from bestehorn_llmmanager.bedrock.catalog.name_resolver import ModelNameResolver
from bestehorn_llmmanager.bedrock.catalog.naming import by_unique_name
from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo
from bestehorn_llmmanager.bedrock.models.catalog_structures import (
    CatalogMetadata,
    CatalogSource,
    UnifiedCatalog,
)
from bestehorn_llmmanager.bedrock.models.model_details import ModelLifecycle
from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

NAMES_FILE = Path(__file__).parents[3] / "data" / "names_0.9.0.json"
REGION = "us-east-1"
METADATA = CatalogMetadata(CatalogSource.API, datetime(2026, 1, 1, tzinfo=timezone.utc), [REGION])


@cache
def bundle() -> BedrockModelCatalog:
    return BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")


@cache
def resolver() -> ModelNameResolver:
    return ModelNameResolver(bundle().ensure_catalog_available())


def all_models() -> list[UnifiedModelInfo]:
    return list(bundle().ensure_catalog_available().models.values())


@cache
def names_of_090() -> dict[str, Any]:
    names: dict[str, Any] = json.loads(NAMES_FILE.read_text())
    return names


@cache
def by_identifier() -> dict[str, UnifiedModelInfo]:
    """Ids of models, profiles and variants to the model, by a plain loop."""
    found: dict[str, UnifiedModelInfo] = {}
    for model in all_models():
        found[model.model_id or ""] = model
        found |= {profile.profile_id: model for profile in model.profiles}
        found |= {variant.model_id: model for variant in model.context_variants}
    return found


def forms_of(model: UnifiedModelInfo) -> dict[str, list[str]]:
    """Every form in which a model may be named, by kind."""
    model_id = model.model_id or ""
    return {
        "canonical name": [model.model_name],
        "name with provider": [f"{model.provider} {model.api_name}"],
        "former name": list(model.former_names),
        "model id": [model_id],
        "profile id": [profile.profile_id for profile in model.profiles],
        "id with context length": [variant.model_id for variant in model.context_variants],
        "foundation-model ARN": [
            f"arn:aws:bedrock:{region}::foundation-model/{model_id}" for region in ("", REGION)
        ],
        "inference-profile ARN": [
            f"arn:aws:bedrock:{region}:123456789012:inference-profile/{profile.profile_id}"
            for profile in model.profiles
            for region in profile.source_regions
        ],
    }


def invented_model(name: str, model_id: str = "", **more: Any) -> UnifiedModelInfo:
    model_id = model_id or f"acme.{normalize_model_name(name).replace(' ', '-')}-v1:0"
    access = ModelAccessInfo(region=REGION, has_direct_access=True, model_id=model_id)
    return UnifiedModelInfo(
        model_name=name,
        provider="Acme",
        model_id=model_id,
        input_modalities=["TEXT"],
        output_modalities=["TEXT"],
        streaming_supported=True,
        region_access={REGION: access},
        **more,
    )


def resolver_of(
    *models: UnifiedModelInfo, config: AliasGenerationConfig | None = None
) -> ModelNameResolver:
    return ModelNameResolver(UnifiedCatalog(by_unique_name(models), METADATA), config)


def found_id(resolver: ModelNameResolver, name: str) -> str | None:
    model = resolver.find(name)
    return model.model_id if model else None


# --- every form of every model ------------------------------------------------------------------


@pytest.mark.parametrize("kind", forms_of(invented_model("X")))
def test_every_form_of_a_name_finds_its_model(kind: str) -> None:
    forms = [(form, model) for model in all_models() for form in forms_of(model)[kind]]
    assert len(forms) >= 5
    assert [form for form, model in forms if resolver().find(form) is not model] == []


@pytest.mark.parametrize("kind", forms_of(invented_model("X")))
def test_exact_forms_need_no_tolerance(kind: str) -> None:
    wrong = [
        form
        for model in all_models()
        for form in forms_of(model)[kind]
        if resolver().find(form, any_spelling=False) is not model
    ]
    assert wrong == []


@cache
def names_by_spelling() -> dict[str, set[str]]:
    """Normalised name to the ids of the models that AWS calls so."""
    ids: dict[str, set[str]] = defaultdict(set)
    for model in all_models():
        ids[normalize_model_name(model.api_name)].add(model.model_id or "")
    return ids


@st.composite
def respelled(draw: st.DrawFn) -> tuple[str, UnifiedModelInfo]:
    """A name with other case and other characters between its words."""
    model = draw(st.sampled_from(all_models()))
    forms = forms_of(model)
    kinds = ["canonical name", "name with provider", "former name", "model id", "profile id"]
    name = draw(st.sampled_from([form for kind in kinds for form in forms[kind]]))
    letters = []
    for letter in name:
        if letter in " -_.":
            letters.append(draw(st.sampled_from([" ", "-", "_", ".", "  ", " - "])))
        else:
            letters.append(letter.upper() if draw(st.booleans()) else letter.lower())
    changed = draw(st.sampled_from(["", " ", "-"])) + "".join(letters)
    assume(normalize_model_name(changed) == normalize_model_name(name))
    return changed, model


@settings(max_examples=400, deadline=None)
@given(respelled())
def test_spelling_does_not_matter(case: tuple[str, UnifiedModelInfo]) -> None:
    name, model = case
    namesakes = names_by_spelling()[normalize_model_name(model.api_name)]
    found = resolver().find(name)
    if len(namesakes) == 1:
        assert found is model
    else:  # AWS tells them apart by case alone: either one of them is meant exactly, or none.
        assert found is None or found.model_id in namesakes


def test_names_that_differ_in_case_only_are_told_apart_or_reported() -> None:
    upper, lower = "Titan Text Embeddings V2", "Titan Text Embeddings v2"
    assert found_id(resolver(), upper) == "amazon.titan-embed-text-v2:0"
    assert found_id(resolver(), lower) == "amazon.titan-embed-g1-text-02"
    assert resolver().find("titan-text-embeddings-v2") is None
    assert sorted(resolver().meanings("titan-text-embeddings-v2")) == [upper, lower]


def test_no_name_belongs_to_two_models() -> None:
    models = bundle().ensure_catalog_available().models
    owners: dict[str, set[str]] = defaultdict(set)
    for name, model in models.items():
        assert name == model.model_name
        for form in {name, model.model_id or "", *(p.profile_id for p in model.profiles)}:
            owners[form].add(name)
        for former in model.former_names:
            owners[former].add(name)
    assert {form: found for form, found in owners.items() if len(found) > 1} == {}
    assert len(set(by_identifier())) > len(models)


# --- names of 0.9.0 -----------------------------------------------------------------------------


def test_every_canonical_name_of_090_finds_its_model_or_none_with_a_reason() -> None:
    gone = 0
    for name, entry in names_of_090()["canonical_names"].items():
        wanted = [
            by_identifier()[identifier]
            for identifier in (entry["model_id"], *entry["profiles"])
            if identifier in by_identifier()
        ]
        assert resolver().find(name) is (wanted[0] if wanted else None), name
        if not wanted:
            gone += 1
            assert "is retired" in bundle().explain_missing(name), name
    assert 0 < gone < len(names_of_090()["canonical_names"]) / 2


def test_every_older_name_finds_its_model_or_none_with_a_reason() -> None:
    canonical = names_of_090()["canonical_names"]
    found = 0
    for name, model_id in names_of_090()["older_names"].items():
        if model_id in by_identifier():
            found += 1
            assert resolver().find(name) is by_identifier()[model_id], name
        elif name not in canonical:
            assert resolver().find(name) is None, name
            assert "is retired" in bundle().explain_missing(name), name
    assert found > 30


def test_a_name_of_090_beats_the_same_older_name() -> None:
    name = "Stable Image Core"
    assert names_of_090()["older_names"][name] == "stability.stable-image-core-v1:0"
    assert names_of_090()["canonical_names"][name]["model_id"] == "stability.stable-image-core-v1:1"
    assert found_id(resolver(), name) == "stability.stable-image-core-v1:1"


@pytest.mark.parametrize("name", names_of_090()["retired_names"])
def test_a_name_that_090_called_retired_finds_nothing(name: str) -> None:
    assert resolver().find(name) is None


def test_every_alias_of_a_name_of_090_finds_the_same_model() -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    aliases: list[tuple[str, str]] = []
    for name, entry in names_of_090()["canonical_names"].items():
        known = [i for i in (entry["model_id"], *entry["profiles"]) if i in by_identifier()]
        owner = (by_identifier()[known[0]].model_id or "") if known else entry["model_id"]
        for alias in aliases_of(name, AliasGenerationConfig()):
            owners[normalize_model_name(alias)].add(owner)
            aliases.append((alias, owner))
    unambiguous = [
        (alias, owner) for alias, owner in aliases if len(owners[normalize_model_name(alias)]) == 1
    ]
    assert len(unambiguous) > 150
    for alias, owner in unambiguous:
        expected = owner if owner in by_identifier() else None
        assert found_id(resolver(), alias) == expected, alias


# --- what is observed, and what is to become of it ----------------------------------------------

CLAUDE_3_HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("Claude 3 Haiku", CLAUDE_3_HAIKU),
        ("claude-3-haiku", CLAUDE_3_HAIKU),
        ("CLAUDE 3 HAIKU", CLAUDE_3_HAIKU),
        ("Claude 3.5 Sonnet", "anthropic.claude-3-5-sonnet-20240620-v1:0"),
        ("Claude 3.7 Sonnet", "anthropic.claude-3-7-sonnet-20250219-v1:0"),
        ("Claude 3.5 Sonnet v2", "anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ("Claude Haiku 4.5", "anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("Claude Sonnet 4.5", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("Claude Opus 4.5", "anthropic.claude-opus-4-5-20251101-v1:0"),
        ("Claude 4.5 Sonnet", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude haiku 4 5", "anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("Nova Lite", "amazon.nova-lite-v1:0"),
        ("Nova Pro", "amazon.nova-pro-v1:0"),
        ("Nova Micro", "amazon.nova-micro-v1:0"),
        ("Amazon Nova Pro", "amazon.nova-pro-v1:0"),
        ("DeepSeek-R1", "deepseek.r1-v1:0"),
        ("DeepSeek R1", "deepseek.r1-v1:0"),
        ("gpt-oss-120b", "openai.gpt-oss-120b-1:0"),
        ("Llama 3.1 8B Instruct", "meta.llama3-1-8b-instruct-v1:0"),
        ("Llama 3.3 70B Instruct", "meta.llama3-3-70b-instruct-v1:0"),
        ("Mistral Small", "mistral.mistral-small-2402-v1:0"),
        ("Pixtral Large", "mistral.pixtral-large-2502-v1:0"),
        ("Claude Sonnet 4", "anthropic.claude-sonnet-4-20250514-v1:0"),
        ("Titan Text Embeddings V2", "amazon.titan-embed-text-v2:0"),
        ("Mistral Large", "mistral.mistral-large-2402-v1:0"),
        (CLAUDE_3_HAIKU, CLAUDE_3_HAIKU),
        ("us.amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
        (f"arn:aws:bedrock:us-east-1::foundation-model/{CLAUDE_3_HAIKU}", CLAUDE_3_HAIKU),
    ],
)
def test_names_in_use_keep_their_model(name: str, model_id: str) -> None:
    assert found_id(resolver(), name) == model_id


@pytest.mark.parametrize(
    ("name", "explanation"),
    [
        ("Claude 3.5 Haiku", "(anthropic.claude-3-5-haiku-20241022-v1:0) is retired"),
        ("claude-3-5-haiku", "(anthropic.claude-3-5-haiku-20241022-v1:0) is retired"),
        ("Command R", "(cohere.command-r-v1:0) is retired"),
        ("Cohere Command R", "(cohere.command-r-v1:0) is retired"),
        ("Command R+", "(cohere.command-r-plus-v1:0) is retired"),
        ("Claude 3 Opus", "(anthropic.claude-3-opus-20240229-v1:0) is retired"),
        ("Claude Opus 4", "There is no model 'Claude Opus 4'. Closest: Claude Opus 4."),
        ("Claude", "There is no model 'Claude'."),
        ("Nova", "There is no model 'Nova'."),
    ],
)
def test_names_without_a_model_are_explained(name: str, explanation: str) -> None:
    assert resolver().find(name) is None
    assert explanation in bundle().explain_missing(name)


# --- never a guess --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["Claude Sonnet 4", "claude-sonnet-4", "Claude 4 Sonnet", "Anthropic Claude Sonnet 4"]
)
def test_a_version_is_never_guessed(name: str) -> None:
    without_4 = resolver_of(
        invented_model("Claude Sonnet 4.5"), invented_model("Claude Sonnet 4.6")
    )
    assert without_4.find(name) is None
    assert without_4.resolve_name(name, strict=True) is None
    with_4 = resolver_of(
        invented_model("Claude Sonnet 4", "acme.sonnet-4"),
        invented_model("Claude Sonnet 4.5"),
        invented_model("Claude Sonnet 4.6"),
    )
    expected = None if name.startswith("Anthropic") else "acme.sonnet-4"
    assert found_id(with_4, name) == expected


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_name_with_something_cut_off_or_added_finds_nothing_else(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(all_models()))
    name = model.model_name
    cut = data.draw(st.integers(1, len(name)))
    changed = data.draw(st.sampled_from([name[:-cut], name[cut:], f"{name} {cut}", f"{name}{cut}"]))
    found = resolver().find(changed)
    if found is not None and found is not model:
        forms = [form for listed in forms_of(found).values() for form in listed]
        forms += aliases_of(found.api_name, AliasGenerationConfig())
        forms += [a for f in found.former_names for a in aliases_of(f, AliasGenerationConfig())]
        forms.append(found.model_name.partition(" (")[0])
        assert normalize_model_name(changed) in {normalize_model_name(form) for form in forms}


@pytest.mark.parametrize(
    "kind",
    [
        "application-inference-profile/abc123def456",
        "provisioned-model/abc123def456",
        "custom-model/amazon.nova-lite-v1:0:8k/abc123def456",
        "imported-model/abc123def456",
        "custom-model-deployment/abc123def456",
        "prompt/ABC123DEF4",
        "default-prompt-router/anthropic.claude:1",
        "application-inference-profile/amazon.nova-lite-v1:0",
        "provisioned-model/us.amazon.nova-lite-v1:0",
    ],
)
def test_what_an_account_made_itself_is_not_in_the_catalogue(kind: str) -> None:
    assert resolver().find(f"arn:aws:bedrock:us-east-1:123456789012:{kind}") is None


@pytest.mark.parametrize(
    "arn",
    [
        "arn:",
        "arn:aws:bedrock:us-east-1::foundation-model/",
        "arn:aws:bedrock:us-east-1::foundation-model",
        "arn:aws:bedrock:us-east-1::foundation-model/acme.unknown-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.acme.unknown-v1:0",
    ],
)
def test_an_arn_of_nothing_known_finds_nothing(arn: str) -> None:
    assert resolver().find(arn) is None


# --- which rule, and how sure ---------------------------------------------------------------------


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("name", "canonical", "match_type", "confidence"),
    [
        ("Claude 3 Haiku", "Claude 3 Haiku", MatchType.EXACT, 1.0),
        (CLAUDE_3_HAIKU, "Claude 3 Haiku", MatchType.ALIAS, 1.0),
        ("us.amazon.nova-lite-v1:0", "Nova Lite", MatchType.ALIAS, 1.0),
        ("Amazon Nova Lite", "Nova Lite", MatchType.ALIAS, 1.0),
        ("Claude 4.5 Haiku", "Claude Haiku 4.5", MatchType.ALIAS, 1.0),
        (
            "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
            "Nova Lite",
            MatchType.ALIAS,
            1.0,
        ),
        ("Claude 3 Haiku 20240307", "Claude 3 Haiku", MatchType.LEGACY, 1.0),
        ("APAC Anthropic Claude 3 Haiku", "Claude 3 Haiku", MatchType.LEGACY, 1.0),
        ("claude_3_haiku", "Claude 3 Haiku", MatchType.NORMALIZED, 0.95),
        ("APAC-Claude-3-Haiku", "Claude 3 Haiku", MatchType.NORMALIZED, 0.95),
    ],
)
def test_a_match_says_by_which_rule_it_was_found(
    name: str, canonical: str, match_type: MatchType, confidence: float, strict: bool
) -> None:
    expected = ModelNameMatch(canonical, match_type, confidence, name)
    assert resolver().resolve_name(name, strict) == expected


def test_similarity_is_reported_as_such_and_only_if_not_strict() -> None:
    birds = resolver_of(
        invented_model("Wandering Albatross", former_names=["Big Sea Bird"]),
        invented_model("Tawny Owl"),
        invented_model("Owlet"),
    )
    part = birds.resolve_name("Sea-Bird")
    assert part == ModelNameMatch("Wandering Albatross", MatchType.NORMALIZED, 0.9, "Sea-Bird")
    shorter = birds.resolve_name("albatros")
    assert shorter == ModelNameMatch("Wandering Albatross", MatchType.FUZZY, 0.85, "albatros")
    longer = birds.resolve_name("My Tawny Owl")
    assert longer == ModelNameMatch("Tawny Owl", MatchType.FUZZY, 0.85, "My Tawny Owl")
    similar = birds.resolve_name("Wandring Albetross")
    assert similar is not None
    assert (similar.canonical_name, similar.match_type) == ("Wandering Albatross", MatchType.FUZZY)
    assert 0.9 * 0.7 <= similar.confidence < 0.9
    assert birds.resolve_name("Xylophone") is None
    assert birds.resolve_name("owl") is None
    for name in ("Sea-Bird", "albatros", "My Tawny Owl", "Wandring Albetross"):
        assert birds.resolve_name(name, strict=True) is None
        assert birds.find(name) is None


@pytest.mark.parametrize("name", ["", " ", "\n"])
def test_a_blank_name_matches_nothing(name: str) -> None:
    assert resolver().resolve_name(name) is None
    assert resolver().find(name) is None
    assert resolver().meanings(name) == []
    assert resolver().get_suggestions(name) == []


# --- precedence -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Duck 3.5", "duck-3-5"])
def test_the_name_of_today_beats_a_former_name_and_that_beats_a_derived_one(name: str) -> None:
    today = invented_model("Duck 3.5", "acme.today")
    former = invented_model("Goose", "acme.former", former_names=["Duck 3.5"])
    derived = invented_model("Duck 3 5 20241022", "acme.derived")
    assert found_id(resolver_of(derived, former, today), name) == "acme.today"
    assert found_id(resolver_of(derived, former), name) == "acme.former"
    assert found_id(resolver_of(derived), name) == "acme.derived"


def test_an_id_beats_a_former_name_of_the_same_spelling() -> None:
    owner = invented_model("Duck", "acme.duck-v1")
    other = invented_model("Goose", former_names=["acme.duck-v1", "acme duck v1"])
    assert found_id(resolver_of(owner, other), "acme.duck-v1") == "acme.duck-v1"
    assert found_id(resolver_of(owner, other), "Acme.Duck-V1") == "acme.duck-v1"


def test_a_former_name_of_two_models_is_ambiguous() -> None:
    both = resolver_of(
        invented_model("Duck", former_names=["Bird"]),
        invented_model("Goose", former_names=["Bird"]),
    )
    assert both.find("Bird") is both.find("bird") is None
    assert both.find("Bird", any_spelling=False) is None
    assert sorted(both.meanings("Bird")) == ["Duck", "Goose"]
    assert both.resolve_name("Bird") is None


def test_a_rule_that_fits_one_model_settles_what_fits_two() -> None:
    plain = resolver_of(invented_model("Bird 1 (red)"), invented_model("Bird 1 (blue)"))
    assert plain.find("Bird 1") is None
    assert sorted(plain.meanings("bird-1")) == ["Bird 1 (blue)", "Bird 1 (red)"]
    settled = resolver_of(
        invented_model("Bird 1 (red)", "acme.red", former_names=["Bird 1"]),
        invented_model("Bird 1 (blue)"),
    )
    assert found_id(settled, "bird-1") == "acme.red"


def test_of_two_models_of_one_name_the_newest_has_it_plain() -> None:
    def living_since(year: int) -> ModelLifecycle:
        return ModelLifecycle("ACTIVE", datetime(year, 1, 1, tzinfo=timezone.utc))

    old = invented_model("Duck", "acme.z-old", lifecycle=living_since(2024))
    new = invented_model("Duck", "acme.a-new", lifecycle=living_since(2026))
    both = resolver_of(old, new)
    assert found_id(both, "Duck") == "acme.a-new"
    assert found_id(both, "Duck (acme.z-old)") == "acme.z-old"
    assert found_id(both, "acme.z-old") == "acme.z-old"
    assert found_id(both, "acme.a-new") == "acme.a-new"


def test_without_tolerance_only_exact_forms_count() -> None:
    bird = resolver_of(invented_model("Duck 3.5", "acme.duck-v1:0", former_names=["Old Duck"]))
    for name in ("Duck 3.5", "Acme Duck 3.5", "Old Duck", "acme.duck-v1:0", "Duck3.5"):
        assert bird.find(name, any_spelling=False), name
    for name in ("duck 3.5", "Duck-3.5", "Duck 3 5", "old duck", "ACME.duck-v1:0", "Duck  3.5"):
        assert bird.find(name, any_spelling=False) is None, name
        assert bird.find(name), name


def test_further_names_can_be_turned_off() -> None:
    models = (invented_model("Claude Duck Haiku 3", former_names=["Old Duck"]),)
    nothing = AliasGenerationConfig(
        generate_version_variants=False,
        generate_no_prefix_variants=False,
        generate_spacing_variants=False,
        include_legacy_mappings=False,
        enable_version_period_aliases=False,
    )
    assert resolver_of(*models).find("Old Duck")
    assert resolver_of(*models).find("Claude 3 Haiku")
    bare = resolver_of(*models, config=nothing)
    assert bare.find("Old Duck") is bare.find("Claude 3 Haiku") is None
    assert bare.find("claude-duck-haiku-3")
    assert bare.generate_aliases(models[0]) == []
    assert resolver_of(*models).generate_aliases(models[0]) == ["Claude 3 Haiku", "Claude3 Haiku"]


# --- suggestions ------------------------------------------------------------------------------------


def test_suggestions_come_in_the_order_of_their_likeness() -> None:
    names = ["Duck 3.5", "duck-3-5", "Duck 3.5 Large", "Duck 3.5 Extra Large", "Duck", "Rooster"]
    ducks = resolver_of(*map(invented_model, names))
    assert ducks.get_suggestions("Duck 3.5") == [
        "Duck 3.5",
        "duck-3-5",
        "Duck 3.5 Large",
        "Duck 3.5 Extra Large",
        "Duck",
    ]
    assert ducks.get_suggestions("Duck 3.5", 2) == ["Duck 3.5", "duck-3-5"]
    assert "Rooster" not in ducks.get_suggestions("Duck 3.5", 99)
    assert ducks.get_suggestions("  Duck 3.5 ", 1) == ["Duck 3.5"]
    assert ducks.get_suggestions("§§§") == []


def test_short_names_are_given_more_leeway() -> None:
    # "abxy" shares two letters with a name of sixteen: 0.8 * 2 * 2 / 20 = 0.16; of nine: 0.246.
    names = resolver_of(invented_model("ab1234567"), invented_model("ab12345678901234"))
    assert names.get_suggestions("abxy") == ["ab1234567"]
    assert names.get_suggestions("abxyz") == []


# --- catalogues of 0.9.0 --------------------------------------------------------------------------


def test_a_catalogue_in_the_shape_of_090_is_searched_as_well() -> None:
    model_id = "anthropic.claude-haiku-4-5-20251001-v1:0"
    catalog = UnifiedCatalog.from_dict(
        {
            "models": {
                "Claude Haiku 4 5 20251001": {
                    "model_name": "Claude Haiku 4 5 20251001",
                    "provider": "Anthropic",
                    "model_id": model_id,
                    "input_modalities": ["TEXT"],
                    "output_modalities": ["TEXT"],
                    "streaming_supported": True,
                    "inference_parameters_link": None,
                    "hyperparameters_link": None,
                    "region_access": {
                        REGION: {
                            "region": REGION,
                            "has_direct_access": False,
                            "has_regional_cris": True,
                            "has_global_cris": True,
                            "model_id": None,
                            "regional_cris_profile_id": f"us.{model_id}",
                            "global_cris_profile_id": f"global.{model_id}",
                        }
                    },
                }
            },
            "metadata": {
                "source": "api",
                "retrieval_timestamp": "2026-06-17T12:00:00",
                "api_regions_queried": [REGION],
                "bundled_data_version": None,
                "cache_file_path": None,
            },
        }
    )
    old = ModelNameResolver(catalog)
    for name in (
        "Claude Haiku 4 5 20251001",
        "claude-haiku-4-5-20251001",
        "Claude Haiku 4.5",
        "Claude 4.5 Haiku",
        "Anthropic Claude Haiku 4 5 20251001",
        model_id,
        f"us.{model_id}",
        f"global.{model_id}",
        f"arn:aws:bedrock:{REGION}:123456789012:inference-profile/us.{model_id}",
    ):
        assert found_id(old, name) == model_id, name
    assert old.find(f"eu.{model_id}") is None
