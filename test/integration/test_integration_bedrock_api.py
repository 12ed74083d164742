# until 4.0.0: this file
"""Runs the three deprecated managers against the API; goes with them."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from bestehorn_llmmanager.bedrock.CRISManager import CRISManager
from bestehorn_llmmanager.bedrock.ModelManager import ModelManager
from bestehorn_llmmanager.bedrock.UnifiedModelManager import UnifiedModelManager
from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated since 0.9.0:DeprecationWarning")


def test_the_three_managers_show_one_sweep(
    bedrock: LocalBedrock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    models = ModelManager().refresh_model_data()
    asked = bedrock.count()
    profiles = CRISManager().refresh_cris_data(force_download=False)
    unified = UnifiedModelManager().refresh_unified_data()
    assert bedrock.count() == asked
    assert models.models.keys() == unified.unified_models.keys()
    ids = {key for info in profiles.cris_models.values() for key in info.inference_profiles}
    for model in unified.unified_models.values():
        assert set(model.get_inference_profiles()) <= ids
    times = {each.retrieval_timestamp for each in (models, profiles, unified)}
    assert len(times) == 1
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert {file for file in files if not file.startswith("xdg-cache/")} == {
        "docs/FoundationalModels.json",
        "docs/CRIS.json",
        "src/docs/UnifiedModels.json",
    }


def test_all_pages_and_all_source_regions_of_profiles_are_there(
    bedrock: LocalBedrock, tmp_path: Path
) -> None:
    catalog = CRISManager(json_output_path=tmp_path / "cris.json").refresh_cris_data()
    pages = [r for r in bedrock.requests if r.operation == "ListInferenceProfiles"]
    assert len({page.region for page in pages}) > 25
    nova = catalog.cris_models["US Nova Lite"]
    assert {"us-east-1", "us-east-2", "us-west-2"} <= set(nova.get_source_regions())
    assert nova.can_route_to_destination("us-west-2")


def test_a_region_that_does_not_answer_costs_no_other(
    bedrock: LocalBedrock, tmp_path: Path
) -> None:
    bedrock.fail(Fault.error("AccessDeniedException", 403), region="eu-west-1")
    catalog = ModelManager(json_output_path=tmp_path / "models.json").refresh_model_data()
    assert catalog.get_models_by_region("us-east-1")
    age = datetime.now(timezone.utc) - catalog.retrieval_timestamp
    assert age.total_seconds() < 60


def test_a_profile_file_of_the_previous_release_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cris.json"
    name = "US Anthropic Claude Haiku 4.5"
    profile = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
    data = {
        "CRIS": {
            name: {
                "inference_profile_id": profile,
                "inference_profiles": {
                    profile: {"region_mappings": {"us-east-1": ["us-east-1", "us-west-2"]}}
                },
                "model_name": name,
            }
        },
        "retrieval_timestamp": "2026-01-01T12:00:00.123456",
    }
    path.write_text(json.dumps(data))
    manager = CRISManager(json_output_path=path)
    assert manager.load_cached_data() is not None
    assert manager.get_inference_profile_for_model(name) == profile
    assert manager.get_destinations_for_source_and_model(name, "us-east-1") == [
        "us-east-1",
        "us-west-2",
    ]


@pytest.mark.aws
@pytest.mark.skipif(not os.environ.get("LLMMANAGER_TEST_AWS"), reason="needs AWS credentials")
def test_the_real_api_is_shown(tmp_path: Path) -> None:
    assert CRISManager(json_output_path=tmp_path / "cris.json").refresh_cris_data().model_count
    assert ModelManager(json_output_path=tmp_path / "m.json").refresh_model_data().model_count
