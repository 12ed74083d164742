"""Draws ratios that fit the scale of the chart, and such that do not."""

from __future__ import annotations

import pytest

import performance_chart
from performance_chart import Ratio


def test_a_ratio_of_several_digits_is_read_whole() -> None:
    rows = [
        f"| {beginning} | 12.05 (10.50 to 113.25) |"
        for beginning in performance_chart.ROWS.values()
    ]
    read = performance_chart.ratios("\n".join(rows))
    assert set(read.values()) == {Ratio(12.05, 10.5, 113.25)}


@pytest.mark.parametrize(
    "ratio", [Ratio(1.2, 1.1, 1.41), Ratio(0.5, 0.39, 0.6), Ratio(12.0, 1.0, 1.1)]
)
def test_what_is_outside_of_the_scale_is_not_drawn(ratio: Ratio) -> None:
    with pytest.raises(ValueError, match=r"'too much' is Ratio.* the scale is 0\.4 to 1\.4"):
        performance_chart.draw({"fits": Ratio(1.0, 0.4, 1.4), "too much": ratio})
    assert "1.00  (0.40 to 1.40)" in performance_chart.draw({"fits": Ratio(1.0, 0.4, 1.4)})
