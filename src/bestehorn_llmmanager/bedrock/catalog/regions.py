"""Tells which regions "all regions" are."""

from __future__ import annotations

from bestehorn_llmmanager.bedrock.catalog.bundled_loader import bundled_regions


def all_regions() -> list[str]:
    """Regions of the partition `aws` that have Bedrock: those of the bundle and of botocore.

    Local data only, but imports botocore: to be asked for on the way to a fetch.
    """
    import botocore.session  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    try:
        session = botocore.session.get_session()
        known = session.get_available_regions("bedrock", partition_name="aws")
    except BotoCoreError:  # a profile that does not exist, for one; the fetch will say so
        known = []
    return sorted({*known, *bundled_regions()})
