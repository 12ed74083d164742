"""Tests the figures of a run, and who is told of them."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import ParallelConfigurationError
from bestehorn_llmmanager.bedrock.models.attempt_record import AttemptRecord
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse
from bestehorn_llmmanager.bedrock.parallel.progress import Listener, RunProgress
from bestehorn_llmmanager.bedrock.retry.decisions import Decision

if TYPE_CHECKING:
    from collections.abc import Sequence

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
REST, AGAIN = Decision.REST.value, Decision.AGAIN.value


def response(*decisions: str, success: bool = True, tokens: int = 0) -> BedrockResponse:
    usage = {"inputTokens": tokens, "outputTokens": 0, "totalTokens": tokens}
    log: Sequence[Any] = [
        AttemptRecord("m", "r", "direct", "id", START, 1.0, 0.0, decision) for decision in decisions
    ]
    return BedrockResponse(
        success=success,
        response_data={"usage": usage} if success else None,
        attempt_log=list(log),
    )


def test_every_result_is_counted() -> None:
    figures = RunProgress(9, started_at=0.0)
    figures.add(response("answered", tokens=10))
    figures.add(response(REST, REST, AGAIN, "answered", tokens=5))
    figures.add(response(Decision.OUT_FOR_TODAY.value, success=False))
    figures.add(response("answered", tokens=2), resumed=True)
    assert figures == RunProgress(
        total=9,
        done=4,
        succeeded=3,
        failed=1,
        resumed=1,
        throttles=3,
        tokens=17,
        started_at=0.0,
    )


def test_the_rate_is_of_what_was_asked_now() -> None:
    figures = RunProgress(done=10, resumed=4)
    figures.started_at -= 2
    assert figures.rate == pytest.approx(3, rel=0.1)


def test_a_function_gets_figures_that_stay_as_they_are() -> None:
    told: list[RunProgress] = []
    listener = Listener(told.append)
    figures = RunProgress(2)
    listener.start(2)
    for _ in range(2):
        figures.add(response())
        listener.tell(figures)
    listener.close()
    assert [(each.done, each.total) for each in told] == [(1, 2), (2, 2)]
    assert told[0].started_at == figures.started_at


def test_a_function_that_fails_is_left_out_from_then_on(caplog: pytest.LogCaptureFixture) -> None:
    calls = []

    def fail(figures: RunProgress) -> None:
        calls.append(figures)
        raise LookupError("secret")

    listener = Listener(fail)
    for _ in range(3):
        listener.tell(RunProgress())
    assert len(calls) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "error=LookupError | showing progress failed; all else goes on"
    ]


def test_ctrl_c_in_a_function_is_for_the_run() -> None:
    def interrupt(figures: RunProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Listener(interrupt).tell(RunProgress())


@pytest.mark.parametrize("nothing", [False, None])
def test_nobody_is_told_if_nobody_asks(nothing: Any, capsys: pytest.CaptureFixture[str]) -> None:
    listener = Listener(nothing)
    listener.start(3)
    listener.tell(RunProgress(3))
    listener.close()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("wrong", [1, "bar", 0])
def test_anything_else_is_refused(wrong: Any) -> None:
    with pytest.raises(ParallelConfigurationError, match="True, False or a callable") as caught:
        Listener(wrong)
    assert caught.value.get_invalid_parameter() == "progress"
    assert caught.value.get_provided_value() == wrong


def test_the_bar_shows_count_success_failures_throttles_and_tokens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    threads = threading.enumerate()
    listener = Listener(True)
    assert screen.getvalue() == ""
    listener.start(4)
    assert "0/4" in screen.getvalue()
    listener.tell(RunProgress(4, done=4, succeeded=3, failed=1, throttles=2, tokens=99))
    listener.close()
    last = screen.getvalue().rpartition("\r")[2]
    assert "4/4" in last
    assert "request/s, answered=3, failed=1, throttled=2, tokens=99" in last
    assert threading.enumerate() == threads


def test_a_terminal_that_goes_away_does_not_end_the_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Gone(io.StringIO):
        is_gone = False

        def write(self, text: str) -> int:
            if self.is_gone:
                raise BrokenPipeError
            return super().write(text)

    screen = Gone()
    monkeypatch.setattr(sys, "stderr", screen)
    listener = Listener(True)
    listener.start(1000)
    screen.is_gone = True
    for done in range(1, 1001):
        listener.tell(RunProgress(1000, done=done))
    listener.close()
    assert caplog.text.count("showing progress failed") <= 1


def test_without_tqdm_a_bar_is_refused_with_the_way_to_get_it() -> None:
    program = (
        "import sys\n"
        "sys.modules['tqdm'] = None\n"
        "from bestehorn_llmmanager.bedrock.parallel.progress import Listener\n"
        "Listener(print)\n"
        "try:\n"
        "    Listener(True)\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error.message, error.provided_value)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "ParallelConfigurationError "
        '`progress=True` needs `pip install "bestehorn-llmmanager[progress]"` True\n'
    )
