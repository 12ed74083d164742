"""Answers many requests: on threads, in processes, or on a cluster."""

from __future__ import annotations

import _thread
import logging
import os
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sized
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    LLMManagerError,
)
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import (
    ParallelConfigurationError,
    ParallelExecutionError,
    ParallelProcessingError,
    RegionDistributionError,
    RequestValidationError,
)
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    LLMManagerConfig,
    ResponseValidationConfig,
    RetryConfig,
    RetryStrategy,
)
from bestehorn_llmmanager.bedrock.models.model_specific_structures import ModelSpecificConfig
from bestehorn_llmmanager.bedrock.models.parallel_structures import (
    BedrockConverseRequest,
    FailureHandlingStrategy,
    ParallelProcessingConfig,
    ParallelResponse,
)
from bestehorn_llmmanager.bedrock.parallel.assignment import RegionAssignment
from bestehorn_llmmanager.bedrock.parallel.interrupts import Uninterrupted
from bestehorn_llmmanager.bedrock.parallel.journal import Journal
from bestehorn_llmmanager.bedrock.parallel.pacing import PacedHealth, Pacer
from bestehorn_llmmanager.bedrock.parallel.progress import Listener, RunProgress
from bestehorn_llmmanager.bedrock.parallel.quotas import quotas_by_id
from bestehorn_llmmanager.bedrock.parallel.results import failed_response
from bestehorn_llmmanager.bedrock.parallel.runner import Retries, Runner
from bestehorn_llmmanager.bedrock.parallel.threads import Threads
from bestehorn_llmmanager.bedrock.parallel.worker import Order, Worker
from bestehorn_llmmanager.bedrock.validators.request_validator import RequestValidator
from bestehorn_llmmanager.llm_manager import _DEFAULT_TIMEOUT, LLMManager

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Sequence
    from concurrent.futures import Executor, Future

    from typing_extensions import Self

    from bestehorn_llmmanager.bedrock.catalog.bedrock_catalog import Refresh
    from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
    from bestehorn_llmmanager.bedrock.models.cache_structures import CacheConfig
    from bestehorn_llmmanager.bedrock.models.catalog_structures import CacheMode
    from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
        AuthConfig,
        Boto3Config,
    )
    from bestehorn_llmmanager.bedrock.parallel.elsewhere import Elsewhere
    from bestehorn_llmmanager.bedrock.parallel.runner import Finished

    Progress = bool | Callable[[RunProgress], object]
    PathLike = str | os.PathLike[str]

logger = logging.getLogger(__name__)

_MOST_RETRIES_PER_REQUEST = 3


class ParallelLLMManager:
    """Answers many requests with the models and regions of one `LLMManager`.

    Requests start at their assigned regions and fall back to all others. Throttling is no failure:
    a throttled request waits and is sent again until its time is up, and fewer calls go to the
    target meanwhile. Safe to share between threads; each run is its own. Pickles like `LLMManager`.

    Args:
        models: As for `LLMManager`, like every argument that is not listed here.
        parallel_config: How many at once, how long each, what to do about failures.
        timeout: Seconds. Passed, it ends each request of a run, too: the smaller of this and
            `request_timeout_seconds` holds.
        tokens_per_minute: Wins over that of `parallel_config`, which describes it; calls are held
            back so that the quota is not exceeded.

    Raises:
        ParallelConfigurationError: No model, no region, or a wrong argument of this class.
        ConfigurationError: As for `LLMManager`.
    """

    def __init__(
        self,
        models: Sequence[str],
        regions: Sequence[str],
        auth_config: AuthConfig | None = None,
        boto3_config: Boto3Config | None = None,
        retry_config: RetryConfig | None = None,
        parallel_config: ParallelProcessingConfig | None = None,
        force_download: bool = False,
        force_refresh: bool = False,
        strict_cache_mode: bool = False,
        ignore_cache_age: bool = False,
        default_inference_config: dict[str, Any] | None = None,
        timeout: float | None = _DEFAULT_TIMEOUT,
        log_level: int | str = LLMManagerConfig.DEFAULT_LOG_LEVEL,
        region_order: str | None = None,
        access_method_preference: str | None = None,
        global_cris_fraction: float | None = None,
        cache_config: CacheConfig | None = None,
        *,
        model_specific_config: ModelSpecificConfig | None = None,
        catalog_cache_mode: CacheMode | None = None,
        catalog_cache_directory: PathLike | None = None,
        catalog_refresh: Refresh = "blocking",
        allowed_destination_regions: Collection[str] | None = None,
        tokens_per_minute: Mapping[str, int] | int | None = None,
    ) -> None:
        for name, values in (("models", models), ("regions", regions)):
            if not values:
                raise ParallelConfigurationError(
                    f"`{name}` is empty; give at least one.",
                    invalid_parameter=name,
                    provided_value=values,
                )
        if parallel_config is not None and not isinstance(
            parallel_config, ParallelProcessingConfig
        ):
            raise ParallelConfigurationError(
                "`parallel_config` must be of type `ParallelProcessingConfig`, got "
                f"{type(parallel_config).__name__}",
                invalid_parameter="parallel_config",
            )
        self._config = _with_quota(parallel_config or ParallelProcessingConfig(), tokens_per_minute)
        self._retry_config = retry_config
        self._manager = LLMManager(
            models,
            regions,
            auth_config,
            boto3_config,
            retry_config,
            cache_config,
            catalog_cache_mode=catalog_cache_mode,
            catalog_cache_directory=catalog_cache_directory,
            force_download=force_download,
            force_refresh=force_refresh,
            strict_cache_mode=strict_cache_mode,
            ignore_cache_age=ignore_cache_age,
            default_inference_config=default_inference_config,
            model_specific_config=model_specific_config,
            timeout=timeout,
            log_level=log_level,
            region_order=region_order,
            access_method_preference=access_method_preference,
            global_cris_fraction=global_cris_fraction,
            catalog_refresh=catalog_refresh,
            allowed_destination_regions=allowed_destination_regions,
        )
        self._request_timeout = float(self._config.request_timeout_seconds)
        if timeout is not None and timeout is not _DEFAULT_TIMEOUT:
            self._request_timeout = min(self._request_timeout, timeout)
        self._validator = RequestValidator()
        # All runs share what is known of the targets.
        self._health = PacedHealth(Pacer(self._config.max_concurrent_requests, self._quota()))
        if len(self._manager.get_available_regions()) == 1:
            logger.warning("regions=1 | requests cannot be spread over regions")

    def __repr__(self) -> str:
        return (
            f"ParallelLLMManager(models={len(self.get_available_models())}, "
            f"regions={len(self.get_available_regions())}, "
            f"max_concurrent={self._config.max_concurrent_requests}, "
            f"strategy={self._config.failure_handling_strategy.value})"
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_health": self._health.pacer}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _health=PacedHealth(state["_health"]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. The next call opens new ones."""
        self._manager.close()

    def get_available_models(self) -> list[str]:
        """The models as the caller gave them."""
        return self._manager.get_available_models()

    def get_available_regions(self) -> list[str]:
        """The regions as the caller gave them."""
        return self._manager.get_available_regions()

    def get_parallel_config(self) -> ParallelProcessingConfig:
        """The configuration in use."""
        return self._config

    def get_underlying_llm_manager(self) -> LLMManager:
        """The manager that sends."""
        return self._manager

    def converse_with_request(self, request: BedrockConverseRequest) -> BedrockResponse:
        """Answer one request; errors are raised as by `LLMManager.converse`."""
        return self._manager.converse_with_request(request)

    def refresh_model_data(self) -> None:
        """Ask AWS for the catalogue now, and resolve the models again.

        Raises:
            ParallelProcessingError: AWS gave nothing and nothing else is known.
        """
        try:
            self._manager.refresh_model_data()
        except LLMManagerError as error:
            raise ParallelProcessingError(error.message) from error

    def validate_configuration(self) -> dict[str, Any]:
        """What was found at construction; sends nothing.

        Returns:
            The dict of `LLMManager.validate_configuration`, with `parallel_config_valid`,
            `parallel_errors`, `parallel_warnings`, `max_concurrent_requests`,
            `target_regions_available` and `load_balancing_strategy`.
        """
        most, regions = self._config.max_concurrent_requests, len(self.get_available_regions())
        warnings = []
        if most > 2 * regions:
            warnings.append(
                f"{most} requests at once on {regions} regions: watch the quota of each region."
            )
        return {
            **self._manager.validate_configuration(),
            "parallel_config_valid": True,
            "parallel_errors": [],
            "parallel_warnings": warnings,
            "max_concurrent_requests": most,
            "target_regions_available": regions,
            "load_balancing_strategy": self._config.load_balancing_strategy.value,
        }

    def converse_parallel(
        self,
        requests: list[BedrockConverseRequest],
        target_regions_per_request: int | None = None,
        response_validation_config: ResponseValidationConfig | None = None,
        model_specific_config: ModelSpecificConfig | None = None,
        *,
        progress: Progress = False,
        journal: PathLike | None = None,
        executor: Executor | None = None,
    ) -> ParallelResponse:
        """Answer all requests, and return when all are done.

        A request that fails is an entry with `success` False, and never raises here. Whatever ends
        the run early, Ctrl-C included, is raised with what was finished as its `partial_response`;
        calls that are under way are waited for, for a second Ctrl-C not.

        Args:
            requests: At least one, with ids of their own.
            target_regions_per_request: How many regions a request is assigned to; None means as
                many as there are, up to `max_concurrent_requests`.
            response_validation_config: As for `LLMManager.converse`.
            model_specific_config: For the requests that have none.
            progress: True for a bar (needs the extra ``progress``), or a function that is called
                with a `RunProgress` after each result, and every half second without one. An
                exception of that function is logged, and it is not called again.
            journal: A file for the answers, a JSON line each. Answers that it already has are
                taken from it and not asked for again; failures are. A request is known by its id,
                a generated id by the content; where the content under an id is not the one that
                was answered, it is asked again, and a warning says how many were.
            executor: Where the requests are answered: any `concurrent.futures.Executor`, for
                example of processes or of a Dask cluster. None means threads of this process.
                Processes finish what they have begun to send, pauses included, even if the run is
                stopped.

        Raises:
            RequestValidationError: The one of `parallel_exceptions`: a request is malformed, or
                there is none. Nothing has been sent.
            RequestIdCollisionError: Requests share an id. Nothing has been sent.
            RegionDistributionError: More regions per request than there are.
            ParallelConfigurationError: A wrong argument.
            ParallelExecutionError: More failures than the strategy tolerates.
            ParallelProcessingError: The journal, or anything unexpected.
        """
        self._validator.validate_batch_requests(requests)
        run = self._run(
            len(requests),
            target_regions_per_request,
            response_validation_config,
            model_specific_config,
            progress=progress,
            journal=journal,
            executor=executor,
        )
        responses: dict[Any, BedrockResponse] = {}
        try:
            for _ in run.results(requests, responses):
                pass
        except (ParallelProcessingError, KeyboardInterrupt, SystemExit) as error:
            error.partial_response = run.response(requests, responses)  # type: ignore[union-attr]  # documented
            raise
        except Exception as error:
            partial = run.response(requests, responses)
            failure = ParallelProcessingError(
                f"The run broke off: {type(error).__name__}. `__cause__` has the error, "
                "`partial_response` what was finished.",
                details={"total_duration_ms": partial.total_duration_ms},
            )
            failure.partial_response = partial
            raise failure from error
        return run.response(requests, responses)

    def iter_converse_parallel(
        self,
        requests: Iterable[BedrockConverseRequest],
        target_regions_per_request: int | None = None,
        response_validation_config: ResponseValidationConfig | None = None,
        model_specific_config: ModelSpecificConfig | None = None,
        *,
        progress: Progress = False,
        journal: PathLike | None = None,
        executor: Executor | None = None,
    ) -> Generator[tuple[str, BedrockResponse], None, None]:
        """Answer any number of requests, and give each result as it finishes.

        A bounded number of requests is taken from `requests` ahead of their results, so memory
        stays flat. A malformed request is a failed result, like one that nobody answers. Nothing is
        sent before the first result is asked for.

        Closing the iterator, or leaving its loop, stops the run: no further request is sent, and
        calls that are under way are waited for (but not after a second Ctrl-C). Their answers go to
        the journal. Closed by another thread than the one that has iterated, or by the garbage
        collector, it ends in the background.

        Args:
            requests: A list, or a generator of any length. Ids have to differ among the requests
                that are under way at the same time. It is advanced by the thread that iterates:
                while it takes its time, no result is given, and it must not wait for one.
            target_regions_per_request: As for `converse_parallel`, like all others.
            response_validation_config: As there.
            model_specific_config: As there.
            progress: As there.
            journal: As there. It keeps about 200 bytes per answer in memory.
            executor: As there.

        Yields:
            The id of a request and its result, in the order in which they finish.

        Raises:
            RequestValidationError: The one of `parallel_exceptions`: something is no request.
            RequestIdCollisionError: Two requests under way have one id.
            ParallelExecutionError: A "stop" strategy ended the run, after its last result.
                `STOP_ON_THRESHOLD` judges at the end where nobody knows how many there will be.
            ParallelProcessingError: The journal cannot be read or written, or the executor has
                ended.
            Exception: What `requests` raises, after the results of what it gave before.
        """
        if isinstance(requests, BedrockConverseRequest) or not isinstance(requests, Iterable):
            raise RequestValidationError(
                "`requests` must give `BedrockConverseRequest` one after another, but is of type "
                f"{type(requests).__name__}"
            )
        run = self._run(
            len(requests) if isinstance(requests, Sized) else None,
            target_regions_per_request,
            response_validation_config,
            model_specific_config,
            progress=progress,
            journal=journal,
            executor=executor,
        )
        return run.results(requests)

    def retry_failed_requests(
        self,
        previous_response: ParallelResponse,
        filter_func: Callable[[str, BedrockResponse], bool] | None = None,
        target_regions_per_request: int | None = None,
        response_validation_config: ResponseValidationConfig | None = None,
        model_specific_config: ModelSpecificConfig | None = None,
        *,
        progress: Progress = False,
        journal: PathLike | None = None,
        executor: Executor | None = None,
    ) -> ParallelResponse:
        """Ask again for what failed, and for what a run that ended early left; merge the results.

        Args:
            previous_response: Of `converse_parallel`, or the `partial_response` of its error.
            filter_func: Says by id and response of a failure whether to ask again; None means for
                all. An exception of it is logged, and means no. Requests without a response (its
                `unfinished_request_ids`) are asked in any case.
            target_regions_per_request: As for `converse_parallel`, like the others.
            response_validation_config: As there.
            model_specific_config: As there.
            progress: As there.
            journal: As there.
            executor: As there.

        Returns:
            Successes of before, results of now for what was asked again, failures of before for
            what was not; `previous_response` itself if nothing was asked again.

        Raises:
            ValueError: Every request was answered.
            ParallelConfigurationError: `previous_response` is none.
            ParallelProcessingError: As for `converse_parallel`, like all others. Its
                `partial_response` has the results of before, too.
        """
        _check_kinds(response_validation_config, model_specific_config, journal, executor)
        if not isinstance(previous_response, ParallelResponse):
            raise ParallelConfigurationError(
                "`previous_response` must be a `ParallelResponse`, as `converse_parallel` gives "
                f"one, got {type(previous_response).__name__}",
                invalid_parameter="previous_response",
            )
        unfinished = previous_response.unfinished_request_ids
        if not previous_response.get_retryable_request_ids() and not unfinished:
            raise ValueError("No request of `previous_response` failed: nothing to ask again.")
        again = self._chosen(previous_response, filter_func)
        again += [previous_response.original_requests[name] for name in unfinished]
        if not again:
            logger.warning("no failed request was chosen | nothing is asked again")
            return previous_response
        for request in again:
            request.retry_count, request.failure_history = 0, []
        try:
            retried = self.converse_parallel(
                again,
                target_regions_per_request,
                response_validation_config,
                model_specific_config,
                progress=progress,
                journal=journal,
                executor=executor,
            )
        except (ParallelProcessingError, KeyboardInterrupt, SystemExit) as error:
            finished: ParallelResponse | None = getattr(error, "partial_response", None)
            if finished is not None:
                merged = previous_response.merged_with_retry(finished, self._config)
                error.partial_response = merged  # type: ignore[union-attr]  # documented
            raise
        return previous_response.merged_with_retry(retried, self._config)

    def _chosen(
        self,
        previous: ParallelResponse,
        filter_func: Callable[[str, BedrockResponse], bool] | None,
    ) -> list[BedrockConverseRequest]:
        chosen = []
        for name in previous.get_retryable_request_ids():
            request = previous.original_requests.get(name)
            response = previous.request_responses.get(name)
            if request is None or response is None:
                continue
            try:
                if filter_func is None or filter_func(name, response):
                    chosen.append(request)
            except Exception as error:  # noqa: BLE001  (the caller's function; its answer is "no")
                logger.warning(
                    "request=%s error=%s | the filter function failed", name, type(error).__name__
                )
        return chosen

    def _run(
        self,
        total: int | None,
        target_regions_per_request: int | None,
        validation: ResponseValidationConfig | None,
        model_specific_config: ModelSpecificConfig | None,
        *,
        progress: Progress,
        journal: PathLike | None,
        executor: Executor | None,
    ) -> _Run:
        _check_kinds(validation, model_specific_config, journal, executor)
        regions = self.get_available_regions()
        most = self._config.max_concurrent_requests
        assignment = RegionAssignment(
            regions,
            self._config.load_balancing_strategy,
            _regions_per_request(target_regions_per_request, most, len(regions)),
        )
        timeout = self._request_timeout

        def order_for(request: BedrockConverseRequest) -> Order:
            return Order(request, assignment.next(), timeout, validation, model_specific_config)

        return _Run(
            config=self._config,
            worker=Worker(self._manager, self._health),
            assignment=assignment,
            order_for=order_for,
            retries=self._retries(),
            total=total,
            listener=Listener(progress),
            journal=journal,
            executor=executor,
            timeout=timeout,
        )

    def _quota(self) -> dict[str, int] | int | None:
        given = self._config.tokens_per_minute
        if not isinstance(given, Mapping):
            return given
        manager = self._manager
        columns = tuple(range(len(manager.get_available_regions())))
        targets = manager._table.ordered(RetryStrategy.REGION_FIRST, columns)  # noqa: SLF001  (this library's own)
        return quotas_by_id(given, targets, manager._catalog.find_model)  # noqa: SLF001  (likewise)

    def _retries(self) -> Retries:
        retry, config = self._retry_config, self._config
        if retry is not None:
            most = retry.max_retries
        elif not config.enable_automatic_retry:
            most = 0
        elif config.max_retries_per_request is not None:
            most = config.max_retries_per_request
        else:
            most = _MOST_RETRIES_PER_REQUEST
        return Retries(most, partial(_pause, retry or RetryConfig()))


class _Run:
    """One run: made for one list or generator of requests, used once."""

    def __init__(
        self,
        *,
        config: ParallelProcessingConfig,
        worker: Worker,
        assignment: RegionAssignment,
        order_for: Callable[[BedrockConverseRequest], Order],
        retries: Retries,
        total: int | None,
        listener: Listener,
        journal: PathLike | None,
        executor: Executor | None,
        timeout: float,
    ) -> None:
        self._config = config
        self._worker = worker
        self._assignment = assignment
        self._order_for = order_for
        self._retries = retries
        self._total = total
        self._listener = listener
        self._journal = journal
        self._executor = executor
        self._elsewhere: Elsewhere | None = None
        self._timeout = timeout
        self._figures = RunProgress(total)
        self._failed: list[str] = []
        self._first_error: Exception | None = None
        manager = worker.manager
        self._first = manager.get_available_models()[0], manager.get_available_regions()[0]

    def results(
        self,
        requests: Iterable[BedrockConverseRequest],
        collected: dict[Any, BedrockResponse] | None = None,
    ) -> Generator[tuple[Any, BedrockResponse], None, None]:
        """Ids and results in the order in which they finish.

        Args:
            requests: What to answer.
            collected: Gets all results, also those that come in after the iterator was left.
        """
        with ExitStack() as at_end:
            journal = None
            if self._journal is not None:
                journal = at_end.enter_context(closing(Journal(self._journal)))
            self._listener.start(self._total)
            at_end.callback(self._listener.close)
            threads = Threads(self._config.max_concurrent_requests)
            at_end.callback(threads.stop)
            at_end.callback(self._worker.stop)
            with Uninterrupted():
                submit = self._submitter(threads)
            runner = Runner(
                submit,
                self._worker.stop,
                self._order_for,
                window=self._window(),
                retries=self._retries,
                journal=journal,
            )
            user = threading.current_thread()
            is_interrupted = False
            try:
                for finished in runner.results(requests):
                    if finished is None:
                        self._listener.tell(self._figures)
                        continue
                    if self._was_not_sent(finished):
                        runner.given(finished)
                        runner.stop(finished.error)
                        continue
                    entry = self._entry(finished, collected)
                    runner.given(finished)
                    if self._is_lost():
                        runner.stop()
                    yield entry
                    user = threading.current_thread()
                if self._is_lost(is_over=True):
                    raise self._execution_error() from self._first_error
            except KeyboardInterrupt:
                is_interrupted = True
                raise
            finally:
                if threading.current_thread() is user:
                    self._end(runner, threads, at_end, collected, is_interrupted=is_interrupted)
                else:
                    self._end_in_background(runner, threads, at_end.pop_all(), collected)

    def _end_in_background(
        self,
        runner: Runner,
        threads: Threads,
        at_end: ExitStack,
        collected: dict[Any, BedrockResponse] | None,
    ) -> None:
        """End a run from any thread.

        The garbage collector closes an iterator that was left, wherever it runs: this thread may
        have a lock that the end needs, or be a call that it waits for. One that `threading` starts
        would need a lock here as well.
        """
        if not sys.is_finalizing():
            with suppress(RuntimeError):  # the program ends
                _thread.start_new_thread(self._end, (runner, threads, at_end, collected))

    def _end(
        self,
        runner: Runner,
        threads: Threads,
        at_end: ExitStack,
        collected: dict[Any, BedrockResponse] | None,
        *,
        is_interrupted: bool = False,
    ) -> None:
        """Send nothing more, and wait for what is under way.

        Args:
            runner: Has it.
            threads: Those that end.
            at_end: What comes after.
            collected: Gets the results.
            is_interrupted: Whether Ctrl-C came before: the next one ends the waiting.
        """
        if sys.is_finalizing():
            # The program ended and the iterator was still there. Threads that no longer run may
            # hold any lock, that of the journal included.
            at_end.pop_all()
            return
        try:
            try:
                self._wait_for_the_rest(runner, threads, collected)
            except KeyboardInterrupt:
                if not is_interrupted:
                    self._wait_for_the_rest(runner, threads, collected)
                raise
        finally:
            with Uninterrupted():
                at_end.close()

    def _wait_for_the_rest(
        self,
        runner: Runner,
        threads: Threads,
        collected: dict[Any, BedrockResponse] | None,
    ) -> None:
        """Begin anew what was interrupted."""
        threads.stop()
        for finished in runner.drain():
            if not self._was_not_sent(finished):
                self._entry(finished, collected)
        threads.join()

    def response(
        self,
        requests: Sequence[BedrockConverseRequest],
        responses: Mapping[Any, BedrockResponse],
    ) -> ParallelResponse:
        """What became of `requests`, in their order; those without a result are left out."""
        by_id: dict[Any, BedrockConverseRequest] = {each.request_id: each for each in requests}
        return ParallelResponse.of(
            {name: responses[name] for name in by_id if name in responses},
            config=self._config,
            total_duration_ms=(time.monotonic() - self._figures.started_at) * 1000,
            concurrent_executions=min(len(by_id), self._config.max_concurrent_requests),
            region_distribution=self._assignment.distribution(),
            original_requests=by_id,
        )

    def _entry(
        self, finished: Finished, collected: dict[Any, BedrockResponse] | None
    ) -> tuple[Any, BedrockResponse]:
        name, response = finished.request.request_id, finished.response
        if response is None:
            assert finished.error is not None
            model, region = self._first
            response = failed_response(
                finished.request,
                finished.error,
                timeout=self._timeout,
                model=model,
                region=region,
            )
        if collected is not None:
            collected[name] = response
        if not response.success and self._config.failure_handling_strategy is not _CONTINUE:
            self._failed.append(str(name))
            self._first_error = self._first_error or finished.error
        self._figures.add(response, resumed=finished.is_resumed)
        self._listener.tell(self._figures)
        return name, response

    def _was_not_sent(self, finished: Finished) -> bool:
        """Whether there is no result because the executor has ended."""
        ended = self._elsewhere and self._elsewhere.ended
        return ended is not None and finished.error is ended

    def _is_lost(self, *, is_over: bool = False) -> bool:
        """Whether the strategy counts the run as failed, whatever the rest of it brings.

        Args:
            is_over: Whether there is no rest.
        """
        if not self._failed:
            return False
        if self._config.failure_handling_strategy is _STOP_ON_FIRST:
            return True
        total = self._total or (self._figures.done if is_over else None)
        return total is not None and not self._config.is_success(
            failed=len(self._failed), total=total
        )

    def _execution_error(self) -> ParallelExecutionError:
        failed, done = len(self._failed), self._figures.done
        total = self._total or done
        left = f", {total - done} were not finished" if total > done else ""
        return ParallelExecutionError(
            f"{failed} of {done} finished requests failed{left}; "
            f"`{self._config.failure_handling_strategy.name}` does not tolerate that. `__cause__` "
            "is the first failure, `partial_response` of `converse_parallel` has what was finished.",
            failed_requests=self._failed,
            total_requests=total,
            finished_requests=done,
        )

    def _window(self) -> int:
        """Orders under way at once, those that wait for their turn included."""
        most = self._config.max_concurrent_requests
        # A pool of the caller's may begin all that it gets at the same time.
        return most if _is_thread_pool(self._executor) else 2 * most

    def _submitter(self, threads: Threads) -> Callable[[Order], Future[BedrockResponse]]:
        worker, executor = self._worker, self._executor
        if executor is None:
            return lambda order: threads.submit(worker.answer, order)
        if _is_thread_pool(executor):
            return lambda order: executor.submit(worker.answer, order)
        from bestehorn_llmmanager.bedrock.parallel.elsewhere import (  # noqa: PLC0415  (rare)
            Elsewhere,
        )

        self._elsewhere = Elsewhere(executor, worker.manager, worker.pacer)
        worker.at_stop(self._elsewhere.close)
        return self._elsewhere.submit


def _is_thread_pool(executor: Executor | None) -> bool:
    """Whether it runs calls in this process, with this process's objects."""
    from concurrent import futures  # noqa: PLC0415

    # That of Python 3.14 is one of threads by inheritance alone: it shares no objects.
    of_interpreters = getattr(futures, "InterpreterPoolExecutor", ())
    return isinstance(executor, futures.ThreadPoolExecutor) and not isinstance(
        executor, of_interpreters
    )


_CONTINUE = FailureHandlingStrategy.CONTINUE_ON_FAILURE
_STOP_ON_FIRST = FailureHandlingStrategy.STOP_ON_FIRST_FAILURE


def _pause(retry: RetryConfig, number: int) -> float:
    """Seconds before so many further tries of a whole request."""
    try:
        grown = retry.retry_delay * float(retry.backoff_multiplier) ** number
    except OverflowError:
        return retry.max_retry_delay
    return min(grown, retry.max_retry_delay)


def _with_quota(config: ParallelProcessingConfig, quota: Any) -> ParallelProcessingConfig:
    if quota is None:
        return config
    try:
        return replace(config, tokens_per_minute=quota)
    except ValueError as error:
        raise ParallelConfigurationError(
            str(error), invalid_parameter="tokens_per_minute", provided_value=quota
        ) from error


def _check_kinds(
    validation: object, model_specific_config: object, journal: object, executor: object
) -> None:
    is_executor = callable(getattr(executor, "submit", None)) and not isinstance(executor, type)
    for name, value, fits, expected in (
        (
            "response_validation_config",
            validation,
            isinstance(validation, ResponseValidationConfig),
            "of type `ResponseValidationConfig`",
        ),
        (
            "model_specific_config",
            model_specific_config,
            isinstance(model_specific_config, ModelSpecificConfig),
            "of type `ModelSpecificConfig`",
        ),
        ("journal", journal, isinstance(journal, (str, os.PathLike)), "a path"),
        ("executor", executor, is_executor, "a `concurrent.futures.Executor`"),
    ):
        if value is not None and not fits:
            raise ParallelConfigurationError(
                f"`{name}` must be {expected} or None, got {type(value).__name__}",
                invalid_parameter=name,
            )


def _regions_per_request(given: int | None, most: int, available: int) -> int:
    if given is None:
        regions = max(1, min(most, available))
        logger.debug("regions_per_request=%d | the default", regions)
        return regions
    if isinstance(given, bool) or not isinstance(given, int) or given <= 0:
        is_number = isinstance(given, (int, float))
        shown = repr(given) if is_number else type(given).__name__
        raise ParallelConfigurationError(
            f"`target_regions_per_request` must be a whole number above 0, got {shown}",
            invalid_parameter="target_regions_per_request",
            provided_value=given if is_number else None,
        )
    if given > available:
        raise RegionDistributionError(
            f"`target_regions_per_request` is {given}, but the manager has {available} regions",
            requested_regions=given,
            available_regions=available,
        )
    return given
