"""The listings and look-ups of the service `bedrock`, through boto3."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from bestehorn_llmmanager.testing import LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOVA_ARN = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"


def test_the_models_of_the_snapshot_are_listed(
    client: Callable[..., Any], snapshot: dict[str, Any]
) -> None:
    listed = client("bedrock").list_foundation_models()["modelSummaries"]
    expected = snapshot["regions"]["us-east-1"]["modelSummaries"]
    assert [model["modelArn"] for model in listed] == [model["modelArn"] for model in expected]


def test_the_dates_of_a_model_arrive_as_dates(
    client: Callable[..., Any], needs: Callable[..., None]
) -> None:
    needs("bedrock", "FoundationModelLifecycle", "endOfLifeTime")
    jamba = client("bedrock").get_foundation_model(modelIdentifier="ai21.jamba-v1:0")
    assert jamba["modelDetails"]["modelLifecycle"]["endOfLifeTime"].year == 2026


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"byProvider": "amazon"}, ["Nova Lite", "Titan Text Embeddings V2"]),
        ({"byCustomizationType": "FINE_TUNING"}, ["Nova Lite"]),
        ({"byOutputModality": "EMBEDDING"}, ["Titan Text Embeddings V2"]),
        ({"byInferenceType": "ON_DEMAND", "byProvider": "Anthropic"}, []),
        ({"byInferenceType": "PROVISIONED"}, []),
    ],
)
def test_models_are_filtered(
    client: Callable[..., Any], filters: dict[str, str], names: list[str]
) -> None:
    listed = client("bedrock").list_foundation_models(**filters)["modelSummaries"]
    assert [model["modelName"] for model in listed] == names


def test_pages_together_are_the_whole_listing(client: Callable[..., Any]) -> None:
    bedrock = client("bedrock")
    whole = bedrock.list_inference_profiles()["inferenceProfileSummaries"]
    pages = bedrock.get_paginator("list_inference_profiles").paginate(
        PaginationConfig={"PageSize": 2}
    )
    parts = [page["inferenceProfileSummaries"] for page in pages]
    assert [len(part) for part in parts] == [2, 1]
    assert [profile for part in parts for profile in part] == whole


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"nextToken": "made-up"}, "nextToken is invalid"),
        ({"nextToken": "ZXUtd2VzdC0xOjI="}, "nextToken is invalid"),  # from another region
        ({"typeEquals": "OTHER"}, "'typeEquals' failed to satisfy constraint: .* enum value set"),
        ({"maxResults": 1001}, "'maxResults' .* less than or equal to 1000"),
    ],
)
def test_a_listing_refuses_what_the_service_refuses(
    client: Callable[..., Any], needs: Callable[..., None], options: dict[str, Any], sentence: str
) -> None:
    needs("bedrock", "ListInferenceProfilesRequest", *options)
    with pytest.raises(ClientError, match=f"ValidationException.*{sentence}"):
        client("bedrock").list_inference_profiles(**options)


def test_a_model_is_found_by_id_and_by_arn(client: Callable[..., Any]) -> None:
    bedrock = client("bedrock")
    by_id = bedrock.get_foundation_model(modelIdentifier="amazon.nova-lite-v1:0")
    by_arn = bedrock.get_foundation_model(modelIdentifier=NOVA_ARN)
    assert by_id["modelDetails"] == by_arn["modelDetails"]
    assert by_id["modelDetails"]["modelArn"] == NOVA_ARN


def test_an_unknown_model_is_not_found(client: Callable[..., Any]) -> None:
    with pytest.raises(ClientError, match="The provided model identifier is invalid"):
        client("bedrock").get_foundation_model(modelIdentifier="amazon.unheard-of-v1:0")


def test_a_profile_is_found_by_id_and_by_arn(client: Callable[..., Any]) -> None:
    bedrock = client("bedrock")
    by_id = bedrock.get_inference_profile(inferenceProfileIdentifier="us.amazon.nova-lite-v1:0")
    arn = by_id["inferenceProfileArn"]
    by_arn = bedrock.get_inference_profile(inferenceProfileIdentifier=arn)
    assert by_arn["inferenceProfileId"] == "us.amazon.nova-lite-v1:0"
    assert by_arn["models"] == [{"modelArn": NOVA_ARN}]


@pytest.mark.parametrize(
    "identifier",
    [
        "jp.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
        "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0",
    ],
)
def test_an_unknown_profile_is_not_found(client: Callable[..., Any], identifier: str) -> None:
    bedrock = client("bedrock")
    with pytest.raises(bedrock.exceptions.ResourceNotFoundException):
        bedrock.get_inference_profile(inferenceProfileIdentifier=identifier)


def test_a_registered_application_profile_names_its_model(
    bedrock: LocalBedrock, client: Callable[..., Any], needs: Callable[..., None]
) -> None:
    needs("bedrock", "ListInferenceProfilesRequest", "typeEquals")
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    control_plane = client("bedrock")
    control_plane.list_inference_profiles(typeEquals="APPLICATION")
    bedrock.register_target(arn, "amazon.nova-lite-v1:0")
    found = control_plane.get_inference_profile(inferenceProfileIdentifier=arn)
    assert (found["type"], found["models"]) == ("APPLICATION", [{"modelArn": NOVA_ARN}])
    listed = control_plane.list_inference_profiles(typeEquals="APPLICATION")
    assert [p["inferenceProfileArn"] for p in listed["inferenceProfileSummaries"]] == [arn]
    elsewhere = client("bedrock", "eu-west-1").list_inference_profiles(typeEquals="APPLICATION")
    assert elsewhere["inferenceProfileSummaries"] == []


def test_the_region_is_that_of_the_signature(client: Callable[..., Any]) -> None:
    listed = client("bedrock", "eu-west-1").list_foundation_models()["modelSummaries"]
    assert {model["modelArn"].split(":")[3] for model in listed} == {"eu-west-1"}


def test_a_region_outside_of_the_snapshot_is_not_enabled(client: Callable[..., Any]) -> None:
    with pytest.raises(ClientError, match=r"UnrecognizedClientException.*security token") as caught:
        client("bedrock", "ap-south-1").list_foundation_models()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize("name", ["snapshot.json", "snapshot.json.gz"])
def test_the_snapshot_may_be_a_file(tmp_path: Path, snapshot: dict[str, Any], name: str) -> None:
    text = json.dumps(snapshot).encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    with LocalBedrock(tmp_path / name) as bedrock:
        assert len(bedrock.client("bedrock").list_foundation_models()["modelSummaries"]) == 5


def test_a_snapshot_of_the_wrong_shape_is_an_error_on_record(snapshot: dict[str, Any]) -> None:
    nova = {**snapshot["regions"]["us-east-1"]["modelSummaries"][0], "modelName": 7}
    with LocalBedrock({"regions": {"us-east-1": {"modelSummaries": [nova]}}}) as bedrock:
        from botocore.config import Config

        once = Config(retries={"total_max_attempts": 1})
        with pytest.raises(ClientError, match="InternalServerException"):
            bedrock.client("bedrock", config=once).list_foundation_models()
        assert "modelName" in bedrock.errors[0]
