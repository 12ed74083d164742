"""Tests which regions are said to have Bedrock, and what a cached list is worth."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import pickle
import stat
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.catalog.regions import all_regions
from bestehorn_llmmanager.bedrock.discovery import BedrockRegionDiscovery
from bestehorn_llmmanager.bedrock.discovery.region_discovery import RegionDiscoveryError
from bestehorn_llmmanager.bedrock.discovery.region_file import RegionFile, read_regions
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import (
    ConfigurationError,
    LLMManagerError,
)
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
)
from bestehorn_llmmanager.testing import Fault, LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

NAME, LIVE_NAME = "bedrock_regions.json", "bedrock_regions_live.json"
MADE_UP = ["ab-cdef-1", "us-east-1"]

root_only = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away"
)
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")


@functools.cache
def botocores_regions() -> list[str]:
    return sorted(botocore.session.get_session().get_available_regions("bedrock"))


def put(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def listed(hours_ago: float = 0, **more: Any) -> dict[str, object]:
    """What a cache file holds, as this package writes it."""
    then = datetime.now(timezone.utc) - timedelta(hours=hours_ago)
    return {"retrieval_timestamp": then.isoformat(), "regions": MADE_UP, **more}


def keys(number: int = 1) -> AuthConfig:
    return AuthConfig(
        AuthenticationType.CREDENTIALS,
        access_key_id=f"AKIANUMBER{number}",
        secret_access_key="wJalr-not-a-real-secret-key",
    )


@pytest.fixture
def discovery(cache_dir: Path) -> BedrockRegionDiscovery:
    return BedrockRegionDiscovery(cache_dir)


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBedrock]:
    """An endpoint whose account has three regions: in all others its key is not known."""
    nova = {
        "modelId": "amazon.nova-lite-v1:0",
        "modelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
        "modelName": "Nova Lite",
        "inferenceTypesSupported": ["ON_DEMAND"],
    }
    listing: Mapping[str, Any] = {"modelSummaries": [nova], "inferenceProfileSummaries": []}
    snapshot = {"regions": dict.fromkeys(("eu-west-1", "us-east-1", "us-west-2"), listing)}
    with LocalBedrock(snapshot) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint.url)
        yield endpoint


# What botocore says


def test_the_regions_are_those_of_botocore(discovery: BedrockRegionDiscovery) -> None:
    regions = discovery.get_bedrock_regions()
    assert regions == botocores_regions()
    assert {"us-east-1", "eu-central-1"} <= set(regions)


def test_a_list_that_is_changed_by_its_owner_is_nobody_elses(
    discovery: BedrockRegionDiscovery,
) -> None:
    discovery.get_bedrock_regions().clear()
    assert discovery.get_bedrock_regions() == botocores_regions()


def test_constructing_touches_no_file(cache_dir: Path, tmp_path: Path) -> None:
    before = set(tmp_path.rglob("*"))
    BedrockRegionDiscovery(cache_dir)
    BedrockRegionDiscovery()
    assert set(tmp_path.rglob("*")) == before


def test_the_default_directory_is_that_of_the_model_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    discovery = BedrockRegionDiscovery()
    discovery.get_bedrock_regions()
    file = tmp_path / "bestehorn-llmmanager" / NAME
    assert json.loads(file.read_text())["regions"] == botocores_regions()
    assert repr(discovery) == (
        f"BedrockRegionDiscovery(cache_dir='{file.parent}', cache_ttl_hours=24)"
    )


def test_importing_and_constructing_costs_no_boto3_and_a_valid_cache_neither(
    cache_dir: Path,
) -> None:
    put(cache_dir / NAME, listed())
    code = """
import sys
from bestehorn_llmmanager import BedrockRegionDiscovery
print(BedrockRegionDiscovery(sys.argv[1]).get_bedrock_regions())
assert not {"boto3", "botocore", "urllib3", "filelock"} & set(sys.modules)
"""
    command = [sys.executable, "-W", "error", "-c", code, str(cache_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{MADE_UP}\n"


@pytest.mark.parametrize("profile", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_a_profile_that_does_not_exist_is_an_error_that_says_so(
    discovery: BedrockRegionDiscovery, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(profile, "nobodys")
    with pytest.raises(RegionDiscoveryError, match=r"nobodys.*Check `AWS_PROFILE`") as caught:
        discovery.get_bedrock_regions()
    assert type(caught.value.__cause__).__name__ == "ProfileNotFound"
    assert not discovery.get_cache_info()["cache_exists"]


def test_a_botocore_that_knows_no_region_is_an_error(
    discovery: BedrockRegionDiscovery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition: dict[str, object] = {
        "partition": "aws",
        "dnsSuffix": "amazonaws.com",
        "regionRegex": ".*",
        "regions": {},
        "services": {},
        "defaults": {},
    }
    put(tmp_path / "data" / "endpoints.json", {"version": 3, "partitions": [partition]})
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path / "data"))
    with pytest.raises(RegionDiscoveryError, match="update boto3"):
        discovery.get_bedrock_regions()


def test_the_error_is_one_of_ours_and_travels() -> None:
    error = pickle.loads(pickle.dumps(RegionDiscoveryError("no regions")))
    assert isinstance(error, RegionDiscoveryError)
    assert isinstance(error, LLMManagerError)
    assert str(error) == "no regions"


# The cache


def test_a_valid_file_answers_until_a_refresh_is_forced(
    discovery: BedrockRegionDiscovery, cache_dir: Path
) -> None:
    put(cache_dir / NAME, listed(hours_ago=23.9))
    assert discovery.get_bedrock_regions() == MADE_UP
    assert discovery.get_bedrock_regions(True) == botocores_regions()
    assert discovery.get_bedrock_regions() == botocores_regions()
    assert read_regions(str(cache_dir / NAME)).regions == tuple(botocores_regions())


@posix_only
def test_directory_and_file_are_for_this_user_alone(
    discovery: BedrockRegionDiscovery, cache_dir: Path
) -> None:
    discovery.get_bedrock_regions()
    assert stat.S_IMODE(cache_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((cache_dir / NAME).stat().st_mode) == 0o600
    assert [file.name for file in cache_dir.iterdir()] == [NAME]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"])
def test_a_time_without_zone_is_local_as_the_previous_release_wrote_it(
    cache_dir: Path, zone: str
) -> None:
    # Nearly ten hours: wrong by any offset, it would be too old or from the future.
    code = f"""
import datetime, json, os, sys, time
time.tzset()
from bestehorn_llmmanager import BedrockRegionDiscovery
os.makedirs(sys.argv[1], mode=0o700)
then = datetime.datetime.now() - datetime.timedelta(hours=0.5)
with open(os.path.join(sys.argv[1], "{NAME}"), "w") as file:
    json.dump({{"retrieval_timestamp": then.isoformat(), "regions": ["ab-cdef-1"]}}, file)
print(BedrockRegionDiscovery(sys.argv[1], 1).get_bedrock_regions())
"""
    command = [sys.executable, "-c", code, str(cache_dir)]
    done = subprocess.run(
        command, env={**os.environ, "TZ": zone}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "['ab-cdef-1']\n"


@pytest.mark.parametrize(
    ("ttl", "age", "is_used"),
    [
        (24, 25, False),
        (0.5, 0.4, True),
        (0, 0, False),
        (0, -0.001, False),
        (float("inf"), 9e4, True),
        (24, -0.01, True),
        (24, -0.05, False),
        (24, -24 * 365, False),
    ],
)
def test_a_list_is_used_while_it_is_young_and_not_from_the_future(
    cache_dir: Path, ttl: float, age: float, is_used: bool
) -> None:
    put(cache_dir / NAME, listed(hours_ago=age))
    discovery = BedrockRegionDiscovery(cache_dir, ttl)
    assert discovery.get_cache_info()["cache_valid"] is is_used
    assert (discovery.get_bedrock_regions() == MADE_UP) is is_used


DAMAGED: list[str | dict[str, Any]] = [
    "",
    "{",
    "[]",
    "{}",
    "null",
    '{"regions": ["us-east-1"]}',
    "[" * 100_000,
    '"\\ud800',
    {"regions": []},
    {"regions": "us-east-1"},
    {"regions": ["us-east-1", 5]},
    {"regions": ["us-east-1", "http://evil.example"]},
    {"regions": ["us-east-1\n"]},
    {"regions": ["us-east-1"] * 501},
    {"regions": {"us-east-1": 1}},
    {"regions": None},
    {"retrieval_timestamp": "yesterday"},
    {"retrieval_timestamp": 1700000000},
    {"retrieval_timestamp": "0001-01-01T00:00:00"},
    {"retrieval_timestamp": "9999-12-31T23:59:59"},
    {"asker": 5},
]


@pytest.mark.parametrize("content", DAMAGED, ids=lambda content: str(content)[:60])
def test_a_damaged_file_is_a_miss_with_a_warning_and_is_replaced(
    discovery: BedrockRegionDiscovery,
    cache_dir: Path,
    content: str | dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    put(cache_dir / NAME, content if isinstance(content, str) else listed(**content))
    info = discovery.get_cache_info()
    assert set(info) == {"cache_file", "cache_exists", "cache_ttl_hours", "cache_error"}
    assert "evil" not in info["cache_error"]
    assert discovery.get_bedrock_regions() == botocores_regions()
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings
    assert "cached regions ignored" in warnings[0].getMessage()
    assert "evil" not in caplog.text
    assert discovery.get_cache_info()["cache_valid"] is True


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["retrieval_timestamp", "regions", "asker"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_no_content_of_the_file_makes_it_fail(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    directory = tmp_path_factory.mktemp("any")
    (directory / NAME).write_bytes(content)
    discovery = BedrockRegionDiscovery(directory)
    info = discovery.get_cache_info()
    assert ("cache_error" in info) is not ("cached_region_count" in info)
    for found in RegionFile([str(directory)], NAME).lists():
        assert found.regions


@root_only
def test_a_file_that_others_own_or_can_write_is_not_believed(
    discovery: BedrockRegionDiscovery, cache_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = cache_dir / NAME
    put(file, listed())
    os.chown(file, 65534, 65534)
    assert discovery.get_bedrock_regions() == botocores_regions()
    assert "belongs to user" in caplog.text
    put(file, listed())
    file.chmod(0o666)
    assert discovery.get_bedrock_regions() == botocores_regions()
    assert "other users can write it" in caplog.text


def test_a_file_that_is_a_pipe_or_a_directory_is_a_miss(
    discovery: BedrockRegionDiscovery, cache_dir: Path
) -> None:
    (cache_dir / NAME).mkdir(parents=True)
    assert discovery.get_bedrock_regions() == botocores_regions()
    (cache_dir / NAME).rmdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(cache_dir / NAME)
        assert discovery.get_bedrock_regions() == botocores_regions()


def test_where_the_directory_cannot_be_written_the_fall_back_is_used(
    tmp_path: Path, fallback: Path
) -> None:
    (tmp_path / "file").write_text("")
    discovery = BedrockRegionDiscovery(tmp_path / "file" / "cache")
    assert discovery.get_bedrock_regions() == botocores_regions()
    assert discovery.get_cache_info()["cache_file"] == str(fallback / NAME)
    put(fallback / NAME, listed())
    assert discovery.get_bedrock_regions() == MADE_UP
    discovery.clear_cache()
    assert list(fallback.iterdir()) == []


def test_the_newest_of_two_lists_counts(
    discovery: BedrockRegionDiscovery, cache_dir: Path, fallback: Path
) -> None:
    put(cache_dir / NAME, {**listed(hours_ago=2), "regions": ["us-west-2"]})
    put(fallback / NAME, listed(hours_ago=1))
    assert discovery.get_bedrock_regions() == MADE_UP


def test_where_nothing_can_be_written_it_works_without_a_file(
    tmp_path: Path, fallback: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fallback.write_text("")
    (tmp_path / "file").write_text("")
    discovery = BedrockRegionDiscovery(tmp_path / "file" / "cache")
    for _ in range(3):
        assert discovery.get_bedrock_regions() == botocores_regions()
    # It remembers, so it tries to write only once.
    assert caplog.text.count("cannot be cached") == 1
    assert discovery.get_cache_info()["cache_exists"] is False
    discovery.clear_cache()
    discovery.get_bedrock_regions()
    assert caplog.text.count("cannot be cached") == 2


def test_the_cache_tells_about_itself_before_and_after(
    discovery: BedrockRegionDiscovery, cache_dir: Path
) -> None:
    absent = {
        "cache_file": str(cache_dir / NAME),
        "cache_exists": False,
        "cache_ttl_hours": 24,
    }
    assert discovery.get_cache_info() == absent
    regions = discovery.get_bedrock_regions()
    info = discovery.get_cache_info()
    assert 0 <= info.pop("cache_age_hours") < 0.1
    assert info == {
        **absent,
        "cache_exists": True,
        "cache_valid": True,
        "cached_region_count": len(regions),
    }
    discovery.clear_cache()
    discovery.clear_cache()
    assert discovery.get_cache_info() == absent


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"cache_dir": 5}, r"`cache_dir` must be the path of a directory, got 5"),
        ({"cache_dir": b"cache"}, "`cache_dir` must be the path"),
        ({"cache_dir": ""}, "`cache_dir` must be the path"),
        ({"cache_dir": "a\0b"}, "`cache_dir` must be the path"),
        ({"cache_dir": __file__}, "`cache_dir` must be a directory"),
        (
            {"cache_ttl_hours": -1},
            "`cache_ttl_hours` must be a number that is not negative, got -1",
        ),
        ({"cache_ttl_hours": float("nan")}, "`cache_ttl_hours` must be a number"),
        ({"cache_ttl_hours": "24"}, "`cache_ttl_hours` must be a number"),
        ({"cache_ttl_hours": True}, "`cache_ttl_hours` must be a number"),
        ({"cache_ttl_hours": None}, "`cache_ttl_hours` must be a number"),
        ({"timeout": 0}, "`timeout` must be a number of seconds above 0"),
        ({"timeout": -3}, "`timeout` must be a number"),
        ({"auth_config": "admin"}, "`auth_config` must be an `AuthConfig`, got a str"),
    ],
)
def test_bad_arguments_are_refused_at_once(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        BedrockRegionDiscovery(**arguments)


def test_paths_may_be_text(cache_dir: Path) -> None:
    BedrockRegionDiscovery(str(cache_dir)).get_bedrock_regions()
    assert (cache_dir / NAME).is_file()


# What the account says


def live(cache_dir: Path, **options: Any) -> BedrockRegionDiscovery:
    return BedrockRegionDiscovery(cache_dir, **{"auth_config": keys(), **options})


def test_the_live_regions_are_those_that_answer_this_account(
    three: LocalBedrock, cache_dir: Path
) -> None:
    discovery = live(cache_dir)
    assert discovery.get_bedrock_regions(live=True) == ["eu-west-1", "us-east-1", "us-west-2"]
    assert {request.region for request in three.requests} == set(all_regions())
    assert discovery.get_bedrock_regions() == botocores_regions()
    info = discovery.get_cache_info(live=True)
    assert (info["cache_file"], info["cached_region_count"]) == (str(cache_dir / LIVE_NAME), 3)


def test_the_live_answer_is_cached_for_all_who_ask_as_the_same(
    three: LocalBedrock, cache_dir: Path
) -> None:
    live(cache_dir).get_bedrock_regions(live=True)
    asked = len(three.requests)
    assert len(live(cache_dir).get_bedrock_regions(live=True)) == 3
    assert len(three.requests) == asked
    live(cache_dir).get_bedrock_regions(force_refresh=True, live=True)
    assert len(three.requests) == 2 * asked


def test_another_account_or_endpoint_does_not_get_the_cached_answer(
    three: LocalBedrock, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(cache_dir).get_bedrock_regions(live=True)
    asked = len(three.requests)
    other = live(cache_dir, auth_config=keys(2))
    assert other.get_cache_info(live=True)["cache_valid"] is False
    other.get_bedrock_regions(live=True)
    assert len(three.requests) == 2 * asked
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", f"{three.url}/")
    other.get_bedrock_regions(live=True)
    assert len(three.requests) == 3 * asked


@pytest.mark.parametrize(
    "variable", ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ROLE_ARN", "AWS_CONFIG_FILE"]
)
def test_what_the_environment_says_of_the_account_counts(
    cache_dir: Path, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    discovery = BedrockRegionDiscovery(cache_dir)
    monkeypatch.setenv(variable, "one")
    put(cache_dir / LIVE_NAME, listed(asker=discovery._asker(live=True)))
    assert discovery.get_bedrock_regions(live=True) == MADE_UP
    monkeypatch.setenv(variable, "two")
    assert discovery.get_cache_info(live=True)["cache_valid"] is False


def test_no_secret_and_no_key_stands_in_the_file(three: LocalBedrock, cache_dir: Path) -> None:
    live(cache_dir).get_bedrock_regions(live=True)
    content = (cache_dir / LIVE_NAME).read_text()
    assert "AKIA" not in content
    assert "wJalr" not in content
    for secret in (b"AKIANUMBER1", b"wJalr-not-a-real-secret-key"):
        assert hashlib.sha256(secret).hexdigest()[:32] not in content


def test_a_region_that_may_not_be_listed_is_left_out(three: LocalBedrock, cache_dir: Path) -> None:
    three.fail(Fault.access_denied(), region="us-west-2")
    discovery = live(cache_dir)
    assert discovery.get_bedrock_regions(live=True) == ["eu-west-1", "us-east-1"]
    assert discovery.get_cache_info(live=True)["cache_valid"] is True


def test_a_region_that_fails_stays_and_the_answer_is_not_kept(
    three: LocalBedrock, cache_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    three.fail(Fault.broken_json(), region="us-west-2")
    discovery = live(cache_dir)
    assert discovery.get_bedrock_regions(live=True) == ["eu-west-1", "us-east-1", "us-west-2"]
    assert "us-west-2" in caplog.text
    assert discovery.get_cache_info(live=True)["cache_exists"] is False


def test_regions_that_hang_cost_no_more_than_the_timeout(
    three: LocalBedrock, cache_dir: Path
) -> None:
    three.fail(Fault.hang(), region="us-west-2")
    discovery = live(cache_dir, timeout=5.0)
    started = time.monotonic()
    assert "us-west-2" in discovery.get_bedrock_regions(live=True)
    assert time.monotonic() - started < 15
    assert discovery.get_cache_info(live=True)["cache_exists"] is False
    three.clear_faults()


def test_where_no_region_answers_the_error_says_why_and_nothing_is_kept(
    three: LocalBedrock, cache_dir: Path
) -> None:
    three.fail(Fault.access_denied())
    discovery = live(cache_dir)
    with pytest.raises(RegionDiscoveryError, match=r"AccessDenied.*bedrock:ListFoundationModels"):
        discovery.get_bedrock_regions(live=True)
    assert discovery.get_cache_info(live=True)["cache_exists"] is False
    assert discovery.get_bedrock_regions() == botocores_regions()


def test_without_credentials_nothing_is_sent(three: LocalBedrock, cache_dir: Path) -> None:
    with pytest.raises(RegionDiscoveryError, match="no AWS credentials"):
        BedrockRegionDiscovery(cache_dir).get_bedrock_regions(live=True)
    assert three.requests == ()


def test_many_threads_ask_once(three: LocalBedrock, cache_dir: Path) -> None:
    discovery = live(cache_dir)
    barrier = threading.Barrier(8)
    answers: list[list[str]] = []

    def ask() -> None:
        barrier.wait()
        answers.append(discovery.get_bedrock_regions(live=True))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [["eu-west-1", "us-east-1", "us-west-2"]] * 8
    assert three.count("ListFoundationModels") == len(all_regions())


def test_two_processes_ask_once(three: LocalBedrock, cache_dir: Path) -> None:
    code = """
import sys
from bestehorn_llmmanager import AuthConfig, AuthenticationType, BedrockRegionDiscovery
sys.stdin.readline()
print(len(BedrockRegionDiscovery(sys.argv[1]).get_bedrock_regions(live=True)))
"""
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "x"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(cache_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[0] for process in processes] == ["3\n", "3\n"]
    assert three.count("ListFoundationModels") == len(all_regions())


def test_whoever_waits_for_the_lock_in_vain_asks_as_well(
    three: LocalBedrock, cache_dir: Path, holder: subprocess.Popen[str]
) -> None:
    # A second may be too short for an answer, but not for asking.
    with suppress(RegionDiscoveryError):
        live(cache_dir, timeout=1.0).get_bedrock_regions(live=True)
    assert three.requests
    assert holder.poll() is None


def test_it_travels_with_its_configuration(
    discovery: BedrockRegionDiscovery, elsewhere: Callable[[object, str], str], cache_dir: Path
) -> None:
    put(cache_dir / NAME, listed())
    assert elsewhere(discovery, "print(it.get_bedrock_regions(), it)") == f"{MADE_UP} {discovery!r}"


def test_a_forked_child_does_not_wait_for_its_parents_threads(
    discovery: BedrockRegionDiscovery, in_child: Callable[[Callable[[], Any]], Any]
) -> None:
    with discovery._locks[False]:
        assert in_child(discovery.get_bedrock_regions) == botocores_regions()
