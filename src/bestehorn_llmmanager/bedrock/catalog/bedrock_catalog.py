"""Answers what to call for a model, in a region."""

from __future__ import annotations

import threading
import time

from bestehorn_llmmanager._fork import start_afresh_after_fork
from bestehorn_llmmanager._lazy import lazy_logger
from bestehorn_llmmanager.bedrock.catalog.cache_manager import CacheManager
from bestehorn_llmmanager.bedrock.catalog.catalog_loader import CatalogLoader
from bestehorn_llmmanager.bedrock.catalog.name_resolver import ModelNameResolver
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import CatalogUnavailableError
from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessMethod
from bestehorn_llmmanager.bedrock.models.arns import parse_arn
from bestehorn_llmmanager.bedrock.models.catalog_structures import CacheMode, CatalogSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from dataclasses import dataclass
    from pathlib import Path
    from typing import Any, Literal

    from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
    from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo
    from bestehorn_llmmanager.bedrock.models.catalog_structures import (
        CatalogMetadata,
        UnifiedCatalog,
    )
    from bestehorn_llmmanager.bedrock.models.model_details import NotCallableModel
    from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

    Refresh = Literal["blocking", "background", "never"]
else:
    from bestehorn_llmmanager._dataclass import dataclass

logger = lazy_logger(__name__)

REFRESHES = ("blocking", "background", "never")

_WHY_NOT_CALLABLE = {
    "not_offered": "is listed, but offered neither on demand nor through a profile",
    "provisioned_only": "needs provisioned throughput: use the ARN of yours",
    "mantle_only": "is served by the `bedrock-mantle` endpoint, not by `bedrock-runtime`",
}


@dataclass(frozen=True)
class _Loaded:
    catalog: UnifiedCatalog
    resolver: ModelNameResolver


class BedrockModelCatalog:
    """The models of Bedrock, and how each is called in each region.

    Nothing is read or sent before the first query. Then, for each region, the first of these
    answers: a valid cache, the live APIs, an older cache, the catalogue in the package.
    `get_catalog_metadata` tells which it was. Once loaded, queries touch neither disk nor
    network.

    Safe to share between threads: one of them loads, the others wait for it.

    Pickling and copying take the configuration along (with the secrets of the `auth_manager`) and
    what is loaded, which is 0.2 MB: the copy answers the same, and asks nobody. A forked child has
    what was loaded before; if a load or a refresh was under way, it loads for itself.

    Args:
        auth_manager: Credentials for the live APIs; None means boto3's own chain. Where nothing
            points at credentials, only the EC2 metadata service is asked, for at most a second;
            with ``AWS_EC2_METADATA_DISABLED=true`` nothing is sent and boto3 is not imported.
        cache_mode: `FILE` (survives the process), or `MEMORY` or `NONE` (this object only).
        cache_directory: For `FILE`; None means the user's cache directory.
        cache_max_age_hours: How long data of a region is valid after AWS gave it.
        force_refresh: Ask AWS on the first query, whatever the cache has.
        timeout: Seconds for a call, and for the whole sweep over the regions.
        max_workers: Regions in flight at once.
        max_retries: Tries per call; 0 and 1 mean one.
        fallback_to_bundled: Whether the catalogue in the package may answer.
        enable_fuzzy_matching: Whether names may differ in case, spaces, dots and dashes; None
            means yes. No model is ever chosen by similarity.
        refresh: ``"blocking"``: the order above. ``"background"``: answer at once from the best
            local data, ask AWS in a daemon thread, and swap when that is complete.
            ``"never"``: local data only, until `refresh_catalog` is called.
        regions: The regions that are needed; only these are fetched. None means all.

    Raises:
        ValueError: An argument is out of range; the message names it.

    >>> catalog = BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")
    >>> catalog.get_model_info("Nova Micro", "us-east-1").model_id
    'amazon.nova-micro-v1:0'
    """

    def __init__(
        self,
        auth_manager: AuthManager | None = None,
        cache_mode: CacheMode = CacheMode.FILE,
        cache_directory: str | os.PathLike[str] | None = None,
        cache_max_age_hours: float = 24.0,
        force_refresh: bool = False,
        timeout: float = 30,
        max_workers: int = 10,
        max_retries: int = 6,
        fallback_to_bundled: bool = True,
        enable_fuzzy_matching: bool | None = None,
        *,
        refresh: Refresh = "blocking",
        regions: Sequence[str] | None = None,
    ) -> None:
        _require_positive(
            cache_max_age_hours=cache_max_age_hours, timeout=timeout, max_workers=max_workers
        )
        if isinstance(max_retries, bool) or not isinstance(max_retries, int) or max_retries < 0:
            raise ValueError(f"`max_retries` must be a whole number from 0, got {max_retries!r}")
        if refresh not in REFRESHES:
            raise ValueError(f"`refresh` must be one of {REFRESHES}, got {refresh!r}")
        if not isinstance(cache_mode, CacheMode):
            raise ValueError(f"`cache_mode` must be a `CacheMode`, got {cache_mode!r}")  # noqa: TRY004
        self._refresh = refresh
        self._any_spelling = enable_fuzzy_matching is not False
        self._force_refresh = force_refresh
        self._cache = CacheManager(cache_mode, cache_directory, cache_max_age_hours)
        self._loader = CatalogLoader(
            auth_manager=auth_manager,
            cache=self._cache,
            regions=_checked_regions(regions),
            timeout=timeout,
            max_workers=max_workers,
            max_retries=max_retries,
            fallback_to_bundled=fallback_to_bundled,
        )
        self._loaded: _Loaded | None = None
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()  # guards loading; queries read `_loaded` without it
        self._failure: tuple[float, CatalogUnavailableError] | None = None
        start_afresh_after_fork(self)

    def __getstate__(self) -> dict[str, Any]:
        loaded = self._loaded
        state = {**vars(self), "_loaded": loaded and loaded.catalog}
        del state["_lock"], state["_failure"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        catalog = state["_loaded"]
        self._loaded = catalog and _Loaded(catalog, ModelNameResolver(catalog))
        self._start_afresh()

    def without_data(self) -> BedrockModelCatalog:
        """One of the same configuration with nothing loaded."""
        other = BedrockModelCatalog.__new__(BedrockModelCatalog)
        other.__setstate__({**self.__getstate__(), "_loaded": None})
        return other

    def __repr__(self) -> str:
        loaded = self._loaded
        content = f"models={loaded.catalog.model_count}" if loaded else "not loaded"
        return f"BedrockModelCatalog(cache_mode={self.cache_mode.value}, {content})"

    def _repr_html_(self) -> str:
        from bestehorn_llmmanager._html import catalog  # noqa: PLC0415  (for notebooks alone)

        loaded = self._loaded
        if loaded is None:
            return catalog.not_loaded_html(self.cache_mode.value)
        return catalog.catalog_html(loaded.catalog, self._loader.regions)

    @property
    def is_catalog_loaded(self) -> bool:
        """Whether queries are answered without loading."""
        return self._loaded is not None

    @property
    def cache_mode(self) -> CacheMode:
        """Where fetched data is kept."""
        return self._cache.mode

    @property
    def cache_file_path(self) -> Path | None:
        """The cache file that is tried first; None unless the mode is `FILE`."""
        return self._cache.cache_file_path

    def ensure_catalog_available(self) -> UnifiedCatalog:
        """Load the catalogue if that has not happened, and return it.

        Raises:
            CatalogUnavailableError: No source answered; says what each said and what to do.
        """
        return self._get().catalog

    def get_model_info(self, model_name: str, region: str | None = None) -> ModelAccessInfo | None:
        """How to call a model in a region.

        Args:
            model_name: Name in any spelling, model id, profile id, or ARN of either; a name that
                earlier releases of this library used works, too.
            region: AWS region code. None means the region of the ARN, else the alphabetically
                first region that has the profile or model.

        Returns:
            None for a name that is unknown or ambiguous, and where the region does not have the
            model.

        Raises:
            CatalogUnavailableError: As for `ensure_catalog_available`.
        """
        model = self.find_model(model_name)
        if model is None:
            return None
        if region is None:
            region = _first_region(model, model_name)
        return model.region_access.get(region)

    def get_model_access_info(self, model_name: str, region: str) -> ModelAccessInfo | None:
        """The same as `get_model_info`."""
        return self.get_model_info(model_name, region)

    def find_model(self, model_name: str) -> UnifiedModelInfo | None:
        """The model that a name, id or ARN stands for; None if unknown or ambiguous.

        Raises:
            CatalogUnavailableError: As for `ensure_catalog_available`.
        """
        loaded = self._loaded or self._get()
        is_text = isinstance(model_name, str)
        return (
            loaded.resolver.find(model_name, any_spelling=self._any_spelling) if is_text else None
        )

    def is_model_available(self, model_name: str, region: str) -> bool:
        """Whether `get_model_info` would answer.

        Raises:
            CatalogUnavailableError: As for `ensure_catalog_available`.
        """
        return self.get_model_info(model_name, region) is not None

    def get_suggestions(self, model_name: str, max_suggestions: int = 5) -> list[str]:
        """Canonical names close to `model_name`, best first.

        Raises:
            CatalogUnavailableError: As for `ensure_catalog_available`.
        """
        return self._get().resolver.get_suggestions(model_name, max_suggestions)

    def explain_missing(self, model_name: str, region: str | None = None) -> str:
        """A sentence that says why a query answers None, and what to use or what is close.

        Args:
            model_name: What `find_model` or `get_model_info` was asked for.
            region: The region that was asked for, if any. Of the successors of a retired model,
                those are named that can be called there, if there are any.

        Raises:
            CatalogUnavailableError: As for `ensure_catalog_available`.
        """
        resolver = self._get().resolver
        asked: object = model_name
        if not isinstance(asked, str):
            return f"A model is asked for by a string, got {asked!r}."
        model = self.find_model(model_name)
        if model:
            where = f"; not in {region!r}" if region and region not in model.region_access else ""
            regions = ", ".join(model.get_supported_regions())
            return f"{model.model_name!r} is known{where}. It can be called in {regions}."
        meanings = resolver.meanings(model_name)
        if len(meanings) > 1:
            return f"{model_name!r} can mean {', '.join(meanings)}; say which."
        apart = _find_apart(resolver, model_name)
        text = f"There is no model {model_name!r}."
        if apart:
            text = f"{apart.name} ({apart.model_id}) {_why_apart(apart)}."
            successors = [m for key in apart.successors if (m := resolver.find(key))]
            if successors:
                return f"{text} {_use_instead(apart, successors, region)}."
        suggestions = resolver.get_suggestions(model_name, 3)
        return f"{text} Closest: {', '.join(suggestions)}." if suggestions else text

    def list_models(
        self,
        region: str | None = None,
        provider: str | None = None,
        streaming_only: bool = False,
        *,
        input_modality: str | None = None,
        output_modality: str | None = None,
        access_method: ModelAccessMethod | str | None = None,
        lifecycle: str | None = None,
    ) -> list[UnifiedModelInfo]:
        """Models that satisfy everything given, in the order of the catalogue.

        Args:
            region: Can be called there.
            provider: Exactly as the API spells it, for example ``"Anthropic"``.
            streaming_only: ConverseStream works.
            input_modality: ``"TEXT"``, ``"IMAGE"``, …, in any case.
            output_modality: The same.
            access_method: ``"direct"``, ``"regional_cris"`` or ``"global_cris"`` (or the enum):
                can be called that way in `region`, or in any region if none is given.
            lifecycle: ``"ACTIVE"``, ``"LEGACY"``, … in `region`, or in most regions.

        Raises:
            ValueError: `access_method` is none of the three.
            CatalogUnavailableError: As for `ensure_catalog_available`.
        """
        flag = None if access_method is None else _access_flag(access_method)
        return [
            model
            for model in self._get().catalog.filter_models(region, provider, streaming_only)
            if (input_modality is None or input_modality.upper() in model.input_modalities)
            and (output_modality is None or output_modality.upper() in model.output_modalities)
            and (flag is None or _has_access(model, flag, region))
            and (lifecycle is None or _status(model, region) == lifecycle.upper())
        ]

    def get_catalog_metadata(self) -> CatalogMetadata:
        """Source and age of the catalogue, as a whole and per region.

        Raises:
            CatalogUnavailableError: As for `ensure_catalog_available`.
        """
        return self._get().catalog.metadata

    def refresh_catalog(self) -> UnifiedCatalog:
        """Ask AWS now, whatever is loaded or cached, and return what there is then.

        A region that does not answer keeps the newest data that is known of it.

        Raises:
            CatalogUnavailableError: AWS gave nothing and `fallback_to_bundled` is off. What was
                loaded before stays.
        """
        with self._lock:
            before = self._loaded.catalog if self._loaded else None
            catalog = self._loader.load(
                bypass_cache=True, must_fetch=not self._loader.fallback_to_bundled, loaded=before
            )
            self._loaded = _Loaded(catalog, ModelNameResolver(catalog))
            return catalog

    def clear_cache(self) -> None:
        """Forget what is loaded and stored; the next query loads again."""
        with self._lock:
            self._loaded = None
            self._cache.clear_cache()

    def _get(self) -> _Loaded:
        loaded = self._loaded
        if loaded is not None:
            return loaded
        asked = time.monotonic()
        with self._lock:
            if self._loaded is None:
                self._raise_failure_since(asked)
                self._loaded = self._load()
                if self._refresh == "background" and not _is_from_api(self._loaded.catalog):
                    self._refresh_in_background(self._loaded)
            return self._loaded

    def _raise_failure_since(self, asked: float) -> None:
        """Those who waited for a load that failed share its failure; they do not repeat it."""
        if self._failure and self._failure[0] >= asked:
            error = self._failure[1]
            raise CatalogUnavailableError(error.message, error.details) from error

    def _load(self) -> _Loaded:
        try:
            catalog = self._first_load()
        except CatalogUnavailableError as error:
            self._failure = (time.monotonic(), error)
            raise
        return _Loaded(catalog, ModelNameResolver(catalog))

    def _first_load(self) -> UnifiedCatalog:
        if self._refresh == "background":
            try:
                return self._loader.load(may_fetch=False)
            except CatalogUnavailableError:
                logger.debug("nothing local to answer from | asking AWS in the foreground")
        return self._loader.load(
            bypass_cache=self._force_refresh, may_fetch=self._refresh != "never"
        )

    def _refresh_in_background(self, before: _Loaded) -> None:
        """Ask AWS in a thread; what it says counts unless something newer was loaded meanwhile."""

        def refresh() -> None:
            try:
                catalog = self._loader.load(bypass_cache=self._force_refresh)
            except Exception as error:  # noqa: BLE001  (the program goes on with what it has)
                logger.warning("error=%r | the catalogue was not refreshed", error)
                return
            with self._lock:
                if self._loaded is before:
                    self._loaded = _Loaded(catalog, ModelNameResolver(catalog))

        threading.Thread(target=refresh, name="bedrock-catalog-refresh", daemon=True).start()


def _find_apart(resolver: ModelNameResolver, text: str) -> NotCallableModel | None:
    arn = parse_arn(text)
    identifier = arn.resource_id if arn else text
    of_profile = identifier.partition(".")[2]
    return resolver.find_not_callable(identifier) or resolver.find_not_callable(of_profile)


def _why_apart(model: NotCallableModel) -> str:
    if model.reason != "retired":
        return _WHY_NOT_CALLABLE.get(model.reason, model.reason)
    unlisted = "Bedrock does not list it any more"
    if model.retired_on:
        return f"is retired since {model.retired_on}: {unlisted}"
    latest = f", since {model.not_listed_on} at the latest" if model.not_listed_on else ""
    before = f"; on {model.last_listed} it still did" if model.last_listed else ""
    return f"is retired: {unlisted}{latest}{before}"


def _use_instead(
    model: NotCallableModel, successors: list[UnifiedModelInfo], region: str | None
) -> str:
    there = [each for each in successors if region in each.region_access] if region else successors
    named = " or ".join(
        each.model_name
        + ("" if each.provider == model.provider else f" of {each.provider}")
        + f" ({each.model_id})"
        for each in there or successors
    )
    return f"Use {named}" if there else f"Use {named}; not in {region!r}"


def _is_from_api(catalog: UnifiedCatalog) -> bool:
    entries = catalog.metadata.regions_metadata.values()
    return any(entry.source is CatalogSource.API for entry in entries)


def _require_positive(**values: float) -> None:
    for name, value in values.items():
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (is_number and value > 0):
            raise ValueError(f"`{name}` must be a positive number, got {value!r}")


def _checked_regions(regions: Sequence[str] | None) -> tuple[str, ...] | None:
    if regions is None:
        return None
    if isinstance(regions, str) or not regions:
        raise ValueError(f"`regions` must be a list of region codes or None, got {regions!r}")
    for region in regions:
        if not isinstance(region, str) or not is_region_code(region):
            raise ValueError(
                f"`regions` must hold region codes such as 'eu-west-1', got {region!r}"
            )
    return tuple(dict.fromkeys(regions))


def is_region_code(text: str) -> bool:
    """Whether it has the form of one; which regions there are changes."""
    *words, number = text.split("-")
    is_lower = all(word.isascii() and word.isalnum() and word.islower() for word in words)
    return len(words) > 1 and is_lower and number.isascii() and number.isdecimal()


def _first_region(model: UnifiedModelInfo, text: str) -> str:
    arn = parse_arn(text)
    if arn and arn.region:
        return arn.region
    named = (profile.routes for profile in model.profiles if profile.profile_id == text)
    return min(next(named, None) or model.region_access)


def _access_flag(access_method: ModelAccessMethod | str) -> str:
    flags = {
        "direct": "has_direct_access",
        "regional_cris": "has_regional_cris",
        "global_cris": "has_global_cris",
    }
    value = access_method.value if isinstance(access_method, ModelAccessMethod) else access_method
    if value not in flags:
        raise ValueError(f"`access_method` must be one of {list(flags)}, got {access_method!r}")
    return flags[value]


def _has_access(model: UnifiedModelInfo, flag: str, region: str | None) -> bool:
    regions = model.region_access if region is None else (region,)
    return any(getattr(model.region_access[r], flag) for r in regions)


def _status(model: UnifiedModelInfo, region: str | None) -> str | None:
    lifecycle = model.get_lifecycle(region)
    return lifecycle.status if lifecycle else None
