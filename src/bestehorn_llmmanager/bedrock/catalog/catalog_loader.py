"""Brings cache, live APIs, last known good data and the bundle together into one catalogue."""

from __future__ import annotations

import time
from datetime import datetime, timezone

from bestehorn_llmmanager._fork import NoForkMeanwhile
from bestehorn_llmmanager._lazy import lazy_logger
from bestehorn_llmmanager.bedrock.catalog.cache_manager import current_endpoint
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    BundledDataError,
    CatalogUnavailableError,
)
from bestehorn_llmmanager.bedrock.models.catalog_structures import CatalogSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from dataclasses import dataclass, replace
    from pathlib import Path

    from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
    from bestehorn_llmmanager.bedrock.catalog.cache_manager import CacheManager
    from bestehorn_llmmanager.bedrock.catalog.fetching import Fetched
    from bestehorn_llmmanager.bedrock.models.catalog_structures import (
        RegionFailure,
        RegionMetadata,
        UnifiedCatalog,
    )
else:
    from bestehorn_llmmanager._dataclass import dataclass, replace

logger = lazy_logger(__name__)

_SHORTEST_SWEEP_SECONDS = 1.0  # for whoever has waited for the lock all the time

_CERTAINTY = (CatalogSource.API, CatalogSource.CACHE, CatalogSource.BUNDLED)


@dataclass(frozen=True, kw_only=True)
class CatalogLoader:
    """Loads a catalogue whenever it is asked to; keeps none itself.

    What is needed only to fetch, to merge or to read the bundle is imported when it is needed: a
    start that finds all regions in the cache needs none of it.

    For each region the first of these that answers counts:

    1. the cache, if AWS gave its data less than `max_age_hours` ago
    2. the live APIs, asked once for all threads and processes that share the cache
    3. the last known good: an older cache, if it is newer than the bundle
    4. the bundle

    Safe to share between threads.

    Attributes:
        auth_manager: Gives control-plane clients; None means one for boto3's own chain, made
            (and imported) only on the way to a fetch.
        cache: Where fetched data is kept.
        regions: The regions that are needed; None means all. Only these are fetched; what the
            cache or the bundle knows of others is there, too.
        timeout: Seconds for a whole sweep.
        max_workers: Regions in flight at once.
        max_retries: Tries per call.
        fallback_to_bundled: Whether the bundle may answer.
    """

    auth_manager: AuthManager | None
    cache: CacheManager
    regions: tuple[str, ...] | None
    timeout: float
    max_workers: int
    max_retries: int
    fallback_to_bundled: bool

    def load(
        self,
        *,
        bypass_cache: bool = False,
        may_fetch: bool = True,
        must_fetch: bool = False,
        loaded: UnifiedCatalog | None = None,
    ) -> UnifiedCatalog:
        """Make a catalogue of the best that there is.

        Args:
            bypass_cache: Fetch even what the cache has.
            may_fetch: Whether AWS may be asked.
            must_fetch: Whether nothing but an answer of AWS will do.
            loaded: What is in use already; kept for regions of which nothing newer is found.

        Raises:
            CatalogUnavailableError: Nothing answered; says what each source said.
        """
        attempt = _Attempt(self, bypass_cache=bypass_cache, loaded=loaded)
        if may_fetch:
            attempt.fetch()
        return attempt.result(must_fetch=must_fetch)

    def may_have_credentials(self) -> bool:
        """Whether it is worth asking AWS at all; sends nothing."""
        if self.auth_manager is not None:
            return self.auth_manager.may_have_credentials()
        from bestehorn_llmmanager.bedrock.auth.credentials import (  # noqa: PLC0415
            may_have_credentials,
        )

        return may_have_credentials(None)


class _Attempt:
    """One load: what is wanted, what each source had, and what it said."""

    def __init__(
        self, loader: CatalogLoader, *, bypass_cache: bool, loaded: UnifiedCatalog | None
    ) -> None:
        self._loader = loader
        self._started = datetime.now(timezone.utc)
        self._bypass_cache = bypass_cache
        self._loaded = loaded
        self._fetched: UnifiedCatalog | None = None
        self._stored: UnifiedCatalog | None = None
        self._failures: dict[str, RegionFailure] = {}
        self._cache_file: Path | None = None
        self._read_cache()
        self._wanted = self._locally_wanted()
        self._answers = {
            "cache": "bypassed" if bypass_cache else f"nothing (mode {loader.cache.mode.value!r})",
            "API": "not asked",
            "bundle": "not allowed",
        }

    def _read_cache(self) -> None:
        stored = self._loader.cache.load_stored()
        if stored:
            self._stored = stored
            self._failures = dict(stored.metadata.unavailable_regions)
            self._cache_file = stored.metadata.cache_file_path

    def _locally_wanted(self) -> list[str]:
        """The regions that are needed; empty if nothing local says which "all" are."""
        if self._loader.regions is not None:
            return list(self._loader.regions)
        return self._stored.metadata.all_regions if self._stored else []

    def fetch(self) -> None:
        """Ask AWS for what is missing, unless somebody else is doing so."""
        loader = self._loader
        if self._wanted and not self._missing():
            return
        if not loader.may_have_credentials():
            self._answers["API"] = "not asked: nothing points at AWS credentials"
            return
        deadline = time.monotonic() + loader.timeout
        with loader.cache.lock(loader.timeout) as held:
            # Whoever held the lock before may have fetched what is missing here.
            self._read_cache()
            self._wanted = list(loader.regions or _all_regions())
            missing = self._missing()
            if missing and held:
                shortest = min(loader.timeout, _SHORTEST_SWEEP_SECONDS)
                self._fetch(missing, max(shortest, deadline - time.monotonic()))
            elif missing:
                self._answers["API"] = "not asked: another process was asking all the time"

    def _missing(self) -> list[str]:
        listed = self._stored.regions_metadata if self._stored else {}
        return [
            region
            for region in self._wanted
            if not self._is_fresh(listed.get(region))
            and not (self._is_refused(region) and self._is_fresh(self._failures[region]))
        ]

    def _is_fresh(self, answer: RegionMetadata | RegionFailure | None) -> bool:
        if answer is None or (self._bypass_cache and answer.retrieved_utc < self._started):
            return False
        return self._loader.cache.is_fresh(answer.retrieved_utc)

    def _fetch(self, regions: Sequence[str], timeout: float) -> None:
        endpoint = current_endpoint()
        fetched = _fetched(self._loader, regions, timeout)
        for region in regions:
            self._failures.pop(region, None)
        self._failures |= fetched.failures
        if fetched.catalog is None:
            self._answers["API"] = fetched.reason
            logger.warning("reason=%s | no live model catalogue", fetched.reason)
        else:
            self._fetched = fetched.catalog
            if current_endpoint() != endpoint:
                return  # it was changed meanwhile; the file would name the wrong one
            self._cache_file = self._loader.cache.save_cache(self._to_store(fetched.catalog))

    def _to_store(self, fetched: UnifiedCatalog) -> UnifiedCatalog:
        """What AWS said, now and before of other regions; what failed for now is not kept."""
        stored = _overlay(fetched, self._stored) if self._stored else fetched
        answered = stored.regions_metadata
        refused = {r: f for r, f in sorted(self._failures.items()) if f.is_refusal}
        metadata = replace(
            stored.metadata,
            retrieval_timestamp=min(entry.retrieved_utc for entry in answered.values()),
            api_regions_queried=sorted(answered),
            bundled_data_version=None,
            cache_file_path=None,
            unavailable_regions=refused,
            all_regions=self._all_regions(),
        )
        return replace(stored, metadata=metadata)

    def _all_regions(self) -> list[str]:
        if self._loader.regions is None:
            return list(self._wanted)
        return self._stored.metadata.all_regions if self._stored else []

    def result(self, *, must_fetch: bool) -> UnifiedCatalog:
        """The best of everything, region by region."""
        if must_fetch and self._fetched is None:
            raise self._unavailable()
        catalog = self._known_before()
        if self._fetched:
            catalog = _overlay(self._fetched, catalog) if catalog else self._fetched
        if catalog is None:
            raise self._unavailable()
        return self._described(catalog)

    def _known_before(self) -> UnifiedCatalog | None:
        """What was loaded, cached or bundled, for each region the newest of it."""
        known = self._stored
        if self._loaded:
            known = _newer_over(self._loaded, known) if known else self._loaded
        if self._is_complete(known) or not self._loader.fallback_to_bundled:
            return known
        try:
            bundle = _bundle()
        except BundledDataError as error:
            self._answers["bundle"] = error.message
            return known
        return _newer_over(known, bundle) if known else bundle

    def _is_complete(self, known: UnifiedCatalog | None) -> bool:
        """Whether AWS itself has told of all the regions that there are."""
        told = {r for c in (known, self._fetched) if c for r in c.regions_metadata}
        return self._loader.regions is None and bool(self._wanted) and told >= set(self._wanted)

    def _described(self, catalog: UnifiedCatalog) -> UnifiedCatalog:
        """Say of the whole what holds for the least certain of the regions asked for."""
        regions = catalog.regions_metadata
        asked = [region for region in self._wanted or regions if region in regions]
        usable = [region for region in asked if not self._is_refused(region)]
        entries = [regions[region] for region in usable or asked or regions]
        if not entries:  # made by hand, without regions
            return catalog
        source = max((entry.source for entry in entries), key=_CERTAINTY.index)
        if source is CatalogSource.BUNDLED:
            _warn_of_age(_bundle())
        metadata = replace(
            catalog.metadata,
            source=source,
            retrieval_timestamp=min(entry.retrieved_utc for entry in entries),
            api_regions_queried=_answered_by_aws(regions, source),
            bundled_data_version=_bundle_version(regions),
            cache_file_path=self._cache_file,
            regions_metadata=regions,
            unavailable_regions=dict(sorted(self._failures.items())),
            all_regions=self._all_regions(),
        )
        # A dict of its own: the bundle's is shared by all catalogues of the process.
        return replace(catalog, models=dict(catalog.models), metadata=metadata)

    def _is_refused(self, region: str) -> bool:
        return region in self._failures and self._failures[region].is_refusal

    def _unavailable(self) -> CatalogUnavailableError:
        said = "; ".join(f"{source}: {answer}" for source, answer in self._answers.items())
        return CatalogUnavailableError(
            f"No source has a model catalogue. {said}. Check the credentials and the network, "
            "allow `bedrock:ListFoundationModels` and `bedrock:ListInferenceProfiles`, or use "
            "`fallback_to_bundled=True`.",
            details=dict(self._answers),
        )


def _all_regions() -> list[str]:
    with NoForkMeanwhile():
        import botocore.session  # noqa: F401, PLC0415  (`all_regions` needs it)

        from bestehorn_llmmanager.bedrock.catalog.regions import all_regions  # noqa: PLC0415

    return all_regions()


def _fetched(loader: CatalogLoader, regions: Sequence[str], timeout: float) -> Fetched:
    with NoForkMeanwhile():
        from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager  # noqa: PLC0415
        from bestehorn_llmmanager.bedrock.catalog.api_fetcher import (  # noqa: PLC0415
            BedrockAPIFetcher,
        )
        from bestehorn_llmmanager.bedrock.catalog.fetching import fetch  # noqa: PLC0415

    auth_manager = loader.auth_manager or AuthManager()
    fetcher = BedrockAPIFetcher(auth_manager, timeout, loader.max_workers, loader.max_retries)
    return fetch(fetcher, regions)


def _bundle() -> UnifiedCatalog:
    with NoForkMeanwhile():
        from bestehorn_llmmanager.bedrock.catalog.bundled_loader import (  # noqa: PLC0415
            bundled_catalog,
        )

    return bundled_catalog()


def _warn_of_age(bundle: UnifiedCatalog) -> None:
    from bestehorn_llmmanager.bedrock.catalog.bundled_loader import warn_of_age  # noqa: PLC0415

    warn_of_age(bundle)


def _overlay(upper: UnifiedCatalog, lower: UnifiedCatalog) -> UnifiedCatalog:
    from bestehorn_llmmanager.bedrock.catalog.overlay import overlay  # noqa: PLC0415

    return overlay(upper, lower)


def _newer_over(upper: UnifiedCatalog, lower: UnifiedCatalog) -> UnifiedCatalog:
    from bestehorn_llmmanager.bedrock.catalog.overlay import newer_over  # noqa: PLC0415

    return newer_over(upper, lower)


def _bundle_version(regions: Mapping[str, RegionMetadata]) -> str | None:
    if any(entry.source is CatalogSource.BUNDLED for entry in regions.values()):
        return _bundle().metadata.bundled_data_version
    return None


def _answered_by_aws(regions: Mapping[str, RegionMetadata], source: CatalogSource) -> list[str]:
    if source is CatalogSource.BUNDLED:
        return sorted(regions)
    return sorted(r for r, entry in regions.items() if entry.source is not CatalogSource.BUNDLED)
