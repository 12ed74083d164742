"""Describes what a call asks of one family of models only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class ModelSpecificFields:
    """The keys of `ModelSpecificConfig.to_dict`, for code that refers to them by constant."""

    ENABLE_EXTENDED_CONTEXT = "enable_extended_context"
    CUSTOM_FIELDS = "custom_fields"


@dataclass
class ModelSpecificConfig:
    """Parameters beyond those that all models share.

    Attributes:
        enable_extended_context: Ask for a context window of a million tokens.
        custom_fields: Go into `additionalModelRequestFields`.

    Raises:
        TypeError: A field is of another type.
    """

    enable_extended_context: bool = False
    custom_fields: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.enable_extended_context, bool):
            raise TypeError(
                "`enable_extended_context` must be True or False, got "
                f"{type(self.enable_extended_context).__name__}"
            )
        if self.custom_fields is not None and not isinstance(self.custom_fields, dict):
            raise TypeError(
                "`custom_fields` must be a dict of request fields or None, got "
                f"{type(self.custom_fields).__name__}"
            )

    def to_dict(self) -> dict[str, Any]:
        """The two fields under their names; `custom_fields` is not copied."""
        return {
            "enable_extended_context": self.enable_extended_context,
            "custom_fields": self.custom_fields,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ModelSpecificConfig:
        """Read what `to_dict` gives; both keys may be absent.

        Raises:
            ValueError: `data` is not a dict.
            TypeError: A field is of another type.
        """
        if not isinstance(data, dict):
            raise ValueError(f"`data` must be a dict, got {type(data).__name__}")  # noqa: TRY004  (contract)
        return cls(
            enable_extended_context=data.get("enable_extended_context", False),
            custom_fields=data.get("custom_fields"),
        )
