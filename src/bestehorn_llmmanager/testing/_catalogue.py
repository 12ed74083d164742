"""Turns a snapshot of the two listings into look-ups per region."""

from __future__ import annotations

import gzip
import json
import re
import threading
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from bestehorn_llmmanager.testing._errors import (
    ServiceError,
    end_of_life,
    invalid_identifier,
    profile_required,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ACCOUNT_RESOURCE = re.compile(
    r"arn:aws[^:]*:(bedrock|sagemaker):(?P<region>[a-z0-9-]+):\d{12}:(?P<kind>[a-z-]+)/(?P<id>.+)"
)
_REGISTERED_AT = "2026-01-01T00:00:00+00:00"


class RegionListing(TypedDict):
    """What the two listings answer in one region."""

    modelSummaries: list[dict[str, Any]]
    inferenceProfileSummaries: list[dict[str, Any]]


class Snapshot(TypedDict):
    """The raw shape that LocalBedrock is fed with."""

    regions: dict[str, RegionListing]


@dataclass(frozen=True, slots=True)
class Target:
    """What a model identifier stands for in one region.

    Attributes:
        model: Its summary; None for a registered target whose model the snapshot does not have.
        by_model_id: Whether the identifier was that of the model itself.
    """

    model: Mapping[str, Any] | None
    by_model_id: bool


def read_snapshot(path: str | Path) -> Snapshot:
    """Read a JSON file, compressed if its name ends in ``.gz``."""
    data = Path(path).read_bytes()
    if str(path).endswith(".gz"):
        data = gzip.decompress(data)
    snapshot: Snapshot = json.loads(data)
    return snapshot


class RegionCatalogue:
    """The models and profiles of one region, by every identifier that the service accepts."""

    def __init__(self, region: str, listing: Mapping[str, Any]) -> None:
        self.region = region
        self.models: list[dict[str, Any]] = listing.get("modelSummaries", [])
        self.profiles: list[dict[str, Any]] = listing.get("inferenceProfileSummaries", [])
        self._models = {
            key: model for model in self.models for key in (model["modelId"], model["modelArn"])
        }
        self._profiles = {profile["inferenceProfileId"]: profile for profile in self.profiles}

    def model(self, identifier: str) -> dict[str, Any] | None:
        return self._models.get(identifier)

    def profile(self, identifier: str) -> dict[str, Any] | None:
        """By id or by ARN, whatever account number the ARN has."""
        arn = _ACCOUNT_RESOURCE.fullmatch(identifier)
        if arn is None:
            return self._profiles.get(identifier)
        if arn["kind"] != "inference-profile" or arn["region"] != self.region:
            return None
        return self._profiles.get(arn["id"])


class Catalogue:
    """Safe to share between threads; `_lock` guards what is made or registered later."""

    def __init__(
        self, load: Callable[[], Mapping[str, Any]], now: Callable[[], datetime] | None
    ) -> None:
        self._load = load
        self._now = now or (lambda: datetime.now(timezone.utc))
        self._lock = threading.RLock()
        self._listings: Mapping[str, Mapping[str, Any]] | None = None
        self._regions: dict[str, RegionCatalogue] = {}
        self._registered: dict[str, str] = {}

    def region(self, name: str) -> RegionCatalogue | None:
        """The region's catalogue, or None where the snapshot does not have that region."""
        if name not in self._regions:
            with self._lock:
                listing = self._all_listings().get(name)
                if listing is None:
                    return None
                self._regions.setdefault(name, RegionCatalogue(name, listing))
        return self._regions[name]

    def register(self, identifier: str, model_id: str) -> None:
        with self._lock:
            self._registered = {**self._registered, identifier: model_id}

    def forget_registered(self) -> None:
        with self._lock:
            self._registered = {}

    @property
    def registered(self) -> tuple[tuple[str, str], ...]:
        return tuple(self._registered.items())

    def target(self, region: RegionCatalogue, identifier: str) -> Target:
        """What `identifier` stands for.

        Raises:
            ServiceError: The service would refuse it.
        """
        if (target := self._find(region, identifier)) is None:
            raise _unknown(identifier)
        if target.model is not None:
            self._refuse_if_retired(target.model)
            if target.by_model_id and not _is_on_demand(target.model):
                raise profile_required(identifier)
        return target

    def profiles(self, region: RegionCatalogue) -> list[dict[str, Any]]:
        """The region's own profiles, then the registered application profiles."""
        registered = (self.application_profile(region, arn) for arn in self._registered)
        return [*region.profiles, *filter(None, registered)]

    def profile(self, region: RegionCatalogue, identifier: str) -> dict[str, Any] | None:
        return region.profile(identifier) or self.application_profile(region, identifier)

    def application_profile(self, region: RegionCatalogue, arn: str) -> dict[str, Any] | None:
        parts = _ACCOUNT_RESOURCE.fullmatch(arn)
        model_id = self._registered.get(arn)
        if model_id is None or parts is None or parts["region"] != region.region:
            return None
        if parts["kind"] != "application-inference-profile":
            return None
        return {
            "inferenceProfileName": parts["id"],
            "inferenceProfileId": parts["id"],
            "inferenceProfileArn": arn,
            "createdAt": _REGISTERED_AT,
            "updatedAt": _REGISTERED_AT,
            "models": _models_behind(region, model_id),
            "status": "ACTIVE",
            "type": "APPLICATION",
        }

    def _all_listings(self) -> Mapping[str, Mapping[str, Any]]:
        if self._listings is None:
            self._listings = self._load()["regions"]
        return self._listings

    def _find(self, region: RegionCatalogue, identifier: str) -> Target | None:
        if identifier in self._registered:
            found = self._find(region, self._registered[identifier])
            return Target(found.model if found else None, by_model_id=False)
        if (model := region.model(identifier)) is not None:
            return Target(model, by_model_id=True)
        if (profile := region.profile(identifier)) is not None:
            return Target(self._model_of(region, profile), by_model_id=False)
        return None

    def _model_of(self, region: RegionCatalogue, profile: Mapping[str, Any]) -> Any:
        """The summary of the profile's model, from this region or else from any other."""
        model_id = profile["models"][0]["modelArn"].rpartition("/")[2]
        if (model := region.model(model_id)) is not None:
            return model
        for name in self._all_listings():
            other = self.region(name)
            if other is not None and (model := other.model(model_id)) is not None:
                return model
        return None

    def _refuse_if_retired(self, model: Mapping[str, Any]) -> None:
        end = model.get("modelLifecycle", {}).get("endOfLifeTime")
        if end is not None and _moment(end) < self._now():
            raise end_of_life()


def _is_on_demand(model: Mapping[str, Any]) -> bool:
    return "ON_DEMAND" in (model.get("inferenceTypesSupported") or ())


def _moment(value: str | datetime) -> datetime:
    if isinstance(value, str):
        # Python 3.10 does not read the "Z".
        value = datetime.fromisoformat(value.replace("Z", "+00:00"))
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)


def _models_behind(region: RegionCatalogue, model_id: str) -> list[dict[str, str]]:
    if (profile := region.profile(model_id)) is not None:
        models: list[dict[str, str]] = profile["models"]
        return models
    model = region.model(model_id)
    return [{"modelArn": model["modelArn"] if model else model_id}]


def _unknown(identifier: str) -> ServiceError:
    # The service's words for resources of an account could not be verified.
    if _ACCOUNT_RESOURCE.fullmatch(identifier):
        return ServiceError(
            "ResourceNotFoundException", 404, "The provided model resource could not be found."
        )
    return invalid_identifier()
