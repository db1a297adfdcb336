"""How well a score parts the positive rows from the others: two curves and the areas under them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nshot.metrics.metric import Floats


class Curve(NamedTuple):
    """Points (x, y) from the highest threshold to the lowest, and the area under them."""

    x: Floats
    y: Floats
    area: float


def roc(scores: Floats, positive: NDArray[np.bool_]) -> Curve:
    """Share of the positive rows over the share of the others that are at least so high.

    `scores` and `positive` are (rows,), with rows of both kinds. The area is the chance that a
    positive row is higher than another one, equals counting half (Hanley and McNeil 1982).
    """
    hits, misses = _counts(scores, positive)
    x, y = (np.concatenate([[0.0], one / one[-1]]) for one in (misses, hits))
    return Curve(x, y, float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum()))


def precision_recall(scores: Floats, positive: NDArray[np.bool_]) -> Curve:
    """Precision over recall, of the rows that are at least so high; `roc` says of what.

    The area is average precision: each precision weighs as much recall as it adds.
    """
    hits, misses = _counts(scores, positive)
    precision, recall = hits / (hits + misses), hits / hits[-1]
    return Curve(recall, precision, float((np.diff(recall, prepend=0.0) * precision).sum()))


def _counts(scores: Floats, positive: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Positive rows and others that are at least as high as each different score, falling."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    hits = np.cumsum(positive[order])[last].astype(np.float64)
    return hits, np.flatnonzero(last) + 1 - hits
