"""The chart of two costs over requests: where its marks stand."""

from __future__ import annotations

import re

from nshot.board.break_even import Line, crossed
from nshot.report.charts import break_even
from nshot.report.numbers import say


def drawn(own: list[Line], other: list[Line]) -> str:
    words = lambda amount: say(amount, "seconds")  # noqa: E731
    return str(break_even(crossed(own, other), ("내 모델", "few_shot"), words, "Time"))


def test_the_diamond_stands_where_the_lines_meet() -> None:
    chart = drawn([Line(99, 0.01)], [Line(0, 1.0)])  # 100 requests, of 10,000 on the axis
    ((x, y),) = re.findall(r'polygon[^>]*points="([\d.]+),([\d.]+)', chart)
    own, other = re.findall(r'path class="c-run[^"]*" d="M([^"]*)"', chart)
    assert float(x) == (64 + 448) / 2, "half of the way, in powers of ten"
    middle = own.split("L")[20].split()
    assert middle == other.split("L")[20].split()
    assert abs(float(middle[1]) - float(y)) < 8
    assert "내 모델" in chart
    assert "c-band" in chart


def test_without_a_crossing_both_lines_stand_alone() -> None:
    chart = drawn([Line(10, 0.5)], [Line(0, 0.1)])
    assert "polygon" not in chart
    assert chart.count("c-run") == 2


def test_a_machine_that_costs_nothing_lies_on_the_ground() -> None:
    assert "c-run" in drawn([Line(0, 0)], [Line(0, 0.001)])
    assert drawn([Line(0, 0)], [Line(0, 0)]) == ""
