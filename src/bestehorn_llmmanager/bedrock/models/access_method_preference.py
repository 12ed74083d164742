"""Holds which way of calling a model is preferred in a region."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


class AccessMethodNames:
    """The ways to call a model, as they stand in responses."""

    DIRECT = "direct"
    REGIONAL_CRIS = "regional_cris"
    GLOBAL_CRIS = "global_cris"
    UNKNOWN = "unknown"


@dataclass
class AccessMethodPreference:
    """Which access method to try first.

    Attributes:
        learned_from_error: The service said so; such a preference overrides the caller's.
        last_updated: Local time without a zone.
    """

    prefer_direct: bool = True
    prefer_regional_cris: bool = False
    prefer_global_cris: bool = False
    learned_from_error: bool = False
    last_updated: datetime = field(default_factory=datetime.now)

    @classmethod
    def from_method_name(cls, name: str) -> AccessMethodPreference:
        """The preference for exactly one method.

        Raises:
            ValueError: `name` is not a method that can be preferred.
        """
        if name not in _PREFERABLE:
            raise ValueError(
                f"Unknown access method {name!r}; use one of {', '.join(map(repr, _PREFERABLE))}"
            )
        return cls(
            prefer_direct=name == "direct",
            prefer_regional_cris=name == "regional_cris",
            prefer_global_cris=name == "global_cris",
        )

    def get_preferred_method(self) -> str:
        """The first method whose flag is set, ``"unknown"`` if none is."""
        flags = (self.prefer_direct, self.prefer_regional_cris, self.prefer_global_cris)
        return next(
            (name for name, flag in zip(_PREFERABLE, flags, strict=True) if flag), "unknown"
        )


_PREFERABLE = ("direct", "regional_cris", "global_cris")
