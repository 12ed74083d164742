"""Compares catalogues of which it is known what was changed."""

from __future__ import annotations

import copy
import gzip
import json
import subprocess
import sys
import zipfile
from datetime import datetime, timezone
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager.bedrock.catalog import CacheManager, CacheMode
from bestehorn_llmmanager.bedrock.catalog.api_fetcher import RawCatalogData
from bestehorn_llmmanager.bedrock.models.catalog_structures import UnifiedCatalog
from catalog_diff import Entry, compare, rendered
from catalog_files import BUNDLE_IN_WHEEL
from generate_bundled_data import make_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Change = Callable[[dict[str, Any]], None]

SCRIPT = Path(__file__).parents[2] / "scripts" / "catalog_diff.py"
REGIONS = ("eu-central-1", "eu-west-1", "us-east-1")
LITE = "Nova Lite (amazon.nova-lite-v1:0)"
NINE_K = {
    "model_id": "amazon.nova-lite-v1:0:9k",
    "context_length": "9k",
    "inference_types": {"PROVISIONED": ["us-east-1"]},
}
ALL_OF_LITE = f"- **`{LITE}`**"


@pytest.fixture(scope="module")
def listings(snapshot: dict[str, Any]) -> dict[str, Any]:
    """What three regions list. Not to be changed."""
    return {region: snapshot["regions"][region] for region in REGIONS}


def bundle_of(regions: dict[str, Any]) -> dict[str, Any]:
    raw = RawCatalogData()
    for region, listing in regions.items():
        raw.add_region_data(
            region, [*listing["modelSummaries"]], [*listing["inferenceProfileSummaries"]]
        )
    return make_bundle(raw, datetime(2026, 11, 2, tzinfo=timezone.utc), origin="snapshot")


@pytest.fixture(scope="module")
def bundle(listings: dict[str, Any]) -> dict[str, Any]:
    """Their bundle. Not to be changed."""
    return bundle_of(listings)


@pytest.fixture
def later(listings: dict[str, Any]) -> Callable[[Change], dict[str, Any]]:
    """The bundle of the regions after they changed."""

    def changed(change: Change) -> dict[str, Any]:
        regions = copy.deepcopy(listings)
        change(regions)
        return bundle_of(regions)

    return changed


def edited(bundle: dict[str, Any], change: Change) -> dict[str, Any]:
    copied = copy.deepcopy(bundle)
    change(copied["models"]["Nova Lite"])
    return copied


def sections(old: dict[str, Any], new: dict[str, Any]) -> dict[str, list[Entry]]:
    return dict(compare(old, new).sections)


def summary(regions: dict[str, Any], region: str, model_id: str) -> dict[str, Any]:
    models = regions[region]["modelSummaries"]
    found: dict[str, Any] = next(model for model in models if model["modelId"] == model_id)
    return found


# What the control plane may change


def test_the_same_listings_have_no_difference(bundle: dict[str, Any]) -> None:
    difference = compare(bundle, bundle)
    assert difference.sections == {}
    text = rendered(difference, markdown=False)
    models = len(bundle["models"])
    assert text == (
        f"old: {models} models, 3 regions, as of 2026-11-02\n"
        f"new: {models} models, 3 regions, as of 2026-11-02\n"
        "No difference."
    )


def test_another_date_alone_is_no_difference(bundle: dict[str, Any]) -> None:
    newer = copy.deepcopy(bundle)
    newer["metadata"]["retrieval_timestamp"] = "2026-11-09T00:00:00+00:00"
    for model in newer["models"].values():
        if "facts" in model:
            model["facts"]["as_of"] = "2026-11-09"
    assert sections(bundle, newer) == {}


def test_a_new_model_is_added_and_named_in_its_regions(
    bundle: dict[str, Any], later: Callable[[Change], dict[str, Any]]
) -> None:
    def add(regions: dict[str, Any]) -> None:
        for region in ("eu-west-1", "us-east-1"):
            model = copy.deepcopy(summary(regions, "us-east-1", "amazon.nova-lite-v1:0"))
            model |= {"modelId": "amazon.nova-huge-v1:0", "modelName": "Nova Huge"}
            model["modelArn"] = f"arn:aws:bedrock:{region}::foundation-model/amazon.nova-huge-v1:0"
            model["inferenceTypesSupported"] = ["ON_DEMAND"]
            regions[region]["modelSummaries"].append(model)

    assert sections(bundle, later(add)) == {
        "Models added": [
            Entry(
                "Nova Huge (amazon.nova-huge-v1:0)",
                ("provider: Amazon", "DIRECT: eu-west-1, us-east-1"),
            )
        ],
        "Regions changed": [
            Entry("eu-west-1", ("+amazon.nova-huge-v1:0",)),
            Entry("us-east-1", ("+amazon.nova-huge-v1:0",)),
        ],
    }


def test_a_model_that_went_is_removed_and_what_became_of_it_is_said(
    bundle: dict[str, Any], later: Callable[[Change], dict[str, Any]]
) -> None:
    def remove(regions: dict[str, Any]) -> None:
        for listing in regions.values():
            for kind, key in (
                ("modelSummaries", "modelId"),
                ("inferenceProfileSummaries", "inferenceProfileId"),
            ):
                listing[kind] = [
                    item for item in listing[kind] if "meta.llama3-70b" not in item[key]
                ]

    [title] = [n for n, m in bundle["models"].items() if "meta.llama3-70b" in m["model_id"]]
    found = sections(bundle, later(remove))
    [entry] = found.pop("Models removed")
    assert entry.title == f"{title} (meta.llama3-70b-instruct-v1:0)"
    assert entry.lines == (
        "provider: Meta",
        "now callable nowhere: retired",
        "DIRECT: us-east-1",
    )
    assert found == {
        "Regions changed": [Entry("us-east-1", ("-meta.llama3-70b-instruct-v1:0",))],
        "Not callable anywhere": [Entry("meta.llama3-70b-instruct-v1:0: none -> retired")],
    }


def test_a_region_that_came_or_went_is_counted(
    bundle: dict[str, Any], listings: dict[str, Any], later: Callable[[Change], dict[str, Any]]
) -> None:
    fewer = later(lambda regions: regions.pop("eu-west-1"))
    access = UnifiedCatalog.from_dict(bundle).filter_models("eu-west-1")
    lines = (f"models: {len(access)}",)
    assert len(access) > 20
    assert sections(bundle, fewer)["Regions removed"] == [Entry("eu-west-1", lines)]
    assert sections(fewer, bundle)["Regions added"] == [Entry("eu-west-1", lines)]


def test_a_model_that_is_legacy_now_has_changed(
    bundle: dict[str, Any], later: Callable[[Change], dict[str, Any]]
) -> None:
    def everywhere(regions: dict[str, Any]) -> None:
        for listing in regions.values():
            for model in listing["modelSummaries"]:
                if model["modelId"] == "amazon.nova-lite-v1:0":
                    model["modelLifecycle"] = {"status": "LEGACY"}

    def in_one_region(regions: dict[str, Any]) -> None:
        model = summary(regions, "us-east-1", "amazon.nova-lite-v1:0")
        model["modelLifecycle"] = {"status": "LEGACY"}

    assert sections(bundle, later(everywhere)) == {
        "Models changed": [Entry(LITE, ("lifecycle status: ACTIVE -> LEGACY",))]
    }
    assert sections(bundle, later(in_one_region)) == {
        "Models changed": [Entry(LITE, ("lifecycle none -> status LEGACY: us-east-1",))]
    }


def test_another_name_of_the_same_model_is_a_change_and_not_another_model(
    bundle: dict[str, Any], later: Callable[[Change], dict[str, Any]]
) -> None:
    def rename(regions: dict[str, Any]) -> None:
        for listing in regions.values():
            for model in listing["modelSummaries"]:
                if model["modelId"] == "amazon.nova-lite-v1:0":
                    model["modelName"] = "Nova Light"

    found = sections(bundle, later(rename))
    assert list(found) == ["Models changed"]
    [entry] = found["Models changed"]
    assert entry.title == "Nova Light (amazon.nova-lite-v1:0)"
    assert entry.lines[0] == "model_name: Nova Lite -> Nova Light"


def test_a_profile_that_came_is_another_access_too(
    bundle: dict[str, Any], later: Callable[[Change], dict[str, Any]]
) -> None:
    def add(regions: dict[str, Any]) -> None:
        regions["us-east-1"]["inferenceProfileSummaries"].append(
            {
                "inferenceProfileId": "global.amazon.nova-lite-v1:0",
                "inferenceProfileName": "Global Nova Lite",
                "inferenceProfileArn": "arn:aws:bedrock:us-east-1:123456789012:inference-profile/"
                "global.amazon.nova-lite-v1:0",
                "models": [
                    {"modelArn": "arn:aws:bedrock:::foundation-model/amazon.nova-lite-v1:0"}
                ],
                "status": "ACTIVE",
                "type": "SYSTEM_DEFINED",
            }
        )

    worldwide = "global.amazon.nova-lite-v1:0"
    regional = "DIRECT + REGIONAL_CRIS by us.amazon.nova-lite-v1:0"
    assert sections(bundle, later(add)) == {
        "Models changed": [
            Entry(
                LITE,
                (
                    f"{regional} -> {regional} + GLOBAL_CRIS by {worldwide}: us-east-1",
                    "profiles: +global.amazon.nova-lite-v1:0",
                ),
            )
        ]
    }


# Every other detail


def put(*place_and_value: Any) -> Change:
    *place, last, value = place_and_value

    def change(data: dict[str, Any]) -> None:
        holder = data
        for key in place:
            holder = holder[key]
        holder[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (put("provider", "AWS"), "provider: Amazon -> AWS"),
        (put("streaming_supported", False), "streaming_supported: True -> False"),
        (put("described", False), "described: True -> False"),
        (put("input_modalities", ["TEXT", "SPEECH"]), "input_modalities: +SPEECH, -IMAGE, -VIDEO"),
        (put("output_modalities", []), "output_modalities: -TEXT"),
        (put("customizations", ["DISTILLATION"]), "customizations: +DISTILLATION"),
        (put("former_names", ["Lite"]), "former_names: +Lite"),
        (put("inference_types", "PROVISIONED", ["eu-west-1"]), "PROVISIONED: +eu-west-1"),
        (
            put("inference_types", "ON_DEMAND", []),
            (
                "DIRECT + REGIONAL_CRIS by us.amazon.nova-lite-v1:0 -> "
                "REGIONAL_CRIS by us.amazon.nova-lite-v1:0: us-east-1"
            ),
        ),
        (
            put("lifecycle", "end_of_life", "2027-01-01T00:00:00+00:00"),
            "lifecycle end_of_life: none -> 2027-01-01T00:00:00+00:00",
        ),
        (put("profiles", 0, "name", "EU"), "eu.amazon.nova-lite-v1:0 name: EU Nova Lite -> EU"),
        (
            put("profiles", 0, "status", "INACTIVE"),
            "eu.amazon.nova-lite-v1:0 status: ACTIVE -> INACTIVE",
        ),
        (
            put("profiles", 0, "routes", "eu-west-2", ["eu-west-2"]),
            "eu.amazon.nova-lite-v1:0 sources: +eu-west-2",
        ),
        (
            put("profiles", 0, "routes", "eu-west-1", ["eu-west-1", "eu-west-9"]),
            (
                "eu.amazon.nova-lite-v1:0 destinations: +eu-west-9, -eu-central-1, -eu-north-1, "
                "-eu-west-3; from eu-west-1"
            ),
        ),
        (
            put("facts", "prices_usd_per_million_tokens", "input", 9.5),
            "facts prices_usd_per_million_tokens input: 0.06 -> 9.5",
        ),
        (
            put("context_variants", [NINE_K]),
            "context_variants: +amazon.nova-lite-v1:0:9k",
        ),
    ],
)
def test_each_detail_of_a_model_is_compared(
    bundle: dict[str, Any], change: Change, line: str
) -> None:
    found = sections(bundle, edited(bundle, change))
    [entry] = found["Models changed"]
    assert entry.title == LITE
    assert line in entry.lines


def test_names_of_earlier_releases_that_lead_elsewhere_are_told(bundle: dict[str, Any]) -> None:
    changed = copy.deepcopy(bundle)
    name, model_id = next(iter(bundle["older_names"].items()))
    changed["older_names"][name] = "amazon.nova-lite-v1:0"
    del changed["retired_names"][next(iter(bundle["retired_names"]))]
    entries = sections(bundle, changed)["Names of earlier releases"]
    assert entries[0] == Entry(f"older_names {name}: {model_id} -> amazon.nova-lite-v1:0")
    assert entries[1].title.endswith(" -> none")


def test_turned_round_what_came_has_gone(
    bundle: dict[str, Any], later: Callable[[Change], dict[str, Any]]
) -> None:
    forth, back = (
        sections(old, new)
        for old, new in permutations([bundle, later(lambda regions: regions.pop("us-east-1"))])
    )
    assert len(forth["Models removed"]) > 20
    assert [entry.title for entry in forth["Models removed"]] == [
        entry.title for entry in back["Models added"]
    ]
    assert forth["Regions removed"] == back["Regions added"]
    turned = [(entry.title, turned_round(entry.lines)) for entry in forth["Models changed"]]
    assert turned == [(entry.title, sorted(entry.lines)) for entry in back["Models changed"]]


def turned_round(lines: Iterable[str]) -> list[str]:
    """`a -> b: where` as `b -> a: where`, `+a` as `-a`."""
    signs = str.maketrans("+-", "-+")
    turned = []
    for line in lines:
        about, arrow, rest = line.partition(" -> ")
        if arrow:
            after, _, where = rest.rpartition(": ")
            turned.append(f"{after} -> {about}: {where}")
        else:
            about, _, names = line.partition(": ")
            items = (item[0].translate(signs) + item[1:] for item in names.split(", "))
            turned.append(f"{about}: {', '.join(items)}")
    return sorted(turned)


# Every layout


def test_the_long_layout_of_the_same_catalogue_has_no_difference(bundle: dict[str, Any]) -> None:
    assert sections(bundle, UnifiedCatalog.from_dict(bundle).to_dict()) == {}


def test_what_one_file_does_not_know_is_not_called_a_change(bundle: dict[str, Any]) -> None:
    spelled_out = UnifiedCatalog.from_dict(bundle).to_dict()
    known = {"model_name", "provider", "model_id", "input_modalities", "output_modalities"}
    known |= {"streaming_supported", "region_access"}
    old = {
        **spelled_out,
        "models": {
            name: {key: model[key] for key in known}
            for name, model in spelled_out["models"].items()
        },
    }
    difference = compare(old, bundle)
    assert difference.sections == {}
    assert {"profiles", "lifecycle", "facts", "inference_types"} <= set(difference.not_compared)
    assert "Not compared, because one file has no details: " in rendered(difference, markdown=False)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )


def test_a_bundle_a_cache_file_a_packed_file_and_a_wheel_are_read(
    tmp_path: Path, bundle: dict[str, Any]
) -> None:
    text = json.dumps(bundle).encode()
    plain, packed, wheel = (tmp_path / name for name in ("a.json", "a.json.gz", "a.whl"))
    plain.write_bytes(text)
    packed.write_bytes(gzip.compress(text))
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(BUNDLE_IN_WHEEL, text)
    cache = CacheManager(CacheMode.FILE, tmp_path)
    cache.save_cache(UnifiedCatalog.from_dict(bundle))
    [cached] = set(tmp_path.glob("*.json")) - {plain}
    for path in (packed, wheel, cached):
        done = run(plain, path)
        assert (done.returncode, done.stderr) == (0, ""), path
        assert "No difference." in done.stdout


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{", b"{}", b"\x1f\x8b, cut off"])
def test_what_is_no_catalogue_is_said_in_a_sentence(
    tmp_path: Path, bundle: dict[str, Any], content: bytes | None
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(bundle), encoding="utf-8")
    if content is not None:
        bad.write_bytes(content)
    for arguments in ((good, bad), (bad, good)):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("catalog_diff: ")
        assert "Traceback" not in done.stderr


def test_the_status_says_whether_there_is_a_difference(
    tmp_path: Path, bundle: dict[str, Any]
) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(json.dumps(bundle), encoding="utf-8")
    new.write_text(json.dumps(edited(bundle, put("provider", "Ämazon"))), encoding="utf-8")
    done = run(old, new)
    assert done.returncode == 1
    assert done.stdout.endswith(
        f"models changed: 1\n\nModels changed (1)\n  {LITE}\n      provider: Amazon -> Ämazon\n"
    )
    done = run(old, new, "--markdown")
    assert done.returncode == 1
    assert done.stdout.endswith(
        f"\n\n## Models changed (1)\n{ALL_OF_LITE}\n  - `provider: Amazon -> Ämazon`\n"
    )
    assert run(old).returncode == 2


# For a pull request


@pytest.mark.parametrize("most", [600, 1_000, 5_000, 20_000, 60_000])
def test_markdown_stays_within_the_limit_and_counts_what_it_leaves_out(
    bundle: dict[str, Any], later: Callable[[Change], dict[str, Any]], most: int
) -> None:
    difference = compare(bundle, later(lambda regions: regions.pop("us-east-1")))
    text = rendered(difference, markdown=True, most_bytes=most)
    assert len(text.encode()) <= most
    left_out = text.partition("Not shown, to keep this short: ")[2].removesuffix(".")
    counts = [int(part.rpartition(": ")[2]) for part in left_out.split(", ") if part]
    total = sum(map(len, difference.sections.values()))
    assert text.count("\n- **") + sum(counts) == total
    assert total > 50
    assert bool(counts) == (len(rendered(difference, markdown=True).encode()) > most)


def test_as_much_is_shown_as_fits(
    bundle: dict[str, Any], later: Callable[[Change], dict[str, Any]]
) -> None:
    difference = compare(bundle, later(lambda regions: regions.pop("us-east-1")))
    text = rendered(difference, markdown=True, most_bytes=5_000)
    assert len(text.encode()) > 3_500


def test_nothing_in_a_name_becomes_markup(bundle: dict[str, Any]) -> None:
    name = "`@everyone` <img>\n# [x](y)"
    text = rendered(compare(bundle, edited(bundle, put("provider", name))), markdown=True)
    assert text.endswith("\n  - `provider: Amazon -> '@everyone' <img> # [x](y)`")
