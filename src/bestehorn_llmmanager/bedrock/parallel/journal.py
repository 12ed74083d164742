"""Keeps the finished results of a run in a file, a JSON line each, so that it can be resumed."""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import ParallelProcessingError
from bestehorn_llmmanager.bedrock.models.bedrock_response import BedrockResponse, to_json_value

if TYPE_CHECKING:
    from bestehorn_llmmanager.bedrock.models.parallel_structures import BedrockConverseRequest

logger = logging.getLogger(__name__)


class Journal:
    """Results by the key of their request, in a file of mode 0600.

    The key is the id that the caller gave. A generated id differs from run to run; the key is then
    made of the content, and of a number where several requests have the same.

    The file holds whole answers: treat it as you treat those. A line that a killed process left
    unfinished is dropped when the file is opened. Safe to share between threads; not between
    processes, which take one file each.

    Args:
        path: The file; made if it does not exist.

    Raises:
        ParallelProcessingError: The file cannot be read or written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._seen: dict[str, int] = {}
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            self._done = self._read()
        except OSError as error:
            raise self._error("opened", error) from error

    def key_of(self, request: BedrockConverseRequest) -> str:
        """The key of the next request of a run; counts those of equal content."""
        if not request.has_generated_id:
            return str(request.request_id)
        content = request.content_key
        number = self._seen[content] = self._seen.get(content, 0) + 1
        return f"{content}/{number}"

    def __contains__(self, key: str) -> bool:
        """Whether the request has been answered; those that failed are tried again."""
        return key in self._done

    def response(self, key: str) -> BedrockResponse:
        """The answer that was kept.

        Raises:
            KeyError: There is none.
        """
        offset, length = self._done[key]
        with self._lock:
            line = os.pread(self._file, length, offset)
        return BedrockResponse.from_dict(json.loads(line)["response"])

    def append(self, key: str, request_id: str, response: BedrockResponse) -> None:
        """Keep one result. It is on its way to the disk when this returns.

        Raises:
            ParallelProcessingError: The disk is full, or the file has gone.
        """
        record = {"key": key, "request_id": request_id, "response": response.to_dict()}
        line = json.dumps(record, default=to_json_value).encode() + b"\n"
        with self._lock:
            start = os.lseek(self._file, 0, os.SEEK_END)
            try:
                written = os.write(self._file, line)
            except OSError as error:
                raise self._error("written", error) from error
            if written != len(line):
                os.ftruncate(self._file, start)
                raise self._error("written", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
            if response.success:
                self._done[key] = start, len(line)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def _read(self) -> dict[str, tuple[int, int]]:
        """Where each answer stands. Cuts off what is no whole line."""
        done: dict[str, tuple[int, int]] = {}
        offset = 0
        with self._path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    os.ftruncate(self._file, offset)
                    break
                record = _parsed(line)
                if record is None:
                    logger.warning("offset=%d | a line of the journal is no result", offset)
                elif record["response"].get("success"):
                    done[record["key"]] = offset, len(line)
                offset += len(line)
        return done

    def _error(self, what: str, error: OSError) -> ParallelProcessingError:
        return ParallelProcessingError(
            f"The journal {str(self._path)!r} cannot be {what}: {error.strerror or error}"
        )


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    is_result = (
        isinstance(record, dict)
        and isinstance(record.get("key"), str)
        and isinstance(record.get("response"), dict)
    )
    return record if is_result else None
