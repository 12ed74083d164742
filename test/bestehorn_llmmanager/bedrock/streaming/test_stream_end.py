"""Tests how a stream is closed, by whom and when, and how long it is waited for."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.exceptions import StreamingError
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import Boto3Config
from bestehorn_llmmanager.bedrock.models.streaming_response import StreamingResponse
from bestehorn_llmmanager.bedrock.retry.plan import Deadline
from bestehorn_llmmanager.bedrock.streaming.stream_reader import StreamReader
from bestehorn_llmmanager.bedrock.streaming.stream_run import StreamRun
from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bestehorn_llmmanager import LLMManager

    NewManager = Callable[..., LLMManager]

PROMPT = [{"role": "user", "content": [{"text": "Hi"}]}]
START = {"messageStart": {"role": "assistant"}}
STOP = {"contentBlockStop": {"contentBlockIndex": 0}}
END = {"messageStop": {"stopReason": "end_turn"}}


def text(piece: str) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": piece}}}


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True)
def no_socket_is_forgotten() -> Iterator[None]:
    """A socket that the collector finds is a `ResourceWarning`, and so an error."""
    yield
    gc.collect()


def assert_closed(response: StreamingResponse, raw: Any, *, pieces: list[str]) -> None:
    assert raw.is_left()
    assert response.content_parts == pieces
    assert list(response) == []
    assert (response.closed, response.success, response.is_streaming_complete()) == (
        True,
        True,
        False,
    )
    assert response.total_duration_ms is not None
    assert (response.stream_errors, response.mid_stream_exceptions) == ([], [])
    assert [each.decision for each in response.attempt_log] == ["closed by the caller"]
    assert len(raw.bodies) == 1


# --- who closes -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("without_collector")
def test_closing_closes_the_connection(raw: Any, new_manager: NewManager) -> None:
    raw.answer(START, text("he"), waits=True)
    response = new_manager(max_retries=3).converse_stream(PROMPT)
    assert next(response) == "he"
    response.close()
    assert_closed(response, raw, pieces=["he"])


@pytest.mark.usefixtures("without_collector")
def test_leaving_a_with_block_closes_the_connection(raw: Any, new_manager: NewManager) -> None:
    raw.answer(START, text("he"), text("y"), waits=True)
    with new_manager(max_retries=3).converse_stream(PROMPT) as response:
        for _ in response:
            break
    assert_closed(response, raw, pieces=["he"])


@pytest.mark.usefixtures("without_collector")
def test_an_exception_in_the_consumer_closes_the_connection(
    raw: Any, new_manager: NewManager
) -> None:
    raw.answer(START, text("he"), waits=True)

    def consume() -> None:
        with response:
            for _ in response:
                raise ZeroDivisionError

    response = new_manager(max_retries=3).converse_stream(PROMPT)
    with pytest.raises(ZeroDivisionError):
        consume()
    assert_closed(response, raw, pieces=["he"])


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("how", ["break", "raise"])
def test_a_loop_that_ends_early_closes_what_nobody_else_has(
    raw: Any, new_manager: NewManager, how: str
) -> None:
    def consume() -> None:
        for _ in manager.converse_stream(PROMPT):
            if how == "raise":
                raise ZeroDivisionError
            break

    manager = new_manager(max_retries=3)
    raw.answer(START, text("he"), waits=True)
    try:
        consume()
    except ZeroDivisionError:
        assert raw.is_left()
    assert raw.is_left()


@pytest.mark.usefixtures("without_collector")
def test_a_response_that_nobody_has_any_more_closes_its_connection(
    raw: Any, new_manager: NewManager
) -> None:
    raw.answer(START, text("he"), waits=True)
    response = new_manager().converse_stream(PROMPT, on_event=lambda _: None)
    assert next(response) == "he"
    gone = weakref.ref(response)
    del response
    assert gone() is None
    assert raw.is_left()


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("fault", [Fault.stream_cut(2), Fault.stream_reset(2), Fault.reset()])
def test_an_error_on_the_way_keeps_nothing_alive(
    bedrock: LocalBedrock, new_manager: NewManager, fault: Fault
) -> None:
    bedrock.fail(fault, operation="ConverseStream", times=1)
    bedrock.fail(Fault.stream_stalls(3), operation="ConverseStream")
    response = new_manager(max_retries=2).converse_stream(PROMPT)
    next(response)
    next(response)
    assert len(response.mid_stream_exceptions) == 1
    gone = weakref.ref(response)
    del response
    assert gone() is None
    assert_no_connection(bedrock)


def assert_no_connection(bedrock: LocalBedrock) -> None:
    """Waits for the endpoint to notice."""
    assert bedrock._server is not None
    end = time.monotonic() + 10
    while bedrock._server._open and time.monotonic() < end:
        time.sleep(0.001)
    assert not bedrock._server._open


def test_a_listener_may_close(raw: Any, new_manager: NewManager) -> None:
    def listen(event: dict[str, Any]) -> None:
        if event == text("y"):
            response.close()

    raw.answer(START, text("he"), text("y"), text("!"), waits=True)
    response = new_manager(max_retries=3).converse_stream(PROMPT, on_event=listen)
    assert list(response) == ["he"]
    assert_closed(response, raw, pieces=["he"])


def test_who_is_told_of_a_restart_may_close(raw: Any, new_manager: NewManager) -> None:
    raw.answer(START, text("he"))
    raw.answer(START, text("hey"), waits=True)
    response: StreamingResponse = new_manager(["Claude Sonnet 4.6"], max_retries=3).converse_stream(
        PROMPT, on_restart=lambda _: response.close()
    )
    assert list(response) == ["he"]
    assert raw.is_left()
    assert (response.content_parts, response.restarts) == (["he"], [])
    assert response.closed


@pytest.mark.parametrize("transport", ["raw", "raw_tls"])
def test_another_thread_closes_a_stream_that_is_waited_for(
    transport: str, new_manager: NewManager, request: pytest.FixtureRequest
) -> None:
    raw = request.getfixturevalue(transport)
    raw.answer(START, text("he"), waits=True)
    response = new_manager(max_retries=3).converse_stream(PROMPT)
    assert next(response) == "he"
    rest: list[list[str]] = []
    reader = threading.Thread(target=lambda: rest.append(list(response)))
    reader.start()
    time.sleep(0.02)  # for the reader to wait; closing is right before, too
    started = time.monotonic()
    response.close()
    reader.join(10)
    assert rest == [[]]
    assert time.monotonic() - started < 5
    assert_closed(response, raw, pieces=["he"])


def test_what_is_closed_while_it_is_opened_is_not_read(raw: Any, new_manager: NewManager) -> None:
    asked, closed = threading.Event(), threading.Event()

    def answer_late() -> None:
        asked.set()
        closed.wait(10)

    raw.answer(waits=True, before=answer_late)
    response = new_manager(max_retries=3).converse_stream(PROMPT)
    rest: list[list[str]] = []
    reader = threading.Thread(target=lambda: rest.append(list(response)))
    reader.start()
    assert asked.wait(10)
    response.close()
    closed.set()
    reader.join(10)
    assert rest == [[]]
    assert_closed(response, raw, pieces=[])


def test_closing_ends_the_pause_before_another_attempt(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.fail(Fault.throttling(retry_after=60), operation="ConverseStream")
    response = new_manager(max_retries=1).converse_stream(PROMPT)
    rest: list[list[str]] = []
    reader = threading.Thread(target=lambda: rest.append(list(response)))
    reader.start()
    while not response.mid_stream_exceptions:
        time.sleep(0.001)
    response.close()
    reader.join(30)
    assert rest == [[]]
    assert (response.closed, response.success) == (True, True)
    assert bedrock.count("ConverseStream") == 1 == len(response.attempt_log)


@pytest.mark.parametrize("error", [ZeroDivisionError, ConnectionResetError, KeyboardInterrupt])
@pytest.mark.parametrize("callback", ["on_event", "on_restart"])
def test_what_a_callback_raises_is_the_callers_and_ends_the_stream(
    raw: Any, new_manager: NewManager, callback: str, error: type[BaseException]
) -> None:
    def fail(told: object) -> None:
        if callback == "on_restart" or told == text("y"):
            raise error

    raw.answer(START, text("he"), *([text("y")] if callback == "on_event" else []))
    raw.answer(START, text("he"), waits=True)
    manager = new_manager(["Claude Sonnet 4.6"], max_retries=3)
    callbacks: dict[str, Any] = {callback: fail}
    response = manager.converse_stream(PROMPT, **callbacks)
    assert next(response) == "he"
    with pytest.raises(error):
        next(response)
    assert response.closed
    assert list(response) == []
    assert len(raw.bodies) == (1 if callback == "on_event" else 2)
    assert callback == "on_event" or raw.is_left()


# --- before the beginning, and after the end ------------------------------------------------------


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("how", ["forget", "close", "with"])
def test_a_response_that_nobody_reads_sends_nothing(
    raw: Any, new_manager: NewManager, how: str
) -> None:
    response = new_manager().converse_stream(PROMPT)
    if how == "close":
        response.close()
    elif how == "with":
        with response:
            pass
    if how != "forget":
        assert list(response) == []
        assert response.closed
    gone = weakref.ref(response)
    del response
    assert gone() is None
    assert raw.bodies == []


def test_the_stream_is_read_once(bedrock: LocalBedrock, new_manager: NewManager) -> None:
    bedrock.reply_with("one two")
    response = new_manager().converse_stream(PROMPT)
    assert bedrock.count("ConverseStream") == 0
    assert iter(response) is response
    assert list(response) == ["one ", "two"]
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(response)
    assert bedrock.count("ConverseStream") == 1
    assert not response.closed


def test_a_connection_that_was_read_to_its_end_serves_the_next_stream(
    raw: Any, new_manager: NewManager
) -> None:
    manager = new_manager()
    for idle_timeout in (None, 5, None):
        raw.answer(START, text("he"), STOP, END)
        assert list(manager.converse_stream(PROMPT, idle_timeout=idle_timeout)) == ["he"]
    raw.answer(START, text("he"), STOP, END)
    assert list(manager.converse_stream(PROMPT)) == ["he"]
    first, short, *others = raw.connections
    assert (short != first, others) == (True, [first, first])


def test_threads_read_streams_side_by_side(bedrock: LocalBedrock, new_manager: NewManager) -> None:
    bedrock.reply_with(lambda request: request.body["messages"][0]["content"][0]["text"] * 20)
    manager = new_manager()
    found: dict[str, str] = {}

    def read(word: str) -> None:
        messages = [{"role": "user", "content": [{"text": word}]}]
        found[word] = "".join(manager.converse_stream(messages))

    threads = [threading.Thread(target=read, args=(f"word{n} ",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == {f"word{n} ": f"word{n} " * 20 for n in range(8)}


# --- how long it is waited for --------------------------------------------------------------------


def test_a_stream_that_stalls_too_long_is_broken(raw: Any, new_manager: NewManager) -> None:
    raw.answer(START, text("he"), waits=True)
    raw.answer(START, text("y"), STOP, END)
    manager = new_manager(["Claude Haiku 4.5"], max_retries=1)
    response = manager.converse_stream(PROMPT, idle_timeout=0.05)
    assert list(response) == ["he", "y"]
    assert raw.is_left()
    (exception,) = response.mid_stream_exceptions
    assert (type(exception.error).__name__, exception.recovered) == ("ReadTimeoutError", True)


def test_a_stream_may_be_slow(bedrock: LocalBedrock, new_manager: NewManager) -> None:
    bedrock.reply_with("one two three")
    bedrock.fail(Fault.stream_stalls(2, seconds=0.05), operation="ConverseStream")
    response = new_manager().converse_stream(PROMPT, idle_timeout=5)
    assert "".join(response) == "one two three"
    assert response.mid_stream_exceptions == []


def test_a_stream_may_be_idle_for_longer_than_a_usual_answer_may_take(
    bedrock: LocalBedrock, new_manager: NewManager
) -> None:
    bedrock.reply_with("one two three")
    bedrock.fail(Fault.stream_stalls(2, seconds=6), operation="ConverseStream")
    manager = new_manager(boto3_config=Boto3Config(read_timeout=5))
    for idle_timeout, expected in ((20, "one two three"), (None, "one ")):
        response = manager.converse_stream(PROMPT, idle_timeout=idle_timeout)
        assert "".join(response) == expected, response.stream_errors


@pytest.mark.parametrize("what", ["is silent", "stalls", "drips"])
def test_the_time_for_the_whole_answer_is_hard(
    raw: Any, new_manager: NewManager, what: str
) -> None:
    if what == "is silent":
        raw.answer(waits=True)
    elif what == "stalls":
        raw.answer(START, text("."), waits=True)
    else:
        raw.answer_forever(text("."), every=0.01)
    started = time.monotonic()
    response = new_manager(max_retries=3).converse_stream(PROMPT, timeout=1.9, idle_timeout=5)
    pieces = list(response)
    assert 1.9 <= time.monotonic() - started < 4.9
    assert raw.is_left()
    assert set(pieces) == (set() if what == "is silent" else {"."})
    assert (response.success, response.get_full_content()) == (False, "".join(pieces))
    (error,) = response.stream_errors
    assert isinstance(error, StreamingError)
    assert error.message == "The time for the whole answer is up."
    assert len(raw.bodies) == 1


def test_a_slow_reader_uses_up_the_time_as_well(raw: Any, new_manager: NewManager) -> None:
    raw.answer(START, text("he"), text("y"), STOP, END)
    response = new_manager(max_retries=3).converse_stream(PROMPT, timeout=2)
    assert next(response) == "he"
    time.sleep(2)
    assert list(response) == []
    (error,) = response.stream_errors
    assert isinstance(error, StreamingError)
    assert not response.success


def test_the_usual_time_ends_no_stream_that_has_begun(raw: Any, new_manager: NewManager) -> None:
    raw.answer(START, text("he"), text("y"), STOP, END)
    deadline = Deadline(time.monotonic() + 0.5, is_hard=False)
    call = new_manager()._call({"messages": PROMPT}, deadline)
    response = StreamingResponse(success=True)
    StreamRun(response, call, call.preparation.request).attach()
    assert next(response) == "he"
    time.sleep(max(0.0, deadline.at - time.monotonic()))
    assert list(response) == ["y"]
    assert response.success


def test_a_bounded_connection_gets_its_usual_timeout_back(bedrock: LocalBedrock) -> None:
    client = bedrock.client()
    stream = client.converse_stream(modelId="amazon.nova-lite-v1:0", messages=PROMPT)["stream"]
    socket = stream._raw_stream.connection.sock
    assert socket.gettimeout() == 60
    reader = StreamReader(stream, idle_timeout=30, ends_at=time.monotonic() + 5)
    timeouts = {socket.gettimeout() for _ in reader}
    assert all(4 < timeout <= 5 for timeout in timeouts)
    reader.close()
    assert socket.gettimeout() == 60
    client.close()
