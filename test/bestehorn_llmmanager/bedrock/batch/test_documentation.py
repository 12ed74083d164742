"""Tests that the programs in docs/batch.md run, one after the other, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.batch import BatchLimits

if TYPE_CHECKING:
    import pytest

    from bestehorn_llmmanager.testing import LocalBedrock

TEXT = (Path(__file__).parents[4] / "docs" / "batch.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_the_programs_run(
    bedrock: LocalBedrock, s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    s3.create_bucket(Bucket="my-bucket")
    scope: dict[str, Any] = {}
    for program in PROGRAMS:
        exec(program.replace("progress=print", "progress=print, sleep=lambda _: None"), scope)
    assert len(PROGRAMS) == 4
    out = capsys.readouterr().out
    assert "prices_as_of='20" in out
    assert "Completed, 100 of 100 records" in out
    assert "received 3 words" in out


def test_the_limits_are_the_defaults() -> None:
    limits = BatchLimits()
    for row in (
        f"| requests per job | {limits.min_records} to {limits.max_records:,} |",
        f"| requests per input file | {limits.max_records_per_file:,} |",
        f"| bytes per input file | {limits.max_file_bytes / 10**9:g} GB |",
        f"| bytes per job | {limits.max_job_bytes / 10**9:g} GB |",
    ):
        assert row in TEXT
