"""Turns requests under `/_local/` into calls of a LocalBedrock in another process."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from bestehorn_llmmanager.testing._batch import BatchRun
from bestehorn_llmmanager.testing._faults import Fault

if TYPE_CHECKING:
    from bestehorn_llmmanager.testing._http import HttpRequest
    from bestehorn_llmmanager.testing.local_bedrock import LocalBedrock


def respond(bedrock: LocalBedrock, request: HttpRequest) -> dict[str, Any]:
    """Do what the request says; `{"error": …}` says why it could not be done."""
    try:
        if request.method == "GET":
            return _tell(bedrock, request.path, dict(parse_qsl(request.query)))
        return _do(bedrock, request.path, json.loads(request.body or b"{}"))
    except (TypeError, ValueError, LookupError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _tell(bedrock: LocalBedrock, path: str, query: dict[str, str]) -> dict[str, Any]:
    if path == "/_local/count":
        return {"count": bedrock.count(**query)}
    if path == "/_local/requests":
        return {
            "requests": [asdict(served) for served in bedrock.requests],
            "connections_by_region": bedrock.connections_by_region(),
            "errors": bedrock.errors,
        }
    raise LookupError(f"Nothing to read at {path}")


def _do(bedrock: LocalBedrock, path: str, options: dict[str, Any]) -> dict[str, Any]:
    if path == "/_local/fault":
        bedrock.fail(fault_from_json(options.pop("fault")), **options)
    elif path == "/_local/reply":
        bedrock.reply_with(options.pop("reply"), **options)
    elif path == "/_local/target":
        bedrock.register_target(**options)
    elif path == "/_local/quota":
        bedrock.limit_tokens(**options)
    elif path == "/_local/batches":
        bedrock.run_batches(BatchRun(**options.pop("run")), **options)
    elif path == "/_local/clear_faults":
        bedrock.clear_faults()
    elif path == "/_local/reset":
        bedrock.reset()
    else:
        raise LookupError(f"Nothing to do at {path}")
    return {}


def fault_from_json(fields: dict[str, Any]) -> Fault:
    """What `dataclasses.asdict` made of a fault; JSON has no tuples."""
    tuples: dict[str, Any] = {
        name: tuple(map(tuple, value)) if isinstance(value, list) else value
        for name, value in fields.items()
    }
    return Fault(**tuples)
