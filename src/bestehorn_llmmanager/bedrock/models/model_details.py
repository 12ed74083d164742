"""What is known of one model beyond where it can be called."""

from __future__ import annotations

from bestehorn_llmmanager.bedrock.models import reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from dataclasses import dataclass, field
    from datetime import datetime
    from typing import Any
else:
    from bestehorn_llmmanager._dataclass import dataclass, field

ANY_REGION = "*"
"""Stands for the region-less ARN of a global profile: any commercial region."""


@dataclass(frozen=True)
class ModelLifecycle:
    """Where a model is in its life, as `modelLifecycle` of ListFoundationModels says.

    Attributes:
        status: ``"ACTIVE"``, ``"LEGACY"``, or whatever AWS adds.
        start_of_life: From when on it can be called, or None where not stated.
        legacy_since: From when on it is LEGACY, or None.
        public_extended_access: Begin of extended access at other prices, or None.
        end_of_life: From when on requests fail, or None.

    Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_FoundationModelLifecycle.html
    """

    status: str
    start_of_life: datetime | None = None
    legacy_since: datetime | None = None
    public_extended_access: datetime | None = None
    end_of_life: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields that are known; times as ISO 8601."""
        return {
            key: value if isinstance(value, str) else value.isoformat()
            for key, value in vars(self).items()
            if value is not None
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelLifecycle:
        """The inverse of `to_dict`.

        Raises:
            ValueError: A key is missing or of the wrong type.
        """
        return cls(
            status=reading.required(data, "status", str),
            start_of_life=reading.optional_time(data, "start_of_life"),
            legacy_since=reading.optional_time(data, "legacy_since"),
            public_extended_access=reading.optional_time(data, "public_extended_access"),
            end_of_life=reading.optional_time(data, "end_of_life"),
        )


@dataclass(frozen=True)
class InferenceProfile:
    """A system-defined inference profile: one id that routes to several regions.

    Attributes:
        profile_id: What is sent as model id, for example ``"eu.amazon.nova-lite-v1:0"``.
        name: The API's `inferenceProfileName`.
        geography: The prefix of the id: ``"us"``, ``"eu"``, ``"apac"``, ``"global"``, …;
            whatever AWS adds passes through.
        routes: Source region (the one that is called) to the destination regions, in the
            order of the API; `ANY_REGION` for the region-less ARN of a global profile.
        status: ``"ACTIVE"``; another status means that it cannot be called.

    Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_InferenceProfileSummary.html
    """

    profile_id: str
    name: str
    geography: str
    routes: Mapping[str, list[str]]
    status: str = "ACTIVE"

    @property
    def is_global(self) -> bool:
        """Whether it may route to any commercial region."""
        return self.geography == "global" or any(ANY_REGION in d for d in self.routes.values())

    @property
    def source_regions(self) -> list[str]:
        """Regions in which the profile can be called, sorted."""
        return sorted(self.routes)

    @property
    def destination_regions(self) -> list[str]:
        """Regions that may answer, over all sources, sorted; may hold `ANY_REGION`."""
        return sorted({region for regions in self.routes.values() for region in regions})

    def to_dict(self) -> dict[str, Any]:
        """The fields under their names; `status` only if it is not ``"ACTIVE"``."""
        data: dict[str, Any] = {
            "profile_id": self.profile_id,
            "name": self.name,
            "geography": self.geography,
            "routes": {source: list(self.routes[source]) for source in sorted(self.routes)},
        }
        return data if self.status == "ACTIVE" else {**data, "status": self.status}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> InferenceProfile:
        """The inverse of `to_dict`.

        Raises:
            ValueError: A key is missing or of the wrong type.
        """
        profile_id = reading.required(data, "profile_id", str)
        if not profile_id.strip():
            raise ValueError("`profile_id` is blank")
        return cls(
            profile_id=profile_id,
            name=reading.required(data, "name", str),
            geography=reading.required(data, "geography", str),
            routes=reading.texts_by_text(data, "routes"),
            status=reading.optional(data, "status", str) or "ACTIVE",
        )


@dataclass(frozen=True)
class ContextVariant:
    """An id of the same model with another context length, for example ``…:0:200k``.

    Attributes:
        model_id: The whole id.
        context_length: What follows the base model's id: ``"8k"``, ``"200k"``, ``"mm"``.
        inference_types: Inference type (``"PROVISIONED"``, …) to the regions that list it.
    """

    model_id: str
    context_length: str
    inference_types: Mapping[str, list[str]]

    def to_dict(self) -> dict[str, Any]:
        """The fields under their names."""
        return {
            "model_id": self.model_id,
            "context_length": self.context_length,
            "inference_types": {
                key: sorted(self.inference_types[key]) for key in sorted(self.inference_types)
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ContextVariant:
        """The inverse of `to_dict`.

        Raises:
            ValueError: A key is missing or of the wrong type.
        """
        return cls(
            model_id=reading.required(data, "model_id", str),
            context_length=reading.required(data, "context_length", str),
            inference_types=reading.texts_by_text(data, "inference_types"),
        )


@dataclass(frozen=True)
class ModelFacts:
    """What the control plane does not say; from public price and limit tables, with a date.

    Attributes:
        as_of: Date of the facts, ``YYYY-MM-DD``. Prices and limits change; compare it.
        context_window_tokens: Input and output together, or None where unknown.
        max_output_tokens: Longest answer, or None.
        capabilities: Capability (``"tool_use"``, ``"vision"``, ``"prompt_caching"``,
            ``"assistant_prefill"``, …) to whether the model has it; absent means unknown.
        prices_usd_per_million_tokens: ``"input"``, ``"output"``, ``"cache_read"``,
            ``"cache_write"``, ``"input_batch"``, … to US dollars per 1,000,000 tokens, on
            demand, standard tier; absent means unknown.
        prices_by_profile_prefix: Geography (``"global"``, ``"us"``, …) to prices of the same
            form, where calls through its profile cost something else. Prefer these.
        higher_price_above_input_tokens: Longer prompts are billed at a higher rate, or None.
        prompt_cache_min_tokens: Shortest prefix that can be cached, or None.
        launch_date: ``YYYY-MM-DD`` or ``YYYY-MM``, or None.
        knowledge_cutoff: The same, or None.
        end_of_life: Announced date, ``YYYY-MM-DD``, or None.
        price_source: Table and entry that the prices come from, or None.
    """

    as_of: str
    context_window_tokens: int | None = None
    max_output_tokens: int | None = None
    capabilities: Mapping[str, bool] = field(default_factory=dict)
    prices_usd_per_million_tokens: Mapping[str, float] = field(default_factory=dict)
    prices_by_profile_prefix: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    higher_price_above_input_tokens: int | None = None
    prompt_cache_min_tokens: int | None = None
    launch_date: str | None = None
    knowledge_cutoff: str | None = None
    end_of_life: str | None = None
    price_source: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The facts that are known."""
        return {key: value for key, value in vars(self).items() if value not in (None, {})}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelFacts:
        """The inverse of `to_dict`; keys that it does not know are left out.

        Raises:
            ValueError: `as_of` is missing, or a fact is of the wrong type.
        """
        reading.required(data, "as_of", str)
        known = {
            key: value for key, value in data.items() if key in _FACT_TYPES and value is not None
        }
        for key, value in known.items():
            if not isinstance(value, _FACT_TYPES[key]):
                raise ValueError(f"`{key}` must be {_FACT_TYPES[key].__name__}, got {value!r}")  # noqa: TRY004
        return cls(**known)


_FACT_TYPES: dict[str, type] = {
    "as_of": str,
    "context_window_tokens": int,
    "max_output_tokens": int,
    "capabilities": dict,
    "prices_usd_per_million_tokens": dict,
    "prices_by_profile_prefix": dict,
    "higher_price_above_input_tokens": int,
    "prompt_cache_min_tokens": int,
    "launch_date": str,
    "knowledge_cutoff": str,
    "end_of_life": str,
    "price_source": str,
}


@dataclass(frozen=True)
class NotCallableModel:
    """A model that is known but that no region offers to Converse; kept apart from the callable.

    Attributes:
        model_id: Its id.
        name: The name that people know it by.
        provider: Its provider.
        reason: ``"provisioned_only"`` (needs bought throughput), ``"not_offered"`` (listed, but
            neither on demand nor behind a profile), ``"mantle_only"`` (served by the
            `bedrock-mantle` endpoint, not by `bedrock-runtime`) or ``"retired"`` (listed by
            Bedrock once, no longer).
        regions: Regions that list it, sorted; empty where not known.
        former_names: Other names that it had.
        facts: Limits, prices and capabilities where known, with their date.
        retired_on: End of life of a retired model, ``YYYY-MM-DD``, or None where no source states
            it.
        last_listed: The last day on which Bedrock is known to have listed it, or None.
        not_listed_on: The first day on which Bedrock is known to have listed it no more, or None.
        successors: Ids of callable models that take its place, the first choice first; may be of
            another provider. Empty where none is known.
    """

    model_id: str
    name: str
    provider: str
    reason: str
    regions: list[str] = field(default_factory=list)
    former_names: list[str] = field(default_factory=list)
    facts: ModelFacts | None = None
    retired_on: str | None = None
    last_listed: str | None = None
    not_listed_on: str | None = None
    successors: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The fields under their names; what is empty is left out."""
        data = {**vars(self), "facts": self.facts and self.facts.to_dict()}
        return {key: value for key, value in data.items() if value not in (None, [])}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NotCallableModel:
        """The inverse of `to_dict`.

        Raises:
            ValueError: A key is missing or of the wrong type.
        """
        facts = reading.optional(data, "facts", dict)
        return cls(
            model_id=reading.required(data, "model_id", str),
            name=reading.required(data, "name", str),
            provider=reading.required(data, "provider", str),
            reason=reading.required(data, "reason", str),
            regions=reading.texts(data, "regions"),
            former_names=reading.texts(data, "former_names"),
            facts=ModelFacts.from_dict(facts) if facts else None,
            retired_on=reading.optional(data, "retired_on", str),
            last_listed=reading.optional(data, "last_listed", str),
            not_listed_on=reading.optional(data, "not_listed_on", str),
            successors=reading.texts(data, "successors"),
        )
