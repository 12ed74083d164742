"""Turns events into frames of `application/vnd.amazon.eventstream`."""

from __future__ import annotations

from binascii import crc32
from struct import pack

# https://smithy.io/2.0/aws/amazon-eventstream.html
_STRING_HEADER = 7
_PRELUDE_AND_CHECKSUMS = 16


def event_frame(event_type: str, payload: bytes) -> bytes:
    return _frame(
        {
            ":event-type": event_type,
            ":content-type": "application/json",
            ":message-type": "event",
        },
        payload,
    )


def exception_frame(exception_type: str, payload: bytes) -> bytes:
    return _frame(
        {
            ":exception-type": exception_type,
            ":content-type": "application/json",
            ":message-type": "exception",
        },
        payload,
    )


def with_broken_checksum(frame: bytes) -> bytes:
    """The same frame, its message checksum off by one bit."""
    return frame[:-1] + bytes([frame[-1] ^ 1])


def _frame(headers: dict[str, str], payload: bytes) -> bytes:
    header_block = b"".join(_header(name, value) for name, value in headers.items())
    total = _PRELUDE_AND_CHECKSUMS + len(header_block) + len(payload)
    prelude = pack(">II", total, len(header_block))
    message = prelude + pack(">I", crc32(prelude)) + header_block + payload
    return message + pack(">I", crc32(message))


def _header(name: str, value: str) -> bytes:
    encoded_name, encoded_value = name.encode(), value.encode()
    return (
        pack(">B", len(encoded_name))
        + encoded_name
        + pack(">BH", _STRING_HEADER, len(encoded_value))
        + encoded_value
    )
