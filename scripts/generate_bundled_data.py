"""Makes the catalogue that the package carries, from the live API or from a recorded snapshot.

    python scripts/generate_bundled_data.py [--profile NAME] [--regions A B …] [--record FILE]
                                            [--keep-regions-of BUNDLE] [--explain]
    python scripts/generate_bundled_data.py --from-snapshot FILE

The same input gives the same bytes. The file is replaced only if the new one is valid. A region that
neither answers nor refuses is asked once more. Without --explain no account id and no ARN is printed.
Exit status: 0 written, 1 no data to be had, 2 wrong usage, 3 the data is not valid, 4 a region of
BUNDLE neither answered nor refused.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import sys
import zlib
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager import __version__
from bestehorn_llmmanager.bedrock.auth.auth_manager import AuthManager
from bestehorn_llmmanager.bedrock.catalog.api_fetcher import BedrockAPIFetcher, RawCatalogData
from bestehorn_llmmanager.bedrock.catalog.bundled_loader import BundledDataLoader
from bestehorn_llmmanager.bedrock.catalog.name_normalizer import normalize_model_name
from bestehorn_llmmanager.bedrock.catalog.regions import all_regions
from bestehorn_llmmanager.bedrock.catalog.transformer import CatalogTransformer
from bestehorn_llmmanager.bedrock.exceptions.llm_manager_exceptions import APIFetchError
from bestehorn_llmmanager.bedrock.models.catalog_structures import (
    CatalogSource,
    RegionMetadata,
    UnifiedCatalog,
)
from bestehorn_llmmanager.bedrock.models.llm_manager_structures import (
    AuthConfig,
    AuthenticationType,
)
from bestehorn_llmmanager.bedrock.models.model_details import ModelFacts, NotCallableModel
from bundle_validation import bundle_problems, content_sha256
from catalog_files import read_catalog_file

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

INPUTS = Path(__file__).parent / "bundled_data"
SWEEP_SECONDS = 120
# What a region says that asking it again would not change: see `RegionFailure.kind`.
REFUSALS = {"opted_out", "denied", "no_endpoint"}
RETIRED = "retired by its provider; Bedrock does not offer it any more"


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    try:
        kept = _regions_of(options.keep_regions_of) if options.keep_regions_of else set()
        raw, retrieved = _raw_data(options)
    except (APIFetchError, OSError, ValueError) as error:
        reason = str(error) if options.explain else _without_identities(str(error))
        return _fail(1, f"no data: {reason}")
    failures = _failures(raw, explain=options.explain)
    if not raw.has_data:
        return _fail(1, "\n".join(["no data: no region answered", *failures]))
    bundle = make_bundle(raw, retrieved, origin="snapshot" if options.from_snapshot else "api")
    problems = bundle_problems(bundle)
    try:
        if options.record:
            _record(options.record, raw, retrieved)
        if problems:
            return _fail(3, "not valid, nothing replaced:\n  " + "\n  ".join(problems))
        if kept.intersection(_unanswered(raw)):
            return _fail(4, "\n".join(["a region would be lost, nothing replaced", *failures]))
        text = json.dumps(bundle, separators=(",", ":"), ensure_ascii=False)
        _replace(options.output, text + "\n")
    except OSError as error:
        return _fail(1, f"cannot be written: {error}")
    print(
        f"{options.output}: {len(bundle['models'])} models, "
        f"{len(bundle['metadata']['api_regions_queried'])} regions, "
        f"{len(raw.failed_regions)} regions failed, as of {retrieved.isoformat()}"
    )
    for line in failures:
        print(line)
    return 0


def _regions_of(bundle: Path) -> set[str]:
    metadata = UnifiedCatalog.from_dict(read_catalog_file(bundle)).metadata
    return set(metadata.api_regions_queried)


def _unanswered(raw: RawCatalogData) -> list[str]:
    return [region for region, kind in raw.failure_kinds.items() if kind not in REFUSALS]


def _failures(raw: RawCatalogData, *, explain: bool) -> list[str]:
    """A line for each region that failed. AWS's own sentence quotes the caller: his ARN."""
    return [
        f"  {region}: {reason if explain else _named(raw.failure_kinds[region], reason)}"
        for region, reason in sorted(raw.failed_regions.items())
    ]


def _named(kind: str, reason: str) -> str:
    code = re.match(r"([A-Za-z]+): ", reason)
    return f"{kind}, {code[1]}" if code else kind


def _without_identities(text: str) -> str:
    return re.sub(r"arn:\S+|\b\d{12}\b", "[left out]", text)


def make_bundle(raw: RawCatalogData, retrieved: datetime, *, origin: str) -> dict[str, Any]:
    """The whole file as JSON values: what AWS lists, and what else is known of the models."""
    names = json.loads((INPUTS / "former_names.json").read_text(encoding="utf-8"))
    catalog = CatalogTransformer().transform_api_data(raw, retrieved)
    catalog = _with_former_names(_with_facts(catalog), names)
    catalog = _with_retirements(catalog, retrieved.date().isoformat())
    metadata = replace(
        catalog.metadata,
        source=CatalogSource.BUNDLED,
        bundled_data_version=__version__,
        regions_metadata={
            region: RegionMetadata(CatalogSource.BUNDLED, retrieved)
            for region in catalog.metadata.api_regions_queried
        },
        unavailable_regions={},
        all_regions=[],
    )
    bundle = {
        **replace(catalog, metadata=metadata).to_record(),
        "older_names": names["older_names"],
        "retired_names": dict.fromkeys(names["retired_names"], RETIRED),
    }
    bundle["metadata"] |= {
        "generation_timestamp": retrieved.isoformat(),
        "origin": origin,
        "sha256": content_sha256(bundle),
    }
    return bundle


def _with_facts(catalog: UnifiedCatalog) -> UnifiedCatalog:
    """Add limits, prices and capabilities by model id, and the models that only mantle serves."""
    source = json.loads((INPUTS / "model_facts.json").read_text(encoding="utf-8"))
    facts = {key: _facts(entry, source["captured"]) for key, entry in source["models"].items()}
    models = {
        name: replace(model, facts=facts.get(model.model_id or ""))
        for name, model in catalog.models.items()
    }
    listed = {model.model_id for model in models.values()}
    mantle_only = {
        key: NotCallableModel(
            key, entry["name"] or key, entry["provider"], "mantle_only", facts=facts[key]
        )
        for key, entry in source["models"].items()
        if entry["endpoints"] == ["bedrock-mantle"] and key not in listed
    }
    return replace(catalog, models=models, not_callable={**catalog.not_callable, **mantle_only})


def _facts(entry: Mapping[str, Any], as_of: str) -> ModelFacts:
    known = {key: _without_unknown(value) for key, value in entry.items()}
    return ModelFacts.from_dict({**known, "as_of": as_of})


def _without_unknown(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: inner for key, inner in value.items() if inner is not None}


def _with_former_names(catalog: UnifiedCatalog, names: Mapping[str, Any]) -> UnifiedCatalog:
    """Give each model the names that earlier releases knew it by, each name to one model.

    A name of the API beats one of 0.9.0, which beats an older one.
    """
    base_ids = _base_ids(catalog)
    taken = {normalize_model_name(name): model.model_id for name, model in catalog.models.items()}
    former: dict[str, list[str]] = {}
    for name, listed_id in (*names["canonical_names"].items(), *names["older_names"].items()):
        model_id = base_ids.get(listed_id, listed_id)
        if taken.setdefault(normalize_model_name(name), model_id) == model_id:
            former.setdefault(model_id, []).append(name)
    models = {
        name: replace(
            model, former_names=[n for n in former.get(model.model_id or "", ()) if n != name]
        )
        for name, model in catalog.models.items()
    }
    callable_ids = set(base_ids.values())
    providers = {
        key.partition(".")[0]: m.provider for m in catalog.models.values() if (key := m.model_id)
    }
    retired = {
        model_id: catalog.not_callable.get(model_id) or _retired(model_id, their_names, providers)
        for model_id, their_names in former.items()
        if model_id not in callable_ids
    }
    apart = {**catalog.not_callable, **retired}
    return replace(catalog, models=models, not_callable={key: apart[key] for key in sorted(apart)})


def _base_ids(catalog: UnifiedCatalog) -> dict[str, str]:
    """Model, profile and variant ids to the id of the model itself."""
    ids: dict[str, str] = {}
    for model in catalog.models.values():
        model_id = model.model_id or ""
        variants = (variant.model_id for variant in model.context_variants)
        profiles = (profile.profile_id for profile in model.profiles)
        ids |= dict.fromkeys((model_id, *variants, *profiles), model_id)
    return ids


def _retired(model_id: str, names: list[str], providers: Mapping[str, str]) -> NotCallableModel:
    prefix = model_id.removeprefix("us.").partition(".")[0]
    provider = providers.get(prefix, prefix)
    return NotCallableModel(model_id, names[-1], provider, "retired", former_names=names)


def _with_retirements(catalog: UnifiedCatalog, today: str) -> UnifiedCatalog:
    """Add since when each retired model is gone, and what of the callable models succeeds it."""
    known = json.loads((INPUTS / "retired_models.json").read_text(encoding="utf-8"))["models"]
    announced = json.loads((INPUTS / "model_facts.json").read_text(encoding="utf-8"))["models"]
    callable_ids = {model.model_id or "" for model in catalog.models.values()}

    def described(model: NotCallableModel) -> NotCallableModel:
        entry = known.get(model.model_id) or announced.get(model.model_id, {})
        end = entry.get("end_of_life")
        retired_on = end if end and end <= today else None
        return replace(
            model,
            retired_on=retired_on,
            last_listed=entry.get("last_listed"),
            not_listed_on=None if retired_on else entry.get("not_listed_on", today),
            successors=list(_successors(model.model_id, known, callable_ids, set())),
        )

    apart = {
        key: described(model) if model.reason == "retired" else model
        for key, model in catalog.not_callable.items()
    }
    return replace(catalog, not_callable=apart)


def _successors(
    model_id: str, known: Mapping[str, Any], callable_ids: Container[str], seen: set[str]
) -> Iterator[str]:
    """Those of `known` that can be called; in place of one that is gone, its own."""
    for successor in known.get(model_id, {}).get("successors", ()):
        if successor in seen:
            continue
        seen.add(successor)
        if successor in callable_ids:
            yield successor
        else:
            yield from _successors(successor, known, callable_ids, seen)


def _raw_data(options: argparse.Namespace) -> tuple[RawCatalogData, datetime]:
    if options.from_snapshot:
        return read_snapshot(options.from_snapshot)
    auth = AuthConfig(AuthenticationType.PROFILE, options.profile) if options.profile else None
    fetcher = BedrockAPIFetcher(AuthManager(auth), SWEEP_SECONDS, options.max_workers)
    return _swept(fetcher, options.regions or all_regions()), datetime.now(timezone.utc)


def _swept(fetcher: BedrockAPIFetcher, regions: Sequence[str]) -> RawCatalogData:
    """What the regions list; those that neither answer nor refuse are asked twice."""
    first = fetcher.sweep(regions)
    again = fetcher.sweep(unanswered) if (unanswered := _unanswered(first)) else RawCatalogData()
    raw = RawCatalogData()
    for region in sorted({*first.successful_regions, *again.successful_regions}):
        source = again if region in again.foundation_models else first
        raw.add_region_data(
            region, source.foundation_models[region], source.inference_profiles[region]
        )
    for region, reason in {**first.failed_regions, **again.failed_regions}.items():
        if region not in raw.foundation_models:
            kinds = {**first.failure_kinds, **again.failure_kinds}
            raw.add_region_failure(region, reason, kinds[region])
    return raw


def read_snapshot(path: Path) -> tuple[RawCatalogData, datetime]:
    """A recorded snapshot, plain or gzipped, and the time at which it was taken.

    Raises:
        ValueError: It is not a snapshot.
    """
    content = path.read_bytes()
    raw = RawCatalogData()
    try:
        snapshot = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
        for region, listings in sorted(snapshot["regions"].items()):
            models, profiles = listings["modelSummaries"], listings["inferenceProfileSummaries"]
            raw.add_region_data(region, [*models], [*profiles])
        captured = datetime.fromisoformat(snapshot["captured"])
    except (EOFError, KeyError, TypeError, AttributeError, ValueError, zlib.error) as error:
        raise ValueError(f"{path} is not a snapshot: {type(error).__name__}: {error}") from error
    return raw, captured if captured.tzinfo else captured.replace(tzinfo=timezone.utc)


def _record(path: Path, raw: RawCatalogData, retrieved: datetime) -> None:
    regions = {
        region: {
            "modelSummaries": raw.foundation_models[region],
            "inferenceProfileSummaries": raw.inference_profiles[region],
        }
        for region in sorted(raw.successful_regions)
    }
    snapshot = {"captured": retrieved.isoformat(), "regions": regions}
    text = json.dumps(snapshot, indent=1, sort_keys=True, default=datetime.isoformat)
    _replace(path, text + "\n")


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _fail(status: int, message: str) -> int:
    print(f"generate_bundled_data: {message}", file=sys.stderr)
    return status


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--from-snapshot", type=Path, metavar="FILE", help="read this, ask nobody")
    source.add_argument("--record", type=Path, metavar="FILE", help="keep the raw answers")
    parser.add_argument("--profile", help="AWS profile for the live API")
    parser.add_argument("--regions", nargs="+", metavar="REGION", help="default: all commercial")
    parser.add_argument(
        "--keep-regions-of", type=Path, metavar="BUNDLE", help="each answers, or refuses"
    )
    parser.add_argument("--explain", action="store_true", help="print what AWS says in full")
    parser.add_argument("--max-workers", type=int, default=10, help="regions in flight (10)")
    parser.add_argument(
        "--output", type=Path, default=BundledDataLoader.get_bundled_data_path(), help="the file"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
