"""Derives how a model can be called in each region from where it is on demand and its profiles."""

from __future__ import annotations

from collections.abc import Mapping

from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bestehorn_llmmanager.bedrock.models.model_details import InferenceProfile


class RegionAccess(Mapping[str, ModelAccessInfo]):
    """Region to `ModelAccessInfo`, each made when it is first asked for.

    A catalogue has thousands of (model, region) pairs and a program asks for a handful, so
    loading does not make them. Behaves as a read-only dict; regions come sorted. Safe to
    share between threads: two that meet may derive one entry twice, and keep the first.
    """

    __slots__ = ("_built", "_direct", "_model_id", "_profiles")

    def __init__(
        self,
        model_id: str | None,
        direct_regions: Iterable[str],
        profiles: Sequence[InferenceProfile],
    ) -> None:
        self._model_id = model_id
        self._direct = frozenset(direct_regions)
        self._profiles = tuple(profile for profile in profiles if profile.status == "ACTIVE")
        self._built: dict[str, ModelAccessInfo] = {}

    def __getitem__(self, region: str) -> ModelAccessInfo:
        built = self._built.get(region)
        return built or self._built.setdefault(region, self._derive(region))

    def __contains__(self, region: object) -> bool:
        return region in self._direct or any(region in p.routes for p in self._profiles)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._regions()))

    def __len__(self) -> int:
        return len(self._regions())

    def __bool__(self) -> bool:
        return bool(self._direct) or any(profile.routes for profile in self._profiles)

    def __repr__(self) -> str:
        return f"RegionAccess({dict(self)!r})"

    def _regions(self) -> set[str]:
        return set(self._direct).union(*(profile.routes for profile in self._profiles))

    def _derive(self, region: str) -> ModelAccessInfo:
        if region not in self:
            raise KeyError(region)
        direct = region in self._direct
        regional = self._profile_for(region, is_global=False)
        worldwide = self._profile_for(region, is_global=True)
        return ModelAccessInfo(
            region=region,
            has_direct_access=direct,
            has_regional_cris=regional is not None,
            has_global_cris=worldwide is not None,
            model_id=self._model_id if direct else None,
            regional_cris_profile_id=regional,
            global_cris_profile_id=worldwide,
        )

    def _profile_for(self, region: str, *, is_global: bool) -> str | None:
        """The profile of the narrowest geography: data stays as near as it can."""
        candidates = [
            (len(profile.routes[region]), profile.profile_id)
            for profile in self._profiles
            if region in profile.routes and profile.is_global is is_global
        ]
        return min(candidates)[1] if candidates else None
