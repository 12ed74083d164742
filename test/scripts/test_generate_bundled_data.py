"""Runs the generator of the bundled catalogue as a program."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.catalog import BundledDataLoader
from bestehorn_llmmanager.testing import Fault
from bundle_validation import bundle_problems

if TYPE_CHECKING:
    from bestehorn_llmmanager.testing import LocalBedrock

REPOSITORY = Path(__file__).parents[2]
GENERATOR = REPOSITORY / "scripts" / "generate_bundled_data.py"
SNAPSHOT = REPOSITORY / "test" / "data" / "bedrock_api_snapshot.json.gz"
OLD = '{"the": "old file"}'
LISTING: dict[str, list[Any]] = {"modelSummaries": [], "inferenceProfileSummaries": []}


@dataclass(frozen=True)
class Ended:
    """How the program ended, and what it left."""

    status: int
    printed: str
    complained: str


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A bundle that is there already."""
    path = tmp_path / "out" / "bundle.json"
    path.parent.mkdir()
    path.write_text(OLD)
    return path


def generate(*arguments: str | Path) -> Ended:
    done = subprocess.run(
        [sys.executable, str(GENERATOR), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def assert_refused(ended: Ended, status: int, output: Path) -> None:
    """One sentence instead of a traceback, and the old file is as it was, alone."""
    assert "Traceback" not in ended.complained
    assert ended.complained.startswith("generate_bundled_data: ")
    assert (ended.status, ended.printed) == (status, "")
    assert output.read_text() == OLD
    assert list(output.parent.iterdir()) == [output]


def bundle_in(path: Path) -> dict[str, Any]:
    bundle: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return bundle


# From a snapshot


def test_a_snapshot_plain_or_packed_becomes_the_same_bundle(tmp_path: Path, output: Path) -> None:
    plain = tmp_path / "snapshot.json"
    plain.write_bytes(gzip.decompress(SNAPSHOT.read_bytes()))
    made = []
    for path in (SNAPSHOT, plain):
        output.write_text(OLD)
        ended = generate("--from-snapshot", path, "--output", output)
        assert (ended.status, ended.complained) == (0, "")
        made.append(output.read_bytes())
        bundle = bundle_in(output)
        assert bundle_problems(bundle) == []
        assert bundle["metadata"]["origin"] == "snapshot"
        assert f"{len(bundle['models'])} models" in ended.printed
        assert list(output.parent.iterdir()) == [output]
    assert made[0] == made[1]
    shipped = BundledDataLoader.get_bundled_data_path()
    # What is shipped is newer than the snapshot once it was fetched from AWS.
    if bundle_in(shipped)["metadata"]["origin"] == "snapshot":
        assert made[0] == shipped.read_bytes()


def test_the_time_of_the_snapshot_is_that_of_the_data(
    tmp_path: Path, output: Path, snapshot: dict[str, Any]
) -> None:
    path = tmp_path / "snapshot.json"
    path.write_text(json.dumps({**snapshot, "captured": "2031-02-03T04:05:06+02:00"}))
    assert generate("--from-snapshot", path, "--output", output).status == 0
    metadata = bundle_in(output)["metadata"]
    assert metadata["retrieval_timestamp"] == "2031-02-03T04:05:06+02:00"
    assert metadata["generation_timestamp"] == "2031-02-03T04:05:06+02:00"


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _with_region(listing: Any) -> bytes:
    return _json({"captured": "2026-01-01", "regions": {"us-east-1": listing}})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("absent.json", None),
        ("empty.json", b""),
        ("cut-off.json", b'{"regions": {'),
        ("no-utf-8.json", b"\xff\xfe\x00"),
        ("list.json", b"[]"),
        ("other.json", b"{}"),
        ("regions-list.json", _json({"captured": "2026-01-01", "regions": []})),
        ("no-regions.json", _json({"captured": "2026-01-01", "regions": {}})),
        ("region-without-listings.json", _with_region({})),
        ("region-is-a-list.json", _with_region([])),
        ("summaries-are-a-number.json", _with_region({**LISTING, "modelSummaries": 5})),
        ("no-time.json", _json({"regions": {"us-east-1": LISTING}})),
        ("time-is-a-number.json", _json({"captured": 5, "regions": {"us-east-1": LISTING}})),
        ("no-such-time.json", _json({"captured": "soon", "regions": {"us-east-1": LISTING}})),
        ("not-packed.json.gz", b"hello"),
        ("cut-off.json.gz", SNAPSHOT.read_bytes()[:5000]),
    ],
)
def test_what_is_no_snapshot_is_refused_and_the_old_file_stays(
    tmp_path: Path, output: Path, name: str, content: bytes | None
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert_refused(generate("--from-snapshot", path, "--output", output), 1, output)


@pytest.mark.parametrize("number", [1, 19])
def test_too_little_data_is_refused_and_the_old_file_stays(
    tmp_path: Path, output: Path, snapshot: dict[str, Any], number: int
) -> None:
    path = tmp_path / "tiny.json"
    regions = dict(list(snapshot["regions"].items())[:number])
    path.write_text(json.dumps({**snapshot, "regions": regions}))
    ended = generate("--from-snapshot", path, "--output", output)
    assert_refused(ended, 3, output)
    assert f"{number} regions" in ended.complained


def test_a_place_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    absent = tmp_path / "absent" / "bundle.json"
    ended = generate("--from-snapshot", SNAPSHOT, "--output", absent)
    assert ended.status == 1
    assert "Traceback" not in ended.complained
    assert str(absent.parent) in ended.complained


@pytest.mark.parametrize(
    "arguments",
    [
        ["--from-snapshot"],
        ["--from-snapshot", "a", "--record", "b"],
        ["--no-such-option"],
        ["--regions"],
        ["--max-workers", "many"],
        ["a word too many"],
    ],
)
def test_wrong_usage_is_explained(output: Path, arguments: list[str]) -> None:
    ended = generate(*arguments, "--output", output)
    assert ended.status == 2
    assert ended.complained.startswith("usage:")
    assert output.read_text() == OLD


def test_help_is_given() -> None:
    ended = generate("--help")
    assert ended.status == 0
    assert "--from-snapshot" in ended.printed


# From the live API


def test_live_data_and_their_record_give_the_same_models(
    bedrock: LocalBedrock, tmp_path: Path, output: Path
) -> None:
    record = tmp_path / "record.json"
    ended = generate("--record", record, "--output", output)
    assert ended.status == 0, ended.complained
    live = bundle_in(output)
    assert live["metadata"]["origin"] == "api"
    assert bundle_problems(live) == []
    assert bedrock.count("ListFoundationModels") == bedrock.count("ListInferenceProfiles")
    assert bedrock.count("ListFoundationModels", "us-east-1") == 1

    again = tmp_path / "again.json"
    ended = generate("--from-snapshot", record, "--output", again)
    assert ended.status == 0, ended.complained
    replayed = bundle_in(again)
    assert replayed["metadata"]["origin"] == "snapshot"
    assert {**replayed, "metadata": None} == {**live, "metadata": None}
    for key in ("sha256", "retrieval_timestamp", "api_regions_queried"):
        assert replayed["metadata"][key] == live["metadata"][key]


def test_only_the_regions_given_are_asked(
    bedrock: LocalBedrock, output: Path, snapshot: dict[str, Any]
) -> None:
    wanted = sorted(snapshot["regions"])[3:]
    ended = generate("--regions", *wanted, "--max-workers", "4", "--output", output)
    assert ended.status == 0, ended.complained
    assert bundle_in(output)["metadata"]["api_regions_queried"] == wanted
    assert {request.region for request in bedrock.requests} == set(wanted)


def test_a_region_that_fails_is_named_and_the_others_are_written(
    bedrock: LocalBedrock, output: Path, snapshot: dict[str, Any]
) -> None:
    bedrock.fail(Fault.access_denied(), region="eu-north-1")
    wanted = sorted(snapshot["regions"])
    ended = generate("--regions", *wanted, "--output", output)
    assert ended.status == 0, ended.complained
    assert "1 regions failed" in ended.printed
    assert "eu-north-1: " in ended.printed
    asked = bundle_in(output)["metadata"]["api_regions_queried"]
    assert set(wanted) - set(asked) == {"eu-north-1"}


ARN = "arn:aws:sts::123456789012:assumed-role/catalogue/run"


@pytest.mark.parametrize("explain", [False, True])
def test_what_aws_says_of_the_caller_is_printed_on_demand_alone(
    bedrock: LocalBedrock, output: Path, snapshot: dict[str, Any], explain: bool
) -> None:
    bedrock.fail(Fault.access_denied(f"User: {ARN} is not authorized"), region="eu-north-1")
    options = ["--explain"] if explain else []
    ended = generate("--regions", *sorted(snapshot["regions"]), "--output", output, *options)
    assert ended.status == 0, ended.complained
    said = ended.printed + ended.complained
    assert (ARN in said) is ("123456789012" in said) is explain
    assert ("\n  eu-north-1: denied, AccessDeniedException\n" in ended.printed) is not explain


def test_a_region_that_did_not_answer_is_asked_once_more(
    bedrock: LocalBedrock, output: Path, snapshot: dict[str, Any]
) -> None:
    bedrock.fail(Fault.validation("not now"), region="eu-north-1", times=1)
    wanted = sorted(snapshot["regions"])
    ended = generate("--regions", *wanted, "--output", output)
    assert ended.status == 0, ended.complained
    assert "0 regions failed" in ended.printed
    assert bundle_in(output)["metadata"]["api_regions_queried"] == wanted
    assert bedrock.count("ListFoundationModels", "eu-north-1") == 2
    assert bedrock.count("ListFoundationModels", "eu-west-1") == 1


@pytest.mark.parametrize(
    ("fault", "kept", "status"),
    [
        (Fault.validation("not now"), True, 4),
        (Fault.validation("not now"), False, 0),
        (Fault.access_denied(), True, 0),
    ],
)
def test_a_region_is_lost_only_where_it_refuses_or_was_not_in_the_old_bundle(
    bedrock: LocalBedrock,
    tmp_path: Path,
    output: Path,
    snapshot: dict[str, Any],
    fault: Fault,
    kept: bool,
    status: int,
) -> None:
    wanted = sorted(snapshot["regions"])
    old = tmp_path / "old.json"
    before = bundle_in(BundledDataLoader.get_bundled_data_path())
    had = [region for region in wanted if kept or region != "eu-north-1"]
    before["metadata"]["api_regions_queried"] = had
    old.write_text(json.dumps(before), encoding="utf-8")
    bedrock.fail(fault, region="eu-north-1")
    ended = generate("--regions", *wanted, "--keep-regions-of", old, "--output", output)
    if status:
        assert (ended.status, ended.printed) == (status, "")
        assert "\n  eu-north-1: failed, ValidationException" in ended.complained
        assert output.read_text() == OLD
    else:
        assert ended.status == 0, ended.complained
        assert "eu-north-1" not in bundle_in(output)["metadata"]["api_regions_queried"]
    assert bedrock.count("ListFoundationModels", "eu-north-1") == (
        1 if fault.code != "ValidationException" else 2
    )


def test_an_old_bundle_that_cannot_be_read_is_refused_before_anybody_is_asked(
    bedrock: LocalBedrock, tmp_path: Path, output: Path
) -> None:
    ended = generate("--keep-regions-of", tmp_path / "absent.json", "--output", output)
    assert_refused(ended, 1, output)
    assert "absent.json" in ended.complained
    assert bedrock.count() == 0


def test_the_record_of_too_few_regions_is_kept_but_no_bundle(
    bedrock: LocalBedrock, tmp_path: Path, output: Path
) -> None:
    record = tmp_path / "record.json"
    ended = generate("--regions", "us-east-1", "--record", record, "--output", output)
    assert_refused(ended, 3, output)
    assert list(json.loads(record.read_text())["regions"]) == ["us-east-1"]
    assert bedrock.count() == 2


def test_no_region_that_answers_is_no_data(bedrock: LocalBedrock, output: Path) -> None:
    bedrock.fail(Fault.access_denied())
    ended = generate("--regions", "us-east-1", "eu-west-1", "--output", output)
    assert_refused(ended, 1, output)
    assert "AccessDenied" in ended.complained


def test_without_credentials_it_says_so(output: Path) -> None:
    ended = generate("--output", output)
    assert_refused(ended, 1, output)
    assert "no AWS credentials" in ended.complained


def test_a_profile_that_does_not_exist_is_named(output: Path) -> None:
    ended = generate("--profile", "nobody", "--output", output)
    assert_refused(ended, 1, output)
    assert "nobody" in ended.complained
