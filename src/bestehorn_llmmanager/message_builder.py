"""Builds a message for Converse block by block, and refuses what Bedrock would refuse."""
# ruff: noqa: A002  # `bytes`, `format` and `input` are names of the interface

from __future__ import annotations

import logging
import re
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import RequestValidationError
from bestehorn_llmmanager.bedrock.models.cache_point import build_cache_point
from bestehorn_llmmanager.message_builder_constants import MessageBuilderConfig
from bestehorn_llmmanager.message_builder_enums import (
    AudioFormatEnum,
    DocumentFormatEnum,
    GuardContentQualifierEnum,
    ImageFormatEnum,
    RolesEnum,
    ToolResultStatusEnum,
    VideoFormatEnum,
)
from bestehorn_llmmanager.util.file_type_detector.file_type_detector import FileTypeDetector

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import Enum
    from typing import TypeVar

    from bestehorn_llmmanager.bedrock.models.cache_structures import CacheConfig
    from bestehorn_llmmanager.message_builder_enums import CachePointTTLEnum
    from bestehorn_llmmanager.util.file_type_detector.base_detector import DetectionResult

    _Bytes = bytes | bytearray | memoryview
    _Path = str | PathLike[str]
    _Member = TypeVar("_Member", bound=Enum)

logger = logging.getLogger(__name__)

_MIB = 1024 * 1024
_NEARLY_FULL = 0.8
_SHOWN_CHARACTERS = 40

# What differs from model to model, as of November 2026. Sources:
# docs.aws.amazon.com/bedrock/latest/userguide/inference-api-restrictions.html
# docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html
# docs.aws.amazon.com/nova/latest/nova2-userguide/using-multimodal-models.html
_LARGER_IMAGES = "Nova takes images up to 25 MB in a request"
_WHO_TAKES_LARGER = {
    "pdf": "Claude 4 and later and Nova take larger PDFs",
    "docx": "Nova takes larger DOCX files",
    **dict.fromkeys((member.value for member in ImageFormatEnum), _LARGER_IMAGES),
}
_REQUEST_BYTES = 25_000_000
_USUAL_COUNTS = {"image": 20, "document": 5, "video": 1}


class _Kind(NamedTuple):
    """A kind of file that a message can hold."""

    name: str
    formats: type[Enum]
    detect: Callable[[FileTypeDetector, bytes, str | None], DetectionResult]
    limit: Callable[[], int]


_IMAGE = _Kind(
    "image",
    ImageFormatEnum,
    FileTypeDetector.detect_image_format,
    lambda: MessageBuilderConfig.MAX_IMAGE_SIZE_BYTES,
)
_DOCUMENT = _Kind(
    "document",
    DocumentFormatEnum,
    FileTypeDetector.detect_document_format,
    lambda: MessageBuilderConfig.MAX_DOCUMENT_SIZE_BYTES,
)
_VIDEO = _Kind(
    "video",
    VideoFormatEnum,
    FileTypeDetector.detect_video_format,
    lambda: MessageBuilderConfig.MAX_VIDEO_SIZE_BYTES,
)
_AUDIO = _Kind(
    "audio",
    AudioFormatEnum,
    FileTypeDetector.detect_audio_format,
    lambda: MessageBuilderConfig.MAX_AUDIO_SIZE_BYTES,
)


class ConverseMessageBuilder:
    """One message, to which each `add_…` method appends one block and returns the builder.

    What cannot be added is refused with a `RequestValidationError`, and the builder stays as it
    was. No error and no log record holds any of the content. One builder per thread.

    What a model takes differs: not every one looks at images, documents, videos or sound, and few
    read them from S3 (Nova does, Claude does not). The builder does not know the model; where a
    block may be too large for some of them, it says so in a WARNING record.

    >>> create_user_message().add_text("Is this a cat?").build()
    {'role': 'user', 'content': [{'text': 'Is this a cat?'}]}

    Args:
        role: Whose message it is.
        cache_config: Accepted, without effect: `LLMManager` places cache points according to its
            own configuration, and `add_cache_point` places one here.
    """

    def __init__(
        self,
        role: RolesEnum,
        cache_config: CacheConfig | None = None,  # noqa: ARG002
    ) -> None:
        self._role = _checked_role(role)
        self._blocks: list[dict[str, Any]] = []
        self._detector = FileTypeDetector()

    def __str__(self) -> str:
        return f"ConverseMessageBuilder(role={self._role}, content_blocks={len(self._blocks)})"

    def __repr__(self) -> str:
        return (
            f"ConverseMessageBuilder(role={self._role}, content_blocks={len(self._blocks)}, "
            f"detector={type(self._detector).__name__})"
        )

    @property
    def role(self) -> RolesEnum:
        return self._role

    @property
    def content_block_count(self) -> int:
        return len(self._blocks)

    # Text and files

    def add_text(
        self,
        text: str,
        cacheable: bool | None = None,  # noqa: ARG002
    ) -> ConverseMessageBuilder:
        """Append a text, without white space around it.

        Args:
            text: Not blank.
            cacheable: Accepted, without effect; `add_cache_point` marks what is kept.
        """
        return self._append({"text": _non_blank(text, "text").strip()})

    def add_image_bytes(
        self,
        bytes: _Bytes,
        format: ImageFormatEnum | None = None,
        filename: str | None = None,
        cacheable: bool | None = None,  # noqa: ARG002
        *,
        allow_large: bool = False,
    ) -> ConverseMessageBuilder:
        """Append an image of at most 3,750,000 bytes.

        Args:
            bytes: The content of the file.
            format: Trusted if given; detected from content and file name if not.
            filename: Helps the detection.
            cacheable: Accepted, without effect; `add_cache_point` marks what is kept.
            allow_large: Lifts the limit, for models that take more (Nova).
        """
        return self._add_bytes(_IMAGE, bytes, format, filename, allow_large=allow_large)

    def add_local_image(
        self,
        path_to_local_file: _Path,
        format: ImageFormatEnum | None = None,
        max_size_mb: float = 3.75,
        *,
        allow_large: bool = False,
    ) -> ConverseMessageBuilder:
        """Append an image from a file; as `add_image_bytes`.

        Args:
            path_to_local_file: The file.
            format: Trusted if given; detected from content and file name if not.
            max_size_mb: The largest file that is read, in units of 1,048,576 bytes.
            allow_large: Lifts the limit of `add_image_bytes`, not `max_size_mb`.

        Raises:
            FileNotFoundError: There is no such file.
        """
        content, filename = _read(_IMAGE, path_to_local_file, max_size_mb)
        return self._add_bytes(_IMAGE, content, format, filename, allow_large=allow_large)

    def add_image_s3(
        self, uri: str, format: ImageFormatEnum, bucket_owner: str | None = None
    ) -> ConverseMessageBuilder:
        """Append an image that Bedrock reads from S3.

        Args:
            uri: ``"s3://bucket/key"``.
            format: Needed; nothing is read here.
            bucket_owner: The account, twelve digits, if the bucket belongs to another one.
        """
        return self._add_s3(_IMAGE, uri, format, bucket_owner)

    def add_document_bytes(
        self,
        bytes: _Bytes,
        format: DocumentFormatEnum | None = None,
        filename: str | None = None,
        name: str | None = None,
        citations_enabled: bool = False,
        context: str | None = None,
        *,
        allow_large: bool = False,
    ) -> ConverseMessageBuilder:
        """Append a document of at most 4,500,000 bytes. Bedrock wants a text beside it.

        Args:
            bytes: The content of the file.
            format: Trusted if given; detected from content and file name if not. Texts (txt, csv,
                md) are detected by their names only.
            filename: Helps the detection; also the name of the document if `name` is not given.
            name: What the model calls the document; it may take it for an instruction. Bedrock
                allows letters, digits, single spaces, hyphens, parentheses and square brackets.
            citations_enabled: Whether the answer cites the places that it rests on.
            context: How the model should use the document when it cites.
            allow_large: Lifts the limit for PDF and DOCX, for models that take more of them
                (Claude 4 and later: PDF; Nova: both).
        """
        extra = _document_extra(name or filename, context, citations_enabled=citations_enabled)
        return self._add_bytes(_DOCUMENT, bytes, format, filename, extra, allow_large=allow_large)

    def add_local_document(
        self,
        path_to_local_file: _Path,
        format: DocumentFormatEnum | None = None,
        name: str | None = None,
        max_size_mb: float = 4.5,
        citations_enabled: bool = False,
        context: str | None = None,
        *,
        allow_large: bool = False,
    ) -> ConverseMessageBuilder:
        """Append a document from a file; as `add_document_bytes`.

        Args:
            path_to_local_file: The file; its name is the document's if `name` is not given.
            format: Trusted if given; detected from content and file name if not.
            name: What the model calls the document.
            max_size_mb: The largest file that is read, in units of 1,048,576 bytes.
            citations_enabled: Whether the answer cites the places that it rests on.
            context: How the model should use the document when it cites.
            allow_large: Lifts the limit of `add_document_bytes`, not `max_size_mb`.

        Raises:
            FileNotFoundError: There is no such file.
        """
        content, filename = _read(_DOCUMENT, path_to_local_file, max_size_mb)
        extra = _document_extra(name or filename, context, citations_enabled=citations_enabled)
        return self._add_bytes(_DOCUMENT, content, format, filename, extra, allow_large=allow_large)

    def add_document_s3(
        self,
        uri: str,
        format: DocumentFormatEnum,
        name: str | None = None,
        bucket_owner: str | None = None,
        citations_enabled: bool = False,
        context: str | None = None,
    ) -> ConverseMessageBuilder:
        """Append a document that Bedrock reads from S3; see `add_document_bytes`.

        Args:
            uri: ``"s3://bucket/key"``.
            format: Needed; nothing is read here.
            name: What the model calls the document.
            bucket_owner: The account, twelve digits, if the bucket belongs to another one.
            citations_enabled: Whether the answer cites the places that it rests on.
            context: How the model should use the document when it cites.
        """
        extra = _document_extra(name, context, citations_enabled=citations_enabled)
        return self._add_s3(_DOCUMENT, uri, format, bucket_owner, extra)

    def add_video_bytes(
        self,
        bytes: _Bytes,
        format: VideoFormatEnum | None = None,
        filename: str | None = None,
    ) -> ConverseMessageBuilder:
        """Append a video of at most 100,000,000 bytes.

        Nova takes 25 MB in a request; what is larger belongs into `add_video_s3`.

        Args:
            bytes: The content of the file.
            format: Trusted if given; detected from content and file name if not.
            filename: Helps the detection.
        """
        return self._add_bytes(_VIDEO, bytes, format, filename)

    def add_local_video(
        self,
        path_to_local_file: _Path,
        format: VideoFormatEnum | None = None,
        max_size_mb: float = 100.0,
    ) -> ConverseMessageBuilder:
        """Append a video from a file; as `add_video_bytes`.

        Args:
            path_to_local_file: The file.
            format: Trusted if given; detected from content and file name if not.
            max_size_mb: The largest file that is read, in units of 1,048,576 bytes.

        Raises:
            FileNotFoundError: There is no such file.
        """
        content, filename = _read(_VIDEO, path_to_local_file, max_size_mb)
        return self._add_bytes(_VIDEO, content, format, filename)

    def add_video_s3(
        self, uri: str, format: VideoFormatEnum, bucket_owner: str | None = None
    ) -> ConverseMessageBuilder:
        """Append a video that Bedrock reads from S3.

        Args:
            uri: ``"s3://bucket/key"``.
            format: Needed; nothing is read here.
            bucket_owner: The account, twelve digits, if the bucket belongs to another one.
        """
        return self._add_s3(_VIDEO, uri, format, bucket_owner)

    def add_audio_bytes(
        self,
        bytes: _Bytes,
        format: AudioFormatEnum | None = None,
        filename: str | None = None,
    ) -> ConverseMessageBuilder:
        """Append sound of at most 100,000,000 bytes; models take less.

        Args:
            bytes: The content of the file.
            format: Trusted if given; detected from content and file name if not.
            filename: Helps the detection.
        """
        return self._add_bytes(_AUDIO, bytes, format, filename)

    def add_local_audio(
        self,
        path_to_local_file: _Path,
        format: AudioFormatEnum | None = None,
        max_size_mb: float = 100.0,
    ) -> ConverseMessageBuilder:
        """Append sound from a file; as `add_audio_bytes`.

        Args:
            path_to_local_file: The file.
            format: Trusted if given; detected from content and file name if not.
            max_size_mb: The largest file that is read, in units of 1,048,576 bytes.

        Raises:
            FileNotFoundError: There is no such file.
        """
        content, filename = _read(_AUDIO, path_to_local_file, max_size_mb)
        return self._add_bytes(_AUDIO, content, format, filename)

    def add_audio_s3(
        self, uri: str, format: AudioFormatEnum, bucket_owner: str | None = None
    ) -> ConverseMessageBuilder:
        """Append sound that Bedrock reads from S3.

        Args:
            uri: ``"s3://bucket/key"``.
            format: Needed; nothing is read here.
            bucket_owner: The account, twelve digits, if the bucket belongs to another one.
        """
        return self._add_s3(_AUDIO, uri, format, bucket_owner)

    # Other blocks

    def add_cache_point(
        self, cache_type: str = "default", ttl: CachePointTTLEnum | str | None = None
    ) -> ConverseMessageBuilder:
        """Mark that Bedrock keeps what stands before; not as the first block.

        See `build_cache_point`.
        """
        block = build_cache_point(cache_type, ttl)
        if not self._blocks:
            raise RequestValidationError(
                "A cache point keeps what stands before it; add another block first"
            )
        return self._append(block)

    def add_guard_content(
        self, text: str, qualifiers: list[str] | None = None
    ) -> ConverseMessageBuilder:
        """Append a text that the guardrail looks at; it then looks at no other of the message.

        Args:
            text: Not blank; kept as it is.
            qualifiers: What the guardrail takes the text for: values of
                `GuardContentQualifierEnum`.
        """
        guarded: dict[str, Any] = {"text": _non_blank(text, "text")}
        if qualifiers is not None:
            guarded["qualifiers"] = _qualifiers(qualifiers)
        return self._append({"guardContent": {"text": guarded}})

    def add_tool_use(
        self, tool_use_id: str, name: str, input: dict[str, Any]
    ) -> ConverseMessageBuilder:
        """Append a tool call that the assistant made, to replay a conversation.

        Args:
            tool_use_id: By which the result is matched.
            name: The tool.
            input: What it was called with.
        """
        _non_blank(tool_use_id, "tool_use_id")
        _non_blank(name, "name")
        if not isinstance(input, dict):
            raise RequestValidationError(f"`input` must be a dict, got {type(input).__name__}")
        call = {"toolUseId": tool_use_id, "name": name, "input": input}
        return self._append({"toolUse": call})

    def add_tool_result(
        self,
        tool_use_id: str,
        content: str | dict[str, Any] | list[dict[str, Any]],
        status: ToolResultStatusEnum | str | None = None,
    ) -> ConverseMessageBuilder:
        """Append what a tool returned.

        Args:
            tool_use_id: That of the call.
            content: A text, a JSON object, or a list of blocks that are taken as they are.
            status: ``"success"`` or ``"error"``, for models that take it.
        """
        result: dict[str, Any] = {
            "toolUseId": _non_blank(tool_use_id, "tool_use_id"),
            "content": _tool_result_content(content),
        }
        if status is not None:
            result["status"] = _member(ToolResultStatusEnum, status, "status").value
        return self._append({"toolResult": result})

    def add_reasoning_content(
        self,
        text: str | None = None,
        signature: str | None = None,
        redacted_content: Any | None = None,
    ) -> ConverseMessageBuilder:
        """Append reasoning of the model, to replay a conversation; it must come back unchanged.

        Args:
            text: Not blank; kept as it is.
            signature: What the model returned with the text.
            redacted_content: Encrypted reasoning; taken if `text` is None.
        """
        if text is None:
            if redacted_content is None:
                raise RequestValidationError("Give `text` or `redacted_content`, got neither")
            return self._append({"reasoningContent": {"redactedContent": redacted_content}})
        reasoning = {"text": _non_blank(text, "text")}
        if signature is not None:
            reasoning["signature"] = signature
        return self._append({"reasoningContent": {"reasoningText": reasoning}})

    def add_search_result(
        self,
        source: str,
        title: str,
        content: str | list[str],
        citations_enabled: bool = False,
    ) -> ConverseMessageBuilder:
        """Append something found, for the model to answer from.

        Args:
            source: A URL or another name of the place.
            title: Not blank.
            content: One text or several, none of them blank.
            citations_enabled: Whether the answer cites the result.
        """
        texts = content if isinstance(content, list) else [content]
        if not texts:
            raise RequestValidationError("`content` must hold at least one text, got an empty list")
        result: dict[str, Any] = {
            "source": _non_blank(source, "source"),
            "title": _non_blank(title, "title"),
            "content": [{"text": _non_blank(text, "content")} for text in texts],
        }
        if citations_enabled:
            result["citations"] = {"enabled": True}
        return self._append({"searchResult": result})

    def add_tool_addition(
        self,
        name: str | None = None,
        *,
        tool_type: str | None = None,
        server_name: str | None = None,
    ) -> ConverseMessageBuilder:
        """Make a tool available from here on; only in a message of the role `system`.

        Args:
            name: Of the tool. At least one of the three must be given.
            tool_type: Its type.
            server_name: Of the server that offers it.
        """
        return self._append_tool_change("toolAddition", name, tool_type, server_name)

    def add_tool_removal(
        self,
        name: str | None = None,
        *,
        tool_type: str | None = None,
        server_name: str | None = None,
    ) -> ConverseMessageBuilder:
        """Make a tool unavailable from here on; as `add_tool_addition`."""
        return self._append_tool_change("toolRemoval", name, tool_type, server_name)

    def add_block(self, block: dict[str, Any]) -> ConverseMessageBuilder:
        """Append a block as it is: one from an answer, or one that has no method here.

        Args:
            block: For example ``{"citationsContent": {…}}`` or ``{"guardContent": {"image": …}}``.
        """
        if not isinstance(block, dict) or len(block) != 1:
            given = f"{len(block)} keys" if isinstance(block, dict) else type(block).__name__
            raise RequestValidationError(
                f"`block` must be a dict with one key, the type of the block; got {given}"
            )
        return self._append(block)

    def build(self) -> dict[str, Any]:
        """The message, with a list of its own; the builder can be used on."""
        if not self._blocks:
            raise RequestValidationError(
                "A message needs at least one block; add one, for example with `add_text`"
            )
        kinds = {kind for block in self._blocks for kind in block}
        if "document" in kinds and "text" not in kinds:
            logger.warning("the message has a document and no text; Bedrock wants both")
        return {"role": self._role.value, "content": list(self._blocks)}

    def _add_bytes(
        self,
        kind: _Kind,
        content: _Bytes,
        format: Enum | None,
        filename: str | None,
        extra: dict[str, Any] | None = None,
        *,
        allow_large: bool = False,
    ) -> ConverseMessageBuilder:
        content = _checked_bytes(kind, content)
        if format is None:
            result = kind.detect(self._detector, content, filename)
            name = result.detected_format
            problem = result.error_message
        else:
            name, problem = _member(kind.formats, format, "format").value, None
        _check_size(kind, name, len(content), allow_large=allow_large)
        if problem:
            raise RequestValidationError(
                f"{problem}. Pass `format=` or a `filename=` that tells it"
            )
        return self._append(
            {kind.name: {"format": name, "source": {"bytes": content}, **(extra or {})}}
        )

    def _add_s3(
        self,
        kind: _Kind,
        uri: str,
        format: Enum,
        bucket_owner: str | None,
        extra: dict[str, Any] | None = None,
    ) -> ConverseMessageBuilder:
        location = _s3_location(uri, bucket_owner)
        name = _member(kind.formats, format, "format").value
        return self._append(
            {kind.name: {"format": name, "source": {"s3Location": location}, **(extra or {})}}
        )

    def _append_tool_change(
        self, kind: str, name: str | None, tool_type: str | None, server_name: str | None
    ) -> ConverseMessageBuilder:
        if self._role is not RolesEnum.SYSTEM:
            raise RequestValidationError(
                f"Tools are added and removed by messages of RolesEnum.SYSTEM; this is one of "
                f"{self._role}"
            )
        given = {"name": name, "type": tool_type, "serverName": server_name}
        tool = {key: _non_blank(value, key) for key, value in given.items() if value is not None}
        if not tool:
            raise RequestValidationError("Give `name`, `tool_type` or `server_name`, got none")
        return self._append({kind: {"tool": tool}})

    def _append(self, block: dict[str, Any]) -> ConverseMessageBuilder:
        limit = MessageBuilderConfig.MAX_CONTENT_BLOCKS_PER_MESSAGE
        if len(self._blocks) >= limit:
            raise RequestValidationError(f"A message holds at most {limit} blocks; it is full")
        self._blocks.append(block)
        if len(self._blocks) == int(limit * _NEARLY_FULL):
            logger.warning("blocks=%d limit=%d | message is nearly full", len(self._blocks), limit)
        for kind, usual in _USUAL_COUNTS.items():
            if kind in block and sum(kind in other for other in self._blocks) == usual + 1:
                logger.warning(
                    "kind=%s limit=%d | more in one message than Bedrock documents; models differ",
                    kind,
                    usual,
                )
        return self


MessageBuilder = ConverseMessageBuilder


def create_message(
    role: RolesEnum, cache_config: CacheConfig | None = None
) -> ConverseMessageBuilder:
    """A builder for a message of `role`."""
    return ConverseMessageBuilder(role, cache_config)


def create_user_message(cache_config: CacheConfig | None = None) -> ConverseMessageBuilder:
    """A builder for a message of the user."""
    return ConverseMessageBuilder(RolesEnum.USER, cache_config)


def create_assistant_message(cache_config: CacheConfig | None = None) -> ConverseMessageBuilder:
    """A builder for a message of the assistant."""
    return ConverseMessageBuilder(RolesEnum.ASSISTANT, cache_config)


def _checked_role(role: object) -> RolesEnum:
    if isinstance(role, RolesEnum):
        return role
    valid = ", ".join(f"RolesEnum.{member.name} ({member})" for member in RolesEnum)
    raise RequestValidationError(
        f"`role` must be a RolesEnum, got {type(role).__name__}. Valid are {valid}"
    )


def _non_blank(text: object, what: str) -> str:
    if not isinstance(text, str):
        raise RequestValidationError(f"`{what}` must be a string, got {type(text).__name__}")
    if not text.strip():
        raise RequestValidationError(f"`{what}` must not be empty or blank")
    return text


def _member(enum: type[_Member], value: object, what: str) -> _Member:
    try:
        return enum(value)
    except ValueError:
        valid = ", ".join(repr(member.value) for member in enum)
        raise RequestValidationError(
            f"`{what}` must be one of {enum.__name__} ({valid}), got {_shown(value)}"
        ) from None


def _shown(value: object) -> str:
    """What may stand in a message: a short string, but never what could be content."""
    if isinstance(value, str) and len(value) <= _SHOWN_CHARACTERS:
        return repr(value)
    return "None" if value is None else type(value).__name__


def _checked_bytes(kind: _Kind, content: object) -> bytes:
    if isinstance(content, (bytearray, memoryview)):
        content = bytes(content)
    if not isinstance(content, bytes):
        raise RequestValidationError(
            f"The content of the {kind.name} must be bytes, got {type(content).__name__}"
        )
    if not content:
        raise RequestValidationError(f"The content of the {kind.name} is empty")
    return content


def _check_size(kind: _Kind, format: str, size: int, *, allow_large: bool) -> None:
    limit = kind.limit()
    larger = _WHO_TAKES_LARGER.get(format)
    if size > limit:
        if not (allow_large and larger):
            hint = f". {larger}: pass `allow_large=True` for them" if larger else ""
            raise RequestValidationError(
                f"The {kind.name} has {size} bytes, the limit is {limit}{hint}"
            )
        logger.warning("format=%s bytes=%d limit=%d | %s", format, size, limit, larger)
    elif size > _REQUEST_BYTES:
        logger.warning(
            "format=%s bytes=%d | Nova takes %d bytes in a request, most models less; "
            "larger files belong into S3",
            format,
            size,
            _REQUEST_BYTES,
        )


def _read(kind: _Kind, path_to_local_file: _Path, max_size_mb: float) -> tuple[bytes, str]:
    """Content and name of a file."""
    path = _checked_path(path_to_local_file)
    try:
        return _read_file(kind, path, max_size_mb), path.name
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RequestValidationError(f"Cannot read {str(path)!r}: {error.strerror}") from error


def _checked_path(path: object) -> Path:
    if isinstance(path, (str, PathLike)):
        return Path(path)
    raise RequestValidationError(f"`path_to_local_file` must be a path, got {type(path).__name__}")


def _read_file(kind: _Kind, path: Path, max_size_mb: float) -> bytes:
    if not path.exists():
        raise FileNotFoundError(f"There is no {kind.name} file {str(path)!r}")
    if not path.is_file():
        raise RequestValidationError(f"{str(path)!r} is not a file")
    size = path.stat().st_size
    if size > max_size_mb * _MIB:
        raise RequestValidationError(
            f"The {kind.name} {path.name!r} has {size} bytes, the limit is {max_size_mb} MiB "
            "(`max_size_mb`)"
        )
    return path.read_bytes()


def _document_extra(
    name: str | None, context: str | None, *, citations_enabled: bool
) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if name:
        extra["name"] = name
    if citations_enabled:
        extra["citations"] = {"enabled": True}
    if context is not None:
        extra["context"] = context
    return extra


def _s3_location(uri: str, bucket_owner: str | None) -> dict[str, str]:
    if not isinstance(uri, str) or not uri.startswith("s3://") or uri == "s3://":
        # A presigned URL is a credential from its question mark on.
        given = repr(uri.partition("?")[0]) if isinstance(uri, str) else type(uri).__name__
        raise RequestValidationError(f"`uri` must be 's3://bucket/key', got {given}")
    if bucket_owner is None:
        return {"uri": uri}
    if not isinstance(bucket_owner, str) or not re.fullmatch("[0-9]{12}", bucket_owner):
        raise RequestValidationError(
            f"`bucket_owner` must be the twelve digits of an AWS account, got {_shown(bucket_owner)}"
        )
    return {"uri": uri, "bucketOwner": bucket_owner}


def _qualifiers(qualifiers: object) -> list[str]:
    if not isinstance(qualifiers, (list, tuple, set, frozenset)):
        raise RequestValidationError(f"`qualifiers` must be a list, got {_shown(qualifiers)}")
    return [
        _member(GuardContentQualifierEnum, qualifier, "qualifiers").value
        for qualifier in qualifiers
    ]


def _tool_result_content(content: object) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"text": _non_blank(content, "content")}]
    if isinstance(content, dict):
        return [{"json": content}]
    if not isinstance(content, list):
        raise RequestValidationError(
            f"`content` must be a string, a dict or a list of blocks, got {type(content).__name__}"
        )
    if not content:
        raise RequestValidationError("`content` must hold at least one block, got an empty list")
    for block in content:
        if not isinstance(block, dict):
            raise RequestValidationError(
                f"`content` must be a list of blocks (dicts), got one with {type(block).__name__}"
            )
    return content
