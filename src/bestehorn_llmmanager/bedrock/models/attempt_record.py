"""One sending of a request: where it went, how long it took, and what was decided after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class AttemptRecord:
    """One line of `attempt_log`.

    Attributes:
        model: The model as the caller wrote it.
        region: The region that was called.
        access_method: ``"direct"``, ``"regional_cris"`` or ``"global_cris"``.
        model_id: The model id, profile id or ARN that was sent.
        started_at: When it was sent, in UTC.
        duration_ms: Milliseconds until the answer or the error; for a stream until its end.
        pause_ms: Milliseconds that were waited before it.
        decision: ``"answered"``, or what was decided about the error: a value of `Decision`.
        error: What came instead of an answer, or None. It may quote the request: not in the `repr`.
    """

    model: str
    region: str
    access_method: str
    model_id: str
    started_at: datetime
    duration_ms: float
    pause_ms: float
    decision: str
    error: Exception | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The fields under their names; the time as ISO 8601, the error as text."""
        return {
            **vars(self),
            "started_at": self.started_at.isoformat(),
            "error": None if self.error is None else str(self.error),
        }
