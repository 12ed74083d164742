"""Describes how a name was understood, or why it was not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class MatchType(Enum):
    """By which rule a name was found, strictest first."""

    EXACT = "exact"
    ALIAS = "alias"
    LEGACY = "legacy"
    NORMALIZED = "normalized"
    FUZZY = "fuzzy"


class ErrorType(Enum):
    """Why a name was not resolved."""

    NOT_FOUND = "not_found"
    AMBIGUOUS = "ambiguous"
    DEPRECATED = "deprecated"
    INVALID_INPUT = "invalid_input"


@dataclass(frozen=True)
class ModelNameMatch:
    """The model that a name stands for.

    Attributes:
        canonical_name: Its name in the catalogue.
        confidence: 1.0 for an exact name, less for looser rules.

    Raises:
        ValueError: `confidence` is not from 0 to 1.
    """

    canonical_name: str
    match_type: MatchType
    confidence: float
    user_input: str

    def __post_init__(self) -> None:
        if not 0.0 <= self.confidence <= 1.0:
            raise ValueError(f"`confidence` must be from 0.0 to 1.0, got {self.confidence!r}")


@dataclass(frozen=True)
class AliasGenerationConfig:
    """Which further names a model gets.

    Attributes:
        generate_version_variants: ``Claude 3.5 Haiku`` for ``Claude 3 5 Haiku 20241022``.
        generate_no_prefix_variants: ``Command R`` for ``Cohere Command R``.
        generate_spacing_variants: ``Llama3 8B Instruct`` for ``Llama 3 8B Instruct``.
        include_legacy_mappings: Names that were in use before the model list came from the API.
        enable_version_period_aliases: ``Claude Haiku 4.5`` for ``Claude Haiku 4 5 20251001``.

    Raises:
        ValueError: `max_aliases_per_model` is not positive.
    """

    generate_version_variants: bool = True
    generate_no_prefix_variants: bool = True
    generate_spacing_variants: bool = True
    include_legacy_mappings: bool = True
    max_aliases_per_model: int = 10
    enable_version_period_aliases: bool = True

    def __post_init__(self) -> None:
        if self.max_aliases_per_model <= 0:
            raise ValueError(
                f"`max_aliases_per_model` must be positive, got {self.max_aliases_per_model!r}"
            )


@dataclass(frozen=True)
class ModelResolutionError:
    """Why a name was not resolved, plus what may have been meant. A value, not an exception.

    Attributes:
        suggestions: Canonical names, best first; for `AMBIGUOUS` all that the name can mean.
        legacy_name_found: The input is a name of the time before the API's model list.
        similar_models: Canonical names with their similarity from 0 to 1.

    Raises:
        ValueError: A similarity is not from 0 to 1.
    """

    user_input: str
    error_type: ErrorType
    suggestions: list[str]
    legacy_name_found: bool
    similar_models: list[tuple[str, float]]

    def __post_init__(self) -> None:
        wrong = [pair for pair in self.similar_models if not 0.0 <= pair[1] <= 1.0]
        if wrong:
            raise ValueError(f"Similarities in `similar_models` must be from 0.0 to 1.0: {wrong!r}")

    def format_error_message(self) -> str:
        """A sentence with the input and up to three suggestions, all of them if it is ambiguous."""
        what, hint = _SENTENCES[self.error_type]
        text = what.format(repr(self.user_input))
        names = self.suggestions
        if self.error_type is not ErrorType.AMBIGUOUS:
            names = names[:3]
        if hint and names:
            text += f" {hint} {', '.join(names)}."
        if self.legacy_name_found:
            text += " It is a name of an older release."
        return text


_SENTENCES = {
    ErrorType.NOT_FOUND: ("There is no model {}.", "Closest:"),
    ErrorType.AMBIGUOUS: ("The name {} fits several models.", "It can mean"),
    ErrorType.DEPRECATED: ("The model {} is no longer offered.", "Similar:"),
    ErrorType.INVALID_INPUT: ("{} is not a model name.", ""),
}
