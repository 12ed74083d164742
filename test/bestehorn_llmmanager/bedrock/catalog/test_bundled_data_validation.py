"""Tests the catalogue that is shipped: its content, its size, and the checks that guard it."""

from __future__ import annotations

import copy
import gzip
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import zlib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import __version__
from bestehorn_llmmanager.bedrock.catalog import BundledDataLoader
from bestehorn_llmmanager.bedrock.catalog.bundled_loader import bundled_catalog, read_bundle
from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo
from bundle_validation import bundle_problems, content_sha256

if TYPE_CHECKING:
    from collections.abc import Callable

    from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

REPOSITORY = Path(__file__).parents[4]
SNAPSHOT = REPOSITORY / "test" / "data" / "bedrock_api_snapshot.json.gz"
GENERATOR = REPOSITORY / "scripts" / "generate_bundled_data.py"

MODELS = list(bundled_catalog().models.values())


@pytest.fixture(scope="module")
def shipped() -> dict[str, Any]:
    """The shipped file as JSON values."""
    return read_bundle()


# The content


def test_there_are_more_than_a_hundred_models() -> None:
    assert len(MODELS) > 100
    assert len({model.model_id for model in MODELS}) == len(MODELS)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.model_name)
def test_every_model_is_complete(model: UnifiedModelInfo) -> None:
    assert model.provider.strip()
    assert model.model_id
    assert re.fullmatch(r"[a-z0-9-]+\.[a-z0-9.:-]+", model.model_id)
    assert model.input_modalities
    assert model.output_modalities
    assert model.region_access
    assert bundled_catalog().models[model.model_name] is model


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.model_name)
def test_every_region_entry_satisfies_the_rules_of_access(model: UnifiedModelInfo) -> None:
    profiles = {profile.profile_id: profile for profile in model.profiles}
    for region, access in model.region_access.items():
        assert access == ModelAccessInfo(**vars(access))  # its own rules hold
        assert access.region == region
        assert re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", region)
        assert access.has_direct_access == (region in model.inference_types.get("ON_DEMAND", ()))
        assert access.model_id == (model.model_id if access.has_direct_access else None)
        for profile_id in access.get_cris_profile_ids():
            assert region in profiles[profile_id].routes


def test_every_region_of_a_model_was_asked_and_every_asked_region_has_models() -> None:
    asked = set(bundled_catalog().metadata.api_regions_queried)
    assert set(bundled_catalog().get_all_regions()) == asked
    assert len(asked) >= 20


def test_every_profile_and_model_of_the_snapshot_is_in_it(snapshot: dict[str, Any]) -> None:
    listings = snapshot["regions"].values()
    listed_profiles = {
        profile["inferenceProfileId"]
        for listing in listings
        for profile in listing["inferenceProfileSummaries"]
    }
    listed_models = {
        model["modelId"] for listing in listings for model in listing["modelSummaries"]
    }
    catalog = bundled_catalog()
    profiles = {profile.profile_id for model in MODELS for profile in model.profiles}
    variants = {variant.model_id for model in MODELS for variant in model.context_variants}
    ids = {model.model_id for model in MODELS} | variants | set(catalog.not_callable)
    assert len(listed_profiles) > 100
    assert listed_profiles - profiles == set()
    assert listed_models - ids == set()


def test_no_model_is_both_callable_and_apart() -> None:
    apart = bundled_catalog().not_callable
    assert not {model.model_id for model in MODELS} & set(apart)
    assert {model.reason for model in apart.values()} <= {
        "provisioned_only",
        "mantle_only",
        "retired",
    }


def test_the_metadata_say_where_when_and_by_which_version(shipped: dict[str, Any]) -> None:
    metadata = shipped["metadata"]
    assert metadata["source"] == "bundled"
    assert metadata["origin"] in {"api", "snapshot"}
    assert metadata["bundled_data_version"] == __version__
    for key in ("retrieval_timestamp", "generation_timestamp"):
        assert datetime.fromisoformat(metadata[key]).tzinfo is not None
    assert metadata["api_regions_queried"] == sorted(metadata["regions_metadata"])


def test_the_checksum_is_that_of_the_content(shipped: dict[str, Any]) -> None:
    content = {key: value for key, value in shipped.items() if key != "metadata"}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert shipped["metadata"]["sha256"] == hashlib.sha256(canonical.encode()).hexdigest()


def test_the_file_is_small() -> None:
    content = BundledDataLoader.get_bundled_data_path().read_bytes()
    assert len(content) <= 1_000_000
    assert len(zlib.compress(content)) <= 150_000  # what it adds to the wheel


def test_nothing_in_it_looks_like_a_credential() -> None:
    text = BundledDataLoader.get_bundled_data_path().read_text(encoding="utf-8")
    assert not re.search(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b", text)
    assert not re.search(r"\b\d{12}\b", text)  # an account id


# The checks


def test_the_shipped_bundle_has_no_problem(shipped: dict[str, Any]) -> None:
    assert bundle_problems(shipped) == []


def _rename(data: dict[str, Any]) -> None:
    data["models"]["Nova Nano"] = data["models"].pop("Nova Micro")


def _keep(number: int) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        data["models"] = dict(list(data["models"].items())[:number])

    return change


def _drop(*place: str) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        holder = data
        for key in place[:-1]:
            holder = holder[key]
        del holder[place[-1]]

    return change


def _put(*place_and_value: Any) -> Callable[[dict[str, Any]], None]:
    *place, last, value = place_and_value

    def change(data: dict[str, Any]) -> None:
        holder = data
        for key in place:
            holder = holder[key]
        holder[last] = value

    return change


MICRO = ("models", "Nova Micro")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_put("metadata", "source", "api"), "'api', not 'bundled'"),
        (_drop("metadata", "bundled_data_version"), "bundled_data_version` is missing"),
        (_put("metadata", "bundled_data_version", ""), "bundled_data_version` is missing"),
        (_put("metadata", "retrieval_timestamp", "2026-01-01T00:00:00"), "no time zone"),
        (_put("metadata", "api_regions_queried", ["us-east-1"]), "1 regions, fewer than"),
        (_drop("metadata", "sha256"), "sha256"),
        (_put("metadata", "sha256", "0" * 64), "sha256"),
        (_put("older_names", {}), "sha256"),
        (_keep(99), "99 models, fewer than 100"),
        (_keep(0), "0 models, fewer than 100"),
        (_rename, "'Nova Nano' is the key of a model named 'Nova Micro'"),
        (_drop(*MICRO, "model_id"), "`model_id` is needed"),
        (_drop(*MICRO, "input_modalities"), "'Nova Micro' lacks modalities"),
        (_drop(*MICRO, "output_modalities"), "'Nova Micro' lacks modalities"),
        (_put(*MICRO, "inference_types", "ON_DEMAND", ["mars-north-1"]), "mars-north-1"),
        (_put(*MICRO, "provider", " "), "not a catalogue"),
        (_put(*MICRO, "profiles", 5), "not a catalogue"),
        (_put(*MICRO, "profiles", 0, "profile_id", ""), "profile"),
        (_put(*MICRO, "inference_types", "ON_DEMAND", None), "not a catalogue"),
        (_put(*MICRO, "model_id", "amazon.nova-pro-v1:0"), "amazon.nova-pro-v1:0"),
        (_drop("models"), "not a catalogue"),
        (_drop("metadata"), "not a catalogue"),
        (_put("metadata", []), "not a catalogue"),
    ],
)
def test_each_kind_of_damage_is_found(
    shipped: dict[str, Any], damage: Callable[[dict[str, Any]], None], sentence: str
) -> None:
    bundle = copy.deepcopy(shipped)
    damage(bundle)
    if "sha256" not in sentence and isinstance(bundle.get("metadata"), dict):
        bundle["metadata"]["sha256"] = content_sha256(bundle)
    problems = bundle_problems(bundle)
    assert sentence in "\n".join(problems)


def test_all_problems_are_reported_at_once(shipped: dict[str, Any]) -> None:
    bundle = copy.deepcopy(shipped)
    _keep(50)(bundle)
    _put("metadata", "source", "cache")(bundle)
    assert len(bundle_problems(bundle)) >= 3


def test_the_checksum_ignores_order_but_no_value(shipped: dict[str, Any]) -> None:
    items = list(shipped["models"].items())
    random.Random(1).shuffle(items)
    assert content_sha256({**shipped, "models": dict(items)}) == content_sha256(shipped)
    changed = copy.deepcopy(shipped)
    changed["models"]["Nova Micro"]["streaming_supported"] = False
    assert content_sha256(changed) != content_sha256(shipped)


# From the snapshot to the file


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_the_shipped_file_is_what_the_generator_makes_of_the_snapshot(
    tmp_path: Path, seed: str
) -> None:
    output = tmp_path / "bundle.json"
    subprocess.run(
        [sys.executable, GENERATOR, "--from-snapshot", SNAPSHOT, "--output", output],
        env={**os.environ, "PYTHONHASHSEED": seed},
        check=True,
        capture_output=True,
    )
    assert output.read_bytes() == BundledDataLoader.get_bundled_data_path().read_bytes()


def test_the_order_of_the_snapshot_does_not_matter(
    tmp_path: Path, snapshot: dict[str, Any]
) -> None:
    dice = random.Random(3)
    regions = list(snapshot["regions"].items())
    dice.shuffle(regions)
    shuffled = {"captured": snapshot["captured"], "regions": {}}
    for region, listing in regions:
        shuffled["regions"][region] = {
            key: dice.sample(summaries, len(summaries)) for key, summaries in listing.items()
        }
    path, output = tmp_path / "shuffled.json.gz", tmp_path / "bundle.json"
    path.write_bytes(gzip.compress(json.dumps(shuffled).encode()))
    subprocess.run(
        [sys.executable, GENERATOR, "--from-snapshot", path, "--output", output],
        check=True,
        capture_output=True,
    )
    assert output.read_bytes() == BundledDataLoader.get_bundled_data_path().read_bytes()
