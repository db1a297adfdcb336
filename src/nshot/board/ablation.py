"""What each part of a prompt is worth: the score with it against the score without, in pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from nshot.board.column import Floats

Worth: TypeAlias = Literal["pays", "harms", "cannot tell"]
LEVEL = 0.05
"""That any one of all intervals misses."""


@dataclass(frozen=True)
class PartWorth:
    """A part, the score without it, and what it adds: with minus without, and its interval."""

    part: str
    without: float
    difference: float
    low: float
    high: float

    @property
    def worth(self) -> Worth:
        """By the side of zero on which the whole interval lies."""
        if self.low > 0:
            return "pays"
        return "harms" if self.high < 0 else "cannot tell"


def worths(
    whole: Floats, without: Mapping[str, Floats], groups: Sequence[int] | None = None
) -> list[PartWorth]:
    """The worth of each part from (rows,) points, those of the whole prompt and without each.

    The intervals hold together at 95 %: Student's t over whole groups, Bonferroni over the parts.
    As wide as can be, -1 to 1, where the rows are of one group.
    """
    from scipy.special import stdtrit  # late: scipy takes a second to load

    numbers = np.arange(len(whole)) if groups is None else np.array(groups)
    units = len(np.unique(numbers))
    rows: list[PartWorth] = []
    for part, points in without.items():
        apart = whole - points
        mean = float(apart.mean())
        width = 2.0
        if units > 1:
            sums = np.bincount(numbers, weights=apart - mean)
            error = (float((sums**2).sum()) * units / (units - 1)) ** 0.5 / len(apart)
            width = float(stdtrit(units - 1, 1 - LEVEL / (2 * len(without)))) * error
        low, high = max(-1.0, mean - width), min(1.0, mean + width)
        rows.append(PartWorth(part, float(points.mean()), mean, low, high))
    return rows
