"""Lets a model call a function until it has what it needs."""

# ruff: noqa: T201

import json
from typing import Any

from bestehorn_llmmanager import (
    LLMManager,
    ToolResultStatusEnum,
    create_assistant_message,
    create_user_message,
)

TOOLS: dict[str, Any] = {
    "tools": [
        {
            "toolSpec": {
                "name": "get_weather",
                "description": "The weather in a city",
                "inputSchema": {
                    "json": {
                        "type": "object",
                        "properties": {"city": {"type": "string"}},
                        "required": ["city"],
                    }
                },
            }
        }
    ]
}
WEATHER = {"Berlin": {"celsius": 7}}

manager = LLMManager(models=["Nova Lite"], regions=["us-east-1"])
messages = [create_user_message().add_text("Where is it warmer, Berlin or Atlantis?").build()]
turns = []
while True:
    response = manager.converse(messages=messages, tool_config=TOOLS)
    turns.append(
        {
            "stop": response.get_stop_reason(),
            "text": response.get_content(),
            "uses": [[use.tool_use_id, use.name, use.input] for use in response.get_tool_uses()],
        }
    )
    if not response.has_tool_use():
        break
    call, result = create_assistant_message(), create_user_message()
    for use in response.get_tool_uses():
        call.add_tool_use(use.tool_use_id, use.name, use.input)
        weather = WEATHER.get(use.input["city"])
        if weather:
            result.add_tool_result(use.tool_use_id, weather)
        else:
            result.add_tool_result(
                use.tool_use_id, "no such city", status=ToolResultStatusEnum.ERROR
            )
    messages += [call.build(), result.build()]

print(json.dumps({"turns": turns, "messages": len(messages), "tools": len(TOOLS["tools"])}))
