"""Says in which of Bedrock's formats a file is."""

from __future__ import annotations

from bestehorn_llmmanager._lazy import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bestehorn_llmmanager.util.file_type_detector.base_detector import (
        BaseDetector,
        DetectionMethodEnum,
        DetectionResult,
    )
    from bestehorn_llmmanager.util.file_type_detector.file_type_detector import FileTypeDetector

__all__ = ["BaseDetector", "DetectionMethodEnum", "DetectionResult", "FileTypeDetector"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "BaseDetector": f"{__name__}.base_detector",
        "DetectionMethodEnum": f"{__name__}.base_detector",
        "DetectionResult": f"{__name__}.base_detector",
        "FileTypeDetector": f"{__name__}.file_type_detector",
        "base_detector": f"{__name__}.base_detector",
        "detector_constants": f"{__name__}.detector_constants",
        "file_type_detector": f"{__name__}.file_type_detector",
    },
)
