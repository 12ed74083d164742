# until 4.0.0: this file
"""Tests the deprecated `CRISManager` and its structures; goes with them."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager import __version__
from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog, CacheMode
from bestehorn_llmmanager.bedrock.CRISManager import CRISManager, CRISManagerError
from bestehorn_llmmanager.bedrock.exceptions import LLMManagerError
from bestehorn_llmmanager.bedrock.models.aws_regions import get_commercial_regions
from bestehorn_llmmanager.bedrock.models.cris_constants import CRISGlobalConstants, CRISURLs
from bestehorn_llmmanager.bedrock.models.cris_regional_structures import (
    CRISMultiRegionalModel,
    CRISRegionalVariant,
)
from bestehorn_llmmanager.bedrock.models.cris_structures import (
    CRISCatalog,
    CRISInferenceProfile,
    CRISModelInfo,
)
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from bestehorn_llmmanager.testing import LocalBedrock

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated since 0.9.0:DeprecationWarning")

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
MARKER = CRISGlobalConstants.COMMERCIAL_REGIONS_MARKER
US = CRISInferenceProfile(
    "us.nova", {"us-west-2": ["us-west-2", "us-east-1"], "us-east-1": ["us-east-1"]}
)
EU = CRISInferenceProfile("eu.nova", {"eu-west-1": ["eu-west-1", "eu-north-1"]})
GLOBAL = CRISInferenceProfile("global.nova", {"us-east-1": [MARKER, "us-west-2"]})
NOVA = CRISModelInfo("Nova", {"global.nova": GLOBAL, "eu.nova": EU, "us.nova": US})
LITE = CRISModelInfo("Lite 1.5", {"apac.lite": CRISInferenceProfile("apac.lite", {"a-1": ["b-1"]})})
CATALOG = CRISCatalog(NOW, {"Nova": NOVA, "Lite 1.5": LITE})


@pytest.fixture
def manager(tmp_path: Path) -> CRISManager:
    return CRISManager(json_output_path=tmp_path / "cris.json")


def test_making_one_warns_with_the_line_to_write_instead() -> None:
    with pytest.warns(DeprecationWarning, match=r"CRISManager.* 4\.0\.0") as record:
        CRISManager()
    (warning,) = record
    assert warning.filename == __file__
    assert "from bestehorn_llmmanager import BedrockModelCatalog" in str(warning.message)
    assert "get_cris_profile_ids()" in str(warning.message)


def test_the_line_to_write_instead_works() -> None:
    catalog = BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")
    access = catalog.get_model_info("Nova Lite", "us-east-1")
    assert access is not None
    assert access.get_cris_profile_ids() == ["us.amazon.nova-lite-v1:0"]


@pytest.mark.parametrize("option", [{"use_api": False}, {"documentation_url": "https://x.y"}])
def test_what_asks_for_the_documentation_warns_that_there_is_only_the_api(
    option: dict[str, Any],
) -> None:
    with pytest.warns(DeprecationWarning, match="only the API") as record:
        CRISManager(**option)
    assert [warning.filename for warning in record] == [__file__] * 2
    assert next(iter(option)) in str(record[1].message)


def test_the_arguments_are_kept_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert CRISManager().html_output_path == Path("docs/CRIS.htm")
    assert CRISManager().json_output_path == Path("docs/CRIS.json")
    assert CRISManager().documentation_url == CRISURLs.DOCUMENTATION
    other = CRISManager(Path("a.htm"), Path("a.json"), "url", 5, use_api=True, auth_manager=None)
    assert repr(other) == "CRISManager(html_path='a.htm', json_path='a.json', url='url')"
    assert not list(tmp_path.iterdir())


QUERIES: list[Callable[[CRISManager], object]] = [
    lambda manager: manager.get_models_by_source_region("us-east-1"),
    lambda manager: manager.get_models_by_destination_region("us-east-1"),
    lambda manager: manager.get_inference_profile_for_model("Nova"),
    lambda manager: manager.get_all_source_regions(),
    lambda manager: manager.get_all_destination_regions(),
    lambda manager: manager.get_model_names(),
    lambda manager: manager.get_model_count(),
    lambda manager: manager.has_model("Nova"),
    lambda manager: manager.get_destinations_for_source_and_model("Nova", "us-east-1"),
]


@pytest.mark.parametrize("query", QUERIES)
def test_before_there_is_data_queries_raise(
    manager: CRISManager, query: Callable[[CRISManager], object]
) -> None:
    with pytest.raises(CRISManagerError, match="refresh"):
        query(manager)
    assert issubclass(CRISManagerError, LLMManagerError)


def test_queries_answer_from_the_file(manager: CRISManager) -> None:
    assert manager.load_cached_data() is None
    manager.json_output_path.write_text(json.dumps(CATALOG.to_dict()))
    assert manager.load_cached_data() == CATALOG
    assert [query(manager) for query in QUERIES] == [
        {"Nova": NOVA},
        {"Nova": NOVA},
        "us.nova",
        ["a-1", "eu-west-1", "us-east-1", "us-west-2"],
        [MARKER, "b-1", "eu-north-1", "eu-west-1", "us-east-1", "us-west-2"],
        ["Lite 1.5", "Nova"],
        2,
        True,
        [MARKER, "us-east-1", "us-west-2"],
    ]
    assert manager.get_inference_profile_for_model("nova") is None
    assert manager.get_destinations_for_source_and_model("nova", "us-east-1") == []


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"CRIS": {}}', "[" * 100_000])
def test_a_bad_file_is_no_data(manager: CRISManager, content: str) -> None:
    manager.json_output_path.write_text(content)
    assert manager.load_cached_data() is None


def test_a_refresh_shows_every_profile_with_all_its_source_regions(
    bedrock: LocalBedrock, manager: CRISManager
) -> None:
    catalog = manager.refresh_cris_data()
    profiles = [p for model in BedrockModelCatalog().list_models() for p in model.profiles]
    assert len(profiles) > 100
    assert catalog.get_model_names() == sorted(profile.name for profile in profiles)
    for profile in profiles:
        shown = catalog.cris_models[profile.name].inference_profiles[profile.profile_id]
        assert shown.get_source_regions() == profile.source_regions
        assert shown.is_global is profile.is_global
        if profile.is_global:
            assert set(get_commercial_regions()) <= set(shown.get_destination_regions())
        else:
            assert shown.region_mappings == profile.routes
    assert CRISCatalog.from_dict(json.loads(manager.json_output_path.read_text())) == catalog
    assert manager.get_inference_profile_for_model("US Nova Lite") == "us.amazon.nova-lite-v1:0"


def test_where_aws_does_not_answer_the_package_does(manager: CRISManager) -> None:
    assert manager.refresh_cris_data().has_model("US Nova Lite")
    assert manager.get_model_count() > 100


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CRISManagerError, match="cannot be written"):
        CRISManager(json_output_path=tmp_path / "file" / "cris.json").refresh_cris_data()


def test_the_auth_manager_is_the_one_that_is_asked_for_credentials(
    bedrock: LocalBedrock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    keys = AuthManager(AuthConfig(AuthenticationType.CREDENTIALS, None, "AKIAEXAMPLE", "secret"))
    path = tmp_path / "cris.json"
    CRISManager(json_output_path=path).refresh_cris_data()
    assert bedrock.count() == 0
    CRISManager(json_output_path=path, auth_manager=keys).refresh_cris_data()
    assert bedrock.count() > 0


def test_odd_profiles_of_the_api_cost_no_others(manager: CRISManager, tmp_path: Path) -> None:
    profile = {"name": "US Nova (beta)", "geography": "us", "routes": {"us-east-1": ["us-east-1"]}}
    model = {
        "model_name": "Nova",
        "provider": "Amazon",
        "model_id": "nova",
        "input_modalities": [],
        "output_modalities": [],
        "streaming_supported": True,
        "profiles": [
            {**profile, "profile_id": "us.nova"},
            {**profile, "profile_id": "us.nova:1"},
            {**profile, "profile_id": "US NOVA"},
        ],
    }
    now = datetime.now(timezone.utc).isoformat()
    directory = tmp_path / "xdg-cache" / "bestehorn-llmmanager"
    directory.mkdir(parents=True, mode=0o700)
    metadata = {"source": "api", "retrieval_timestamp": now, "api_regions_queried": ["us-east-1"]}
    (directory / "bedrock_catalog.json").write_text(
        json.dumps(
            {"models": {"Nova": model}, "metadata": metadata, "package_version": __version__}
        )
    )
    catalog = manager.refresh_cris_data(force_download=False)
    info = catalog.cris_models["US Nova (beta)"]
    assert info.model_name == "US Nova  beta "
    assert info.get_all_inference_profile_ids() == ["us.nova", "us.nova:1"]


def test_the_package_gives_a_module_that_can_be_called(tmp_path: Path) -> None:
    code = """
import warnings
from bestehorn_llmmanager.bedrock import CRISManager, UnifiedModelManager
from bestehorn_llmmanager.bedrock.CRISManager import CRISManager as cris
from bestehorn_llmmanager.bedrock.UnifiedModelManager import UnifiedModelManager as unified
assert CRISManager.CRISManager is cris and UnifiedModelManager.UnifiedModelManager is unified
with warnings.catch_warnings(record=True) as record:
    warnings.simplefilter("always")
    assert type(CRISManager(use_api=True)) is cris
    assert type(UnifiedModelManager("a.json", force_download=True)) is unified
assert [warning.filename for warning in record] == ["<string>"] * 2
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_profile_answers_for_its_regions() -> None:
    assert US.get_source_regions() == ["us-east-1", "us-west-2"]
    assert US.get_destination_regions() == ["us-east-1", "us-west-2"]
    assert US.can_route_from_source("us-east-1")
    assert not US.can_route_from_source("eu-west-1")
    assert US.can_route_to_destination("us-west-2")
    assert not US.can_route_to_destination("eu-west-1")
    assert US.get_destinations_for_source("us-west-2") == ["us-west-2", "us-east-1"]
    assert US.get_destinations_for_source("eu-west-1") == []
    assert US.to_dict() == {"region_mappings": US.region_mappings}


def test_the_marker_stands_for_the_commercial_regions() -> None:
    assert GLOBAL.get_destinations_for_source("us-east-1") == [MARKER, "us-west-2"]
    expanded = GLOBAL.get_expanded_destinations_for_source("us-east-1")
    assert expanded == CRISGlobalConstants.COMMERCIAL_AWS_REGIONS
    assert GLOBAL.expand_commercial_regions_marker(["x-1"]) == ["x-1"]
    assert GLOBAL.get_expanded_destinations_for_source("eu-west-1") == []


@pytest.mark.parametrize(
    ("profile_id", "mappings"),
    [
        ("", {"a-1": ["a-1"]}),
        (" ", {"a-1": ["a-1"]}),
        ("US.nova", {"a-1": ["a-1"]}),
        ("us.nova:0:8k", {"a-1": ["a-1"]}),
        ("us.nova", {}),
        ("us.nova", {"a-1": []}),
        ("us.nova", {"A 1": ["a-1"]}),
        ("us.nova", {"a-1": ["A 1"]}),
        ("us.nova", {MARKER: ["a-1"]}),
    ],
)
def test_a_profile_of_bad_form_is_refused(profile_id: str, mappings: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError):
        CRISInferenceProfile(profile_id, mappings)
    with pytest.raises(ValueError):
        CRISRegionalVariant("US", profile_id, mappings)


def test_the_first_profile_of_a_model_is_that_of_the_us_then_eu_then_apac() -> None:
    def first(*ids: str) -> str:
        profiles = {key: CRISInferenceProfile(key, {"a-1": ["a-1"]}) for key in ids}
        return CRISModelInfo("Nova", profiles).inference_profile_id

    assert first("global.x", "apac.x", "eu.x", "us.x") == "us.x"
    assert first("global.x", "ap.x", "eu.x") == "eu.x"
    assert first("global.x", "ap.x", "apac.x") == "ap.x"
    assert first("jp.x", "global.x") == "jp.x"


def test_a_model_answers_for_its_profiles() -> None:
    assert NOVA.get_all_inference_profile_ids() == ["global.nova", "eu.nova", "us.nova"]
    assert NOVA.get_inference_profile("eu.nova") is EU
    assert NOVA.get_inference_profile("nova") is None
    assert NOVA.has_inference_profile("us.nova")
    assert NOVA.region_mappings == {
        "us-east-1": [MARKER, "us-east-1", "us-west-2"],
        "eu-west-1": ["eu-west-1", "eu-north-1"],
        "us-west-2": ["us-west-2", "us-east-1"],
    }
    assert NOVA.get_source_regions() == ["eu-west-1", "us-east-1", "us-west-2"]
    assert NOVA.can_route_from_source("eu-west-1")
    assert not NOVA.can_route_to_destination("eu-west-3")
    assert NOVA.get_destinations_for_source("us-east-1") == [MARKER, "us-east-1", "us-west-2"]
    assert NOVA.get_profiles_for_source_region("us-east-1") == ["global.nova", "us.nova"]
    assert NOVA.get_profiles_for_destination_region("eu-north-1") == ["eu.nova"]
    assert NOVA.get_regional_profiles() == {"eu.nova": EU, "us.nova": US}
    assert NOVA.get_global_profiles() == {"global.nova": GLOBAL}
    assert NOVA.get_regional_profiles_for_source("us-east-1") == ["us.nova"]
    assert NOVA.get_global_profiles_for_source("us-east-1") == ["global.nova"]


@pytest.mark.parametrize(
    ("name", "profiles"),
    [
        ("", {"us.nova": US}),
        (" ", {"us.nova": US}),
        ("a:b", {"us.nova": US}),
        ("Nova", {}),
        ("Nova", {"eu.nova": US}),
    ],
)
def test_a_model_of_bad_form_is_refused(
    name: str, profiles: dict[str, CRISInferenceProfile]
) -> None:
    with pytest.raises(ValueError):
        CRISModelInfo(name, profiles)


def test_a_model_is_written_with_its_first_profile() -> None:
    assert LITE.to_dict() == {
        "model_name": "Lite 1.5",
        "inference_profiles": {"apac.lite": {"region_mappings": {"a-1": ["b-1"]}}},
        "inference_profile_id": "apac.lite",
    }
    assert set(CATALOG.to_dict()) == {"retrieval_timestamp", "CRIS"}


REGION = st.from_regex(r"[a-z]{2}-[a-z]{4}-[1-9]", fullmatch=True)
MAPPINGS = st.dictionaries(
    REGION, st.lists(REGION | st.just(MARKER), min_size=1, max_size=3), min_size=1, max_size=3
)
PROFILE_ID = st.from_regex(r"(us|eu|global|jp)\.[a-z0-9.-]{1,8}(:[0-9a-z-]{1,3})?", fullmatch=True)


@given(st.dictionaries(PROFILE_ID, MAPPINGS, min_size=1, max_size=3))
def test_a_catalogue_of_profiles_survives_json(profiles: dict[str, dict[str, list[str]]]) -> None:
    made = {key: CRISInferenceProfile(key, routes) for key, routes in profiles.items()}
    catalog = CRISCatalog(NOW, {"Nova": CRISModelInfo("Nova", made)})
    again = CRISCatalog.from_dict(json.loads(json.dumps(catalog.to_dict())))
    assert again == catalog
    read = again.cris_models["Nova"].inference_profiles
    assert {key for key, p in read.items() if p.is_global} == {
        key for key in profiles if key.startswith("global.")
    }


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (CRISCatalog, {"CRIS": {}}),
        (CRISCatalog, {"retrieval_timestamp": "2026-01-01", "CRIS": []}),
        (CRISModelInfo, {"model_name": "Nova"}),
        (CRISModelInfo, {"model_name": "Nova", "inference_profiles": {"us.nova": {}}}),
        (CRISModelInfo, {"model_name": "Nova", "inference_profiles": {"us.nova": 1}}),
        (CRISRegionalVariant, {"region_prefix": "US"}),
        (CRISMultiRegionalModel, {"model_name": "Nova", "regional_variants": {"US": 1}}),
    ],
)
def test_what_lacks_something_is_not_read(kind: Any, data: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        kind.from_dict(data)


def test_a_model_by_geography_answers_for_its_variants() -> None:
    us = CRISRegionalVariant("US", "us.nova", US.region_mappings)
    worldwide = CRISRegionalVariant("GLOBAL", "global.nova", {"us-east-1": ["eu-west-1"]})
    model = CRISMultiRegionalModel("Nova", {"GLOBAL": worldwide, "US": us})
    assert model.inference_profile_id == "us.nova"
    assert model.get_variant_by_prefix("US") is us
    assert model.get_variant_by_prefix("EU") is None
    assert model.get_all_inference_profiles() == {"GLOBAL": "global.nova", "US": "us.nova"}
    assert model.get_regional_prefixes() == ["GLOBAL", "US"]
    assert model.has_regional_variant("GLOBAL")
    assert model.get_destinations_for_source("us-east-1") == ["eu-west-1", "us-east-1"]
    assert us.to_dict() == {
        "region_prefix": "US",
        "inference_profile_id": "us.nova",
        "region_mappings": US.region_mappings,
    }
    assert set(model.to_dict()) == {
        "model_name",
        "regional_variants",
        "inference_profile_id",
        "region_mappings",
        "all_inference_profiles",
    }
    assert CRISMultiRegionalModel.from_dict(model.to_dict()) == model
    with pytest.raises(ValueError, match="UK"):
        CRISRegionalVariant("UK", "uk.nova", {"a-1": ["a-1"]})
