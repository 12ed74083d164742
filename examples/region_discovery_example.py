"""Finds the regions that have Bedrock: those that botocore knows, and those of the account.

With AWS credentials it asks AWS. Without, it starts a Bedrock endpoint on this machine
(`LocalBedrock`), says so, and lets it refuse one region, as AWS does where an account may not use
it. The lists are kept in a temporary directory.

    python examples/region_discovery_example.py
"""

from __future__ import annotations

from contextlib import ExitStack
from tempfile import TemporaryDirectory

from bestehorn_llmmanager import AuthenticationError, BedrockModelCatalog, BedrockRegionDiscovery
from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.testing import Fault, LocalBedrock

REFUSED = "ap-south-1"


def main() -> None:
    with ExitStack() as stack:
        local = None
        if not has_credentials():
            local = stack.enter_context(LocalBedrock(set_environment=True))
            local.fail(Fault.access_denied(), region=REFUSED)
            print(f"No AWS credentials: using LocalBedrock at {local.url}.\n")
        discovery = BedrockRegionDiscovery(
            cache_dir=stack.enter_context(TemporaryDirectory()), cache_ttl_hours=24
        )
        known = discovery.get_bedrock_regions()
        print(f"botocore knows {len(known)} regions with Bedrock: {', '.join(known[:4])}, …")
        show_account(discovery, known, local)
        show_model("Claude Haiku 4.5")


def has_credentials() -> bool:
    try:
        AuthManager().get_session()
    except AuthenticationError:
        return False
    return True


def show_account(
    discovery: BedrockRegionDiscovery, known: list[str], local: LocalBedrock | None
) -> None:
    for title in "asked", "asked again":
        before = local.count() if local else 0
        mine = discovery.get_bedrock_regions(live=True)
        requests = f" ({local.count() - before} requests)" if local else ""
        print(f"{title}, {len(mine)} answer for this account{requests}")
    print(f"  known, but not to be used: {', '.join(sorted(set(known) - set(mine))) or '-'}")
    cache = discovery.get_cache_info(live=True)
    print(f"  kept: {cache['cached_region_count']} regions, valid: {cache['cache_valid']}")


def show_model(name: str) -> None:
    """Regions that have Bedrock do not all have the same models: the catalogue knows which."""
    model = BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never").find_model(name)
    assert model is not None
    regions = model.get_supported_regions()
    print(f"\n{name} can be called in {len(regions)} regions: {', '.join(regions[:4])}, …")


if __name__ == "__main__":
    main()
