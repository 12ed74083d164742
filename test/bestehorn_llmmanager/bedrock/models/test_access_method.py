"""Tests how one model's access in one region is described."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from bestehorn_llmmanager.bedrock.models.access_method import (
    AccessRecommendation,
    ModelAccessInfo,
    ModelAccessMethod,
)
from bestehorn_llmmanager.bedrock.models.deprecation import DeprecatedEnumValueWarning

DIRECT = {"has_direct_access": True, "model_id": "nova"}
REGIONAL = {"has_regional_cris": True, "regional_cris_profile_id": "eu.nova"}
GLOBAL = {"has_global_cris": True, "global_cris_profile_id": "global.nova"}


def info(*parts: dict[str, Any]) -> ModelAccessInfo:
    return ModelAccessInfo("eu-west-1", **{k: v for part in parts for k, v in part.items()})


def test_the_values_of_the_access_methods_stay() -> None:
    assert {method.name: method.value for method in ModelAccessMethod} == {
        "DIRECT": "direct",
        "REGIONAL_CRIS": "regional_cris",
        "GLOBAL_CRIS": "global_cris",
        "CRIS_ONLY": "cris_only",
        "BOTH": "both",
    }


@pytest.mark.parametrize(
    ("parts", "summary", "profiles", "legacy_method", "legacy_profile"),
    [
        ([DIRECT], "DIRECT", [], "direct", None),
        ([REGIONAL], "REGIONAL_CRIS", ["eu.nova"], "cris_only", "eu.nova"),
        ([GLOBAL], "GLOBAL_CRIS", ["global.nova"], "cris_only", "global.nova"),
        ([DIRECT, REGIONAL], "DIRECT + REGIONAL_CRIS", ["eu.nova"], "both", "eu.nova"),
        ([DIRECT, GLOBAL], "DIRECT + GLOBAL_CRIS", ["global.nova"], "both", "global.nova"),
        (
            [REGIONAL, GLOBAL],
            "REGIONAL_CRIS + GLOBAL_CRIS",
            ["eu.nova", "global.nova"],
            "cris_only",
            "eu.nova",
        ),
        (
            [DIRECT, REGIONAL, GLOBAL],
            "DIRECT + REGIONAL_CRIS + GLOBAL_CRIS",
            ["eu.nova", "global.nova"],
            "both",
            "eu.nova",
        ),
    ],
)
def test_every_combination_of_methods_is_summed_up(
    parts: list[dict[str, Any]],
    summary: str,
    profiles: list[str],
    legacy_method: str,
    legacy_profile: str | None,
) -> None:
    access = info(*parts)
    assert access.get_access_summary() == summary
    assert access.get_cris_profile_ids() == profiles
    assert access.has_any_cris_access() is bool(profiles)
    with pytest.warns(DeprecatedEnumValueWarning, match="has_direct_access"):
        assert access.access_method is ModelAccessMethod(legacy_method)
    with pytest.warns(DeprecatedEnumValueWarning, match="get_cris_profile_ids"):
        assert access.inference_profile_id == legacy_profile


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "No access method .*'eu-west-1'"),
        ({"model_id": "nova"}, "No access method"),
        ({"has_direct_access": True}, "`model_id` is needed"),
        ({"has_direct_access": True, "model_id": ""}, "`model_id` is needed"),
        ({"has_regional_cris": True}, "`regional_cris_profile_id` is needed"),
        ({"has_global_cris": True}, "`global_cris_profile_id` is needed"),
        ({**REGIONAL, "model_id": "nova"}, "'nova', but `has_direct_access` is false"),
        ({**DIRECT, "regional_cris_profile_id": "eu.nova"}, "`has_regional_cris` is false"),
        ({**DIRECT, "global_cris_profile_id": "global.nova"}, "`has_global_cris` is false"),
    ],
)
def test_flags_and_ids_must_agree(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ModelAccessInfo("eu-west-1", **fields)


@pytest.mark.parametrize(
    ("method", "model_id", "profile_id", "expected", "warns"),
    [
        ("direct", "nova", None, info(DIRECT), False),
        ("direct", "nova", "eu.nova", info(DIRECT), False),
        ("regional_cris", None, "eu.nova", info(REGIONAL), False),
        ("regional_cris", "nova", "eu.nova", info(REGIONAL), False),
        ("global_cris", None, "global.nova", info(GLOBAL), False),
        ("cris_only", None, "eu.nova", info(REGIONAL), True),
        ("both", "nova", "eu.nova", info(DIRECT, REGIONAL), True),
    ],
)
def test_the_old_pair_is_read_and_only_its_summaries_warn(
    method: str,
    model_id: str | None,
    profile_id: str | None,
    expected: ModelAccessInfo,
    warns: bool,
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        access = ModelAccessInfo.from_legacy(
            ModelAccessMethod(method), "eu-west-1", model_id, profile_id
        )
    assert access == expected
    assert [w.category for w in caught] == [DeprecatedEnumValueWarning] * warns


@pytest.mark.parametrize("method", ["direct", None, 7])
def test_what_is_no_access_method_is_refused(method: Any) -> None:
    with pytest.raises(ValueError, match="use a `ModelAccessMethod`"):
        ModelAccessInfo.from_legacy(method, "eu-west-1", "nova", "eu.nova")


@pytest.mark.parametrize(
    ("method", "ids", "missing"),
    [
        (ModelAccessMethod.DIRECT, {"inference_profile_id": "eu.nova"}, "`model_id`"),
        (ModelAccessMethod.REGIONAL_CRIS, {"model_id": "nova"}, "`regional_cris_profile_id`"),
        (ModelAccessMethod.GLOBAL_CRIS, {"model_id": "nova"}, "`global_cris_profile_id`"),
    ],
)
def test_an_old_pair_without_the_id_that_it_needs_is_refused(
    method: ModelAccessMethod, ids: dict[str, str], missing: str
) -> None:
    with pytest.raises(ValueError, match=missing):
        ModelAccessInfo.from_legacy(method, "eu-west-1", **ids)


def test_a_deprecated_property_warns_at_the_line_that_uses_it() -> None:
    with pytest.warns(DeprecatedEnumValueWarning) as caught:
        info(DIRECT).access_method  # noqa: B018
    assert caught[0].filename == __file__


def test_old_summaries_warn_at_the_line_that_uses_them() -> None:
    with pytest.warns(DeprecatedEnumValueWarning) as caught:
        ModelAccessInfo.from_legacy(ModelAccessMethod.CRIS_ONLY, "r", inference_profile_id="eu.n")
    assert caught[0].filename == __file__


def test_making_and_reading_an_access_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        access = info(DIRECT, REGIONAL)
        assert access.legacy_access_method is ModelAccessMethod.BOTH
        assert access.legacy_inference_profile_id == "eu.nova"
        repr(access)


def test_an_access_cannot_be_changed() -> None:
    access = info(DIRECT)
    with pytest.raises(AttributeError):
        access.region = "us-east-1"  # type: ignore[misc] # that is the point
    assert {access, info(DIRECT)} == {access}


def test_a_recommendation_says_what_and_why() -> None:
    recommended = AccessRecommendation(info(DIRECT), "nearest", [info(GLOBAL)])
    assert (recommended.recommended_access, recommended.rationale, recommended.alternatives) == (
        info(DIRECT),
        "nearest",
        [info(GLOBAL)],
    )
