"""Tells what changed between two catalogue files: models and regions added, removed, changed.

    python scripts/catalog_diff.py OLD NEW [--markdown] [--max-bytes N]

Each is a bundle, a cache file, either of them gzipped, or a wheel. Models are compared by model id,
so a new name is a change. Where only one of the files has details of its models (0.9.0 wrote none),
they are not compared. With --markdown, what goes beyond 60,000 bytes is counted instead of shown:
GitHub takes 65,536 characters for a pull request.
Exit status, as for diff: 0 no difference, 1 differences, 2 wrong usage or no catalogue.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bestehorn_llmmanager.bedrock.models.catalog_structures import UnifiedCatalog
from catalog_files import read_catalog_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from bestehorn_llmmanager.bedrock.models.access_method import ModelAccessInfo
    from bestehorn_llmmanager.bedrock.models.model_details import InferenceProfile
    from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo

    Comparison: TypeAlias = Callable[[UnifiedModelInfo, UnifiedModelInfo], Iterator[str]]

MARKDOWN_BYTES = 60_000


@dataclass(frozen=True)
class Entry:
    """One model or region: a line that names it, and a line for each thing to say of it."""

    title: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Difference:
    """What differs: a heading to its entries, and what the two files are."""

    files: tuple[str, str]
    sections: Mapping[str, list[Entry]]
    not_compared: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> int:
    options = _options(argv)
    try:
        old, new = read_catalog_file(options.old), read_catalog_file(options.new)
        difference = compare(old, new)
    except ValueError as error:
        print(f"catalog_diff: {error}", file=sys.stderr)
        return 2
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]  # a text stream
    most = options.max_bytes or (MARKDOWN_BYTES if options.markdown else None)
    print(rendered(difference, markdown=options.markdown, most_bytes=most))
    return 1 if difference.sections else 0


# What differs


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    """The difference between the contents of two catalogue files.

    Raises:
        ValueError: One of them is not a catalogue.
    """
    before, after = _catalog(old, "OLD"), _catalog(new, "NEW")
    ours, theirs = _by_id(before), _by_id(after)
    both = [key for key in ours if key in theirs]
    comparable = _has_details(before) is _has_details(after)
    old_regions, new_regions = (set(c.regions_metadata) for c in (before, after))
    sections = {
        "Regions added": _regions(new_regions - old_regions, after),
        "Regions removed": _regions(old_regions - new_regions, before),
        "Models removed": [
            _model(ours[key], _where_now(key, after)) for key in ours if key not in theirs
        ],
        "Models added": [_model(theirs[key]) for key in theirs if key not in ours],
        "Regions changed": list(_regions_changed(old_regions & new_regions, before, after)),
        "Models changed": [
            Entry(_title(theirs[key]), lines)
            for key in both
            if (lines := tuple(_model_changes(ours[key], theirs[key], comparable)))
        ],
        "Not callable anywhere": list(_apart(before, after)),
        "Names of earlier releases": list(_names(old, new)),
    }
    return Difference(
        files=(_described(before, "old"), _described(after, "new")),
        sections={heading: entries for heading, entries in sections.items() if entries},
        not_compared=() if comparable else tuple(DETAILS),
    )


def _catalog(data: Mapping[str, Any], name: str) -> UnifiedCatalog:
    try:
        return UnifiedCatalog.from_dict(data)
    except ValueError as error:
        raise ValueError(f"{name} is not a catalogue: {error}") from error


def _by_id(catalog: UnifiedCatalog) -> dict[str, UnifiedModelInfo]:
    models = {model.model_id or model.model_name: model for model in catalog.models.values()}
    return dict(sorted(models.items()))


def _has_details(catalog: UnifiedCatalog) -> bool:
    return any(getattr(m, name) for m in catalog.models.values() for name in DETAILS)


def _described(catalog: UnifiedCatalog, name: str) -> str:
    return (
        f"{name}: {catalog.model_count} models, {len(catalog.regions_metadata)} regions, "
        f"as of {catalog.metadata.retrieval_timestamp.date().isoformat()}"
    )


def _title(model: UnifiedModelInfo) -> str:
    return f"{model.model_name} ({model.model_id})" if model.model_id else model.model_name


def _model(model: UnifiedModelInfo, *more: str) -> Entry:
    accesses = _grouped({region: _access(model, region) for region in model.region_access})
    return Entry(_title(model), (f"provider: {model.provider}", *filter(None, more), *accesses))


def _where_now(key: str, after: UnifiedCatalog) -> str:
    apart = after.not_callable.get(key)
    return f"now callable nowhere: {apart.reason}" if apart else ""


def _regions(regions: Iterable[str], catalog: UnifiedCatalog) -> list[Entry]:
    return [
        Entry(region, (f"models: {len(_ids_in(region, catalog))}",)) for region in sorted(regions)
    ]


def _regions_changed(
    regions: Iterable[str], before: UnifiedCatalog, after: UnifiedCatalog
) -> Iterator[Entry]:
    for region in sorted(regions):
        lines = tuple(_came_and_went(_ids_in(region, before), _ids_in(region, after)))
        if lines:
            yield Entry(region, lines)


def _ids_in(region: str, catalog: UnifiedCatalog) -> set[str]:
    return {model.model_id or model.model_name for model in catalog.filter_models(region)}


def _apart(before: UnifiedCatalog, after: UnifiedCatalog) -> Iterator[Entry]:
    reasons = ({key: m.reason for key, m in c.not_callable.items()} for c in (before, after))
    return map(Entry, _value_changes(*reasons))


def _names(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Entry]:
    """The names that a bundle has beside its models; other files have none."""
    for key in ("older_names", "retired_names"):
        if key in old and key in new:
            yield from map(Entry, _value_changes(old[key], new[key], prefix=f"{key} "))


# One model


def _model_changes(
    old: UnifiedModelInfo, new: UnifiedModelInfo, with_details: bool
) -> Iterator[str]:
    for name in ("model_name", "provider", "streaming_supported", "described"):
        yield from _value_change(name, getattr(old, name), getattr(new, name))
    for name in ("input_modalities", "output_modalities"):
        yield from _came_and_went(getattr(old, name), getattr(new, name), prefix=f"{name}: ")
    yield from _access_changes(old, new)
    if with_details:
        for compared in DETAILS.values():
            yield from compared(old, new)


def _listed(name: str) -> Comparison:
    return lambda old, new: _came_and_went(
        getattr(old, name), getattr(new, name), prefix=f"{name}: "
    )


def _stated_fields(name: str) -> Comparison:
    return lambda old, new: _value_changes(
        _values(getattr(old, name)), _values(getattr(new, name)), prefix=f"{name} "
    )


def _access_changes(old: UnifiedModelInfo, new: UnifiedModelInfo) -> Iterator[str]:
    accesses = ({region: _access(m, region) for region in m.region_access} for m in (old, new))
    yield from _grouped_changes(*accesses)


def _access(model: UnifiedModelInfo, region: str) -> str:
    """The access methods of `region` with the profiles that they need."""
    access: ModelAccessInfo = model.region_access[region]
    summary = access.get_access_summary()
    for method, profile_id in (
        ("REGIONAL_CRIS", access.regional_cris_profile_id),
        ("GLOBAL_CRIS", access.global_cris_profile_id),
    ):
        summary = summary.replace(method, f"{method} by {profile_id}")
    return summary


def _profile_changes(old: UnifiedModelInfo, new: UnifiedModelInfo) -> Iterator[str]:
    before, after = ({p.profile_id: p for p in m.profiles} for m in (old, new))
    yield from _came_and_went(before, after, prefix="profiles: ")
    for key in sorted(before.keys() & after.keys()):
        yield from _one_profile(before[key], after[key])


def _one_profile(old: InferenceProfile, new: InferenceProfile) -> Iterator[str]:
    for name in ("name", "status", "geography"):
        yield from _value_change(f"{new.profile_id} {name}", getattr(old, name), getattr(new, name))
    yield from _came_and_went(old.routes, new.routes, prefix=f"{new.profile_id} sources: ")
    shared = sorted(old.routes.keys() & new.routes.keys())
    by_change = defaultdict(list)
    for source in shared:
        for line in _came_and_went(old.routes[source], new.routes[source]):
            by_change[line].append(source)
    for line, sources in by_change.items():
        yield f"{new.profile_id} destinations: {line}; from {', '.join(sources)}"


def _lifecycle_by_region(old: UnifiedModelInfo, new: UnifiedModelInfo) -> Iterator[str]:
    return _grouped_changes(old.lifecycle_by_region, new.lifecycle_by_region, prefix="lifecycle ")


def _inference_types(old: UnifiedModelInfo, new: UnifiedModelInfo) -> Iterator[str]:
    for kind in sorted({*old.inference_types, *new.inference_types}):
        regions = (model.inference_types.get(kind, ()) for model in (old, new))
        yield from _came_and_went(*regions, prefix=f"{kind}: ")


def _context_variants(old: UnifiedModelInfo, new: UnifiedModelInfo) -> Iterator[str]:
    variants = ([variant.model_id for variant in m.context_variants] for m in (old, new))
    return _came_and_went(*variants, prefix="context_variants: ")


# What not every file knows of its models.
DETAILS: dict[str, Comparison] = {
    "customizations": _listed("customizations"),
    "former_names": _listed("former_names"),
    "lifecycle": _stated_fields("lifecycle"),
    "lifecycle_by_region": _lifecycle_by_region,
    "inference_types": _inference_types,
    "context_variants": _context_variants,
    "profiles": _profile_changes,
    "facts": _stated_fields("facts"),
}


# Values


def _values(described: Any) -> dict[str, Any]:
    """The fields of a lifecycle or of facts, one level, without the date of all facts."""
    flat: dict[str, Any] = {}
    for key, value in (described.to_dict() if described else {}).items():
        if isinstance(value, dict):
            flat |= {f"{key} {inner}": _short(item) for inner, item in value.items()}
        elif key != "as_of":
            flat[key] = value
    return flat


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in sorted(value.items()))
    return value


def _value_change(name: str, old: Any, new: Any) -> Iterator[str]:
    if old != new:
        yield f"{name}: {_said(old)} -> {_said(new)}"


def _value_changes(
    old: Mapping[str, Any], new: Mapping[str, Any], *, prefix: str = ""
) -> Iterator[str]:
    for key in sorted({*old, *new}):
        yield from _value_change(f"{prefix}{key}", old.get(key), new.get(key))


def _said(value: Any) -> str:
    return "none" if value is None else str(value)


def _came_and_went(old: Iterable[str], new: Iterable[str], *, prefix: str = "") -> Iterator[str]:
    before, after = set(old), set(new)
    changes = [f"+{name}" for name in sorted(after - before)]
    changes += [f"-{name}" for name in sorted(before - after)]
    if changes:
        yield prefix + ", ".join(changes)


def _grouped(values: Mapping[str, str]) -> Iterator[str]:
    """One line for each value, with all regions that have it."""
    regions = defaultdict(list)
    for region in sorted(values):
        regions[values[region]].append(region)
    return (f"{value}: {', '.join(names)}" for value, names in regions.items())


def _grouped_changes(
    old: Mapping[str, Any], new: Mapping[str, Any], *, prefix: str = ""
) -> Iterator[str]:
    """The same for what the values of two mappings became."""
    return _grouped(
        {
            region: f"{prefix}{_stated(old.get(region))} -> {_stated(new.get(region))}"
            for region in {*old, *new}
            if old.get(region) != new.get(region)
        }
    )


def _stated(value: Any) -> str:
    if value is None or isinstance(value, str):
        return _said(value)
    return ", ".join(f"{key} {item}" for key, item in value.to_dict().items())


# As text


def rendered(difference: Difference, *, markdown: bool, most_bytes: int | None = None) -> str:
    """The difference as text; what does not fit into `most_bytes` is counted at the end."""
    head = _head(difference, markdown)
    blocks = [
        (heading, _block(entry, markdown))
        for heading, entries in difference.sections.items()
        for entry in entries
    ]
    shown, left_out = _fitting(blocks, head, most_bytes)
    lines = [head]
    for heading, entries in difference.sections.items():
        if shown[heading]:
            lines += ["", f"{'## ' * markdown}{heading} ({len(entries)})", *shown[heading]]
    if left_out:
        counts = ", ".join(f"{heading}: {number}" for heading, number in left_out.items())
        lines += ["", f"Not shown, to keep this short: {counts}."]
    return "\n".join(lines)


def _head(difference: Difference, markdown: bool) -> str:
    old, new = difference.files
    counts = ", ".join(f"{name.lower()}: {len(e)}" for name, e in difference.sections.items())
    lines = [_line(old, markdown), _line(new, markdown), counts or "No difference."]
    if difference.not_compared:
        lines.append(
            f"Not compared, because one file has no details: {', '.join(difference.not_compared)}"
        )
    return ("\n\n" if markdown else "\n").join(lines)


def _block(entry: Entry, markdown: bool) -> str:
    if not markdown:
        return "\n".join((f"  {entry.title}", *(f"      {line}" for line in entry.lines)))
    inner = (f"  - {_line(line, markdown)}" for line in entry.lines)
    return "\n".join((f"- **{_line(entry.title, markdown)}**", *inner))


def _line(text: str, markdown: bool) -> str:
    """In Markdown a span of code, so that nothing in a name is taken for markup or a mention."""
    text = " ".join(text.split())
    return "`{}`".format(text.replace("`", "'")) if markdown else text


def _fitting(
    blocks: Sequence[tuple[str, str]], head: str, most_bytes: int | None
) -> tuple[dict[str, list[str]], dict[str, int]]:
    """The blocks of each heading that fit beside the head, and the number of those that do not."""
    headings = dict.fromkeys(heading for heading, _ in blocks)
    shown: dict[str, list[str]] = {heading: [] for heading in headings}
    left_out: dict[str, int] = dict.fromkeys(headings, 0)
    # Each heading may need a line of its own and a count in the last one.
    room = 40 + sum(2 * len(heading) + 40 for heading in headings)
    left = (most_bytes or sys.maxsize) - _size(head) - room
    for heading, block in blocks:
        if _size(block) <= left:
            shown[heading].append(block)
            left -= _size(block)
        else:
            left_out[heading] += 1
    return shown, {heading: number for heading, number in left_out.items() if number}


def _size(text: str) -> int:
    return len(text.encode()) + 1  # and the end of its line


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("old", type=Path, metavar="OLD")
    parser.add_argument("new", type=Path, metavar="NEW")
    parser.add_argument("--markdown", action="store_true", help="for a pull request")
    parser.add_argument("--max-bytes", type=int, metavar="N", help="show no more than that")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
