"""Tests which profile is sorted to which model; plain values, no I/O."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.correlators.model_cris_correlator import ModelCRISCorrelator
from bestehorn_llmmanager.bedrock.models.arns import BedrockArn, parse_arn
from bestehorn_llmmanager.bedrock.models.model_details import ANY_REGION, InferenceProfile

correlate = ModelCRISCorrelator().correlate


def model_arn(model_id: str, region: str) -> str:
    return f"arn:aws:bedrock:{region}::foundation-model/{model_id}"


def profile(profile_id: str, model_id: str, *destinations: str, **changes: Any) -> dict[str, Any]:
    return {
        "inferenceProfileId": profile_id,
        "inferenceProfileName": profile_id.upper(),
        "models": [{"modelArn": model_arn(model_id, region)} for region in destinations],
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
        **changes,
    }


NOVA = "amazon.nova-lite-v1:0"


def test_a_profile_belongs_to_the_model_that_its_arn_names_whatever_its_own_name_is() -> None:
    misleading = profile(
        "us.anthropic.claude-opus-v1:0",
        NOVA,
        "us-east-1",
        inferenceProfileName="US Anthropic Claude Opus",
    )
    found = correlate({"us-east-1": [misleading]})
    assert list(found.profiles) == [NOVA]
    assert found.problems == []


def test_every_region_that_lists_a_profile_is_a_source_with_its_own_destinations() -> None:
    found = correlate(
        {
            "us-west-2": [profile(f"us.{NOVA}", NOVA, "us-west-2", "us-east-1")],
            "us-east-1": [profile(f"us.{NOVA}", NOVA, "us-east-1", "us-east-2")],
        }
    )
    assert found.profiles == {
        NOVA: [
            InferenceProfile(
                f"us.{NOVA}",
                f"US.{NOVA.upper()}",
                "us",
                {"us-east-1": ["us-east-1", "us-east-2"], "us-west-2": ["us-west-2", "us-east-1"]},
            )
        ]
    }


def test_a_destination_that_is_named_twice_counts_once() -> None:
    found = correlate({"eu-west-1": [profile("eu.n", "n", "eu-west-1", "eu-west-1", "eu-west-3")]})
    assert found.profiles["n"][0].routes == {"eu-west-1": ["eu-west-1", "eu-west-3"]}


def test_an_arn_without_a_region_stands_for_any() -> None:
    found = correlate({"eu-west-1": [profile("moon.n", "n", "", "eu-west-1")]})
    [moon] = found.profiles["n"]
    assert moon.routes == {"eu-west-1": [ANY_REGION, "eu-west-1"]}
    assert moon.is_global


@pytest.mark.parametrize(
    ("profile_id", "geography"),
    [
        ("eu.amazon.nova-lite-v1:0", "eu"),
        ("moon.amazon.nova-lite-v1:0", "moon"),
        ("us-gov.amazon.nova-lite-v1:0", "us-gov"),
        ("outer.moon.amazon.nova-lite-v1:0", "outer.moon"),
        ("eu.amazon.nova-lite-fast", "eu"),
    ],
)
def test_the_geography_is_what_stands_before_the_model_id(profile_id: str, geography: str) -> None:
    found = correlate({"eu-west-1": [profile(profile_id, NOVA, "eu-west-1")]})
    assert found.profiles[NOVA][0].geography == geography


def test_the_profiles_of_a_model_come_sorted() -> None:
    listed = [profile(f"{prefix}.n", "n", "us-east-1") for prefix in ("us", "global", "apac")]
    found = correlate({"us-east-1": listed})
    assert [p.profile_id for p in found.profiles["n"]] == ["apac.n", "global.n", "us.n"]


def test_the_status_is_kept() -> None:
    found = correlate({"us-east-1": [profile("us.n", "n", "us-east-1", status="NEWER")]})
    assert found.profiles["n"][0].status == "NEWER"


def test_a_profile_without_name_or_status_is_active_and_named_by_its_id() -> None:
    bare = profile("us.n", "n", "us-east-1")
    del bare["inferenceProfileName"], bare["status"]
    [found] = correlate({"us-east-1": [bare]}).profiles["n"]
    assert (found.name, found.status) == ("us.n", "ACTIVE")


@pytest.mark.parametrize(
    ("summary", "problem"),
    [
        (None, "no `inferenceProfileId`"),
        ("us.n", "no `inferenceProfileId`"),
        ({}, "no `inferenceProfileId`"),
        (profile("", "n", "us-east-1"), "no `inferenceProfileId`"),
        (profile("us.n", "n", inferenceProfileId=7), "no `inferenceProfileId`"),
        (profile("us.n", "n"), "'us.n' in us-east-1 names no foundation model"),
        (profile("us.n", "n", models=None), "names no foundation model"),
        (profile("us.n", "n", models="n"), "names no foundation model"),
        (profile("us.n", "n", models=[7, {}, {"modelArn": None}]), "names no foundation model"),
        (profile("us.n", "n", models=[{"modelArn": "n"}]), "names no foundation model"),
        (
            profile("us.n", "n", models=[{"modelArn": "arn:aws:bedrock:r:1:custom-model/n"}]),
            "names no foundation model",
        ),
    ],
)
def test_a_profile_that_names_no_model_is_left_out_and_said_so(summary: Any, problem: str) -> None:
    good = profile("us.good", "good", "us-east-1")
    found = correlate({"us-east-1": [summary, good]})
    assert list(found.profiles) == ["good"]
    [said] = found.problems
    assert problem in said


def test_a_profile_that_names_two_models_goes_to_the_first_and_is_said_so() -> None:
    odd = profile("us.n", "n", "us-east-1")
    odd["models"].append({"modelArn": model_arn("other", "us-east-1")})
    found = correlate({"us-east-1": [odd]})
    assert list(found.profiles) == ["n"]
    assert found.problems == ["inference profile 'us.n' in us-east-1 names several models"]


@given(st.permutations(["us-east-1", "us-west-2", "eu-west-1"]), st.randoms())
def test_the_order_of_regions_and_of_summaries_does_not_matter(
    regions: list[str], random: Any
) -> None:
    listing = [
        profile("us.n", "n", "us-east-1"),
        profile("us.m", "m", "us-east-1", "us-west-2"),
        profile("global.n", "n", ""),
    ]
    expected = correlate(dict.fromkeys(["eu-west-1", "us-east-1", "us-west-2"], listing))
    shuffled = {region: random.sample(listing, k=3) for region in regions}
    assert correlate(shuffled).profiles == expected.profiles


@pytest.mark.parametrize(
    ("text", "arn"),
    [
        (
            "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0",
            BedrockArn("aws", "eu-west-1", "", "foundation-model", NOVA),
        ),
        (
            "arn:aws:bedrock:::foundation-model/amazon.nova-lite-v1:0",
            BedrockArn("aws", "", "", "foundation-model", NOVA),
        ),
        (
            "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:custom-model/a/b:c",
            BedrockArn("aws-us-gov", "us-gov-west-1", "123456789012", "custom-model", "a/b:c"),
        ),
        ("arn:aws:s3:::bucket/key", None),
        ("arn:aws:bedrock:eu-west-1::foundation-model", None),
        ("arn:aws:bedrock:eu-west-1::foundation-model/", None),
        ("arn:aws:bedrock:eu-west-1::/nova", None),
        ("urn:aws:bedrock:eu-west-1::foundation-model/nova", None),
        ("amazon.nova-lite-v1:0", None),
        ("", None),
    ],
)
def test_an_arn_is_taken_apart(text: str, arn: BedrockArn | None) -> None:
    assert parse_arn(text) == arn
