"""Says how many tokens a call counts against a quota of Bedrock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# What one output token counts, by a part of the model id; the first that fits holds, 1 otherwise.
# docs.aws.amazon.com/bedrock/latest/userguide/quotas-token-burndown.html as of October 2026 (Claude,
# GPT-5.6), model cards of GPT-6 and Kimi K3. Models of these families that are named nowhere yet
# are taken to be like the newest that is.
_OUTPUT_WEIGHTS = (
    ("anthropic.claude-opus-4-8", 15),
    ("anthropic.claude-opus-4", 5),
    ("anthropic.claude-sonnet-4", 5),
    ("anthropic.claude-haiku-4", 5),
    ("anthropic.claude-3", 5),
    ("anthropic.claude-v2", 5),
    ("anthropic.claude-instant", 5),
    ("anthropic.claude-", 10),
    ("openai.gpt-oss", 1),
    ("openai.gpt-", 10),
    ("moonshotai.kimi-k3", 10),
)


def output_weight(model_id: str) -> int:
    """How many tokens one output token counts.

    Args:
        model_id: Of a model or of a profile, or an ARN that names one.
    """
    return next((weight for part, weight in _OUTPUT_WEIGHTS if part in model_id), 1)


def counted_input(usage: Mapping[str, Any]) -> int:
    """Tokens that the prompt of a call counted; what was read from the cache does not."""
    return _count(usage, "inputTokens") + _count(usage, "cacheWriteInputTokens")


def counted_tokens(usage: Mapping[str, Any], weight: int) -> int:
    """Tokens that a call counted when it had ended.

    Args:
        usage: As in the answer of Converse.
        weight: See `output_weight`.
    """
    return counted_input(usage) + weight * _count(usage, "outputTokens")


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) else 0
