"""Says what requests would cost, online and as a batch job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.parallel.pacing import estimated_input

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bestehorn_llmmanager.bedrock.models.model_details import ModelFacts
    from bestehorn_llmmanager.bedrock.retry.targets import Way

_MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True)
class BatchEstimate:
    """What requests would cost.

    Attributes:
        requests: How many there are.
        input_tokens: Of all prompts, estimated: four characters to a token, those of tool calls and
            of their results included; a flat 1,000 for each image, document or other such block.
        output_tokens: Of all answers: what was given, else each request's `maxTokens`, which is
            the most there can be; None if a request has neither.
        online_usd: US dollars for sending the requests one by one; None if tokens or prices are
            not known.
        batch_usd: The same as a batch job.
        prices_as_of: Date of the prices, ``YYYY-MM-DD``; None if there are none. They change.
        price_source: Table and entry that they come from, or None.
        notes: What the figures do not say.
    """

    requests: int
    input_tokens: int
    output_tokens: int | None
    online_usd: float | None
    batch_usd: float | None
    prices_as_of: str | None
    price_source: str | None
    notes: tuple[str, ...] = ()


def estimate(
    requests: Iterable[Mapping[str, Any]],
    facts: ModelFacts | None,
    way: Way,
    output_tokens: int | None,
) -> BatchEstimate:
    """Add up what requests would cost.

    Args:
        requests: Members of Converse; read once, one at a time.
        facts: Prices of the model, None if not known.
        way: How it is called, which decides about the price.
        output_tokens: Tokens of each answer, None if not known.
    """
    count = prompts = long_prompts = 0
    answers: int | None = 0
    limit = facts.higher_price_above_input_tokens if facts else None
    for request in requests:
        count += 1
        tokens = estimated_input(request)
        prompts += tokens
        if limit is not None and tokens > limit:
            long_prompts += 1
        most = output_tokens or (request.get("inferenceConfig") or {}).get("maxTokens")
        answers = None if answers is None or most is None else answers + most
    prices = _prices(facts, way)
    return BatchEstimate(
        requests=count,
        input_tokens=prompts,
        output_tokens=answers,
        online_usd=_cost(prices, "input", "output", prompts, answers),
        batch_usd=_cost(prices, "input_batch", "output_batch", prompts, answers),
        prices_as_of=facts.as_of if facts and prices else None,
        price_source=facts.price_source if facts and prices else None,
        notes=tuple(_notes(prices, answers, output_tokens, long_prompts, limit)),
    )


def _prices(facts: ModelFacts | None, way: Way) -> Mapping[str, float]:
    if facts is None:
        return {}
    prices = facts.prices_usd_per_million_tokens
    if way.method == "direct":  # What its id begins with is the provider, not a geography.
        return prices
    geography = way.identifier.rpartition("/")[2].partition(".")[0]
    return facts.prices_by_profile_prefix.get(geography, prices)


def _cost(
    prices: Mapping[str, float], sent: str, answered: str, prompts: int, answers: int | None
) -> float | None:
    if answers is None or sent not in prices or answered not in prices:
        return None
    return (prompts * prices[sent] + answers * prices[answered]) / _MILLION


def _notes(
    prices: Mapping[str, float],
    answers: int | None,
    output_tokens: int | None,
    long_prompts: int,
    limit: int | None,
) -> Iterable[str]:
    if answers is None:
        yield "Not all requests have `maxTokens`: pass `output_tokens`."
    elif output_tokens is None:
        yield "Answers are counted with their `maxTokens`; most are shorter."
    if "input" not in prices or "output" not in prices:
        yield "The catalogue has no prices of this model."
    elif "input_batch" not in prices or "output_batch" not in prices:
        yield (
            "The catalogue has no batch prices of this model, called as it is; AWS asks for about "
            "half."
        )
    if long_prompts:
        yield f"{long_prompts} prompts have more than {limit} tokens, and cost more than this says."
