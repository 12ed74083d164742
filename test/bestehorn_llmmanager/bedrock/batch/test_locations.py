"""Tests how places in S3 are named."""

from __future__ import annotations

import pytest

from bestehorn_llmmanager.bedrock.batch.locations import Location, checked, parse
from bestehorn_llmmanager.bedrock.exceptions import ConfigurationError


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("s3://bucket", Location("bucket", "")),
        ("s3://bucket/", Location("bucket", "")),
        ("s3://my.bucket-1/a/b", Location("my.bucket-1", "a/b")),
        ("s3://bucket/a_(b)!'*-c.d/", Location("bucket", "a_(b)!'*-c.d/")),
    ],
)
def test_a_uri_is_taken_apart(uri: str, location: Location) -> None:
    assert checked(uri, "s3_uri") == parse(uri) == location


@pytest.mark.parametrize(
    "uri",
    [
        "",
        None,
        b"s3://bucket",
        "bucket/a",
        "https://bucket/a",
        "s3://",
        "s3://Bucket/a",
        "s3://b/a",
        "s3://bucket//a",
        "s3://bucket/a b",
        "s3://bucket/ä",
        "s3://bucket/a\n",
        "s3://bucket/" + "a" * 800,
    ],
)
def test_what_bedrock_does_not_take_is_refused(uri: object) -> None:
    with pytest.raises(ConfigurationError, match="`output_s3_uri` must be like"):
        checked(uri, "output_s3_uri")


@pytest.mark.parametrize("folder", ["s3://bucket/a", "s3://bucket/a/"])
def test_names_are_appended_to_a_folder(folder: str) -> None:
    assert str(parse(folder) / "b/c") == "s3://bucket/a/b/c"
    assert str(parse(folder) / "") == "s3://bucket/a/"


def test_a_bucket_is_a_folder() -> None:
    assert str(parse("s3://bucket") / "a") == "s3://bucket/a"
    assert str(parse("s3://bucket") / "") == "s3://bucket/"


@pytest.mark.parametrize(
    ("file", "folder"),
    [("s3://bucket/a/b.jsonl", "s3://bucket/a/"), ("s3://bucket/b.jsonl", "s3://bucket/")],
)
def test_a_file_is_in_a_folder(file: str, folder: str) -> None:
    assert str(parse(file).folder) == folder
