"""What the tests of sessions and clients share: an STS, a certificate, and a call."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from moto_services import moto_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def sts_url() -> Iterator[str]:
    """An STS that gives out every role that it is asked for."""
    with moto_server() as url:
        yield url


@pytest.fixture
def sts(sts_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, as the one that clients find, with nothing given out yet."""
    from moto.sts.models import sts_backends

    sts_backends.reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts_url)
    return sts_url


@pytest.fixture
def five_minutes(sts: str) -> Iterator[pytest.MonkeyPatch]:
    """STS gives credentials for five minutes of the hour asked for; undo it to get the hour."""
    import moto.core.utils

    now = moto.core.utils.utcnow
    with pytest.MonkeyPatch.context() as clock:
        clock.setattr("moto.sts.models.utcnow", lambda: now() - timedelta(minutes=55))
        yield clock


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("makes a certificate with openssl")
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=LocalBedrock"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", folder / "key.pem", "-out", folder / "certificate.pem"),
        ],
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    parts = [folder / "certificate.pem", folder / "key.pem"]
    both.write_text("".join(part.read_text() for part in parts))
    return both
