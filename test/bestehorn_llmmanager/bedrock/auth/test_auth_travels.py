"""Tests that an `AuthManager` survives pickling, copying and forking, without what cannot."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.auth import AuthManager
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
    Boto3Config,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bestehorn_llmmanager.testing import LocalBedrock, ReceivedRequest

MODEL = "google.gemma-3-4b-it"
CONFIG = AuthConfig(
    AuthenticationType.CREDENTIALS,
    access_key_id="AKIAEXPLICIT",
    secret_access_key="explicit-secret",
    region="eu-west-1",
)
ASK = (
    f"it.runtime_client('eu-north-1', 25).converse(modelId={MODEL!r}, "
    "messages=[{'role': 'user', 'content': [{'text': 'Hi'}]}])"
)


def ask(client: Any) -> Any:
    return client.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "Hi"}]}])


def settings(manager: AuthManager) -> tuple[Any, ...]:
    """What the configuration decides."""
    config = manager.runtime_client("eu-north-1", 25).meta.config
    info = {**manager.get_auth_info(), "has_session": None}
    key = manager.get_session().get_credentials().access_key
    return info, key, config.read_timeout, config.connect_timeout, config.retries


def used_manager() -> AuthManager:
    manager = AuthManager(CONFIG, Boto3Config(connect_timeout=4, retries_max_attempts=5))
    ask(manager.runtime_client("eu-north-1", 25))
    manager.get_bedrock_control_client("eu-north-1").list_foundation_models()
    manager.get_session("eu-north-1")
    return manager


# Pickling and copying


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, *(lambda m, p=p: pickle.loads(pickle.dumps(m, p)) for p in (2, 5))],
    ids=["copy", "deepcopy", "pickle2", "pickle5"],
)
def test_a_duplicate_has_the_configuration_and_makes_its_own_clients(
    bedrock: LocalBedrock, duplicate: Callable[[AuthManager], AuthManager]
) -> None:
    manager = used_manager()
    other = duplicate(manager)
    assert other.get_auth_info()["has_session"] is False
    assert settings(other) == settings(manager)
    assert other.runtime_client("eu-north-1") is not manager.runtime_client("eu-north-1")
    other.close()
    ask(manager.runtime_client("eu-north-1", 25))
    assert len({r.connection for r in bedrock.requests if r.operation == "Converse"}) == 1


def test_nothing_but_the_configuration_travels(bedrock: LocalBedrock) -> None:
    unused = AuthManager(CONFIG, Boto3Config(connect_timeout=4, retries_max_attempts=5))
    assert pickle.dumps(used_manager()) == pickle.dumps(unused)


def test_another_process_goes_on_with_it(
    bedrock: LocalBedrock, elsewhere: Callable[[object, str], str]
) -> None:
    assert elsewhere(used_manager(), f"{ASK}; print(it.get_auth_info()['region'])") == "eu-west-1"
    assert bedrock.count("Converse", "eu-north-1") == 2


def test_what_a_subclass_adds_travels_along(bedrock: LocalBedrock) -> None:
    manager = Named("work")
    manager.runtime_client("us-east-1")
    other = copy.copy(manager)
    assert (other.name, other.get_auth_info()["has_session"]) == ("work", False)
    ask(other.runtime_client("us-east-1"))


class Named(AuthManager):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


# Forking


@contextmanager
def held(lock: Any) -> Iterator[None]:
    """Another thread has it, also at the moment of a fork."""
    has_it, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            has_it.set()
            may_go.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    has_it.wait()
    try:
        yield
    finally:
        may_go.set()
        thread.join()


def test_a_child_makes_its_own_connections(
    bedrock: LocalBedrock, in_child: Callable[[Callable[[], Any]], Any]
) -> None:
    manager = used_manager()
    client = manager.runtime_client("eu-north-1", 25)

    def work() -> bool:
        ask(manager.runtime_client("eu-north-1", 25))
        return manager.runtime_client("eu-north-1", 25) is not client

    assert in_child(work)
    ask(client)
    of_parent, of_child, of_parent_again = (
        r.connection for r in bedrock.requests if r.operation == "Converse"
    )
    assert of_parent_again == of_parent != of_child


def test_a_child_of_a_child_does_so_too(
    bedrock: LocalBedrock, in_child: Callable[[Callable[[], Any]], Any]
) -> None:
    manager = used_manager()

    def work() -> Any:
        ask(manager.runtime_client("eu-north-1"))
        return in_child(lambda: ask(manager.runtime_client("eu-north-1"))["stopReason"])

    assert in_child(work) == "end_turn"
    assert len({r.connection for r in bedrock.requests if r.operation == "Converse"}) == 3


def test_a_child_made_while_another_thread_makes_a_client_is_not_locked_out(
    bedrock: LocalBedrock, in_child: Callable[[Callable[[], Any]], Any]
) -> None:
    manager = AuthManager()
    with held(manager._lock):
        assert in_child(lambda: ask(manager.runtime_client("us-east-1"))["stopReason"])
    ask(manager.runtime_client("us-east-1"))


def test_a_child_made_in_the_middle_of_a_call_gets_an_answer_of_its_own(
    bedrock: LocalBedrock, in_child: Callable[[Callable[[], Any]], Any]
) -> None:
    began, child_is_done = threading.Event(), threading.Event()

    def reply(_: ReceivedRequest) -> str:
        began.set()
        return str(child_is_done.wait(10))

    bedrock.reply_with(reply, times=1)
    manager = AuthManager(boto3_config=Boto3Config())
    client = manager.runtime_client("us-east-1")
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(ask(client)))
    thread.start()
    assert began.wait(10)
    assert in_child(lambda: ask(manager.runtime_client("us-east-1"))["stopReason"]) == "end_turn"
    assert answers == []
    child_is_done.set()
    thread.join()
    assert len(answers) == 1


def test_a_child_lets_no_connection_pool_go_whose_lock_a_thread_had(
    bedrock: LocalBedrock, in_child: Callable[[Callable[[], Any]], Any]
) -> None:
    manager = AuthManager()
    client = manager.runtime_client("us-east-1")
    ask(client)
    pools = client._endpoint.http_session._manager.pools
    lock = pools[next(iter(pools.keys()))].pool.mutex
    del client, pools

    def work() -> str:
        gc.collect()
        manager.close()
        return str(ask(manager.runtime_client("us-east-1"))["stopReason"])

    with held(lock):
        assert in_child(work) == "end_turn"


@pytest.mark.usefixtures("five_minutes")  # too little: they are renewed before every request
def test_a_child_made_while_a_role_is_renewed_asks_sts_itself(
    bedrock: LocalBedrock, in_child: Callable[[Callable[[], Any]], Any]
) -> None:
    role = "arn:aws:iam::123456789012:role/Inference"
    manager = AuthManager(AuthConfig(AuthenticationType.AUTO, role_arn=role))
    credentials: Any = manager.get_session("us-east-1").get_credentials()
    with held(credentials._refresh_lock):
        assert in_child(lambda: ask(manager.runtime_client("us-east-1"))["stopReason"])


def test_a_manager_that_is_gone_is_not_kept_for_later_children() -> None:
    from weakref import ref

    manager = ref(AuthManager(CONFIG))
    gc.collect()
    assert manager() is None
