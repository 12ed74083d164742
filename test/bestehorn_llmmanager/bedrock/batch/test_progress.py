"""Tests who is told how far jobs are, and that telling them costs the waiting nothing."""

from __future__ import annotations

import io
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.batch.progress import Progress
from bestehorn_llmmanager.bedrock.batch.status import BatchStatus, JobStatus
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import ConfigurationError
from bestehorn_llmmanager.testing import BatchRun, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable

    from bestehorn_llmmanager.bedrock.batch import BatchInference
    from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest


def status(**figures: Any) -> BatchStatus:
    return BatchStatus((JobStatus(job_arn="arn", status="InProgress", **figures),))


def test_the_bar_shows_records_status_and_failures_and_leaves_no_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("tqdm")
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    threads = threading.enumerate()
    shown = Progress(True)
    assert "0record" in screen.getvalue()
    shown.tell(status(total=4))
    shown.tell(status(total=4, processed=3, succeeded=2, failed=1))
    shown.close()
    last = screen.getvalue().rpartition("\r")[2]
    assert "3/4" in last
    assert "record/s, InProgress, 1 failed" in last
    assert threading.enumerate() == threads


def test_waiting_goes_on_without_a_function_that_fails(
    bedrock: LocalBedrock,
    batch: BatchInference,
    requests: Callable[[int], list[BedrockConverseRequest]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    bedrock.run_batches(BatchRun(steps=3))
    calls = []

    def fail(figures: BatchStatus) -> None:
        calls.append(figures)
        raise LookupError("secret")

    ended = batch.submit(requests(3)).wait(progress=fail, sleep=lambda _: None)
    assert ended.status == "Completed"
    assert len(calls) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "error=LookupError | showing progress failed; all else goes on"
    ]


def test_what_is_no_progress_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="True, False or a callable, got 'bar'"):
        Progress("bar")  # type: ignore[arg-type]  # that is the point
