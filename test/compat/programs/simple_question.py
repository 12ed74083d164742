"""Asks one question and looks at everything that the answer says of itself."""

# ruff: noqa: T201

import json

from bestehorn_llmmanager import LLMManager, create_user_message

manager = LLMManager(models=["Nova Lite"], regions=["us-east-1", "us-west-2"])
message = create_user_message().add_text("What is the capital of France?").build()
response = manager.converse(
    messages=[message],
    system=[{"text": "Answer in one word."}],
    inference_config={"maxTokens": 100, "temperature": 0.2},
)

metrics = response.get_metrics() or {}
stored = json.loads(response.to_json())
restored = type(response).from_dict(stored)
attempt = response.get_successful_attempt()
print(
    json.dumps(
        {
            "success": response.success,
            "content": response.get_content(),
            "blocks": response.get_content_blocks(),
            "model": response.model_used,
            "region": response.region_used,
            "access_method": response.access_method_used,
            "access_method_info": response.get_access_method_info(),
            "usage": response.get_usage(),
            "total_tokens": response.get_total_tokens(),
            "stop_reason": response.get_stop_reason(),
            "stop_category": response.get_stop_reason_category().value,
            "metrics": sorted(metrics),
            "took_time": (response.total_duration_ms or 0) > 0,
            "attempts": response.get_attempt_count(),
            "attempt_number": attempt.attempt_number if attempt else None,
            "errors": [str(error) for error in response.get_all_errors()],
            "warnings": response.get_warnings(),
            "text_form": repr(response),
            "manager": repr(manager),
            "stored": [stored["success"], stored["model_used"], stored["attempts"][0]["region"]],
            "restored": restored.get_content(),
        }
    )
)
