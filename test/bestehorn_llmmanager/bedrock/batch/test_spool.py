"""Tests the file in which requests wait."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.batch.limits import Part
from bestehorn_llmmanager.bedrock.batch.spool import Spool
from bestehorn_llmmanager.bedrock.exceptions.batch_exceptions import BatchError

if TYPE_CHECKING:
    from pathlib import Path


@given(st.data(), st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=20))
def test_a_part_reads_like_a_file_with_these_lines(data: st.DataObject, lines: list[bytes]) -> None:
    with Spool(None) as spool:
        for line in lines:
            spool.add("q", line)
        first = data.draw(st.integers(0, len(lines) - 1))
        last = data.draw(st.integers(first + 1, len(lines)))
        expected = b"".join(lines[first:last])
        content = spool.content(Part(first, last))
        assert content.read() == expected
        assert content.read() == b""
        assert content.seek(0, 2) == len(expected)
        start = data.draw(st.integers(0, len(expected)))
        size = data.draw(st.integers(0, len(expected) + 5))
        content.seek(start)
        assert content.read(size) == expected[start : start + size]
        assert content.tell() == min(start + size, len(expected))
        assert content.seek(1, 1) == content.tell()
        assert list(spool.sizes) == [len(line) for line in lines]


def test_the_digest_is_of_lines_and_ids() -> None:
    def digest(*pairs: tuple[str, bytes]) -> str:
        with Spool(None) as spool:
            for name, line in pairs:
                spool.add(name, line)
            return spool.digest

    assert digest(("a", b"x\n")) == digest(("a", b"x\n"))
    assert len({digest(("a", b"x\n")), digest(("b", b"x\n")), digest(("a", b"y\n"))}) == 3


def test_nothing_is_left_on_disk(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.add("a", b"x\n")
        assert spool.content(Part(0, 1)).read() == b"x\n"
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_there_is_named_as_the_remedy(tmp_path: Path) -> None:
    with (
        pytest.raises(BatchError, match="`spool_directory`"),
        Spool(tmp_path / "nowhere"),
    ):
        pass


FILL = """if True:
    import resource, signal, sys
    from bestehorn_llmmanager.bedrock.batch.limits import Part
    from bestehorn_llmmanager.bedrock.batch.spool import Spool
    from bestehorn_llmmanager.bedrock.exceptions.batch_exceptions import BatchError
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    try:
        with Spool(None) as spool:
            for number in range(int(sys.argv[1])):
                spool.add(str(number), b"secret" * 100)
            spool.content(Part(0, 1))
    except BatchError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no limits of file sizes")
@pytest.mark.parametrize("lines", [167, 100_000])
def test_a_full_disk_is_an_error_of_ours(lines: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(lines)], capture_output=True, text=True, check=False
    )
    assert "The requests cannot be kept on disk" in done.stdout
    assert "secret" not in done.stdout + done.stderr
    assert done.returncode == 0, done.stderr
