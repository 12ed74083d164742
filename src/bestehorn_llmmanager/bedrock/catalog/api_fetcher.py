"""Asks regions, side by side, which models and inference profiles they list."""

from __future__ import annotations

import logging
import socket
import time
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.catalog.daemon_pool import DaemonPool
from bestehorn_llmmanager.bedrock.catalog.regions import all_regions
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    APIFetchError,
    APIThrottleError,
    AuthenticationError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager

logger = logging.getLogger(__name__)

_PROFILES_PER_PAGE = 1000  # the most that ListInferenceProfiles takes
_CALLS_PER_REGION = 2
_NO_SUCH_HOST = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
_LONGEST_TIMEOUT_SECONDS = 86_400.0  # sockets and locks overflow beyond their own limits

# Error code to what it says of the region. The service answers UnrecognizedClientException in
# regions that the account has not enabled, whose STS does not know the key.
_KINDS = {
    "AccessDenied": "denied",
    "AccessDeniedException": "denied",
    "UnauthorizedOperation": "denied",
    "OptInRequired": "opted_out",
    "UnrecognizedClientException": "opted_out",
    "ThrottlingException": "throttled",
    "Throttling": "throttled",
    "TooManyRequestsException": "throttled",
    "RequestLimitExceeded": "throttled",
}


class RawCatalogData:
    """What each region returned, as the API gave it, and which regions failed.

    Attributes:
        foundation_models: Region to its `modelSummaries`.
        inference_profiles: Region to its `inferenceProfileSummaries`.
        successful_regions: Regions that answered both calls, in the order of their arrival.
        failed_regions: Region to the reason in words.
        failure_kinds: Region to the kind of the failure: see `RegionFailure.kind`.
    """

    def __init__(self) -> None:
        self.foundation_models: dict[str, list[dict[str, Any]]] = {}
        self.inference_profiles: dict[str, list[dict[str, Any]]] = {}
        self.successful_regions: list[str] = []
        self.failed_regions: dict[str, str] = {}
        self.failure_kinds: dict[str, str] = {}

    def add_region_data(
        self, region: str, models: list[dict[str, Any]], profiles: list[dict[str, Any]]
    ) -> None:
        """Record what `region` returned."""
        self.foundation_models[region] = models
        self.inference_profiles[region] = profiles
        if region not in self.successful_regions:
            self.successful_regions.append(region)

    def add_region_failure(self, region: str, error: str, kind: str = "failed") -> None:
        """Record why `region` returned nothing."""
        self.failed_regions[region] = error
        self.failure_kinds[region] = kind

    @property
    def has_data(self) -> bool:
        """Whether any region answered."""
        return bool(self.successful_regions)

    @property
    def total_models(self) -> int:
        """Number of model summaries over all regions."""
        return sum(map(len, self.foundation_models.values()))

    @property
    def total_profiles(self) -> int:
        """Number of profile summaries over all regions."""
        return sum(map(len, self.inference_profiles.values()))


@dataclass
class _RegionCalls:
    """The two calls of one region, under way."""

    region: str
    client: Any
    models: Future[list[dict[str, Any]]]
    profiles: Future[list[dict[str, Any]]]

    @property
    def futures(self) -> tuple[Future[list[dict[str, Any]]], ...]:
        return self.models, self.profiles


class BedrockAPIFetcher:
    """Fetches the raw catalogue; safe to share between threads, each fetch has its own pool.

    Args:
        auth_manager: Gives the control-plane clients.
        timeout: Seconds for a call, and, retries included, for a whole sweep.
        max_workers: Regions in flight at once; the two calls of a region run side by side.
        max_retries: Tries per call, by botocore's `standard` mode (throttling, 5xx, connection
            errors; exponential backoff with jitter). 0 and 1 both mean one try.

    Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html,
        docs.aws.amazon.com/bedrock/latest/APIReference/API_ListInferenceProfiles.html
    """

    def __init__(
        self,
        auth_manager: AuthManager,
        timeout: float = 30,
        max_workers: int = 10,
        max_retries: int = 6,
    ) -> None:
        self._auth_manager = auth_manager
        self._timeout = min(timeout, _LONGEST_TIMEOUT_SECONDS)
        self._max_workers = max_workers
        self._max_retries = max_retries

    def fetch_all_data(self, regions: Sequence[str] | None = None) -> RawCatalogData:
        """Ask every region for its models and its system-defined profiles.

        Costs one ListFoundationModels and one ListInferenceProfiles (more only where a region
        has over 1000 profiles) per region. A region that fails or hangs costs only itself.

        Args:
            regions: Regions to ask; None means all commercial regions.

        Raises:
            APIFetchError: No region answered both calls; names each cause.
        """
        raw = self.sweep(all_regions() if regions is None else regions)
        if raw.failed_regions and not raw.has_data:
            raise APIFetchError(f"No region answered: {causes(raw)}", region="all")
        return raw

    def sweep(self, regions: Sequence[str]) -> RawCatalogData:
        """The same, but that no region answered is for the caller to see.

        Raises:
            APIFetchError: There are no credentials; nothing was sent.
        """
        started = time.monotonic()
        raw = RawCatalogData()
        try:
            # Once, ahead of all regions: without credentials none needs to be asked.
            self._auth_manager.ensure_credentials(next(iter(regions), None))
        except AuthenticationError as error:
            raise APIFetchError(error.message, region="all") from error
        self._ask(list(dict.fromkeys(regions)), started + self._timeout, raw)
        _log_outcome(raw, time.monotonic() - started)
        return raw

    def _ask(self, regions: Sequence[str], deadline: float, raw: RawCatalogData) -> None:
        regions_in_flight = max(1, int(min(self._max_workers, len(regions))))
        pool = DaemonPool(_CALLS_PER_REGION * regions_in_flight, name="bedrock-catalog")
        under_way: list[_RegionCalls] = []
        try:
            under_way = [
                calls for region in regions if (calls := self._start(pool, region, deadline, raw))
            ]
            wait(
                [future for calls in under_way for future in calls.futures],
                timeout=max(0.0, deadline - time.monotonic()),
            )
            for calls in under_way:
                self._collect(calls, raw)
        finally:
            # A call that hangs ends by its own read timeout; nobody waits for it.
            for future in (future for calls in under_way for future in calls.futures):
                future.cancel()
            pool.stop()

    def _start(
        self, pool: DaemonPool, region: str, deadline: float, raw: RawCatalogData
    ) -> _RegionCalls | None:
        try:
            client = self._client(region, deadline)
        except AuthenticationError as error:
            raw.add_region_failure(region, error.message)
            return None
        return _RegionCalls(
            region,
            client,
            models=pool.submit(self._fetch_foundation_models, client, region),
            profiles=pool.submit(self._fetch_inference_profiles, client, region),
        )

    def _client(self, region: str, deadline: float) -> Any:
        from botocore.config import Config  # noqa: PLC0415

        client = self._auth_manager.new_client(
            "bedrock",
            region,
            Config(
                connect_timeout=self._timeout,
                read_timeout=self._timeout,
                max_pool_connections=_CALLS_PER_REGION,
                retries={"mode": "standard", "total_max_attempts": max(1, self._max_retries)},
            ),
        )
        client.meta.events.register("before-send.bedrock", _refuse_after(deadline))
        return client

    def _fetch_foundation_models(self, client: Any, region: str) -> list[dict[str, Any]]:
        """All `modelSummaries` of the client's region; the operation has no pages.

        Raises:
            APIThrottleError: Still throttled after the last try.
            APIFetchError: Refused or unreachable; `__cause__` is botocore's error.
        """
        return list(_listed(_call(client.list_foundation_models, region), "modelSummaries", region))

    def _fetch_inference_profiles(self, client: Any, region: str) -> list[dict[str, Any]]:
        """All system-defined `inferenceProfileSummaries`, through all pages.

        Raises:
            APIThrottleError: Still throttled after the last try.
            APIFetchError: Refused or unreachable; `__cause__` is botocore's error.
        """
        arguments = _profile_arguments(client)
        profiles: list[dict[str, Any]] = []
        while True:
            answer = _call(client.list_inference_profiles, region, **arguments)
            listed = _listed(answer, "inferenceProfileSummaries", region)
            profiles += [profile for profile in listed if not _is_application_profile(profile)]
            if not answer.get("nextToken"):
                return profiles
            arguments["nextToken"] = answer["nextToken"]

    def _collect(self, calls: _RegionCalls, raw: RawCatalogData) -> None:
        finished = [future for future in calls.futures if future.done()]
        error = next((e for future in finished if (e := future.exception())), None)
        if error is not None:
            reason = error.message if isinstance(error, APIFetchError) else _reason(error)
            raw.add_region_failure(calls.region, reason, kind=_kind(error))
        elif len(finished) < _CALLS_PER_REGION:
            reason = f"no answer within {self._timeout:g} s"
            raw.add_region_failure(calls.region, reason, kind="timeout")
        else:
            raw.add_region_data(calls.region, calls.models.result(), calls.profiles.result())
        if len(finished) == _CALLS_PER_REGION:
            calls.client.close()


def _profile_arguments(client: Any) -> dict[str, Any]:
    """What to ask for; a botocore from before application profiles knows no `typeEquals`."""
    arguments = {"maxResults": _PROFILES_PER_PAGE, "typeEquals": "SYSTEM_DEFINED"}
    operation = client.meta.service_model.operation_model("ListInferenceProfiles")
    return {key: value for key, value in arguments.items() if key in operation.input_shape.members}


def _is_application_profile(profile: Any) -> bool:
    return isinstance(profile, dict) and profile.get("type") == "APPLICATION"


def _refuse_after(deadline: float) -> Callable[..., None]:
    """A `before-send` handler that ends the retries of a call once the sweep is over."""

    def refuse(**_: Any) -> None:
        if time.monotonic() > deadline:
            raise TimeoutError("the sweep is over")

    return refuse


def _call(operation: Callable[..., Any], region: str, **arguments: Any) -> dict[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        answer: dict[str, Any] = operation(**arguments)
    except (ClientError, BotoCoreError, OSError) as error:  # OSError: credentials in a file
        kind = APIThrottleError if _kind(error) == "throttled" else APIFetchError
        raise kind(_reason(error), region=region) from error
    return answer


def _listed(answer: dict[str, Any], member: str, region: str) -> list[dict[str, Any]]:
    """The list of an answer. botocore turns a body that is no JSON into an answer without members."""
    listed = answer.get(member)
    if not isinstance(listed, list):
        raise APIFetchError(f"the answer has no list `{member}`", region=region)
    return listed


def _reason(error: BaseException) -> str:
    """The first line: what follows may quote the signed request with its session token."""
    return f"{_error_code(error) or type(error).__name__}: {str(error).partition(chr(10))[0]}"


def _error_code(error: BaseException) -> str:
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _kind(error: BaseException) -> str:
    """What a failure says of its region: see `RegionFailure.kind`."""
    from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError  # noqa: PLC0415

    cause = error.__cause__ if isinstance(error, APIFetchError) else error
    if isinstance(cause, (ConnectTimeoutError, ReadTimeoutError, TimeoutError)):
        return "timeout"
    if _is_unknown_host(cause):
        return "no_endpoint"
    return _KINDS.get(_error_code(cause) if cause else "", "failed")


def _is_unknown_host(error: BaseException | None) -> bool:
    """Whether the region's endpoint has no address; botocore keeps urllib3's error beside its own."""
    while error is not None:
        if isinstance(error, socket.gaierror):
            # EAI_AGAIN and the like are passing troubles of the resolver.
            return error.errno in _NO_SUCH_HOST
        error = getattr(error, "kwargs", {}).get("error") or error.__cause__
    return False


def _log_outcome(raw: RawCatalogData, seconds: float) -> None:
    logger.info(
        "regions=%d failed=%d models=%d profiles=%d seconds=%.2f | catalogue fetched",
        len(raw.successful_regions),
        len(raw.failed_regions),
        raw.total_models,
        raw.total_profiles,
        seconds,
    )
    stale = {r: k for r, k in raw.failure_kinds.items() if k not in {"opted_out", "no_endpoint"}}
    if raw.has_data and stale:
        logger.warning("regions=%s | gave no fresh catalogue data", stale)


def causes(raw: RawCatalogData) -> str:
    """Each different cause once, in the words of the first region that met it."""
    by_cause: dict[str, list[str]] = {}
    for region, reason in raw.failed_regions.items():
        cause = f"{raw.failure_kinds[region]} {reason.partition(':')[0]}"
        by_cause.setdefault(cause, []).append(region)
    return "; ".join(
        f"{_some(regions)}: {raw.failed_regions[regions[0]]}" for regions in by_cause.values()
    )


def _some(regions: Sequence[str]) -> str:
    first, *others = regions
    return f"{first} and {len(others)} more" if others else first
