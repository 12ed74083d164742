"""Tests that each manager sends its own Bedrock API key, and to nobody else."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import botocore
import pytest

from bestehorn_llmmanager.bedrock.auth import AuthManager
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import AuthenticationError
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
    Boto3Config,
)
from bestehorn_llmmanager.testing import LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = "google.gemma-3-4b-it"
KEYS = AuthConfig(
    AuthenticationType.CREDENTIALS, access_key_id="AKIAEXPLICIT", secret_access_key="secret"
)


def with_key(key: str) -> AuthManager:
    return AuthManager(AuthConfig(AuthenticationType.BEARER_TOKEN, bearer_token=key), Boto3Config())


def sent(client: Any) -> str:
    """The `Authorization` of a request that is really sent."""
    seen: list[bytes | str] = []

    def note(request: Any, **_: Any) -> None:
        seen.append(request.headers["Authorization"])

    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"before-send.{service}", note)
    if service == "bedrock":
        client.list_foundation_models()
    else:
        client.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "Hi"}]}])
    client.meta.events.unregister(f"before-send.{service}", note)
    header = seen[-1]
    return header.decode() if isinstance(header, bytes) else header


@pytest.fixture
def secure(
    snapshot: dict[str, Any], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalBedrock]:
    """An endpoint that speaks TLS, for there alone botocore sends bearer keys."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with LocalBedrock(snapshot, tls=context) as endpoint:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint.endpoint("eu-west-1"))
        yield endpoint


def test_each_manager_sends_its_own_key(secure: LocalBedrock) -> None:
    managers = [with_key("the-first-key"), with_key("the-second-key")]
    for _ in range(2):
        assert [sent(manager.runtime_client("eu-west-1")) for manager in managers] == [
            "Bearer the-first-key",
            "Bearer the-second-key",
        ]
    assert [sent(manager.get_bedrock_control_client("eu-west-1")) for manager in managers] == [
        "Bearer the-first-key",
        "Bearer the-second-key",
    ]
    assert secure.count("Converse", "eu-west-1") == 4


def test_the_key_of_a_manager_wins_over_the_variable_and_leaves_it_alone(
    secure: LocalBedrock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "the-key-of-the-process")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAVARIABLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "variable-secret")
    assert sent(with_key("its-own-key").runtime_client("eu-west-1")) == "Bearer its-own-key"
    if tuple(map(int, botocore.__version__.split(".")[:2])) >= (1, 39):
        assert sent(AuthManager().runtime_client("eu-west-1")) == "Bearer the-key-of-the-process"


@pytest.mark.parametrize("kind", ["credentials", "profile"])
def test_explicit_credentials_win_over_the_key_in_the_variable(
    secure: LocalBedrock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "credentials"
    path.write_text("[work]\naws_access_key_id = AKIAEXPLICIT\naws_secret_access_key = secret\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "the-key-of-the-process")
    profile = AuthConfig(AuthenticationType.PROFILE, profile_name="work")
    manager = AuthManager(KEYS if kind == "credentials" else profile)
    for client in (
        manager.runtime_client("eu-west-1"),
        manager.get_session("eu-west-1").client("bedrock-runtime"),
    ):
        assert sent(client).startswith("AWS4-HMAC-SHA256 Credential=AKIAEXPLICIT/")


@pytest.mark.skipif(
    tuple(map(int, botocore.__version__.split(".")[:2])) < (1, 39),
    reason="botocore reads bearer keys for Bedrock since 1.39",
)
def test_a_profile_without_credentials_leaves_the_variable_to_botocore(
    secure: LocalBedrock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[profile settings]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "the-key-of-the-process")
    manager = AuthManager(AuthConfig(AuthenticationType.PROFILE, profile_name="settings"))
    assert sent(manager.runtime_client("eu-west-1")) == "Bearer the-key-of-the-process"


def test_a_session_of_the_manager_has_the_key_for_bedrock_alone(secure: LocalBedrock) -> None:
    session = with_key("its-own-key").get_session("eu-west-1")
    assert session.get_credentials() is None
    assert sent(session.client("bedrock-runtime")) == "Bearer its-own-key"
    sqs = session.client("sqs")
    seen: list[Any] = []
    sqs.meta.events.register("before-send", lambda request, **_: seen.append(request))
    with pytest.raises(Exception, match=r"[Cc]redentials"):
        sqs.list_queues()
    assert seen == []


def test_the_key_is_not_sent_in_clear(bedrock: LocalBedrock) -> None:
    client = with_key("its-own-key").runtime_client("eu-west-1")
    with pytest.raises(AuthenticationError, match="`https`") as caught:
        sent(client)
    assert bedrock.count() == 0
    assert "its-own-key" not in f"{caught.value!r} {caught.value}"


def test_the_key_is_in_no_repr(secure: LocalBedrock) -> None:
    manager = with_key("its-own-key")
    manager.runtime_client("eu-west-1")
    assert "its-own-key" not in f"{manager!r} {manager.get_auth_info()}"
    assert manager.get_auth_info()["auth_type"] == "bearer_token"
    assert manager.may_have_credentials()


@pytest.fixture
def metadata_service(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """An instance metadata service that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        port = server.getsockname()[1]
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{port}")
        yield server


def test_with_a_key_no_instance_is_asked_for_credentials(metadata_service: socket.socket) -> None:
    with_key("its-own-key").runtime_client("eu-west-1")
    with pytest.raises(BlockingIOError):
        metadata_service.accept()


@pytest.mark.usefixtures("metadata_service")
def test_with_a_key_in_the_variable_it_is_asked_once_and_not_for_every_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "the-key-of-the-process")
    manager = AuthManager()
    manager.runtime_client("eu-west-1")
    started = time.monotonic()
    for region in ("eu-north-1", "eu-west-2", "us-east-1", "us-east-2"):
        manager.runtime_client(region)
    assert time.monotonic() - started < 3.5  # who asks it waits a second


@pytest.fixture
def slow_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The profile `slow`, whose program gives credentials when the file appears."""
    release, program = tmp_path / "release", tmp_path / "program.py"
    answer = {"Version": 1, "AccessKeyId": "AKIASLOW", "SecretAccessKey": "slow-secret"}
    program.write_text(
        "import pathlib, time\n"
        f"while not pathlib.Path({str(release)!r}).exists(): time.sleep(0.01)\n"
        f"print({json.dumps(json.dumps(answer))})\n"
    )
    (tmp_path / "config").write_text(
        f"[profile slow]\ncredential_process = {sys.executable} {program}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "the-key-of-the-process")
    yield release
    release.touch()


def test_a_profile_that_was_asked_for_is_waited_for(slow_profile: Path) -> None:
    timer = threading.Timer(1.3, slow_profile.touch)
    timer.start()
    config = AuthConfig(AuthenticationType.PROFILE, profile_name="slow")
    found = AuthManager(config).get_session("eu-west-1").get_credentials()
    timer.join()
    assert found is not None
    assert found.access_key == "AKIASLOW"


def test_a_profile_of_the_surroundings_is_not_if_there_is_a_key(
    slow_profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "slow")
    AuthManager().runtime_client("eu-west-1")
    assert not slow_profile.exists()
