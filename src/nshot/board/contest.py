"""The contest as numbers: scores, and how far luck moves them and their differences.

Letters, as in the equations: K contenders, n test rows in units (groups; rows without groups are
units of one), `p` (K,) scores, `E` (K, K) covariance of `p` over test rows, `G` (K, K) its
covariance over draws of the shots (question 2), `se` (K, K) standard errors of the differences.
``docs/decision.md`` says why each is as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nshot.board.column import LIFT, Bools, Column, Floats, Ints, Question, in_order
from nshot.board.draws import draw_luck

FEW_GROUPS = 5
"""Up to so many groups, intervals of scores are for more rows of these groups: what others would
bring cannot be read from so few."""
ROW_SHARE = 0.3
"""Of a row's variance, the least that more draws of the shots cannot average away."""


@dataclass(frozen=True)
class Contest:
    """The sufficient numbers, contenders sorted by name; shapes (K,) and (K, K).

    `lift` is what a search may still bring. `noise` is the covariance of the errors of `p` behind
    critical values: `E` before its floors, with `G`. `s2` is the variance of one draw, `draws` how
    many went into a score (1 where there are none). `rows` are those that each answered, `n` those
    of the board, `units` how many groups these are. `df` are degrees of freedom of the luck of a
    score's rows, `freedom` of the differences'. `residual` is the variance of a score that goes
    when its contender answers all rows. `wished`: the user's wish allows it; `ready`: measured on
    all rows with chosen settings; `fixed`: no draw moves it; `twin`: the first that measured the
    very same.
    """

    names: tuple[str, ...]
    p: Floats
    lift: Floats
    E: Floats
    G: Floats
    noise: Floats
    se: Floats
    s2: Floats
    draws: Floats
    rows: Floats
    df: Floats
    freedom: float
    residual: Floats
    n: int
    units: int
    cost: Floats
    wished: Bools
    ready: Bools
    fixed: Bools
    twin: Ints
    grain: Floats

    @property
    def k(self) -> int:
        """Contenders."""
        return len(self.p)

    @property
    def allowed(self) -> Bools:
        """Which may be picked: what is not ready may not, unless nothing else is left."""
        both = self.wished & self.ready
        return both if both.any() else self.wished

    @property
    def rated(self) -> Bools:
        """Whose score may be the top: also that of the first rows, with chosen settings."""
        return np.asarray(self.allowed | (self.wished & (self.lift == 0)))


def estimate(
    columns: Sequence[Column], *, question: Question = 1, groups: Sequence[int] | None = None
) -> Contest:
    """The contest of these columns (docs/decision.md, "Numbers").

    Args:
        columns: what was measured.
        question: with 2, rows of points are draws of the shots and a second source of luck.
        groups: the group number of each test row, in the order of the rows.
    """
    columns = in_order(columns, groups)
    rows = np.array([float(c.rows) for c in columns])
    n = int(rows.max())
    unit = np.arange(n) if groups is None else _numbered(np.asarray(groups)[:n])
    p, by_row, residual = _luck_of_rows(columns, np.arange(n))
    by_unit = by_row
    if groups is not None:
        _, by_unit, residual_by_unit = _luck_of_rows(columns, unit)
        residual = np.maximum(residual, residual_by_unit)
    units = int(unit.max()) + 1
    widening = np.array([_of_folds(c) for c in columns])
    shared = np.minimum.outer(widening, widening)  # training rows are luck that methods share
    by_row, by_unit = by_row * shared, by_unit * shared
    effect = _design_effect(by_unit, by_row, n / units)

    draws = np.array([float(_draws(c, question)) for c in columns])
    fixed = np.array([c.deterministic or c.folds > 0 or question == 1 for c in columns])
    fast = np.array([c.fast for c in columns])
    q, grain = binomial_variance(p, rows), np.array([_grain(c.points) for c in columns])
    kept = np.where(draws > 1, ROW_SHARE + (1 - ROW_SHARE) / draws, 1.0)
    floor = effect * grain * kept * widening * q / (rows + 4)
    s2, G = draw_luck([c.points for c in columns], q, fast, fixed)

    if question == 2:  # one draw's floor stands under differences too
        by_row, by_unit = _at_least(by_row, floor), _at_least(by_unit, floor)
    twins = effect * np.sqrt(np.outer(grain, grain)) * shared / np.minimum.outer(rows, rows) ** 2
    se = np.sqrt(np.maximum(pairs(by_unit), pairs(by_row)) + pairs(G) + 2 * twins)
    by_unit = _at_least(by_unit, np.diag(by_row))
    df, of_scores = np.array([_freedom(unit[: c.rows]) for c in columns]), by_unit
    freedom = float(df.min())
    if units <= FEW_GROUPS and units < n:
        of_scores, df, floor = by_row, rows - 1, floor / effect
    searched = np.array([c.searched for c in columns])
    return Contest(
        names=tuple(c.name for c in columns),
        p=p,
        lift=np.where(searched, 0.0, LIFT),
        E=_at_least(of_scores, floor),
        G=G,
        noise=by_unit + G + np.diag(np.diag(twins)),
        se=se,
        s2=s2,
        draws=draws,
        rows=rows,
        df=np.maximum(df, 1.0),
        freedom=freedom,
        residual=residual,
        n=n,
        units=units,
        cost=np.array([c.cost for c in columns], dtype=np.float64),
        wished=np.array([c.allowed for c in columns]),
        ready=searched & (rows == n),
        fixed=fixed,
        twin=_twins(columns),
        grain=grain,
    )


def pairs(covariance: Floats) -> Floats:
    """Variance of each difference, (K, K)."""
    own = np.diag(covariance)
    return np.maximum(own[:, None] + own - 2 * covariance, 0.0)


def binomial_variance(p: Floats, n: Floats | float) -> Floats:
    """Variance of one 0/1 point, with two successes and two failures added: never zero."""
    pt = (n * np.clip(p, 0.0, 1.0) + 2) / (n + 4)
    return np.asarray(pt * (1 - pt), dtype=np.float64)


# ----------------------------------------------------------------------------- luck of the rows


def _luck_of_rows(columns: Sequence[Column], unit: Ints) -> tuple[Floats, Floats, Floats]:
    """(scores, covariance over units, variance that all rows would remove) by the jackknife.

    `unit` (n,) numbers what is left out at a time, rows or groups. Who answered only the first rows
    is carried to all of them by regression on how easy a row is (double sampling; Cochran 1977,
    section 12.6): p = mean + b (x over all rows - x over its rows).
    """
    x = _easiness(columns, len(unit))
    of_x, p, influence, own = _jackknife(x, unit), [], [], []
    for c in columns:
        y, k = c.row_means, c.rows
        change = _jackknife(y, unit[:k], c.without, len(of_x))
        slope = 0.0 if k == len(unit) else _slope(y, x[:k])
        change = change - slope * _jackknife(x[:k], unit[:k], size=len(of_x))
        p.append(c.mean + slope * float(x.mean() - x[:k].mean()))
        influence.append(change + slope * of_x)
        own.append(float(change @ change))
    stacked = np.array(influence)
    return np.array(p), stacked @ stacked.T, np.array(own)


def _jackknife(
    y: Floats, unit: Ints, without: Floats | None = None, size: int | None = None
) -> Floats:
    """What each unit's absence does to the mean of `y`, (size,); squares sum to its variance.

    With rows as units that sum is var(y) / n exactly. `without` are the scores without each unit,
    of a metric that is no mean: then they, not `y`, are looked at.
    """
    counts = np.bincount(unit, minlength=size or 0)
    present = counts > 0
    units = int(present.sum())
    if units < 2:
        return np.zeros(len(counts))
    change = np.zeros(len(counts))
    if without is not None and units < len(y):
        change[present] = without - without.mean()
    else:
        sums = np.bincount(unit, y - y.mean(), minlength=size or 0)
        change = -sums / (len(y) - counts)
    return np.asarray(change * np.sqrt((units - 1) / units))


def _easiness(columns: Sequence[Column], n: int) -> Floats:
    """(n,) share of the fast learners that are right on each row; without any, of all complete."""
    complete = [c for c in columns if c.rows == n]
    heads = [c for c in complete if c.fast and not c.deterministic]
    return np.asarray(np.mean([c.row_means for c in heads or complete], axis=0))


def _slope(y: Floats, x: Floats) -> float:
    """Least squares of y on x, kept in [0, 2] and drawn towards 0 as by 20 rows."""
    xc = x - x.mean()
    slope = float((y - y.mean()) @ xc) / (float(xc @ xc) + 1e-9)
    return float(np.clip(slope, 0, 2)) * len(y) / (len(y) + 20)


def _numbered(groups: Ints) -> Ints:
    """Group numbers as 0, 1, ... in ascending order."""
    return np.asarray(np.unique(groups, return_inverse=True)[1])


def _freedom(unit: Ints) -> float:
    """Degrees of freedom of a variance over units of unequal size: n - 1 for single rows."""
    size = np.bincount(unit).astype(np.float64)
    return max(float((size**2).sum() ** 2 / (size**4).sum()) - 1, 1.0)


def _of_folds(column: Column) -> float:
    """How much wider folds are than their rows say (Nadeau and Bengio 2003, equation 9).

    They share training rows. A method that learns nothing has no part in that.
    """
    if not column.folds or column.deterministic:
        return 1.0
    return 1 / len(column.points) + column.folds / (column.folds - 1)


def _design_effect(by_unit: Floats, by_row: Floats, most: float) -> float:
    """How much groups widen the differences against as many independent rows."""
    if len(by_row) > 1:
        ratio = pairs(by_unit).sum() / max(float(pairs(by_row).sum()), 1e-12)
    else:
        ratio = by_unit[0, 0] / max(float(by_row[0, 0]), 1e-12)
    return float(np.clip(ratio, 1, max(most, 1)))


def _at_least(covariance: Floats, floor: Floats) -> Floats:
    """The covariance with a diagonal of at least `floor`."""
    lifted = covariance.copy()
    np.fill_diagonal(lifted, np.maximum(np.diag(covariance), floor))
    return lifted


def _twins(columns: Sequence[Column]) -> Ints:
    """(K,) the first column that measured the very same points in the same way."""
    first: dict[object, int] = {}
    keys = [
        (c.points.tobytes(), c.rows, c.deterministic, c.fast, c.searched, c.folds) for c in columns
    ]
    return np.array([first.setdefault(key, m) for m, key in enumerate(keys)])


def _draws(column: Column, question: Question) -> int:
    """Draws of the shots in the points: repeats of folds are none."""
    return len(column.points) if question == 2 and not column.folds else 1


def _grain(points: Floats) -> float:
    """Variance of a point against that of a 0/1 point of the same mean: 1 for those, else less.

    A graded score (F1, ROUGE-L) lies near its mean; the floors that keep an all-right column from
    looking certain would make it three times too doubtful. Drawn towards 1 as by four rows.
    """
    p, n = float(points.mean()), points.shape[1]
    if not 0 < p < 1 or np.isin(points, (0.0, 1.0)).all():
        return 1.0
    return float(min(1.0, (n * points.var() / (p * (1 - p)) + 4) / (n + 4)))
