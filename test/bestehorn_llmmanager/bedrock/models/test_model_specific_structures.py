"""Tests the description of what a call asks of one family of models."""

from __future__ import annotations

from typing import Any

import pytest

from bestehorn_llmmanager.bedrock.models.model_specific_structures import (
    ModelSpecificConfig,
    ModelSpecificFields,
)


@pytest.mark.parametrize(
    ("option", "value", "kind"),
    [
        ("enable_extended_context", "yes", "str"),
        ("enable_extended_context", 1, "int"),
        ("enable_extended_context", None, "NoneType"),
        ("custom_fields", ["top_k"], "list"),
        ("custom_fields", "top_k", "str"),
    ],
)
def test_a_field_of_another_type_is_refused_by_name(option: str, value: Any, kind: str) -> None:
    with pytest.raises(TypeError, match=f"`{option}`.*{kind}"):
        ModelSpecificConfig(**{option: value})
    with pytest.raises(TypeError, match=f"`{option}`"):
        ModelSpecificConfig.from_dict({option: value})


@pytest.mark.parametrize(
    "config", [ModelSpecificConfig(), ModelSpecificConfig(True, {"top_k": [1]})]
)
def test_a_configuration_becomes_a_dict_and_comes_back(config: ModelSpecificConfig) -> None:
    data = config.to_dict()
    assert data == {
        ModelSpecificFields.ENABLE_EXTENDED_CONTEXT: config.enable_extended_context,
        ModelSpecificFields.CUSTOM_FIELDS: config.custom_fields,
    }
    assert ModelSpecificConfig.from_dict(data) == config


def test_absent_keys_mean_the_defaults() -> None:
    assert ModelSpecificConfig.from_dict({"unknown": 1}) == ModelSpecificConfig(False, None)


@pytest.mark.parametrize("data", [None, [], "x"])
def test_what_is_no_dict_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=type(data).__name__):
        ModelSpecificConfig.from_dict(data)
