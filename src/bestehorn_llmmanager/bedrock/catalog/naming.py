"""Gives every model of a catalogue a name of its own."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import timezone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from dataclasses import replace

    from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo
else:
    from bestehorn_llmmanager._dataclass import replace

_NUMBER = re.compile(r"(\d+)")


def by_unique_name(models: Iterable[UnifiedModelInfo]) -> dict[str, UnifiedModelInfo]:
    """Key the models by name, sorted; where AWS repeats a name, the newest keeps it plain.

    The others carry ``" (<model id>)"``. The result depends on the models alone, not on the
    order in which they come.
    """
    groups: dict[str, list[UnifiedModelInfo]] = defaultdict(list)
    for model in models:
        groups[model.api_name].append(model)
    named: dict[str, UnifiedModelInfo] = {}
    for name, group in groups.items():
        newest, *others = sorted(group, key=_age_key, reverse=True)
        named[name] = _renamed(newest, name)
        for model in others:
            own_name = f"{name} ({model.model_id})"
            while own_name in groups or own_name in named:
                own_name = f"{own_name} ({model.model_id})"
            named[own_name] = _renamed(model, own_name)
    return dict(sorted(named.items(), key=lambda item: (item[0].casefold(), item[0])))


def _renamed(model: UnifiedModelInfo, name: str) -> UnifiedModelInfo:
    return model if model.model_name == name else replace(model, model_name=name)


def _age_key(model: UnifiedModelInfo) -> tuple[str, list[tuple[int, str]]]:
    started = model.lifecycle and model.lifecycle.start_of_life
    parts = _NUMBER.split(model.model_id or "")
    # Numbers compare as numbers, so that `v10` is newer than `v9`.
    version = [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
    return (started.astimezone(timezone.utc).isoformat() if started else "", version)
