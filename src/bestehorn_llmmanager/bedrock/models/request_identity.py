"""Gives requests ids that are unique in the process, and keys that say what they contain."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager._fork import start_afresh_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable


def new_request_id(*content: Any) -> str:
    """An id that nothing else in this process has: ``req_<12 hex digits>_<microseconds>``.

    The digits are the beginning of `content_digest(content)`, the microseconds count from the
    epoch to about now.
    """
    return f"req_{content_digest(content)[:12]}_{_microseconds.next()}"


def content_digest(content: Any) -> str:
    """The SHA-256 of `content` as 64 hex digits: the same in every process.

    The order of keys says nothing; bytes are hashed where they are. What has no stable form
    (a dict that contains itself, keys of several types) gets digits that nothing else has.
    """
    try:
        text = _encode(content)
    except Exception:  # noqa: BLE001  (no request must fail for what cannot be sent anyway)
        text = uuid.uuid4().hex
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _stand_in(value: Any) -> Any:
    """What represents a value that JSON does not have."""
    if isinstance(value, memoryview):
        value = value.tobytes()
    if isinstance(value, (bytes, bytearray)):
        return ["bytes", hashlib.sha256(value).hexdigest()]
    return [type(value).__qualname__, vars(value) if is_dataclass(value) else str(value)]


_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, default=_stand_in).encode


class UniqueMicroseconds:
    """A clock of which no two readings are equal. Safe to share between threads.

    Args:
        now: Nanoseconds since the epoch.
    """

    def __init__(self, now: Callable[[], int] = time.time_ns) -> None:
        self._now = now
        self._last = 0
        self._start_afresh()
        start_afresh_after_fork(self)

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()

    def next(self) -> int:
        """Microseconds since the epoch; later than it is where readings come too fast."""
        now = self._now() // 1000
        with self._lock:
            self._last = max(now, self._last + 1)
            return self._last


_microseconds = UniqueMicroseconds()
