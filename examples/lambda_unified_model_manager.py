"""Lists in AWS Lambda the models that can be called; asks nobody and writes nothing.

Handler: ``lambda_unified_model_manager.handler``. Event: any of ``region``, ``provider`` (as AWS
spells it), ``input_modality``, ``access_method`` (``direct``, ``regional_cris``, ``global_cris``).

`CacheMode.NONE` with ``refresh="never"`` answers from the catalogue in the package: no permission,
no network and no file system are needed, boto3 is not imported, and the data is as old as the
package (`age_days`).

As a program it calls the handler with some events:

    python examples/lambda_unified_model_manager.py
"""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from typing import Any

from bestehorn_llmmanager import BedrockModelCatalog, CacheMode

FILTERS = ("region", "provider", "input_modality", "access_method")

catalog = BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")
catalog.ensure_catalog_available()


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    wanted = {name: event[name] for name in FILTERS if name in event}
    models = catalog.list_models(**wanted)
    age = datetime.now(timezone.utc) - catalog.get_catalog_metadata().retrieval_timestamp
    return {
        "count": len(models),
        "models": [model.model_name for model in models],
        "age_days": age.days,
    }


def main() -> None:
    print("Nobody is asked: the answers come from the catalogue in the package.\n")
    for event in (
        {"region": "eu-central-1", "provider": "Amazon"},
        {"region": "eu-central-1", "access_method": "global_cris"},
        {"provider": "Anthropic", "input_modality": "IMAGE"},
    ):
        print(event)
        answer = handler(event, None)
        print(f"  {answer['count']} models: {', '.join(answer['models'][:4])}, …")
    print(f"\nboto3 is imported: {'boto3' in sys.modules}")


if __name__ == "__main__":
    main()
