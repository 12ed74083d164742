"""Looks into containers that hold more than one format: zip, OLE, ISO media, Matroska, Ogg.

Each function takes the whole file and answers with the formats that it may be in, the likeliest
first; none if it is certainly something else. No content makes them raise.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Formats(NamedTuple):
    """What a file may be.

    Attributes:
        names: The likeliest first; a file name may choose another of them.
        certain: Whether the content says so, rather than only leaving no other choice.
    """

    names: tuple[str, ...]
    certain: bool = True


NOTHING = Formats(())


# Office Open XML (ECMA-376 part 2): a zip whose parts lie in a folder per application.

_OFFICE_FOLDERS = {"word": "docx", "xl": "xlsx"}
_OTHER_OFFICE_FOLDERS = {"ppt", "visio"}
_LOCAL_FILE_NAME = re.compile(rb"PK\x03\x04.{26}([\w\[\]./]+)", re.DOTALL)
_TELLING_NAME = re.compile(rb"(?<![\w/])(?:\[Content_Types\]\.xml|word/|xl/)")
_HEAD = 1024


def office_zip(content: bytes) -> Formats:
    folders = {name.partition("/")[0] for name in _zip_names(content)}
    for folder, name in _OFFICE_FOLDERS.items():
        if folder in folders:
            return Formats((name,))
    if "[Content_Types].xml" in folders and not folders & _OTHER_OFFICE_FOLDERS:
        return Formats(("docx", "xlsx"), certain=False)
    return NOTHING


def _zip_names(content: bytes) -> list[str]:
    import io  # noqa: PLC0415  # these two cost a start without documents 10 ms
    import zipfile  # noqa: PLC0415

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.namelist()
    except Exception:  # noqa: BLE001  # no document may break the detection, however damaged
        return _names_without_directory(content)


def _names_without_directory(content: bytes) -> list[str]:
    """What still can be read of an archive whose end is missing."""
    names = [match[1] for match in _LOCAL_FILE_NAME.finditer(content)]
    names += _TELLING_NAME.findall(content, 0, _HEAD)
    return [name.decode("ascii") for name in names]


# OLE compound files ([MS-CFB]): sectors, a table that chains them, and a directory that is a tree.

_OLE_STREAMS = {"WORDDOCUMENT": "doc", "WORKBOOK": "xls", "BOOK": "xls"}
_SECTOR_SHIFTS = (9, 12)
_TABLE_SECTORS_IN_HEADER = 109
_ENTRY = 128


def ole(content: bytes) -> Formats:
    names = _names_below_the_root(_ole_directory(content))
    for stream, name in _OLE_STREAMS.items():
        if stream in names:
            return Formats((name,))
    return NOTHING if names else Formats(("doc", "xls"), certain=False)


def _ole_directory(content: bytes) -> bytes:
    shift = _number(content, 30, 2)
    if shift not in _SECTOR_SHIFTS:
        return b""
    size = 1 << shift
    sector = _number(content, 48)
    chain: dict[int, bytes] = {}
    while sector not in chain and (sector + 1) * size < len(content):
        chain[sector] = content[(sector + 1) * size : (sector + 2) * size]
        sector = _next_sector(content, sector, size)
    return b"".join(chain.values())


def _next_sector(content: bytes, sector: int, size: int) -> int:
    which, position = divmod(sector, size // 4)
    if which >= _TABLE_SECTORS_IN_HEADER:
        return sector  # ends the walk; only files of more than 7 MB come here
    table = _number(content, 76 + 4 * which)
    return _number(content, (table + 1) * size + 4 * position)


def _names_below_the_root(directory: bytes) -> set[str]:
    """The names, in capitals, of the root's own children: an embedded file has its own below."""
    names = set()
    seen = set()
    waiting = [_number(directory, 76)]
    while waiting:
        index = waiting.pop()
        entry = directory[index * _ENTRY : (index + 1) * _ENTRY]
        if index in seen or len(entry) < _ENTRY:
            continue
        seen.add(index)
        length = min(_number(entry, 64, 2), 64)
        names.add(entry[: max(length - 2, 0)].decode("utf-16-le", "replace").upper())
        waiting += [_number(entry, 68), _number(entry, 72)]
    return names - {""}


def _number(content: bytes, offset: int, length: int = 4) -> int:
    return int.from_bytes(content[offset : offset + length], "little")


# ISO base media files (ISO/IEC 14496-12): the first box names the brand, then the compatible ones.

_STILL_IMAGES = (b"avif", b"avis", b"hei", b"hev", b"mif1", b"msf1", b"jp2", b"jpx", b"crx")
_SOUND_ONLY = (b"M4A", b"M4B", b"M4P")


def iso_video(content: bytes) -> Formats:
    brands = _brands(content)
    if brands[0].startswith(_STILL_IMAGES + _SOUND_ONLY):
        return NOTHING
    return Formats(tuple(dict.fromkeys(map(_video_of_brand, brands))))


def iso_audio(content: bytes) -> Formats:
    brand = _brands(content)[0]
    if brand.startswith(_STILL_IMAGES):
        return NOTHING
    return Formats(("m4a", "mp4") if brand.startswith(_SOUND_ONLY) else ("mp4", "m4a"))


def _brands(content: bytes) -> list[bytes]:
    end = min(int.from_bytes(content[:4], "big"), _HEAD)
    compatible = [content[at : at + 4] for at in range(16, min(end, len(content)) - 3, 4)]
    return [content[8:12], *(brand for brand in compatible if brand.strip(b"\0"))]


def _video_of_brand(brand: bytes) -> str:
    if brand.startswith(b"qt"):
        return "mov"
    return "three_gp" if brand.startswith(b"3g") else "mp4"


# Matroska (RFC 9559): element 0x4282 of the header names the document type.

_DOC_TYPE = re.compile(rb"\x42\x82[\x01-\xff]\x00{0,6}[\x04-\x08]?(webm|matroska)")


def matroska_video(content: bytes) -> Formats:
    doc_type = _DOC_TYPE.search(content, 0, _HEAD)
    if doc_type is None:
        return Formats(("webm", "mkv"), certain=False)
    # Every WebM file is a Matroska file, not the other way round.
    return Formats(("webm", "mkv") if doc_type[1] == b"webm" else ("mkv",))


def matroska_audio(content: bytes) -> Formats:
    doc_type = _DOC_TYPE.search(content, 0, _HEAD)
    if doc_type is None:
        return Formats(("webm", "mka", "mkv"), certain=False)
    return Formats(("webm", "mka", "mkv") if doc_type[1] == b"webm" else ("mka", "mkv"))


def ogg(content: bytes) -> Formats:
    """Opus says so in the first packet (RFC 7845); everything else in an Ogg stream is ogg."""
    return Formats(("opus", "ogg") if b"OpusHead" in content[:64] else ("ogg",))
