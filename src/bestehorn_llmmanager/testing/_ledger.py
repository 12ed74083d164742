"""Counts what LocalBedrock has served."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """One request as LocalBedrock saw it.

    Attributes:
        operation: Name in the service model, or ``"UnknownOperation"``.
        region: None if the request did not say.
        model_id: As sent, decoded; None for the operations without one.
        status: HTTP status of the answer; None where a fault kept it from being sent.
        time: Seconds since the epoch when the request had been read.
        connection: Number of the TCP connection, from 1.
        fault: Kind of the fault that was applied.
        body: The JSON body, with `record_bodies=True` only.
    """

    operation: str
    region: str | None
    model_id: str | None
    status: int | None
    time: float
    connection: int
    fault: str | None = None
    body: Mapping[str, Any] | None = field(default=None, repr=False)


class Ledger:
    """Safe to share between threads; one lock guards everything."""

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._served: deque[ServedRequest] = deque(maxlen=size)
        self._counts: Counter[tuple[str, str | None, str | None]] = Counter()
        self._connections: defaultdict[str, set[int]] = defaultdict(set)
        self._errors: list[str] = []

    def add(self, served: ServedRequest, *, control_plane: bool) -> None:
        with self._lock:
            self._served.append(served)
            self._counts[served.operation, served.region, served.model_id] += 1
            if control_plane and served.region is not None:
                self._connections[served.region].add(served.connection)

    def add_error(self, error: str) -> None:
        with self._lock:
            self._errors.append(error)

    def served(self) -> tuple[ServedRequest, ...]:
        with self._lock:
            return tuple(self._served)

    def errors(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._errors)

    def count(self, operation: str | None, region: str | None, model_id: str | None) -> int:
        wanted = (operation, region, model_id)
        with self._lock:
            return sum(
                number
                for key, number in self._counts.items()
                if all(want in {None, have} for want, have in zip(wanted, key, strict=True))
            )

    def connections_by_region(self) -> dict[str, int]:
        with self._lock:
            return {region: len(numbers) for region, numbers in self._connections.items()}

    def clear(self) -> None:
        with self._lock:
            self._served.clear()
            self._counts.clear()
            self._connections.clear()
            self._errors.clear()
