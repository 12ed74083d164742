"""Tests what goes into `additionalModelRequestFields`, for which model."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.builders import ParameterBuilder
from bestehorn_llmmanager.bedrock.builders.parameter_builder import ParameterFields
from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig

HEADER = "context-1m-2025-08-07"
LONG = ModelSpecificConfig(enable_extended_context=True)
SONNET_4 = "anthropic.claude-sonnet-4-20250514-v1:0"


def built(
    explicit: dict[str, Any] | None = None,
    custom: dict[str, Any] | None = None,
    *,
    extended: bool = False,
    model: str = "Claude Sonnet 4",
) -> dict[str, Any] | None:
    return ParameterBuilder().build_additional_fields(
        model, ModelSpecificConfig(extended, custom), explicit
    )


def test_nothing_given_means_nothing_to_send() -> None:
    assert ParameterBuilder().build_additional_fields("Nova Lite") is None
    assert built() is None


@pytest.mark.parametrize(
    ("explicit", "custom", "expected"),
    [
        ({"top_k": 1}, None, {"top_k": 1}),
        (None, {"top_k": 1}, {"top_k": 1}),
        ({"top_k": 1, "a": {"b": 1}}, {"top_k": 2, "a": 3}, {"top_k": 2, "a": 3}),
        (
            {"anthropic_beta": ["a", "b"]},
            {"anthropic_beta": ["b", "c"], "top_k": 1},
            {"anthropic_beta": ["a", "b", "c"], "top_k": 1},
        ),
        (None, {"anthropic_beta": ["a", "a"]}, {"anthropic_beta": ["a"]}),
        ({"anthropic_beta": ["a"]}, {"anthropic_beta": "b"}, {"anthropic_beta": "b"}),
        ({"anthropic_beta": "a"}, {"anthropic_beta": ["b"]}, {"anthropic_beta": ["a", "b"]}),
        (
            {"anthropic_beta": ["a"]},
            {"anthropic_beta": [{"b": 1}]},
            {"anthropic_beta": ["a", {"b": 1}]},
        ),
    ],
)
def test_custom_fields_override_and_betas_are_appended(
    explicit: dict[str, Any] | None, custom: dict[str, Any] | None, expected: dict[str, Any]
) -> None:
    assert built(explicit, custom) == expected


@pytest.mark.parametrize(
    ("explicit", "custom", "expected"),
    [
        (None, None, [HEADER]),
        ({"anthropic_beta": ["a"]}, None, ["a", HEADER]),
        ({"anthropic_beta": [HEADER, "a"]}, None, [HEADER, "a"]),
        ({"anthropic_beta": ("a",)}, None, ["a", HEADER]),
        ({"anthropic_beta": "a"}, {"anthropic_beta": ["b"]}, ["a", "b", HEADER]),
    ],
)
def test_the_header_joins_the_other_betas(
    explicit: dict[str, Any] | None, custom: dict[str, Any] | None, expected: list[str]
) -> None:
    assert built(explicit, custom, extended=True) == {ParameterFields.ANTHROPIC_BETA: expected}


@pytest.mark.parametrize(
    ("name", "model_id", "expected"),
    [
        ("Claude Sonnet 4", None, True),
        ("Claude Sonnet 4 20250514", None, True),
        ("Anthropic Claude Sonnet 4.5", None, True),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", None, True),
        ("my favourite", SONNET_4, True),
        ("my favourite", f"eu.{SONNET_4}", True),
        ("x", f"arn:aws:bedrock:us-east-1::foundation-model/{SONNET_4}", True),
        ("x", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", True),
        ("Claude 3.5 Sonnet v2", None, False),
        ("Claude Sonnet 4", "anthropic.claude-3-5-sonnet-20241022-v2:0", False),
        ("Claude Haiku 4.5", None, False),
        ("Claude Opus 4.1", None, False),
        ("Nova Lite", "amazon.nova-lite-v1:0", False),
        # They have a million tokens without a header.
        ("Claude Sonnet 4.6", None, False),
        ("x", "anthropic.claude-opus-4-6-v1", False),
        ("x", "anthropic.claude-haiku-5-5", False),
    ],
)
def test_the_resolved_model_decides_about_the_header(
    name: str, model_id: str | None, expected: bool
) -> None:
    fields = ParameterBuilder().build_additional_fields(name, LONG, model_id=model_id)
    assert fields == ({"anthropic_beta": [HEADER]} if expected else None)


@pytest.mark.parametrize(
    ("model", "warns"),
    [
        ("Nova Lite", True),
        ("Claude 3.5 Sonnet v2", True),
        ("Claude Sonnet 4", False),
        ("Claude Sonnet 4.6", False),
    ],
)
def test_a_model_without_extended_context_is_mentioned_once(
    caplog: pytest.LogCaptureFixture, model: str, warns: bool
) -> None:
    builder = ParameterBuilder()
    for _ in range(3):
        builder.build_additional_fields(model, LONG, {"top_k": "secret"})
        builder.build_additional_fields(model, ModelSpecificConfig(), {"top_k": "secret"})
    assert [record.levelname for record in caplog.records] == (["WARNING"] if warns else [])
    assert (repr(model) in caplog.text) is warns
    assert "secret" not in caplog.text


def test_each_target_gets_its_own_fields() -> None:
    builder = ParameterBuilder()
    models = [SONNET_4, "amazon.nova-lite-v1:0"]
    assert [builder.build_additional_fields("x", LONG, {"a": 1}, model_id=m) for m in models] == [
        {"a": 1, "anthropic_beta": [HEADER]},
        {"a": 1},
    ]


def test_the_constants_stay() -> None:
    names = {"Claude 3.5 Sonnet v2", "Claude Sonnet 4", f"us.{SONNET_4}"}
    assert ParameterBuilder.EXTENDED_CONTEXT_BETA_HEADER == HEADER
    assert names == ParameterBuilder.EXTENDED_CONTEXT_MODELS


BETAS = st.lists(st.sampled_from(["a", "b", HEADER]), max_size=4) | st.just("a")
FIELDS = st.none() | st.fixed_dictionaries(
    {}, optional={"anthropic_beta": BETAS, "top_k": st.integers(), "a": st.just({"b": [1]})}
)


@given(FIELDS, FIELDS, st.booleans(), st.sampled_from(["Claude Sonnet 4", "Nova Lite"]))
def test_law_the_arguments_are_neither_modified_nor_shared(
    explicit: dict[str, Any] | None, custom: dict[str, Any] | None, extended: bool, model: str
) -> None:
    before = copy.deepcopy((explicit, custom))
    fields = built(explicit, custom, extended=extended, model=model)
    if fields:
        betas = fields.setdefault("anthropic_beta", [])
        assert (
            not isinstance(betas, list)
            or len(betas) == len(set(betas))
            or betas == (explicit or {}).get("anthropic_beta")
        )
        if isinstance(betas, list):
            betas.append("x")
        fields.setdefault("a", {}).setdefault("b", []).append(2)
        fields["top_k"] = None
    assert (explicit, custom) == before
