"""Makes of one request what each target is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from bestehorn_llmmanager.bedrock.builders.request_features import features_used, without_feature
from bestehorn_llmmanager.bedrock.cache.request_points import has_points

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bestehorn_llmmanager.bedrock.builders.parameter_builder import ParameterBuilder
    from bestehorn_llmmanager.bedrock.cache.cache_point_manager import CachePointManager
    from bestehorn_llmmanager.bedrock.calls.learning import Learned
    from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig
    from bestehorn_llmmanager.bedrock.retry.targets import Target

_FIELDS = "additionalModelRequestFields"
_NOTHING: frozenset[str] = frozenset()


class Prepared(NamedTuple):
    """What one target is sent.

    Attributes:
        request: Everything but `modelId`.
        wanted_fields: Additional request fields that were asked for, or None.
        removed_parameters: Names of those that are left out.
        disabled_features: Features whose content is left out.
        has_points: Whether it has cache points, where this library puts some in.
    """

    request: dict[str, Any]
    wanted_fields: dict[str, Any] | None = None
    removed_parameters: tuple[str, ...] = ()
    disabled_features: tuple[str, ...] = ()
    has_points: bool = False

    @property
    def fields(self) -> Mapping[str, Any]:
        """Additional request fields that are sent."""
        return self.request.get(_FIELDS) or {}


class Lacking:
    """The ids of the models that are known, by now, to lack a feature of a request."""

    def __init__(self, preparation: Preparation) -> None:
        self._preparation = preparation

    def __contains__(self, model_id: object) -> bool:
        return self._preparation.lacks(model_id)


class Preparation:
    """The request of one call with what makes it differ from target to target.

    Whatever has to change is changed in copies. For one thread.

    Args:
        request: Members of Converse, checked, without `modelId`.
        learned: What the models turned out not to take.
        parameters: Makes additional request fields from a `ModelSpecificConfig`.
        model_specific_config: The one of this call, or None.
        cache_points: Puts in cache points, or None.

    Attributes:
        request: The request as it is now.
    """

    def __init__(
        self,
        request: dict[str, Any],
        learned: Learned,
        *,
        parameters: ParameterBuilder,
        model_specific_config: ModelSpecificConfig | None = None,
        cache_points: CachePointManager | None = None,
    ) -> None:
        self._learned = learned
        self._parameters = parameters
        self._config = model_specific_config
        self._cache_points = cache_points
        self._without_points: set[tuple[str, str]] = set()
        self._is_plain = model_specific_config is None and cache_points is None
        self.replace(request)

    def replace(self, request: dict[str, Any]) -> None:
        """Go on with another request, for example with the beginning of an answer."""
        self.request = request
        self._plain = Prepared(request, request.get(_FIELDS))
        self._features: frozenset[str] | None = None

    @property
    def features(self) -> frozenset[str]:
        """The optional features that the request uses."""
        if self._features is None:
            self._features = features_used(self.request)
        return self._features

    def lacks(self, model_id: object) -> bool:
        """Whether a model is known to lack a feature of the request, other than cache points."""
        features = self._learned.features
        if not features or not isinstance(model_id, str):
            return False
        return bool(features.get(model_id, _NOTHING) & self.features - {"prompt_caching"})

    def can_do_without(self, feature: str) -> bool:
        """Whether the request has `feature`, can be sent without, and is refused because of it.

        Many models take images, but not in the results of tools, and say the same of both:
        docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolResultContentBlock.html,
        anomalyco/opencode#49443.
        """
        return (
            feature in self.features
            and not _is_in_a_tool_result(self.request, feature.partition("_")[0])
            and without_feature(self.request, feature) is not None
        )

    def leave_out_cache_points(self, target: Target) -> bool:
        """Send `target` no cache points from now on; False if it gets none already."""
        if target.key in self._without_points:
            return False
        self._without_points.add(target.key)
        self._is_plain = False
        return True

    def for_target(self, target: Target) -> Prepared:
        """What `target` is sent."""
        learned, model_id = self._learned, target.model_id
        if (
            self._is_plain
            and model_id not in learned.features
            and not (model_id in learned.parameters and self._plain.wanted_fields)
        ):
            return self._plain
        prepared = self._with_fields(target)
        for feature in sorted(learned.features.get(model_id, _NOTHING) & self.features):
            left = without_feature(prepared.request, feature)
            if left is not None:
                disabled = (*prepared.disabled_features, feature)
                prepared = prepared._replace(request=left, disabled_features=disabled)
        return self._with_points(prepared, target)

    def _with_fields(self, target: Target) -> Prepared:
        wanted = self._plain.wanted_fields
        if self._config is not None:
            wanted = self._parameters.build_additional_fields(
                target.model, self._config, wanted, model_id=target.model_id
            )
        if not wanted:
            return self._plain
        refused = self._learned.parameters.get(target.model_id, _NOTHING)
        sent = {name: value for name, value in wanted.items() if name not in refused}
        request = {**self.request, _FIELDS: sent}
        if not sent:
            del request[_FIELDS]
        removed = tuple(name for name in wanted if name in refused)
        return Prepared(request, wanted, removed)

    def _with_points(self, prepared: Prepared, target: Target) -> Prepared:
        is_refused = target.key in self._without_points
        if is_refused and "prompt_caching" in self.features:
            return _without_points(prepared)
        if (
            is_refused
            or self._cache_points is None
            or "prompt_caching" in prepared.disabled_features
        ):
            return prepared
        pointed = self._cache_points.with_cache_points(
            prepared.request,
            model=target.model_id,
            region=target.region,
            min_tokens=target.cache_min_tokens,
            name=target.model,
        )
        if has_points(pointed) or "prompt_caching" not in self.features:
            return prepared._replace(request=pointed, has_points=has_points(pointed))
        return _without_points(prepared)


def _without_points(prepared: Prepared) -> Prepared:
    disabled = dict.fromkeys((*prepared.disabled_features, "prompt_caching"))
    left = without_feature(prepared.request, "prompt_caching") or prepared.request
    return prepared._replace(request=left, disabled_features=tuple(disabled))


def _is_in_a_tool_result(request: Mapping[str, Any], kind: str) -> bool:
    return any(
        kind in inner
        for message in request.get("messages") or ()
        for block in message["content"]
        if "toolResult" in block
        for inner in block["toolResult"].get("content") or ()
    )
