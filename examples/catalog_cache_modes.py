"""Shows what each cache mode of the model catalogue keeps, and when Bedrock is asked.

With AWS credentials it talks to AWS. Without, it starts a Bedrock endpoint on this machine
(`LocalBedrock`), says so, and counts the requests. The cache is in a temporary directory.

    python examples/catalog_cache_modes.py
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bestehorn_llmmanager import AuthenticationError, BedrockModelCatalog, CacheMode
from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.testing import LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable

REGIONS = ["us-east-1", "eu-central-1"]


def main() -> None:
    with ExitStack() as stack:
        local = None
        if not has_credentials():
            local = stack.enter_context(LocalBedrock(set_environment=True))
            print(f"No AWS credentials: using LocalBedrock at {local.url}.")
        ask = asking(local)
        folder = Path(stack.enter_context(TemporaryDirectory())) / "cache"
        show_file(ask, folder)
        show_memory(ask)
        show_none(ask)
        show_refresh(ask, folder)


def has_credentials() -> bool:
    try:
        AuthManager().get_session()
    except AuthenticationError:
        return False
    return True


def asking(local: LocalBedrock | None) -> Callable[[str, BedrockModelCatalog], None]:
    def ask(title: str, catalog: BedrockModelCatalog) -> None:
        before = local.count() if local else 0
        access = catalog.get_model_info("Nova Lite", "eu-central-1")
        profile = access.regional_cris_profile_id if access else None
        source = catalog.get_catalog_metadata().source.value
        requests = f", {local.count() - before} requests to Bedrock" if local else ""
        print(f"  {title}: {profile}, source {source}{requests}")

    return ask


def show_file(ask: Callable[[str, BedrockModelCatalog], None], folder: Path) -> None:
    print("\nCacheMode.FILE: one file, for all programs of this user")
    catalog = BedrockModelCatalog(
        cache_mode=CacheMode.FILE,
        cache_directory=folder,
        cache_max_age_hours=24,
        regions=REGIONS,
    )
    ask("first object", catalog)
    ask("the same again", catalog)
    ask("second object", BedrockModelCatalog(cache_directory=folder, regions=REGIONS))
    assert catalog.cache_file_path is not None
    print(f"  on disk: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    print(f"  exists after clear_cache(): {clear(catalog)}")
    ask("after that", catalog)


def clear(catalog: BedrockModelCatalog) -> bool:
    catalog.clear_cache()
    return catalog.cache_file_path is not None and catalog.cache_file_path.exists()


def show_memory(ask: Callable[[str, BedrockModelCatalog], None]) -> None:
    print("\nCacheMode.MEMORY: in the object")
    catalog = BedrockModelCatalog(cache_mode=CacheMode.MEMORY, regions=REGIONS)
    ask("first object", catalog)
    ask("the same again", catalog)
    ask("second object", BedrockModelCatalog(cache_mode=CacheMode.MEMORY, regions=REGIONS))
    print(f"  file: {catalog.cache_file_path}")


def show_none(ask: Callable[[str, BedrockModelCatalog], None]) -> None:
    print("\nCacheMode.NONE: in the object; no file is looked for")
    catalog = BedrockModelCatalog(cache_mode=CacheMode.NONE, regions=REGIONS)
    ask("first object", catalog)
    ask("the same again", catalog)


def show_refresh(ask: Callable[[str, BedrockModelCatalog], None], folder: Path) -> None:
    print("\nWhen Bedrock is asked")
    ask(
        'refresh="never", a cache',
        BedrockModelCatalog(cache_directory=folder, regions=REGIONS, refresh="never"),
    )
    ask(
        'refresh="never", no cache',
        BedrockModelCatalog(cache_mode=CacheMode.NONE, regions=REGIONS, refresh="never"),
    )
    forced = BedrockModelCatalog(cache_directory=folder, regions=REGIONS, force_refresh=True)
    ask("force_refresh=True, a cache", forced)


if __name__ == "__main__":
    main()
