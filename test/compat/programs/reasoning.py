"""Lets a model think before it answers, and gives the thoughts back with the next question."""

# ruff: noqa: T201

import json
from typing import Any

from bestehorn_llmmanager import LLMManager, create_assistant_message, create_user_message
from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig

manager = LLMManager(
    models=["Claude Sonnet 4.5"],
    regions=["us-east-1"],
    model_specific_config=ModelSpecificConfig(
        custom_fields={"thinking": {"type": "enabled", "budget_tokens": 1024}}
    ),
)
messages = [create_user_message().add_text("Is 91 prime?").build()]
first = manager.converse(messages=messages)
reasoning = first.get_reasoning()
assert reasoning is not None

answer = create_assistant_message()
answer.add_reasoning_content(text=reasoning.text, signature=reasoning.signature)
answer.add_text(first.get_content() or "")
messages += [answer.build(), create_user_message().add_text("And 97?").build()]
second = manager.converse(messages=messages)

stream = manager.converse_stream(messages=messages[:1])
chunks = list(stream)
streamed = stream.get_reasoning()

facts: dict[str, Any] = {
    "text": reasoning.text,
    "signature": reasoning.signature,
    "block": reasoning.to_content_block(),
    "same_block": answer.build()["content"][0] == reasoning.to_content_block(),
    "content": first.get_content(),
    "blocks": [str(kind) for block in first.get_content_blocks() or [] for kind in block],
    "second": second.get_content(),
    "second_reasoning": second.get_reasoning() is None,
    "streamed": {
        "chunks": chunks,
        "content": stream.get_full_content(),
        "reasoning": streamed.text if streamed else None,
        "signature": streamed.signature if streamed else None,
    },
}
print(json.dumps(facts))
