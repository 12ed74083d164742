"""Helpers for applications: what a file is, and how a streamed answer looks in a terminal."""

from __future__ import annotations

from bestehorn_llmmanager._lazy import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bestehorn_llmmanager.util.file_type_detector.base_detector import DetectionResult
    from bestehorn_llmmanager.util.file_type_detector.file_type_detector import FileTypeDetector
    from bestehorn_llmmanager.util.streaming_display import (
        StreamingDisplayFormatter,
        display_recovery_information,
        display_streaming_response,
        display_streaming_summary,
    )

__all__ = [
    "DetectionResult",
    "FileTypeDetector",
    "StreamingDisplayFormatter",
    "display_recovery_information",
    "display_streaming_response",
    "display_streaming_summary",
]

_DETECTOR = "bestehorn_llmmanager.util.file_type_detector"
_DISPLAY = "bestehorn_llmmanager.util.streaming_display"

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "DetectionResult": f"{_DETECTOR}.base_detector",
        "FileTypeDetector": f"{_DETECTOR}.file_type_detector",
        "StreamingDisplayFormatter": _DISPLAY,
        "display_recovery_information": _DISPLAY,
        "display_streaming_response": _DISPLAY,
        "display_streaming_summary": _DISPLAY,
        "file_type_detector": _DETECTOR,
        "streaming_display": _DISPLAY,
    },
)
