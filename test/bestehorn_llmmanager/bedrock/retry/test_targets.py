"""Tests in which order the targets of a manager are tried."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestehorn_llmmanager.bedrock.models.llm_manager_structures import RetryStrategy
from bestehorn_llmmanager.bedrock.retry.targets import Target, TargetTable, Way

METHODS = ("direct", "regional_cris", "global_cris")


def target(model: str, region: str, *methods: str) -> Target:
    ways = tuple(Way(method, f"{method}.{model}") for method in methods or ("direct",))
    return Target(model, region, model, ways)


def short(targets: list[Target]) -> list[str]:
    return [f"{each.model}{each.region}" for each in targets]


TABLE = TargetTable([[target(model, region) for region in "123"] for model in "ab"])


@pytest.mark.parametrize(
    ("strategy", "columns", "order"),
    [
        (RetryStrategy.REGION_FIRST, (0, 1, 2), "a1 a2 a3 b1 b2 b3"),
        (RetryStrategy.MODEL_FIRST, (0, 1, 2), "a1 b1 a2 b2 a3 b3"),
        (RetryStrategy.REGION_FIRST, (2, 0, 1), "a3 a1 a2 b3 b1 b2"),
        (RetryStrategy.MODEL_FIRST, (2, 0, 1), "a3 b3 a1 b1 a2 b2"),
        (RetryStrategy.REGION_FIRST, (1,), "a2 b2"),
    ],
)
def test_region_first_tries_all_regions_of_a_model_and_model_first_all_models_of_a_region(
    strategy: RetryStrategy, columns: tuple[int, ...], order: str
) -> None:
    assert short(TABLE.ordered(strategy, columns)) == order.split()
    assert short(TABLE.ordered(strategy, columns)) == order.split()


def test_pairs_that_cannot_be_called_are_left_out() -> None:
    table = TargetTable([[None, target("a", "2")], [target("b", "1"), None]])
    assert short(table.ordered(RetryStrategy.REGION_FIRST, (0, 1))) == ["a2", "b1"]
    assert short(table.ordered(RetryStrategy.MODEL_FIRST, (0, 1))) == ["b1", "a2"]


def test_a_target_that_stands_in_several_columns_is_tried_once() -> None:
    arn = target("arn", "9")
    table = TargetTable([[arn, arn], [target("a", "1"), target("a", "2")]])
    assert short(table.ordered(RetryStrategy.REGION_FIRST, (0, 1))) == ["arn9", "a1", "a2"]
    assert short(table.ordered(RetryStrategy.MODEL_FIRST, (0, 1))) == ["arn9", "a1", "a2"]


@pytest.mark.parametrize(
    ("offered", "preferred", "order"),
    [
        (METHODS, "direct", METHODS),
        (METHODS, "regional_cris", ("regional_cris", "direct", "global_cris")),
        (METHODS, "global_cris", ("global_cris", "direct", "regional_cris")),
        (("direct", "regional_cris"), "global_cris", ("direct", "regional_cris")),
        (("global_cris",), "direct", ("global_cris",)),
    ],
)
def test_a_preferred_method_comes_first_where_a_target_has_it(
    offered: tuple[str, ...], preferred: str, order: tuple[str, ...]
) -> None:
    table = TargetTable([[target("a", "1", *offered)]])
    [plain] = table.ordered(RetryStrategy.REGION_FIRST, (0,))
    [changed] = table.ordered(RetryStrategy.REGION_FIRST, (0,), preferred)
    assert tuple(way.method for way in plain.ways) == offered
    assert tuple(way.method for way in changed.ways) == order
    assert changed.key == plain.key == ("a", "1")


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    gaps=st.sets(st.tuples(st.integers(0, 3), st.integers(0, 4))),
    strategy=st.sampled_from(RetryStrategy),
    method=st.none() | st.sampled_from(METHODS),
    data=st.data(),
)
def test_every_order_holds_each_target_once(
    shape: tuple[int, int],
    gaps: set[tuple[int, int]],
    strategy: RetryStrategy,
    method: str | None,
    data: st.DataObject,
) -> None:
    models, regions = shape
    rows = [
        [
            None if (m, r) in gaps else target(f"m{m}", f"r{r}", *METHODS[: 1 + (m + r) % 3])
            for r in range(regions)
        ]
        for m in range(models)
    ]
    table = TargetTable(rows)
    cells = sorted(cell.key for row in rows for cell in row if cell)
    for _ in range(3):
        columns = tuple(data.draw(st.permutations(range(regions))))
        ordered = table.ordered(strategy, columns, method)
        assert sorted(each.key for each in ordered) == cells
        part = 0 if strategy is RetryStrategy.REGION_FIRST else 1
        groups = [each.key[part] for each in ordered]
        assert groups == [
            group for group in dict.fromkeys(groups) for _ in range(groups.count(group))
        ]


def test_more_orders_than_are_remembered_are_right_as_well() -> None:
    regions = [str(number) for number in range(7)]
    table = TargetTable([[target("a", region) for region in regions]])
    for turn in range(200):
        columns = tuple((turn * 3 + step * (1 + turn % 6)) % 7 for step in range(7))
        ordered = table.ordered(RetryStrategy.REGION_FIRST, columns)
        assert [each.region for each in ordered] == [regions[column] for column in columns]
