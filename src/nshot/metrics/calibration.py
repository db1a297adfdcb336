"""Do probabilities come true? Calibration error, Brier score, and what a threshold leaves answered.

Rows of one group are drawn together, so every interval is of whole groups; `groups` numbers each
row's, None: each row is its own.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nshot.metrics.binomial import Z, wilson
from nshot.metrics.metric import Floats

Bools: TypeAlias = NDArray[np.bool_]
Groups: TypeAlias = NDArray[np.intp] | None
ROWS = 20
"""Rows of a bin, about."""
BINS = 15
"""Bins, at most: as many as Guo et al. 2017 draw."""
FEWEST = 10
"""Rows of a bin, at least; two bins are the fewest that say anything."""


class Interval(NamedTuple):
    """A value and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


class Bin(NamedTuple):
    """Rows that are about equally probable: their mean probability, and the share that is right."""

    rows: int
    probability: float
    right: Interval


def calibration_error(probability: Floats, right: Bools, groups: Groups = None) -> Interval | None:
    """How far the answers' probabilities are from how often they are right; both (rows,).

    The expected calibration error in its root mean square form, over bins of equally many rows,
    without what chance alone puts there: the squared gap of a bin is lowered by its own variance
    (Kumar, Liang and Ma, "Verified Uncertainty Calibration", NeurIPS 2019,
    https://arxiv.org/abs/1909.10155, section 4). Its mean over the bins is unbiased and may be
    negative, the root is then 0. The interval is the normal one of that mean, whose variance is
    sum w^2 (4 d^2 v + 2 v^2) for gaps d of variance v and bins of a share w of the rows. None below
    2 * `FEWEST` rows.
    """
    place = bins(probability)
    if place is None:
        return None
    count = int(place.max()) + 1
    rows = np.bincount(place)
    gap = np.bincount(place, weights=right - probability) / rows
    spread = right - probability - gap[place]
    variance = np.array(
        [_variance(np.where(place == one, spread, 0.0), rows[one], groups) for one in range(count)]
    )
    weight = rows / len(right)
    squares = gap**2 - variance
    middle = float((weight * squares).sum())
    shrunk = (np.bincount(place, weights=right) + 2) / (rows + 4)
    variance = np.maximum(variance, shrunk * (1 - shrunk) / (rows + 4))  # a bin may be all right
    doubt = weight**2 * (4 * np.maximum(squares, 0) * variance + 2 * variance**2)
    width = Z * float(doubt.sum()) ** 0.5
    low, value, high = (max(0.0, end) ** 0.5 for end in (middle - width, middle, middle + width))
    return Interval(value, low, high)


def reliability(probability: Floats, right: Bools, groups: Groups = None) -> tuple[Bin, ...]:
    """The bins of `calibration_error`, the least probable first; () where it is None."""
    place = bins(probability)
    if place is None:
        return ()
    return tuple(
        Bin(
            int(inside.sum()),
            float(probability[inside].mean()),
            share(right, inside, groups),
        )
        for inside in (place == one for one in range(int(place.max()) + 1))
    )


def bins(probability: Floats) -> NDArray[np.intp] | None:
    """The bin of each row, from 0 on: about equally many rows in each, equal probabilities in one.

    None below 2 * `FEWEST` rows.
    """
    rows = len(probability)
    if rows < 2 * FEWEST:
        return None
    size = rows / min(BINS, max(5, rows // ROWS), rows // FEWEST)
    _, place, counts = np.unique(probability, return_inverse=True, return_counts=True)
    numbers, number, inside = [], 0, 0
    for count in counts.tolist():
        numbers.append(number)
        inside += count
        if inside >= size:
            number, inside = number + 1, 0
    last = number if inside >= FEWEST or not number else number - 1
    return np.asarray(np.minimum(np.array(numbers), last)[place], dtype=np.intp)


def brier(logprobs: Floats, targets: NDArray[np.intp]) -> Floats:
    """(rows,) sum over the labels of (probability - truth)^2, of (rows, labels): 0 to 2.

    Brier, "Verification of Forecasts Expressed in Terms of Probability", 1950, eq. 2.
    """
    truth = np.eye(logprobs.shape[1])[targets]
    return np.asarray(((np.exp(logprobs) - truth) ** 2).sum(axis=1))


def mean(values: Floats, groups: Groups = None) -> Interval:
    """The mean with Student's interval over groups; as wide as can be, 0 to 2, of one group."""
    from scipy.special import stdtrit  # late: scipy.stats takes a second to load

    middle = float(values.mean())
    count = len(values) if groups is None else len(np.unique(groups))
    if count < 2:
        return Interval(middle, 0.0, 2.0)
    width = (
        float(stdtrit(count - 1, 0.975)) * _variance(values - middle, len(values), groups) ** 0.5
    )
    return Interval(middle, max(0.0, middle - width), middle + width)


def share(is_one: Bools, among: Bools, groups: Groups = None) -> Interval:
    """How many rows of `among` are one, by Wilson's interval; both (rows,).

    Of rows in groups it counts as many rows as independent ones would have to be to vary as much
    as whole groups do; the groups, where all or none are one. 0 to 1 where `among` is empty.
    """
    size = float(among.sum())
    if not size:
        return Interval(0.0, 0.0, 1.0)
    value = float(is_one[among].mean())
    if groups is not None:
        variance = _variance(np.where(among, is_one - value, 0.0), int(size), groups)
        whole = len(np.unique(groups[among]))
        size = min(size, value * (1 - value) / variance) if variance > 0 else whole
    return Interval(value, *wilson(value, size))


def _variance(residuals: Floats, rows: int, groups: Groups) -> float:
    """Of the mean of `rows` rows, from all rows' residuals (0 for those that are not in it)."""
    sums = residuals if groups is None else np.bincount(groups, weights=residuals)
    inside = int(np.count_nonzero(sums))
    return float((sums**2).sum()) / rows**2 * inside / max(1, inside - 1)
