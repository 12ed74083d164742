"""Gives the tests of this folder an endpoint that keeps bodies."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bestehorn_llmmanager.testing import LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Iterator


SNAPSHOT = Path(__file__).parents[1] / "data" / "bedrock_api_snapshot.json.gz"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[LocalBedrock]:
    """A Bedrock endpoint of a time in which all models that are called were alive.

    Nobody is pointed at it.
    """
    then = datetime(2026, 11, 1, tzinfo=timezone.utc)
    with LocalBedrock(SNAPSHOT, record_bodies=True, now=lambda: then) as local:
        yield local


@pytest.fixture
def bedrock(endpoint: LocalBedrock, monkeypatch: pytest.MonkeyPatch) -> LocalBedrock:
    """The endpoint, fresh, which the boto3 clients of this process find by themselves."""
    endpoint.reset()
    for name, value in endpoint.environment().items():
        monkeypatch.setenv(name, value)
    return endpoint
