# until 4.0.0: this file
"""Tests the deprecated `ModelManager`, and its structures; goes with them."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog, CacheMode
from bestehorn_llmmanager.bedrock.exceptions import LLMManagerError
from bestehorn_llmmanager.bedrock.ModelManager import ModelManager, ModelManagerError
from bestehorn_llmmanager.bedrock.models.constants import URLs
from bestehorn_llmmanager.bedrock.models.data_structures import BedrockModelInfo, ModelCatalog
from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated since 0.9.0:DeprecationWarning")

LONG_AGO = datetime(2026, 1, 1, tzinfo=timezone.utc)
NOVA = BedrockModelInfo(
    provider="Amazon",
    model_id="amazon.nova-lite-v1:0",
    regions_supported=["eu-west-1", "us-east-1"],
    input_modalities=["TEXT", "IMAGE"],
    output_modalities=["TEXT"],
    streaming_supported=True,
    inference_types_supported=["ON_DEMAND"],
)
RANK = BedrockModelInfo("Cohere", "cohere.rank", ["us-east-1"], ["TEXT"], ["TEXT"], False)
CATALOG = ModelCatalog(LONG_AGO, {"Nova Lite": NOVA, "Rank": RANK})


def written(path: Path, catalog: ModelCatalog = CATALOG) -> Path:
    path.write_text(json.dumps(catalog.to_dict()))
    return path


@pytest.fixture
def manager(tmp_path: Path) -> ModelManager:
    return ModelManager(json_output_path=tmp_path / "models.json")


def test_making_one_warns_at_the_callers_line_with_the_line_to_write_instead() -> None:
    with pytest.warns(DeprecationWarning, match=r"4\.0\.0") as record:
        ModelManager()
    (warning,) = record
    assert warning.filename == __file__
    assert "ModelManager" in str(warning.message)
    assert "from bestehorn_llmmanager import BedrockModelCatalog" in str(warning.message)
    assert "BedrockModelCatalog().list_models()" in str(warning.message)
    assert warning.category is DeprecationWarning


def test_each_line_that_makes_one_is_warned_about_once() -> None:
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("default")
        for _ in range(3):
            ModelManager()
        ModelManager()
    assert len(record) == 2


def test_a_documentation_url_warns_that_there_is_only_the_api() -> None:
    with pytest.warns(DeprecationWarning, match="only the API") as record:
        manager = ModelManager(documentation_url="https://example.com")
    assert {warning.filename for warning in record} == {__file__}
    assert len(record) == 2
    assert manager.documentation_url == "https://example.com"


def test_the_arguments_are_kept_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    manager = ModelManager()
    assert manager.html_output_path == Path("docs/FoundationalModels.htm")
    assert manager.json_output_path == Path("docs/FoundationalModels.json")
    assert manager.documentation_url == URLs.BEDROCK_MODELS_DOCUMENTATION
    other = ModelManager(Path("a.htm"), Path("a.json"), "url", 5)
    assert repr(other) == "ModelManager(html_path='a.htm', json_path='a.json', url='url')"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "query",
    [
        lambda manager: manager.get_models_by_provider("Amazon"),
        lambda manager: manager.get_models_by_region("us-east-1"),
        lambda manager: manager.get_streaming_models(),
        lambda manager: manager.get_model_count(),
    ],
)
def test_before_there_is_data_queries_raise(
    manager: ModelManager, query: Callable[[ModelManager], object]
) -> None:
    with pytest.raises(ModelManagerError, match="refresh"):
        query(manager)


def test_its_error_is_one_of_the_librarys() -> None:
    assert issubclass(ModelManagerError, LLMManagerError)
    assert str(ModelManagerError("why")) == "why"


def test_a_refresh_shows_and_writes_the_models_of_the_catalogue(
    bedrock: LocalBedrock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    manager = ModelManager()
    catalog = manager.refresh_model_data()
    models = BedrockModelCatalog().list_models()
    assert catalog.model_count == manager.get_model_count() == len(models) > 100
    for model in models:
        shown = catalog.models[model.model_name]
        assert (shown.provider, shown.model_id) == (model.provider, model.model_id)
        assert shown.regions_supported == model.get_supported_regions()
        assert shown.input_modalities == model.input_modalities
        assert shown.output_modalities == model.output_modalities
        assert shown.streaming_supported is model.streaming_supported
        assert shown.inference_types_supported == sorted(model.inference_types)
    assert json.loads(manager.json_output_path.read_text()) == catalog.to_dict()
    assert [path.name for path in (tmp_path / "docs").iterdir()] == ["FoundationalModels.json"]
    assert set(manager.get_models_by_provider("Amazon")) == {
        model.model_name for model in models if model.provider == "Amazon"
    }


def test_a_forced_refresh_asks_aws_and_another_takes_the_cache(
    bedrock: LocalBedrock, manager: ModelManager
) -> None:
    manager.refresh_model_data(force_download=False)
    asked = bedrock.count()
    assert asked > 0
    manager.refresh_model_data(force_download=False)
    assert bedrock.count() == asked
    manager.refresh_model_data()
    assert bedrock.count() == 2 * asked


def test_where_aws_does_not_answer_the_package_does(manager: ModelManager) -> None:
    catalog = manager.refresh_model_data()
    bundled = BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")
    assert catalog.retrieval_timestamp == bundled.get_catalog_metadata().retrieval_timestamp
    assert manager.get_models_by_region("us-east-1").keys() == {
        model.model_name for model in bundled.list_models(region="us-east-1")
    }


def test_where_aws_does_not_answer_newer_data_of_the_file_stays(manager: ModelManager) -> None:
    now = datetime.now(timezone.utc)
    written(manager.json_output_path, ModelCatalog(now, {"Rank": RANK}))
    assert manager.refresh_model_data().models == {"Rank": RANK}
    assert json.loads(manager.json_output_path.read_text())["models"].keys() == {"Rank"}


def test_where_aws_does_not_answer_older_data_of_the_file_goes(manager: ModelManager) -> None:
    written(manager.json_output_path)
    assert manager.refresh_model_data().model_count > 100


def test_what_aws_answers_wins_over_a_file_with_a_later_date(
    bedrock: LocalBedrock, manager: ModelManager
) -> None:
    bedrock.fail(Fault.error("AccessDeniedException", 403), region="us-east-1")
    later = datetime.now(timezone.utc) + timedelta(days=1)
    written(manager.json_output_path, ModelCatalog(later, {"Rank": RANK}))
    assert manager.refresh_model_data().model_count > 100


def test_a_file_that_cannot_be_written_is_told_and_the_data_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    manager = ModelManager(json_output_path=tmp_path / "file" / "models.json")
    with pytest.raises(ModelManagerError, match="json_output_path") as caught:
        manager.refresh_model_data()
    assert isinstance(caught.value.__cause__, OSError)
    assert manager.get_model_count() > 100


def test_cached_data_is_what_the_file_has(manager: ModelManager) -> None:
    assert manager.load_cached_data() is None
    written(manager.json_output_path)
    assert manager.load_cached_data() == CATALOG
    assert manager.get_streaming_models() == {"Nova Lite": NOVA}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"retrieval_timestamp": "2026-01-01T00:00:00", "models": {"a": 1}}',
        b'{"retrieval_timestamp": "soon", "models": {}}',
        b"[" * 100_000,
    ],
)
def test_a_bad_file_is_no_data(manager: ModelManager, content: bytes) -> None:
    manager.json_output_path.write_bytes(content)
    assert manager.load_cached_data() is None
    with pytest.raises(ModelManagerError):
        manager.get_model_count()


def test_a_catalogue_finds_by_provider_region_and_streaming() -> None:
    assert CATALOG.model_count == 2
    assert CATALOG.get_models_by_provider("Cohere") == {"Rank": RANK}
    assert CATALOG.get_models_by_region("eu-west-1") == {"Nova Lite": NOVA}
    assert CATALOG.get_streaming_models() == {"Nova Lite": NOVA}


def test_a_catalogue_is_written_under_the_names_of_its_fields() -> None:
    assert CATALOG.to_dict()["retrieval_timestamp"] == "2026-01-01T00:00:00+00:00"
    assert CATALOG.to_dict()["models"]["Nova Lite"] == {
        "provider": "Amazon",
        "model_id": "amazon.nova-lite-v1:0",
        "regions_supported": ["eu-west-1", "us-east-1"],
        "input_modalities": ["TEXT", "IMAGE"],
        "output_modalities": ["TEXT"],
        "streaming_supported": True,
        "inference_parameters_link": None,
        "hyperparameters_link": None,
        "inference_types_supported": ["ON_DEMAND"],
    }
    assert ModelCatalog.from_dict(CATALOG.to_dict()) == CATALOG


IMPORT_ORDERS = {
    "module first": """
from bestehorn_llmmanager.bedrock.ModelManager import ModelManager as by_path
from bestehorn_llmmanager.bedrock import ModelManager as by_package
""",
    "package first": """
from bestehorn_llmmanager.bedrock import ModelManager as by_package
from bestehorn_llmmanager.bedrock.ModelManager import ModelManager as by_path
""",
    "attribute": """
import bestehorn_llmmanager
by_package = bestehorn_llmmanager.bedrock.ModelManager
import bestehorn_llmmanager.bedrock.ModelManager as by_path
""",
    "module alone": """
import bestehorn_llmmanager.bedrock.ModelManager
by_package = by_path = bestehorn_llmmanager.bedrock.ModelManager
""",
}


@pytest.mark.parametrize("lines", IMPORT_ORDERS.values(), ids=IMPORT_ORDERS)
def test_the_package_has_the_class_whatever_is_imported_first(lines: str) -> None:
    code = f"""{lines}
import sys
module = sys.modules["bestehorn_llmmanager.bedrock.ModelManager"]
assert isinstance(by_package, type) and by_package is by_path is module.ModelManager
package = sys.modules["bestehorn_llmmanager.bedrock"]
assert package.ModelManager is by_package and "ModelManager" in dir(package)
package.ModelManager = "what a user puts there"
assert package.ModelManager == "what a user puts there"
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_importing_the_old_names_makes_no_warning_and_no_boto3() -> None:
    code = """
from bestehorn_llmmanager.bedrock import *
import sys
for name in ("ModelManager", "ModelManagerError", "ModelCatalog", "BedrockModelInfo",
             "JSONFields", "URLs", "FilePaths", "AWSRegions", "JSONModelSerializer"):
    assert globals()[name].__name__ == name
assert not {"boto3", "botocore", "bs4", "lxml", "requests"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
