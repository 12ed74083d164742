"""Tests that a role is assumed, renewed in time, and named when STS refuses."""

from __future__ import annotations

import socket
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import moto.sts.models
import pytest
from botocore.exceptions import ClientError
from moto.sts.exceptions import STSValidationError

from bestehorn_llmmanager.bedrock.auth import AuthManager, sessions
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import AuthenticationError
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
)

if TYPE_CHECKING:
    from pathlib import Path

    from bestehorn_llmmanager.testing import LocalBedrock

MODEL = "google.gemma-3-4b-it"
ROLE = "arn:aws:iam::123456789012:role/Inference"
KEYS = {"access_key_id": "AKIABASE", "secret_access_key": "base-secret"}


def assumed() -> list[Any]:
    """The roles that STS gave out, oldest first."""
    roles: list[Any] = moto.sts.models.sts_backends["123456789012"]["aws"].assumed_roles
    return roles


def with_role(**options: Any) -> AuthManager:
    return AuthManager(AuthConfig(AuthenticationType.AUTO, role_arn=ROLE, **options))


def sent_token(client: Any) -> str:
    """The session token of a request that is really sent."""
    tokens: list[bytes | str] = []

    def note(request: Any, **_: Any) -> None:
        tokens.append(request.headers["X-Amz-Security-Token"])

    client.meta.events.register("before-send.bedrock-runtime", note)
    try:
        client.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "Hi"}]}])
    finally:
        client.meta.events.unregister("before-send.bedrock-runtime", note)
    token = tokens[-1]
    return token.decode() if isinstance(token, bytes) else token


def test_requests_are_signed_with_what_sts_gives_and_sts_is_asked_once(
    bedrock: LocalBedrock, sts: str
) -> None:
    manager = with_role()
    tokens = {
        sent_token(manager.runtime_client(region, left))
        for region in ("us-east-1", "eu-west-1")
        for left in (None, 10)
    }
    assert tokens == {role.session_token for role in assumed()}
    assert len(assumed()) == 1
    found = manager.get_session("eu-north-1").get_credentials()
    assert found.access_key == assumed()[0].access_key_id
    assert len(assumed()) == 1


def test_sts_is_not_asked_before_credentials_are_needed(bedrock: LocalBedrock, sts: str) -> None:
    manager = with_role(region="eu-west-1")
    assert manager.may_have_credentials()
    assert manager.get_auth_info() == {
        "auth_type": "auto",
        "profile_name": None,
        "region": "eu-west-1",
        "has_session": False,
        "role_arn": ROLE,
    }
    assert assumed() == []


def test_the_options_reach_sts(bedrock: LocalBedrock, sts: str) -> None:
    with_role(
        region="eu-west-1",
        role_session_name="the-batch",
        external_id="an-external-id",
        role_duration_seconds=7200,
    ).get_session()
    with_role(region="eu-west-1").get_session()
    asked, default = assumed()
    assert (asked.session_name, asked.external_id, asked.region_name) == (
        "the-batch",
        "an-external-id",
        "eu-west-1",
    )
    assert default.session_name.startswith("bestehorn-llmmanager-")
    assert default.external_id is None
    assert timedelta(minutes=59) < asked.expiration - default.expiration < timedelta(minutes=61)


@pytest.mark.parametrize(
    ("config", "variable", "region"),
    [("eu-north-1", "us-west-2", "eu-north-1"), (None, "us-west-2", "us-west-2"), (None, None, "eu-west-1")],
)  # fmt: skip
def test_sts_is_asked_in_the_region_that_is_known_best(
    bedrock: LocalBedrock,
    sts: str,
    monkeypatch: pytest.MonkeyPatch,
    config: str | None,
    variable: str | None,
    region: str,
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    if variable:
        monkeypatch.setenv("AWS_DEFAULT_REGION", variable)
    with_role(region=config).runtime_client("eu-west-1")
    assert [role.region_name for role in assumed()] == [region]


@pytest.mark.parametrize("base", ["credentials", "profile"])
def test_the_role_is_assumed_with_whatever_the_type_gives(
    bedrock: LocalBedrock,
    sts: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    base: str,
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    path = tmp_path / "credentials"
    path.write_text("[work]\naws_access_key_id = AKIAWORK\naws_secret_access_key = work-secret\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    given: dict[str, Any] = KEYS if base == "credentials" else {"profile_name": "work"}
    manager = AuthManager(AuthConfig(AuthenticationType(base), role_arn=ROLE, **given))
    assert sent_token(manager.runtime_client("us-east-1")) == assumed()[0].session_token


def test_a_role_wins_over_a_bearer_key_in_a_variable(
    bedrock: LocalBedrock, sts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "a-bearer-token")
    client = with_role().runtime_client("us-east-1")
    assert sent_token(client) == assumed()[0].session_token


# Renewal


def test_credentials_are_renewed_before_they_expire(
    bedrock: LocalBedrock, five_minutes: pytest.MonkeyPatch
) -> None:
    manager = with_role()
    clients = [manager.runtime_client(region) for region in ("us-east-1", "eu-west-1")]
    assert len(assumed()) == 1
    five_minutes.undo()
    tokens = [sent_token(client) for client in clients for _ in range(2)]
    assert len(assumed()) == 2
    assert set(tokens) == {assumed()[1].session_token}
    assert manager.get_session().get_credentials().token == assumed()[1].session_token


def test_the_shortest_role_is_not_renewed_for_every_request(
    bedrock: LocalBedrock, sts: str
) -> None:
    client = with_role(role_duration_seconds=900).runtime_client("us-east-1")
    for _ in range(3):
        sent_token(client)
    assert len(assumed()) == 1


def test_thirty_two_threads_renew_once(
    bedrock: LocalBedrock, five_minutes: pytest.MonkeyPatch
) -> None:
    manager = with_role()
    client = manager.runtime_client("us-east-1")
    five_minutes.undo()
    start = threading.Barrier(32)

    def work() -> None:
        start.wait()
        client.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "Hi"}]}])

    threads = [threading.Thread(target=work) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(assumed()) == 2
    assert bedrock.count("Converse") == 32


# Refusals


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore pauses between its tries; one is enough here."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


@pytest.mark.usefixtures("once")
def test_an_sts_that_is_not_there_is_an_error_of_ours_and_is_not_remembered(
    bedrock: LocalBedrock, sts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = with_role(region="eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    with pytest.raises(AuthenticationError, match="Inference") as caught:
        manager.runtime_client("us-east-1")
    assert (caught.value.auth_type, caught.value.region) == ("auto", "eu-west-1")
    assert caught.value.__cause__ is not None
    assert manager.get_auth_info()["has_session"] is False
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts)
    assert sent_token(manager.runtime_client("us-east-1")) == assumed()[0].session_token


@pytest.mark.usefixtures("once")
def test_a_call_that_finds_its_credentials_expired_says_why(
    bedrock: LocalBedrock, five_minutes: pytest.MonkeyPatch
) -> None:
    client = with_role().runtime_client("us-east-1")

    def refuse(*_: object, **__: object) -> None:
        raise STSValidationError("the role is gone")

    five_minutes.setattr("moto.sts.models.STSBackend.assume_role", refuse)
    with pytest.raises(AuthenticationError, match=r"Inference.*the role is gone") as caught:
        sent_token(client)
    assert isinstance(caught.value.__cause__, ClientError)
    assert bedrock.count() == 0
    five_minutes.undo()
    assert sent_token(client) == assumed()[1].session_token


def test_what_botocore_adds_of_its_retries_is_not_quoted() -> None:
    metadata = {"MaxAttemptsReached": True, "RetryAttempts": 0}
    answer: Any = {
        "Error": {"Code": "Throttling", "Message": "Rate exceeded"},
        "ResponseMetadata": metadata,
    }
    error = ClientError(answer, "AssumeRole")
    assert "reached max retries: 0" in str(error)
    assert sessions._said(error) == (
        "An error occurred (Throttling) when calling the AssumeRole operation: Rate exceeded"
    )


@pytest.mark.parametrize("bearer_key", ["", "the-key-of-the-process"])
def test_a_role_needs_credentials_to_assume_it_with(
    monkeypatch: pytest.MonkeyPatch, bearer_key: str
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", bearer_key)
    with pytest.raises(AuthenticationError, match="no AWS credentials"):
        with_role().runtime_client("us-east-1")


@pytest.mark.parametrize(
    ("setting", "host"),
    [(None, "sts.us-east-1.amazonaws.com"), ("legacy", "sts.amazonaws.com")],
)
@pytest.mark.usefixtures("once", "bedrock")
def test_the_regional_sts_is_asked_through_the_proxy_unless_a_variable_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, setting: str | None, host: str
) -> None:
    if setting:
        monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", setting)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        heard: list[bytes] = []

        def refuse() -> None:
            connection, _ = proxy.accept()
            with connection:
                heard.append(connection.recv(65536).split(b"\r\n")[0])

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(AuthenticationError, match="Inference"):
            with_role().runtime_client("us-east-1")
        thread.join()
    assert heard == [f"CONNECT {host}:443 HTTP/1.1".encode()] or heard == [
        f"CONNECT {host}:443 HTTP/1.0".encode()
    ]
