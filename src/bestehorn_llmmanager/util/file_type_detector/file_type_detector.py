"""Tells the format of a file from its content and its name."""

from __future__ import annotations

import logging
from pathlib import PurePath
from typing import TYPE_CHECKING

from bestehorn_llmmanager.util.file_type_detector.base_detector import (
    BaseDetector,
    DetectionMethodEnum,
    DetectionResult,
)
from bestehorn_llmmanager.util.file_type_detector.detector_constants import (
    DetectionConstants,
    FileExtensionConstants,
)
from bestehorn_llmmanager.util.file_type_detector.signatures import recognise

if TYPE_CHECKING:
    from bestehorn_llmmanager.util.file_type_detector.signatures import Recognised

logger = logging.getLogger(__name__)

_EXTENSIONS = {
    "image": FileExtensionConstants.IMAGE_EXTENSIONS,
    "document": FileExtensionConstants.DOCUMENT_EXTENSIONS,
    "video": FileExtensionConstants.VIDEO_EXTENSIONS,
    "audio": FileExtensionConstants.AUDIO_EXTENSIONS,
}
# Shorter content is not looked at.
_LEAST_BYTES = {"image": 8, "document": 4, "video": 12, "audio": 4}
_DISAGREEMENT = 0.9


class FileTypeDetector(BaseDetector):
    """Knows the formats that Bedrock takes. Safe to share between threads; it has no state.

    The content counts: a name decides only where the content has no signature (txt, csv, md, pcm)
    or leaves a choice (mpeg or mpg). Where the two disagree, the content wins, with less
    confidence and a WARNING record.
    """

    def detect_image_format(self, content: bytes, filename: str | None = None) -> DetectionResult:
        """``"jpeg"``, ``"png"``, ``"gif"`` or ``"webp"``."""
        return _detect("image", content, filename)

    def detect_document_format(
        self, content: bytes, filename: str | None = None
    ) -> DetectionResult:
        """``"pdf"``, ``"doc"``, ``"docx"``, ``"xls"``, ``"xlsx"`` or ``"html"``.

        By its name alone, also ``"csv"``, ``"txt"`` or ``"md"``: these have no signature.
        """
        return _detect("document", content, filename)

    def detect_video_format(self, content: bytes, filename: str | None = None) -> DetectionResult:
        """One of the values of `VideoFormatEnum`."""
        return _detect("video", content, filename)

    def detect_audio_format(self, content: bytes, filename: str | None = None) -> DetectionResult:
        """One of the values of `AudioFormatEnum`; ``"pcm"``, which has no signature, by name."""
        return _detect("audio", content, filename)


def _detect(kind: str, content: bytes, filename: str | None) -> DetectionResult:
    if not isinstance(content, bytes) or not content:
        return _failure(
            f"The content must be bytes and not empty, got {type(content).__name__}",
            DetectionMethodEnum.CONTENT,
            filename,
        )
    extension = PurePath(filename or "").suffix.lower()
    named = _EXTENSIONS[kind].get(extension)
    found = recognise(kind, content) if len(content) >= _LEAST_BYTES[kind] else None
    if named and found:
        return _of_both(named, found, filename)
    if found:
        return _of_content(found, filename)
    if named:
        return DetectionResult(
            named,
            DetectionConstants.MEDIUM_CONFIDENCE,
            DetectionMethodEnum.EXTENSION,
            filename,
            metadata={"extension": extension},
        )
    return _failure(
        f"Neither the content nor the name of {repr(filename) if filename else 'the file'} is "
        f"that of a known {kind} format",
        DetectionMethodEnum.COMBINED,
        filename,
    )


def _of_content(found: Recognised, filename: str | None) -> DetectionResult:
    return DetectionResult(
        found.formats[0],
        _confidence(found),
        DetectionMethodEnum.CONTENT,
        filename,
        metadata={"magic_bytes": found.magic.hex()},
    )


def _of_both(named: str, found: Recognised, filename: str | None) -> DetectionResult:
    if named in found.formats:
        return DetectionResult(
            named,
            DetectionConstants.HIGH_CONFIDENCE,
            DetectionMethodEnum.COMBINED,
            filename,
            metadata={
                "extension_confidence": DetectionConstants.MEDIUM_CONFIDENCE,
                "content_confidence": _confidence(found),
                "agreement": True,
            },
        )
    chosen = found.formats[0]
    logger.warning(
        "filename=%r name=%s content=%s | name and content disagree, the content counts",
        filename,
        named,
        chosen,
    )
    return DetectionResult(
        chosen,
        _confidence(found) * _DISAGREEMENT,
        DetectionMethodEnum.COMBINED,
        filename,
        metadata={
            "extension_format": named,
            "content_format": chosen,
            "agreement": False,
            "chosen_method": "content",
        },
    )


def _confidence(found: Recognised) -> float:
    certain, uncertain = DetectionConstants.HIGH_CONFIDENCE, DetectionConstants.MEDIUM_CONFIDENCE
    return certain if found.certain else uncertain


def _failure(message: str, method: DetectionMethodEnum, filename: str | None) -> DetectionResult:
    return DetectionResult("unknown", 0.0, method, filename, error_message=message)
