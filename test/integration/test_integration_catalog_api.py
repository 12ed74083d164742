"""Runs fetch and transformation together: against LocalBedrock, and with `-m aws` against AWS."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.bedrock.catalog.api_fetcher import BedrockAPIFetcher
from bestehorn_llmmanager.bedrock.catalog.bedrock_catalog import BedrockModelCatalog
from bestehorn_llmmanager.bedrock.catalog.transformer import CatalogTransformer
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import CatalogUnavailableError
from bestehorn_llmmanager.bedrock.models.catalog_structures import CacheMode, CatalogSource
from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo

REGIONS = ["ap-northeast-1", "eu-west-1", "us-east-1", "us-west-2"]


@pytest.fixture
def recorded(snapshot: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBedrock]:
    """An endpoint that serves exactly the snapshot that expectations are computed from."""
    with LocalBedrock(snapshot) as endpoint:
        for name, value in endpoint.environment().items():
            monkeypatch.setenv(name, value)
        yield endpoint


def catalog_of(*regions: str, **options: Any) -> BedrockModelCatalog:
    settings = {"cache_mode": CacheMode.NONE, "timeout": 20, "max_retries": 1}
    return BedrockModelCatalog(**{**settings, "regions": regions, **options})


def callable_ids(access: ModelAccessInfo) -> set[str]:
    return {i for i in (access.model_id, *access.get_cris_profile_ids()) if i}


def test_fetch_and_transformation_give_what_the_regions_list(
    recorded: LocalBedrock, snapshot: dict[str, Any]
) -> None:
    raw = BedrockAPIFetcher(AuthManager(), timeout=20).fetch_all_data(REGIONS)
    catalog = CatalogTransformer().transform_api_data(raw)
    assert catalog.get_all_regions() == REGIONS
    for region in REGIONS:
        listing = snapshot["regions"][region]
        on_demand = {
            model["modelId"]
            for model in listing["modelSummaries"]
            if "ON_DEMAND" in model["inferenceTypesSupported"]
        }
        profiles = {p["inferenceProfileId"] for p in listing["inferenceProfileSummaries"]}
        models = catalog.filter_models(region=region)
        callable_there = {i for m in models for i in callable_ids(m.region_access[region])}
        assert {m.model_id for m in models if region in m.get_direct_access_regions()} == on_demand
        assert callable_there <= on_demand | profiles
        assert {p.profile_id for m in models for p in m.profiles if region in p.routes} == profiles
    assert catalog.metadata.source is CatalogSource.API
    assert catalog.metadata.api_regions_queried == REGIONS


def test_whatever_the_catalogue_says_to_send_is_accepted(
    recorded: LocalBedrock, snapshot: dict[str, Any]
) -> None:
    catalog = catalog_of("us-east-1")
    runtime = AuthManager().get_bedrock_client("us-east-1")
    asked = catalog.list_models(
        region="us-east-1", provider="Anthropic", output_modality="TEXT", lifecycle="ACTIVE"
    )
    assert len(asked) > 5
    for model in asked:
        for identifier in callable_ids(model.region_access["us-east-1"]):
            answer = runtime.converse(
                modelId=identifier, messages=[{"role": "user", "content": [{"text": "Hi"}]}]
            )
            assert answer["output"]["message"]["role"] == "assistant"


def test_a_catalogue_asks_two_things_of_each_of_its_regions(recorded: LocalBedrock) -> None:
    catalog = catalog_of(*REGIONS)
    assert recorded.count() == 0
    assert catalog.get_model_info("Claude Haiku 4.5", "eu-west-1") is not None
    assert catalog.get_model_info("Nova Lite", "us-east-1") is not None
    assert sorted((r.region, r.operation) for r in recorded.requests) == [
        (region, operation)
        for region in REGIONS
        for operation in ("ListFoundationModels", "ListInferenceProfiles")
    ]
    metadata = catalog.get_catalog_metadata()
    assert metadata.source is CatalogSource.API
    assert metadata.unavailable_regions == {}
    age = datetime.now(timezone.utc) - metadata.retrieval_timestamp
    assert timedelta(0) <= age < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.error("AccessDeniedException", 403, "no policy allows it"), "denied"),
        (Fault.error("UnrecognizedClientException", 403), "opted_out"),
        (Fault.throttling(), "throttled"),
        (Fault.internal_error(), "failed"),
        (Fault.broken_json(), "failed"),
    ],
    ids=lambda value: value.code or value.kind if isinstance(value, Fault) else "",
)
def test_the_metadata_tell_which_region_failed_and_why(
    recorded: LocalBedrock, fault: Fault, kind: str
) -> None:
    recorded.fail(fault, region="eu-west-1", operation="ListFoundationModels")
    catalog = catalog_of("us-east-1", "eu-west-1", fallback_to_bundled=False)
    metadata = catalog.get_catalog_metadata()
    assert metadata.api_regions_queried == ["us-east-1"]
    assert {r: f.kind for r, f in metadata.unavailable_regions.items()} == {"eu-west-1": kind}
    assert list(metadata.regions_metadata) == ["us-east-1"]
    assert catalog.list_models(region="us-east-1")
    assert catalog.list_models(region="eu-west-1") == []


def test_a_region_that_fails_is_answered_for_by_the_bundle(recorded: LocalBedrock) -> None:
    recorded.fail(Fault.internal_error(), region="eu-west-1")
    catalog = catalog_of("us-east-1", "eu-west-1")
    metadata = catalog.get_catalog_metadata()
    assert metadata.regions_metadata["us-east-1"].source is CatalogSource.API
    assert metadata.regions_metadata["eu-west-1"].source is CatalogSource.BUNDLED
    assert metadata.source is CatalogSource.BUNDLED
    assert metadata.unavailable_regions["eu-west-1"].kind == "failed"
    assert catalog.is_model_available("Claude Haiku 4.5", "eu-west-1")


def test_a_region_that_hangs_costs_the_timeout_and_its_own_freshness(
    recorded: LocalBedrock,
) -> None:
    recorded.fail(Fault.hang(), region="eu-west-1")
    catalog = catalog_of("us-east-1", "eu-west-1", timeout=3, max_retries=6)
    started = time.monotonic()
    metadata = catalog.get_catalog_metadata()
    assert time.monotonic() - started < 10
    assert metadata.regions_metadata["us-east-1"].source is CatalogSource.API
    assert metadata.unavailable_regions["eu-west-1"].kind == "timeout"


def test_where_nobody_answers_and_no_bundle_may_each_source_is_named(
    recorded: LocalBedrock,
) -> None:
    recorded.fail(Fault.error("AccessDeniedException", 403, "no policy allows it"))
    catalog = catalog_of("us-east-1", "eu-west-1", fallback_to_bundled=False)
    with pytest.raises(CatalogUnavailableError, match=r"no policy allows it.*bundle"):
        catalog.ensure_catalog_available()
    assert not catalog.is_catalog_loaded


def test_the_next_refresh_heals(recorded: LocalBedrock) -> None:
    recorded.fail(Fault.throttling(), region="eu-west-1")
    catalog = catalog_of("us-east-1", "eu-west-1")
    assert "eu-west-1" in catalog.get_catalog_metadata().unavailable_regions
    recorded.clear_faults()
    healed = catalog.refresh_catalog()
    assert healed.metadata.source is CatalogSource.API
    assert healed.metadata.unavailable_regions == {}
    assert healed.metadata.api_regions_queried == ["eu-west-1", "us-east-1"]


needs_aws = [
    pytest.mark.aws,
    pytest.mark.skipif(
        not os.environ.get("LLMMANAGER_TEST_AWS"), reason="LLMMANAGER_TEST_AWS is not set"
    ),
]


class TestAgainstAws:
    pytestmark = needs_aws

    def test_two_regions_answer_and_make_a_catalogue(self) -> None:
        raw = BedrockAPIFetcher(AuthManager()).fetch_all_data(["us-east-1", "us-west-2"])
        assert raw.failed_regions == {}
        catalog = CatalogTransformer().transform_api_data(raw)
        assert catalog.get_all_regions() == ["us-east-1", "us-west-2"]
        assert catalog.model_count > 50
        assert {"Amazon", "Anthropic"} <= set(catalog.get_all_providers())

    def test_every_profile_that_is_listed_belongs_to_a_model(self) -> None:
        raw = BedrockAPIFetcher(AuthManager()).fetch_all_data(["us-east-1"])
        catalog = CatalogTransformer().transform_api_data(raw)
        listed = {p["inferenceProfileId"] for p in raw.inference_profiles["us-east-1"]}
        known = {p.profile_id for m in catalog.models.values() for p in m.profiles}
        assert known == listed

    def test_a_catalogue_of_one_region_is_of_the_api(self) -> None:
        catalog = catalog_of("us-east-1")
        assert catalog.get_catalog_metadata().source is CatalogSource.API
        assert catalog.is_model_available("Nova Micro", "us-east-1")
