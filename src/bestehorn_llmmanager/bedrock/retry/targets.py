"""What can be called: a model in a region, with the identifiers that reach it there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryStrategy

if TYPE_CHECKING:
    from collections.abc import Sequence


class Way(NamedTuple):
    """One identifier that reaches a model in a region.

    Attributes:
        method: ``"direct"``, ``"regional_cris"`` or ``"global_cris"``.
        identifier: The model id, profile id or ARN to send.
    """

    method: str
    identifier: str


@dataclass(frozen=True, slots=True)
class Target:
    """A model in a region.

    Attributes:
        model: As the caller wrote it.
        region: The region to call.
        model_id: Id of the base model; what is sent where the catalogue knows no model.
        ways: How it is reached, in order of preference; at least one.
        takes_prefill: Whether it continues a given beginning of its answer; None if unknown.
        cache_min_tokens: Its shortest prefix that can be cached; None if unknown.
        max_output_tokens: Its longest answer; None if unknown.
        key: `model_id` and `region`.
    """

    model: str
    region: str
    model_id: str
    ways: tuple[Way, ...]
    takes_prefill: bool | None = None
    cache_min_tokens: int | None = None
    max_output_tokens: int | None = field(default=None, compare=False)
    key: tuple[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", (self.model_id, self.region))

    def preferring(self, method: str) -> Target:
        """The same with the ways of `method` first."""
        ways = tuple(sorted(self.ways, key=lambda way: way.method != method))
        return self if ways == self.ways else replace(self, ways=ways)


class TargetTable:
    """All targets of a manager: a row per model, a column per region, in the caller's order.

    Cannot change, save that orders are remembered; safe to share between threads.
    """

    def __init__(self, rows: Sequence[Sequence[Target | None]]) -> None:
        self._rows = rows
        self._known: dict[tuple[RetryStrategy, tuple[int, ...], str | None], list[Target]] = {}

    def ordered(
        self, strategy: RetryStrategy, columns: tuple[int, ...], method: str | None = None
    ) -> list[Target]:
        """Each target once, in the order in which it is to be tried.

        Args:
            strategy: Whether all regions of a model come first, or all models of a region.
            columns: Positions of the regions, in the order of this call.
            method: The access method to be tried first where a target has it.
        """
        key = (strategy, columns, method)
        targets = self._known.get(key)
        if targets is None:
            targets = self._in_order(*key)
            if len(self._known) < _ORDERS_REMEMBERED:
                self._known[key] = targets
        return targets

    def _in_order(
        self, strategy: RetryStrategy, columns: tuple[int, ...], method: str | None
    ) -> list[Target]:
        if strategy is RetryStrategy.REGION_FIRST:
            cells = [row[column] for row in self._rows for column in columns]
        else:
            cells = [row[column] for column in columns for row in self._rows]
        targets = [target for target in cells if target]
        if method:
            targets = [target.preferring(method) for target in targets]
        # A model that was given by two names is one target.
        unique: dict[object, Target] = {}
        for target in targets:
            unique.setdefault((target.key, target.ways), target)
        return list(unique.values())


_ORDERS_REMEMBERED = 64  # every rotation of a few regions; shuffled orders of many are not kept
