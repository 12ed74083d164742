"""The table of signatures: which first bytes belong to which of the formats that Bedrock takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from bestehorn_llmmanager.util.file_type_detector import containers

if TYPE_CHECKING:
    from collections.abc import Callable


class _Signature(NamedTuple):
    pattern: bytes  # of the beginning of the file
    formats: tuple[str, ...] | Callable[[bytes], containers.Formats]


class Recognised(NamedTuple):
    """What the content of a file says.

    Attributes:
        formats: The likeliest first; a file name may choose another of them.
        magic: The bytes by which it was recognised.
        certain: Whether the content says so, rather than only leaving no other choice.
    """

    formats: tuple[str, ...]
    magic: bytes
    certain: bool


_MPEG_AUDIO = ("mp3", "mpeg", "mpga")

_SIGNATURES: dict[str, tuple[_Signature, ...]] = {
    "image": (
        _Signature(rb"\xff\xd8\xff", ("jpeg",)),
        _Signature(rb"\x89PNG\r\n\x1a\n", ("png",)),
        _Signature(rb"GIF8[79]a", ("gif",)),
        _Signature(rb"RIFF.{4}WEBP", ("webp",)),
    ),
    "document": (
        _Signature(rb"%PDF-", ("pdf",)),
        _Signature(rb"PK\x03\x04", containers.office_zip),
        _Signature(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", containers.ole),
        _Signature(rb".{0,50}?((?i:<!doctype html))", ("html",)),
        _Signature(rb".{0,59}?((?i:<html))", ("html",)),
        _Signature(
            rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|!--).{0,1000}?((?i:<!doctype html|<html))", ("html",)
        ),
    ),
    "video": (
        _Signature(rb".{4}ftyp.{4}", containers.iso_video),
        _Signature(rb".{4}(?:moov|mdat|wide|pnot)", ("mov",)),  # QuickTime before it had `ftyp`
        _Signature(rb"\x1a\x45\xdf\xa3", containers.matroska_video),
        _Signature(rb"FLV\x01", ("flv",)),
        _Signature(rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c", ("wmv",)),
        _Signature(rb"\x00\x00\x01[\xba\xb3]", ("mpeg", "mpg")),  # program, elementary stream
    ),
    "audio": (
        _Signature(rb"(?:RIFF|RF64).{4}WAVE", ("wav",)),
        _Signature(rb"fLaC", ("flac",)),
        _Signature(rb"OggS", containers.ogg),
        _Signature(rb".{4}ftyp.{4}", containers.iso_audio),
        _Signature(rb"\x1a\x45\xdf\xa3", containers.matroska_audio),
        _Signature(rb"ID3", (*_MPEG_AUDIO, "aac", "x-aac", "flac")),  # a tag before the sound
        _Signature(rb"ADIF", ("aac", "x-aac")),
        # Two bytes only, with which samples without a header (pcm) may begin as well.
        _Signature(rb"\xff[\xfb\xfa\xf3\xf2\xe3\xe2]", (*_MPEG_AUDIO, "pcm")),  # layer III
        _Signature(rb"\xff[\xfd\xfc\xf5\xf4]", ("mpga", "mpeg", "pcm")),  # layer II
        _Signature(rb"\xff[\xf1\xf0\xf9\xf8]", ("aac", "x-aac", "pcm")),
    ),
}

_COMPILED = {
    kind: [(re.compile(s.pattern, re.DOTALL), s.formats) for s in signatures]
    for kind, signatures in _SIGNATURES.items()
}


def recognise(kind: str, content: bytes) -> Recognised | None:
    """What the content says; None if it has no signature of this kind.

    Args:
        kind: ``"image"``, ``"document"``, ``"video"`` or ``"audio"``.
        content: The whole file.
    """
    for pattern, formats in _COMPILED[kind]:
        match = pattern.match(content)
        if match is None:
            continue
        found = containers.Formats(formats) if isinstance(formats, tuple) else formats(content)
        magic = match[match.lastindex or 0]
        return Recognised(found.names, magic, found.certain) if found.names else None
    return None
