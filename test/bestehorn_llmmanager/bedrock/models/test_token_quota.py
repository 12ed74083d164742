"""Tests what a call counts against a quota."""

from __future__ import annotations

import pytest

from bestehorn_llmmanager.bedrock.models.token_quota import (
    counted_input,
    counted_tokens,
    output_weight,
)


@pytest.mark.parametrize(
    ("model_id", "weight"),
    [
        ("anthropic.claude-3-haiku-20240307-v1:0", 5),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", 5),
        ("anthropic.claude-sonnet-4-20250514-v1:0", 5),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", 5),
        ("anthropic.claude-opus-4-7", 5),
        ("anthropic.claude-opus-4-8", 15),
        ("anthropic.claude-sonnet-5", 10),
        ("anthropic.claude-opus-5", 10),
        ("anthropic.claude-opus-5-5", 10),
        ("anthropic.claude-fable-5-1", 10),
        ("openai.gpt-5.6-sol", 10),
        ("openai.gpt-6-astra", 10),
        ("moonshotai.kimi-k3", 10),
        ("openai.gpt-oss-120b-1:0", 1),
        ("moonshotai.kimi-k2.5", 1),
        ("amazon.nova-lite-v1:0", 1),
        ("meta.llama3-1-70b-instruct-v1:0", 1),
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "eu.{}",
        "global.{}",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{}",
        "arn:aws:bedrock:us-east-1::foundation-model/{}",
    ],
)
def test_an_output_token_counts_what_aws_says_however_the_model_is_called(
    model_id: str, weight: int, form: str
) -> None:
    assert output_weight(form.format(model_id)) == weight


def test_a_call_counts_its_input_what_it_wrote_to_the_cache_and_its_weighted_output() -> None:
    # The worked example of the page on token burndown.
    usage = {
        "inputTokens": 3000,
        "cacheReadInputTokens": 4000,
        "cacheWriteInputTokens": 1000,
        "outputTokens": 1000,
    }
    assert counted_input(usage) == 4000
    assert counted_tokens(usage, 5) == 9000


@pytest.mark.parametrize("usage", [{}, {"inputTokens": None, "outputTokens": "12"}])
def test_what_an_answer_does_not_say_counts_nothing(usage: dict[str, object]) -> None:
    assert counted_tokens(usage, 5) == 0
