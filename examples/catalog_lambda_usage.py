"""Says in AWS Lambda what to call for a model; the catalogue is kept as the environment says.

Handler: ``catalog_lambda_usage.handler``. Event: ``{"model": "Nova Lite"}``, and ``"region"`` if it
is not that of the function.

CATALOG_CACHE_MODE: ``file`` (default), ``memory`` or ``none``. The first needs a directory that can
be written, CATALOG_CACHE_DIRECTORY, which on Lambda is one below ``/tmp``.

As a program it calls the handler twice in each of the three modes, as a cold and a warm start do:

    python examples/catalog_lambda_usage.py
"""

# ruff: noqa: PLC0415  (a cold start need not load what only a trial on this machine needs)
from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager import BedrockModelCatalog, CacheMode

if TYPE_CHECKING:
    from bestehorn_llmmanager.testing import LocalBedrock

MOST_SECONDS = 8  # Lambda ends the initialisation after ten


@cache
def catalog() -> BedrockModelCatalog:
    """One for all invocations: queries of a loaded catalogue touch neither disk nor network."""
    return BedrockModelCatalog(
        cache_mode=CacheMode(os.environ.get("CATALOG_CACHE_MODE", "file")),
        cache_directory=os.environ.get("CATALOG_CACHE_DIRECTORY", "/tmp/bedrock-catalog"),  # noqa: S108
        timeout=MOST_SECONDS,
        regions=[own_region()],
    )


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    name, region = event["model"], event.get("region", own_region())
    access = catalog().get_model_info(name, region)
    if access is None:
        return {"callable": False, "reason": catalog().explain_missing(name, region)}
    return {
        "callable": True,
        "access": access.get_access_summary(),
        "model_id": access.model_id,
        "profile_ids": access.get_cris_profile_ids(),
        "source": catalog().get_catalog_metadata().source.value,
    }


def own_region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "us-east-1")


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    # In the initialisation, before the first request.
    catalog().ensure_catalog_available()


def main() -> None:
    import tempfile
    from contextlib import ExitStack

    with ExitStack() as stack:
        local = None if has_credentials() else stack.enter_context(local_bedrock())
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        os.environ["CATALOG_CACHE_DIRECTORY"] = folder
        for mode in CacheMode:
            os.environ["CATALOG_CACHE_MODE"] = mode.value
            catalog.cache_clear()
            print(f"cache mode {mode.value}:")
            for start in "cold", "warm":
                before = local.count() if local else 0
                print(f"  {start}: {handler({'model': 'Nova Lite'}, None)}")
                if local:
                    print(f"  requests to Bedrock: {local.count() - before}")
        print(f"unknown: {handler({'model': 'Nova Light'}, None)}")


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
