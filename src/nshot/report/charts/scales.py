"""Scales of scores, and their grid."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from nshot.report.charts.draw import Box, line, text


@dataclass(frozen=True)
class Axis:
    """A linear scale of scores from `low` to `high`, both on a tick."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, value: float, start: float, end: float) -> float:
        """Where `value` lies between the coordinates `start` (low) and `end` (high)."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return start + share * (end - start)

    @property
    def thinned(self) -> Axis:
        """The same with about three ticks, for small drawings."""
        return replace(self, ticks=self.ticks[:: max(1, len(self.ticks) // 3)])


def axis(values: Sequence[float]) -> Axis:
    """The scale that holds all values, in steps of 5, 10, 20 or 25 points, about five ticks."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0):
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        last = max(last, first + 1)
        if last - first <= 6:
            break
    ticks = tuple(round(n * step, 6) for n in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)


def percent(tick: float) -> str:
    """A score without decimals."""
    return f"{tick * 100:.0f}"


def across(scale: Axis, value: float, width: float) -> float:
    """Where a value lies in a drawing `width` wide."""
    return scale.place(value, 10, width - 10)


def score_grid(scale: Axis, area: Box, words: Callable[[float], str] = percent) -> list[Markup]:
    """Lines across at the ticks, with their `words` at the left."""
    drawn = []
    for tick in scale.ticks:
        y = scale.place(tick, area[3], area[1])
        drawn.append(line("c-grid", area[0], y, area[2], y))
        drawn.append(text("c-tick", area[0] - 7, y + 4, words(tick), "end"))
    return drawn
