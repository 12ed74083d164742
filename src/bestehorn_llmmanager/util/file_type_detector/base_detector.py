"""Defines what a detector answers, and to which questions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import Any


class DetectionMethodEnum(str, Enum):
    """What a detected format was read from."""

    EXTENSION = "extension"
    CONTENT = "content"
    COMBINED = "combined"
    MANUAL = "manual"


@dataclass(frozen=True)
class DetectionResult:
    """The format of a file, as far as it can be told.

    Attributes:
        detected_format: As Bedrock writes it, for example ``"jpeg"``; ``"unknown"`` if it cannot
            be told.
        confidence: From 0 to 1.
        filename: As it was given.
        error_message: Why the format cannot be told; holds nothing of the content.
        metadata: What the answer rests on: the extension, the signature in hexadecimal digits, or
            how the two compare.
    """

    detected_format: str
    confidence: float
    detection_method: DetectionMethodEnum
    filename: str | None = None
    error_message: str | None = None
    metadata: dict[str, Any] | None = None

    @property
    def is_successful(self) -> bool:
        return self.error_message is None and self.confidence > 0

    @property
    def is_high_confidence(self) -> bool:
        """Whether the confidence is at least 0.8."""
        return self.confidence >= 0.8  # noqa: PLR2004

    def __str__(self) -> str:
        outcome = "successful" if self.is_successful else "failed"
        return (
            f"DetectionResult({outcome}: {self.detected_format}, "
            f"confidence={self.confidence:.2f}, method={self.detection_method.value})"
        )


class BaseDetector(ABC):
    """What a detector can be asked. The answer to bad content is a failed result, never an error."""

    @abstractmethod
    def detect_image_format(self, content: bytes, filename: str | None = None) -> DetectionResult:
        """The format of an image."""

    @abstractmethod
    def detect_document_format(
        self, content: bytes, filename: str | None = None
    ) -> DetectionResult:
        """The format of a document."""

    @abstractmethod
    def detect_video_format(self, content: bytes, filename: str | None = None) -> DetectionResult:
        """The format of a video."""
