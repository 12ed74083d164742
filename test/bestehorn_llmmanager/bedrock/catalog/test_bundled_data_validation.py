"""Tests the catalogue that is shipped: its content, its size, and the checks that guard it.

What is said of the shipped file holds for any that `generate_bundled_data.py` makes: it is renewed
more often than these tests. How old it may be is the business of a release.
"""

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
import zipfile
import zlib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import __version__
from bestehorn_llmmanager.bedrock.catalog import BundledDataLoader
from bestehorn_llmmanager.bedrock.catalog.bundled_loader import bundled_catalog, read_bundle
from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo
from bestehorn_llmmanager.bedrock.models.catalog_structures import UnifiedCatalog
from bundle_validation import bundle_problems, content_sha256
from catalog_files import BUNDLE_IN_WHEEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

REPOSITORY = Path(__file__).parents[4]
SNAPSHOT = REPOSITORY / "test" / "data" / "bedrock_api_snapshot.json.gz"
GENERATOR = REPOSITORY / "scripts" / "generate_bundled_data.py"
VALIDATION = REPOSITORY / "scripts" / "bundle_validation.py"

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


# Its age


@pytest.fixture
def bundle_file(tmp_path: Path, shipped: dict[str, Any]) -> Callable[..., Path]:
    """Writes the shipped bundle with another time, and damaged if wanted."""

    def write(age: timedelta, damage: Callable[[dict[str, Any]], None] | None = None) -> Path:
        bundle = copy.deepcopy(shipped)
        retrieved = datetime.now(timezone.utc) - age
        bundle["metadata"]["retrieval_timestamp"] = retrieved.isoformat()
        if damage:
            damage(bundle)
        path = tmp_path / "bundle.json"
        path.write_text(json.dumps(bundle), encoding="utf-8")
        return path

    return write


def validate(*arguments: str | Path, on_github: str = "false") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, VALIDATION, *arguments],
        env={**os.environ, "GITHUB_ACTIONS": on_github},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_valid_bundle_of_any_age_passes_where_nobody_asks_for_its_age() -> None:
    done = validate()  # what is shipped, whenever these tests run
    assert done.returncode == 0, done.stderr
    assert f"{len(MODELS)} models" in done.stdout


@pytest.mark.parametrize(
    ("days", "limit", "status", "warned"),
    [
        (1, None, 0, False),
        (13.9, None, 0, False),
        (14.1, None, 0, True),
        (400, None, 0, True),
        (13.9, "30", 0, False),
        (29.9, "30", 0, True),
        (30.1, "30", 3, False),
        (400, "30", 3, False),
        (0.5, "0", 3, False),
        (-0.01, "30", 0, False),
        (-2, "30", 3, False),
        (-2, None, 0, False),
    ],
)
def test_age_is_a_warning_and_in_a_release_the_end(
    bundle_file: Callable[..., Path], days: float, limit: str | None, status: int, warned: bool
) -> None:
    path = bundle_file(timedelta(days=days))
    done = validate(path, *(("--max-age-days", limit) if limit else ()))
    assert (done.returncode, "warning: " in done.stdout) == (status, warned), done
    age = f" {int(days)} days old" if days >= 0 else "still to come"
    assert age in done.stdout + done.stderr


def test_on_github_the_warning_is_an_annotation(bundle_file: Callable[..., Path]) -> None:
    done = validate(bundle_file(timedelta(days=20)), on_github="true")
    assert "\n::warning::The bundled catalogue is 20 days old." in done.stdout


def test_a_bundle_that_is_not_valid_fails_at_any_age(bundle_file: Callable[..., Path]) -> None:
    done = validate(bundle_file(timedelta(days=400), _put(*MICRO, "streaming_supported", False)))
    assert done.returncode == 1
    assert "sha256" in done.stderr


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{", b"{}", b"\x1f\x8b, cut off"])
def test_what_is_no_bundle_fails_in_a_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bundle.json"
    if content is not None:
        path.write_bytes(content)
    done = validate(path, "--max-age-days", "30")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"bundle_validation: {path}")
    assert "Traceback" not in done.stderr


def test_the_bundle_in_a_wheel_is_the_one_that_is_looked_at(
    tmp_path: Path, bundle_file: Callable[..., Path]
) -> None:
    wheel = tmp_path / "package.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(bundle_file(timedelta(days=31)), BUNDLE_IN_WHEEL)
    assert validate(wheel).returncode == 0
    assert validate(wheel, "--max-age-days", "30").returncode == 3
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("something.py", "")
    done = validate(wheel)
    assert done.returncode == 1
    assert BUNDLE_IN_WHEEL in done.stderr


# From the snapshot to the file


def generate(snapshot: Path, output: Path, seed: str = "0") -> bytes:
    """What the generator makes of a snapshot."""
    subprocess.run(
        [sys.executable, GENERATOR, "--from-snapshot", snapshot, "--output", output],
        env={**os.environ, "PYTHONHASHSEED": seed},
        check=True,
        capture_output=True,
    )
    return output.read_bytes()


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bundle of the snapshot."""
    return generate(SNAPSHOT, tmp_path_factory.mktemp("generated") / "bundle.json")


def test_a_bundle_that_says_that_it_is_from_the_snapshot_is(
    shipped: dict[str, Any], generated: bytes
) -> None:
    if shipped["metadata"]["origin"] == "api":
        pytest.skip("the shipped bundle is what AWS answered")
    assert generated == BundledDataLoader.get_bundled_data_path().read_bytes()


@pytest.mark.parametrize("seed", ["1", "4711"])
def test_the_same_snapshot_gives_the_same_bytes(
    tmp_path: Path, generated: bytes, seed: str
) -> None:
    assert generate(SNAPSHOT, tmp_path / "bundle.json", seed) == generated


def test_the_order_of_the_snapshot_does_not_matter(
    tmp_path: Path, snapshot: dict[str, Any], generated: bytes
) -> None:
    dice = random.Random(3)
    regions = list(snapshot["regions"].items())
    dice.shuffle(regions)
    shuffled = {"captured": snapshot["captured"], "regions": {}}
    for region, listing in regions:
        shuffled["regions"][region] = {
            key: dice.sample(summaries, len(summaries)) for key, summaries in listing.items()
        }
    path = tmp_path / "shuffled.json.gz"
    path.write_bytes(gzip.compress(json.dumps(shuffled).encode()))
    assert generate(path, tmp_path / "bundle.json") == generated


def test_every_profile_and_model_of_the_snapshot_is_in_its_bundle(
    snapshot: dict[str, Any], generated: bytes
) -> None:
    listings = snapshot["regions"].values()
    listed_profiles = {
        profile["inferenceProfileId"]
        for listing in listings
        for profile in listing["inferenceProfileSummaries"]
    }
    listed_models = {
        model["modelId"] for listing in listings for model in listing["modelSummaries"]
    }
    catalog = UnifiedCatalog.from_dict(json.loads(generated))
    models = catalog.models.values()
    profiles = {profile.profile_id for model in models for profile in model.profiles}
    variants = {variant.model_id for model in models for variant in model.context_variants}
    ids = {model.model_id for model in models} | variants | set(catalog.not_callable)
    assert len(listed_profiles) > 100
    assert listed_profiles - profiles == set()
    assert listed_models - ids == set()
