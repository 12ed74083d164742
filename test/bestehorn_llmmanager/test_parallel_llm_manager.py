"""Tests what callers of the parallel manager see, over HTTP."""

from __future__ import annotations

import gc
import itertools
import json
import logging
import pickle
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import LLMManager, ParallelLLMManager
from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.exceptions import (
    ConfigurationError,
    LLMManagerError,
    RequestValidationError,
    RetryExhaustedError,
)
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import (
    ParallelConfigurationError,
    ParallelExecutionError,
    ParallelProcessingError,
    RegionDistributionError,
    RequestIdCollisionError,
)
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import (
    RequestValidationError as BatchError,
)
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    ResponseValidationConfig,
    RetryConfig,
    ValidationResult,
)
from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig
from bestehorn_llmmanager.bedrock.models.parallel_structures import (
    BedrockConverseRequest,
    FailureHandlingStrategy,
    LoadBalancingStrategy,
    ParallelProcessingConfig,
)
from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
    from bestehorn_llmmanager.bedrock.parallel.progress import RunProgress
    from bestehorn_llmmanager.testing._replies import ReceivedRequest

EAST, WEST = "us-east-1", "us-west-2"
LITE = "amazon.nova-lite-v1:0"
# Where Nova Lite is.
EIGHT = [
    "us-east-1",
    "us-west-2",
    "us-east-2",
    "eu-central-1",
    "eu-west-1",
    "eu-west-3",
    "ap-northeast-1",
    "ap-southeast-2",
]
NO_RETRY = RetryConfig(max_retries=0, retry_delay=0)
CONTINUE = FailureHandlingStrategy.CONTINUE_ON_FAILURE
STOP_ON_FIRST = FailureHandlingStrategy.STOP_ON_FIRST_FAILURE
STOP_ON_THRESHOLD = FailureHandlingStrategy.STOP_ON_THRESHOLD


def new_manager(
    *regions: str, retry_config: RetryConfig | None = NO_RETRY, **options: Any
) -> ParallelLLMManager:
    """A manager that knows the bundled catalogue, and neither waits nor asks AWS for another.

    What `ParallelLLMManager` does not know goes into its `ParallelProcessingConfig`.
    """
    known = ("models", "timeout", "tokens_per_minute", "default_inference_config")
    others = {name: options.pop(name) for name in known if name in options}
    return ParallelLLMManager(
        others.pop("models", ["Nova Lite"]),
        list(regions or (EAST, WEST)),
        retry_config=retry_config,
        parallel_config=ParallelProcessingConfig(**options),
        catalog_cache_mode=CacheMode.NONE,
        catalog_refresh="never",
        **others,
    )


def request(text: str = "Hi", name: Any = None, **options: Any) -> BedrockConverseRequest:
    messages = [{"role": "user", "content": [{"text": text}]}]
    return BedrockConverseRequest(messages, request_id=name, **options)


def requests(*names: Any) -> list[BedrockConverseRequest]:
    """One per name, which is its text, too."""
    return [request(str(name), name) for name in names]


def text_of(received: ReceivedRequest) -> str:
    return str(received.body["messages"][0]["content"][0]["text"])


def asked(bedrock: LocalBedrock) -> int:
    return bedrock.count("Converse")


def refuse(bedrock: LocalBedrock, *names: str) -> None:
    """Let requests with these texts be refused by a status 500 of the endpoint's own."""

    def reply(received: ReceivedRequest) -> str:
        if text_of(received) in names:
            raise ValueError("refused by the test")
        return f"to {text_of(received)}"

    bedrock.reply_with(reply)


def threads_of_runs() -> list[str]:
    # With "_" there are those of tests that answer here as a worker process would.
    return [t.name for t in threading.enumerate() if t.name.startswith("bestehorn-llmmanager-")]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert threads_of_runs() == []


# --- construction ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("models", "regions"), [([], [EAST]), (["Nova Lite"], [])])
def test_no_models_or_no_regions_are_refused(models: list[str], regions: list[str]) -> None:
    with pytest.raises(ParallelConfigurationError) as caught:
        ParallelLLMManager(models, regions)
    assert caught.value.get_invalid_parameter() == ("regions" if models else "models")
    assert caught.value.get_provided_value() == []


@pytest.mark.parametrize(
    ("models", "options"),
    [("Nova Lite", {}), (["zzz"], {}), (["Nova Lite"], {"timeout": -1})],
    ids=["a_string", "an_unknown_model", "a_negative_timeout"],
)
def test_other_mistakes_are_those_of_the_single_manager(models: Any, options: Any) -> None:
    with pytest.raises(ConfigurationError):
        ParallelLLMManager(
            models, [EAST], catalog_cache_mode=CacheMode.NONE, catalog_refresh="never", **options
        )


def test_a_configuration_of_another_kind_is_refused() -> None:
    with pytest.raises(ParallelConfigurationError, match="got dict") as caught:
        ParallelLLMManager(["Nova Lite"], [EAST], parallel_config={"max": 5})  # type: ignore[arg-type]  # on purpose
    assert caught.value.get_invalid_parameter() == "parallel_config"


@pytest.mark.parametrize(
    "wrong", [-5, 0, 1.5, "100", True, {"Nova Lite": 0}, {"Nova Lite": True}, {7: 100}, [100]]
)
def test_a_quota_is_checked_as_in_the_configuration(wrong: Any) -> None:
    with pytest.raises(ParallelConfigurationError, match="`tokens_per_minute` must be") as caught:
        new_manager(tokens_per_minute=wrong)
    assert caught.value.get_invalid_parameter() == "tokens_per_minute"
    assert caught.value.get_provided_value() == wrong


def test_a_quota_that_is_given_is_the_one_of_the_configuration_in_use() -> None:
    options: dict[str, Any] = {"catalog_cache_mode": CacheMode.NONE, "catalog_refresh": "never"}
    config = ParallelProcessingConfig(tokens_per_minute=5, max_concurrent_requests=7)
    manager = ParallelLLMManager(
        ["Nova Lite"], [EAST], parallel_config=config, tokens_per_minute={"*": 9}, **options
    )
    assert manager.get_parallel_config() == ParallelProcessingConfig(
        tokens_per_minute={"*": 9}, max_concurrent_requests=7
    )
    manager = ParallelLLMManager(["Nova Lite"], [EAST], parallel_config=config, **options)
    assert manager.get_parallel_config() is config


@pytest.mark.parametrize(
    "name",
    [
        "Nova Lite",
        "nova-lite",
        LITE,
        f"us.{LITE}",
        f"arn:aws:bedrock:{EAST}::foundation-model/{LITE}",
        "*",
    ],
)
def test_a_quota_holds_for_a_model_by_any_of_its_names(bedrock: LocalBedrock, name: str) -> None:
    manager = new_manager(EAST, tokens_per_minute={name: 100}, max_concurrent_requests=4)
    bedrock.reply_with("x" * 400)
    many = [request("Hi", n, inference_config={"maxTokens": 90}) for n in range(2)]
    results = manager.iter_converse_parallel(many)
    next(results)
    # The other waits for the next minute.
    time.sleep(0.05)
    assert asked(bedrock) == 1
    results.close()


def test_a_quota_of_what_the_manager_does_not_call_is_refused() -> None:
    quotas = {"Nova Pro": 1, "eu." + LITE: 1, "zzz": 1, "Nova Lite": 1}
    with pytest.raises(ParallelConfigurationError) as caught:
        new_manager(EAST, tokens_per_minute=quotas)
    assert caught.value.message == (
        "`tokens_per_minute` names 'Nova Pro', 'eu.amazon.nova-lite-v1:0', 'zzz', which this "
        "manager does not call. It calls 'Nova Lite', 'amazon.nova-lite-v1:0', "
        "'us.amazon.nova-lite-v1:0'; '*' stands for all others."
    )
    assert caught.value.get_invalid_parameter() == "tokens_per_minute"
    assert caught.value.get_provided_value() == quotas


def test_two_quotas_of_one_model_are_refused() -> None:
    with pytest.raises(ParallelConfigurationError, match="'Nova Lite' and 'nova-lite'"):
        new_manager(EAST, tokens_per_minute={"Nova Lite": 1, "nova-lite": 2})


def test_it_pickles_with_its_configuration(bedrock: LocalBedrock) -> None:
    manager = new_manager(
        EAST, WEST, tokens_per_minute={"nova-lite": 90_000}, max_concurrent_requests=3
    )
    assert manager.converse_parallel(requests("a")).success
    copy = pickle.loads(pickle.dumps(manager))
    assert repr(copy) == repr(manager)
    assert copy.get_parallel_config() == manager.get_parallel_config()
    assert pickle.dumps(copy._health.pacer) == pickle.dumps(manager._health.pacer)
    assert copy.converse_parallel(requests(*range(9))).get_success_rate() == 100.0


def test_a_single_region_is_worth_a_warning_and_two_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    new_manager(EAST, WEST)
    assert "regions=1" not in caplog.text
    new_manager(EAST)
    assert "regions=1 | requests cannot be spread over regions" in caplog.text


def test_it_tells_what_it_was_given() -> None:
    manager = new_manager(EAST, WEST, max_concurrent_requests=7)
    assert repr(manager) == (
        "ParallelLLMManager(models=1, regions=2, max_concurrent=7, strategy=continue_on_failure)"
    )
    assert manager.get_available_models() == ["Nova Lite"]
    assert manager.get_available_regions() == [EAST, WEST]
    manager.get_available_regions().clear()
    assert manager.get_available_regions() == [EAST, WEST]
    assert manager.get_parallel_config() == ParallelProcessingConfig(max_concurrent_requests=7)
    assert isinstance(manager.get_underlying_llm_manager(), LLMManager)


def test_without_a_configuration_the_defaults_hold() -> None:
    manager = ParallelLLMManager(
        ["Nova Lite"], [EAST, WEST], catalog_cache_mode=CacheMode.NONE, catalog_refresh="never"
    )
    assert manager.get_parallel_config() == ParallelProcessingConfig()


@pytest.mark.parametrize(("most", "warnings"), [(4, 0), (5, 1)])
def test_what_it_found_at_construction_is_in_one_dict(most: int, warnings: int) -> None:
    manager = new_manager(EAST, WEST, max_concurrent_requests=most)
    found = manager.validate_configuration()
    assert len(found.pop("parallel_warnings")) == warnings
    assert found == {
        **manager.get_underlying_llm_manager().validate_configuration(),
        "parallel_config_valid": True,
        "parallel_errors": [],
        "max_concurrent_requests": most,
        "target_regions_available": 2,
        "load_balancing_strategy": "round_robin",
    }


def test_a_refresh_that_fails_is_an_error_of_this_manager(
    monkeypatch: pytest.MonkeyPatch, snapshot: dict[str, Any]
) -> None:
    manager = new_manager(EAST)
    models = [m for m in snapshot["regions"][EAST]["modelSummaries"] if m["modelId"] != LITE]
    without_it: Any = {"modelSummaries": models, "inferenceProfileSummaries": []}
    with LocalBedrock({"regions": {EAST: without_it}}) as bedrock:
        for name, value in bedrock.environment().items():
            monkeypatch.setenv(name, value)
        with pytest.raises(ParallelProcessingError) as caught:
            manager.refresh_model_data()
    assert isinstance(caught.value.__cause__, LLMManagerError)


def test_a_refresh_asks_aws(bedrock: LocalBedrock) -> None:
    manager = new_manager(EAST)
    assert bedrock.count("ListFoundationModels") == 0
    manager.refresh_model_data()
    assert bedrock.count("ListFoundationModels") == 1


def test_one_request_is_answered_like_any_call(bedrock: LocalBedrock) -> None:
    manager = new_manager()
    assert manager.converse_with_request(request()).success
    bedrock.fail(Fault.validation("malformed"))
    with pytest.raises(RequestValidationError):
        manager.converse_with_request(request())


def test_the_default_timeout_cuts_no_call_off() -> None:
    deadline = new_manager().get_underlying_llm_manager()._deadline(None)
    assert deadline is not None
    assert not deadline.is_hard


def test_it_can_be_closed_and_used_again(bedrock: LocalBedrock) -> None:
    with new_manager() as manager:
        assert manager.converse_parallel(requests("a")).success
    assert manager.converse_parallel(requests("a")).success
    first, second = (r.connection for r in bedrock.requests if r.operation == "Converse")
    assert first != second


# --- what is refused before anything is sent ------------------------------------------------------


def test_a_batch_needs_requests(bedrock: LocalBedrock) -> None:
    manager = new_manager()
    empty: list[Any] = [[], ()]
    for nothing in empty:
        with pytest.raises(BatchError, match="is empty"):
            manager.converse_parallel(nothing)
    with pytest.raises(BatchError, match="put it into a list"):
        manager.converse_parallel(request())  # type: ignore[arg-type]  # on purpose
    assert bedrock.requests == ()


def test_mistakes_are_told_in_this_order(bedrock: LocalBedrock) -> None:
    manager = new_manager()
    malformed = BedrockConverseRequest([], request_id="m")
    with pytest.raises(RequestIdCollisionError) as collision:
        manager.converse_parallel([malformed, request(name="x"), request(name="x")], 99)
    assert collision.value.get_collision_count() == 1
    wrong_role = request(name="w")
    wrong_role.messages[0]["role"] = "robot"
    with pytest.raises(BatchError) as structure:
        manager.converse_parallel([malformed, wrong_role, request()], 99)
    assert [problem[:10] for problem in structure.value.get_validation_errors()] == [
        "Request m:",
        "Request w:",
    ]
    with pytest.raises(RegionDistributionError) as shortage:
        manager.converse_parallel([request()], 99)
    assert (shortage.value.requested_regions, shortage.value.available_regions) == (99, 2)
    assert bedrock.requests == ()


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2"])
def test_regions_per_request_are_a_whole_number_above_0(wrong: Any) -> None:
    for method in (new_manager().converse_parallel, new_manager().iter_converse_parallel):
        with pytest.raises(ParallelConfigurationError) as caught:
            method([request()], wrong)
        assert caught.value.get_invalid_parameter() == "target_regions_per_request"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("executor", 4),
        ("executor", ThreadPoolExecutor),
        ("journal", 4),
        ("response_validation_config", lambda _: True),
        ("model_specific_config", {"custom_fields": {}}),
        ("progress", 4),
    ],
)
def test_an_argument_of_a_wrong_type_is_one_error(
    bedrock: LocalBedrock, name: str, wrong: Any
) -> None:
    for method in (new_manager().converse_parallel, new_manager().iter_converse_parallel):
        with pytest.raises(ParallelConfigurationError, match=f"`{name}` must be") as caught:
            method(requests("a", "b"), **{name: wrong})
        assert caught.value.get_invalid_parameter() == name
    assert bedrock.requests == ()


def test_what_stands_in_a_wrong_place_is_not_quoted() -> None:
    messages: Any = [{"role": "user", "content": [{"text": "a secret"}]}]
    for wrong in ({"target_regions_per_request": messages}, {"model_specific_config": messages}):
        with pytest.raises(ParallelConfigurationError) as caught:
            new_manager().converse_parallel(requests("a"), **wrong)
        assert "secret" not in f"{caught.value} {caught.value!r}"


# --- results --------------------------------------------------------------------------------------


def test_every_request_has_its_own_answer_in_the_order_of_the_list(bedrock: LocalBedrock) -> None:
    refuse(bedrock)
    response = new_manager(max_concurrent_requests=8).converse_parallel(requests(*"abcdefghij"))
    assert {name: each.get_content() for name, each in response.request_responses.items()} == {
        name: f"to {name}" for name in "abcdefghij"
    }
    assert list(response.request_responses) == list("abcdefghij")
    assert response.success
    assert response.successful_request_ids == list("abcdefghij")
    assert response.warnings == []
    stats = response.parallel_execution_stats
    assert stats is not None
    assert (stats.total_requests, stats.successful_requests, stats.concurrent_executions) == (
        10,
        10,
        8,
    )
    assert 0 < stats.min_request_duration_ms <= stats.max_request_duration_ms
    assert response.total_duration_ms >= stats.max_request_duration_ms


def test_no_more_requests_are_under_way_than_configured(bedrock: LocalBedrock) -> None:
    under_way, most = [0], [0]
    lock = threading.Lock()

    def reply(received: ReceivedRequest) -> str:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        time.sleep(0.01)
        with lock:
            under_way[0] -= 1
        return "ok"

    bedrock.reply_with(reply)
    new_manager(max_concurrent_requests=3).converse_parallel(requests(*range(30)))
    assert most == [3]


def test_results_and_originals_are_known_by_the_ids_that_were_given(bedrock: LocalBedrock) -> None:
    batch = requests(5, "5", (1, 2))
    response = new_manager().converse_parallel(batch)
    assert list(response.request_responses) == [5, "5", (1, 2)]
    assert list(response.original_requests.values()) == batch


def test_the_options_of_the_run_are_those_of_each_call(bedrock: LocalBedrock) -> None:
    bodies = []

    def reply(received: ReceivedRequest) -> str:
        bodies.append((text_of(received), received.body.get("additionalModelRequestFields")))
        return "ok"

    bedrock.reply_with(reply)
    own = ModelSpecificConfig(custom_fields={"own": 1})
    response = new_manager(EAST).converse_parallel(
        [request("a"), request("b", model_specific_config=own)],
        model_specific_config=ModelSpecificConfig(custom_fields={"common": 1}),
        response_validation_config=ResponseValidationConfig(
            lambda response: ValidationResult(success="a" in str(response.get_content())),
            response_validation_retries=0,
        ),
    )
    assert sorted(bodies) == [("a", {"common": 1}), ("b", {"own": 1})]
    assert response.get_success_rate() == 0.0


def test_an_ordinary_run_logs_no_warning(
    bedrock: LocalBedrock, caplog: pytest.LogCaptureFixture
) -> None:
    manager = new_manager()
    caplog.clear()
    manager.converse_parallel(requests("a"))
    list(manager.iter_converse_parallel(requests("a")))
    assert [r for r in caplog.records if r.levelno >= logging.INFO] == []


# --- regions --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "most", "expected"), [(None, 5, 2), (None, 1, 1), (1, 5, 1), (2, 1, 2)]
)
def test_a_request_is_assigned_to_as_many_regions_as_said(
    bedrock: LocalBedrock, given: int | None, most: int, expected: int
) -> None:
    manager = new_manager(EAST, WEST, max_concurrent_requests=most)
    response = manager.converse_parallel(requests(*range(6)), given)
    stats = response.parallel_execution_stats
    assert stats is not None
    assert sum(stats.region_distribution.values()) == 6 * expected
    assert set(stats.region_distribution.values()) == {3 * expected}


@pytest.mark.parametrize("strategy", LoadBalancingStrategy)
@pytest.mark.parametrize("per_request", [None, 1, 3])
def test_all_regions_are_used_whatever_the_strategy(
    bedrock: LocalBedrock, strategy: LoadBalancingStrategy, per_request: int | None
) -> None:
    manager = new_manager(*EIGHT, load_balancing_strategy=strategy, max_concurrent_requests=8)
    manager.converse_parallel(requests(*range(160)), per_request)
    used = Counter(r.region for r in bedrock.requests if r.operation == "Converse")
    assert set(used) == set(EIGHT)
    if strategy is not LoadBalancingStrategy.RANDOM:
        assert max(used.values()) - min(used.values()) <= 8


def test_what_the_assigned_region_refuses_another_one_answers(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.access_denied(), region=EAST)
    response = new_manager(EAST, WEST).converse_parallel(requests(*range(8)), 1)
    assert response.get_success_rate() == 100.0
    assert {each.region_used for each in response.request_responses.values()} == {WEST}


def test_a_throttled_request_is_no_failure_before_its_time_is_up(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.throttling(), operation="Converse", times=25)
    patient = RetryConfig(max_retries=0, retry_delay=0.001, max_retry_delay=0.01)
    manager = new_manager(EAST, retry_config=patient, max_concurrent_requests=2)
    response = manager.converse_parallel(requests("a", "b"))
    assert response.get_success_rate() == 100.0
    assert asked(bedrock) == 27


# --- failures -------------------------------------------------------------------------------------


def test_a_failure_is_an_entry_with_its_cause(bedrock: LocalBedrock) -> None:
    refuse(bedrock, "bad")
    response = new_manager(EAST, WEST).converse_parallel(requests("a", "bad", "b"))
    assert response.success
    assert (response.failed_requests, response.failed_request_ids) == (["bad"], ["bad"])
    assert response.timed_out_request_ids == []
    entry = response.request_responses["bad"]
    assert entry.success is False
    (warning,) = entry.warnings
    assert warning.startswith("Request bad failed: No target answered")
    assert response.warnings == [warning]
    assert sorted(attempt.region for attempt in entry.attempts) == [EAST, WEST]
    assert len(entry.attempt_log) == 2
    error = entry.get_last_error()
    assert error is not None
    assert list(response.get_failed_by_exception_type(type(error).__name__)) == ["bad"]


def test_each_failure_is_recorded_in_its_request(bedrock: LocalBedrock) -> None:
    refuse(bedrock, "bad")
    (bad,) = requests("bad")
    again = RetryConfig(max_retries=1, retry_delay=0.001)
    new_manager(EAST, retry_config=again).converse_parallel([bad])
    assert bad.retry_count == 2
    assert [entry.exception_type for entry in bad.failure_history] == ["RetryExhaustedError"] * 2
    assert [entry.region for entry in bad.failure_history] == [EAST] * 2


def test_nothing_of_a_prompt_is_in_a_failure(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.validation("malformed: a secret word"), operation="Converse")
    response = new_manager(EAST).converse_parallel([request("a secret word", "r")])
    assert response.get_success_rate() == 0.0
    assert "secret" not in repr(response.warnings)
    assert "secret" not in repr(response)


def test_a_request_whose_time_is_up_frees_its_place(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.hang(), operation="Converse", times=4)
    retry = RetryConfig(max_retries=5, retry_delay=0.001)
    manager = new_manager(
        EAST, retry_config=retry, request_timeout_seconds=2, max_concurrent_requests=2
    )
    start = time.monotonic()
    response = manager.converse_parallel(requests(*"abcdefgh"))
    assert 3.9 < time.monotonic() - start < 12
    assert len(response.timed_out_request_ids) == 4
    for name in response.timed_out_request_ids:
        assert response.request_responses[name].warnings == [
            f"Request {name} timed out after 2 seconds"
        ]
    assert response.failed_requests == response.timed_out_request_ids
    assert response.failed_request_ids == []
    assert response.get_success_rate() == 50.0
    assert asked(bedrock) == 8


def test_a_timeout_of_the_manager_that_is_shorter_holds_too(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.hang(), operation="Converse")
    response = new_manager(EAST, timeout=1).converse_parallel(requests("a"))
    assert response.warnings == ["Request a timed out after 1 seconds"]


# --- what is tried again --------------------------------------------------------------------------

GIVEN = RetryConfig(max_retries=2, retry_delay=0.5, backoff_multiplier=3, max_retry_delay=10)


@pytest.mark.parametrize(
    ("retry_config", "options", "most", "pauses"),
    [
        (None, {}, 3, [2, 4, 8]),
        (None, {"max_retries_per_request": 5}, 5, [2, 4, 8]),
        (None, {"max_retries_per_request": 0}, 0, [2, 4, 8]),
        (None, {"enable_automatic_retry": False}, 0, [2, 4, 8]),
        (GIVEN, {}, 2, [1.5, 4.5, 10]),
        (GIVEN, {"enable_automatic_retry": False, "max_retries_per_request": 7}, 2, [1.5, 4.5, 10]),
        (RetryConfig(), {}, 3, [2, 4, 8]),
    ],
)
def test_whose_settings_say_how_often_a_request_is_tried_again(
    retry_config: RetryConfig | None, options: Any, most: int, pauses: Sequence[float]
) -> None:
    retries = new_manager(retry_config=retry_config, **options)._retries()
    assert retries.most == most
    assert [retries.pause(number) for number in (1, 2, 3)] == pauses
    assert retries.pause(5000) == (retry_config or RetryConfig()).max_retry_delay


@pytest.mark.parametrize(("own", "tries"), [(None, 2), (0, 1), (3, 4)])
def test_a_request_that_fails_is_tried_again_from_the_start(
    bedrock: LocalBedrock, own: int | None, tries: int
) -> None:
    bedrock.fail(Fault.unavailable(), operation="Converse")
    again = RetryConfig(max_retries=1, retry_delay=0.001, backoff_multiplier=1)
    batch = [request(name="a", max_retries=own)]
    new_manager(EAST, WEST, retry_config=again).converse_parallel(batch)
    # Each try asks both targets twice.
    assert asked(bedrock) == tries * 4


ONCE_MORE = RetryConfig(max_retries=1, retry_delay=0.2, backoff_multiplier=1)


def test_an_answer_tells_of_all_tries(bedrock: LocalBedrock, tmp_path: Path) -> None:
    bedrock.fail(Fault.unavailable(), operation="Converse", times=3)
    manager = new_manager(EAST, retry_config=ONCE_MORE)
    seen: list[int] = []
    journal = tmp_path / "journal"
    response = manager.converse_parallel(
        requests("a"), journal=journal, progress=lambda figures: seen.append(figures.throttles)
    )
    resumed = manager.converse_parallel(requests("a"), journal=journal)
    assert asked(bedrock) == 4
    for entry in (response.request_responses["a"], resumed.request_responses["a"]):
        decisions = [record.decision for record in entry.attempt_log]
        assert decisions == ["next target; this one again after a pause"] * 3 + ["answered"]
        assert entry.warnings == [
            "Answered at try 2 of the request; `attempt_log` has the sendings of all."
        ]
        # A pause between the tries, which is 0.2 s, and two within them, which are shorter.
        assert entry.total_duration_ms is not None
        assert 200 <= entry.total_duration_ms < 20_000


def test_a_failure_tells_of_all_tries(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.throttling(), operation="Converse", times=2)
    bedrock.fail(Fault.unavailable(), operation="Converse")
    manager = new_manager(EAST, retry_config=ONCE_MORE)
    entry = manager.converse_parallel(requests("a")).request_responses["a"]
    assert len(entry.attempt_log) == asked(bedrock) > 3


def test_an_answer_that_was_lost_is_asked_for_once_more_in_all(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.model_timeout(), operation="Converse")
    new_manager(EAST, WEST, retry_config=ONCE_MORE).converse_parallel(requests("a"))
    assert asked(bedrock) == 3  # both targets, and one of them again


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.validation("malformed"), 1),
        (Fault.access_denied(), 2),
        (Fault.not_found(), 2),
        (Fault.throttling("Too many tokens per day, please wait."), 2),
        (Fault.error("UnrecognizedClientException", 403), 2),
    ],
    ids=lambda value: getattr(value, "code", value),
)
def test_what_is_hopeless_is_not_tried_again(
    bedrock: LocalBedrock, fault: Fault, expected: int
) -> None:
    bedrock.fail(fault, operation="Converse")
    again = RetryConfig(max_retries=5, retry_delay=0.001)
    (one,) = batch = requests("a")
    new_manager(EAST, WEST, retry_config=again).converse_parallel(batch)
    assert asked(bedrock) == expected
    assert one.retry_count == 1


def test_an_answer_that_is_refused_is_asked_for_as_often_as_the_validation_says(
    bedrock: LocalBedrock,
) -> None:
    again = RetryConfig(max_retries=5, retry_delay=0.001)
    new_manager(EAST, retry_config=again).converse_parallel(
        requests("a"),
        response_validation_config=ResponseValidationConfig(
            lambda _: ValidationResult(success=False),
            response_validation_retries=2,
            response_validation_delay=0,
        ),
    )
    assert asked(bedrock) == 3


def test_a_pause_holds_no_other_request_up(bedrock: LocalBedrock) -> None:
    refuse(bedrock, "bad")
    slow = RetryConfig(max_retries=1, retry_delay=0.3, backoff_multiplier=1)
    manager = new_manager(EAST, retry_config=slow, max_concurrent_requests=1)
    order = [name for name, _ in manager.iter_converse_parallel(requests("bad", *range(20)))]
    assert order.index("bad") > 10  # of 20; a busy machine may let the pause end before the last


def test_progress_is_told_while_nothing_finishes(bedrock: LocalBedrock) -> None:
    told: list[tuple[float, int]] = []
    thrice = threading.Event()

    def reply(_: ReceivedRequest) -> str:
        assert thrice.wait(20)
        return "at last"

    def progress(figures: RunProgress) -> None:
        told.append((time.monotonic(), figures.done))
        if len(told) == 3:
            thrice.set()

    bedrock.reply_with(reply)
    result = new_manager(EAST).converse_parallel(requests("a"), progress=progress)
    assert result.request_responses["a"].get_content() == "at last"
    assert (told[2][1], told[-1][1]) == (0, 1)
    times = [at for at, _ in told[:3]]
    assert all(later - earlier > 0.4 for earlier, later in itertools.pairwise(times))


def test_a_configuration_of_the_run_takes_nothing_from_what_a_request_asks_for() -> None:
    config = ModelSpecificConfig(custom_fields={"top_k": 5})
    asks = request(name="asks", enable_extended_context=True)
    with LocalBedrock(set_environment=True, record_bodies=True) as bedrock:
        manager = ParallelLLMManager(
            ["Claude Sonnet 4"], [EAST], catalog_cache_mode=CacheMode.NONE, catalog_refresh="never"
        )
        manager.converse_parallel([asks, request(name="not")], model_specific_config=config)
        sent = [each.body for each in bedrock.requests if each.operation == "Converse"]
    fields = [body["additionalModelRequestFields"] for body in sent if body]
    assert len(fields) == 2
    assert all(each["top_k"] == 5 for each in fields)
    assert sum("anthropic_beta" in each for each in fields) == 1


# --- strategies -----------------------------------------------------------------------------------


def strategy_run(
    bedrock: LocalBedrock, strategy: FailureHandlingStrategy, bad: int, good: int, threshold: float
) -> Any:
    names = [f"bad{number}" for number in range(bad)]
    refuse(bedrock, *names)
    manager = new_manager(
        failure_handling_strategy=strategy, failure_threshold=threshold, max_concurrent_requests=1
    )
    try:
        return manager.converse_parallel(requests(*names, *(f"good{n}" for n in range(good))))
    except ParallelExecutionError as error:
        return error


@pytest.mark.parametrize(
    ("strategy", "bad", "good", "threshold", "outcome"),
    [
        (CONTINUE, 3, 1, 0.0, True),
        (CONTINUE, 3, 0, 0.0, False),
        (STOP_ON_FIRST, 0, 3, 0.5, True),
        (STOP_ON_FIRST, 1, 3, 0.5, "stopped"),
        (STOP_ON_THRESHOLD, 2, 2, 0.5, True),
        (STOP_ON_THRESHOLD, 3, 2, 0.5, "stopped"),
        (STOP_ON_THRESHOLD, 1, 9, 0.0, "stopped"),
        (STOP_ON_THRESHOLD, 4, 0, 1.0, True),
    ],
)
def test_what_counts_as_a_success(
    bedrock: LocalBedrock,
    strategy: FailureHandlingStrategy,
    bad: int,
    good: int,
    threshold: float,
    outcome: Any,
) -> None:
    result = strategy_run(bedrock, strategy, bad, good, threshold)
    if outcome == "stopped":
        assert isinstance(result, ParallelExecutionError)
        assert isinstance(result.__cause__, RetryExhaustedError)
    else:
        assert result.success is outcome
        assert len(result.request_responses) == bad + good


def test_a_stop_on_the_first_failure_sends_nothing_more_and_keeps_what_was_answered(
    bedrock: LocalBedrock,
) -> None:
    refuse(bedrock, "bad")
    manager = new_manager(EAST, failure_handling_strategy=STOP_ON_FIRST, max_concurrent_requests=1)
    with pytest.raises(ParallelExecutionError) as caught:
        manager.converse_parallel(requests("a", "b", "bad", *range(50)))
    error = caught.value
    assert asked(bedrock) <= 5
    assert error.failed_requests == ["bad"]
    assert error.total_requests == 53
    partial = error.partial_response
    assert partial is not None
    assert partial.success is False
    assert partial.successful_request_ids[:2] == ["a", "b"]
    assert partial.failed_request_ids == ["bad"]
    assert len(partial.request_responses) == asked(bedrock)
    assert len(partial.original_requests) == 53


def test_a_stop_on_a_threshold_stops_as_soon_as_the_rest_cannot_save_the_run(
    bedrock: LocalBedrock,
) -> None:
    result = strategy_run(bedrock, STOP_ON_THRESHOLD, 10, 30, 0.1)
    assert isinstance(result, ParallelExecutionError)
    # Of 40 requests 4 may fail: the fifth is one too many.
    assert len(result.failed_requests) == 5
    assert asked(bedrock) <= 2 * 7
    assert "`STOP_ON_THRESHOLD` does not tolerate that" in result.message


def test_what_never_ran_is_no_success_of_a_stopped_run(bedrock: LocalBedrock) -> None:
    refuse(bedrock, "bad")
    manager = new_manager(EAST, failure_handling_strategy=STOP_ON_FIRST, max_concurrent_requests=1)
    with pytest.raises(ParallelExecutionError) as caught:
        manager.converse_parallel(requests("a", "bad", *range(18)))
    error = caught.value
    done = asked(bedrock)
    assert error.finished_requests == done < 20
    assert error.message.startswith(f"1 of {done} finished requests failed, {20 - done} were not")
    assert error.get_failure_rate() == 5.0
    assert error.get_success_rate() == (done - 1) / 20 * 100
    assert error.details == {
        "failed_request_count": 1,
        "finished_request_count": done,
        "total_request_count": 20,
        "success_rate": (done - 1) / 20 * 100,
        "failed_request_ids": ["bad"],
    }


def test_what_is_under_way_at_a_stop_is_waited_for(bedrock: LocalBedrock) -> None:
    began = threading.Event()

    def reply(received: ReceivedRequest) -> str:
        if text_of(received) == "bad":
            began.wait(5)
            raise ValueError("refused by the test")
        began.set()
        time.sleep(0.1)
        return "late"

    bedrock.reply_with(reply)
    manager = new_manager(EAST, failure_handling_strategy=STOP_ON_FIRST, max_concurrent_requests=2)
    with pytest.raises(ParallelExecutionError) as caught:
        manager.converse_parallel(requests("slow", "bad"))
    assert caught.value.partial_response is not None
    assert caught.value.partial_response.successful_request_ids == ["slow"]


# --- asking again for what failed -----------------------------------------------------------------


def failed_run(bedrock: LocalBedrock, manager: ParallelLLMManager) -> Any:
    """Of three requests the second and the third have failed; now all would be answered."""
    refuse(bedrock, "b", "c")
    response = manager.converse_parallel(requests("a", "b", "c"))
    assert response.failed_requests == ["b", "c"]
    refuse(bedrock)
    return response


def test_what_failed_is_asked_again_and_merged(bedrock: LocalBedrock) -> None:
    manager = new_manager(EAST, WEST)
    before = failed_run(bedrock, manager)
    count = asked(bedrock)
    after = manager.retry_failed_requests(before)
    assert asked(bedrock) == count + 2
    assert after.successful_request_ids == ["a", "b", "c"]
    assert after.request_responses["a"] is before.request_responses["a"]
    assert after.original_requests == before.original_requests
    assert all(each.retry_count == 0 for each in after.original_requests.values())
    assert after.total_duration_ms > before.total_duration_ms
    assert after.parallel_execution_stats is not None
    assert after.parallel_execution_stats.region_distribution == {EAST: 5, WEST: 5}


def test_a_filter_chooses_and_what_it_leaves_out_stays(
    bedrock: LocalBedrock, caplog: pytest.LogCaptureFixture
) -> None:
    manager = new_manager()
    before = failed_run(bedrock, manager)

    def only_c(name: str, response: BedrockResponse) -> bool:
        assert not response.success
        if name == "b":
            raise LookupError("no such thing")
        return name == "c"

    after = manager.retry_failed_requests(before, only_c)
    assert after.successful_request_ids == ["a", "c"]
    assert after.failed_requests == ["b"]
    assert after.request_responses["b"] is before.request_responses["b"]
    assert "request=b error=LookupError | the filter function failed" in caplog.text


def test_if_nothing_is_chosen_the_response_stays_as_it_is(
    bedrock: LocalBedrock, caplog: pytest.LogCaptureFixture
) -> None:
    manager = new_manager()
    before = failed_run(bedrock, manager)
    assert manager.retry_failed_requests(before, lambda *_: False) is before
    assert "no failed request was chosen" in caplog.text


def test_if_nothing_failed_there_is_nothing_to_ask_again(bedrock: LocalBedrock) -> None:
    manager = new_manager()
    with pytest.raises(ValueError, match="nothing to ask again"):
        manager.retry_failed_requests(manager.converse_parallel(requests("a")))


def test_the_strategy_holds_for_the_second_run_too(bedrock: LocalBedrock) -> None:
    before = failed_run(bedrock, new_manager())
    refuse(bedrock, "c")
    strict = new_manager(failure_handling_strategy=STOP_ON_FIRST)
    with pytest.raises(ParallelExecutionError):
        strict.retry_failed_requests(before)


def test_a_run_that_was_stopped_can_be_completed(bedrock: LocalBedrock) -> None:
    refuse(bedrock, "b")
    manager = new_manager(failure_handling_strategy=STOP_ON_FIRST, max_concurrent_requests=1)
    with pytest.raises(ParallelExecutionError) as caught:
        manager.converse_parallel(requests("a", "b"))
    refuse(bedrock)
    partial = caught.value.partial_response
    assert partial is not None
    assert manager.retry_failed_requests(partial).successful_request_ids == ["a", "b"]


FIFTY = [str(number) for number in range(50)]


def interrupted_run(manager: ParallelLLMManager, after: int) -> Any:
    """What of 50 requests was finished when Ctrl-C came after so many results."""

    def interrupt(figures: RunProgress) -> None:
        if figures.done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        manager.converse_parallel(requests(*FIFTY), progress=interrupt)
    return caught.value.partial_response  # type: ignore[attr-defined]  # documented


def test_what_was_not_finished_is_named_and_no_success(bedrock: LocalBedrock) -> None:
    partial = interrupted_run(new_manager(max_concurrent_requests=2), after=20)
    assert partial.success is False
    assert partial.failed_requests == []
    finished = list(partial.request_responses)
    assert 20 <= len(finished) < 30
    assert partial.unfinished_request_ids == [n for n in FIFTY if n not in finished]


def test_an_interrupted_run_can_be_completed(bedrock: LocalBedrock) -> None:
    manager = new_manager(max_concurrent_requests=2)
    partial = interrupted_run(manager, after=20)
    # Who filters, filters failures.
    response = manager.retry_failed_requests(partial, lambda *_: False)
    assert response.success
    assert response.successful_request_ids == FIFTY
    assert response.unfinished_request_ids == []
    assert asked(bedrock) == 50


def test_a_run_that_stopped_on_a_failure_can_be_completed_with_what_never_ran(
    bedrock: LocalBedrock,
) -> None:
    refuse(bedrock, "bad")
    manager = new_manager(EAST, failure_handling_strategy=STOP_ON_FIRST, max_concurrent_requests=1)
    batch = requests(*FIFTY[:5], "bad", *FIFTY[6:20])
    with pytest.raises(ParallelExecutionError) as caught:
        manager.converse_parallel(batch)
    partial = caught.value.partial_response
    assert partial is not None
    with pytest.raises(ParallelExecutionError) as caught:
        manager.retry_failed_requests(partial)
    # What the second run had finished is added to what the first had.
    partial = caught.value.partial_response
    assert partial is not None
    assert partial.failed_requests == ["bad"]
    assert {*FIFTY[:5]} <= {*partial.successful_request_ids}
    assert len(partial.original_requests) == 20
    refuse(bedrock)
    response = manager.retry_failed_requests(partial)
    assert response.success
    assert list(response.request_responses) == [each.request_id for each in batch]


# --- one after another ----------------------------------------------------------------------------


def test_results_are_given_as_they_finish(bedrock: LocalBedrock) -> None:
    first_is_given = threading.Event()

    def reply(received: ReceivedRequest) -> str:
        if text_of(received) == "slow":
            first_is_given.wait(5)
        return text_of(received)

    bedrock.reply_with(reply)
    results = new_manager().iter_converse_parallel(requests("slow", "quick"))
    name, response = next(results)
    assert (name, response.get_content()) == ("quick", "quick")
    first_is_given.set()
    assert [name for name, _ in results] == ["slow"]


def test_of_a_generator_only_a_few_are_taken_ahead(bedrock: LocalBedrock) -> None:
    taken = []

    def source() -> Iterator[BedrockConverseRequest]:
        for number in range(200):
            taken.append(number)
            yield request(name=number)

    given = 0
    for _ in new_manager(max_concurrent_requests=3).iter_converse_parallel(source()):
        given += 1
        assert len(taken) - given <= 6
    assert given == len(taken) == 200


def test_nothing_is_sent_before_the_first_result_is_asked_for(bedrock: LocalBedrock) -> None:
    results = new_manager().iter_converse_parallel(requests("a"))
    assert threads_of_runs() == []
    assert bedrock.requests == ()
    assert next(results)[0] == "a"
    assert next(results, None) is None


@pytest.mark.parametrize("wrong", [None, [], {"a": 1}])
def test_what_is_no_response_is_not_asked_again(wrong: Any) -> None:
    with pytest.raises(ParallelConfigurationError, match="`previous_response` must be") as caught:
        new_manager().retry_failed_requests(wrong)
    assert caught.value.invalid_parameter == "previous_response"


@pytest.mark.parametrize("wrong", [None, 7, request()], ids=["None", "number", "request"])
def test_what_gives_no_requests_is_refused_at_once(wrong: Any) -> None:
    with pytest.raises(BatchError, match=type(wrong).__name__):
        new_manager().iter_converse_parallel(wrong)


def test_no_requests_have_no_results(bedrock: LocalBedrock) -> None:
    assert list(new_manager().iter_converse_parallel([])) == []


def test_a_malformed_request_is_a_failed_result(bedrock: LocalBedrock) -> None:
    malformed = [
        BedrockConverseRequest([], request_id="no messages"),
        BedrockConverseRequest(None, request_id="none"),  # type: ignore[arg-type]  # on purpose
        BedrockConverseRequest([{"role": "robot", "content": []}], request_id="role"),
        request(name="config", model_specific_config={"a": 1}),
        request(name="extra", extra_request_fields=["a"]),
    ]
    results = dict(new_manager().iter_converse_parallel(iter([*malformed, request(name="fine")])))
    assert {name: response.success for name, response in results.items()} == {
        "no messages": False,
        "none": False,
        "role": False,
        "config": False,
        "extra": False,
        "fine": True,
    }
    assert asked(bedrock) == 1
    for response in results.values():
        if not response.success:
            (warning,) = response.warnings
            assert " failed: " in warning
            assert response.get_last_error() is not None


def test_what_is_no_request_ends_the_run_after_the_results_before_it(
    bedrock: LocalBedrock,
) -> None:
    source: list[Any] = [request(name="a"), None]
    results = new_manager().iter_converse_parallel(iter(source))
    assert next(results)[0] == "a"
    with pytest.raises(BatchError, match="NoneType"):
        next(results)


def test_an_error_of_the_generator_comes_after_the_results_of_what_it_gave(
    bedrock: LocalBedrock,
) -> None:
    def source() -> Iterator[BedrockConverseRequest]:
        yield from requests(*range(20))
        raise OSError("line 21 cannot be read")

    results = new_manager().iter_converse_parallel(source())
    assert {next(results)[0] for _ in range(20)} == {*range(20)}
    with pytest.raises(OSError, match="line 21"):
        next(results)


def test_a_stop_strategy_ends_the_iteration_after_its_last_result(bedrock: LocalBedrock) -> None:
    refuse(bedrock, "3")
    manager = new_manager(EAST, failure_handling_strategy=STOP_ON_FIRST, max_concurrent_requests=2)
    given: list[Any] = []
    source = (request(str(n), n) for n in range(1000))
    with pytest.raises(ParallelExecutionError) as caught:
        given.extend(name for name, _ in manager.iter_converse_parallel(source))
    assert 3 in given
    assert len(given) == asked(bedrock) < 20
    assert caught.value.failed_requests == ["3"]
    assert caught.value.total_requests == len(given)


@pytest.mark.parametrize(("bad", "is_lost"), [(2, False), (3, True)])
def test_a_threshold_of_a_generator_is_judged_at_its_end(
    bedrock: LocalBedrock, bad: int, is_lost: bool
) -> None:
    names = [f"bad{number}" for number in range(bad)]
    refuse(bedrock, *names)
    manager = new_manager(failure_handling_strategy=STOP_ON_THRESHOLD, failure_threshold=0.2)
    given = []
    try:
        for name, _ in manager.iter_converse_parallel(iter(requests(*names, *range(10 - bad)))):
            given.append(name)
    except ParallelExecutionError as error:
        assert is_lost
        assert (len(error.failed_requests), error.total_requests) == (bad, 10)  # noqa: PT017
    else:
        assert not is_lost
    assert len(given) == 10


def fail_with_the_next_of(results: Iterator[Any]) -> None:
    for _ in results:
        raise LookupError


@pytest.mark.parametrize("how", ["close", "break", "raise", "delete"])
def test_leaving_the_iteration_stops_the_run(
    bedrock: LocalBedrock, how: str, tmp_path: Path
) -> None:
    bedrock.reply_with(lambda received: time.sleep(0.02) or text_of(received))  # type: ignore[func-returns-value]
    journal = tmp_path / "j"
    manager = new_manager(max_concurrent_requests=4)
    results = manager.iter_converse_parallel(
        (request(str(n), n) for n in range(1000)), journal=journal
    )
    next(results)
    start = time.monotonic()
    if how == "close":
        results.close()
    elif how == "break":
        for _ in results:
            break
    elif how == "raise":
        with pytest.raises(LookupError):
            fail_with_the_next_of(results)
    del results
    assert time.monotonic() - start < 5
    assert threads_of_runs() == []
    count = asked(bedrock)
    assert count < 100
    # All that was asked is in the journal.
    lines = journal.read_text().splitlines()
    assert len({json.loads(line)["key"] for line in lines}) == len(lines) == count
    time.sleep(0.05)
    assert asked(bedrock) == count


# --- progress -------------------------------------------------------------------------------------


def test_a_function_is_told_of_each_result(bedrock: LocalBedrock) -> None:
    refuse(bedrock, "bad")
    told: list[RunProgress] = []
    new_manager().converse_parallel(requests("a", "bad", "b"), progress=told.append)
    counts = [(each.total, each.done) for each in told if each.done]
    # While nothing finishes, the same is told again.
    assert [count for count, _ in itertools.groupby(counts)] == [(3, 1), (3, 2), (3, 3)]
    assert (told[-1].succeeded, told[-1].failed) == (2, 1)
    assert told[-1].tokens > 0
    assert told[-1].rate > 0


def test_of_a_generator_the_total_is_not_known(bedrock: LocalBedrock) -> None:
    told: list[RunProgress] = []
    list(new_manager().iter_converse_parallel(iter(requests("a")), progress=told.append))
    assert {each.total for each in told} == {None}


def test_a_function_that_fails_costs_no_result(
    bedrock: LocalBedrock, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(figures: RunProgress) -> None:
        raise LookupError

    response = new_manager().converse_parallel(requests(*range(10)), progress=fail)
    assert response.get_success_rate() == 100.0
    assert caplog.text.count("showing progress failed") == 1


def test_ctrl_c_in_a_function_keeps_what_was_answered(bedrock: LocalBedrock) -> None:
    def interrupt(figures: RunProgress) -> None:
        if figures.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        new_manager(max_concurrent_requests=1).converse_parallel(
            requests(*range(50)), progress=interrupt
        )
    partial = caught.value.partial_response  # type: ignore[attr-defined]  # documented
    assert list(partial.request_responses)[:3] == [0, 1, 2]
    assert len(partial.request_responses) == asked(bedrock) <= 5


def test_a_bar_is_shown(bedrock: LocalBedrock, capsys: pytest.CaptureFixture[str]) -> None:
    new_manager().converse_parallel(requests(*range(5)), progress=True)
    last = capsys.readouterr().err.rpartition("\r")[2]
    assert "5/5" in last
    assert "answered=5, failed=0, throttled=0" in last


# --- a journal ------------------------------------------------------------------------------------


def test_a_second_run_asks_only_for_what_the_first_did_not_get(
    bedrock: LocalBedrock, tmp_path: Path
) -> None:
    journal = tmp_path / "j"
    refuse(bedrock, "b")
    first = new_manager().converse_parallel(requests("a", "b"), journal=journal)
    assert first.failed_requests == ["b"]
    bedrock.reset()
    refuse(bedrock)
    told: list[RunProgress] = []
    second = new_manager().converse_parallel(
        requests("a", "b", "c"), journal=str(journal), progress=told.append
    )
    assert {name: each.get_content() for name, each in second.request_responses.items()} == {
        name: f"to {name}" for name in "abc"
    }
    assert asked(bedrock) == 2
    assert (told[-1].resumed, told[-1].done) == (1, 3)
    before, after = first.request_responses["a"], second.request_responses["a"]
    assert after.get_usage() == before.get_usage()
    assert after.region_used == before.region_used


def test_requests_without_ids_of_their_own_are_recognised_by_their_content(
    bedrock: LocalBedrock, tmp_path: Path
) -> None:
    texts = ["same", "same", "other", "same"]
    manager = new_manager()

    def run(journal: Path) -> Any:
        return manager.converse_parallel([request(text) for text in texts], journal=journal)

    assert len(run(tmp_path / "j").request_responses) == 4
    assert asked(bedrock) == 4
    again = run(tmp_path / "j")
    assert len(again.successful_request_ids) == 4
    assert asked(bedrock) == 4


def test_the_answer_to_another_content_under_the_same_id_is_not_given(
    bedrock: LocalBedrock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    refuse(bedrock)
    manager, journal = new_manager(), tmp_path / "j"
    manager.converse_parallel(requests("a", "b", "c"), journal=journal)
    caplog.clear()
    changed = [request("a", "a"), request("new b", "b"), request("c", "c", system=[{"text": "!"}])]
    for _ in range(2):
        response = manager.converse_parallel(changed, journal=journal)
        assert {n: r.get_content() for n, r in response.request_responses.items()} == {
            "a": "to a",
            "b": "to new b",
            "c": "to c",
        }
        assert asked(bedrock) == 5
    (record,) = caplog.records
    assert record.getMessage() == (
        f"path={journal} requests=2 | the journal has answers to other requests under these ids: "
        "asked again"
    )


def test_a_journal_that_cannot_be_opened_sends_nothing(
    bedrock: LocalBedrock, tmp_path: Path
) -> None:
    with pytest.raises(ParallelProcessingError, match="cannot be opened"):
        new_manager().converse_parallel(requests("a"), journal=tmp_path)
    with pytest.raises(ParallelProcessingError, match="cannot be opened"):
        list(new_manager().iter_converse_parallel(requests("a"), journal=tmp_path))
    assert bedrock.requests == ()


def test_retrying_writes_into_the_journal_too(bedrock: LocalBedrock, tmp_path: Path) -> None:
    manager = new_manager()
    before = failed_run(bedrock, manager)
    manager.retry_failed_requests(before, journal=tmp_path / "j")
    count = asked(bedrock)
    manager.converse_parallel(requests("b", "c"), journal=tmp_path / "j")
    assert asked(bedrock) == count


# --- somebody else's executor ---------------------------------------------------------------------


def test_threads_of_the_caller_are_used_and_left_to_him(bedrock: LocalBedrock) -> None:
    used = set()

    def remember(response: BedrockResponse) -> ValidationResult:
        used.add(threading.current_thread().name)
        return ValidationResult(success=True)

    with ThreadPoolExecutor(2, "mine") as executor:
        response = new_manager().converse_parallel(
            requests(*range(8)),
            response_validation_config=ResponseValidationConfig(remember),
            executor=executor,
        )
        assert executor.submit(str, 1).result() == "1"
    assert response.get_success_rate() == 100.0
    assert all(name.startswith("mine") for name in used)


def test_an_executor_that_has_ended_is_an_error_with_what_was_finished(
    bedrock: LocalBedrock,
) -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(ParallelProcessingError, match="takes no more requests") as caught:
        new_manager().converse_parallel(requests("a"), executor=executor)
    assert caught.value.partial_response is not None
    assert caught.value.partial_response.request_responses == {}
    assert caught.value.partial_response.unfinished_request_ids == ["a"]


# --- several runs ---------------------------------------------------------------------------------


def test_runs_of_several_threads_do_not_disturb_each_other(bedrock: LocalBedrock) -> None:
    refuse(bedrock)
    manager = new_manager(max_concurrent_requests=4)

    def run(number: int) -> dict[Any, str | None]:
        batch = requests(*(f"{number}/{each}" for each in range(25)))
        response = manager.converse_parallel(batch)
        return {name: each.get_content() for name, each in response.request_responses.items()}

    with ThreadPoolExecutor(4) as threads:
        for number, answers in enumerate(threads.map(run, range(4))):
            assert answers == {f"{number}/{each}": f"to {number}/{each}" for each in range(25)}


def test_a_run_that_is_stopped_does_not_stop_the_next(bedrock: LocalBedrock) -> None:
    manager = new_manager()
    results = manager.iter_converse_parallel(requests(*range(50)))
    next(results)
    results.close()
    assert manager.converse_parallel(requests(*range(5))).get_success_rate() == 100.0


def test_anything_unexpected_is_an_error_with_the_time_and_what_was_finished(
    bedrock: LocalBedrock,
) -> None:
    class Odd(ThreadPoolExecutor):
        def submit(self, *_: Any) -> Any:  # type: ignore[override]  # on purpose
            return None

    with pytest.raises(ParallelProcessingError, match="The run broke off") as caught:
        new_manager().converse_parallel(requests("a"), executor=Odd())
    assert caught.value.details is not None
    assert caught.value.details["total_duration_ms"] >= 0
    assert caught.value.partial_response is not None


def test_a_pool_of_the_callers_begins_no_more_than_may_be_under_way(bedrock: LocalBedrock) -> None:
    lock, now, peak = threading.Lock(), 0, 0

    def reply(_: ReceivedRequest) -> str:
        nonlocal now, peak
        with lock:
            now += 1
            peak = max(peak, now)
        time.sleep(0.05)
        with lock:
            now -= 1
        return "Hi"

    bedrock.reply_with(reply)
    with ThreadPoolExecutor(32) as pool:
        manager = new_manager(EAST, WEST, max_concurrent_requests=4)
        assert manager.converse_parallel(requests(*range(24)), executor=pool).success
    assert peak == 4


def test_a_failed_entry_of_last_resort_still_has_its_error() -> None:
    """Without any endpoint every request fails, none is lost."""
    response = new_manager(EAST).converse_parallel(requests("a", "b"))
    assert response.failed_requests == ["a", "b"]
    assert len(response.get_failed_by_exception_type("AuthenticationError")) == 2


# --- iterators that are left ----------------------------------------------------------------------


def wait_for_no_threads() -> None:
    until = time.monotonic() + 10
    while any(t.name.startswith("bestehorn-llmmanager-") for t in threading.enumerate()):
        assert time.monotonic() < until, "a thread of the run stays"
        time.sleep(0.01)


def resumed(journal: Path, *names: int) -> Any:
    """The answers of a run with a journal that another run is about to close."""
    until = time.monotonic() + 10
    while True:
        try:
            return new_manager(EAST).converse_parallel(requests(*names), journal=journal)
        except ParallelProcessingError as error:  # noqa: PERF203  (it is what is waited for)
            if "in use" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)


@pytest.mark.parametrize("of_the_caller", [False, True], ids=["own threads", "a pool"])
def test_an_iterator_may_be_collected_on_a_thread_of_its_own_run(
    bedrock: LocalBedrock, tmp_path: Path, of_the_caller: bool
) -> None:
    number, left = itertools.count(), threading.Event()

    def collect(_: BedrockResponse) -> ValidationResult:
        if next(number):
            left.wait(10)
            gc.collect()
        return ValidationResult(success=True)

    def leave(executor: ThreadPoolExecutor | None) -> None:
        results = new_manager(EAST, max_concurrent_requests=2).iter_converse_parallel(
            requests(*range(10)),
            response_validation_config=ResponseValidationConfig(collect),
            journal=tmp_path / "run.jsonl",
            executor=executor,
        )
        next(results)
        circle: list[Any] = [results]
        circle.append(circle)

    gc.disable()
    try:
        pool = ThreadPoolExecutor(2) if of_the_caller else None
        leave(pool)
        left.set()
        wait_for_no_threads()
        if pool is not None:
            pool.shutdown()  # waits for whatever is under way
    finally:
        gc.enable()
    assert asked(bedrock) < 6
    assert resumed(tmp_path / "run.jsonl", *range(10)).success
    assert asked(bedrock) == 10


def test_closed_by_another_thread_an_iterator_ends_in_the_background(
    bedrock: LocalBedrock, tmp_path: Path
) -> None:
    closed = threading.Event()
    bedrock.reply_with(lambda _: str(closed.wait(10)))
    bedrock.reply_with("Hi", times=1)
    results = new_manager(EAST, max_concurrent_requests=2).iter_converse_parallel(
        requests(*range(50)), journal=tmp_path / "run.jsonl"
    )
    next(results)
    closer = threading.Thread(target=results.close)
    closer.start()
    closer.join()
    closed.set()
    wait_for_no_threads()
    count = asked(bedrock)
    assert count < 6
    resumed(tmp_path / "run.jsonl", *range(50))
    assert asked(bedrock) == 50  # what was under way is in the journal


def test_closing_an_iterator_costs_nothing_while_it_waits(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.slow(0.6), operation="Converse", after=1)
    results = new_manager(EAST, max_concurrent_requests=2).iter_converse_parallel(
        requests(*range(50))
    )
    next(results)
    before = time.thread_time()
    results.close()
    assert time.thread_time() - before < 0.3
