"""Tests where sessions and clients come from, and what is said when there are none."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import botocore
import pytest
from botocore.config import Config

from bestehorn_llmmanager.bedrock.auth import AuthManager
from bestehorn_llmmanager.bedrock.auth.credentials import has_evidence_of_credentials
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import AuthenticationError
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
    Boto3Config,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bestehorn_llmmanager.testing import LocalBedrock

MODEL = "google.gemma-3-4b-it"  # on demand in all regions that are called here
KEYS = AuthConfig(
    AuthenticationType.CREDENTIALS,
    access_key_id="AKIAEXPLICIT",
    secret_access_key="explicit-secret",
    session_token="explicit-token",
)


def ask(client: Any, text: str = "Hello") -> Any:
    return client.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": text}]}])


@pytest.fixture
def everything(bedrock: LocalBedrock, monkeypatch: pytest.MonkeyPatch) -> LocalBedrock:
    """The endpoint stands for every AWS service, so that it would see a call to STS."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", bedrock.url)
    return bedrock


@pytest.fixture
def profile_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A credentials file with the profile `work`."""
    path = tmp_path / "credentials"
    path.write_text(
        "[work]\naws_access_key_id = AKIAWORK\naws_secret_access_key = work-secret\n"
        "region = eu-north-1\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    return path


# Construction


def test_construction_imports_no_boto3_and_sends_nothing() -> None:
    code = (
        "import sys\n"
        "from bestehorn_llmmanager.bedrock.auth import AuthManager\n"
        "manager = AuthManager()\n"
        "manager.may_have_credentials(), manager.get_auth_info(), repr(manager)\n"
        "sys.exit(any(name in sys.modules for name in ('boto3', 'botocore')))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_info_and_the_repr_tell_no_secret() -> None:
    manager = AuthManager(KEYS)
    assert manager.get_auth_info() == {
        "auth_type": "credentials",
        "profile_name": None,
        "region": None,
        "has_session": False,
    }
    manager.get_session()
    assert manager.get_auth_info()["has_session"] is True
    assert repr(manager) == "AuthManager(auth_type=credentials)"


@pytest.mark.parametrize(
    ("config", "info"),
    [
        (None, ("auto", None, None)),
        (AuthConfig(AuthenticationType.AUTO, profile_name="ignored"), ("auto", None, None)),
        (AuthConfig(AuthenticationType.IAM_ROLE, region="r"), ("iam_role", None, "r")),
        (AuthConfig(AuthenticationType.PROFILE, profile_name="w"), ("profile", "w", None)),
    ],
)
def test_the_info_names_a_profile_only_where_it_counts(
    config: AuthConfig | None, info: tuple[str, str | None, str | None]
) -> None:
    told = AuthManager(config).get_auth_info()
    assert (told["auth_type"], told["profile_name"], told["region"]) == info


# Sessions


def test_explicit_keys_win_over_the_environment(bedrock: LocalBedrock) -> None:
    found = AuthManager(KEYS).get_session().get_credentials()
    assert (found.access_key, found.secret_key, found.token) == (
        "AKIAEXPLICIT",
        "explicit-secret",
        "explicit-token",
    )


@pytest.mark.usefixtures("profile_file")
def test_a_profile_gives_keys_and_region() -> None:
    config = AuthConfig(AuthenticationType.PROFILE, profile_name="work")
    session = AuthManager(config).get_session()
    assert session.get_credentials().access_key == "AKIAWORK"
    assert session.region_name == "eu-north-1"


@pytest.mark.parametrize("auth_type", [AuthenticationType.AUTO, AuthenticationType.IAM_ROLE])
@pytest.mark.usefixtures("profile_file")
def test_the_chain_of_botocore_is_used_otherwise(
    auth_type: AuthenticationType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    session = AuthManager(AuthConfig(auth_type)).get_session()
    assert session.get_credentials().access_key == "AKIAWORK"


def test_the_region_of_the_session_is_the_argument_else_that_of_the_configuration(
    bedrock: LocalBedrock,
) -> None:
    manager = AuthManager(AuthConfig(AuthenticationType.AUTO, region="eu-west-1"))
    assert manager.get_session("eu-west-3").region_name == "eu-west-3"
    assert manager.get_session().region_name == "eu-west-1"
    assert AuthManager().get_session().region_name == "us-east-1"  # AWS_DEFAULT_REGION


def test_a_session_is_made_once_per_region(bedrock: LocalBedrock) -> None:
    manager = AuthManager()
    assert manager.get_session("eu-west-1") is manager.get_session("eu-west-1")
    assert manager.get_session() is manager.get_session()


# Clients


def test_a_client_is_made_once_per_service_and_region(bedrock: LocalBedrock) -> None:
    manager = AuthManager()
    clients = [
        make(region)
        for make in (manager.get_bedrock_client, manager.get_bedrock_control_client)
        for region in ("us-east-1", "eu-west-1")
        for _ in range(2)
    ]
    assert [(c.meta.service_model.service_name, c.meta.region_name) for c in clients[::2]] == [
        ("bedrock-runtime", "us-east-1"),
        ("bedrock-runtime", "eu-west-1"),
        ("bedrock", "us-east-1"),
        ("bedrock", "eu-west-1"),
    ]
    assert all(first is second for first, second in zip(clients[::2], clients[1::2], strict=True))
    assert len({id(client) for client in clients}) == 4


def test_twenty_threads_share_one_client_and_no_sts_call_is_made(
    everything: LocalBedrock,
) -> None:
    manager = AuthManager()
    start = threading.Barrier(20)
    clients: list[Any] = []

    def work() -> None:
        start.wait()
        client = manager.get_bedrock_client("eu-west-1")
        clients.append(client)
        ask(client)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(clients) == 20
    assert len({id(client) for client in clients}) == 1
    assert everything.count("Converse", "eu-west-1") == 20
    assert everything.count() == 20


def test_no_region_costs_a_request_of_its_own(everything: LocalBedrock) -> None:
    manager = AuthManager(AuthConfig(AuthenticationType.AUTO, region="us-west-2"))
    manager.get_session()
    for region in ("us-east-1", "eu-west-1", "us-west-2"):
        manager.get_session(region)
        ask(manager.get_bedrock_client(region))
        manager.get_bedrock_control_client(region).list_foundation_models()
    assert sorted((r.operation, r.region) for r in everything.requests) == [
        (operation, region)
        for operation in ("Converse", "ListFoundationModels")
        for region in ("eu-west-1", "us-east-1", "us-west-2")
    ]


def test_each_service_has_the_endpoint_that_its_variable_names(
    bedrock: LocalBedrock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", "http://127.0.0.1:1/control")
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://127.0.0.1:2/runtime")
    manager = AuthManager()
    control = manager.get_bedrock_control_client("eu-west-1")
    runtime = manager.get_bedrock_client("eu-west-1")
    assert control.meta.endpoint_url == "http://127.0.0.1:1/control"
    assert runtime.meta.endpoint_url == "http://127.0.0.1:2/runtime"


def test_clients_have_the_settings_of_the_boto3_configuration(bedrock: LocalBedrock) -> None:
    settings = Boto3Config(read_timeout=7, connect_timeout=8, max_pool_connections=9)
    manager = AuthManager(boto3_config=settings)
    for client in (
        manager.get_bedrock_client("us-east-1"),
        manager.get_bedrock_control_client("us-east-1"),
    ):
        config = client.meta.config
        assert (config.read_timeout, config.connect_timeout, config.max_pool_connections) == (
            7,
            8,
            9,
        )


def test_clients_have_botocore_s_settings_where_there_is_no_configuration(
    bedrock: LocalBedrock,
) -> None:
    runtime = AuthManager().get_bedrock_client("us-east-1").meta.config
    assert (runtime.read_timeout, runtime.connect_timeout) == (60, 60)
    control = AuthManager().get_bedrock_control_client("us-east-1").meta.config
    assert (control.read_timeout, control.max_pool_connections) == (60, 10)


def test_a_client_of_one_s_own_is_new_and_its_settings_win_one_by_one(
    bedrock: LocalBedrock,
) -> None:
    manager = AuthManager(boto3_config=Boto3Config(read_timeout=7, connect_timeout=8))
    shared = manager.get_bedrock_client("us-east-1")
    own = manager.new_client("bedrock-runtime", "us-east-1", Config(read_timeout=5))
    assert own is not shared
    assert manager.get_bedrock_client("us-east-1") is shared
    assert (own.meta.config.read_timeout, own.meta.config.connect_timeout) == (5, 8)


@pytest.mark.parametrize("region", ["not a region", "-"])
def test_a_region_for_which_no_client_can_be_made_is_named(
    bedrock: LocalBedrock, region: str
) -> None:
    manager = AuthManager()
    for make in (manager.get_bedrock_client, manager.get_bedrock_control_client):
        with pytest.raises(AuthenticationError, match=region) as caught:
            make(region)
        assert (caught.value.region, caught.value.auth_type) == (region, "auto")


def test_an_endpoint_that_is_none_is_an_error_of_ours(
    bedrock: LocalBedrock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "nonsense")
    with pytest.raises(AuthenticationError, match="nonsense"):
        AuthManager().get_bedrock_client("us-east-1")


@pytest.mark.skipif(
    tuple(map(int, botocore.__version__.split(".")[:2])) < (1, 39),
    reason="botocore reads bearer keys for Bedrock since 1.39",
)
def test_a_bearer_token_is_enough_and_is_what_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "a-bearer-token")
    manager = AuthManager()
    assert manager.may_have_credentials()
    client = manager.get_bedrock_client("eu-west-1")

    class Intercepted(Exception):  # noqa: N818 (nothing went wrong)
        """Raised instead of sending: botocore gives the token to HTTPS endpoints only."""

    def intercept(request: Any, **_: Any) -> None:
        raise Intercepted(request.headers["Authorization"])

    client.meta.events.register("before-send.bedrock-runtime", intercept)
    with pytest.raises(Intercepted, match=r"^b?'?Bearer a-bearer-token'?$"):
        ask(client)
    assert "a-bearer-token" not in f"{manager!r} {manager.get_auth_info()}"


# No credentials


@pytest.fixture
def silent_metadata_service(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An instance metadata service that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{port}")
        yield


def assert_quick_refusal(manager: AuthManager) -> None:
    started = time.monotonic()
    with pytest.raises(AuthenticationError, match="no AWS credentials") as caught:
        manager.get_session()
    assert time.monotonic() - started < 5
    assert caught.value.auth_type == "auto"
    with pytest.raises(AuthenticationError):
        manager.get_session("eu-west-1")


def test_without_credentials_or_metadata_service_the_refusal_is_quick() -> None:
    manager = AuthManager()
    assert not manager.may_have_credentials()
    assert_quick_refusal(manager)
    assert manager.get_auth_info()["has_session"] is False


@pytest.mark.usefixtures("silent_metadata_service")
def test_a_metadata_service_that_does_not_answer_is_given_up_quickly() -> None:
    manager = AuthManager()
    assert manager.may_have_credentials()
    started = time.monotonic()
    with pytest.raises(AuthenticationError, match="no AWS credentials"):
        manager.get_session()
    assert time.monotonic() - started < 5


class MetadataService(BaseHTTPRequestHandler):
    """Answers as an EC2 instance with a role does."""

    def do_PUT(self) -> None:
        self.answer("a-token")

    def do_GET(self) -> None:
        path = "/latest/meta-data/iam/security-credentials/"
        role = {
            "Code": "Success",
            "AccessKeyId": "AKIAROLE",
            "SecretAccessKey": "role-secret",
            "Token": "role-token",
            "Expiration": "2099-01-01T00:00:00Z",
        }
        self.answer({path: "some-role", f"{path}some-role": json.dumps(role)}[self.path])

    def answer(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize("auth_type", [AuthenticationType.AUTO, AuthenticationType.IAM_ROLE])
def test_the_role_of_an_instance_is_found_where_nothing_else_points_at_credentials(
    auth_type: AuthenticationType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HTTPServer(("127.0.0.1", 0), MetadataService) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv(
            "AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{server.server_port}"
        )
        try:
            found = AuthManager(AuthConfig(auth_type)).get_session().get_credentials()
        finally:
            server.shutdown()
            thread.join()
    assert (found.access_key, found.token) == ("AKIAROLE", "role-token")


@pytest.mark.parametrize("client", ["get_bedrock_client", "get_bedrock_control_client"])
def test_no_client_is_made_without_credentials(client: str) -> None:
    with pytest.raises(AuthenticationError, match="no AWS credentials"):
        getattr(AuthManager(), client)("eu-west-1")


def test_a_refusal_is_not_remembered(
    bedrock: LocalBedrock, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = bedrock.environment()["AWS_SECRET_ACCESS_KEY"]
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    manager = AuthManager()
    with pytest.raises(AuthenticationError):
        manager.get_session()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    assert manager.get_session().get_credentials().secret_key == secret


def test_an_unknown_profile_is_named() -> None:
    config = AuthConfig(AuthenticationType.PROFILE, profile_name="nobody")
    with pytest.raises(AuthenticationError, match="'nobody'") as caught:
        AuthManager(config).get_session("eu-west-1")
    assert (caught.value.auth_type, caught.value.region) == ("profile", "eu-west-1")


def test_an_unknown_profile_that_a_variable_asks_for_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(AuthenticationError, match="'nobody'"):
        AuthManager().get_session()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AWS_ACCESS_KEY_ID", "AKIAHALF"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://credentials.example.com/"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/"),
    ],
)
def test_credentials_that_cannot_be_had_are_an_error_of_ours(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    # botocore pauses a second between its three tries to reach a container's credentials.
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    monkeypatch.setenv(variable, value)
    with pytest.raises(AuthenticationError) as caught:
        AuthManager().get_session()
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("text", ["[work", "[profile work]\nregion"])
def test_a_configuration_file_that_cannot_be_read_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "config").write_text(text)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(AuthenticationError, match="config"):
        AuthManager().get_session()


def test_an_error_does_not_tell_the_keys(bedrock: LocalBedrock) -> None:
    with pytest.raises(AuthenticationError) as caught:
        AuthManager(KEYS).get_bedrock_client("not a region")
    assert "explicit" not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"


# Evidence


@pytest.mark.parametrize(
    "variable",
    [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_BEARER_TOKEN_BEDROCK",
    ],
)
def test_every_variable_of_the_credential_chain_is_evidence(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not AuthManager().may_have_credentials()
    monkeypatch.setenv(variable, "something")
    assert AuthManager().may_have_credentials()
    monkeypatch.setenv(variable, "")
    assert not AuthManager().may_have_credentials()


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"])
def test_other_variables_are_no_evidence(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "eu-west-1")
    assert not AuthManager().may_have_credentials()


@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
@pytest.mark.parametrize("place", ["named", "home"])
def test_an_existing_file_is_evidence(
    variable: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = {"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"}[variable]
    path = tmp_path / place / ".aws" / name
    if place == "named":
        monkeypatch.setenv(variable, str(path))
    else:
        monkeypatch.setenv("HOME", str(tmp_path / place))
        monkeypatch.delenv(variable)
    assert not AuthManager().may_have_credentials()
    path.parent.mkdir(parents=True)
    path.touch()
    assert AuthManager().may_have_credentials()


@pytest.mark.parametrize(
    ("config", "evidence"),
    [
        (None, False),
        (AuthConfig(AuthenticationType.AUTO), False),
        (AuthConfig(AuthenticationType.IAM_ROLE), True),
        (AuthConfig(AuthenticationType.PROFILE, profile_name="work"), True),
        (KEYS, True),
    ],
)
def test_an_explicit_configuration_is_evidence(config: AuthConfig | None, evidence: bool) -> None:
    assert has_evidence_of_credentials(config) is evidence
    assert AuthManager(config).may_have_credentials() is evidence


@pytest.mark.parametrize(
    ("value", "worth_asking"), [("true", False), ("TRUE", False), ("false", True), ("", True)]
)
def test_an_instance_may_have_a_role_unless_its_metadata_service_is_off(
    value: str, worth_asking: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", value)
    assert AuthManager().may_have_credentials() is worth_asking
