"""Keeps records on disk until it is known that all of them are good, and into which files they go."""

from __future__ import annotations

import hashlib
import io
import tempfile
from array import array
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from bestehorn_llmmanager.bedrock.exceptions.batch_exceptions import BatchError

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from typing_extensions import Self

    from bestehorn_llmmanager.bedrock.batch.limits import Part


class Spool:
    """Lines in a temporary file that nobody else can open; in memory is a number for each.

    Not to be shared between threads. Use as a context manager.

    Args:
        directory: Where the file is; None means the system's directory for such files.
    """

    def __init__(self, directory: str | os.PathLike[str] | None) -> None:
        self._directory = directory
        self._digest = hashlib.sha256()
        self._sizes = array("Q")
        self._ends = array("Q")

    def __enter__(self) -> Self:
        try:
            self._file = tempfile.TemporaryFile(dir=self._directory, prefix="bedrock-batch-")
        except OSError as error:
            raise self._error(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # A full disk: what is left to be written is not needed.
            self._file.close()

    @property
    def sizes(self) -> Sequence[int]:
        """Bytes of each line."""
        return self._sizes

    @property
    def digest(self) -> str:
        """SHA-256 of all lines with their ids, as hex digits."""
        return self._digest.hexdigest()

    def add(self, request_id: str, line: bytes) -> None:
        """Append a line, which ends in a line feed.

        Raises:
            BatchError: The disk is full, or cannot be written.
        """
        try:
            self._file.write(line)
        except OSError as error:
            raise self._error(error) from error
        self._digest.update(request_id.encode(errors="surrogatepass") + b"\0" + line)
        self._sizes.append(len(line))
        self._ends.append(len(line) + (self._ends[-1] if self._ends else 0))

    def content(self, part: Part) -> io.RawIOBase:
        """The lines of `part`, as a file to be read; one at a time."""
        start = self._ends[part.first - 1] if part.first else 0
        try:
            self._file.flush()
        except OSError as error:
            raise self._error(error) from error
        return _Section(self._file, start, self._ends[part.last - 1])

    def _error(self, error: OSError) -> BatchError:
        return BatchError(
            f"The requests cannot be kept on disk until they are uploaded: "
            f"{error.strerror or error}. `spool_directory` names another place."
        )


class _Section(io.RawIOBase):
    """A part of a file, as a file."""

    def __init__(self, file: IO[bytes], start: int, stop: int) -> None:
        self._file = file
        self._start = start
        self._size = stop - start
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def readall(self) -> bytes:
        return self.read(-1)

    def read(self, size: int = -1) -> bytes:
        left = max(self._size - self._position, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        self._file.seek(self._start + self._position)
        content = self._file.read(wanted)
        self._position += len(content)
        return content
