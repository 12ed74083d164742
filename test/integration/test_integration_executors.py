"""Tests that many requests can be answered by processes and by a Dask cluster as by threads."""

from __future__ import annotations

import importlib
import itertools
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.catalog import CacheMode
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import (
    ParallelExecutionError,
    ParallelProcessingError,
)
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
    ResponseValidationConfig,
    RetryConfig,
    ValidationResult,
)
from bestehorn_llmmanager.bedrock.models.parallel_structures import (
    BedrockConverseRequest,
    FailureHandlingStrategy,
    ParallelProcessingConfig,
)
from bestehorn_llmmanager.bedrock.parallel.elsewhere import Parcel
from bestehorn_llmmanager.bedrock.parallel.pacing import Pacer
from bestehorn_llmmanager.parallel_llm_manager import ParallelLLMManager
from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
    from bestehorn_llmmanager.bedrock.parallel.progress import RunProgress
    from bestehorn_llmmanager.testing import ReceivedRequest

# Forking beside other threads is what is tested; Python 3.12 and later warn of it.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

LATENCY_SECONDS = 0.05
PROCESSES = 2
PATIENCE_SECONDS = 10.0
START_METHODS = [
    method for method in multiprocessing.get_all_start_methods() if method != "forkserver"
]
SECRET = "secret-that-travels-only-where-it-must"


@pytest.fixture(scope="module")
def _endpoint() -> Iterator[LocalBedrock]:
    with LocalBedrock(latency=LATENCY_SECONDS, record_bodies=True) as running:
        yield running


@pytest.fixture
def bedrock(_endpoint: LocalBedrock, monkeypatch: pytest.MonkeyPatch) -> LocalBedrock:
    """One endpoint for all: the processes of a cluster live longer than a test."""
    _endpoint.reset()
    for name, value in _endpoint.environment().items():
        monkeypatch.setenv(name, value)
    return _endpoint


@pytest.fixture(scope="module")
def _cluster(_endpoint: LocalBedrock) -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=PROCESSES,
            threads_per_worker=4,
            dashboard_address=":0",
            memory_limit=None,
            env=_endpoint.environment(),
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(params=[*START_METHODS, "dask"])
def executor(
    request: pytest.FixtureRequest, bedrock: LocalBedrock
) -> Iterator[Callable[[], Executor]]:
    """Gives executors of new processes, or of a cluster."""
    if request.param == "dask":
        yield request.getfixturevalue("_cluster").get_executor
        return
    made: list[ProcessPoolExecutor] = []

    def make() -> Executor:
        context = multiprocessing.get_context(request.param)
        made.append(ProcessPoolExecutor(PROCESSES, mp_context=context))
        return made[-1]

    yield make
    for pool in made:
        pool.shutdown(cancel_futures=True)


@pytest.fixture
def pool(bedrock: LocalBedrock) -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def new_manager(
    *regions: str, most: int = 8, parallel: dict[str, Any] | None = None, **options: Any
) -> ParallelLLMManager:
    return ParallelLLMManager(
        ["Nova Lite"],
        list(regions or ("us-east-1", "us-west-2")),
        parallel_config=ParallelProcessingConfig(max_concurrent_requests=most, **(parallel or {})),
        catalog_cache_mode=CacheMode.NONE,
        catalog_refresh="never",
        **options,
    )


def requests(number: int, text: str = "Request {}", **options: Any) -> list[BedrockConverseRequest]:
    return [
        BedrockConverseRequest(
            messages=[{"role": "user", "content": [{"text": text.format(each)}]}],
            request_id=f"r{each}",
            **options,
        )
        for each in range(number)
    ]


def echo(request: ReceivedRequest) -> str:
    return f"Answer to {request.body['messages'][0]['content'][0]['text']}"


def account_of(response: BedrockResponse) -> dict[str, Any]:
    """What an answer says, without times."""
    return {
        "success": response.success,
        "content": response.get_content(),
        "model": response.model_used,
        "region": response.region_used,
        "way": response.access_method_used,
        "usage": response.get_usage(),
        "warnings": response.warnings,
        "attempts": [(a.region, a.success, type(a.error).__name__) for a in response.attempts],
        "log": [(e.region, e.decision, type(e.error).__name__) for e in response.attempt_log],
    }


def our_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("bestehorn-llmmanager")]


# --- the same results -----------------------------------------------------------------------------


def test_results_are_those_of_threads(
    bedrock: LocalBedrock, executor: Callable[[], Executor]
) -> None:
    bedrock.reply_with(echo)
    manager = new_manager(default_inference_config={"maxTokens": 77})
    (refused,) = requests(1, extra_request_fields={"modelId": "another"})
    refused.request_id = "refused"
    runs: dict[str, dict[str, Any]] = {}
    # A fork just after threads have ended may find OpenSSL's lock taken by one that still ends.
    for name, where in (("elsewhere", executor()), ("threads", None)):
        before = len(bedrock.requests)
        many = [*requests(12, system=[{"text": "Be brief."}]), refused]
        result = manager.converse_parallel(many, executor=where)
        sent = [r.body for r in bedrock.requests[before:] if r.operation == "Converse"]
        runs[name] = {
            "entries": {key: account_of(each) for key, each in result.request_responses.items()},
            "failed": result.failed_requests,
            "regions": result.parallel_execution_stats.region_distribution,  # type: ignore[union-attr]
            "tokens": result.get_total_tokens_used(),
            "ways": result.get_access_method_statistics(),
            "sent": sorted(str(body) for body in sent),
        }
    assert runs["elsewhere"] == runs["threads"]
    assert runs["threads"]["failed"] == ["refused"]
    assert runs["threads"]["entries"]["r3"]["content"] == "Answer to Request 3"
    assert all("77" in body for body in runs["threads"]["sent"])


def test_errors_arrive_with_their_class_their_cause_and_what_aws_said(
    bedrock: LocalBedrock, executor: Callable[[], Executor]
) -> None:
    bedrock.fail(Fault.access_denied(), operation="Converse")
    # Unlike the managers of other tests: a process keeps what it knows of an equal one's targets.
    manager = new_manager(
        retry_config=RetryConfig(max_retries=0), default_inference_config={"maxTokens": 78}
    )
    outcomes = {}
    # A fork just after threads have ended may find OpenSSL's lock taken by one that still ends.
    for name, where in (("elsewhere", executor()), ("threads", None)):
        (request,) = requests(1)
        result = manager.converse_parallel([request], executor=where)
        response = result.request_responses["r0"]
        failure = request.get_last_failure()
        error = response.get_last_error()
        assert failure is not None
        assert error is not None
        outcomes[name] = {
            "entry": account_of(response),
            "class": type(error).__name__,
            "said": error.response["Error"],  # type: ignore[attr-defined]  # of botocore
            "cause": type(failure.exception.__cause__).__name__,
            "message": failure.error_message,
            "by_class": list(result.get_failed_by_exception_type("AccessDeniedException")),
        }
    assert outcomes["elsewhere"] == outcomes["threads"]
    assert outcomes["threads"]["class"] == "AccessDeniedException"
    assert outcomes["threads"]["by_class"] == ["r0"]


def is_long(response: BedrockResponse) -> ValidationResult:
    return ValidationResult(success=len(response.get_content() or "") > 100_000)


def test_a_validation_of_answers_travels(
    bedrock: LocalBedrock, executor: Callable[[], Executor]
) -> None:
    manager = new_manager(retry_config=RetryConfig(max_retries=0))
    validation = ResponseValidationConfig(
        response_validation_function=is_long, response_validation_retries=1
    )
    result = manager.converse_parallel(
        requests(2), response_validation_config=validation, executor=executor()
    )
    assert result.failed_requests == ["r0", "r1"]


def test_workers_that_are_threads_of_this_process_do_as_well(bedrock: LocalBedrock) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        result = new_manager().converse_parallel(requests(20), executor=client.get_executor())
        assert len(result.get_successful_responses()) == 20
        deadline = time.monotonic() + PATIENCE_SECONDS
        while our_threads():
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_equal_requests_of_two_runs_at_once_are_answered_twice(
    bedrock: LocalBedrock, executor: Callable[[], Executor]
) -> None:
    manager, where = new_manager(), executor()
    with ThreadPoolExecutor(2, "runs") as runs:
        done = [
            runs.submit(manager.converse_parallel, requests(20), executor=where) for _ in range(2)
        ]
        assert all(run.result(PATIENCE_SECONDS).success for run in done)
    assert bedrock.count("Converse") == 40


# --- what a process keeps -------------------------------------------------------------------------


def connections(bedrock: LocalBedrock, since: int = 0) -> set[int]:
    return {r.connection for r in bedrock.requests[since:] if r.operation == "Converse"}


def test_each_process_makes_its_clients_once_and_keeps_them_for_later_runs(
    bedrock: LocalBedrock, executor: Callable[[], Executor]
) -> None:
    manager, where = new_manager("us-east-1", most=PROCESSES), executor()
    for _ in range(3):
        assert manager.converse_parallel(requests(10), executor=where).success
    # As many at once as there are processes: one connection each, unless one had two for a moment.
    assert 1 <= len(connections(bedrock)) <= 2 * PROCESSES
    first_run = connections(bedrock) - connections(bedrock, since=10)
    assert len(connections(bedrock, since=10) - first_run) <= PROCESSES
    assert bedrock.count() == bedrock.count("Converse") == 30


def test_what_travels_is_small_and_has_the_credentials_that_were_given() -> None:
    regions = ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-northeast-1"]
    keys = AuthConfig(
        auth_type=AuthenticationType.CREDENTIALS, access_key_id="AKIA", secret_access_key=SECRET
    )
    for auth_config, has_secret in ((None, False), (keys, True)):
        manager = ParallelLLMManager(
            ["Nova Lite", "Nova Pro", "Claude Haiku 4.5"],
            regions,
            auth_config,
            catalog_cache_mode=CacheMode.NONE,
            catalog_refresh="never",
        )
        parcel = Parcel.of(manager.get_underlying_llm_manager(), Pacer(64, 100_000))
        assert len(parcel.content) < 8_000
        assert (SECRET.encode() in parcel.content) is has_secret
        assert SECRET not in parcel.key


def test_parcels_of_one_manager_are_equal_and_those_of_another_differ() -> None:
    one, other = (new_manager("us-east-1"), new_manager("us-west-2"))
    parcels = [
        Parcel.of(manager.get_underlying_llm_manager(), Pacer(8)) for manager in (one, one, other)
    ]
    assert parcels[0] == parcels[1]
    assert parcels[0].key != parcels[2].key


# --- limits ---------------------------------------------------------------------------------------


def most_at_once(bedrock: LocalBedrock) -> int:
    served = [r.time for r in bedrock.requests if r.operation == "Converse"]
    # Each is with the endpoint for its latency at least.
    return max(sum(start <= t < start + LATENCY_SECONDS for t in served) for start in served)


def test_no_more_are_under_way_than_allowed_but_more_than_there_are_processes(
    bedrock: LocalBedrock, executor: Callable[[], Executor]
) -> None:
    result = new_manager(most=6).converse_parallel(requests(60), executor=executor())
    assert len(result.get_successful_responses()) == 60
    assert PROCESSES < most_at_once(bedrock) <= 6


def test_processes_share_the_quota(bedrock: LocalBedrock, executor: Callable[[], Executor]) -> None:
    tokens = 40  # of a request, with its answer at its longest
    bedrock.limit_tokens(20 * tokens)
    bedrock.reply_with("x" * 64)
    manager = new_manager("us-east-1", tokens_per_minute=20 * tokens)
    many = requests(16, "x" * 64, inference_config={"maxTokens": 20})
    result = manager.converse_parallel(many, executor=executor())
    assert len(result.get_successful_responses()) == 16
    assert {r.status for r in bedrock.requests if r.operation == "Converse"} == {200}


def test_a_request_that_does_not_pickle_is_a_failed_entry_and_keeps_nobody_else(
    bedrock: LocalBedrock, executor: Callable[[], Executor]
) -> None:
    many = requests(4)
    many[2].additional_model_request_fields = {"now": lambda: "no"}
    results = dict(new_manager().iter_converse_parallel(many, executor=executor()))
    assert {name for name, response in results.items() if response.success} == {"r0", "r1", "r3"}
    assert "does not pickle" in results["r2"].warnings[0]


def test_a_validation_function_that_is_not_of_a_module_is_named_as_the_reason(
    bedrock: LocalBedrock, pool: ProcessPoolExecutor
) -> None:
    validation = ResponseValidationConfig(response_validation_function=lambda _: True)  # type: ignore[arg-type,return-value]  # never called
    result = new_manager().converse_parallel(
        requests(2), response_validation_config=validation, executor=pool
    )
    for response in result.request_responses.values():
        assert "the function of the response validation, does not pickle" in response.warnings[0]
    assert bedrock.count("Converse") == 0


# --- processes that die ---------------------------------------------------------------------------


def test_a_process_that_cannot_rebuild_the_manager_says_so_and_sends_nothing(
    bedrock: LocalBedrock,
    pool: ProcessPoolExecutor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = tmp_path / "only_here.py"
    module.write_text(
        "from bestehorn_llmmanager import RetryConfig\n\nclass Retry(RetryConfig):\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    retry = importlib.import_module("only_here").Retry
    module.unlink()
    manager = new_manager(retry_config=retry(max_retries=0))
    response = manager.converse_parallel(requests(3), executor=pool)
    assert len(response.failed_requests) == 3
    for entry in response.request_responses.values():
        assert "cannot rebuild the manager (ModuleNotFoundError), and has sent nothing" in str(
            entry.get_last_error()
        )
    assert bedrock.count("Converse") == 0


def killing(pids: Callable[[], list[int]], after: int) -> Callable[[RunProgress], None]:
    """Kills the first of some processes when so many results are there."""
    is_done = False

    def listen(progress: RunProgress) -> None:
        nonlocal is_done
        if progress.done >= after and not is_done:
            is_done = True
            os.kill(pids()[0], signal.SIGKILL)

    return listen


def test_what_a_killed_worker_of_a_cluster_had_is_answered_elsewhere_once(
    bedrock: LocalBedrock,
) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=PROCESSES, threads_per_worker=2, dashboard_address=":0", memory_limit=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        workers = list(client.run(os.getpid).values())
        results = list(
            new_manager().iter_converse_parallel(
                requests(120),
                executor=client.get_executor(),
                progress=killing(lambda: workers, after=20),
            )
        )
        assert sorted(name for name, _ in results) == sorted(f"r{n}" for n in range(120))
        assert all(response.success for _, response in results)
        assert workers[0] not in client.run(os.getpid).values()


def test_a_broken_pool_ends_the_run_and_keeps_what_was_answered(
    bedrock: LocalBedrock, pool: ProcessPoolExecutor
) -> None:
    def pids() -> list[int]:
        return list(pool._processes)

    not_taken = iter(requests(200))
    answered: list[str] = []
    lost: list[str] = []

    def collect() -> None:
        for name, response in new_manager().iter_converse_parallel(
            not_taken, executor=pool, progress=killing(pids, after=10)
        ):
            (answered if response.success else lost).append(name)
            if not response.success:
                assert "The executor lost the request" in response.warnings[0]

    with pytest.raises(ParallelProcessingError, match="takes no more requests: BrokenProcessPool"):
        collect()
    assert len(answered) >= 10
    assert lost
    assert len(list(not_taken)) > 100
    assert not set(answered) & set(lost)


def test_what_a_broken_pool_did_not_answer_can_be_completed(
    bedrock: LocalBedrock, pool: ProcessPoolExecutor
) -> None:
    with pytest.raises(ParallelProcessingError) as caught:
        new_manager().converse_parallel(
            requests(60), executor=pool, progress=killing(lambda: list(pool._processes), after=10)
        )
    partial = caught.value.partial_response
    assert partial is not None
    assert len(partial.request_responses) + len(partial.unfinished_request_ids) == 60
    again = new_manager().retry_failed_requests(partial)
    assert len(again.get_successful_responses()) == 60


def test_an_executor_that_was_shut_down_is_one_error(
    bedrock: LocalBedrock, executor: Callable[[], Executor]
) -> None:
    ended = executor()
    ended.shutdown()
    many = requests(3)
    with pytest.raises(ParallelProcessingError, match="takes no more requests") as caught:
        new_manager().converse_parallel(many, executor=ended)
    partial = caught.value.partial_response
    assert partial is not None
    assert partial.request_responses == {}
    assert partial.unfinished_request_ids == ["r0", "r1", "r2"]
    with pytest.raises(ParallelProcessingError, match="takes no more requests"):
        list(new_manager().iter_converse_parallel(iter(many), executor=ended))
    assert bedrock.count("Converse") == 0
    assert our_threads() == []


def test_a_pool_that_is_shut_down_half_way_costs_nothing_that_was_answered(
    bedrock: LocalBedrock, pool: ProcessPoolExecutor
) -> None:
    manager = new_manager()

    def shut_down(figures: RunProgress) -> None:
        if figures.done == 20:
            pool.shutdown(wait=False)

    with pytest.raises(ParallelProcessingError, match="takes no more requests") as caught:
        manager.converse_parallel(requests(200), executor=pool, progress=shut_down)
    partial = caught.value.partial_response
    assert partial is not None
    assert len(partial.successful_request_ids) >= 20
    assert partial.failed_requests == []
    assert len(partial.successful_request_ids) == bedrock.count("Converse") < 200
    assert manager.retry_failed_requests(partial).get_success_rate() == 100.0
    assert bedrock.count("Converse") == 200


def test_what_a_pool_that_ended_did_not_take_is_no_failure_of_an_interrupted_run(
    bedrock: LocalBedrock, pool: ProcessPoolExecutor
) -> None:
    def shut_down(figures: RunProgress) -> None:
        if figures.done == 20:
            pool.shutdown(wait=False)
            time.sleep(4 * LATENCY_SECONDS)  # what waits is given to the pool, which refuses it
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        new_manager().converse_parallel(requests(200), executor=pool, progress=shut_down)
    partial = caught.value.partial_response  # type: ignore[attr-defined]  # documented
    assert len(partial.successful_request_ids) == bedrock.count("Converse") < 200
    assert partial.failed_requests == []


# --- stopping -------------------------------------------------------------------------------------


def test_a_closed_iterator_sends_nothing_more_and_leaves_no_thread(
    bedrock: LocalBedrock, executor: Callable[[], Executor]
) -> None:
    where = executor()
    endless = (each for number in itertools.count() for each in requests(1, f"{number}"))

    def numbered() -> Iterator[BedrockConverseRequest]:
        for number, request in enumerate(endless):
            request.request_id = f"n{number}"
            yield request

    with closing(new_manager().iter_converse_parallel(numbered(), executor=where)) as results:
        taken = list(itertools.islice(results, 20))
    assert len({name for name, _ in taken}) == 20
    sent = bedrock.count("Converse")
    assert sent <= 20 + 2 * 8
    time.sleep(2 * LATENCY_SECONDS)
    assert bedrock.count("Converse") == sent
    assert our_threads() == []


def test_what_waits_elsewhere_for_its_quota_holds_no_stop_up(
    bedrock: LocalBedrock, executor: Callable[[], Executor]
) -> None:
    bedrock.reply_with("x" * 400)
    manager = new_manager("us-east-1", tokens_per_minute=100)
    many = requests(30, inference_config={"maxTokens": 45})
    with closing(manager.iter_converse_parallel(many, executor=executor())) as results:
        next(results)
        start = time.monotonic()
    assert time.monotonic() - start < 5
    assert bedrock.count("Converse") <= 4
    assert our_threads() == []


def test_a_failure_that_stops_the_run_stops_it_elsewhere(
    bedrock: LocalBedrock, executor: Callable[[], Executor]
) -> None:
    bedrock.fail(Fault.access_denied(), operation="Converse", after=10)
    strategy = {"failure_handling_strategy": FailureHandlingStrategy.STOP_ON_FIRST_FAILURE}
    manager = new_manager(parallel=strategy, retry_config=RetryConfig(max_retries=0))
    with pytest.raises(ParallelExecutionError) as caught:
        manager.converse_parallel(requests(500), executor=executor())
    partial = caught.value.partial_response
    assert partial is not None
    assert len(partial.get_successful_responses()) <= 10
    assert bedrock.count("Converse") < 100
    assert our_threads() == []


def test_threads_of_the_caller_are_used_as_they_are(bedrock: LocalBedrock) -> None:
    names: set[str] = set()

    def note(_: BedrockResponse) -> ValidationResult:
        names.add(threading.current_thread().name.rpartition("_")[0])
        return ValidationResult(success=True)

    validation = ResponseValidationConfig(response_validation_function=note)
    with ThreadPoolExecutor(3, "mine") as threads:
        result = new_manager().converse_parallel(
            requests(10), response_validation_config=validation, executor=threads
        )
    assert len(result.get_successful_responses()) == 10
    assert names == {"mine"}
