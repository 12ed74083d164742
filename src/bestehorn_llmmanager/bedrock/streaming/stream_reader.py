"""Reads an event stream of botocore, and ends the waiting for its next event."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import StreamingError
from bestehorn_llmmanager.bedrock.retry.decisions import is_from_aws

if TYPE_CHECKING:
    from collections.abc import Iterator


class BrokenStreamError(Exception):
    """A stream could not be opened, or broke; for use between the modules of this room.

    Attributes:
        error: What happened.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class StreamReader:
    """Gives the events of one stream, and waits for them no longer than it may.

    botocore can neither bound a single reading nor end one in which another thread waits. The
    socket can do both; where there is none to be had, the read timeout of the client holds.

    Belongs to one thread, except for `shut_down`.

    Args:
        stream: What `converse_stream` returned.
        idle_timeout: Seconds to wait for an event; None means the read timeout of the client.
        ends_at: Monotonic time at which nothing is waited for any more; None means never.
    """

    def __init__(
        self, stream: Any, *, idle_timeout: float | None = None, ends_at: float | None = None
    ) -> None:
        self._stream = stream
        self._ends_at = ends_at
        self._bounded: Any = None
        if idle_timeout is not None or ends_at is not None:
            self._bounded = self._socket()
        if self._bounded is not None:
            self._usual_timeout = self._bounded.gettimeout()
            self._patience = idle_timeout or self._usual_timeout
            self._bounded.settimeout(self._patience)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The events.

        Raises:
            BrokenStreamError: There is no next one, or not in time.
        """
        try:
            if self._ends_at is not None:
                self._keep_to(self._ends_at)
            for event in self._stream:
                if self._ends_at is not None:
                    self._keep_to(self._ends_at)
                yield event
        except Exception as error:  # noqa: BLE001  (what botocore's parser raises for nonsense)
            raise BrokenStreamError(self._explained(error)) from None

    def _explained(self, error: Exception) -> Exception:
        if self._ends_at is not None and time.monotonic() >= self._ends_at:
            explained = StreamingError("The time for the whole answer is up.")
        elif is_from_aws(error):
            return error
        else:
            explained = StreamingError("The stream brought something that botocore cannot read.")
        explained.__cause__ = error
        return explained

    def shut_down(self) -> None:
        """Wake the thread that waits for an event; the other end notices, too."""
        from socket import SHUT_RDWR  # noqa: PLC0415

        sock = self._socket()
        if sock is not None:
            with suppress(OSError):  # it is closed already
                sock.shutdown(SHUT_RDWR)

    def close(self) -> None:
        """Close the connection, or leave it to the next request if all was read."""
        with suppress(OSError):
            self._stream.close()
        if self._bounded is not None:
            with suppress(OSError):  # it is closed
                self._bounded.settimeout(self._usual_timeout)

    def _socket(self) -> Any:
        """The socket while the stream has it; None when it is free again."""
        connection = getattr(getattr(self._stream, "_raw_stream", None), "connection", None)
        return getattr(connection, "sock", None)

    def _keep_to(self, ends_at: float) -> None:
        left = ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if self._bounded is not None and (self._patience is None or left < self._patience):
            self._bounded.settimeout(left)
