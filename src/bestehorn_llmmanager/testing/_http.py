"""Reads HTTP/1.1 requests from a socket and writes the answers to it."""

# Why not `http.server`: it parses headers with `email.parser` and writes unbuffered, which costs
# more per request than everything else that LocalBedrock does; and its faults (reset, silence,
# half an answer) need the socket anyway.

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_HEAD = 1 << 16
_READ_SIZE = 1 << 16
_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus
}


class BadRequestError(Exception):
    """The bytes received are no HTTP/1.1 request."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request; header names are in lower case, the path is still percent-encoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


class HttpConnection:
    """One client's connection. Belongs to one thread, except for `shut_down`."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._unread = bytearray()
        self.number = number

    def read_request(self) -> HttpRequest | None:
        """The next request, or None once the client has closed the connection.

        Raises:
            BadRequestError: What arrived cannot be read as HTTP/1.1.
        """
        head = self._read_head()
        if head is None:
            return None
        request_line, _, header_lines = head.partition("\r\n")
        try:
            method, target, _version = request_line.split(" ")
        except ValueError:
            raise BadRequestError(f"Not an HTTP request line: {request_line[:80]!r}") from None
        headers = _parse_headers(header_lines)
        path, _, query = target.partition("?")
        return HttpRequest(method, path, query, headers, self._read_body(headers))

    def send(self, status: int, headers: Mapping[str, str], body: bytes, *, head: bool) -> None:
        """Send a whole answer; with `head` (an answer to HEAD) its body stays here."""
        start = _answer_head(status, {**headers, "Content-Length": str(len(body))})
        self._socket.sendall(start if head else start + body)

    def send_half(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Announce the whole answer, but send only the first half of its body."""
        start = _answer_head(status, {**headers, "Content-Length": str(len(body))})
        self._socket.sendall(start + body[: len(body) // 2])

    def start_chunks(self, status: int, headers: Mapping[str, str]) -> None:
        self._socket.sendall(_answer_head(status, {**headers, "Transfer-Encoding": "chunked"}))

    def send_chunk(self, data: bytes) -> None:
        self._socket.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def end_chunks(self) -> None:
        self._socket.sendall(b"0\r\n\r\n")

    def wait(self, seconds: float | None) -> bool:
        """Stay silent for `seconds` (None: for ever); False as soon as the client has gone.

        A client that sends its next request meanwhile ends the silence: none of ours does.
        """
        if seconds is not None and seconds <= 0:
            return True
        self._socket.settimeout(seconds)
        try:
            return self._receive()
        except TimeoutError:
            return True
        except OSError:
            return False
        finally:
            self._socket.settimeout(None)

    def abort(self) -> None:
        """Make the following `close` a reset (RST) instead of an orderly end (FIN)."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def shut_down(self) -> None:
        """Wake the thread that reads or writes here; for other threads to call."""
        with suppress(OSError):  # The client was faster.
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()

    def _read_head(self) -> str | None:
        while (end := self._unread.find(b"\r\n\r\n")) < 0:
            if len(self._unread) > _MAX_HEAD:
                raise BadRequestError(f"Request head longer than {_MAX_HEAD} bytes")
            if not self._receive():
                return None
        return self._take(end + 4)[:-4].decode("latin-1")

    def _read_body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("expect", "").lower() == "100-continue":
            self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._read_chunks()
        return self._read_exactly(_number(headers.get("content-length", "0"), base=10))

    def _read_chunks(self) -> bytes:
        parts: list[bytes] = []
        while size := _number(self._read_line().partition(";")[0], base=16):
            parts.append(self._read_exactly(size))
            self._read_line()
        while self._read_line():  # Trailers carry nothing that we need.
            pass
        return b"".join(parts)

    def _read_line(self) -> str:
        while (end := self._unread.find(b"\r\n")) < 0:
            self._receive_or_fail()
        return self._take(end + 2)[:-2].decode("latin-1")

    def _read_exactly(self, size: int) -> bytes:
        while len(self._unread) < size:
            self._receive_or_fail()
        return self._take(size)

    def _receive_or_fail(self) -> None:
        if not self._receive():
            raise BadRequestError("The connection ended within a request")

    def _receive(self) -> bool:
        received = self._socket.recv(_READ_SIZE)
        self._unread += received
        return bool(received)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._unread[:size])
        del self._unread[:size]
        return taken


def _parse_headers(lines: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in filter(None, lines.split("\r\n")):
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequestError(f"Not a header line: {line[:80]!r}")
        headers[name.lower()] = value.strip()
    return headers


def _number(text: str, *, base: int) -> int:
    try:
        number = int(text, base)
    except ValueError:
        raise BadRequestError(f"Not a length: {text[:80]!r}") from None
    if number < 0:
        raise BadRequestError(f"Not a length: {text[:80]!r}")
    return number


def _answer_head(status: int, headers: Mapping[str, str]) -> bytes:
    line = _STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{line}{fields}\r\n".encode("latin-1")
