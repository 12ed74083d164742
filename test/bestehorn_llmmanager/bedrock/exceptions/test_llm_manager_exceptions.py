"""Tests what callers catch: the tree, the attributes, the texts, and a trip between processes."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import bestehorn_llmmanager.bedrock.exceptions as offered
from bestehorn_llmmanager.bedrock.exceptions import llm_manager_exceptions as errors
from bestehorn_llmmanager.bedrock.exceptions import parallel_exceptions as parallel
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import LLMManagerError

EVERY_ERROR: list[LLMManagerError] = [
    LLMManagerError("m"),
    LLMManagerError("m", {"any": [1]}),
    errors.ConfigurationError("m", {"regions": []}),
    errors.AuthenticationError("m", auth_type="profile", region="eu-west-1"),
    errors.ModelAccessError("m", model_id="a", region="r", access_method="direct"),
    errors.ProfileRequirementError("a", "r", ValueError("on-demand is not supported")),
    errors.RetryExhaustedError("m", 2, [ValueError("one"), KeyError("two")], ["a"], ["r"]),
    errors.RequestValidationError("m", ["e"], ["f"]),
    errors.StreamingError("m", 3, "abc"),
    errors.ContentError("m", "image", 10, 5),
    errors.APIFetchError("m", region="r"),
    errors.APIThrottleError("m", region="r"),
    errors.CatalogError("m", {"k": 1}),
    errors.CatalogUnavailableError("m"),
    errors.CacheError("m", cache_path="/p"),
    errors.BundledDataError("m"),
    parallel.ParallelProcessingError("m"),
    parallel.RequestIdCollisionError({"a": []}),
    parallel.ParallelExecutionError("m", ["a"], 4),
    parallel.RegionDistributionError("m", 3, 1),
    parallel.ParallelConfigurationError("m", "max_workers", 0),
    parallel.RequestTimeoutError("m", "a", 3.0),
    parallel.RequestValidationError("m", "a", ["e"]),
]


def name_of(error: object) -> str:
    return type(error).__qualname__


def facts(error: Exception) -> tuple[Any, ...]:
    """All that can be seen of an error, with errors inside it by their `repr`."""
    return type(error), error.args, str(error), repr(error), repr(vars(error))


def test_every_class_of_both_modules_is_in_the_list() -> None:
    defined = {
        value
        for module in (errors, parallel)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert defined == {type(error) for error in EVERY_ERROR}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("error", EVERY_ERROR, ids=name_of)
def test_an_error_survives_the_way_to_another_process(
    error: LLMManagerError, protocol: int
) -> None:
    assert facts(pickle.loads(pickle.dumps(error, protocol))) == facts(error)


@pytest.mark.parametrize("error", EVERY_ERROR, ids=name_of)
def test_attributes_set_later_survive_as_well(error: LLMManagerError) -> None:
    changed = copy.copy(error)
    changed.request_number = 7  # type: ignore[attr-defined]  # as an application may do
    assert pickle.loads(pickle.dumps(changed)).request_number == 7
    assert not hasattr(error, "request_number")


def test_an_error_of_an_application_with_its_own_arguments_survives() -> None:
    assert facts(pickle.loads(pickle.dumps(TwoArgumentsError(1, 2)))) == facts(
        TwoArgumentsError(1, 2)
    )


class TwoArgumentsError(LLMManagerError):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")
        self.one = one


@pytest.mark.parametrize("error", EVERY_ERROR, ids=name_of)
def test_the_only_argument_is_the_message(error: LLMManagerError) -> None:
    assert error.args == (error.message,)


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        (errors.ProfileRequirementError, errors.ModelAccessError),
        (errors.APIThrottleError, errors.APIFetchError),
        (errors.CatalogUnavailableError, errors.CatalogError),
        (errors.CacheError, errors.CatalogError),
        (errors.BundledDataError, errors.CatalogError),
        (errors.CatalogError, LLMManagerError),
        (errors.APIFetchError, LLMManagerError),
        (parallel.ParallelProcessingError, LLMManagerError),
        (parallel.RequestValidationError, parallel.ParallelProcessingError),
    ],
)
def test_the_tree_is_as_documented(child: type, parent: type) -> None:
    assert child.__bases__ == (parent,)


def test_the_two_request_validation_errors_are_not_related() -> None:
    assert not issubclass(parallel.RequestValidationError, errors.RequestValidationError)
    assert not issubclass(errors.RequestValidationError, parallel.ParallelProcessingError)


def test_the_package_offers_the_errors_of_its_main_module() -> None:
    assert {name: getattr(offered, name) for name in offered.__all__} == {
        name: getattr(errors, name) for name in offered.__all__
    }
    assert "CatalogUnavailableError" in offered.__all__


@pytest.mark.parametrize(
    ("error", "details"),
    [
        (LLMManagerError("m"), None),
        (LLMManagerError("m", {}), {}),
        (errors.ConfigurationError("m"), None),
        (errors.ConfigurationError("m", {}), {"invalid_config": {}}),
        (errors.AuthenticationError("m", auth_type=""), None),
        (errors.AuthenticationError("m", region="r"), {"region": "r"}),
        (errors.ProfileRequirementError("a", "r", KeyError()), {"model_id": "a", "region": "r"}),
        (errors.RetryExhaustedError("m", 0, [], [], []), {"attempts_made": 0}),
        (errors.RetryExhaustedError("m", last_errors=[ValueError("v")]), {"last_errors": ["v"]}),
        (errors.RequestValidationError("m", [], ["f"]), {"invalid_fields": ["f"]}),
        (errors.StreamingError("m", 0, ""), {"stream_position": 0}),
        (
            errors.ContentError("m", content_size=0, max_allowed_size=0),
            {"content_size": 0, "max_allowed_size": 0},
        ),
        (errors.CacheError("m", "p"), {"cache_path": "p"}),
    ],
)
def test_details_are_what_was_given(error: LLMManagerError, details: object) -> None:
    assert error.details == details


def test_details_appear_in_the_text_when_there_are_any() -> None:
    assert str(LLMManagerError("m")) == "m"
    assert str(LLMManagerError("m", {})) == "m. Details: {}"
    assert str(LLMManagerError("A sentence.", {})) == "A sentence. Details: {}"
    assert str(LLMManagerError("A sentence.")) == "A sentence."
    assert (
        repr(errors.CacheError("m", "p")) == "CacheError(message='m', details={'cache_path': 'p'})"
    )


def test_exhausted_retries_keep_the_errors_as_objects_and_their_texts_as_details() -> None:
    cause = ValueError("slow down")
    error = errors.RetryExhaustedError("m", last_errors=[cause])
    assert error.last_errors == [cause]
    assert error.details == {"last_errors": ["slow down"]}
    assert (error.attempts_made, error.models_tried, error.regions_tried) == (None, [], [])


def test_a_profile_requirement_names_model_and_region_unless_told_otherwise() -> None:
    cause = ValueError()
    error = errors.ProfileRequirementError("some.model", "eu-west-1", cause)
    assert "some.model" in error.message
    assert "eu-west-1" in error.message
    assert (error.original_error, error.access_method) == (cause, None)
    assert errors.ProfileRequirementError("a", "r", cause, "own words").message == "own words"


def test_every_field_constant_is_its_own_name_in_lower_case() -> None:
    constants = {k: v for k, v in vars(errors.ExceptionDetailFields).items() if k.isupper()}
    assert len(constants) == 16
    assert constants == {name: name.lower() for name in constants}
