"""Names the roles, formats and other closed sets that messages are built from."""

from __future__ import annotations

from enum import Enum

from bestehorn_llmmanager.bedrock.models.cache_point import CachePointTTLEnum
from bestehorn_llmmanager.util.file_type_detector.base_detector import DetectionMethodEnum

__all__ = [
    "AudioFormatEnum",
    "CachePointTTLEnum",
    "DetectionMethodEnum",
    "DocumentFormatEnum",
    "GuardContentQualifierEnum",
    "ImageFormatEnum",
    "RolesEnum",
    "ToolResultStatusEnum",
    "VideoFormatEnum",
]


class RolesEnum(str, Enum):
    """Whose message it is. `SYSTEM` messages add and remove tools in mid-conversation."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"

    def __str__(self) -> str:
        return self.value


class ImageFormatEnum(str, Enum):
    """The formats of images."""

    JPEG = "jpeg"
    PNG = "png"
    GIF = "gif"
    WEBP = "webp"


class DocumentFormatEnum(str, Enum):
    """The formats of documents."""

    PDF = "pdf"
    CSV = "csv"
    DOC = "doc"
    DOCX = "docx"
    XLS = "xls"
    XLSX = "xlsx"
    HTML = "html"
    TXT = "txt"
    MD = "md"


class VideoFormatEnum(str, Enum):
    """The formats of videos."""

    MP4 = "mp4"
    MOV = "mov"
    WEBM = "webm"
    MKV = "mkv"
    FLV = "flv"
    MPEG = "mpeg"
    MPG = "mpg"
    WMV = "wmv"
    THREE_GP = "three_gp"


class AudioFormatEnum(str, Enum):
    """The formats of sound."""

    MP3 = "mp3"
    OPUS = "opus"
    WAV = "wav"
    AAC = "aac"
    FLAC = "flac"
    MP4 = "mp4"
    OGG = "ogg"
    MKV = "mkv"
    MKA = "mka"
    X_AAC = "x-aac"
    M4A = "m4a"
    MPEG = "mpeg"
    MPGA = "mpga"
    PCM = "pcm"
    WEBM = "webm"


class ToolResultStatusEnum(str, Enum):
    """Whether a tool did what it was asked to do."""

    SUCCESS = "success"
    ERROR = "error"

    def __str__(self) -> str:
        return self.value


class GuardContentQualifierEnum(str, Enum):
    """What a guardrail takes a text for."""

    GROUNDING_SOURCE = "grounding_source"
    QUERY = "query"
    GUARD_CONTENT = "guard_content"

    def __str__(self) -> str:
        return self.value
