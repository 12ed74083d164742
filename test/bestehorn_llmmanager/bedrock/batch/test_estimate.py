"""Tests what requests are said to cost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.batch import BatchEstimate, BatchInference
from bestehorn_llmmanager.bedrock.batch.estimate import estimate
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.exceptions import ConfigurationError, RequestValidationError
from bestehorn_llmmanager.bedrock.models.model_details import ModelFacts
from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
from bestehorn_llmmanager.bedrock.retry.targets import Way

if TYPE_CHECKING:
    from collections.abc import Callable

DIRECT, US, GLOBAL = (
    Way("direct", "acme.model"),
    Way("regional_cris", "us.acme.model"),
    Way("global_cris", "global.acme.model"),
)
FACTS = ModelFacts(
    as_of="2026-10-01",
    prices_usd_per_million_tokens={
        "input": 2.0,
        "output": 10.0,
        "input_batch": 1.0,
        "output_batch": 5.0,
    },
    prices_by_profile_prefix={"us": {"input": 4.0, "output": 20.0}},
    higher_price_above_input_tokens=1_000_000,
    price_source="table:acme",
)


def members(characters: int, max_tokens: int | None = 100) -> dict[str, Any]:
    content = [{"role": "user", "content": [{"text": "x" * characters}]}]
    config = {"inferenceConfig": {"maxTokens": max_tokens}} if max_tokens else {}
    return {"messages": content, **config}


NOTE_MAX = "Answers are counted with their `maxTokens`; most are shorter."
NOTE_NO_BATCH = (
    "The catalogue has no batch prices of this model, called as it is; AWS asks for about half."
)


@pytest.mark.parametrize(
    ("way", "output_tokens", "online", "batch", "notes"),
    [
        pytest.param(DIRECT, None, 0.0000600, 0.0000300, (NOTE_MAX,), id="most there can be"),
        pytest.param(DIRECT, 1000, 0.0200200, 0.0100100, (), id="usual answers"),
        pytest.param(
            US,
            1000,
            0.0400400,
            None,
            (NOTE_NO_BATCH,),
            id="a profile without batch prices",
        ),
        pytest.param(
            Way("regional_cris", f"arn:aws:bedrock:us-east-1:1:inference-profile/{US.identifier}"),
            1000,
            0.0400400,
            None,
            (NOTE_NO_BATCH,),
            id="the same by its ARN",
        ),
        pytest.param(
            Way("direct", "us.model"),
            1000,
            0.0200200,
            0.0100100,
            (),
            id="a provider that is named like a geography",
        ),
        pytest.param(GLOBAL, 1000, 0.0200200, 0.0100100, (), id="a profile without prices"),
    ],
)
def test_costs_are_those_of_the_way_that_is_called(
    way: Way, output_tokens: int | None, online: float, batch: float | None, notes: tuple[str, ...]
) -> None:
    # Two prompts of 5 tokens each (four characters to a token, and one more), 2 tokens of answer.
    found = estimate([members(16, 2), members(16, 2)], FACTS, way, output_tokens)
    assert found.online_usd == pytest.approx(online)
    assert found.batch_usd == (batch if batch is None else pytest.approx(batch))
    assert replace(found, online_usd=None, batch_usd=None) == BatchEstimate(
        requests=2,
        input_tokens=10,
        output_tokens=4 if output_tokens is None else 2000,
        online_usd=None,
        batch_usd=None,
        prices_as_of="2026-10-01",
        price_source="table:acme",
        notes=notes,
    )


def test_answers_of_unknown_length_have_no_price() -> None:
    found = estimate([members(16), members(16, None)], FACTS, DIRECT, None)
    assert (found.output_tokens, found.online_usd, found.batch_usd) == (None, None, None)
    assert found.notes == ("Not all requests have `maxTokens`: pass `output_tokens`.",)


def test_a_model_without_prices_has_none() -> None:
    found = estimate([members(16)], None, DIRECT, 5)
    assert found == BatchEstimate(
        requests=1,
        input_tokens=5,
        output_tokens=5,
        online_usd=None,
        batch_usd=None,
        prices_as_of=None,
        price_source=None,
        notes=("The catalogue has no prices of this model.",),
    )


def test_half_a_price_is_none() -> None:
    facts = replace(FACTS, prices_usd_per_million_tokens={"input": 2.0, "input_batch": 1.0})
    found = estimate([members(16)], facts, DIRECT, 5)
    assert (found.online_usd, found.batch_usd) == (None, None)
    assert found.notes == ("The catalogue has no prices of this model.",)


def test_prompts_that_cost_more_are_counted() -> None:
    found = estimate([members(16), members(4_000_004)], FACTS, DIRECT, 1)
    assert found.notes == (
        "1 prompts have more than 1000000 tokens, and cost more than this says.",
    )


def test_no_requests_cost_nothing() -> None:
    found = estimate([], FACTS, DIRECT, None)
    assert (found.requests, found.online_usd, found.batch_usd) == (0, 0.0, 0.0)


# With the catalogue of the package, without credentials or network


def offline(model: str, **options: Any) -> BatchInference:
    return BatchInference(
        model,
        "us-east-1",
        role_arn="arn:aws:iam::123456789012:role/batch",
        s3_uri="s3://bucket/x",
        catalog_cache_mode=CacheMode.NONE,
        catalog_refresh="never",
        **options,
    )


def test_prices_are_the_catalogues_and_have_a_date(
    ask: Callable[..., BedrockConverseRequest],
) -> None:
    batch = offline("Nova Lite", default_inference_config={"maxTokens": 1000})
    found = batch.estimate(ask(f"q{n}", "x" * 3996) for n in range(1000))
    facts = batch._manager._catalog.find_model("Nova Lite").facts  # type: ignore[union-attr]
    assert facts is not None
    prices = facts.prices_usd_per_million_tokens
    assert (found.input_tokens, found.output_tokens) == (1_000_000, 1_000_000)
    assert found.online_usd == pytest.approx(prices["input"] + prices["output"])
    assert found.batch_usd == pytest.approx(prices["input_batch"] + prices["output_batch"])
    assert (found.prices_as_of, found.price_source) == (facts.as_of, facts.price_source)


HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"


@pytest.mark.parametrize(
    ("model", "options", "geography"),
    [
        (HAIKU, {"access_method": "regional_cris"}, "us"),
        (HAIKU, {"access_method": "global_cris"}, "global"),
        (f"us.{HAIKU}", {}, "us"),
        (f"global.{HAIKU}", {}, "global"),
        (f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{HAIKU}", {}, "us"),
        (f"arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.{HAIKU}", {}, "eu"),
    ],
)
def test_a_profile_has_the_prices_of_its_geography(
    ask: Callable[..., BedrockConverseRequest], model: str, options: dict[str, Any], geography: str
) -> None:
    batch = offline(model, **options)
    found = batch.estimate([ask("q", "x" * 3996)], output_tokens=1000)
    facts = batch._manager._catalog.find_model(HAIKU).facts  # type: ignore[union-attr]
    assert facts is not None
    prices = facts.prices_by_profile_prefix[geography]
    assert found.online_usd == pytest.approx((prices["input"] + prices["output"]) / 1000)
    assert found.batch_usd == pytest.approx((prices["input_batch"] + prices["output_batch"]) / 1000)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ([BedrockConverseRequest(messages=[])], "`messages` is empty"),
        ([{"messages": []}], "Request number 1 is of type dict, not `BedrockConverseRequest`"),
        (BedrockConverseRequest(messages=[]), "`requests` must be a list or a generator"),
        (None, "`requests` must be a list or a generator"),
    ],
)
def test_an_estimate_refuses_what_a_submission_refuses(wrong: Any, sentence: str) -> None:
    with pytest.raises(RequestValidationError, match=sentence):
        offline("Nova Lite").estimate(wrong)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "5"])
def test_output_tokens_are_a_number(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="`output_tokens`"):
        offline("Nova Lite").estimate([], output_tokens=wrong)
