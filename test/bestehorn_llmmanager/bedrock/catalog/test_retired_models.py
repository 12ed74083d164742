"""Tests what is known, written and said of models that Bedrock does not list any more.

What is said of the shipped file holds for any that `generate_bundled_data.py` makes; what is said
of a single model, for the bundle of the recorded snapshot.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bestehorn_llmmanager import ConfigurationError, LLMManager
from bestehorn_llmmanager.bedrock.catalog import BedrockModelCatalog, CacheMode
from bestehorn_llmmanager.bedrock.catalog.api_fetcher import RawCatalogData
from bestehorn_llmmanager.bedrock.catalog.bundled_loader import bundled_catalog
from bestehorn_llmmanager.bedrock.catalog.cache_manager import CacheManager
from bestehorn_llmmanager.bedrock.catalog.transformer import CatalogTransformer
from bestehorn_llmmanager.bedrock.models.catalog_structures import UnifiedCatalog
from bestehorn_llmmanager.bedrock.models.model_details import NotCallableModel
from bestehorn_llmmanager.testing import LocalBedrock

if TYPE_CHECKING:
    from collections.abc import Iterable

REPOSITORY = Path(__file__).parents[4]
SNAPSHOT = REPOSITORY / "test" / "data" / "bedrock_api_snapshot.json.gz"
GENERATOR = REPOSITORY / "scripts" / "generate_bundled_data.py"
INPUTS = REPOSITORY / "scripts" / "bundled_data"

HOME = "us-east-1"
OTHER = "eu-west-1"
OPUS_3 = "anthropic.claude-3-opus-20240229-v1:0"
JAMBA = "ai21.jamba-1-5-large-v1:0"
COMMAND, COMMAND_R = "cohere.command-text-v14", "cohere.command-r-v1:0"


def retired_in(catalog: UnifiedCatalog) -> dict[str, NotCallableModel]:
    return {key: m for key, m in catalog.not_callable.items() if m.reason == "retired"}


RETIRED = list(retired_in(bundled_catalog()).values())


@pytest.fixture(scope="module")
def bundle() -> BedrockModelCatalog:
    return BedrockModelCatalog(cache_mode=CacheMode.NONE, refresh="never")


# What is shipped


@pytest.mark.parametrize("retired", RETIRED, ids=lambda model: model.model_id)
def test_a_retired_model_has_a_day_and_successors_that_can_be_called(
    retired: NotCallableModel,
) -> None:
    retrieved = bundled_catalog().metadata.retrieval_timestamp.date().isoformat()
    gone = retired.retired_on or retired.not_listed_on
    assert gone is not None
    days = [retired.last_listed or gone, gone, retrieved]
    assert days == sorted(days)
    assert all(date.fromisoformat(day) for day in days)
    models = {model.model_id: model for model in bundled_catalog().models.values()}
    assert all(models[successor].region_access for successor in retired.successors)


@pytest.mark.parametrize("retired", RETIRED, ids=lambda model: model.model_id)
def test_every_retired_model_says_since_when_and_what_to_use(
    bundle: BedrockModelCatalog, retired: NotCallableModel
) -> None:
    said = bundle.explain_missing(retired.model_id)
    assert said.startswith(f"{retired.name} ({retired.model_id}) is retired")
    assert f" since {retired.retired_on or retired.not_listed_on}" in said
    assert (". Use " in said) == bool(retired.successors)
    assert not (retired.successors and ". Closest: " in said)
    for successor in retired.successors:
        model = bundle.find_model(successor)
        assert model is not None
        of_other = "" if model.provider == retired.provider else f" of {model.provider}"
        assert f"{model.model_name}{of_other} ({successor})" in said
    for name in retired.former_names:  # of a variant, it may be the model itself that is named
        assert reason_in(bundle.explain_missing(name)) == reason_in(said)


def reason_in(said: str) -> str:
    """What follows the name, without the names that are spelled like it."""
    return said.partition(") is ")[2].partition(" Closest: ")[0]


@pytest.mark.parametrize("retired", RETIRED, ids=lambda model: model.model_id)
def test_a_manager_says_the_same(retired: NotCallableModel, bundle: BedrockModelCatalog) -> None:
    said = bundle.explain_missing(retired.model_id, HOME)
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        LLMManager(
            [retired.model_id], [HOME], catalog_cache_mode=CacheMode.NONE, catalog_refresh="never"
        )


@pytest.mark.parametrize(
    "identifier",
    [
        f"us.{OPUS_3}",
        f"arn:aws:bedrock:us-east-1::foundation-model/{OPUS_3}",
        f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{OPUS_3}",
        "anthropic claude 3 opus",
    ],
)
def test_every_identifier_of_a_retired_model_is_explained(
    bundle: BedrockModelCatalog, identifier: str
) -> None:
    assert bundle.explain_missing(identifier) == bundle.explain_missing("Claude 3 Opus")


def test_an_arn_is_explained_whatever_its_provider_is_called(bundle: BedrockModelCatalog) -> None:
    arn = "arn:aws:bedrock:us-east-1::foundation-model/stability.stable-diffusion-xl-v1"
    assert bundle.explain_missing(arn).startswith("Stable Diffusion XL (stability.stable-diff")


# Which successors are named


def summary(model_id: str, name: str, *types: str, region: str = HOME) -> dict[str, Any]:
    return {
        "modelArn": f"arn:aws:bedrock:{region}::foundation-model/{model_id}",
        "modelId": model_id,
        "modelName": name,
        "providerName": model_id.partition(".")[0].capitalize(),
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "inferenceTypesSupported": list(types or ["ON_DEMAND"]),
    }


@pytest.fixture
def stored(tmp_path: Path) -> BedrockModelCatalog:
    """Of the successors of ``Old`` one is gone, one is in one region alone, one is of others."""
    raw = RawCatalogData()
    here = [summary("acme.lite-v1:0", "Lite"), summary("other.micro-v1:0", "Micro")]
    raw.add_region_data(HOME, here, [])
    raw.add_region_data(OTHER, [summary("other.micro-v1:0", "Micro", region=OTHER)], [])
    ids = ["acme.gone-v1:0", "acme.lite-v1:0", "other.micro-v1:0"]
    retired = [
        NotCallableModel("acme.old-v1:0", "Old", "Acme", "retired", successors=ids),
        NotCallableModel("acme.last-v1:0", "Last", "Acme", "retired", successors=ids[:1]),
    ]
    catalog = CatalogTransformer().transform_api_data(raw, datetime.now(timezone.utc))
    catalog = replace(catalog, not_callable={model.model_id: model for model in retired})
    CacheManager(CacheMode.FILE, tmp_path, 24.0).save_cache(catalog)
    return BedrockModelCatalog(
        cache_directory=tmp_path, refresh="never", fallback_to_bundled=False, regions=[HOME, OTHER]
    )


@pytest.mark.parametrize(
    ("region", "advice"),
    [
        (None, "Use Lite (acme.lite-v1:0) or Micro of Other (other.micro-v1:0)."),
        (HOME, "Use Lite (acme.lite-v1:0) or Micro of Other (other.micro-v1:0)."),
        (OTHER, "Use Micro of Other (other.micro-v1:0)."),
        (
            "mars-north-1",
            "Use Lite (acme.lite-v1:0) or Micro of Other (other.micro-v1:0); not in 'mars-north-1'.",
        ),
    ],
)
def test_successors_that_can_be_called_in_the_region_are_preferred(
    stored: BedrockModelCatalog, region: str | None, advice: str
) -> None:
    said = "Old (acme.old-v1:0) is retired: Bedrock does not list it any more. "
    assert stored.explain_missing("Old", region) == said + advice


def test_where_no_successor_is_left_the_closest_names_are_given(
    stored: BedrockModelCatalog,
) -> None:
    assert stored.explain_missing("Last") == (
        "Last (acme.last-v1:0) is retired: Bedrock does not list it any more. Closest: Lite."
    )


# What AWS says today


def asked(monkeypatch: pytest.MonkeyPatch, *listed: dict[str, Any]) -> BedrockModelCatalog:
    """A catalogue of one region that asked AWS, on top of the bundle."""
    listing = {"modelSummaries": list(listed), "inferenceProfileSummaries": []}
    with LocalBedrock({"regions": {HOME: listing}}) as endpoint:
        for name, value in endpoint.environment().items():
            monkeypatch.setenv(name, value)
        catalog = BedrockModelCatalog(cache_mode=CacheMode.NONE, regions=[HOME], max_retries=1)
        catalog.ensure_catalog_available()
    return catalog


def test_a_retired_model_that_aws_lists_again_can_be_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    catalog = asked(monkeypatch, summary(OPUS_3, "Claude 3 Opus"))
    access = catalog.get_model_info("Claude 3 Opus", HOME)
    assert access is not None
    assert access.model_id == OPUS_3
    assert OPUS_3 not in catalog.ensure_catalog_available().not_callable
    assert catalog.explain_missing("Claude 3 Opus", OTHER) == (
        "'Claude 3 Opus' is known; not in 'eu-west-1'. It can be called in us-east-1."
    )


def test_what_aws_says_of_a_retired_model_beats_what_the_bundle_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bought = summary(OPUS_3, "Claude 3 Opus", "PROVISIONED")
    catalog = asked(monkeypatch, bought, summary("acme.lite-v1:0", "Lite"))
    assert catalog.find_model("Claude 3 Opus") is None
    assert catalog.explain_missing("Claude 3 Opus").startswith(
        f"Claude 3 Opus ({OPUS_3}) needs provisioned throughput: use the ARN of yours. Closest: "
    )


# From the table to the bundle


def table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((INPUTS / "retired_models.json").read_text(encoding="utf-8"))
    return found


def generated_from(snapshot: Path, output: Path) -> dict[str, NotCallableModel]:
    """The retired models of the bundle that the generator makes of a snapshot."""
    subprocess.run(
        [sys.executable, GENERATOR, "--from-snapshot", snapshot, "--output", output],
        check=True,
        capture_output=True,
    )
    return retired_in(UnifiedCatalog.from_dict(json.loads(output.read_text(encoding="utf-8"))))


def without(snapshot: dict[str, Any], model_ids: Iterable[str]) -> dict[str, Any]:
    changed = copy.deepcopy(snapshot)
    for listing in changed["regions"].values():
        listing["modelSummaries"] = [
            model for model in listing["modelSummaries"] if model["modelId"] not in model_ids
        ]
    return changed


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, NotCallableModel]:
    """The retired models of the recorded snapshot."""
    return generated_from(SNAPSHOT, tmp_path_factory.mktemp("recorded") / "bundle.json")


@pytest.mark.parametrize("model_id", sorted(table()["models"]))
def test_every_model_of_the_table_has_a_day_and_a_source_for_all_that_is_said(
    model_id: str,
) -> None:
    known, entry = table(), table()["models"][model_id]
    assert entry["end_of_life"] or entry["not_listed_on"]
    for key in ("end_of_life", "not_listed_on", "last_listed"):
        if entry.get(key):
            assert date.fromisoformat(entry[key])
            assert entry[f"{key}_source"] in known["sources"]
    assert entry["successors"]
    assert set(entry["successors"].values()) <= known["sources"].keys()


def test_every_model_that_is_gone_in_the_snapshot_is_in_the_table_and_has_a_successor(
    recorded: dict[str, NotCallableModel],
) -> None:
    assert len(recorded) > 30
    assert recorded.keys() - table()["models"].keys() == set()
    assert [key for key, model in recorded.items() if not model.successors] == []


def test_a_successor_that_is_gone_gives_way_to_its_own(
    recorded: dict[str, NotCallableModel],
) -> None:
    assert COMMAND_R in table()["models"][COMMAND]["successors"]
    assert recorded[COMMAND].successors == recorded[COMMAND_R].successors
    assert recorded[COMMAND_R].successors == list(table()["models"][COMMAND_R]["successors"])


def test_a_model_that_is_gone_after_the_announced_day_is_given_that_day(
    tmp_path: Path, snapshot: dict[str, Any]
) -> None:
    later = without(snapshot, [JAMBA]) | {"captured": "2026-12-01"}
    home = later["regions"][HOME]["modelSummaries"]
    nova = next(model for model in home if model["modelId"] == "amazon.nova-lite-v1:0")
    home.append({**nova, **summary(COMMAND_R, "Command R")})
    path = tmp_path / "later.json"
    path.write_text(json.dumps(later))
    retired = generated_from(path, tmp_path / "bundle.json")
    facts = json.loads((INPUTS / "model_facts.json").read_text(encoding="utf-8"))["models"]
    assert retired[JAMBA].retired_on == facts[JAMBA]["end_of_life"] == "2026-11-26"
    assert retired[JAMBA].not_listed_on is None
    assert retired["ai21.j2-ultra-v1"].successors == []  # nothing of this line is left
    assert COMMAND_R not in retired
    assert retired[COMMAND].successors[0] == COMMAND_R


def test_a_model_that_is_gone_before_the_announced_day_is_given_the_day_of_the_data(
    tmp_path: Path, snapshot: dict[str, Any]
) -> None:
    path = tmp_path / "earlier.json"
    path.write_text(json.dumps(without(snapshot, [JAMBA])))
    gone = generated_from(path, tmp_path / "bundle.json")[JAMBA]
    assert (gone.retired_on, gone.not_listed_on) == (None, snapshot["captured"])
