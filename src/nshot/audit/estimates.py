"""Figures of rows with intervals: any function of sums over rows, whole groups left out in turn.

Rows that are made of one template vary together, so that the jackknife leaves out groups. What is
compared between two models is compared on the same rows: the difference has an interval of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True)
class Figure:
    """A figure of rows: `of` the sums of their `parts`.

    `parts` (rows, parts) numbers of each row; `groups` (rows,) the group of each. `of` takes sums
    (..., parts) and gives values (...). The values lie from `low` to `high`; `neutral` is that of a
    model without the bias that is looked for, None where nothing is. `seen`: of how many answers
    the rows are means, 0 where each is one.
    """

    name: str
    category: str
    parts: Floats
    groups: Ints
    of: Callable[[Floats], Floats]
    low: float = 0.0
    high: float = 1.0
    neutral: float | None = None
    seen: int = 0

    @property
    def size(self) -> int:
        """Of how many answers it is."""
        return self.seen or len(self.parts)

    @property
    def value(self) -> float:
        """The figure over all rows."""
        return float(self.of(self.parts.sum(axis=0)))


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval, and the probability `p` of being so far from none by luck.

    `p` is None where no value is the neutral one.
    """

    value: float
    low: float
    high: float
    p: float | None
    rows: int
    groups: int


def share(sums: Floats) -> Floats:
    """The first part over the second; 0 where that is 0."""
    return ratio(sums[..., 0], sums[..., 1])


def ratio(top: Floats, bottom: Floats) -> Floats:
    """`top` over `bottom`, 0 where `bottom` is 0."""
    safe = np.where(bottom == 0, 1.0, bottom)
    return np.asarray(np.where(bottom == 0, 0.0, top / safe))


def contrast(sums: Floats) -> Floats:
    """The first share minus the second: parts are top and bottom of each."""
    return np.asarray(ratio(sums[..., 0], sums[..., 1]) - ratio(sums[..., 2], sums[..., 3]))


def share_of(name: str, category: str, values: NDArray[Any]) -> Figure:
    """The share of rows whose value is 1, not 0; each row is a group of its own."""
    parts = np.stack([values.astype(np.float64), np.ones(len(values))], axis=1)
    return Figure(name, category, parts, np.arange(len(values), dtype=np.intp), share)


def estimate(figure: Figure) -> Estimate:
    """The figure of one model.

    The variance is that of the jackknife over groups, (G-1)/G sum (t_g - mean)^2 for the values t_g
    without group g (Efron and Stein, "The Jackknife Estimate of Variance", Annals of Statistics
    1981, eq. 1.6), at least that over rows, and at least that of a share of Agresti and Coull's
    middle, so that rows which are all alike do not look sure.
    """
    by_groups, by_rows = _variance(_without_groups(figure)), _variance(_without_rows(figure))
    variance, size = max(by_groups, by_rows), figure.size
    if np.isfinite(width := figure.high - figure.low):
        place = (size * (figure.value - figure.low) / width + 2) / (size + 4)
        design = _design(by_groups, by_rows, figure.groups)
        variance = max(variance, design * place * (1 - place) * width**2 / (size + 4))
    return _estimate(figure, figure.value, variance, figure.neutral, figure.low, figure.high)


def difference(before: Figure, after: Figure) -> Estimate:
    """`after` minus `before`, two models on the same rows in the same order; none is neutral.

    The variance is the jackknife's over groups of the differences, at least that over rows, and as
    in a comparison 2 w^2 / n^2 more for values of a range w: pairs that never differ are few, not
    sure. Raises `ValueError` for figures of other rows.
    """
    if not np.array_equal(before.groups, after.groups):
        raise ValueError("figures of other rows")
    by_groups = _variance(_without_groups(after) - _without_groups(before))
    by_rows = _variance(_without_rows(after) - _without_rows(before))
    variance, width = max(by_groups, by_rows), after.high - after.low
    if np.isfinite(width):
        design = _design(by_groups, by_rows, after.groups)
        variance += 2 * design * width**2 / after.size**2
    return _estimate(after, after.value - before.value, variance, 0.0, -width, width)


def held(ps: Sequence[float]) -> list[float]:
    """The probabilities held for how many there are: Holm 1979, "A Simple Sequentially Rejective
    Multiple Test Procedure", https://www.jstor.org/stable/4615733."""
    order = sorted(range(len(ps)), key=lambda index: ps[index])
    result, highest = [0.0] * len(ps), 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(ps) - place) * ps[index]))
        result[index] = highest
    return result


def _without_groups(figure: Figure) -> Floats:
    """The figure without each group in turn."""
    _, place = np.unique(figure.groups, return_inverse=True)
    sums = np.zeros((int(place.max()) + 1, figure.parts.shape[1]))
    np.add.at(sums, place, figure.parts)
    return figure.of(figure.parts.sum(axis=0) - sums)


def _without_rows(figure: Figure) -> Floats:
    """The figure without each row in turn."""
    return figure.of(figure.parts.sum(axis=0) - figure.parts)


def _variance(without: Floats) -> float:
    """The jackknife's, of the values without each in turn; 0 of one alone."""
    count = len(without)
    return float((count - 1) / count * ((without - without.mean()) ** 2).sum())


def _design(by_groups: float, by_rows: float, groups: Ints) -> float:
    """By how much rows of one group vary together: from 1 to the rows of a group."""
    most = len(groups) / len(np.unique(groups))
    return float(np.clip(by_groups / by_rows, 1.0, most)) if by_rows > 0 else most


def _estimate(
    figure: Figure, value: float, variance: float, neutral: float | None, low: float, high: float
) -> Estimate:
    """Student's interval within `low` and `high`; as wide as can be where there is one group."""
    from scipy.special import stdtr, stdtrit  # late: scipy takes a while to load

    _, sizes = np.unique(figure.groups, return_counts=True)
    rows, groups = figure.size, len(sizes)
    if groups < 2:
        return Estimate(value, low, high, None if neutral is None else 1.0, rows, groups)
    freedom = max(1.0, float((sizes**2.0).sum() ** 2 / (sizes**4.0).sum()) - 1)
    error = variance**0.5
    reach = float(stdtrit(freedom, 0.975)) * error
    p = None
    if neutral is not None:
        away = abs(value - neutral)
        p = float(2 * stdtr(freedom, -away / error)) if error > 0 else float(away == 0)
    ends = (max(low, value - reach), min(high, value + reach))
    return Estimate(value, *ends, p, rows, groups)
