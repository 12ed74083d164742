"""Gives tests the fixture `local_bedrock`: a fresh LocalBedrock that boto3 is pointed at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bestehorn_llmmanager.testing.local_bedrock import LocalBedrock


@pytest.fixture
def local_bedrock_options() -> dict[str, Any]:
    """Arguments for the `LocalBedrock` of `local_bedrock`; override it to change them."""
    return {}


@pytest.fixture
def local_bedrock(
    local_bedrock_options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[LocalBedrock]:
    """A running `LocalBedrock`.

    For the length of the test the environment points boto3 at it and hides the machine's own AWS
    configuration, and boto3's default session is a new one.
    """
    # Imported here, because pytest loads this module whether or not the fixture is used.
    import boto3  # noqa: PLC0415

    from bestehorn_llmmanager.testing._endpoint import MISLEADING_VARIABLES  # noqa: PLC0415
    from bestehorn_llmmanager.testing.local_bedrock import LocalBedrock  # noqa: PLC0415

    with LocalBedrock(**local_bedrock_options) as bedrock:
        for name in MISLEADING_VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "no-aws-configuration-here"))
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "127.0.0.1")
        for name, value in bedrock.environment().items():
            monkeypatch.setenv(name, value)
        # What this endpoint says is kept out of the user's own cache.
        for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
            monkeypatch.setenv(name, str(tmp_path / "cache"))
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        yield bedrock
