"""A web service in AWS Lambda: lists models and answers prompts, with errors as HTTP statuses.

Handler: ``lambda_complete_serverless_app.handler``, behind an HTTP API or a function URL (payload
format 2.0).

    GET  /models?provider=Amazon       what can be called in the function's regions
    POST /answers  {"prompt": "…"}     an answer, and which model in which region gave it

MODELS, REGIONS: names, separated by commas, in order of preference.
CATALOG_CACHE_MODE: ``file`` (default; in CATALOG_CACHE_DIRECTORY), ``memory`` or ``none``.
ALLOWED_DESTINATION_REGIONS: if set, the only regions that may process a request.

Each request leaves one line of JSON in the log, without prompt and answer.

As a program it sends itself some requests:

    python examples/lambda_complete_serverless_app.py
"""

# ruff: noqa: PLC0415  (a cold start need not load what only a trial on this machine needs)
from __future__ import annotations

import base64
import json
import os
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager import (
    AuthenticationError,
    BedrockModelCatalog,
    CacheMode,
    LLMManager,
    RequestValidationError,
    RetryExhaustedError,
)

if TYPE_CHECKING:
    from bestehorn_llmmanager.testing import LocalBedrock

MOST_SECONDS_FOR_THE_CATALOGUE = 8  # Lambda ends the initialisation after ten
SECONDS_TO_ANSWER = 1
LONGEST_PROMPT = 10_000


def names(variable: str, default: str = "") -> list[str]:
    return [name.strip() for name in os.environ.get(variable, default).split(",") if name.strip()]


def regions() -> list[str]:
    return names("REGIONS", "eu-central-1, eu-west-1")


def kept() -> dict[str, Any]:
    """Where both keep the catalogue: in mode ``file`` the second reads what the first fetched."""
    return {
        "mode": CacheMode(os.environ.get("CATALOG_CACHE_MODE", "file")),
        "directory": os.environ.get("CATALOG_CACHE_DIRECTORY", "/tmp/bedrock-catalog"),  # noqa: S108
    }


@cache
def manager() -> LLMManager:
    return LLMManager(
        models=names("MODELS", "Claude Haiku 4.5, Nova Lite"),
        regions=regions(),
        catalog_cache_mode=kept()["mode"],
        catalog_cache_directory=kept()["directory"],
        allowed_destination_regions=names("ALLOWED_DESTINATION_REGIONS") or None,
        default_inference_config={"maxTokens": 500},
        timeout=MOST_SECONDS_FOR_THE_CATALOGUE,
    )


@cache
def catalog() -> BedrockModelCatalog:
    return BedrockModelCatalog(
        cache_mode=kept()["mode"],
        cache_directory=kept()["directory"],
        timeout=MOST_SECONDS_FOR_THE_CATALOGUE,
        regions=regions(),
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    started = time.perf_counter()
    route = f"{event['requestContext']['http']['method']} {event['rawPath']}"
    status, content, notes = respond(route, event, context)
    seconds = round(time.perf_counter() - started, 3)
    print(json.dumps({"route": route, "status": status, "seconds": seconds, **notes}))
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(content),
    }


def respond(
    route: str, event: dict[str, Any], context: Any
) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Status, content, and what the log is told."""
    if route == "GET /models":
        return 200, models(event.get("queryStringParameters") or {}), {}
    if route != "POST /answers":
        return 404, {"error": f"There is no {route}."}, {}
    prompt = prompt_of(event)
    if prompt is None:
        return 400, {"error": f'Send {{"prompt": "…"}}, of 1 to {LONGEST_PROMPT} characters.'}, {}
    seconds = max(context.get_remaining_time_in_millis() / 1000 - SECONDS_TO_ANSWER, 0.1)
    try:
        return answer(prompt, seconds)
    except RequestValidationError as error:
        return 400, {"error": "No model takes this request."}, {"fields": error.invalid_fields}
    except RetryExhaustedError as error:
        log = [[entry.region, entry.model_id, entry.decision] for entry in error.attempt_log]
        return 503, {"error": "No model answers at the moment."}, {"attempts": log}
    except AuthenticationError as error:
        return 500, {"error": "This service is not set up."}, {"reason": str(error)}


def models(parameters: dict[str, str]) -> dict[str, Any]:
    provider = parameters.get("provider")
    found = {
        region: [model.model_name for model in catalog().list_models(region, provider)]
        for region in regions()
    }
    return {"models": found, "source": catalog().get_catalog_metadata().source.value}


def prompt_of(event: dict[str, Any]) -> str | None:
    body = event.get("body") or ""
    try:
        content = json.loads(base64.b64decode(body) if event.get("isBase64Encoded") else body)
    except (ValueError, RecursionError):
        return None
    prompt = content.get("prompt") if isinstance(content, dict) else None
    is_prompt = isinstance(prompt, str) and 0 < len(prompt.strip()) <= LONGEST_PROMPT
    return prompt if is_prompt else None


def answer(prompt: str, seconds: float) -> tuple[int, dict[str, Any], dict[str, Any]]:
    response = manager().converse(
        [{"role": "user", "content": [{"text": prompt}]}], timeout=seconds
    )
    given_by = {"model": response.model_used, "region": response.region_used}
    notes = {**given_by, "requests": len(response.attempt_log), "usage": response.get_usage()}
    return 200, {"answer": response.get_content(), **given_by}, notes


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    manager().connect()  # in the initialisation, before the first request


def main() -> None:
    import tempfile
    from contextlib import ExitStack
    from types import SimpleNamespace

    from bestehorn_llmmanager.testing import Fault

    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 3_500)

    def send(method: str, path: str, body: str = "", **parameters: str) -> None:
        http = {"requestContext": {"http": {"method": method}}, "rawPath": path}
        result = handler({**http, "body": body, "queryStringParameters": parameters}, context)
        print(f"{method} {path}: {result['statusCode']} {result['body']}\n")

    with ExitStack() as stack:
        local = None if has_credentials() else stack.enter_context(local_bedrock())
        os.environ["CATALOG_CACHE_DIRECTORY"] = stack.enter_context(tempfile.TemporaryDirectory())
        send("GET", "/models", provider="Amazon")
        send("POST", "/answers", '{"prompt": "What is a region?"}')
        send("POST", "/answers", "What is a region?")
        send("GET", "/prices")
        if local:
            local.fail(Fault.unavailable(), operation="Converse")
            send("POST", "/answers", '{"prompt": "What is a region?"}')


def has_credentials() -> bool:
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
