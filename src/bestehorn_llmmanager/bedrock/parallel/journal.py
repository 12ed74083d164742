"""Keeps the answers of a run in a file, a JSON line each, so that the run can be resumed."""

from __future__ import annotations

import base64
import errno
import io
import json
import logging
import os
import stat
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager._fork import start_afresh_after_fork
from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import (
    ParallelConfigurationError,
    ParallelProcessingError,
)
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse, to_json_value

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest

logger = logging.getLogger(__name__)

_BEGINNING = b'{"journal": 1, "key": '
_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
_IN_USE = {errno.EACCES, errno.EAGAIN}


class Key(str):
    """What a journal knows a request by.

    Attributes:
        content: Digits of the request's `content_key`; None if the key itself has them.
    """

    __slots__ = ("content",)

    content: str | None

    def __new__(cls, text: str, content: str | None = None) -> Self:
        key = super().__new__(cls, text)
        key.content = content
        return key


class Journal:
    """Answers by the key of their request, in a file of mode 0600.

    The key is the id that the caller gave; an answer to another content under that id is not given
    (a line without digits of the content holds for any). A generated id differs from run to run;
    the key is then made of the content, and of a number where several requests have the same.

    The file holds whole answers: treat it as you treat those. Bytes are in it as in the API's own
    JSON, in base64; ``bytes`` of a line says in which places of its ``response``. What a killed
    process left unfinished at its end is cut off when the file is opened; damaged lines are passed
    over. Safe to share between threads; another run is kept out, of whatever process (not on
    Windows). A forked child has it closed.

    Args:
        path: The file; made if it does not exist.

    Raises:
        ParallelConfigurationError: The path is empty.
        ParallelProcessingError: The file cannot be read or written, is no journal, or another
            run has it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not os.fspath(path):
            raise ParallelConfigurationError(
                "`journal` must name a file, got ''; None is for no journal",
                invalid_parameter="journal",
                provided_value="",
            )
        self._path = Path(path)
        self._lock = threading.Lock()
        self._seen: dict[str, int] = {}
        self._offsets: dict[str, int] = {}
        self._mismatches = 0
        try:
            self._file = _open(self._path)
        except OSError as error:
            raise self._error("opened", error) from error
        start_afresh_after_fork(self)
        try:
            self._keep_others_out()
            self._read()
        except OSError as error:
            self.close()
            raise self._error("read", error) from error
        except BaseException:
            self.close()
            raise

    def _start_afresh(self) -> None:
        # A child that outlives its parent would keep the file locked. Only closed: to unlock it
        # here, as `close` does, would unlock it for the parent, too.
        self._lock = threading.Lock()
        with suppress(OSError):
            self._file.close()

    def key_of(self, request: BedrockConverseRequest) -> Key:
        """The key of the next request of a run; counts those of equal content."""
        content, name = request.content_key[:32], request.request_id
        if request.has_generated_id:
            number = self._seen[content] = self._seen.get(content, 0) + 1
            return Key(f"content {content} {number}")
        return Key(name if isinstance(name, str) else f"{type(name).__name__} {name!r}", content)

    def find(self, key: str) -> BedrockResponse | None:
        """The answer that was kept, or None.

        Raises:
            ParallelProcessingError: The disk cannot be read.
        """
        offset = self._offsets.get(key)
        if offset is None:
            return None
        try:
            line = self._line_at(offset)
        except OSError as error:
            raise self._error("read", error) from error
        try:
            record = json.loads(line)
            if _differ(record.get("content"), _content_of(key)):
                with self._lock:
                    self._mismatches += 1
                return None
            response = record["response"]
            for place in record.get("bytes", ()):
                _restore_bytes(response, place)
            return BedrockResponse.from_dict(response)
        except _UNREADABLE:
            logger.warning("offset=%d | an answer in the journal is damaged: asked again", offset)
            return None

    def append(self, key: str, request_id: object, response: BedrockResponse) -> None:
        """Keep an answer. When this returns, killing the process does not harm it any more.

        Raises:
            ParallelProcessingError: The disk is full, or the file is closed.
        """
        try:
            content = _content_of(key)
            record = {
                "journal": 1,
                "key": key,
                "request_id": request_id,
                **({"content": content} if content else {}),
                "response": response.to_dict(),
            }
            line = _to_json(record).encode() + b"\n"
            with self._lock:
                self._offsets[str(key)] = self._write(line)
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise self._error("written", error) from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if sys.platform != "win32" and not self._file.closed:
                with suppress(OSError):  # what forked without Python has the file open, too
                    fcntl.flock(self._file, fcntl.LOCK_UN)
            self._file.close()
            mismatches, self._mismatches = self._mismatches, 0
        if mismatches:
            logger.warning(
                "path=%s requests=%d | the journal has answers to other requests under these ids: "
                "asked again",
                self._path,
                mismatches,
            )

    def _line_at(self, offset: int) -> bytes:
        with self._lock:
            reader = io.BufferedReader(self._file)
            try:
                reader.seek(offset)
                return reader.readline()
            finally:
                reader.detach()

    def _write(self, line: bytes) -> int:
        """Write all of `line` or nothing; gives where it begins."""
        start = self._file.seek(0, os.SEEK_END)
        if self._file.write(line) != len(line):
            self._file.truncate(start)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return start

    def _keep_others_out(self) -> None:
        if sys.platform == "win32":
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Other errors: a file system without locks.
            if error.errno in _IN_USE:
                raise ParallelProcessingError(
                    f"The journal {str(self._path)!r} is in use by another run; let that end, or "
                    "close its iterator (`close()`). Another file would not have the answers "
                    "that are in this one"
                ) from error

    def _read(self) -> None:
        """Find where each answer stands. Mends the end of the file."""
        offset = damaged = 0
        first = line = b""
        self._file.seek(0)
        reader = io.BufferedReader(self._file)
        for line in reader:
            first = first or line
            key = _key_in(line)
            if key is not None:
                self._offsets[key] = offset
            damaged += key is None and line.endswith(b"\n")
            offset += len(line)
        reader.detach()
        if not self._offsets and not _may_be_ours(first):
            raise ParallelProcessingError(
                f"{str(self._path)!r} is no journal of this library; give another path"
            )
        if damaged:
            logger.warning(
                "path=%s lines=%d | lines of the journal are damaged: their requests "
                "are asked again",
                self._path,
                damaged,
            )
        if line and not line.endswith(b"\n"):
            self._mend(line, offset - len(line))

    def _mend(self, last: bytes, offset: int) -> None:
        """Complete the last line if only its end is missing, else cut it off."""
        if _key_in(last) is None:
            self._file.truncate(offset)
        else:
            self._write(b"\n")

    def _error(self, what: str, error: Exception) -> ParallelProcessingError:
        said = error.strerror if isinstance(error, OSError) else None
        directory = self._path.parent
        if isinstance(error, FileNotFoundError) and not directory.exists():
            said = f"there is no directory {str(directory)!r}; make it first"
        return ParallelProcessingError(
            f"The journal {str(self._path)!r} cannot be {what}: {said or error}"
        )


def _open(path: Path) -> io.FileIO:
    file = io.FileIO(path, "a+", opener=lambda name, flags: os.open(name, flags, 0o600))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is no regular file")
    return file


def _to_json(record: dict[str, Any]) -> str:
    try:
        return json.dumps(record)
    except TypeError:  # it has bytes, or what is kept as text
        places = list(_places_of_bytes(record["response"]))
        marked = {**record, "bytes": places} if places else record
        return json.dumps(marked, default=to_json_value)


def _places_of_bytes(value: Any, *way: str | int) -> Iterator[tuple[str | int, ...]]:
    """The names and numbers that lead to each value that is text in JSON, and bytes here."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        yield way
    elif isinstance(value, dict):
        for name, each in value.items():
            text = name if isinstance(name, str) else json.dumps(name)
            yield from _places_of_bytes(each, *way, text)
    elif isinstance(value, (list, tuple)):
        for number, each in enumerate(value):
            yield from _places_of_bytes(each, *way, number)


def _restore_bytes(value: Any, place: list[str | int]) -> None:
    *way, last = place
    for step in way:
        value = value[step]
    value[last] = base64.b64decode(value[last], validate=True)


def _content_of(key: str) -> str | None:
    return key.content if isinstance(key, Key) else None


def _differ(kept: Any, content: str | None) -> bool:
    return kept is not None and content is not None and kept != content


def _key_in(line: bytes) -> str | None:
    """The key of an answer; None if the line holds none."""
    try:
        record: Any = json.loads(line)
        key, succeeded = record["key"], record["response"]["success"]
    except _UNREADABLE:
        return None
    return key if isinstance(key, str) and succeeded is True else None


def _may_be_ours(line: bytes) -> bool:
    """Whether the first line of a file, or what a killed process left of it, was written here."""
    return line[: len(_BEGINNING)] == _BEGINNING[: len(line)]
