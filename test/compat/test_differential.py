"""Tests that the same calls give what they gave with 0.9.0, or differ where it is documented.

`recorded/differential.json.gz` has calls and what 0.9.0 gave for each. With
``LLMMANAGER_COMPAT_PYTHON``, the path of an interpreter that has 0.9.0, the recording itself is put
to the test, each reads what the other wrote, and calls that are not recorded are compared as well.

``PYTHONPATH=test python test/compat/test_differential.py`` records anew and says how much was
compared; it needs that variable, too.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.loaders import create_loader

from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog, CacheMode
from compat.calls import EXCHANGED, KNOWN_NAMES, all_calls, reading, writing
from compat.comparing import all_differences, differences, matches
from compat.differing import DIFFERENCES
from compat.running import DATA, VARIABLE, an_endpoint, run_0_9_0, run_here
from moto_services import moto_server

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compat.calls import Calls
    from compat.running import Outcomes

HERE = Path(__file__).parent
RECORDED = HERE / "recorded" / "differential.json.gz"
DOCUMENT = HERE.parents[1] / "docs" / "differences.md"
NO_LONGER: tuple[str, ...] = ("old managers/",)
NO_LONGER = ()  # until 4.0.0
OF_VALUES = r"^(pickle|dict) of |^cache file$"


@cache
def recording() -> dict[str, Any]:
    """``calls``: key to call; ``outcomes``: key to what 0.9.0 gave; ``names``: what it resolved."""
    found: dict[str, Any] = json.loads(gzip.decompress(RECORDED.read_bytes()))
    return found


@cache
def calls() -> Calls:
    """What is recorded and, where 0.9.0 is there, what is not."""
    found: Calls = {
        key: each for key, each in recording()["calls"].items() if not key.startswith(NO_LONGER)
    }
    return found | all_calls(DATA) if os.environ.get(VARIABLE) else found


@cache
def given_here() -> Outcomes:
    with an_endpoint() as endpoint:
        return run_here({**calls(), **writing()}, endpoint)


@cache
def given_by_0_9_0() -> Outcomes:
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f"{VARIABLE} names no interpreter that has 0.9.0")
    with an_endpoint() as endpoint, moto_server() as sts:
        return run_0_9_0(python, {**calls(), **writing(), **KNOWN_NAMES}, endpoint, sts)


@pytest.fixture
def as_new_as_the_recording() -> None:
    model = json.dumps(create_loader().load_service_model("bedrock-runtime", "service-2"))
    missing = [each for each in ("serviceTier", "outputConfig") if f'"{each}"' not in model]
    if missing:
        pytest.skip(f"the recording needs a botocore that has {missing}")


def compared(outcomes: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is written for the other package to read."""
    return {key: each for key, each in outcomes.items() if not re.search(OF_VALUES, key)}


def unlisted(before: Outcomes, now: Outcomes) -> list[str]:
    patterns = [each for where in DIFFERENCES.values() for each in where]
    found = all_differences(compared(before), compared(now))
    return sorted(each for each in found if not any(matches(p, each) for p in patterns))


@pytest.mark.usefixtures("as_new_as_the_recording")
def test_calls_differ_from_0_9_0_exactly_where_it_is_listed() -> None:
    recorded = compared(recording()["outcomes"])
    before = {key: each for key, each in recorded.items() if key in given_here()}
    assert len(before) >= 1000
    assert unlisted(before, given_here()) == []
    found = all_differences(recorded, compared(given_here()))
    patterns = [each for where in DIFFERENCES.values() for each in where]
    assert [each for each in patterns if not any(matches(each, other) for other in found)] == []


@pytest.mark.usefixtures("as_new_as_the_recording")
def test_0_9_0_gives_what_is_recorded_and_no_new_call_differs() -> None:
    before = compared(given_by_0_9_0())
    recorded = {key: recording()["outcomes"][key] for key in recording()["calls"]}
    old = {key: each for key, each in recorded.items() if calls()[key] == recording()["calls"][key]}
    assert {key: before[key] for key in old} == old
    assert given_by_0_9_0()["names"]["value"] == recording()["names"]
    assert unlisted(before, given_here()) == []


# Each ignores cache files of other versions, and fetches.
A_MISS = {"value": None}

# 0.9.0 itself gives an exception in a dict back as its text, and keeps no `max_retries`.
NOT_IN_A_DICT = {
    "value.<BedrockResponse>.attempts[0].<RequestAttempt>.error.error",
    "value.<BedrockConverseRequest>.max_retries",
}


def changed(meant: Outcomes, read: Outcomes) -> dict[str, set[str]]:
    """What the reader of a pickle or dict understands otherwise than 0.9.0, by what was read."""
    found = {
        f"{way} of {kind}": differences(meant[f"meaning of {kind}"], read[f"{way} of {kind}"])
        - (NOT_IN_A_DICT if way == "dict" else set())
        for kind in EXCHANGED
        for way in ("pickle", "dict")
        if f"{way} of {kind}" in read
    }
    return {key: each for key, each in found.items() if each}


@pytest.mark.usefixtures("as_new_as_the_recording")
def test_what_0_9_0_wrote_is_read_here() -> None:
    written = recording()["outcomes"]
    with an_endpoint() as endpoint:
        read = run_here(reading(written), endpoint)
    assert changed(written, read) == {}
    assert read["cache file"] == A_MISS


@pytest.mark.usefixtures("as_new_as_the_recording")
def test_0_9_0_reads_what_is_written_here() -> None:
    given_by_0_9_0()
    python = os.environ[VARIABLE]
    with an_endpoint() as endpoint:
        read = run_0_9_0(python, reading(given_here()), endpoint, "http://127.0.0.1:9")
    there = changed(given_by_0_9_0(), read)
    assert there.keys() == {"pickle of RetryExhaustedError"}  # see the document
    assert read["cache file"] == A_MISS


# --- names ----------------------------------------------------------------------------------------

# 0.9.0 took the first of two models that the name may mean.
AMBIGUOUS = {"Claude3.5 Sonnet"}

# AWS has the model, but no longer this profile of it. 0.9.0 took no ids of profiles.
GONE_PROFILES = {
    "apac.anthropic.claude-3-haiku-20240307-v1:0",
    "au.anthropic.claude-fable-5",
    "eu.anthropic.claude-3-haiku-20240307-v1:0",
    "eu.anthropic.claude-3-sonnet-20240229-v1:0",
    "eu.anthropic.claude-fable-5",
    "us.anthropic.claude-3-haiku-20240307-v1:0",
    "us.anthropic.claude-3-sonnet-20240229-v1:0",
}


@cache
def of_0_9_0() -> dict[str, Any]:
    text = (DATA / "names_0.9.0.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def meant_by(name: str) -> str | None:
    """The base model that the data of 0.9.0 give a name; not what similarity made of it."""
    canonical, older = of_0_9_0()["canonical_names"], of_0_9_0()["older_names"]
    resolved = recording()["names"][name]
    if name in canonical:
        return base(canonical[name]["model_id"])
    if name in older:
        return base(older[name])
    if re.match(r"[a-z0-9-]+\.[a-z0-9]", name):
        return base(name)
    return base(resolved[0]) if resolved and resolved[1] != "fuzzy" else None


def base(identifier: str) -> str:
    """The id of the model, without the context length, and without what names a profile."""
    plain = re.sub(r":\d+k$|:mm$", "", identifier)
    return re.sub(r"^(us|eu|apac|global|jp|au|ca)\.", "", plain)


def test_every_name_that_0_9_0_resolved_means_the_same_model_or_says_why_not() -> None:
    catalog = BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")
    listed = {base(each.model_id or "") for each in catalog.list_models()}
    names = recording()["names"]
    assert len(names) >= 500
    same = gone = 0
    for name in names.keys() - AMBIGUOUS - GONE_PROFILES:
        meant, model = meant_by(name), catalog.find_model(name)
        if meant in listed:
            assert model is not None, (name, meant)
            assert base(model.model_id or "") == meant, name
            same += 1
        else:
            assert model is None, (name, meant)
            assert meant is None or "is retired" in catalog.explain_missing(name), name
            gone += 1
    # With each newer bundle, some go.
    assert same >= 300
    assert gone < len(names) - 300
    for name in AMBIGUOUS:
        assert catalog.find_model(name) is None
        assert "can mean" in catalog.explain_missing(name)
    for name in GONE_PROFILES:
        living = catalog.find_model(base(name))
        assert living is not None
        assert catalog.find_model(name) is None
        assert f"Closest: {living.model_name}" in catalog.explain_missing(name)


def test_every_name_that_0_9_0_mistook_is_known_to_be_mistaken() -> None:
    """Where this package differs, 0.9.0 had guessed by similarity, or the model is gone."""
    catalog = BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")
    for name, found in recording()["names"].items():
        model = catalog.find_model(name)
        if found and model and base(found[0]) != base(model.model_id or ""):
            assert found[1] == "fuzzy", name


# --- documentation --------------------------------------------------------------------------------


def documented() -> set[str]:
    """``<heading>: <first cell>`` for every row of the document."""
    found, heading = set(), ""
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading = line[3:].strip()
        elif line.startswith("| "):
            found.add(f"{heading}: {line.split(' | ')[0].removeprefix('| ').strip()}")
    return found


def test_every_listed_difference_has_its_line_in_the_document() -> None:
    assert DIFFERENCES.keys() - documented() == set()


def record() -> None:
    """Write what 0.9.0 gives, and say what was compared."""
    generated = all_calls(DATA)
    with an_endpoint() as endpoint, moto_server() as sts:
        old = run_0_9_0(
            os.environ[VARIABLE], {**generated, **writing(), **KNOWN_NAMES}, endpoint, sts
        )
        now = run_here({**generated, **writing()}, endpoint)
    names = old.pop("names")["value"]
    found = {
        "provenance": "what bestehorn-llmmanager 0.9.0 gave for these calls, with boto3 1.44.5, "
        "over LocalBedrock with test/data/bedrock_api_snapshot.json.gz",
        "calls": generated,
        "outcomes": old,
        "names": names,
    }
    content = json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()
    RECORDED.write_bytes(gzip.compress(content, mtime=0))
    different = all_differences(compared(old), compared(now))
    print(f"{len(generated)} calls, {len({each.split(' @ ')[0] for each in different})} differ")  # noqa: T201
    for row, patterns in DIFFERENCES.items():
        where = {d.split(" @ ")[0] for d in different if any(matches(p, d) for p in patterns)}
        print(f"{len(where):5} {row}")  # noqa: T201
    print(*unlisted(old, now), sep="\n")  # noqa: T201


if __name__ == "__main__":
    record()
