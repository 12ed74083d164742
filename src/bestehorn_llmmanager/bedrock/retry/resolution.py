"""Turns model names and regions into targets, through the catalogue."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import ConfigurationError
from bestehorn_llmmanager.bedrock.models.arns import parse_arn
from bestehorn_llmmanager.bedrock.models.model_details import ANY_REGION
from bestehorn_llmmanager.bedrock.retry.targets import Target, TargetTable, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from bestehorn_llmmanager.bedrock.catalog.bedrock_catalog import BedrockModelCatalog
    from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo
    from bestehorn_llmmanager.bedrock.models.arns import BedrockArn
    from bestehorn_llmmanager.bedrock.models.model_details import InferenceProfile
    from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

logger = logging.getLogger(__name__)

_SHOWN_REGIONS = 8
_NOTICE = timedelta(days=60)
# What an account makes itself; what these kinds run on, they run on in their own region.
_IN_REGION_KINDS = frozenset(
    {"provisioned-model", "custom-model", "custom-model-deployment", "imported-model"}
)
_CATALOGUE_KINDS = frozenset({"foundation-model", "inference-profile"})


def ways_of(access: ModelAccessInfo) -> tuple[Way, ...]:
    """The ways that a region offers, in the default order: direct, regional, global."""
    ways = (
        ("direct", access.model_id),
        ("regional_cris", access.regional_cris_profile_id),
        ("global_cris", access.global_cris_profile_id),
    )
    return tuple(Way(method, identifier) for method, identifier in ways if identifier)


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class TargetResolver:
    """Resolves the models and regions of one manager.

    Args:
        catalog: Where names and regions are looked up.
        models: As the caller wrote them.
        regions: The regions to call.
        allowed_destination_regions: The only regions that may process a request; None for any.
        now: The clock by which models reach their end of life.
    """

    def __init__(
        self,
        catalog: BedrockModelCatalog,
        models: Sequence[str],
        regions: Sequence[str],
        allowed_destination_regions: Collection[str] | None = None,
        *,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._catalog = catalog
        self._models = models
        self._regions = regions
        self._allowed = (
            None if allowed_destination_regions is None else frozenset(allowed_destination_regions)
        )
        self._now = now
        self._forbidden: dict[tuple[str, str], str] = {}
        self._rows = [[self._target(model, region) for region in regions] for model in models]

    @property
    def pairs(self) -> int:
        """How many pairs of a model and a region can be called."""
        return len({cell for row in self._rows for cell in row if cell})

    def table(self) -> TargetTable:
        """The targets.

        Raises:
            ConfigurationError: There is none; says for each model what is close to its name, or
                where it can be called.
        """
        if self.pairs:
            return TargetTable(self._rows)
        known = self._catalog.ensure_catalog_available().get_all_regions()
        strange = [self._why_unused(region) for region in self._regions if region not in known]
        reasons = " ".join([*strange, *map(self._why_not_callable, self._models)])
        names = [model.model_name for region in self._regions for model in self._offered(region)]
        if names:
            reasons += f" Models that can be called there: {_listed(list(dict.fromkeys(names)))}."
        raise ConfigurationError(
            f"None of the models {list(self._models)} can be called in any of the regions "
            f"{list(self._regions)}. {reasons}",
            invalid_config={"models": list(self._models), "regions": list(self._regions)},
        )

    def _offered(self, region: str) -> list[UnifiedModelInfo]:
        return [
            model
            for model in self._catalog.list_models(region=region)
            if _writes(model)
            and any(
                self._outside(region, way, None, model) == []
                for way in self._ways(model.model_name, region, None, model)
            )
        ]

    def warnings(self) -> list[str]:
        """A sentence for each model and region that is in no target, or soon will not be."""
        sentences = [
            self._why_not_callable(model)
            for model, row in zip(self._models, self._rows, strict=True)
            if not any(row)
        ]
        if not all(map(parse_arn, self._models)):  # whose own regions count
            sentences += [
                self._why_unused(region)
                for column, region in enumerate(self._regions)
                if not any(row[column] for row in self._rows)
            ]
        sentences += [
            sentence
            for model, row in zip(self._models, self._rows, strict=True)
            if any(row) and (sentence := self._end_of_life(model, row))
        ]
        return list(dict.fromkeys(sentences))

    def _target(self, model: str, region: str) -> Target | None:
        arn = parse_arn(model)
        region = arn.region if arn and arn.region else region
        found = self._catalog.find_model(model)
        offered = () if found and not _writes(found) else self._ways(model, region, arn, found)
        ways = tuple(way for way in offered if self._outside(region, way, arn, found) == [])
        if not ways:
            if offered:
                outside = self._outside(region, offered[0], arn, found)
                self._forbidden[model, region] = self._why_forbidden(region, offered[0], outside)
            return None
        facts = found.facts if found else None
        return Target(
            model=model,
            region=region,
            model_id=(found and found.model_id) or ways[0].identifier,
            ways=ways,
            takes_prefill=facts.capabilities.get("assistant_prefill") if facts else None,
            cache_min_tokens=facts.prompt_cache_min_tokens if facts else None,
            max_output_tokens=facts.max_output_tokens if facts else None,
        )

    def _ways(
        self, model: str, region: str, arn: BedrockArn | None, found: UnifiedModelInfo | None
    ) -> tuple[Way, ...]:
        profile = found and _profile_named(found, arn.resource_id if arn else model)
        if profile:
            # Whoever names a profile means this one, not another way to the same model.
            method = "global_cris" if profile.is_global else "regional_cris"
            return (Way(method, profile.profile_id),) if region in profile.routes else ()
        access = found and found.get_access_info_for_region(region)
        if access:
            ways = ways_of(access)
            return ways if self._allowed is None else (*ways, *_other_ways(found, region, ways))
        # The catalogue knows what AWS offers to all; what an account made itself passes through.
        if arn and arn.kind not in _CATALOGUE_KINDS:
            return (Way("direct", model),)
        return ()

    def _outside(
        self, region: str, way: Way, arn: BedrockArn | None, found: UnifiedModelInfo | None
    ) -> list[str] | None:
        """Where a request may be processed but must not; None if that is not known."""
        if self._allowed is None:
            return []
        destinations = _destinations(region, way, arn, found)
        return None if destinations is None else sorted(destinations - self._allowed)

    def _why_forbidden(self, region: str, way: Way, outside: list[str] | None) -> str:
        where = "regions that are not known" if outside is None else _listed(outside)
        return (
            f"What is sent to {way.identifier!r} in {region!r} may be processed in {where}, which "
            f"`allowed_destination_regions` {sorted(self._allowed or ())} does not allow."
        )

    def _why_not_callable(self, model: str) -> str:
        for (forbidden, _), reason in self._forbidden.items():
            if forbidden == model:
                return reason
        found = self._catalog.find_model(model)
        if found is None:
            return self._catalog.explain_missing(
                model, self._regions[0] if len(self._regions) == 1 else None
            )
        if not _writes(found):
            given = ", ".join(found.output_modalities)
            return (
                f"{found.model_name!r} answers with {given}, not with text; Converse does not "
                "serve it."
            )
        profile = _profile_named(found, model.rpartition("/")[2])
        regions = profile.source_regions if profile else found.get_supported_regions()
        name = profile.profile_id if profile else found.model_name
        hint = ""
        if profile and (here := [r for r in self._regions if self._target(found.model_name, r)]):
            hint = f" As {found.model_name!r} it can be called in {_listed(here)}."
        return f"{name!r} can be called in {_listed(regions)}.{hint}"

    def _why_unused(self, region: str) -> str:
        for (_, forbidden), reason in self._forbidden.items():
            if forbidden == region:
                return reason
        catalog = self._catalog.ensure_catalog_available()
        known = catalog.get_all_regions()
        if region in known:
            return f"None of the models can be called in {region!r}."
        failure = catalog.metadata.unavailable_regions.get(region)
        why = f" ({failure.kind})" if failure else ""
        return f"Region {region!r} is not known{why}; closest: {_closest(region, known)}."

    def _end_of_life(self, model: str, row: Sequence[Target | None]) -> str | None:
        found = self._catalog.find_model(model)
        date = _end_of_life(found, [target.region for target in row if target]) if found else None
        if found is None or date is None or date - _NOTICE > self._now():
            return None
        verb = "reached its end of life" if date <= self._now() else "reaches its end of life"
        return f"{found.model_name!r} {verb} on {date:%Y-%m-%d}; plan for its successor."


def _writes(model: UnifiedModelInfo) -> bool:
    """Whether it may answer with text: one of which nothing is known may."""
    return not model.output_modalities or "TEXT" in model.output_modalities


def _destinations(
    region: str, way: Way, arn: BedrockArn | None, found: UnifiedModelInfo | None
) -> set[str] | None:
    """The regions that may process a request; None if that is not known."""
    if way.method == "direct":
        is_opaque = arn and arn.kind not in _CATALOGUE_KINDS | _IN_REGION_KINDS
        return None if is_opaque else {region}
    profile = _profile_named(found, way.identifier) if found else None
    destinations = set(profile.routes.get(region) or ()) if profile else set()
    if not profile or not destinations:
        return None
    return {"any region"} if ANY_REGION in destinations or profile.is_global else destinations


def _other_ways(model: UnifiedModelInfo | None, region: str, ways: Sequence[Way]) -> Iterator[Way]:
    """Wider profiles than those that are usually called."""
    known = {way.identifier for way in ways}
    for profile in model.profiles if model else ():
        if region in profile.routes and profile.profile_id not in known:
            method = "global_cris" if profile.is_global else "regional_cris"
            yield Way(method, profile.profile_id)


def _profile_named(model: UnifiedModelInfo, text: str) -> InferenceProfile | None:
    return next((profile for profile in model.profiles if profile.profile_id == text), None)


def _end_of_life(model: UnifiedModelInfo, regions: Sequence[str]) -> datetime | None:
    """The earliest end of life in `regions`: the API's, else the announced one."""
    lifecycles = [model.get_lifecycle(region) for region in regions]
    dates = [each.end_of_life for each in lifecycles if each and each.end_of_life]
    if dates:
        return min(date if date.tzinfo else date.replace(tzinfo=timezone.utc) for date in dates)
    announced = model.facts.end_of_life if model.facts else None
    try:
        found = datetime.fromisoformat(announced) if announced else None
    except ValueError:  # a month without a day
        return None
    return found and found.replace(tzinfo=timezone.utc)


def _listed(regions: Sequence[str]) -> str:
    shown = ", ".join(regions[:_SHOWN_REGIONS])
    more = len(regions) - _SHOWN_REGIONS
    return f"{shown} and {more} more" if more > 0 else shown


def _closest(text: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415

    return ", ".join(get_close_matches(text, known, n=3, cutoff=0)) or "none"
