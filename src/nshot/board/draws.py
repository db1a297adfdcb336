"""Luck of the draw of the shots (question 2): measured where there are draws, assumed where not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nshot.board.column import Bools, Floats, Ints

PRIOR_SD = 0.115
"""Assumed draw sd over sqrt(p(1-p)): 5 points at p = .75, 2.3 at .96."""
PRIOR_WEIGHT = 4.0
"""How many degrees of freedom that assumption is worth."""
_LEAST = 0.04
"""No variance is taken for less than this share of the assumed one."""


def draw_luck(
    points: Sequence[Floats], q: Floats, fast: Bools, fixed: Bools
) -> tuple[Floats, Floats]:
    """(variance of one draw (K,), covariance of the means over their draws (K, K)).

    A variance from 2 or 3 draws is nearly worthless alone, so each is drawn towards its pool (fast
    contenders, slow ones) and the pool towards the assumption. Fast contenders share many draws:
    what two of them have in common of a draw's luck leaves their difference.

    Args:
        points: (S_m, n_m) of each contender.
        q: (K,) variance of one 0/1 point.
        fast: which belong to the fast pool.
        fixed: which know no draws; their variance is 0.
    """
    draws = np.array([float(len(table)) for table in points])
    freedom = np.where(fixed, 0.0, draws - 1)
    together = _together(points, fast & ~fixed)
    crossed = crossed_variance(np.array([points[m] for m in together]))
    measured = np.array(
        [0.0 if f else draw_variance(t) for t, f in zip(points, fixed, strict=True)]
    )
    prior = PRIOR_SD**2 * q
    pool = _pools(freedom, measured / prior, fast)
    own = (PRIOR_WEIGHT * pool * prior + freedom * measured) / (PRIOR_WEIGHT + freedom)
    s2 = np.where(fixed, 0.0, np.maximum(own, _LEAST * prior))
    G = np.diag(s2 / draws)
    if len(together) > 1:
        common = _in_common(s2[together], prior[together], crossed, draws[together[0]])
        G[np.ix_(together, together)] += common
    return s2, G


def draw_variance(points: Floats) -> float:
    """Variance component of the draws in a crossed draws x rows table; may be negative.

    (MS_draw - MS_residual) / n of the two-way analysis of variance without replication.
    """
    return float(crossed_variance(points[None])[0, 0]) if min(points.shape) > 1 else 0.0


def crossed_variance(tables: Floats) -> Floats:
    """(T, T) draw components of variance and covariance of (T, S, n) tables on the same draws."""
    if len(tables) == 0:
        return np.zeros((0, 0))
    _, draws, n = tables.shape
    of_draw = tables.mean(axis=2)
    level = of_draw - of_draw.mean(axis=1, keepdims=True)
    return np.asarray(level @ level.T / (draws - 1) - _residuals(tables) / n)


def residual_variance(points: Floats) -> float:
    """Variance of what is new of a row in every draw, of (S, n) points."""
    return float(_residuals(points[None])[0, 0])


def _residuals(tables: Floats) -> Floats:
    """(T, T) mean squares and products of what neither draw nor row explains."""
    _, draws, n = tables.shape
    of_draw, of_row = tables.mean(axis=2, keepdims=True), tables.mean(axis=1, keepdims=True)
    rest = tables - of_draw - of_row + of_draw.mean(axis=1, keepdims=True)
    rest = rest.reshape(len(tables), -1)
    return np.asarray(rest @ rest.T / ((draws - 1) * (n - 1)))


def _together(points: Sequence[Floats], eligible: Bools) -> Ints:
    """The fast contenders on the same draws: those with the most, three at least, on all rows."""
    shapes = np.array([table.shape for table in points])
    several = eligible & (shapes[:, 0] > 2) & (shapes[:, 1] == shapes[:, 1].max())
    most = shapes[several, 0].max() if several.any() and shapes[:, 1].max() > 1 else 0
    return np.flatnonzero(several & (shapes[:, 0] == most))


def _pools(freedom: Floats, ratio: Floats, fast: Bools) -> Floats:
    """(K,) how much more than assumed the contenders of its pool move.

    The slow ones borrow up to four draws' worth from the fast ones.
    """
    moved = freedom * ratio
    of_fast, df_fast = float(moved[fast].sum()), float(freedom[fast].sum())
    quick = max((PRIOR_WEIGHT + of_fast) / (PRIOR_WEIGHT + df_fast), _LEAST)
    borrowed = min(PRIOR_WEIGHT, df_fast)
    base = PRIOR_WEIGHT + borrowed * quick + float(moved[~fast].sum())
    slow = max(base / (PRIOR_WEIGHT + borrowed + float(freedom[~fast].sum())), _LEAST)
    return np.where(fast, quick, slow)


def _in_common(s2: Floats, prior: Floats, crossed: Floats, draws: float) -> Floats:
    """Covariance of the means that shared draws bring, (T, T), 0 on the diagonal.

    The variance of a difference is drawn as one contender's is, towards the sum of both.
    """
    both = s2[:, None] + s2
    own = np.diag(crossed)
    measured = own[:, None] + own - 2 * crossed
    weighed = (PRIOR_WEIGHT * both + (draws - 1) * measured) / (PRIOR_WEIGHT + draws - 1)
    apart = np.clip(weighed, _LEAST * (prior[:, None] + prior), both)
    common = (both - apart) / 2 / draws
    np.fill_diagonal(common, 0.0)
    return np.asarray(common)
