"""Says what is wrong with a bundled catalogue, and how old it is.

    python scripts/bundle_validation.py [FILE] [--max-age-days N]

FILE is a bundle or a wheel; default: the bundle of the installed package. A valid bundle passes at
any age, with a warning past 14 days, unless a highest age is given.
Exit status: 0 valid, 1 missing or not valid, 2 wrong usage, 3 older than N days or not yet true.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.catalog.bundled_loader import BundledDataLoader
from bestehorn_llmmanager.bedrock.models.catalog_structures import CatalogSource, UnifiedCatalog
from catalog_files import read_catalog_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FEWEST_MODELS = 100
FEWEST_REGIONS = 20
OLD = timedelta(days=14)


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    try:
        data = read_catalog_file(options.file)
    except ValueError as error:
        return _fail(1, str(error))
    if problems := bundle_problems(data):
        return _fail(1, f"{options.file} is not valid:\n  " + "\n  ".join(problems))
    metadata = UnifiedCatalog.from_dict(data).metadata
    age = datetime.now(timezone.utc) - metadata.retrieval_timestamp
    days_old = f"{age.days} days old" if age >= timedelta(0) else "which is still to come"
    described = (
        f"{options.file}: {len(data['models'])} models, "
        f"{len(metadata.api_regions_queried)} regions, "
        f"as of {metadata.retrieval_timestamp.isoformat()}, {days_old}"
    )
    if options.max_age_days is not None and not _is_between(age, options.max_age_days):
        return _fail(3, f"{described}; allowed are 0 to {options.max_age_days}. Generate it anew.")
    print(described)
    if age > OLD:
        _warn(f"The bundled catalogue is {days_old}. Generate it anew.")
    return 0


def _is_between(age: timedelta, most_days: int) -> bool:
    # A clock may be slow by minutes; a bundle of tomorrow is a mistake.
    return timedelta(hours=-1) <= age <= timedelta(days=most_days)


def _warn(message: str) -> None:
    on_github = os.environ.get("GITHUB_ACTIONS") == "true"
    print(f"::warning::{message}" if on_github else f"warning: {message}")


def _fail(status: int, message: str) -> int:
    print(f"bundle_validation: {message}", file=sys.stderr)
    return status


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "file", nargs="?", type=Path, default=BundledDataLoader.get_bundled_data_path()
    )
    parser.add_argument("--max-age-days", type=int, metavar="N", help="for releases")
    return parser.parse_args(argv)


def content_sha256(data: Mapping[str, Any]) -> str:
    """SHA-256 over everything but the metadata, independent of order and white space."""
    content = {key: value for key, value in data.items() if key != "metadata"}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def bundle_problems(data: Mapping[str, Any]) -> list[str]:
    """One sentence for each thing that is wrong; empty for a bundle that can be shipped."""
    try:
        catalog = UnifiedCatalog.from_dict(data)
    except ValueError as error:
        return [f"it is not a catalogue: {error}"]
    return [*_metadata_problems(catalog, data), *_model_problems(catalog)]


def _metadata_problems(catalog: UnifiedCatalog, data: Mapping[str, Any]) -> Iterator[str]:
    metadata = catalog.metadata
    if metadata.source is not CatalogSource.BUNDLED:
        yield f"`metadata.source` is {metadata.source.value!r}, not 'bundled'"
    if not metadata.bundled_data_version:
        yield "`metadata.bundled_data_version` is missing"
    if metadata.retrieval_timestamp.tzinfo is None:
        yield "`metadata.retrieval_timestamp` has no time zone"
    if len(metadata.api_regions_queried) < FEWEST_REGIONS:
        yield f"it has {len(metadata.api_regions_queried)} regions, fewer than {FEWEST_REGIONS}"
    if data["metadata"].get("sha256") != content_sha256(data):
        yield "`metadata.sha256` is not the checksum of the content"


def _model_problems(catalog: UnifiedCatalog) -> Iterator[str]:
    if catalog.model_count < FEWEST_MODELS:
        yield f"it has {catalog.model_count} models, fewer than {FEWEST_MODELS}"
    ids = Counter(model.model_id for model in catalog.models.values())
    yield from (f"{key!r} is the id of {count} models" for key, count in ids.items() if count > 1)
    for name, model in catalog.models.items():
        if name != model.model_name:
            yield f"{name!r} is the key of a model named {model.model_name!r}"
        if not model.model_id:
            yield f"{name!r} has no model id"
        if model.described and not (model.input_modalities and model.output_modalities):
            yield f"{name!r} lacks modalities"
        unknown = set(model.region_access) - set(catalog.metadata.api_regions_queried)
        if unknown:
            yield f"{name!r} is in regions that were not asked: {sorted(unknown)}"


if __name__ == "__main__":
    sys.exit(main())
