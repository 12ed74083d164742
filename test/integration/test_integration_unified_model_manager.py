# until 4.0.0: this file
"""Runs `UnifiedModelManager` together with `LLMManager` and other processes; goes with it."""

from __future__ import annotations

import json
import logging
import pickle
import subprocess
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import LLMManager, create_user_message
from bestehorn_llmmanager.bedrock.exceptions import ConfigurationError, LLMManagerError
from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo
from bestehorn_llmmanager.bedrock.UnifiedModelManager import UnifiedModelManager

if TYPE_CHECKING:
    from pathlib import Path

    from bestehorn_llmmanager.testing import LocalBedrock

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated since 0.9.0:DeprecationWarning")

HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
MESSAGES = [create_user_message().add_text("Hi").build()]


class StandIn:
    """What an application may give instead of the manager: the four methods, nothing else."""

    def __init__(self, *, cached: bool = True, refreshed: bool = True) -> None:
        self.cached = cached
        self.refreshed = refreshed
        self.calls: list[str] = []
        self.profile = HAIKU

    def load_cached_data(self) -> object:
        self.calls.append("load")
        if not self.cached:
            raise RuntimeError("nothing is cached")
        return object()

    def refresh_unified_data(self) -> object:
        self.calls.append("refresh")
        if not self.refreshed:
            raise RuntimeError("nothing to be had")
        return object()

    def get_model_names(self) -> list[str]:
        return ["My Haiku"]

    def get_model_access_info(self, model_name: str, region: str) -> ModelAccessInfo | None:
        if (model_name, region) not in {("My Haiku", "us-east-1"), ("Unlisted", "us-east-1")}:
            return None
        return ModelAccessInfo(
            region, has_regional_cris=True, regional_cris_profile_id=self.profile
        )


def manager_with(stand_in: object, *models: str) -> LLMManager:
    regions = ["us-east-1", "eu-west-1"]
    return LLMManager(models or ["My Haiku"], regions, unified_model_manager=stand_in)


def test_a_manager_of_models_that_read_its_file_is_enough(
    bedrock: LocalBedrock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    models = UnifiedModelManager(tmp_path / "unified.json")
    models.refresh_unified_data()
    asked = bedrock.count()
    with caplog.at_level(logging.WARNING):
        manager = manager_with(UnifiedModelManager(tmp_path / "unified.json"), "Claude Haiku 4.5")
    assert bedrock.count() == asked
    assert "unified_model_manager" in caplog.text
    response = manager.converse(MESSAGES)
    assert response.success
    assert bedrock.requests[-1].model_id == HAIKU
    assert manager.validate_configuration()["model_region_combinations"] == 2


@pytest.mark.parametrize("model", ["My Haiku", "Unlisted"])
def test_a_stand_in_says_what_is_called(bedrock: LocalBedrock, model: str) -> None:
    stand_in = StandIn()
    manager = manager_with(stand_in, model)
    assert stand_in.calls == ["load"]
    assert manager.converse(MESSAGES).success
    assert [(request.operation, request.model_id) for request in bedrock.requests] == [
        ("Converse", HAIKU)
    ]
    assert manager.get_model_access_info(model, "us-east-1") == {
        "access_methods": ["regional_cris"],
        "model_id": None,
        "regional_cris_profile_id": HAIKU,
        "global_cris_profile_id": None,
        "region": "us-east-1",
    }
    assert manager.get_model_access_info(model, "eu-west-1") is None


def test_a_stand_in_without_cached_data_is_asked_to_refresh() -> None:
    stand_in = StandIn(cached=False)
    manager_with(stand_in)
    assert stand_in.calls == ["load", "refresh"]


def test_a_stand_in_without_any_data_is_a_wrong_configuration() -> None:
    with pytest.raises(ConfigurationError, match="nothing to be had"):
        manager_with(StandIn(cached=False, refreshed=False))


def test_a_model_that_a_stand_in_does_not_know_is_told_with_those_that_it_knows() -> None:
    with pytest.raises(ConfigurationError, match=r"Nova.*My Haiku"):
        manager_with(StandIn(), "Nova Lite")


def test_a_refresh_of_the_manager_refreshes_the_stand_in(bedrock: LocalBedrock) -> None:
    stand_in = StandIn()
    manager = manager_with(stand_in)
    stand_in.profile = "us.amazon.nova-lite-v1:0"
    manager.refresh_model_data()
    assert stand_in.calls == ["load", "refresh"]
    manager.converse(MESSAGES)
    assert bedrock.requests[-1].model_id == "us.amazon.nova-lite-v1:0"
    stand_in.refreshed = False
    with pytest.raises(LLMManagerError, match="nothing to be had"):
        manager.refresh_model_data()
    assert manager.converse(MESSAGES).success


def test_a_pickled_manager_takes_the_data_along_but_not_the_stand_in(bedrock: LocalBedrock) -> None:
    stand_in = StandIn()
    stand_in.unpicklable = lambda: None  # type: ignore[attr-defined]  # that is the point
    manager = pickle.loads(pickle.dumps(manager_with(stand_in)))
    assert manager.converse(MESSAGES).success
    assert bedrock.requests[-1].model_id == HAIKU
    assert manager.get_model_access_info("My Haiku", "us-east-1") is not None


ENTRY_OF_OLD = {
    "model_name": "Nova",
    "provider": "Amazon",
    "model_id": "amazon.nova-lite-v1:0",
    "input_modalities": ["TEXT"],
    "output_modalities": ["TEXT"],
    "streaming_supported": True,
    "inference_parameters_link": None,
    "hyperparameters_link": None,
    "region_access": {
        "us-east-1": {
            "region": "us-east-1",
            "has_direct_access": True,
            "has_regional_cris": True,
            "has_global_cris": False,
            "model_id": "amazon.nova-lite-v1:0",
            "regional_cris_profile_id": "us.amazon.nova-lite-v1:0",
            "global_cris_profile_id": None,
            "access_method": "both",
            "inference_profile_id": "us.amazon.nova-lite-v1:0",
        }
    },
}


def test_a_file_of_the_previous_release_is_read(tmp_path: Path) -> None:
    now = datetime.now(timezone.utc).astimezone().replace(tzinfo=None)
    data: dict[str, Any] = {
        "retrieval_timestamp": now.isoformat(),
        "unified_models": {"Nova": ENTRY_OF_OLD},
    }
    path = tmp_path / "unified.json"
    path.write_text(json.dumps(data, indent=2, sort_keys=True))
    manager = UnifiedModelManager(path)
    assert manager.get_cache_status()["status"] == "valid"
    assert manager.ensure_data_available().get_model_names() == ["Nova"]
    access = manager.get_model_access_info("Nova", "us-east-1")
    assert access is not None
    assert access.get_access_summary() == "DIRECT + REGIONAL_CRIS"


def test_another_process_reads_what_one_wrote(bedrock: LocalBedrock, tmp_path: Path) -> None:
    UnifiedModelManager(tmp_path / "unified.json").refresh_unified_data()
    asked = bedrock.count()
    code = """
import sys, warnings
warnings.simplefilter("ignore")
from bestehorn_llmmanager.bedrock.UnifiedModelManager import UnifiedModelManager
manager = UnifiedModelManager(sys.argv[1])
manager.ensure_data_available()
print(manager.get_model_access_info("Claude Haiku 4.5", "us-east-1").regional_cris_profile_id)
"""
    program = [sys.executable, "-c", code, str(tmp_path / "unified.json")]
    done = subprocess.run(program, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == HAIKU
    assert bedrock.count() == asked
