"""Tests which regions there are, and how documentation's spelling of them is read."""

from __future__ import annotations

import boto3
import pytest

from bestehorn_llmmanager.bedrock.models.aws_regions import (
    AWSRegions,
    get_all_regions,
    get_commercial_regions,
    is_cross_region_inference,
    normalize_region_name,
)

FIRST = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "ca-central-1",
    "sa-east-1",
]


def test_the_regions_of_earlier_releases_come_first_in_their_order() -> None:
    assert get_all_regions()[: len(FIRST)] == FIRST


def test_each_region_is_there_once_under_its_own_constant() -> None:
    regions = get_all_regions()
    assert len(set(regions)) == len(regions) == 35
    assert [getattr(AWSRegions, region.upper().replace("-", "_")) for region in regions] == regions


def test_commercial_regions_are_all_but_govcloud() -> None:
    left_out = set(get_all_regions()) - set(get_commercial_regions())
    assert left_out == {"us-gov-east-1", "us-gov-west-1"}


def test_every_region_of_bedrock_that_boto3_knows_is_listed() -> None:
    assert set(boto3.Session().get_available_regions("bedrock")) <= set(get_commercial_regions())


@pytest.mark.parametrize("function", [get_all_regions, get_commercial_regions])
def test_a_caller_may_change_the_list_it_got(function: object) -> None:
    assert callable(function)
    before = list(function())
    function().clear()
    assert function() == before


@pytest.mark.parametrize(
    ("text", "region", "marked"),
    [
        ("us-east-1", "us-east-1", False),
        (" us-east-1* ", "us-east-1", True),
        ("us-east-1 **", "us-east-1", True),
        ("us-*east", "us-*east", False),
        ("*", "", True),
        ("", "", False),
    ],
)
def test_the_mark_of_cross_region_inference_is_read_and_removed(
    text: str, region: str, *, marked: bool
) -> None:
    assert normalize_region_name(text) == region
    assert is_cross_region_inference(text) is marked
