"""States the limits and the formats of messages."""

from __future__ import annotations

from typing import ClassVar

from bestehorn_llmmanager.message_builder_enums import (
    AudioFormatEnum,
    DocumentFormatEnum,
    ImageFormatEnum,
    VideoFormatEnum,
)


class MessageBuilderConfig:
    """What `MessageBuilder` refuses beyond. Nothing depends on the values after the sizes."""

    MAX_CONTENT_BLOCKS_PER_MESSAGE = 100
    MAX_IMAGE_SIZE_BYTES = 3_750_000
    MAX_DOCUMENT_SIZE_BYTES = 4_500_000
    MAX_VIDEO_SIZE_BYTES = 100_000_000
    MAX_AUDIO_SIZE_BYTES = 100_000_000
    DEFAULT_DETECTION_CONFIDENCE = 0.95
    MIN_DETECTION_CONFIDENCE = 0.5
    MAGIC_BYTES_READ_SIZE = 32
    EXTENSION_DETECTION_ENABLED = True
    CONTENT_DETECTION_ENABLED = True


class MessageBuilderFields:
    """Names that 0.9.0 used; nothing depends on them."""

    ROLE = "role"
    CONTENT_BLOCKS = "content_blocks"
    FILENAME = "filename"
    DETECTED_FORMAT = "detected_format"
    DETECTION_METHOD = "detection_method"
    CONFIDENCE = "confidence"


class SupportedFormats:
    """The values of the format enums."""

    IMAGE_FORMATS: ClassVar[list[str]] = [member.value for member in ImageFormatEnum]
    DOCUMENT_FORMATS: ClassVar[list[str]] = [member.value for member in DocumentFormatEnum]
    VIDEO_FORMATS: ClassVar[list[str]] = [member.value for member in VideoFormatEnum]
    AUDIO_FORMATS: ClassVar[list[str]] = [member.value for member in AudioFormatEnum]

    @classmethod
    def get_all_supported_formats(cls) -> dict[str, list[str]]:
        """The formats by kind: ``"image"``, ``"document"``, ``"video"``; sound stands apart."""
        return {
            "image": cls.IMAGE_FORMATS.copy(),
            "document": cls.DOCUMENT_FORMATS.copy(),
            "video": cls.VIDEO_FORMATS.copy(),
        }
