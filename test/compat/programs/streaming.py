"""Shows answers as they come: one in a piece, one that breaks half-way, and one that never comes."""

# ruff: noqa: T201

import contextlib
import copy
import io
import json
from typing import Any

from bestehorn_llmmanager import LLMManager, create_user_message
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryConfig
from bestehorn_llmmanager.util.streaming_display import (
    display_recovery_information,
    display_streaming_response,
    display_streaming_summary,
)


def stream(model: str) -> dict[str, Any]:
    manager = LLMManager(
        models=[model],
        regions=["us-east-1", "us-west-2"],
        retry_config=RetryConfig(retry_delay=0.0),
    )
    messages = [create_user_message().add_text("Count to five.").build()]
    before = copy.deepcopy(messages)
    response = manager.converse_stream(messages=messages)
    chunks = []
    for chunk in response:
        print(chunk, end="", flush=True)
        chunks.append(chunk)
    with contextlib.redirect_stdout(io.StringIO()) as screen:
        display_streaming_response(response, title=f"About {model}", content_preview_length=9)
        display_streaming_summary(response)
        display_recovery_information(response)
    shown = screen.getvalue()
    print(shown)
    metrics, recovery = response.get_metrics(), response.get_recovery_info()
    return {
        "success": response.success,
        "chunks": chunks,
        "content": response.get_full_content(),
        "complete": response.is_streaming_complete(),
        "stop_reason": response.stop_reason,
        "role": response.current_message_role,
        "usage": response.get_usage(),
        "model": response.model_used,
        "region": response.region_used,
        "access_method": response.access_method_used,
        "errors": [type(error).__name__ for error in response.get_stream_errors()],
        "exceptions": [
            [each["position"], each["region"], each["recovered"]]
            for each in response.get_mid_stream_exceptions()
        ],
        "switches": response.get_target_switches(),
        "recovery": recovery,
        "counts": {name: metrics[name] for name in sorted(metrics) if not name.endswith("_ms")},
        "times": sorted(name for name in metrics if name.endswith("_ms")),
        "shown": {
            text: text in shown
            for text in (f"About {model}", "=====", "us-east-1", "us-west-2", "one two t", "three")
        },
        "messages_untouched": messages == before,
        "text_form": repr(response),
    }


facts = {model: stream(model) for model in ["Nova Micro", "Claude Haiku 4.5", "Nova Lite"]}
print()
print(json.dumps(facts))
