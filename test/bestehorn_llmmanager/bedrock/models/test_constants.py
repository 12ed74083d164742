"""Tests the old tables of constants."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from bestehorn_llmmanager.bedrock.models import (
    constants,
    cris_constants,
    llm_manager_constants,
    llm_manager_structures,
    unified_constants,
)
from bestehorn_llmmanager.bedrock.models.data_structures import (  # until 4.0.0
    BedrockModelInfo,  # until 4.0.0
    ModelCatalog,  # until 4.0.0
)  # until 4.0.0

MODULES = [constants, cris_constants, llm_manager_constants, unified_constants]


def table(cls: type) -> dict[str, Any]:
    return {name: value for name, value in vars(cls).items() if not name.startswith("_")}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_old_path_only_points_at_the_tables(module: Any) -> None:
    for name in module.__all__:
        assert inspect.isclass(getattr(module, name))
        assert getattr(module, name).__module__ != module.__name__
    assert "class " not in inspect.getsource(module)


# until 4.0.0
@pytest.mark.parametrize(
    ("fields", "value"),
    [
        (
            constants.JSONFields,
            ModelCatalog.from_dict(
                {"retrieval_timestamp": "2026-01-01T00:00:00+00:00", "models": {}}
            ).to_dict(),
        ),
        (constants.JSONFields, BedrockModelInfo("a", "b", [], [], [], False).to_dict()),
    ],
)
def test_the_names_of_fields_are_those_that_are_written(
    fields: type, value: dict[str, Any]
) -> None:
    assert set(value) <= set(table(fields).values())


# end


def test_the_places_of_files_are_as_ever() -> None:
    assert table(constants.FilePaths) == {
        "DEFAULT_HTML_OUTPUT": "docs/FoundationalModels.htm",  # until 4.0.0
        "DEFAULT_JSON_OUTPUT": "docs/FoundationalModels.json",
    }
    assert table(cris_constants.CRISFilePaths) == {
        "DEFAULT_HTML_OUTPUT": "docs/CRIS.htm",  # until 4.0.0
        "DEFAULT_JSON_OUTPUT": "docs/CRIS.json",
    }
    assert table(unified_constants.UnifiedFilePaths) == {
        "DEFAULT_UNIFIED_JSON_OUTPUT": "src/docs/UnifiedModels.json",
        "DEFAULT_CORRELATION_LOG": "src/docs/ModelCorrelation.log",
    }


def test_the_defaults_of_the_manager_are_the_living_ones() -> None:
    assert llm_manager_constants.LLMManagerConfig is llm_manager_structures.LLMManagerConfig
    assert llm_manager_constants.ContentLimits.MAX_IMAGES_PER_REQUEST == 20
    assert llm_manager_constants.ConverseAPIFields.MODEL_ID == "modelId"
    assert "ThrottlingException" in llm_manager_constants.RetryableErrorTypes.THROTTLING_ERRORS
    assert llm_manager_constants.ResponseValidationConfig.DEFAULT_VALIDATION_RETRIES == 3
