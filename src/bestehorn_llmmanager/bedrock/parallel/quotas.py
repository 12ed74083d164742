"""Finds what a quota is of, by whatever name of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bestehorn_llmmanager.bedrock.exceptions.parallel_exceptions import ParallelConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bestehorn_llmmanager.bedrock.models.unified_structures import UnifiedModelInfo
    from bestehorn_llmmanager.bedrock.retry.targets import Target


def quotas_by_id(
    given: Mapping[str, int],
    targets: Iterable[Target],
    find_model: Callable[[str], UnifiedModelInfo | None],
) -> dict[str, int]:
    """Quotas by the ids of what is called; ``"*"`` stays.

    Args:
        given: By any name of a model, or by what is called.
        targets: All that may be called.
        find_model: Finds a model by any of its names.

    Raises:
        ParallelConfigurationError: A name is of nothing that is called, or two are of the same.
    """
    called = [
        name
        for target in targets
        for name in (target.model, target.model_id, *(way.identifier for way in target.ways))
    ]
    names: dict[str, str] = {}
    unknown = []
    for name in given:
        found = find_model(name)
        if found and name not in {profile.profile_id for profile in found.profiles}:
            key = found.model_id
        else:
            key = name
        if key != "*" and key not in called:
            unknown.append(name)
        elif names.setdefault(key, name) != name:
            raise _error(f"has two quotas of one model: {names[key]!r} and {name!r}", given)
    if unknown:
        raise _error(
            f"names {_listed(unknown)}, which this manager does not call. It calls "
            f"{_listed(dict.fromkeys(called))}; '*' stands for all others.",
            given,
        )
    return {key: given[name] for key, name in names.items()}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _error(what: str, given: Mapping[str, int]) -> ParallelConfigurationError:
    return ParallelConfigurationError(
        f"`tokens_per_minute` {what}",
        invalid_parameter="tokens_per_minute",
        provided_value=dict(given),
    )
