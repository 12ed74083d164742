"""Tells which inference profile belongs to which model, by the ARNs that the profile names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.models.arns import parse_arn
from bestehorn_llmmanager.bedrock.models.model_details import ANY_REGION, InferenceProfile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bestehorn_llmmanager.bedrock.models.arns import BedrockArn


@dataclass
class Correlation:
    """Profiles by the id of their base model, and what could not be used.

    Attributes:
        profiles: Base model id to its profiles, sorted by profile id.
        problems: One sentence for each profile that was left out or is odd.
    """

    profiles: dict[str, list[InferenceProfile]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass
class _Draft:
    profile_id: str
    model_id: str
    name: str
    status: str
    routes: dict[str, list[str]] = field(default_factory=dict)

    def finish(self) -> InferenceProfile:
        geography = self.profile_id.removesuffix(f".{self.model_id}")
        if geography == self.profile_id:
            geography = self.profile_id.partition(".")[0]
        routes = {region: self.routes[region] for region in sorted(self.routes)}
        return InferenceProfile(self.profile_id, self.name, geography, routes, self.status)


class ModelCRISCorrelator:
    """Correlates profiles and models; keeps no state, so one may be shared."""

    def correlate(self, profiles_by_region: Mapping[str, Sequence[Any]]) -> Correlation:
        """Sort the profile summaries of all regions to the models that they name.

        Args:
            profiles_by_region: Source region to its `inferenceProfileSummaries`.

        Returns:
            Every profile under the model id of its ``models[].modelArn``: exactly that id,
            whatever the names look like.

        Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_InferenceProfileSummary.html
        """
        found = Correlation()
        drafts: dict[str, _Draft] = {}
        for region in sorted(profiles_by_region):
            for summary in profiles_by_region[region]:
                _collect(summary, region, drafts, found.problems)
        for profile_id in sorted(drafts):
            draft = drafts[profile_id]
            found.profiles.setdefault(draft.model_id, []).append(draft.finish())
        return found


def _collect(summary: Any, region: str, drafts: dict[str, _Draft], problems: list[str]) -> None:
    profile_id = summary.get("inferenceProfileId") if isinstance(summary, dict) else None
    if not isinstance(profile_id, str) or not profile_id:
        problems.append(f"an inference profile in {region} has no `inferenceProfileId`")
        return
    arns = _model_arns(summary)
    if not arns:
        problems.append(f"inference profile {profile_id!r} in {region} names no foundation model")
        return
    model_id = arns[0].resource_id
    if any(arn.resource_id != model_id for arn in arns):
        problems.append(f"inference profile {profile_id!r} in {region} names several models")
    draft = drafts.setdefault(
        profile_id,
        _Draft(
            profile_id,
            model_id,
            name=str(summary.get("inferenceProfileName") or profile_id),
            status=str(summary.get("status") or "ACTIVE"),
        ),
    )
    draft.routes[region] = list(dict.fromkeys(arn.region or ANY_REGION for arn in arns))


def _model_arns(summary: Mapping[str, Any]) -> list[BedrockArn]:
    models = summary.get("models")
    texts = (
        [m.get("modelArn") for m in models if isinstance(m, dict)]
        if isinstance(models, list)
        else []
    )
    arns = [parse_arn(text) for text in texts if isinstance(text, str)]
    return [
        arn for arn in arns if arn and arn.kind == "foundation-model" and arn.resource_id.strip()
    ]
