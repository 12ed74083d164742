"""Tests what the result of a name look-up may hold, and what it says."""

from __future__ import annotations

import pytest

from bestehorn_llmmanager.bedrock.catalog.name_resolution_structures import (
    AliasGenerationConfig,
    ErrorType,
    MatchType,
    ModelNameMatch,
    ModelResolutionError,
)


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan")])
def test_a_confidence_outside_its_range_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        ModelNameMatch("Nova Pro", MatchType.EXACT, confidence, "nova pro")


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_of_no_aliases_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="max_aliases_per_model"):
        AliasGenerationConfig(max_aliases_per_model=limit)


def test_a_similarity_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="Nova Pro"):
        ModelResolutionError("x", ErrorType.NOT_FOUND, [], False, [("Nova Pro", 1.5)])


@pytest.mark.parametrize(
    ("error_type", "named"),
    [
        (ErrorType.NOT_FOUND, ["one", "two", "three"]),
        (ErrorType.DEPRECATED, ["one", "two", "three"]),
        (ErrorType.AMBIGUOUS, ["one", "two", "three", "four"]),
        (ErrorType.INVALID_INPUT, []),
    ],
)
def test_the_sentence_has_the_input_and_the_suggestions(
    error_type: ErrorType, named: list[str]
) -> None:
    suggestions = ["one", "two", "three", "four"]
    text = ModelResolutionError(
        "Nova {Pro}", error_type, suggestions, False, []
    ).format_error_message()
    assert "Nova {Pro}" in text
    assert [name for name in suggestions if name in text] == named


@pytest.mark.parametrize("error_type", ErrorType)
def test_without_suggestions_none_are_announced(error_type: ErrorType) -> None:
    text = ModelResolutionError("x", error_type, [], False, []).format_error_message()
    assert text.endswith(".")
    assert ":" not in text


def test_a_name_of_an_older_release_is_called_that() -> None:
    text = ModelResolutionError("x", ErrorType.NOT_FOUND, [], True, []).format_error_message()
    assert "older release" in text
