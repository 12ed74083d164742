"""Tests that a journal gives back what it was given, whatever has happened to its file."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
import threading
import uuid
from contextlib import closing
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bestehorn_llmmanager import ParallelLLMManager
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import (
    ParallelConfigurationError,
    ParallelProcessingError,
)
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse, to_json_value
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RequestAttempt
from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest
from bestehorn_llmmanager.bedrock.parallel.journal import Journal
from bestehorn_llmmanager.testing import LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="there are no such files here")


def answer(text: str = "Hello") -> BedrockResponse:
    message = {"role": "assistant", "content": [{"text": text}]}
    return BedrockResponse(
        success=True,
        response_data={"output": {"message": message}, "usage": {"inputTokens": 1}},
        model_used="Nova Lite",
        region_used="us-east-1",
        attempts=[
            RequestAttempt("Nova Lite", "us-east-1", "direct", 1, START, START, success=True)
        ],
        warnings=["a warning"],
        total_duration_ms=12.5,
    )


def request(text: str = "Hi", **options: Any) -> BedrockConverseRequest:
    return BedrockConverseRequest([{"role": "user", "content": [{"text": text}]}], **options)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def written(path: Path, *keys: str) -> bytes:
    journal = Journal(path)
    for key in keys:
        journal.append(key, key, answer(f"to {key}"))
    journal.close()
    return path.read_bytes()


def texts(path: Path, *keys: str) -> list[str | None]:
    journal = Journal(path)
    found = [journal.find(key) for key in keys]
    journal.close()
    return [each.get_content() if each else None for each in found]


# --- what it keeps --------------------------------------------------------------------------------


def test_an_answer_comes_back_as_it_was(path: Path) -> None:
    journal = Journal(path)
    journal.append("a", "a", answer())
    now = journal.find("a")
    journal.close()
    journal = Journal(path)
    later = journal.find("a")
    journal.close()
    assert now is not None
    assert later is not None
    assert now.to_dict() == later.to_dict() == answer().to_dict()


def test_there_is_one_line_of_json_per_answer(path: Path) -> None:
    lines = written(path, "a", "b").splitlines()
    assert [json.loads(line)["request_id"] for line in lines] == ["a", "b"]
    assert [set(json.loads(line)) for line in lines] == [
        {"journal", "key", "request_id", "response"}
    ] * 2


def test_the_last_answer_of_a_key_holds(path: Path) -> None:
    journal = Journal(path)
    journal.append("a", "a", answer("first"))
    journal.append("a", "a", answer("second"))
    journal.close()
    assert texts(path, "a") == ["second"]


@pytest.mark.parametrize(
    "text", ["äöü 漢字", "line\nbreak\u2028", "\ud800", "\x00", '{"key": "b"}', ""]
)
def test_any_text_comes_back(path: Path, text: str) -> None:
    journal = Journal(path)
    journal.append(text, text, answer(text))
    journal.close()
    assert texts(path, text) == [text]


def brought_back(path: Path, data: Any) -> Any:
    """What comes back of an answer's data."""
    response = answer()
    response.response_data = data
    with closing(Journal(path)) as journal:
        journal.append("a", "a", response)
    with closing(Journal(path)) as journal:
        found = journal.find("a")
    assert found is not None
    return found.response_data


REDACTED = {"reasoningContent": {"redactedContent": b"\x00\xff"}}
IMAGE = {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}}
# What a place of bytes looks like in the file, and what is told apart from bytes only by the place.
LOOK_ALIKES = [{"bytes": [["response_data"]]}, {"bytes": "AP8="}, "AP8=", ["response_data", 0]]


@pytest.mark.parametrize(
    "data",
    [
        {"output": {"message": {"content": [REDACTED, {"text": "Hi"}, IMAGE]}}},
        {"x": b"", "y": [[b"1"], {"": b"2"}], "z": [b"3", b"4"]},
        {"like it": LOOK_ALIKES},
        {"like it": LOOK_ALIKES, "x": b"\x00\xff", "bytes": {"0": b"5"}},
    ],
)
def test_bytes_in_an_answer_come_back_as_bytes_and_nothing_else_does(path: Path, data: Any) -> None:
    assert brought_back(path, data) == data


@given(
    data=st.dictionaries(
        st.text(),
        st.recursive(
            st.binary() | st.text() | st.sampled_from(["AP8=", "response_data", 0, None]),
            lambda inner: (
                st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["bytes"]), inner)
            ),
            max_leaves=12,
        ),
        min_size=1,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_any_data_comes_back(path: Path, data: Any) -> None:
    path.unlink(missing_ok=True)
    assert brought_back(path, data) == data


def test_what_is_no_json_comes_back_as_its_nearest_kin(path: Path) -> None:
    data = {"x": (bytearray(b"1"), {5: memoryview(b"2"), True: b"3", None: b"4"}), "y": START}
    assert brought_back(path, data) == {
        "x": [b"1", {"5": b"2", "true": b"3", "null": b"4"}],
        "y": str(START),
    }


def test_a_line_says_where_text_stands_for_bytes(path: Path) -> None:
    data = {"output": {"message": {"content": [{"text": "Hi"}, REDACTED]}}}
    brought_back(path, data)
    line = json.loads(path.read_bytes())
    way = ["response_data", "output", "message", "content", 1]
    assert line["bytes"] == [[*way, "reasoningContent", "redactedContent"]]
    # Who reads the file without a journal has an answer, too.
    read = BedrockResponse.from_dict(line["response"])
    assert read.get_content() == "Hi"
    assert (read.get_content_blocks() or [])[1] == {"reasoningContent": {"redactedContent": "AP8="}}


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBedrock]:
    with LocalBedrock(record_bodies=True) as endpoint:
        for name, value in endpoint.environment().items():
            monkeypatch.setenv(name, value)
        yield endpoint


@pytest.mark.needs_member("redactedContent")
def test_an_answer_of_the_journal_can_be_sent_back(recording: LocalBedrock, path: Path) -> None:
    message = {"role": "assistant", "content": [REDACTED, {"text": "Hi"}]}
    recording.reply_with(
        {
            "output": {"message": message},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
            "metrics": {"latencyMs": 3},
        }
    )
    manager = ParallelLLMManager(["Nova Lite"], ["us-east-1"], catalog_refresh="never")
    results = [manager.converse_parallel([request(request_id="a")], journal=path) for _ in range(2)]
    fresh, resumed = (each.request_responses["a"].response_data for each in results)
    assert recording.count("Converse") == 1
    assert fresh is not None
    assert resumed is not None
    assert fresh["output"] == resumed["output"] == {"message": message}
    manager.get_underlying_llm_manager().converse(
        [*request().messages, resumed["output"]["message"], *request("Go on").messages]
    )
    body = recording.requests[-1].body
    assert body is not None
    assert body["messages"][1]["content"][0]["reasoningContent"] == {"redactedContent": "AP8="}


def test_lines_that_do_not_say_where_bytes_are_have_the_text(path: Path) -> None:
    response = answer()
    response.response_data = {"x": b"\x00\xff"}
    record = {"journal": 1, "key": "a", "request_id": "a", "response": response.to_dict()}
    path.write_text(json.dumps(record, default=to_json_value) + "\n")
    with closing(Journal(path)) as journal:
        found = journal.find("a")
    assert found is not None
    assert found.response_data == {"x": "AP8="}


@pytest.mark.parametrize(
    "places",
    [7, "ab", [7], [[]], [["none"]], [["attempts", 9]], [["success"]], [["model_used"]], [[["x"]]]],
)
def test_an_answer_whose_bytes_are_not_where_they_should_be_is_asked_again(
    path: Path, places: Any, caplog: pytest.LogCaptureFixture
) -> None:
    line = json.loads(written(path, "a"))
    path.write_text(json.dumps({**line, "bytes": places}) + "\n")
    assert texts(path, "a") == [None]
    assert "an answer in the journal is damaged" in caplog.text


def test_what_never_ends_is_an_error_and_costs_no_other_answer(path: Path) -> None:
    circle: dict[str, Any] = {"x": b"bytes"}
    circle["circle"] = circle
    response = answer()
    response.response_data = circle
    with closing(Journal(path)) as journal:
        with pytest.raises(ParallelProcessingError, match="cannot be written"):
            journal.append("a", "a", response)
        journal.append("b", "b", answer())
    assert texts(path, "a", "b") == [None, "Hello"]


def test_many_threads_write_whole_lines(path: Path) -> None:
    journal = Journal(path)
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait()
        for each in range(50):
            journal.append(f"{number}/{each}", None, answer("x" * (each * 97)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    keys = [f"{number}/{each}" for number in range(8) for each in range(50)]
    assert texts(path, *keys) == ["x" * (each * 97) for _ in range(8) for each in range(50)]


# --- whose answer it is ---------------------------------------------------------------------------


def test_an_id_that_was_given_is_the_key(path: Path) -> None:
    journal = Journal(path)
    assert journal.key_of(request(request_id="doc-7")) == "doc-7"
    assert journal.key_of(request("other text", request_id="doc-7")) == "doc-7"
    journal.close()


def test_ids_of_other_types_are_told_apart(path: Path) -> None:
    ids: list[Any] = [5, "5", 5.0, True, (5,), uuid.UUID(int=5), ""]
    journal = Journal(path)
    keys = [journal.key_of(request(request_id=each)) for each in ids]
    journal.close()
    assert len(set(keys)) == len(ids)
    again = Journal(path)
    assert [again.key_of(request(request_id=each)) for each in ids] == keys
    again.close()


def test_generated_ids_are_recognised_by_what_is_asked_and_in_which_place(path: Path) -> None:
    journal, again = Journal(path), Journal(path.with_name("other"))
    keys = [journal.key_of(request(text)) for text in ("a", "a", "b", "a")]
    assert len(set(keys)) == 4
    assert [again.key_of(request(text)) for text in ("b", "a", "a", "a")] == [
        keys[2],
        keys[0],
        keys[1],
        keys[3],
    ]
    assert again.key_of(request("c")) not in keys
    journal.close()
    again.close()


def test_a_request_that_says_more_is_another_one(path: Path) -> None:
    journal = Journal(path)
    plain = journal.key_of(request())
    tiered = journal.key_of(request(service_tier={"type": "flex"}))
    journal.close()
    assert plain.rpartition(" ")[0] != tiered.rpartition(" ")[0]


# --- what was asked -------------------------------------------------------------------------------


def asked(path: Path, each: BedrockConverseRequest) -> str | None:
    """The answer that a journal has for a request; if none, one is put in."""
    journal = Journal(path)
    key = journal.key_of(each)
    found = journal.find(key)
    if found is None:
        journal.append(key, each.request_id, answer(f"to {each.messages}"))
    journal.close()
    return found.get_content() if found else None


def test_an_answer_is_given_to_the_same_content_only(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = request("one", request_id="a"), request("other", request_id="a")
    assert asked(path, one) is None
    assert asked(path, request("one", request_id="a", max_retries=7)) == f"to {one.messages}"
    assert caplog.records == []
    assert asked(path, other) is None
    (record,) = caplog.records
    assert record.getMessage() == (
        f"path={path} requests=1 | the journal has answers to other requests under these ids: "
        "asked again"
    )
    assert asked(path, other) == f"to {other.messages}"


def test_lines_that_do_not_say_what_was_asked_hold_for_any_content(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written(path, "a")
    assert b"content" not in path.read_bytes().partition(b'"response"')[0]
    assert asked(path, request("whatever", request_id="a")) == "to a"
    assert caplog.records == []


def test_what_is_asked_is_kept_as_digits_of_one_length(path: Path) -> None:
    asked(path, request("a secret " * 1000, request_id="a"))
    asked(path, request("generated"))
    given, generated = (json.loads(line) for line in path.read_bytes().splitlines())
    assert len(given["content"]) == 32
    assert int(given["content"], 16)
    assert "content" not in generated  # its key says it


def test_which_model_was_asked_and_with_which_defaults_is_no_part_of_it(
    bedrock: LocalBedrock, path: Path
) -> None:
    for model, most in (("Nova Lite", 10), ("Nova Pro", 20)):
        manager = ParallelLLMManager(
            [model],
            ["us-east-1"],
            catalog_refresh="never",
            default_inference_config={"maxTokens": most},
        )
        result = manager.converse_parallel([request(request_id="a"), request()], journal=path)
        used = {each.model_used for each in result.request_responses.values()}
        assert used == {"Nova Lite"}
    assert bedrock.count("Converse") == 2


# --- the file -------------------------------------------------------------------------------------


@posix_only
def test_nobody_else_may_read_the_file(path: Path) -> None:
    before = os.umask(0)
    try:
        written(path, "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_empty_file_is_a_journal(path: Path) -> None:
    path.touch()
    assert texts(path, "a") == [None]
    assert texts(path, "a") == [None]


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_wherever_a_write_is_torn_the_whole_answers_before_it_hold(
    path: Path, data: st.DataObject
) -> None:
    path.unlink(missing_ok=True)
    content = written(path, "a", "b", "c")
    first, second, _ = (len(line) for line in content.splitlines(keepends=True))
    length = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:length])
    # A line is whole even if nothing but its end is missing.
    ends = [first - 1, first + second - 1, len(content) - 1]
    expected = [
        f"to {key}" if length >= end else None for key, end in zip("abc", ends, strict=True)
    ]
    assert texts(path, "a", "b", "c") == expected
    # What is written after it is not harmed by what is left.
    journal = Journal(path)
    journal.append("d", "d", answer("to d"))
    journal.close()
    assert texts(path, "a", "b", "c", "d") == [*expected, "to d"]
    assert all(line.endswith(b"\n") for line in path.read_bytes().splitlines(keepends=True))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"no json",
        b"\xff\xfe",
        b"\x00" * 4096,
        b"[1, 2]",
        b"7",
        b"null",
        b"[" * 100_000,
        b'{"key": "b"}',
        b'{"key": 5, "response": {"success": true}}',
        b'{"key": "b", "response": null}',
        b'{"key": "b", "response": {"success": false}}',
    ],
    ids=lambda line: repr(line[:20]),
)
def test_a_damaged_line_costs_only_itself(
    path: Path, line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    first, last = written(path, "a", "c").splitlines()
    path.write_bytes(b"\n".join([first, line, last, b""]))
    assert texts(path, "a", "b", "c") == ["to a", None, "to c"]
    assert [record.getMessage() for record in caplog.records] == [
        f"path={path} lines=1 | lines of the journal are damaged: their requests are asked again"
    ]


def test_an_answer_that_is_none_is_asked_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written(path, "a")
    record = {"journal": 1, "key": "b", "response": {"success": True, "attempts": [7]}}
    with path.open("a") as file:
        file.write(json.dumps(record) + "\n")
    assert texts(path, "a", "b") == ["to a", None]
    assert "an answer in the journal is damaged" in caplog.text


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_crash_it_and_foreign_ones_are_left_alone(path: Path, content: bytes) -> None:
    logging.disable(logging.WARNING)
    path.write_bytes(content)
    try:
        journal = Journal(path)
    except ParallelProcessingError:
        assert path.read_bytes() == content
    else:
        journal.append("a", "a", answer())
        journal.close()
        assert texts(path, "a") == ["Hello"]
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    "content", [b"id,text\n1,Hello", b'{"messages": []}\n', b'{"key": "a", "text": "x"}', b"{"]
)
def test_a_file_of_somebody_else_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    if content == b"{":  # it may be all that a killed process wrote
        Journal(path).close()
        return
    with pytest.raises(ParallelProcessingError, match="is no journal of this library"):
        Journal(path)
    assert path.read_bytes() == content


def test_a_path_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "none" / "run.jsonl"
    with pytest.raises(ParallelProcessingError) as caught:
        Journal(missing)
    assert caught.value.message == (
        f"The journal {str(missing)!r} cannot be opened: there is no directory "
        f"{str(missing.parent)!r}; make it first"
    )
    with pytest.raises(ParallelProcessingError, match="cannot be opened: Is a directory"):
        Journal(tmp_path)


@posix_only
def test_a_link_to_nowhere_is_not_told_to_be_in_no_directory(path: Path) -> None:
    path.symlink_to(path.parent / "none" / "run.jsonl")
    with pytest.raises(ParallelProcessingError, match="cannot be opened: No such file"):
        Journal(path)


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(ParallelConfigurationError) as caught:
        Journal("")
    assert caught.value.message == "`journal` must name a file, got ''; None is for no journal"
    assert caught.value.invalid_parameter == "journal"


@posix_only
@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_what_is_no_regular_file_is_refused(path: Path, kind: str) -> None:
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    with pytest.raises(ParallelProcessingError, match="it is no regular file"):
        Journal(path)


def test_after_it_is_closed_nothing_can_be_written(path: Path) -> None:
    journal = Journal(path)
    journal.close()
    journal.close()
    with pytest.raises(ParallelProcessingError, match="cannot be written"):
        journal.append("a", "a", answer())


@posix_only
def test_two_processes_do_not_share_a_journal(path: Path) -> None:
    program = (
        "import sys\n"
        "from bestehorn_llmmanager.bedrock.parallel.journal import Journal\n"
        "journal = Journal(sys.argv[1])\n"
        "print('open', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(ParallelProcessingError, match="is in use by another run"):
            Journal(path)
        other.kill()
        other.wait()
    Journal(path).close()


@posix_only
def test_two_runs_of_a_process_do_not_share_a_journal(path: Path) -> None:
    journal = Journal(path)
    with pytest.raises(ParallelProcessingError, match="is in use by another run"):
        Journal(path)
    with pytest.raises(ParallelProcessingError, match="is in use by another run"):
        Journal(path)
    journal.append("a", "a", answer())
    journal.close()
    Journal(path).close()


@posix_only
def test_who_finds_a_journal_in_use_is_told_what_to_do(path: Path) -> None:
    with closing(Journal(path)), pytest.raises(ParallelProcessingError) as caught:
        Journal(path)
    assert caught.value.message == (
        f"The journal {str(path)!r} is in use by another run; let that end, or close its iterator "
        "(`close()`). Another file would not have the answers that are in this one"
    )


# --- forks ----------------------------------------------------------------------------------------

# What another library does: Python's own hooks are not called.
FORK_IN_C = """if True:
    import ctypes, os, sys
    from bestehorn_llmmanager.bedrock.parallel.journal import Journal

    journal = Journal(sys.argv[1])
    reading, writing = os.pipe()
    child = ctypes.PyDLL(None).fork()
    if not child:
        os.read(reading, 1)
        os._exit(0)
    journal.close()
    Journal(sys.argv[1]).close()
    os.write(writing, b"x")
    os.waitpid(child, 0)
"""

# The program is killed; its child lives until its input ends.
ORPHAN = """if True:
    import os, signal, sys
    from bestehorn_llmmanager.bedrock.parallel.journal import Journal

    journal = Journal(sys.argv[1])
    if not os.fork():
        print("forked", flush=True)
        sys.stdin.read()
        print("still here", flush=True)
        os._exit(0)
    signal.pause()
"""


@posix_only
def test_a_fork_that_python_does_not_know_of_does_not_keep_a_journal(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK_IN_C, path], capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")


@posix_only
def test_the_children_of_a_killed_program_do_not_keep_its_journal(path: Path) -> None:
    written(path, "a")
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        assert program.stdin is not None
        try:
            assert program.stdout.readline() == "forked\n"
            program.kill()
            program.wait()
            assert texts(path, "a") == ["to a"]
        finally:
            program.stdin.close()
        assert program.stdout.read() == "still here\n"


def test_a_child_has_the_journal_closed_and_its_parent_keeps_it(
    path: Path, in_child: Callable[[Callable[[], Any]], Any]
) -> None:
    journal = Journal(path)
    journal.append("a", "a", answer("to a"))

    def in_the_child() -> str:
        with pytest.raises(ParallelProcessingError, match="cannot be written") as caught:
            journal.append("b", "b", answer())
        # The number of the descriptor may be another file's now.
        with path.with_name("other").open("wb", buffering=0) as other:
            journal.close()
            other.write(b"x")
        return str(caught.value)

    assert "closed file" in in_child(in_the_child)
    with pytest.raises(ParallelProcessingError, match="is in use by another run"):
        Journal(path)
    journal.append("c", "c", answer("to c"))
    journal.close()
    assert texts(path, "a", "b", "c") == ["to a", None, "to c"]
    assert path.read_bytes().count(b"\n") == 2


def test_a_child_does_not_wait_for_what_a_thread_does_with_the_journal(
    path: Path, in_child: Callable[[Callable[[], Any]], Any]
) -> None:
    journal, stop = Journal(path), threading.Event()

    def write() -> None:
        while not stop.is_set():
            journal.append("a", "a", answer("x" * 100_000))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            in_child(journal.close)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    journal.close()
    assert texts(path, "a") == ["x" * 100_000]
    assert {json.loads(line)["key"] for line in path.read_bytes().splitlines()} == {"a"}


# --- a full disk ----------------------------------------------------------------------------------


def fill(journal: Journal, size: int, kept: list[str]) -> None:
    for number in range(1000):
        journal.append(str(number), number, answer("x" * size))
        kept.append(str(number))


@pytest.mark.parametrize("size", [1000, 50_000])
def test_a_full_disk_is_an_error_and_costs_nothing_that_was_kept(
    small_disk: Path, size: int
) -> None:
    path = small_disk / "run.jsonl"
    journal = Journal(path)
    kept: list[str] = []
    with pytest.raises(ParallelProcessingError, match="cannot be written: No space left on device"):
        fill(journal, size, kept)
    assert kept
    whole = path.read_bytes()
    assert whole.endswith(b"\n")
    assert whole.count(b"\n") == len(kept)
    found = journal.find("0")
    assert found is not None
    assert found.get_content() == "x" * size
    # What is smaller may still find room, on a line of its own.
    if size > 1000:
        journal.append("small", "small", answer("y"))
        journal.close()
        assert texts(path, "0", "small") == ["x" * size, "y"]
    journal.close()
