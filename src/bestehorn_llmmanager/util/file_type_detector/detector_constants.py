"""Lists file name extensions with Bedrock's names for the formats, and confidences."""

from __future__ import annotations

from typing import ClassVar


class DetectionConstants:
    """How sure a detection is: high for a signature, medium for a name or an uncertain content.

    Nothing depends on the other values.
    """

    HIGH_CONFIDENCE = 0.95
    MEDIUM_CONFIDENCE = 0.75
    LOW_CONFIDENCE = 0.5
    MIN_ACCEPTABLE_CONFIDENCE = 0.3
    MAGIC_BYTES_READ_SIZE = 64
    ZIP_HEADER_READ_SIZE = 1024
    CONTENT_TYPE_PRIORITIES: ClassVar[dict[str, int]] = {
        "content": 10,
        "extension": 5,
        "fallback": 1,
    }


class FileExtensionConstants:
    """Extension, in small letters, to format."""

    IMAGE_EXTENSIONS: ClassVar[dict[str, str]] = {
        ".jpg": "jpeg",
        ".jpeg": "jpeg",
        ".png": "png",
        ".gif": "gif",
        ".webp": "webp",
    }
    DOCUMENT_EXTENSIONS: ClassVar[dict[str, str]] = {
        ".pdf": "pdf",
        ".doc": "doc",
        ".docx": "docx",
        ".xls": "xls",
        ".xlsx": "xlsx",
        ".csv": "csv",
        ".txt": "txt",
        ".html": "html",
        ".htm": "html",
        ".md": "md",
        ".markdown": "md",
    }
    VIDEO_EXTENSIONS: ClassVar[dict[str, str]] = {
        ".mp4": "mp4",
        ".mov": "mov",
        ".webm": "webm",
        ".mkv": "mkv",
        ".flv": "flv",
        ".mpeg": "mpeg",
        ".mpg": "mpg",
        ".wmv": "wmv",
        ".3gp": "three_gp",
    }
    AUDIO_EXTENSIONS: ClassVar[dict[str, str]] = {
        ".mp3": "mp3",
        ".opus": "opus",
        ".wav": "wav",
        ".aac": "aac",
        ".flac": "flac",
        ".mp4": "mp4",
        ".ogg": "ogg",
        ".oga": "ogg",
        ".mkv": "mkv",
        ".mka": "mka",
        ".m4a": "m4a",
        ".mpeg": "mpeg",
        ".mpga": "mpga",
        ".pcm": "pcm",
        ".webm": "webm",
    }

    @classmethod
    def get_all_extensions(cls) -> set[str]:
        return {
            *cls.IMAGE_EXTENSIONS,
            *cls.DOCUMENT_EXTENSIONS,
            *cls.VIDEO_EXTENSIONS,
            *cls.AUDIO_EXTENSIONS,
        }
