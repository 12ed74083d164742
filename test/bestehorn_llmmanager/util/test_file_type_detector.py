"""Tests which format a file is said to be in: by its content, by its name, by both."""

from __future__ import annotations

import io
import logging
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager import message_builder_enums
from bestehorn_llmmanager.util.file_type_detector import (
    BaseDetector,
    DetectionMethodEnum,
    DetectionResult,
    FileTypeDetector,
)
from bestehorn_llmmanager.util.file_type_detector.detector_constants import (
    FileExtensionConstants,
)

FILES = Path(__file__).parents[2] / "data" / "files"
CONTENT = DetectionMethodEnum.CONTENT
EXTENSION = DetectionMethodEnum.EXTENSION
COMBINED = DetectionMethodEnum.COMBINED
PNG = (FILES / "rgb.png").read_bytes()

IMAGES = {
    "jfif.jpg": "jpeg",
    "adobe.jpg": "jpeg",
    "rgb.png": "png",
    "still.gif": "gif",
    "moving.gif": "gif",
    "lossy.webp": "webp",
    "lossless.webp": "webp",
    "moving.webp": "webp",
}
DOCUMENTS = {
    "image.pdf": "pdf",
    "note.doc": "doc",
    "note.docx": "docx",
    "note.html": "html",
    "table.xls": "xls",
    "xlwt.xls": "xls",
    "table.xlsx": "xlsx",
    "openpyxl.xlsx": "xlsx",
    "xlsxwriter.xlsx": "xlsx",
}
VIDEOS = {
    "isom.mp4": "mp4",
    "m4v.mp4": "mp4",
    "avc1.mp4": "mp4",
    "mp42.mp4": "mp4",
    "fragmented.mp4": "mp4",
    "clip.mov": "mov",
    "clip.3gp": "three_gp",
    "clip.flv": "flv",
    "clip.wmv": "wmv",
    "clip.webm": "webm",
    "clip.mkv": "mkv",
    "system.mpeg": "mpeg",
    "program.mpg": "mpeg",
    "elementary.mpg": "mpeg",
}
SOUNDS = {
    "tone.mp3": "mp3",
    "bare.mp3": "mp3",
    "layer2.mpga": "mpga",
    "tone.wav": "wav",
    "rf64.wav": "wav",
    "tone.flac": "flac",
    "tone.ogg": "ogg",
    "tone.opus": "opus",
    "opus.ogg": "opus",
    "tone.aac": "aac",
    "tone.m4a": "m4a",
    "sound.mp4": "mp4",
    "tone.mka": "mka",
    "sound.mkv": "mka",
    "tone.webm": "webm",
}
# Where the name chooses among what the content leaves open.
BY_NAME_AS_WELL = {
    "program.mpg": "mpg",
    "elementary.mpg": "mpg",
    "opus.ogg": "ogg",
    "sound.mkv": "mkv",
}
ALL = [
    (kind, name, expected)
    for kind, files in [
        ("image", IMAGES),
        ("document", DOCUMENTS),
        ("video", VIDEOS),
        ("audio", SOUNDS),
    ]
    for name, expected in files.items()
]
KINDS = ["image", "document", "video", "audio"]


def detect(kind: str, content: bytes, filename: str | None = None) -> DetectionResult:
    result = getattr(FileTypeDetector(), f"detect_{kind}_format")(content, filename)
    assert isinstance(result, DetectionResult)
    return result


def archive(*names: str) -> bytes:
    """A zip whose entries are stored, so that their names lie where they are put."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for name in names:
            written.writestr(name, "<xml/>" * 300)
    return file.getvalue()


def compound_file(*entries: tuple[str, int, int]) -> bytes:
    """An OLE file with these directory entries below the root: name, next sibling, child."""
    none = 0xFFFFFFFF
    rows = [("Root Entry", none, 1), *entries]
    rows += [("", none, none)] * (-len(rows) % 4)
    sectors = len(rows) // 4
    directory = b"".join(
        name.encode("utf-16-le").ljust(64, b"\0")
        + struct.pack("<HBB", 2 * len(name) + 2 if name else 0, 5 if name == rows[0][0] else 2, 1)
        + struct.pack("<III", none, sibling, child)
        + bytes(48)
        for name, sibling, child in rows
    )
    chain = [0xFFFFFFFD, *range(2, sectors + 1), 0xFFFFFFFE]
    table = struct.pack("<128I", *chain, *[none] * (128 - len(chain)))
    header = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + bytes(16)
        + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
        + bytes(6)
        + struct.pack("<IIIIIIIIII", 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0, 0)
        + struct.pack("<108I", *[none] * 108)
    )
    return header + table + directory


NONE = 0xFFFFFFFF


@pytest.mark.parametrize(("kind", "name", "expected"), ALL)
def test_a_real_file_is_recognised_by_its_content_alone(
    kind: str, name: str, expected: str
) -> None:
    result = detect(kind, (FILES / name).read_bytes())
    assert (result.detected_format, result.confidence, result.detection_method) == (
        expected,
        0.95,
        CONTENT,
    )


@pytest.mark.parametrize(("kind", "name", "expected"), ALL)
def test_a_real_file_agrees_with_its_own_name(kind: str, name: str, expected: str) -> None:
    assert detect(kind, (FILES / name).read_bytes(), name.upper()) == DetectionResult(
        BY_NAME_AS_WELL.get(name, expected),
        0.95,
        COMBINED,
        name.upper(),
        metadata={"extension_confidence": 0.75, "content_confidence": 0.95, "agreement": True},
    )


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name, _ in ALL])
def test_a_real_file_is_of_no_other_kind(kind: str, name: str) -> None:
    content = (FILES / name).read_bytes()
    containers_of_both = {"video", "audio"}
    for other in set(KINDS) - {kind}:
        result = detect(other, content)
        shared = {kind, other} == containers_of_both and name.endswith(
            (".mp4", ".webm", ".mkv", ".mka", ".mov", ".3gp")
        )
        assert shared or not result.is_successful, (other, result)


def test_every_extension_of_0_9_0_and_of_sound_is_known() -> None:
    tables = {
        "image": FileExtensionConstants.IMAGE_EXTENSIONS,
        "document": FileExtensionConstants.DOCUMENT_EXTENSIONS,
        "video": FileExtensionConstants.VIDEO_EXTENSIONS,
        "audio": FileExtensionConstants.AUDIO_EXTENSIONS,
    }
    for kind, table in tables.items():
        for extension, expected in table.items():
            name = f"Some.Name{extension.upper()}"
            assert detect(kind, b"nothing that is known", name) == DetectionResult(
                expected, 0.75, EXTENSION, name, metadata={"extension": extension}
            )
    assert FileExtensionConstants.get_all_extensions() == {e for t in tables.values() for e in t}


@pytest.mark.parametrize("marker", [*range(0xC0, 0xD0), *range(0xDB, 0xF0), 0xFE])
def test_a_jpeg_is_one_whatever_its_first_marker(marker: int) -> None:
    content = bytes([0xFF, 0xD8, 0xFF, marker]) + b"\0\4\0\0\xff\xd9"
    assert detect("image", content).detected_format == "jpeg"


def test_a_jpeg_whose_application_segment_was_stripped_is_recognised() -> None:
    content = (FILES / "jfif.jpg").read_bytes()
    segment = int.from_bytes(content[4:6], "big")
    assert detect("image", content[:2] + content[4 + segment :]).metadata == {
        "magic_bytes": "ffd8ff"
    }


@pytest.mark.parametrize(
    ("brand", "expected"),
    [
        *[(brand, "mp4") for brand in ("isom", "iso2", "iso6", "mp41", "mp42", "avc1", "M4V ")],
        *[(brand, "mp4") for brand in ("dash", "MSNV", "isml", "cmfc", "hvc1", "XAVC", "f4v ")],
        ("qt  ", "mov"),
        *[(brand, "three_gp") for brand in ("3gp4", "3gp5", "3gp6", "3ge6", "3gg6")],
        *[(brand, "unknown") for brand in ("M4A ", "M4B ", "heic", "mif1", "avif")],
    ],
)
@pytest.mark.parametrize("size", [8, 20, 24, 28, 32, 36, 4096, 1])
def test_a_video_is_recognised_by_its_brand_whatever_the_size_of_the_box(
    brand: str, expected: str, size: int
) -> None:
    content = struct.pack(">I4s4sI", size, b"ftyp", brand.encode(), 512) + bytes(80)
    assert detect("video", content).detected_format == expected


def test_the_name_may_choose_a_brand_that_the_video_is_compatible_with() -> None:
    content = struct.pack(">I4s4sI8s", 24, b"ftyp", b"isom", 512, b"isom3gp4") + bytes(80)
    assert detect("video", content).detected_format == "mp4"
    assert detect("video", content, "a.3gp").detected_format == "three_gp"
    assert detect("video", content, "a.mov").detected_format == "mp4"


def test_a_movie_of_the_time_before_brands_is_recognised() -> None:
    assert detect("video", b"\0\0\0\x08wide\0\0\0\x10mdat" + bytes(40)).detected_format == "mov"


@pytest.mark.parametrize(
    ("doc_type", "name", "expected", "confidence"),
    [
        (b"\x42\x82\x84webm", None, "webm", 0.95),
        (b"\x42\x82\x84webm", "a.mkv", "mkv", 0.95),
        (b"\x42\x82\x01\0\0\0\0\0\0\x04webm", None, "webm", 0.95),
        (b"\x42\x82\x88matroska", None, "mkv", 0.95),
        (b"\x42\x82\x40\x08matroska", None, "mkv", 0.95),
        (b"\x42\x82\x88matroska", "a.webm", "mkv", 0.855),
        (b"", None, "webm", 0.75),
        (b"", "a.mkv", "mkv", 0.95),
    ],
)
def test_matroska_and_webm_differ_in_their_document_type(
    doc_type: bytes, name: str | None, expected: str, confidence: float
) -> None:
    content = b"\x1a\x45\xdf\xa3\xa3\x42\x86\x81\x01" + doc_type + bytes(40)
    result = detect("video", content, name)
    assert (result.detected_format, result.confidence) == (expected, confidence)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["[Content_Types].xml", "_rels/.rels", "word/document.xml"], "docx"),
        (["[Content_Types].xml", "_rels/.rels", "xl/workbook.xml"], "xlsx"),
        (["docProps/thumbnail.jpeg", "docProps/app.xml", "word/document.xml"], "docx"),
        (["docProps/thumbnail.jpeg", "docProps/app.xml", "xl/workbook.xml"], "xlsx"),
        (["word/document.xml", "word/embeddings/xl/workbook.xml"], "docx"),
        (["[Content_Types].xml", "ppt/presentation.xml"], "unknown"),
        (["mimetype", "content.xml"], "unknown"),
        (["sword/document.xml", "excel/xl/a"], "unknown"),
    ],
)
def test_an_office_document_is_told_by_the_folder_of_its_parts(
    names: list[str], expected: str
) -> None:
    content = archive(*names)
    assert detect("document", content).detected_format == expected
    without_directory = content[: content.rindex(b"PK\x01\x02") - 100]
    assert detect("document", without_directory).detected_format == expected


def test_an_archive_of_a_version_that_cannot_be_read_is_told_by_what_can() -> None:
    content = bytearray(archive("docProps/app.xml", "word/document.xml"))
    content[content.index(b"PK\x01\x02") + 6] = 255  # the version needed to read it
    assert detect("document", bytes(content)).detected_format == "docx"


@pytest.mark.parametrize(
    ("name", "expected", "confidence"),
    [(None, "docx", 0.75), ("a.docx", "docx", 0.95), ("a.xlsx", "xlsx", 0.95)],
)
def test_an_office_document_that_says_no_more_is_what_its_name_says(
    name: str | None, expected: str, confidence: float
) -> None:
    for content in (
        archive("[Content_Types].xml", "_rels/.rels"),
        b"PK\x03\x04" + bytes(20) + b"[Content_Types].xml" + bytes(1024),
    ):
        result = detect("document", content, name)
        assert (result.detected_format, result.confidence) == (expected, confidence)


@pytest.mark.parametrize(
    ("entries", "name", "expected", "confidence"),
    [
        ([("WordDocument", NONE, NONE)], None, "doc", 0.95),
        ([("Workbook", NONE, NONE)], None, "xls", 0.95),
        ([("Book", NONE, NONE)], None, "xls", 0.95),
        ([("Workbook", NONE, NONE)], "a.doc", "xls", 0.855),
        # a workbook in a letter, a letter in a workbook
        ([("ObjectPool", 3, 2), ("Workbook", NONE, NONE), ("WordDocument", NONE, NONE)], None, "doc", 0.95),
        ([("MBD1", 3, 2), ("WordDocument", NONE, NONE), ("Workbook", NONE, NONE)], None, "xls", 0.95),
        # more entries than fit into one sector, found through the chain
        ([*[(f"Stream{i}", i + 1, NONE) for i in range(1, 9)], ("Workbook", NONE, NONE)], None, "xls", 0.95),
        ([("PowerPoint Document", NONE, NONE)], None, "unknown", 0),
        ([("PowerPoint Document", NONE, NONE)], "a.doc", "doc", 0.75),
        # siblings in a circle
        ([("A", 2, NONE), ("B", 1, NONE)], None, "unknown", 0),
    ],
)  # fmt: skip
def test_an_ole_file_is_told_by_the_streams_below_its_root(
    entries: list[tuple[str, int, int]], name: str | None, expected: str, confidence: float
) -> None:
    result = detect("document", compound_file(*entries), name)
    assert (result.detected_format, result.confidence) == (expected, confidence)


def test_an_ole_file_whose_sectors_run_in_a_circle_is_read_to_its_end() -> None:
    content = bytearray(compound_file(("Workbook", NONE, NONE)))
    content[516:520] = (1).to_bytes(4, "little")
    assert detect("document", bytes(content)).detected_format == "xls"


@pytest.mark.parametrize(
    ("name", "expected", "confidence"),
    [
        (None, "doc", 0.75),
        ("a.doc", "doc", 0.95),
        ("a.XLS", "xls", 0.95),
        ("a.pdf", "doc", 0.75 * 0.9),
    ],
)
def test_an_ole_file_without_a_directory_is_what_its_name_says(
    name: str | None, expected: str, confidence: float
) -> None:
    result = detect("document", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), name)
    assert (result.detected_format, result.confidence) == (expected, confidence)


@pytest.mark.parametrize(
    ("content", "magic"),
    [
        (b"<!DOCTYPE html><title>x", b"<!DOCTYPE html"),
        (b"\xef\xbb\xbf\r\n<!doctype HTML>", b"<!doctype HTML"),
        (b" " * 59 + b"<html>", b"<html"),
        (b"x" * 50 + b"<!DOCTYPE html>", b"<!DOCTYPE html"),
        (b"\xef\xbb\xbf\n<?xml ?>" + b" " * 60 + b"<html>", b"<html"),
        (b'<?xml version="1.0"?>\n' + b" " * 60 + b"<html xmlns=", b"<html"),
        (b"<!-- " + b"saved " * 20 + b"-->\n<!DOCTYPE html>", b"<!DOCTYPE html"),
    ],
)
def test_html_is_recognised_behind_what_may_precede_it(content: bytes, magic: bytes) -> None:
    assert detect("document", content).metadata == {"magic_bytes": magic.hex()}


@pytest.mark.parametrize(
    "content", [b" " * 60 + b"<html>", b"a,b\n1,2\n", b"# Title\n", b"plain words", b"%PDFx"]
)
def test_text_has_no_signature(content: bytes) -> None:
    assert detect("document", content).detected_format == "unknown"
    assert detect("document", content, "a.md").detected_format == "md"


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (b"\xff\xfb\x90\x64" + bytes(40), None, "mp3"),
        (b"\xff\xf9\x50\x80" + bytes(40), "a.aac", "aac"),
        (b"ID3\x04" + bytes(40), "a.aac", "aac"),
        (b"\xff\xfe<\0h\0t\0m\0l\0" + bytes(40), None, "unknown"),  # UTF-16
        (b"\xff\xfb" + bytes(40), "a.pcm", "pcm"),  # samples may begin with anything
    ],
)
def test_sound_without_a_container_is_recognised_by_its_first_frame(
    content: bytes, name: str | None, expected: str
) -> None:
    assert detect("audio", content, name).detected_format == expected


def test_the_content_wins_over_the_name_with_a_warning_that_shows_none_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert detect("image", PNG, "photo.GIF") == DetectionResult(
        "png",
        0.95 * 0.9,
        COMBINED,
        "photo.GIF",
        metadata={
            "extension_format": "gif",
            "content_format": "png",
            "agreement": False,
            "chosen_method": "content",
        },
    )
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.name.startswith("bestehorn_llmmanager.util.file_type_detector")
    assert record.args == ("photo.GIF", "gif", "png")


def test_the_content_alone_is_reported_with_its_signature() -> None:
    assert detect("image", PNG) == DetectionResult(
        "png", 0.95, CONTENT, metadata={"magic_bytes": "89504e470d0a1a0a"}
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_neither_content_nor_name_tells_is_unknown(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    result = detect(kind, b"SECRET content of no known format", "notes.zzz")
    assert (result.detected_format, result.confidence, result.detection_method) == (
        "unknown",
        0,
        COMBINED,
    )
    assert not result.is_successful
    assert result.error_message is not None
    assert "'notes.zzz'" in result.error_message
    assert "SECRET" not in repr(result)
    assert not caplog.records


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", [b"", "text", None, bytearray(b"\x89PNG\r\n\x1a\n"), 5])
def test_what_is_not_bytes_or_empty_is_unknown_by_content(kind: str, content: bytes) -> None:
    result = detect(kind, content, "a.png")
    assert (result.detected_format, result.confidence, result.detection_method) == (
        "unknown",
        0,
        CONTENT,
    )
    assert result.filename == "a.png"
    assert result.error_message


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("image", b"\xff\xd8\xff\xe0abcd"),
        ("document", b"%PDF-"),
        ("video", b"FLV\x01\x05\0\0\0\x09\0\0\0"),
    ],
)
def test_what_is_shorter_than_a_file_can_be_is_not_looked_at(kind: str, content: bytes) -> None:
    assert detect(kind, content).is_successful
    assert not detect(kind, content[:-1]).is_successful


@pytest.mark.parametrize("name", ["", ".png", "png", "folder.png/name", "a.png "])
def test_only_the_end_of_a_name_is_an_extension(name: str) -> None:
    assert detect("image", b"nothing that is known", name).detected_format == "unknown"


@pytest.mark.parametrize(
    ("confidence", "error", "successful", "high"),
    [(0.95, None, True, True), (0.8, None, True, True), (0.79, None, True, False),
     (0.0, None, False, False), (0.9, "no", False, True)],
)  # fmt: skip
def test_a_result_says_how_good_it_is(
    confidence: float, error: str | None, successful: bool, high: bool
) -> None:
    result = DetectionResult("png", confidence, CONTENT, error_message=error)
    assert (result.is_successful, result.is_high_confidence) == (successful, high)
    word = "successful" if successful else "failed"
    assert str(result) == (
        f"DetectionResult({word}: png, confidence={confidence:.2f}, method=content)"
    )


BEGINNINGS = [(FILES / name).read_bytes() for _, name, _ in ALL]


@given(
    kind=st.sampled_from(KINDS),
    beginning=st.sampled_from(BEGINNINGS),
    length=st.integers(0, 2000),
    patch=st.binary(max_size=40),
    at=st.integers(0, 2000),
    tail=st.binary(max_size=200),
)
def test_no_damage_to_a_file_breaks_the_detection(
    kind: str, beginning: bytes, length: int, patch: bytes, at: int, tail: bytes
) -> None:
    content = beginning[:length]
    content = content[:at] + patch + content[at + len(patch) :] + tail
    result = detect(kind, content)
    assert result.is_successful == (result.detected_format != "unknown")
    assert result.confidence in {0, 0.75, 0.95}


def test_each_file_cut_off_anywhere_is_itself_or_unknown() -> None:
    loose = {"docx": {"xlsx"}, "xlsx": {"docx"}, "xls": {"doc"}, "mkv": {"webm"}, "opus": {"ogg"}}
    for kind, name, expected in ALL:
        content = (FILES / name).read_bytes()
        for length in range(0, len(content), max(1, len(content) // 200)):
            found = detect(kind, content[:length]).detected_format
            allowed = {expected, "unknown", *loose.get(expected, ())}
            if kind == "audio":
                allowed |= {"webm"}  # a Matroska file before it says more
            assert found in allowed, (name, length)


def test_a_detector_of_ones_own_needs_the_three_questions_only() -> None:
    class Own(BaseDetector):
        def detect_image_format(
            self, content: bytes, filename: str | None = None
        ) -> DetectionResult:
            return DetectionResult("png", len(content), DetectionMethodEnum.MANUAL, filename)

        detect_document_format = detect_image_format
        detect_video_format = detect_image_format

    assert Own().detect_video_format(b"x").is_high_confidence


def test_there_is_one_enum_of_methods() -> None:
    assert message_builder_enums.DetectionMethodEnum is DetectionMethodEnum


def test_the_helpers_are_imported_when_they_are_used() -> None:
    code = """
import sys
import bestehorn_llmmanager.util as util
assert {"FileTypeDetector", "StreamingDisplayFormatter"} <= set(dir(util)) & set(util.__all__)
loaded = {name for name in sys.modules if name.startswith("bestehorn_llmmanager.util.")}
assert not loaded, loaded
from bestehorn_llmmanager.util import DetectionResult, FileTypeDetector
loaded = {name for name in sys.modules if name.startswith("bestehorn_llmmanager.")}
assert not any("bedrock" in name or "streaming" in name for name in loaded), loaded
assert not {"boto3", "zipfile"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_every_public_name_of_the_helpers_can_be_imported() -> None:
    from bestehorn_llmmanager import util
    from bestehorn_llmmanager.util import file_type_detector

    for package in (util, file_type_detector):
        for name in package.__all__:
            assert getattr(package, name).__name__ == name
