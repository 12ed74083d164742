"""Answers a prompt in AWS Lambda, within the time that the invocation has left.

Handler: ``lambda_llm_manager_with_model_cache.handler``. Event: ``{"prompt": "…"}``.

MODELS, REGIONS: names, separated by commas, in order of preference.
CATALOG_CACHE_MODE: ``memory`` (default), ``file`` (then in CATALOG_CACHE_DIRECTORY) or ``none``.
ALLOWED_DESTINATION_REGIONS: if set, the only regions that may process a request.

As a program it calls the handler in each of the three cache modes; then the first region fails:

    python examples/lambda_llm_manager_with_model_cache.py
"""

# ruff: noqa: PLC0415  (a cold start need not load what only a trial on this machine needs)
from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager import CacheMode, LLMManager

if TYPE_CHECKING:
    from bestehorn_llmmanager.testing import LocalBedrock

MOST_SECONDS_FOR_THE_CATALOGUE = 8  # Lambda ends the initialisation after ten
SECONDS_TO_ANSWER = 1


def names(variable: str, default: str = "") -> list[str]:
    return [name.strip() for name in os.environ.get(variable, default).split(",") if name.strip()]


@cache
def manager() -> LLMManager:
    """One for all invocations: models are resolved once, connections stay open."""
    return LLMManager(
        models=names("MODELS", "Claude Haiku 4.5, Nova Lite"),
        regions=names("REGIONS", "eu-central-1, eu-west-1"),
        catalog_cache_mode=CacheMode(os.environ.get("CATALOG_CACHE_MODE", "memory")),
        catalog_cache_directory=os.environ.get("CATALOG_CACHE_DIRECTORY", "/tmp/bedrock-catalog"),  # noqa: S108
        allowed_destination_regions=names("ALLOWED_DESTINATION_REGIONS") or None,
        timeout=MOST_SECONDS_FOR_THE_CATALOGUE,
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    response = manager().converse(
        [{"role": "user", "content": [{"text": event["prompt"]}]}],
        inference_config={"maxTokens": 500},
        timeout=max(context.get_remaining_time_in_millis() / 1000 - SECONDS_TO_ANSWER, 0.1),
    )
    return {
        "answer": response.get_content(),
        "model": response.model_used,
        "region": response.region_used,
        "requests": len(response.attempt_log),
    }


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    manager().connect()  # in the initialisation, before the first request


def main() -> None:
    import tempfile
    from contextlib import ExitStack
    from types import SimpleNamespace

    from bestehorn_llmmanager.testing import Fault

    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000)
    with ExitStack() as stack:
        local = None if has_credentials() else stack.enter_context(local_bedrock())
        os.environ["CATALOG_CACHE_DIRECTORY"] = stack.enter_context(tempfile.TemporaryDirectory())
        for mode in CacheMode:
            os.environ["CATALOG_CACHE_MODE"] = mode.value
            manager.cache_clear()
            print(f"cache mode {mode.value}: {handler({'prompt': 'What is a region?'}, context)}")
        if local:
            local.fail(Fault.unavailable(), operation="Converse", region="eu-central-1")
            print(f"eu-central-1 fails: {handler({'prompt': 'What is a region?'}, context)}")


def has_credentials() -> bool:
    from bestehorn_llmmanager import AuthenticationError
    from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager

    try:
        AuthManager().get_session()
    except AuthenticationError:
        return False
    return True


def local_bedrock() -> LocalBedrock:
    from bestehorn_llmmanager.testing import LocalBedrock

    print("No AWS credentials: using LocalBedrock, an endpoint on this machine.\n")
    return LocalBedrock(set_environment=True)


if __name__ == "__main__":
    main()
