"""Shows where models can be called, and gets one answer.

With AWS credentials it talks to AWS. Without, it starts a Bedrock endpoint on this machine
(`LocalBedrock`) and says so.

    python examples/quickstart.py
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from datetime import datetime, timezone

from bestehorn_llmmanager import BedrockModelCatalog, LLMManager
from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.exceptions import AuthenticationError, RetryExhaustedError
from bestehorn_llmmanager.testing import LocalBedrock

MODELS = ["Nova Micro", "Nova Lite", "Claude Haiku 4.5", "Claude Sonnet 4.5", "gpt-oss-120b"]
REGIONS = ["us-east-1", "us-west-2", "eu-central-1", "ap-northeast-1"]


def main() -> None:
    with ExitStack() as stack:
        if not has_credentials():
            local = stack.enter_context(LocalBedrock(set_environment=True))
            print(f"No AWS credentials: using LocalBedrock at {local.url}.")
            print("It knows the models, but its answers are made up.\n")
        catalog = BedrockModelCatalog(cache_mode=CacheMode.MEMORY, regions=REGIONS)
        show_source(catalog)
        show_table(catalog)
        show_answer()


def has_credentials() -> bool:
    try:
        AuthManager().get_session()
    except AuthenticationError:
        return False
    return True


def show_source(catalog: BedrockModelCatalog) -> None:
    metadata = catalog.get_catalog_metadata()
    age = datetime.now(timezone.utc) - metadata.retrieval_timestamp
    print(
        f"{catalog.ensure_catalog_available().model_count} models; source: {metadata.source.value}, "
        f"{age.total_seconds() / 3600:.1f} h old\n"
    )


def show_table(catalog: BedrockModelCatalog) -> None:
    print(f"{'':18}" + "".join(f"{region:18}" for region in REGIONS))
    for name in MODELS:
        cells = []
        for region in REGIONS:
            access = catalog.get_model_info(name, region)
            cells.append(access.get_access_summary() if access else "-")
        print(f"{name:18}" + "".join(f"{short(cell):18}" for cell in cells))
    print("\ndirect: send the model id; regional, global: send the inference profile's id\n")


def short(summary: str) -> str:
    return summary.replace("_CRIS", "").replace(" + ", ", ").lower()


def show_answer() -> None:
    manager = LLMManager(
        models=["Nova Micro", "Claude Haiku 4.5"],
        regions=REGIONS,
        catalog_cache_mode=CacheMode.MEMORY,
    )
    try:
        response = manager.converse([{"role": "user", "content": [{"text": "What is a region?"}]}])
    except RetryExhaustedError as error:
        sys.exit(f"No answer: {error.last_errors[-1]}")
    print(f"{response.model_used} ({response.model_id_used}) in {response.region_used} says:")
    print(response.get_content())


if __name__ == "__main__":
    main()
