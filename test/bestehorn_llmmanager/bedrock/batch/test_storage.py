"""Tests writing to and reading from S3: large files, and connections that break."""

from __future__ import annotations

import hashlib
import io
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.auth import AuthManager
from bestehorn_llmmanager.bedrock.batch.locations import Location
from bestehorn_llmmanager.bedrock.batch.storage import Storage
from bestehorn_llmmanager.bedrock.exceptions import AuthenticationError
from bestehorn_llmmanager.bedrock.exceptions.batch_exceptions import BatchError
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1024 * 1024


@pytest.fixture
def storage(bucket: str) -> Iterator[Storage]:
    with Storage(AuthManager(), "us-east-1", part_size=5 * MIB) as opened:
        yield opened


@pytest.mark.parametrize(("size", "parts"), [(10, None), (11 * MIB, 3)])
def test_a_large_file_is_uploaded_in_parts(
    storage: Storage, s3: Any, bucket: str, size: int, parts: int | None
) -> None:
    content = hashlib.sha256().digest() * (size // 32 + 1)
    storage.upload(io.BytesIO(content), Location(bucket, "a/b"))  # type: ignore[arg-type]  # as good
    there = s3.get_object(Bucket=bucket, Key="a/b")
    assert there["Body"].read() == content
    match = re.fullmatch(r'"[0-9a-f]{32}(?:-(\d+))?"', there["ETag"])
    assert match
    assert match[1] == (parts and str(parts))


class Breaking(io.RawIOBase):
    """A file of 11 MiB that cannot be read beyond the first 6."""

    def __init__(self) -> None:
        self._at = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = {0: 0, 1: self._at, 2: 11 * MIB}[whence] + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        if self._at > 6 * MIB:
            raise OSError("the disk is broken")
        self._at += size
        return b"a" * size


def test_of_an_upload_that_breaks_nothing_is_left(storage: Storage, s3: Any, bucket: str) -> None:
    with pytest.raises(OSError, match="the disk is broken"):
        storage.upload(Breaking(), Location(bucket, "a/b"))
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\n\nb\n", [b"a", b"", b"b"]),
        (b"a\rb\x0bc\x85d\n", [b"a\rb\x0bc\x85d"]),
        (b"a" * MIB + b"\n" + b"b" * MIB, [b"a" * MIB, b"b" * MIB]),
        (b"\n".join(b"%d" % n * 1000 for n in range(1500)), None),
    ],
)
def test_lines_are_read(
    storage: Storage, s3: Any, bucket: str, content: bytes, expected: list[bytes] | None
) -> None:
    s3.put_object(Bucket=bucket, Key="lines", Body=content)
    wanted = content.split(b"\n") if expected is None else expected
    assert list(storage.lines(Location(bucket, "lines"))) == wanted


def test_files_are_listed_by_their_ending(storage: Storage, s3: Any, bucket: str) -> None:
    for key in ("a/2.jsonl.out", "a/1.jsonl.out", "a/manifest.json.out", "b/3.jsonl.out"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    found = storage.files(Location(bucket, "a/"), ".jsonl.out")
    assert list(map(str, found)) == [f"s3://{bucket}/a/{n}.jsonl.out" for n in (1, 2)]


def test_a_note_is_read_back_and_what_is_none_is_none(
    storage: Storage, s3: Any, bucket: str
) -> None:
    storage.write_json({"ü": [1]}, Location(bucket, "note"))
    assert storage.read_json(Location(bucket, "note")) == {"ü": [1]}
    s3.put_object(Bucket=bucket, Key="note", Body=b"\xff{")
    assert storage.read_json(Location(bucket, "note")) is None
    assert storage.read_json(Location(bucket, "nothing")) is None


def test_a_bucket_that_is_not_there_is_named(storage: Storage) -> None:
    with pytest.raises(BatchError, match=r"'s3://nowhere/a'.*NoSuchBucket.*Create the bucket"):
        storage.write_json({}, Location("nowhere", "a"))


def test_a_bedrock_api_key_is_said_to_be_not_enough() -> None:
    key = AuthManager(AuthConfig(AuthenticationType.BEARER_TOKEN, bearer_token="k" * 40))
    with (
        Storage(key, "us-east-1") as storage,
        pytest.raises(AuthenticationError, match="A Bedrock API key is not enough for S3"),
    ):
        storage.write_json({}, Location("bucket", "a"))


# An S3 whose connections break

LINES = [b"%d" % n * 500 for n in range(1000)]
CONTENT = b"\n".join(LINES)


@pytest.fixture
def breaking_s3(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., list[tuple[str | None, str | None]]]]:
    """Starts an S3 that ends answers after so many bytes; gives the ranges that were asked for."""
    servers = []

    def start(*lengths: int, etag: Callable[[int], str] = lambda _: '"e"') -> Any:
        asked: list[tuple[str | None, str | None]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.headers["Range"], self.headers["If-Match"]))
                number = len(asked) - 1
                start = int((self.headers["Range"] or "bytes=0-")[6:-1])
                if self.headers["If-Match"] not in {None, etag(number)}:
                    self.send_response(412)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206 if start else 200)
                self.send_header("ETag", etag(number))
                self.send_header("Content-Length", str(len(CONTENT) - start))
                self.end_headers()
                stop = start + lengths[number] if number < len(lengths) else len(CONTENT)
                self.wfile.write(CONTENT[start:stop])
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        return asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def read_all() -> list[bytes]:
    with Storage(AuthManager(), "us-east-1") as storage:
        return list(storage.lines(Location("bucket", "key")))


def test_a_broken_connection_is_opened_again_where_it_broke(
    breaking_s3: Callable[..., list[tuple[str | None, str | None]]],
) -> None:
    asked = breaking_s3(100_000, 0, 0, 0, 50_001, 0)
    assert read_all() == LINES
    # What of an answer was read before it broke off is not known exactly; no byte twice, though.
    assert asked[0] == (None, None)
    assert {guard for _, guard in asked[1:]} == {'"e"'}


def test_a_connection_that_never_brings_anything_is_given_up(
    breaking_s3: Callable[..., list[tuple[str | None, str | None]]],
) -> None:
    asked = breaking_s3(*[0] * 20)
    with pytest.raises(BatchError, match="cannot be read"):
        read_all()
    assert len(asked) == 5


def test_a_file_that_was_replaced_meanwhile_is_not_mixed_with_the_new_one(
    breaking_s3: Callable[..., list[tuple[str | None, str | None]]],
) -> None:
    breaking_s3(100_000, etag=lambda number: f'"{number}"')
    with pytest.raises(BatchError, match=r"\(412\)|PreconditionFailed"):
        read_all()
