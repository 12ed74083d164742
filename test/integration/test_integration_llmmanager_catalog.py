"""Tests a manager together with the catalogue that it loads from a live endpoint."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import LLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.exceptions import (
    ConfigurationError,
    LLMManagerError,
    RequestValidationError,
)
from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOVA = "amazon.nova-lite-v1:0"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
PROMPT = [{"role": "user", "content": [{"text": "Hi"}]}]
CONTROL_PLANE = ("ListFoundationModels", "ListInferenceProfiles")


@pytest.fixture(scope="module")
def _endpoint(snapshot: dict[str, Any]) -> Iterator[LocalBedrock]:
    with LocalBedrock({"regions": snapshot["regions"]}) as endpoint:
        yield endpoint


@pytest.fixture
def bedrock(_endpoint: LocalBedrock, monkeypatch: pytest.MonkeyPatch) -> LocalBedrock:
    _endpoint.reset()
    point_at(_endpoint, monkeypatch)
    return _endpoint


def point_at(endpoint: LocalBedrock, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in endpoint.environment().items():
        monkeypatch.setenv(name, value)


def control_plane_requests(bedrock: LocalBedrock) -> list[tuple[str, str | None]]:
    return sorted((r.operation, r.region) for r in bedrock.requests if r.operation in CONTROL_PLANE)


def listing_of(model_id: str, name: str, *types: str, profile: bool = False) -> dict[str, Any]:
    """One region that has one model, and perhaps a profile for it."""
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{model_id}"
    summary = {
        "modelArn": arn,
        "modelId": model_id,
        "modelName": name,
        "providerName": "Acme",
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "inferenceTypesSupported": list(types),
    }
    route = {
        "inferenceProfileName": f"US {name}",
        "inferenceProfileId": f"us.{model_id}",
        "inferenceProfileArn": f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{model_id}",
        "models": [{"modelArn": arn}],
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }
    listing = {"modelSummaries": [summary], "inferenceProfileSummaries": [route] if profile else []}
    return {"regions": {"us-east-1": listing}}


# --- the catalogue behind a manager -----------------------------------------------------------------


def test_exactly_the_managers_regions_are_fetched(bedrock: LocalBedrock, cache_dir: Path) -> None:
    manager = LLMManager(
        ["Nova Lite", "Claude Haiku 4.5"],
        ["us-east-1", "eu-west-1"],
        catalog_cache_directory=cache_dir,
    )
    assert control_plane_requests(bedrock) == [
        (operation, region) for operation in CONTROL_PLANE for region in ("eu-west-1", "us-east-1")
    ]
    assert manager.converse(PROMPT).success
    assert bedrock.count() == 5


def test_a_manager_with_nothing_but_models_and_regions_works_in_a_fresh_process(
    bedrock: LocalBedrock, tmp_path: Path
) -> None:
    code = """
from bestehorn_llmmanager import LLMManager
manager = LLMManager(["Claude Haiku 4.5"], ["us-east-1"])
response = manager.converse([{"role": "user", "content": [{"text": "Hi"}]}])
print(response.model_id_used, response.success)
"""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True
    )
    assert ran.stdout.split() == [f"us.{HAIKU}", "True"]
    assert ran.stderr == ""
    assert bedrock.count() == 3
    assert (tmp_path / "xdg-cache" / "bestehorn-llmmanager" / "bedrock_catalog.json").is_file()


def test_a_second_manager_reads_what_the_first_one_fetched(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    def make(*regions: str) -> LLMManager:
        return LLMManager(["Nova Lite"], regions, catalog_cache_directory=cache_dir)

    make("us-east-1")
    bedrock.reset()
    make("us-east-1")
    assert control_plane_requests(bedrock) == []
    make("us-east-1", "us-west-2")
    assert control_plane_requests(bedrock) == [
        (operation, "us-west-2") for operation in CONTROL_PLANE
    ]


def test_told_to_a_manager_asks_although_there_is_a_cache(
    bedrock: LocalBedrock, cache_dir: Path
) -> None:
    for _ in range(2):
        LLMManager(
            ["Nova Lite"], ["us-east-1"], catalog_cache_directory=cache_dir, force_refresh=True
        )
    assert len(control_plane_requests(bedrock)) == 4


def test_a_model_that_only_aws_knows_yet_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalBedrock(listing_of("acme.newest-v1:0", "Newest", "ON_DEMAND")) as endpoint:
        point_at(endpoint, monkeypatch)
        with pytest.raises(ConfigurationError, match="There is no model 'Newest'"):
            LLMManager(
                ["Newest"],
                ["us-east-1"],
                catalog_cache_mode=CacheMode.NONE,
                catalog_refresh="never",
            )
        manager = LLMManager(["Newest"], ["us-east-1"], catalog_cache_mode=CacheMode.NONE)
        assert manager.converse(PROMPT).model_id_used == "acme.newest-v1:0"


def test_a_model_that_aws_does_not_list_in_a_region_is_not_called_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with LocalBedrock(listing_of("acme.newest-v1:0", "Newest", "ON_DEMAND")) as endpoint:
        point_at(endpoint, monkeypatch)
        with pytest.raises(ConfigurationError, match="'Nova Lite' can be called in "):
            LLMManager(["Nova Lite"], ["us-east-1"], catalog_cache_mode=CacheMode.NONE)


def test_many_threads_share_one_manager(bedrock: LocalBedrock) -> None:
    manager = LLMManager(["Nova Lite"], ["us-east-1"], catalog_cache_mode=CacheMode.NONE)
    with ThreadPoolExecutor(20) as pool:
        responses = list(pool.map(lambda _: manager.converse(PROMPT), range(60)))
    assert all(response.success and len(response.attempts) == 1 for response in responses)
    assert bedrock.count("Converse", "us-east-1", NOVA) == 60
    assert len(control_plane_requests(bedrock)) == 2


def test_in_the_background_a_manager_starts_without_waiting(bedrock: LocalBedrock) -> None:
    for operation in CONTROL_PLANE:
        bedrock.fail(Fault.slow(3), operation=operation)
    started = time.monotonic()
    manager = LLMManager(
        ["Nova Lite"],
        ["us-east-1"],
        catalog_cache_mode=CacheMode.MEMORY,
        catalog_refresh="background",
    )
    assert time.monotonic() - started < 3
    assert manager.converse(PROMPT).model_id_used == NOVA
    for thread in threading.enumerate():
        if thread.name == "bedrock-catalog-refresh":
            thread.join(10)
    assert len(control_plane_requests(bedrock)) == 2


# --- refreshing -----------------------------------------------------------------------------------------


def test_after_a_refresh_calls_go_where_the_new_catalogue_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model_id = "acme.duck-v1:0"
    before = listing_of(model_id, "Duck", "ON_DEMAND")
    after = listing_of(model_id, "Duck", "INFERENCE_PROFILE", profile=True)
    with LocalBedrock(before) as old, LocalBedrock(after) as new:
        point_at(old, monkeypatch)
        manager = LLMManager(["Duck"], ["us-east-1"], catalog_cache_mode=CacheMode.NONE)
        assert manager.converse(PROMPT).model_id_used == model_id
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", new.url)
        manager.refresh_model_data()
        info = manager.get_model_access_info("Duck", "us-east-1")
        assert info is not None
        assert info["access_methods"] == ["regional_cris"]
        assert control_plane_requests(new) == [(name, "us-east-1") for name in CONTROL_PLANE]
        with pytest.raises(
            RequestValidationError, match="identifier is invalid"
        ):  # the old endpoint does not have the profile
            manager.converse(PROMPT)
        assert old.requests[-1].model_id == f"us.{model_id}"


@pytest.mark.parametrize("mode", CacheMode)
def test_a_refresh_that_fails_leaves_the_manager_working(
    bedrock: LocalBedrock, cache_dir: Path, mode: CacheMode
) -> None:
    manager = LLMManager(
        ["Claude Haiku 4.5"],
        ["us-east-1"],
        catalog_cache_mode=mode,
        catalog_cache_directory=cache_dir,
    )
    before = manager.get_model_access_info("Claude Haiku 4.5", "us-east-1")
    for operation in CONTROL_PLANE:
        bedrock.fail(Fault.access_denied(), operation=operation)
    manager.refresh_model_data()
    assert len(control_plane_requests(bedrock)) == 4
    assert manager.get_model_access_info("Claude Haiku 4.5", "us-east-1") == before
    assert manager.converse(PROMPT).model_id_used == f"us.{HAIKU}"


def test_a_refresh_after_which_nothing_can_be_called_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        LocalBedrock(listing_of("acme.duck-v1:0", "Duck", "ON_DEMAND")) as old,
        LocalBedrock(listing_of("acme.goose-v1:0", "Goose", "ON_DEMAND")) as new,
    ):
        point_at(old, monkeypatch)
        manager = LLMManager(["Duck"], ["us-east-1"], catalog_cache_mode=CacheMode.NONE)
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", new.url)
        with pytest.raises(LLMManagerError, match="'Duck'"):
            manager.refresh_model_data()
        assert manager.converse(PROMPT).model_id_used == "acme.duck-v1:0"


# --- AWS Lambda -----------------------------------------------------------------------------------------


@pytest.fixture
def lambda_like(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A function's surroundings: a home that cannot be written, and a directory that can."""
    file = tmp_path / "a-file"
    file.write_text("")
    monkeypatch.setenv("HOME", str(file / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "function")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12")
    return tmp_path / "tmp"


def test_on_lambda_a_warm_manager_reads_what_the_cold_one_left_below_tmp(
    bedrock: LocalBedrock, lambda_like: Path, fallback: Path
) -> None:
    LLMManager(["Nova Lite"], ["us-east-1"])
    assert len(control_plane_requests(bedrock)) == 2
    manager = LLMManager(["Nova Lite"], ["us-east-1"])
    assert manager.converse(PROMPT).success
    assert len(control_plane_requests(bedrock)) == 2
    assert [path.name for path in fallback.glob("*.json")] == ["bedrock_catalog.json"]


def test_on_lambda_the_cache_may_be_put_below_tmp(bedrock: LocalBedrock, lambda_like: Path) -> None:
    for _ in range(2):
        manager = LLMManager(["Nova Lite"], ["us-east-1"], catalog_cache_directory=lambda_like)
        assert manager.converse(PROMPT).success
    assert len(control_plane_requests(bedrock)) == 2
    written = json.loads((lambda_like / "bedrock_catalog.json").read_text())
    assert written["metadata"]["api_regions_queried"] == ["us-east-1"]


def test_on_lambda_without_cache_and_control_plane_the_bundle_is_enough(
    bedrock: LocalBedrock, lambda_like: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", f"http://127.0.0.1:{port}")
    before = set(tmp_path.rglob("*"))
    started = time.monotonic()
    manager = LLMManager(
        ["Nova Lite", "Claude Haiku 4.5"],
        ["us-east-1", "us-west-2"],
        catalog_cache_mode=CacheMode.NONE,
        timeout=2,
    )
    assert time.monotonic() - started < 3
    assert manager.converse(PROMPT).model_id_used == NOVA
    assert control_plane_requests(bedrock) == []
    assert set(tmp_path.rglob("*")) == before
