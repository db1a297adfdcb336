"""What luck alone would do: exact tests of shares, intervals of differences, and many at once.

Everything here is numbers in, numbers out.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nshot.metrics.binomial import Z, wilson

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]

ALPHA = 0.05
"""The error that an audit allows itself, over all its questions."""
_SHUFFLES = 9_999


class Difference(NamedTuple):
    """A difference of two shares or means, its 95 % interval, and `p` of so much by luck alone."""

    value: float
    low: float
    high: float
    p: float


def of_shares(hits: int, rows: int, other_hits: int, others: int, sides: int = 1) -> Difference:
    """`hits` of `rows` against `other_hits` of `others`.

    `p` is Fisher's exact test: of so few hits or fewer among the first (1 side), or of a table no
    likelier than this one (2). The interval is Newcombe's hybrid of Wilson's (1998, method 10,
    https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I).
    """
    from scipy.stats import fisher_exact, hypergeom

    one, two = hits / max(rows, 1), other_hits / max(others, 1)
    (low, high), (other_low, other_high) = wilson(one, rows), wilson(two, others)
    gap = one - two
    ends = (
        gap - float(np.hypot(one - low, other_high - two)),
        gap + float(np.hypot(high - one, two - other_low)),
    )
    if sides == 1:
        p = float(hypergeom.cdf(hits, rows + others, hits + other_hits, rows))
    else:
        table = [[hits, rows - hits], [other_hits, others - other_hits]]
        p = float(fisher_exact(table).pvalue)
    return Difference(gap, *ends, min(1.0, p))


def of_means(points: Floats, inside: Bools) -> Difference:
    """The mean of the points inside against that of the others, one-sided: so low or lower.

    `p` is a permutation test's with a fixed seed, (1 + as low) / (1 + shuffles) (Phipson and Smyth
    2010, https://doi.org/10.2202/1544-6115.1585); the interval is Welch's.
    """
    one, two = points[inside], points[~inside]
    gap = float(one.mean() - two.mean())
    rng = np.random.default_rng(0)
    count, total = int(inside.sum()), float(points.sum())
    sums = np.array([rng.permutation(points)[:count].sum() for _ in range(_SHUFFLES)])
    gaps = sums / count - (total - sums) / (len(points) - count)
    p = (1 + int((gaps <= gap + 1e-12).sum())) / (1 + _SHUFFLES)
    return Difference(gap, *_welch(one, two, gap), p)


def of_groups(points: Floats, inside: Bools, groups: NDArray[np.intp]) -> Difference:
    """The same where rows are of groups, which are redrawn whole.

    The jackknife leaves out one group after the other; a slice that lies in one group alone cannot
    be told from that group, and has a `p` of 1. `groups` (rows,) numbers.
    """
    from scipy.stats import t

    gap = float(points[inside].mean() - points[~inside].mean())
    names = np.unique(groups)
    both = [len(np.unique(groups[part])) for part in (inside, ~inside)]
    if min(both) < 2:
        return Difference(gap, -1.0, 1.0, 1.0)
    left = []
    for name in names:
        kept = groups != name
        left.append(points[kept & inside].mean() - points[kept & ~inside].mean())
    without = np.array(left)
    error = float(np.sqrt((len(names) - 1) / len(names) * ((without - without.mean()) ** 2).sum()))
    error = max(error, 1 / len(points))
    freedom = min(both) - 1
    reach = float(t.ppf(0.975, freedom)) * error
    return Difference(gap, gap - reach, gap + reach, float(t.cdf(gap / error, freedom)))


def _welch(one: Floats, two: Floats, gap: float) -> tuple[float, float]:
    from scipy.stats import t

    parts = [part.var(ddof=1) / len(part) if len(part) > 1 else np.inf for part in (one, two)]
    variance = float(sum(parts))
    if not np.isfinite(variance):
        return -1.0, 1.0
    if variance == 0:
        return gap, gap
    freedom = variance**2 / sum(
        p**2 / (len(part) - 1) for p, part in zip(parts, (one, two), strict=True)
    )
    reach = float(t.ppf(0.975, freedom)) * variance**0.5
    return gap - reach, gap + reach


def of_pairs(first: Bools, second: Bools) -> Difference:
    """Two yes-or-no facts of the same rows: the share of the first minus that of the second.

    `p` is the exact McNemar test, one-sided: of so many rows that have the first alone, or more.
    The interval is that of Agresti and Min 2005 (https://doi.org/10.1002/sim.1781): Wald's, with
    half a row added to each of the four cells.
    """
    from scipy.stats import binom

    rows = len(first)
    only, other = int((first & ~second).sum()), int((second & ~first).sum())
    total = rows + 2
    a, b = (only + 0.5) / total, (other + 0.5) / total
    middle, reach = a - b, Z * float(np.sqrt((a + b - (a - b) ** 2) / total))
    p = float(binom.sf(only - 1, only + other, 0.5)) if only + other else 1.0
    gap = (only - other) / max(rows, 1)
    return Difference(gap, max(-1.0, middle - reach), min(1.0, middle + reach), min(1.0, p))
