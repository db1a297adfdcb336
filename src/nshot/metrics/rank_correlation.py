"""Are the rows in the right order?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nshot.core.types import Example, Prediction
from nshot.metrics.metric import Floats

_AT_ONCE = 1 << 21
"""Pairs of rows that are looked at together."""


class SpearmanRho:
    """The correlation of the ranks of the answers with those of the right values.

    Spearman, "The Proof and Measurement of Association between Two Things", 1904,
    https://doi.org/10.2307/1412159; equal values share the mean of their ranks. 1 is the right
    order, 0 none, -1 the reverse; where all answers or all right values are equal it is 0.

    Args:
        pair: (right, answered) of an example.
    """

    mean = False

    def __init__(self, pair: Callable[[Example, Prediction], tuple[float, float]]) -> None:
        self._pair = pair

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """The right value and the answered one."""
        return self._pair(example, prediction)

    def of_rows(self, statistics: Floats) -> float:
        """Spearman's rho of (rows, 2)."""
        first, second = (_centred_ranks(values) for values in statistics.T)
        spread = float((first @ first) * (second @ second))
        return float(first @ second) / spread**0.5 if spread else 0.0

    def without_each(self, statistics: Floats) -> Floats:
        """(rows,) rho of all rows but one, for each one.

        Without a row the ranks above it fall by 1, and those that are equal to it by a half.
        """
        count = len(statistics)
        ranks = [_centred_ranks(values) + (count + 1) / 2 for values in statistics.T]
        step = max(1, _AT_ONCE // count)
        parts = []
        for start in range(0, count, step):
            left_out = np.arange(start, min(start + step, count))
            first, second = (
                _without(values, own, left_out)
                for values, own in zip(statistics.T, ranks, strict=True)
            )
            spread = (first**2).sum(axis=1) * (second**2).sum(axis=1)
            together = (first * second).sum(axis=1)
            parts.append(together / np.sqrt(np.where(spread > 0, spread, np.inf)))
        return np.concatenate(parts)


def _centred_ranks(values: Floats) -> Floats:
    """(n,) ranks around their mean, equal values with the mean of theirs."""
    ordered = np.sort(values)
    low, high = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return (low + high + 1) / 2 - (len(values) + 1) / 2


def _without(values: Floats, ranks: Floats, left_out: np.ndarray) -> Floats:
    """(left out, n) centred ranks of the others, 0 in place of the row that is left out."""
    own = values[left_out, None]
    others = ranks - (values > own) - (values == own) / 2 - len(values) / 2
    others[np.arange(len(left_out)), left_out] = 0
    return np.asarray(others)
