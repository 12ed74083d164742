"""Tests which client a request gets: how long it waits, how often it tries, who shares it."""

from __future__ import annotations

import gc
import json
import logging
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager import __version__
from bestehorn_llmmanager.bedrock.auth import AuthManager
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import AuthenticationError
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
    Boto3Config,
)
from bestehorn_llmmanager.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from bestehorn_llmmanager.testing import LocalBedrock, ReceivedRequest

MODEL = "google.gemma-3-4b-it"  # on demand in all regions that are called here
KEYS = AuthConfig(AuthenticationType.CREDENTIALS, access_key_id="A", secret_access_key="s")
STEPS = (1, 2, 5, 10, 30, 60, 300, 600)


def ask(client: Any) -> Any:
    return client.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "Hi"}]}])


def in_threads(number: int, work: Callable[[], Any]) -> list[Any]:
    """What `work` gives in each of so many threads that start together."""
    start, results = threading.Barrier(number), []

    def run() -> None:
        start.wait()
        results.append(work())

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def timeouts(client: Any) -> tuple[float, float]:
    return client.meta.config.read_timeout, client.meta.config.connect_timeout


# How it introduces itself


def seen_by(bedrock: LocalBedrock, client: Any) -> list[str]:
    """The headers of two calls that say who asks."""
    seen: list[str] = []

    def reply(request: ReceivedRequest) -> str:
        seen.append(request.headers["user-agent"])
        return "Hi"

    bedrock.reply_with(reply)
    ask(client)
    ask(client)
    return seen


def test_clients_say_which_library_and_which_botocore_asks(
    bedrock: LocalBedrock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13")
    first, second = seen_by(bedrock, AuthManager().runtime_client("us-east-1"))
    assert first == second
    assert first.startswith(f"Botocore/{botocore.__version__} ")
    assert first.endswith(f" lib/bestehorn-llmmanager#{__version__}")
    assert "AWS_Lambda_python3.13" in first


def test_the_name_of_an_application_stays_where_botocore_puts_it(
    bedrock: LocalBedrock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", "ledger")
    assert "app/ledger" in seen_by(bedrock, AuthManager().runtime_client("us-east-1"))[0]
    own = AuthManager().new_client(
        "bedrock-runtime", "us-east-1", Config(user_agent_appid="invoices")
    )
    assert "app/invoices" in seen_by(bedrock, own)[0]


def test_a_user_agent_of_the_callers_own_is_sent_as_it_is(bedrock: LocalBedrock) -> None:
    config = Config(user_agent="mine/1.0", user_agent_extra="more")
    own = AuthManager().new_client("bedrock-runtime", "us-east-1", config)
    assert seen_by(bedrock, own) == ["mine/1.0 more"] * 2


# How long it waits


@pytest.mark.parametrize(
    ("left", "waits"),
    [
        (None, (600, 60)),
        (float("inf"), (600, 60)),
        (600, (600, 60)),
        (599, (300, 60)),
        (60, (60, 60)),
        (59, (30, 30)),
        (30, (30, 30)),
        (29.96, (30, 30)),  # 30 when the call began
        (29.9, (10, 10)),
        (5, (5, 5)),
        (1, (1, 1)),
        (0.3, (1, 1)),
        (-1, (1, 1)),
    ],
)
def test_a_client_waits_no_longer_than_there_is_time(
    bedrock: LocalBedrock, left: float | None, waits: tuple[float, float]
) -> None:
    manager = AuthManager(boto3_config=Boto3Config())
    assert timeouts(manager.runtime_client("us-east-1", left)) == waits


@pytest.mark.parametrize(
    ("settings", "left", "waits"),
    [
        (Boto3Config(read_timeout=20, connect_timeout=3), None, (20, 3)),
        (Boto3Config(read_timeout=20, connect_timeout=3), 300, (20, 3)),
        (Boto3Config(read_timeout=20, connect_timeout=3), 20, (20, 3)),
        (Boto3Config(read_timeout=20, connect_timeout=3), 19, (10, 3)),
        (Boto3Config(read_timeout=20, connect_timeout=3), 2, (2, 2)),
        (Boto3Config(read_timeout=1), 300, (1, 60)),
        (Boto3Config(read_timeout=1), 0.5, (1, 60)),
        (Boto3Config(read_timeout=3600), 1000, (600, 60)),
        (None, None, (60, 60)),
        (None, 300, (60, 60)),
        (None, 30, (30, 30)),
    ],
)
def test_nor_longer_than_the_configuration_says(
    bedrock: LocalBedrock,
    settings: Boto3Config | None,
    left: float | None,
    waits: tuple[float, float],
) -> None:
    client = AuthManager(boto3_config=settings).runtime_client("us-east-1", left)
    assert timeouts(client) == waits


@given(configured=st.integers(1, 2000), left=st.floats(0, 4000))
def test_the_step_is_the_largest_that_fits(configured: int, left: float) -> None:
    manager = AuthManager(KEYS, Boto3Config(read_timeout=configured))
    waits, _ = timeouts(manager.runtime_client("us-east-1", left))
    allowed = sorted({*(step for step in STEPS if step < configured), configured})
    assert waits == max([a for a in allowed if a <= left + 0.05], default=allowed[0])


@pytest.mark.parametrize(
    ("settings", "left", "waits"),
    [
        (Boto3Config(), 1, 1),
        (Boto3Config(), 2, 2),
        (Boto3Config(), 2.9, 2),
        (Boto3Config(), 3, 2),
        (Boto3Config(), 5, 3.75),
        (Boto3Config(), 6.2, 3.75),
        (Boto3Config(), 6.24, 5),  # 6.25 when the call began
        (Boto3Config(), 6.5, 5),
        (Boto3Config(), 9.9, 5),
        (Boto3Config(), 10, 8.75),
        (Boto3Config(), 30, 28.75),
        (Boto3Config(), 60, 58.75),
        (Boto3Config(), 300, 298.75),
        (Boto3Config(), 600, 598.75),
        (Boto3Config(), 601, 598.75),
        (Boto3Config(), 602, 600),
        (Boto3Config(read_timeout=7), 7, 5.75),
        (Boto3Config(read_timeout=7), 8, 5.75),
        (Boto3Config(read_timeout=7), 9, 7),
        (Boto3Config(read_timeout=2), 2, 2),
        (Boto3Config(), None, 600),
    ],
)
def test_a_second_is_left_for_another_target_from_three_seconds_on(
    bedrock: LocalBedrock, settings: Boto3Config, left: float | None, waits: float
) -> None:
    manager = AuthManager(boto3_config=settings)
    client = manager.runtime_client("us-east-1", left, True)
    assert timeouts(client)[0] == waits
    assert client is manager.runtime_client("us-east-1", left, True)


@given(left=st.floats(2, 700), longer=st.floats(0, 100))
def test_who_has_more_time_never_loses_the_time_for_another_target(
    left: float, longer: float
) -> None:
    manager = AuthManager(KEYS, Boto3Config())

    def spare(seconds: float) -> float:
        return seconds - timeouts(manager.runtime_client("us-east-1", seconds, True))[0]

    if spare(left) >= 0.96:  # an attempt needs 0.95
        assert spare(left + longer) >= 0.96


def test_a_client_gives_up_when_its_time_is_over(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.hang())
    client = AuthManager(boto3_config=Boto3Config()).runtime_client("us-east-1", 1.4)
    with pytest.raises(ReadTimeoutError):
        ask(client)
    assert bedrock.count("Converse") == 1


# How often it tries


@pytest.mark.parametrize("left", [None, 10])
def test_a_refusal_is_not_tried_again_behind_the_caller_s_back(
    bedrock: LocalBedrock, left: float | None
) -> None:
    bedrock.fail(Fault.internal_error())
    client = AuthManager(boto3_config=Boto3Config()).runtime_client("us-east-1", left)
    with pytest.raises(ClientError):
        ask(client)
    assert bedrock.count("Converse") == 1


@pytest.mark.parametrize(("asked_for", "attempts"), [(3, 1), (0, 1), (1, 2), (2, 3), (5, 6)])
@pytest.mark.parametrize("left", [None, 10])
def test_any_number_of_retries_but_the_default_is_the_user_s_wish(
    bedrock: LocalBedrock, asked_for: int, attempts: int, left: float | None
) -> None:
    settings = Boto3Config(retries_max_attempts=asked_for)
    client = AuthManager(boto3_config=settings).runtime_client("us-east-1", left)
    retries = client.meta.config.retries
    total = retries.get("total_max_attempts") or retries["max_attempts"] + 1
    assert total == attempts


def test_the_control_plane_keeps_the_retries_that_were_configured(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.internal_error(), times=1)
    manager = AuthManager(boto3_config=Boto3Config())
    manager.get_bedrock_control_client("us-east-1").list_foundation_models()
    assert bedrock.count("ListFoundationModels") == 2


# How many may call at once


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        (Boto3Config(), 512),
        (None, 512),
        (Boto3Config(max_pool_connections=3), 3),
        (Boto3Config(max_pool_connections=1000), 1000),
    ],
)
def test_the_pool_is_large_unless_its_size_was_chosen(
    bedrock: LocalBedrock, settings: Boto3Config | None, kept: int
) -> None:
    client = AuthManager(boto3_config=settings).runtime_client("us-east-1")
    assert client.meta.config.max_pool_connections == kept


def test_thirty_two_threads_keep_their_connections(
    snapshot: dict[str, Any], bedrock: LocalBedrock, caplog: pytest.LogCaptureFixture
) -> None:
    bedrock.fail(Fault.slow(0.5))  # so that all are under way at once
    client = AuthManager(boto3_config=Boto3Config()).runtime_client("us-east-1")
    with caplog.at_level(logging.WARNING, logger="urllib3"):
        in_threads(32, lambda: ask(client))
        first = {request.connection for request in bedrock.requests}
        in_threads(32, lambda: ask(client))
    assert len(first) == 32
    assert {request.connection for request in bedrock.requests} == first
    assert not caplog.records  # "Connection pool is full, discarding connection"


# Who shares it


def test_there_is_one_client_per_region_and_step(bedrock: LocalBedrock) -> None:
    manager = AuthManager(boto3_config=Boto3Config())
    wanted = [(region, step) for region in ("us-east-1", "eu-west-1") for step in STEPS]
    clients = [manager.runtime_client(region, step) for region, step in wanted]
    assert [(c.meta.region_name, c.meta.config.read_timeout) for c in clients] == wanted
    assert all(manager.runtime_client(*w) is c for w, c in zip(wanted, clients, strict=True))


def test_the_old_name_gives_the_same_client(bedrock: LocalBedrock) -> None:
    manager = AuthManager(boto3_config=Boto3Config())
    assert manager.get_bedrock_client("eu-west-1") is manager.runtime_client("eu-west-1")
    assert manager.runtime_client("eu-west-1") is manager.runtime_client("eu-west-1", 600)


@pytest.fixture
def process_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profile that runs a program for its credentials; gives a file with a line for each run."""
    runs, program = tmp_path / "runs", tmp_path / "program.py"
    answer = {"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "process-secret"}
    program.write_text(
        f"open({str(runs)!r}, 'a').write('run\\n')\nprint({json.dumps(json.dumps(answer))})\n"
    )
    config = tmp_path / "config"
    config.write_text(f"[profile work]\ncredential_process = {sys.executable} {program}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    return runs


def test_credentials_are_looked_for_once_for_all_threads_regions_and_sessions(
    bedrock: LocalBedrock, process_profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = AuthManager(AuthConfig(AuthenticationType.PROFILE, profile_name="work"))
    clients = in_threads(32, lambda: manager.runtime_client("eu-west-1"))
    assert len(clients) == 32
    assert len({id(client) for client in clients}) == 1
    for region in ("us-east-1", "eu-north-1"):
        ask(manager.runtime_client(region, 10))
        manager.get_bedrock_control_client(region).list_foundation_models()
        assert manager.get_session(region).get_credentials().access_key == "AKIAPROCESS"
    assert process_profile.read_text() == "run\n"


def test_all_sessions_have_the_same_credentials_object(bedrock: LocalBedrock) -> None:
    manager = AuthManager()
    sessions = [manager.get_session(region) for region in (None, "eu-west-1", "us-west-2")]
    assert len({id(session) for session in sessions}) == 3
    assert len({id(session.get_credentials()) for session in sessions}) == 1


def test_what_a_caller_does_to_a_session_does_not_touch_the_clients(bedrock: LocalBedrock) -> None:
    manager = AuthManager()

    def refuse(**_: Any) -> None:
        raise AssertionError

    manager.get_session().events.register("before-send.bedrock-runtime", refuse)
    ask(manager.runtime_client("us-east-1"))


def test_a_session_is_an_ordinary_one_of_boto3(bedrock: LocalBedrock) -> None:
    import boto3.session

    session = AuthManager().get_session("eu-west-1")
    assert isinstance(session, boto3.session.Session)
    assert {"bedrock-runtime", "s3", "sts"} <= set(session.get_available_services())
    ask(session.client("bedrock-runtime"))
    assert bedrock.count("Converse", "eu-west-1") == 1


def test_a_client_needs_no_boto3(bedrock: LocalBedrock) -> None:
    code = (
        "import sys\n"
        "from bestehorn_llmmanager.bedrock.auth import AuthManager\n"
        "AuthManager().runtime_client('eu-west-1')\n"
        "sys.exit('boto3' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Service models


def test_models_in_the_data_path_are_used_as_botocore_uses_them(
    bedrock: LocalBedrock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = botocore.session.Session().get_component("data_loader")
    model = json.loads(json.dumps(loader.load_service_model("bedrock-runtime", "service-2")))
    model["operations"]["Frobnicate"] = {**model["operations"]["Converse"], "name": "Frobnicate"}
    folder = tmp_path / "models" / "bedrock-runtime" / model["metadata"]["apiVersion"]
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps(model))
    plain = AuthManager().runtime_client("us-east-1")
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path / "models"))
    extended = AuthManager().runtime_client("us-east-1")
    assert [hasattr(client, "frobnicate") for client in (plain, extended)] == [False, True]


def test_a_service_that_there_is_not_is_named(bedrock: LocalBedrock) -> None:
    with pytest.raises(AuthenticationError, match=r"bedrok.*bedrock-runtime"):
        AuthManager().new_client("bedrok", "us-east-1")


# Closing


def test_closing_ends_the_connections_and_the_next_call_opens_new_ones(
    bedrock: LocalBedrock,
) -> None:
    with AuthManager(boto3_config=Boto3Config()) as manager:
        old = manager.runtime_client("us-east-1"), manager.get_bedrock_control_client("us-east-1")
        ask(old[0])
        old[1].list_foundation_models()
    new = manager.runtime_client("us-east-1"), manager.get_bedrock_control_client("us-east-1")
    assert not set(map(id, old)) & set(map(id, new))
    ask(new[0])
    new[1].list_foundation_models()
    assert len({request.connection for request in bedrock.requests}) == 4
    manager.close()
    manager.close()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_closing_frees_the_sockets(bedrock: LocalBedrock) -> None:
    manager = AuthManager()
    client = manager.runtime_client("us-east-1")
    gc.collect()  # what other tests left
    before = len(list(Path("/proc/self/fd").iterdir()))
    ask(client)
    manager.close()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1  # the server's side


def test_a_client_that_somebody_still_holds_works_on(bedrock: LocalBedrock) -> None:
    manager = AuthManager()
    client = manager.runtime_client("us-east-1")
    ask(client)
    manager.close()
    ask(client)


def test_a_client_of_one_s_own_is_not_closed(bedrock: LocalBedrock) -> None:
    manager = AuthManager()
    own = manager.new_client("bedrock-runtime", "us-east-1")
    ask(own)
    manager.close()
    ask(own)
    assert len({request.connection for request in bedrock.requests}) == 1
    own.close()


def test_closing_while_others_call_costs_no_answer(bedrock: LocalBedrock) -> None:
    bedrock.fail(Fault.slow(0.1))
    manager = AuthManager(boto3_config=Boto3Config())
    client = manager.runtime_client("us-east-1")
    answers: list[Any] = []
    threads = threading.Thread(target=lambda: answers.extend(in_threads(8, lambda: ask(client))))
    threads.start()
    time.sleep(0.05)
    manager.close()
    threads.join()
    assert len(answers) == 8
