"""Shows prompt caching: where cache points go, and what is written and read.

With AWS credentials it talks to AWS. Without, it starts a Bedrock endpoint on this machine
(`LocalBedrock`) and says so; there, the counts of cached tokens come from `PromptCache` below.

The catalogue's cache is another subject: `catalog_cache_modes.py`.

    python examples/caching_example.py
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager import (
    AuthenticationError,
    BedrockModelCatalog,
    CacheConfig,
    CacheMode,
    LLMManager,
    create_user_message,
)
from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.bedrock.models.cache_structures import CacheStrategy
from bestehorn_llmmanager.testing import LocalBedrock

if TYPE_CHECKING:
    from bestehorn_llmmanager import BedrockResponse
    from bestehorn_llmmanager.testing import ReceivedRequest

MODEL, REGION = "Claude Haiku 4.5", "us-east-1"
HANDBOOK = "Rule: an answer has at most two sentences, and names the page of the handbook. " * 400
QUESTIONS = ["Who may travel?", "Who pays for a train?", "What about a taxi?"]


def main() -> None:
    with ExitStack() as stack:
        if not has_credentials():
            local = stack.enter_context(LocalBedrock(set_environment=True))
            local.reply_with(PromptCache())
            print(f"No AWS credentials: using LocalBedrock at {local.url}.")
        show_what_the_model_takes()
        show_points_of_the_manager()
        show_points_of_the_caller()


def has_credentials() -> bool:
    try:
        AuthManager().get_session()
    except AuthenticationError:
        return False
    return True


def show_what_the_model_takes() -> None:
    catalog = BedrockModelCatalog(cache_mode=CacheMode.MEMORY, regions=[REGION])
    model = catalog.find_model(MODEL)
    assert model is not None
    assert model.facts is not None
    prices = model.facts.prices_usd_per_million_tokens
    print(f"\n{MODEL} caches prompts from {model.facts.prompt_cache_min_tokens} tokens on.")
    print(f"US dollars per million tokens: {prices}")


def show_points_of_the_manager() -> None:
    """The system prompt is the same in each request: the first writes it, the others read it."""
    print("\nCache points put by the manager:")
    cache_config = CacheConfig(
        enabled=True, strategy=CacheStrategy.CONSERVATIVE, cache_point_threshold=1000
    )
    with LLMManager(
        [MODEL], [REGION], cache_config=cache_config, catalog_cache_mode=CacheMode.MEMORY
    ) as manager:
        for question in QUESTIONS:
            message = create_user_message().add_text(question).build()
            show(question, manager.converse([message], system=[{"text": HANDBOOK}]))


def show_points_of_the_caller() -> None:
    """What comes before the point is cached; what comes after it may differ."""
    print("\nCache points put by the caller:")
    with LLMManager([MODEL], [REGION], catalog_cache_mode=CacheMode.MEMORY) as manager:
        for question in QUESTIONS:
            message = (
                create_user_message()
                .add_text(f"From the handbook: {HANDBOOK}")
                .add_cache_point()
                .add_text(question)
                .build()
            )
            show(question, manager.converse([message]))


def show(question: str, response: BedrockResponse) -> None:
    written, read = response.get_cache_write_tokens(), response.get_cache_read_tokens()
    print(f"  {question:22} written {written:5}, read {read:5}")


class PromptCache:
    """Answers as a model that caches what stands before the last cache point of a request."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def __call__(self, request: ReceivedRequest) -> dict[str, Any]:
        body: Any = request.body
        blocks = [*body.get("system", []), *(b for m in body["messages"] for b in m["content"])]
        last_point = max((i for i, block in enumerate(blocks) if "cachePoint" in block), default=0)
        before = repr(blocks[:last_point])
        tokens = len(before) // 4 if last_point else 0
        is_known = before in self._known
        self._known.add(before)
        return {
            "output": {"message": {"role": "assistant", "content": [{"text": "See page 4."}]}},
            "stopReason": "end_turn",
            "usage": {
                "inputTokens": 10,
                "outputTokens": 5,
                "totalTokens": 15 + tokens,
                "cacheReadInputTokens": tokens if is_known else 0,
                "cacheWriteInputTokens": 0 if is_known else tokens,
            },
            "metrics": {"latencyMs": 1},
        }


if __name__ == "__main__":
    main()
