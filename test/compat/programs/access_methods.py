"""Looks at how models can be reached, and says which way is preferred."""

# ruff: noqa: T201

import json
from typing import Any

from bestehorn_llmmanager import LLMManager, create_user_message
from bestehorn_llmmanager.bedrock.tracking.access_method_tracker import AccessMethodTracker

MODELS = ["Claude Haiku 4.5", "Nova Lite"]
REGIONS = ["us-east-1", "eu-west-1"]
messages = [create_user_message().add_text("Hello").build()]


def ask(manager: LLMManager, times: int) -> dict[str, list[Any]]:
    responses = [manager.converse(messages=messages) for _ in range(times)]
    return {
        "targets": [[response.model_used, response.region_used] for response in responses],
        "methods": [response.get_access_method() for response in responses],
        "used_profile": [response.was_profile_used() for response in responses],
        "profiles": [response.get_profile_id() for response in responses],
    }


plain = LLMManager(models=MODELS, regions=REGIONS)
validation = plain.validate_configuration()
facts: dict[str, Any] = {
    "models": plain.get_available_models(),
    "regions": plain.get_available_regions(),
    "access": [
        plain.get_model_access_info(model, region)
        for model in [*MODELS, "no such model"]
        for region in REGIONS
    ],
    "valid": validation["valid"],
    "errors": validation["errors"],
    "combinations": validation["model_region_combinations"],
    "auth": validation["auth_status"],
    "plain": ask(plain, 2),
    "rotate": ask(LLMManager(models=MODELS, regions=REGIONS, region_order="rotate"), 4),
}
AccessMethodTracker.reset_for_testing()
preferring = LLMManager(models=MODELS, regions=REGIONS, access_method_preference="global_cris")
facts["preferred"] = ask(preferring, 2)
tracked = AccessMethodTracker.get_instance().get_statistics()
facts["tracked"] = {name: tracked[name] for name in ("total_tracked", "global_cris_count")}
facts["after_preference"] = ask(LLMManager(models=MODELS, regions=REGIONS), 1)
AccessMethodTracker.reset_for_testing()
facts["half"] = ask(LLMManager(models=MODELS, regions=REGIONS, global_cris_fraction=0.5), 4)
print(json.dumps(facts))
