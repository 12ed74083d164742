"""Asks several questions about one long text, which is to be read from the cache."""

# ruff: noqa: T201

import json
from typing import Any

from bestehorn_llmmanager import (
    CachePointTTLEnum,
    LLMManager,
    build_cache_point,
    create_user_message,
)
from bestehorn_llmmanager.bedrock.models.cache_structures import CacheConfig, CacheStrategy

LONG = "The rules of the house, in full. " * 150
ROLE = "You are the landlord. " * 50
QUESTIONS = ["May I smoke?", "May I sing?"]

manager = LLMManager(
    models=["Nova Lite"],
    regions=["us-east-1"],
    cache_config=CacheConfig(enabled=True, strategy=CacheStrategy.CONSERVATIVE),
)
facts: dict[str, Any] = {"automatic": []}
for question in QUESTIONS:
    message = create_user_message().add_text(LONG).add_text(question).build()
    response = manager.converse(messages=[message], system=[{"text": ROLE}])
    facts["automatic"].append(
        {
            "usage": response.get_usage(),
            "cached": response.get_cached_tokens_info(),
            "efficiency": response.get_cache_efficiency(),
            "read": response.get_cache_read_tokens(),
            "written": response.get_cache_write_tokens(),
            "details": [[d.ttl, d.input_tokens] for d in response.get_cache_details()],
            "warnings": response.get_warnings(),
        }
    )
    facts["blocks_built"] = len(message["content"])

explicit = LLMManager(models=["Nova Lite"], regions=["us-east-1"])
response = explicit.converse(
    messages=[
        create_user_message()
        .add_text(LONG)
        .add_cache_point(ttl=CachePointTTLEnum.ONE_HOUR)
        .add_text(QUESTIONS[0])
        .build()
    ],
    system=[{"text": LONG}, build_cache_point(ttl="1h")],
)
facts["explicit"] = {"content": response.get_content(), "points": build_cache_point()}

print(json.dumps(facts))
