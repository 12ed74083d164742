"""Names places in S3."""

from __future__ import annotations

import re
from typing import NamedTuple

from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import ConfigurationError

# `S3Uri` of botocore's model of `bedrock`: fewer characters than S3 itself takes.
_URI = re.compile(
    r"s3://[a-z0-9][-.a-z0-9]{1,61}[a-z0-9](?:/[-!_*'().a-z0-9A-Z]+(?:/[-!_*'().a-z0-9A-Z]+)*)?/?"
)
# Left for the names that we append, and for the job id, of the 1024 characters of a URI.
_LONGEST = 800


class Location(NamedTuple):
    """A bucket, and a key or the beginning of keys in it."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def folder(self) -> Location:
        """The folder that it is in, which ends in a slash unless it is the bucket."""
        return Location(self.bucket, self.key[: self.key.rfind("/") + 1])

    def __truediv__(self, name: str) -> Location:
        """The place `name` in this folder; a folder, too, if `name` ends in a slash."""
        folder = self.key.rstrip("/")
        return Location(self.bucket, f"{folder}/{name}" if folder else name)


def parse(uri: str) -> Location:
    """Take a URI apart that AWS gave."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return Location(bucket, key)


def checked(uri: object, name: str) -> Location:
    """Take a URI apart that the caller gave as the argument `name`.

    Raises:
        ConfigurationError: It is none, or has characters that Bedrock does not take.
    """
    if not isinstance(uri, str) or len(uri) > _LONGEST or not _URI.fullmatch(uri):
        raise ConfigurationError(
            f"`{name}` must be like 's3://bucket/folder', of letters, digits and -!_*'(). and of at "
            f"most {_LONGEST} characters, got {uri!r}"
        )
    return parse(uri)
