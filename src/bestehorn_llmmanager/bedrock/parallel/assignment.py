"""Says in which regions a request is tried first."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

from bestehorn_llmmanager.bedrock.models.parallel_structures import LoadBalancingStrategy

if TYPE_CHECKING:
    from collections.abc import Sequence


class RegionAssignment:
    """Spreads requests over regions, evenly or at random.

    Safe to share between threads.

    Args:
        regions: The manager's regions.
        strategy: A moving start, a random sample, or the regions with the fewest requests so far.
        per_request: How many regions a request is assigned to; the others come after them.
    """

    def __init__(
        self, regions: Sequence[str], strategy: LoadBalancingStrategy, per_request: int
    ) -> None:
        self._regions = list(regions)
        self._strategy = strategy
        self._per_request = per_request
        self._lock = threading.Lock()
        self._turn = 0
        self._counts = [0] * len(self._regions)
        self._starts = [0] * len(self._regions)

    def next(self) -> tuple[int, ...]:
        """Positions of all regions, the assigned ones first."""
        with self._lock:
            order = self._order()
            for position in order[: self._per_request]:
                self._counts[position] += 1
            self._starts[order[0]] += 1
        return tuple(order)

    def distribution(self) -> dict[str, int]:
        """How many requests were assigned to each region."""
        with self._lock:
            counts = zip(self._regions, self._counts, strict=True)
            return {region: count for region, count in counts if count}

    def _order(self) -> list[int]:
        positions = range(len(self._regions))
        if self._strategy is LoadBalancingStrategy.RANDOM:
            return random.sample(positions, len(positions))
        if self._strategy is LoadBalancingStrategy.LEAST_LOADED:
            order = sorted(positions, key=self._counts.__getitem__)
            # Where all are assigned each time, all counts are equal.
            assigned = sorted(order[: self._per_request], key=self._starts.__getitem__)
            return [*assigned, *order[self._per_request :]]
        start = self._turn % len(positions)
        self._turn += 1
        return [*positions[start:], *positions[:start]]
