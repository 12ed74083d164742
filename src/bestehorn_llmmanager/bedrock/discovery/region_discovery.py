"""Answers which regions have Bedrock: from botocore's data, or by asking them."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager._fork import NoForkMeanwhile, start_afresh_after_fork
from bestehorn_llmmanager.bedrock.auth.credentials import may_have_credentials
from bestehorn_llmmanager.bedrock.catalog import private_files
from bestehorn_llmmanager.bedrock.catalog.cache_manager import CacheManager, current_endpoint
from bestehorn_llmmanager.bedrock.discovery.region_file import (
    RegionFile,
    RegionList,
    read_regions,
)
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    APIFetchError,
    ConfigurationError,
    LLMManagerError,
)
from bestehorn_llmmanager.bedrock.models.catalog_paths import (
    FALLBACK_CACHE_DIRECTORY,
    default_cache_directory,
)
from bestehorn_llmmanager.bedrock.models.catalog_structures import CacheMode
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import AuthConfig

if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.catalog.api_fetcher import RawCatalogData

logger = logging.getLogger(__name__)

CACHE_FILENAME = "bedrock_regions.json"
LIVE_CACHE_FILENAME = "bedrock_regions_live.json"

_LONGEST_TIMEOUT_SECONDS = 86_400.0  # locks and sockets overflow beyond their own limits
# What a region says that asking it again soon would not change: see `RegionFailure.kind`.
_REFUSALS = {"opted_out", "denied", "no_endpoint"}
# What decides whose account is asked: in the `AuthConfig`, and in the surroundings.
_ASKER_OPTIONS = ("auth_type", "profile_name", "role_arn", "access_key_id", "bearer_token")
_ASKER_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_CONFIG_FILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_SHARED_CREDENTIALS_FILE",
)


class RegionDiscoveryError(LLMManagerError):
    """It cannot be found out which regions have Bedrock."""


class BedrockRegionDiscovery:
    """Finds the regions that have Bedrock, and remembers them.

    Constructing it reads and writes nothing. Where no cache can be written, it works without.

    Safe to share between threads: one of them asks, the others wait for its answer. The regions
    of an account are asked for by one process at a time, for all that share the cache directory.
    Pickling and copying take the configuration along, with the secrets of `auth_config`.

    Args:
        cache_dir: Where the lists are kept; None means the directory of the model catalogue's
            cache. Where it cannot be written, the directory below ``/tmp`` is used that the
            catalogue falls back to.
        cache_ttl_hours: How long a list is valid; 0 means that none is taken from the cache.
        auth_config: Whose account is asked, where it is; None means boto3's own chain.
        timeout: Seconds for asking all regions of an account, and for waiting before that while
            another process asks.

    Raises:
        ConfigurationError: `cache_dir` is not a path or is a file, or a number is out of range.

    >>> "us-east-1" in BedrockRegionDiscovery().get_bedrock_regions()
    True
    """

    def __init__(
        self,
        cache_dir: str | os.PathLike[str] | None = None,
        cache_ttl_hours: float = 24,
        *,
        auth_config: AuthConfig | None = None,
        timeout: float = 30,
    ) -> None:
        self._cache_dir = _checked_directory(cache_dir)
        self._cache_ttl_hours = _checked_number("cache_ttl_hours", cache_ttl_hours)
        self._timeout = min(_checked_number("timeout", timeout), _LONGEST_TIMEOUT_SECONDS)
        if timeout == 0:
            raise ConfigurationError("`timeout` must be a number of seconds above 0, got 0")
        self._auth_config = _checked_auth_config(auth_config)
        directories = list(dict.fromkeys((self._cache_dir, FALLBACK_CACHE_DIRECTORY)))
        self._file = RegionFile(directories, CACHE_FILENAME)
        self._live_file = RegionFile(directories, LIVE_CACHE_FILENAME)
        self._unsaved: dict[bool, RegionList] = {}  # by whether it is live
        self._start_afresh()

    def _start_afresh(self) -> None:
        # Guards finding out, for each of the two; what is cached is read without it.
        self._locks = {False: threading.Lock(), True: threading.Lock()}
        start_afresh_after_fork(self)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_locks"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start_afresh()

    def __repr__(self) -> str:
        return (
            f"BedrockRegionDiscovery(cache_dir={self._cache_dir!r}, "
            f"cache_ttl_hours={self._cache_ttl_hours})"
        )

    def get_bedrock_regions(self, force_refresh: bool = False, *, live: bool = False) -> list[str]:
        """The regions of the partition `aws` that have Bedrock, sorted.

        Args:
            force_refresh: Whether to find out anew, whatever the cache says.
            live: False: what the installed botocore says, which needs neither network nor
                credentials. True: each region is asked for its models and profiles, with the
                permissions that the model catalogue needs. The answer is those that gave them;
                a region that the account has not enabled, or may not list, is left out. A
                region that did not answer in time, or failed, is kept in the answer, because
                that says nothing about it; then the answer is not cached.

        Raises:
            RegionDiscoveryError: There is no answer: botocore cannot be asked, no region
                answers, or there are no credentials. `__cause__` has the error.
        """
        known = None if force_refresh else self._known(live)
        if known is None:
            known = self._found(live, force_refresh)
        return list(known.regions)

    def clear_cache(self) -> None:
        """Forget both lists, in every place where they may be."""
        self._unsaved = {}
        self._file.clear()
        self._live_file.clear()

    def get_cache_info(self, *, live: bool = False) -> dict[str, Any]:
        """What the cache has.

        Args:
            live: Whether of the account's regions, or of botocore's.

        Returns:
            `cache_file`, `cache_exists`, `cache_ttl_hours`; if there is a file,
            `cache_age_hours`, `cache_valid` and `cached_region_count`, or, if it cannot be used,
            `cache_error` with the reason.
        """
        path = self._file_of(live).path
        exists = os.path.lexists(path)
        info = {
            "cache_file": path,
            "cache_exists": exists,
            "cache_ttl_hours": self._cache_ttl_hours,
        }
        if not exists:
            return info
        try:
            stored = read_regions(path)
        except (OSError, ValueError, RecursionError) as error:
            return {
                **info,
                "cache_error": f"The file cannot be used: {private_files.described(error)}",
            }
        return {
            **info,
            "cache_age_hours": stored.age_hours,
            "cache_valid": self._is_valid(stored, self._asker(live)),
            "cached_region_count": len(stored.regions),
        }

    def _file_of(self, live: bool) -> RegionFile:
        return self._live_file if live else self._file

    def _asker(self, live: bool) -> str | None:
        return asker_of(self._auth_config) if live else None

    def _is_valid(self, regions: RegionList, asker: str | None) -> bool:
        return regions.asker == asker and regions.is_valid(self._cache_ttl_hours)

    def _known(self, live: bool) -> RegionList | None:
        asker = self._asker(live)
        unsaved = self._unsaved.get(live)
        found = [*self._file_of(live).lists(), *([] if unsaved is None else [unsaved])]
        valid = (regions for regions in found if self._is_valid(regions, asker))
        return max(valid, key=lambda regions: regions.retrieved, default=None)

    def _found(self, live: bool, force_refresh: bool) -> RegionList:
        find = self._ask_account if live else self._ask_botocore
        with self._locks[live]:
            # Another thread may have found out in the meantime.
            known = None if force_refresh else self._known(live)
            return find(force_refresh) if known is None else known

    def _ask_botocore(self, _: bool) -> RegionList:
        found = RegionList(_regions_of_botocore(), datetime.now(timezone.utc))
        self._keep(found, live=False)
        return found

    def _ask_account(self, force_refresh: bool) -> RegionList:
        if not may_have_credentials(self._auth_config):
            raise RegionDiscoveryError(
                "There are no AWS credentials to ask the regions with. Give an `auth_config`, set "
                "`AWS_PROFILE`, or leave out `live=True`: botocore's own list needs none."
            )
        cache = CacheManager(CacheMode.FILE, self._cache_dir)
        with cache.lock(self._timeout):
            # Another process may have asked meanwhile; whoever waits in vain asks as well.
            known = None if force_refresh else self._known(live=True)
            return self._sweep() if known is None else known

    def _sweep(self) -> RegionList:
        asker = self._asker(live=True)
        raw = _ask_regions(self._auth_config, self._timeout)
        undecided = [r for r, kind in raw.failure_kinds.items() if kind not in _REFUSALS]
        found = RegionList(
            tuple(sorted({*raw.successful_regions, *undecided})), datetime.now(timezone.utc), asker
        )
        if undecided:
            logger.debug("regions=%s | did not answer; regions of the account not kept", undecided)
        else:
            self._keep(found, live=True)
        return found

    def _keep(self, found: RegionList, *, live: bool) -> None:
        if self._file_of(live).save(found):
            self._unsaved.pop(live, None)
        else:
            self._unsaved[live] = found


def asker_of(auth_config: AuthConfig | None) -> str:
    """A digest of what decides whose account is asked, and at which endpoint; not to be undone."""
    parts = [
        *(str(getattr(auth_config, name, None)) for name in _ASKER_OPTIONS),
        *(os.environ.get(name) for name in _ASKER_VARIABLES),
        current_endpoint(),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _regions_of_botocore() -> tuple[str, ...]:
    try:
        with NoForkMeanwhile():
            import botocore.session  # noqa: PLC0415
            from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    except ImportError as error:
        raise RegionDiscoveryError("botocore cannot be imported: install boto3.") from error
    try:
        session = botocore.session.get_session()
        regions = session.get_available_regions("bedrock", partition_name="aws")
    except (BotoCoreError, OSError) as error:
        raise RegionDiscoveryError(
            f"botocore cannot say which regions have Bedrock: {error}. Check `AWS_PROFILE` and "
            "the files in `~/.aws`."
        ) from error
    if not regions:
        raise RegionDiscoveryError(
            "The installed botocore knows no region that has Bedrock: update boto3."
        )
    return tuple(sorted(set(regions)))


def _ask_regions(auth_config: AuthConfig | None, timeout: float) -> RawCatalogData:
    with NoForkMeanwhile():
        from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager  # noqa: PLC0415
        from bestehorn_llmmanager.bedrock.catalog.api_fetcher import (  # noqa: PLC0415
            BedrockAPIFetcher,
        )
    try:
        with AuthManager(auth_config) as auth_manager:
            return BedrockAPIFetcher(auth_manager, timeout).fetch_all_data()
    except APIFetchError as error:
        raise RegionDiscoveryError(
            f"The regions of the account cannot be found out: {error.message.rstrip('.')}. Check credentials, "
            "network and the permissions `bedrock:ListFoundationModels` and "
            "`bedrock:ListInferenceProfiles`, or leave out `live=True`."
        ) from error


def _checked_directory(cache_dir: object) -> str:
    if cache_dir is None:
        return default_cache_directory()
    path = os.fspath(cache_dir) if isinstance(cache_dir, (str, os.PathLike)) else None
    if not isinstance(path, str) or not path or "\0" in path:
        raise ConfigurationError(
            f"`cache_dir` must be the path of a directory, got {cache_dir!r}. "
            "None means the user's cache directory."
        )
    if os.path.lexists(path) and not os.path.isdir(path):  # noqa: PTH112
        raise ConfigurationError(
            f"`cache_dir` must be a directory, but {path!r} is something else: name another, or "
            "leave it out for the user's cache directory."
        )
    return path


def _checked_number(name: str, value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return value
    raise ConfigurationError(f"`{name}` must be a number that is not negative, got {value!r}")


def _checked_auth_config(auth_config: object) -> AuthConfig | None:
    if auth_config is None or isinstance(auth_config, AuthConfig):
        return auth_config
    raise ConfigurationError(
        f"`auth_config` must be an `AuthConfig`, got a {type(auth_config).__name__}"
    )
