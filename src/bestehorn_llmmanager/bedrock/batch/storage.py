"""Writes and reads the files of batch jobs in S3."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.batch.calling import calling, code_of
from bestehorn_llmmanager.bedrock.batch.locations import Location
from bestehorn_llmmanager.bedrock.exceptions.batch_exceptions import BatchError

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator, Mapping

    from typing_extensions import Self

    from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager

logger = logging.getLogger(__name__)

_MB = 1024 * 1024
_PARTS_AT_ONCE = 4
_READ_SIZE = 1 * _MB
_READINGS = 5
_MISSING = {"404", "NoSuchKey"}


class Storage:
    """The S3 of one region. Use as a context manager, in one thread.

    Args:
        auth: Credentials; a Bedrock API key is none for S3, which every method tells by an
            `AuthenticationError`.
        region: Where the buckets are.
        kms_key_id: What is written gets encrypted with it; None means as the bucket says.
        bucket_owner: Account that the buckets must belong to; None means any.
        part_size: Bytes from which a file is uploaded in parts, and of each part: from 5 MiB to
            5 GiB, as S3 takes them.
    """

    def __init__(
        self,
        auth: AuthManager,
        region: str,
        *,
        kms_key_id: str | None = None,
        bucket_owner: str | None = None,
        part_size: int = 16 * _MB,
    ) -> None:
        self._auth = auth
        self._region = region
        self._part_size = part_size
        self._owner = {"ExpectedBucketOwner": bucket_owner} if bucket_owner else {}
        self._written = dict(self._owner)
        if kms_key_id:
            self._written |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id}

    def __enter__(self) -> Self:
        self._client = self._auth.new_client("s3", self._region)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def upload(self, content: io.RawIOBase, place: Location) -> None:
        """Write a file; a large one in several parts at once, of which a few are in memory.

        Raises:
            BatchError: S3 refuses, or cannot be reached. Nothing is left of parts.
            OSError: The content cannot be read. Nothing is left of parts.
        """
        # Comes with boto3, and without types.
        from s3transfer.manager import (  # type: ignore[import-untyped]  # noqa: PLC0415
            TransferConfig,
            TransferManager,
        )

        config = TransferConfig(
            multipart_threshold=self._part_size,
            multipart_chunksize=self._part_size,
            max_request_concurrency=_PARTS_AT_ONCE,
            max_in_memory_upload_chunks=_PARTS_AT_ONCE,
        )
        with (
            calling(f"{str(place)!r} cannot be written", self._region),
            TransferManager(self._client, config) as manager,
        ):
            manager.upload(content, place.bucket, place.key, self._written).result()

    def write_json(self, value: Mapping[str, Any], place: Location) -> None:
        """Write a small file.

        Raises:
            BatchError: S3 refuses, or cannot be reached.
        """
        with calling(f"{str(place)!r} cannot be written", self._region):
            self._client.put_object(
                Bucket=place.bucket,
                Key=place.key,
                Body=json.dumps(value).encode(),
                ContentType="application/json",
                **self._written,
            )

    def read_json(self, place: Location) -> Any:
        """Read a small file; None if it is not there, or is no JSON.

        Raises:
            BatchError: S3 refuses, or cannot be reached.
        """
        try:
            with calling(f"{str(place)!r} cannot be read", self._region):
                body = self._client.get_object(Bucket=place.bucket, Key=place.key, **self._owner)[
                    "Body"
                ]
                return json.loads(body.read())
        except BatchError as error:
            if code_of(error) in _MISSING:
                return None
            raise
        except ValueError:
            return None

    def files(self, folder: Location, ending: str) -> list[Location]:
        """The files below `folder` whose names end so, in alphabetical order.

        Raises:
            BatchError: S3 refuses, or cannot be reached.
        """
        with calling(f"{str(folder)!r} cannot be listed", self._region):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=folder.bucket, Prefix=folder.key, **self._owner
            )
            keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        return [Location(folder.bucket, key) for key in keys if key.endswith(ending)]

    def lines(self, place: Location) -> Iterator[bytes]:
        """The lines of a file, without their ends; one of them is in memory.

        A connection that breaks is opened again where it broke.

        Raises:
            BatchError: S3 refuses, cannot be reached, or the file was replaced meanwhile.
        """
        rest = b""
        for chunk in self._chunks(place):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def _chunks(self, place: Location) -> Iterator[bytes]:
        guard: dict[str, str] = {}
        position = failures = 0
        while True:
            begun_at = position
            try:
                with calling(f"{str(place)!r} cannot be read", self._region):
                    answer = self._client.get_object(
                        Bucket=place.bucket,
                        Key=place.key,
                        **self._owner,
                        **guard,
                        **({"Range": f"bytes={position}-"} if position else {}),
                    )
                    guard = {"IfMatch": answer["ETag"]}
                    left = answer["ContentLength"]
                    while left:
                        chunk = answer["Body"].read(_READ_SIZE)
                        left -= len(chunk)
                        position += len(chunk)
                        yield chunk
                    return
            except BatchError as error:
                failures = 1 if position > begun_at else failures + 1
                if code_of(error) is not None or failures == _READINGS:
                    raise
                logger.debug("file=%s position=%d | read again from there", place, position)
