"""How one model can be called in one region."""

from __future__ import annotations

from enum import Enum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from bestehorn_llmmanager._dataclass import dataclass


class ModelAccessMethod(Enum):
    """The ways to call a model; `CRIS_ONLY` and `BOTH` are deprecated summaries."""

    DIRECT = "direct"
    REGIONAL_CRIS = "regional_cris"
    GLOBAL_CRIS = "global_cris"
    CRIS_ONLY = "cris_only"
    BOTH = "both"


@dataclass(frozen=True)
class ModelAccessInfo:
    """Which identifiers reach a model from `region`, and by which access method.

    Attributes:
        region: The region that is called (the source region), for example ``"eu-west-1"``.
        has_direct_access: The model is on demand there: `model_id` can be sent.
        has_regional_cris: `regional_cris_profile_id` can be sent (``eu.…``, ``us.…``).
        has_global_cris: `global_cris_profile_id` can be sent (``global.…``).
        model_id: The model id; None where it cannot be called directly.
        regional_cris_profile_id: Inference profile of one geography, or None.
        global_cris_profile_id: Inference profile over all commercial regions, or None.

    Raises:
        ValueError: No access method at all, a flag without its id, or an id without its flag.
    """

    region: str
    has_direct_access: bool = False
    has_regional_cris: bool = False
    has_global_cris: bool = False
    model_id: str | None = None
    regional_cris_profile_id: str | None = None
    global_cris_profile_id: str | None = None

    def __post_init__(self) -> None:
        if not (self.has_direct_access or self.has_regional_cris or self.has_global_cris):
            raise ValueError(f"No access method is given for region {self.region!r}")
        _require_pair("has_direct_access", self.has_direct_access, "model_id", self.model_id)
        _require_pair(
            "has_regional_cris",
            self.has_regional_cris,
            "regional_cris_profile_id",
            self.regional_cris_profile_id,
        )
        _require_pair(
            "has_global_cris",
            self.has_global_cris,
            "global_cris_profile_id",
            self.global_cris_profile_id,
        )

    @property
    def access_method(self) -> ModelAccessMethod:
        """Deprecated: one value for all methods; use the three flags."""
        _warn_deprecated(
            "ModelAccessInfo.access_method",
            "`has_direct_access`, `has_regional_cris` and `has_global_cris`",
        )
        return self.legacy_access_method

    @property
    def inference_profile_id(self) -> str | None:
        """Deprecated: the regional, else the global profile id."""
        _warn_deprecated("ModelAccessInfo.inference_profile_id", "`get_cris_profile_ids()`")
        return self.legacy_inference_profile_id

    @property
    def legacy_access_method(self) -> ModelAccessMethod:
        """What readers of the old format expect under `access_method`."""
        if not self.has_any_cris_access():
            return ModelAccessMethod.DIRECT
        return ModelAccessMethod.BOTH if self.has_direct_access else ModelAccessMethod.CRIS_ONLY

    @property
    def legacy_inference_profile_id(self) -> str | None:
        """What readers of the old format expect under `inference_profile_id`."""
        return self.regional_cris_profile_id or self.global_cris_profile_id

    @classmethod
    def from_legacy(
        cls,
        access_method: ModelAccessMethod,
        region: str,
        model_id: str | None = None,
        inference_profile_id: str | None = None,
    ) -> ModelAccessInfo:
        """Read the old pair of one access method and one profile id.

        Raises:
            ValueError: Not a `ModelAccessMethod`, or the id that the method needs is missing.
        """
        if access_method in {ModelAccessMethod.CRIS_ONLY, ModelAccessMethod.BOTH}:
            _warn_deprecated(
                f"ModelAccessMethod.{access_method.name}",
                "`DIRECT`, `REGIONAL_CRIS` or `GLOBAL_CRIS`",
            )
        methods = _LEGACY_METHODS.get(access_method)
        if methods is None:
            raise ValueError(f"Unknown access method {access_method!r}; use a `ModelAccessMethod`")
        return cls(
            region=region,
            has_direct_access="direct" in methods,
            has_regional_cris="regional" in methods,
            has_global_cris="global" in methods,
            model_id=model_id if "direct" in methods else None,
            regional_cris_profile_id=inference_profile_id if "regional" in methods else None,
            global_cris_profile_id=inference_profile_id if "global" in methods else None,
        )

    def get_access_summary(self) -> str:
        """The methods in words, for example ``"DIRECT + GLOBAL_CRIS"``."""
        names = (
            ("DIRECT", self.has_direct_access),
            ("REGIONAL_CRIS", self.has_regional_cris),
            ("GLOBAL_CRIS", self.has_global_cris),
        )
        return " + ".join(name for name, given in names if given)

    def has_any_cris_access(self) -> bool:
        """Whether any inference profile reaches the model from this region."""
        return self.has_regional_cris or self.has_global_cris

    def get_cris_profile_ids(self) -> list[str]:
        """The profile ids that exist, regional before global."""
        ids = (self.regional_cris_profile_id, self.global_cris_profile_id)
        return [profile_id for profile_id in ids if profile_id]


@dataclass(frozen=True)
class AccessRecommendation:
    """Which access to use, why, and what else there is."""

    recommended_access: ModelAccessInfo
    rationale: str
    alternatives: list[ModelAccessInfo]


_LEGACY_METHODS = {
    ModelAccessMethod.DIRECT: {"direct"},
    ModelAccessMethod.REGIONAL_CRIS: {"regional"},
    ModelAccessMethod.CRIS_ONLY: {"regional"},
    ModelAccessMethod.GLOBAL_CRIS: {"global"},
    ModelAccessMethod.BOTH: {"direct", "regional"},
}


def _require_pair(flag_name: str, flag: bool, id_name: str, identifier: str | None) -> None:
    if flag and not identifier:
        raise ValueError(f"`{flag_name}` is true, so `{id_name}` is needed")
    if identifier and not flag:
        raise ValueError(f"`{id_name}` is {identifier!r}, but `{flag_name}` is false")


def _warn_deprecated(feature: str, alternative: str) -> None:
    # Imported here: most programs never meet the old names.
    from bestehorn_llmmanager.bedrock.models.deprecation import (  # noqa: PLC0415
        DeprecatedEnumValueWarning,
        emit_deprecation_warning,
    )

    emit_deprecation_warning(
        feature,
        since="1.0.0",
        alternative=alternative,
        category=DeprecatedEnumValueWarning,
        stacklevel=4,
    )
