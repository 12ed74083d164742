"""A small Bedrock of two regions, served by one LocalBedrock that every test gets afresh."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.testing import LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOVA = "amazon.nova-lite-v1:0"
CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"


def _model(region: str, model_id: str, name: str, provider: str, **changes: Any) -> dict[str, Any]:
    return {
        "modelArn": f"arn:aws:bedrock:{region}::foundation-model/{model_id}",
        "modelId": model_id,
        "modelName": name,
        "providerName": provider,
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "customizationsSupported": [],
        "inferenceTypesSupported": ["ON_DEMAND"],
        "modelLifecycle": {"status": "ACTIVE"},
        **changes,
    }


def _profile(region: str, profile_id: str, model_id: str) -> dict[str, Any]:
    return {
        "inferenceProfileName": profile_id,
        "inferenceProfileId": profile_id,
        "inferenceProfileArn": (
            f"arn:aws:bedrock:{region}:123456789012:inference-profile/{profile_id}"
        ),
        "models": [{"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{model_id}"}],
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
        "createdAt": "2025-12-02T00:00:00+00:00",
    }


def _region(region: str, geography: str) -> dict[str, Any]:
    retired = {"status": "LEGACY", "endOfLifeTime": "2026-01-01T00:00:00Z"}
    return {
        "modelSummaries": [
            _model(region, NOVA, "Nova Lite", "Amazon", customizationsSupported=["FINE_TUNING"]),
            _model(
                region,
                CLAUDE,
                "Claude Sonnet 4.5",
                "Anthropic",
                inferenceTypesSupported=["INFERENCE_PROFILE"],
            ),
            _model(
                region,
                "amazon.titan-embed-text-v2:0",
                "Titan Text Embeddings V2",
                "Amazon",
                outputModalities=["EMBEDDING"],
            ),
            _model(
                region,
                "mistral.mistral-silent-v1:0",
                "Mistral Silent",
                "Mistral AI",
                responseStreamingSupported=False,
            ),
            _model(region, "ai21.jamba-v1:0", "Jamba", "AI21 Labs", modelLifecycle=retired),
        ],
        "inferenceProfileSummaries": [
            _profile(region, f"{geography}.{NOVA}", NOVA),
            _profile(region, f"{geography}.{CLAUDE}", CLAUDE),
            _profile(region, f"global.{CLAUDE}", CLAUDE),
        ],
    }


@pytest.fixture(scope="session")
def snapshot() -> dict[str, Any]:
    return {
        "regions": {
            "us-east-1": _region("us-east-1", "us"),
            "eu-west-1": _region("eu-west-1", "eu"),
        }
    }


@pytest.fixture(scope="session")
def _running(snapshot: dict[str, Any]) -> Iterator[LocalBedrock]:
    june = datetime(2026, 6, 1, tzinfo=timezone.utc)
    with LocalBedrock(snapshot, record_bodies=True, now=lambda: june) as bedrock:
        yield bedrock


@pytest.fixture
def bedrock(_running: LocalBedrock) -> LocalBedrock:
    _running.reset()
    return _running


@pytest.fixture(scope="session")
def _clients() -> dict[tuple[str, str], Any]:
    return {}


@pytest.fixture
def client(bedrock: LocalBedrock, _clients: dict[tuple[str, str], Any]) -> Callable[..., Any]:
    """Makes clients that try once and give up after a second."""
    from botocore.config import Config

    impatient = Config(retries={"total_max_attempts": 1}, read_timeout=1)

    def make(service: str = "bedrock-runtime", region: str = "us-east-1") -> Any:
        if (service, region) not in _clients:
            _clients[service, region] = bedrock.client(service, region, config=impatient)
        return _clients[service, region]

    return make


@pytest.fixture
def needs(client: Callable[..., Any]) -> Callable[..., None]:
    """Skips the test where the installed botocore does not know a shape or its members."""

    def skip_unless_known(service: str, shape: str, *members: str) -> None:
        from botocore.model import NoShapeFoundError

        try:
            known = client(service).meta.service_model.shape_for(shape).members
        except NoShapeFoundError:
            known = {}
        if not known or set(members) - set(known):
            pytest.skip(f"The installed botocore does not know {shape} {members}")

    return skip_unless_known
