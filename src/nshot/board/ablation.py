"""What each part of a prompt is worth: the score with it against the score without, in pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

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
        return worth_of(self.low, self.high)


def worth_of(low: float, high: float) -> Worth:
    """What an interval of a difference says: `pays` above zero, `harms` below."""
    if low > 0:
        return "pays"
    return "harms" if high < 0 else "cannot tell"


def variance_of_mean(values: Floats, groups: NDArray[np.int_]) -> float:
    """Of the mean of (rows,) values whose groups were drawn as wholes."""
    units = len(np.unique(groups))
    sums = np.bincount(groups, weights=values - values.mean())
    return float((sums**2).sum()) * units / max(units - 1, 1) / len(values) ** 2


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
            error = variance_of_mean(apart, numbers) ** 0.5
            width = float(stdtrit(units - 1, 1 - LEVEL / (2 * len(without)))) * error
        low, high = max(-1.0, mean - width), min(1.0, mean + width)
        rows.append(PartWorth(part, float(points.mean()), mean, low, high))
    return rows
