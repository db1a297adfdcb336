"""The decision as nshot took it before: draws of the shots only, no groups, Bonferroni.

What the tables of benchmarks/decision.py set beside today's. Kept as it was, without its forecast
of draws and its sentences; `decide` gives what those tables count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from nshot.board.column import Column

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.intp]
Bools: TypeAlias = NDArray[np.bool_]

CONFIDENCE = 0.95
FEWEST_ROWS = 50
PRIOR_SD = 0.115
PRIOR_WEIGHT = 4.0
_SELECTIONS = 1000
_FUTURES = 400
_SEED = 20240617
TINY = 1e-9


@dataclass(frozen=True)
class Contest:
    """The sufficient numbers of a contest, methods sorted by name. Shapes (K,), E is (K, K)."""

    names: tuple[str, ...]
    p: Floats
    E: Floats
    s2: Floats
    draws: Floats
    n: int
    cost: Floats
    allowed: Bools
    fixed: Bools
    grain: Floats

    @property
    def draw_part(self) -> Floats:
        """Variance of each mean that comes from the draws: s2 / S, (K,)."""
        return self.s2 / self.draws

    @property
    def se(self) -> Floats:
        """Standard error of each difference p_j - p_m, (K, K)."""
        return pair_se(self.E, self.draw_part, self.n, self.grain)


def estimate(columns: Sequence[Column]) -> Contest:
    """Means, their covariance over examples, and the pooled draw variance (steps 1-3).

    The columns are sorted by name, so that their order cannot change a simulated figure.
    """
    columns = sorted(columns, key=lambda c: c.name)
    n = columns[0].points.shape[1]
    p = np.array([c.points.sum() / c.points.size for c in columns])
    rows = np.array([c.points.mean(axis=0) for c in columns])
    E = np.atleast_2d(np.cov(rows)) / n if n > 1 else np.zeros((len(columns), len(columns)))
    q = binomial_variance(p, n)
    grain = np.array([_grain(c.points) for c in columns])
    np.fill_diagonal(E, np.maximum(np.diag(E), grain * q / (n + 4)))
    draws = np.array([float(len(c.points)) for c in columns])
    fixed = np.array([c.deterministic for c in columns])
    measured = np.array([_draw_variance(c.points) for c in columns])
    return Contest(
        names=tuple(c.name for c in columns),
        p=p,
        E=E,
        s2=_pooled(measured, PRIOR_SD**2 * q, draws, fixed),
        draws=draws,
        n=n,
        cost=np.array([c.cost for c in columns], dtype=np.float64),
        allowed=np.array([c.allowed for c in columns]),
        fixed=fixed,
        grain=grain,
    )


def _grain(points: Floats) -> float:
    """Variance of a point against that of a 0/1 point of the same mean: 1 for those, else less.

    A graded score (F1, ROUGE-L) lies near its mean; the floors that keep an all-right column from
    looking certain would make it three times too doubtful. Drawn towards 1 as by four examples.
    """
    p, n = float(points.mean()), points.shape[1]
    if not 0 < p < 1 or np.isin(points, (0.0, 1.0)).all():
        return 1.0
    return float(min(1.0, (n * points.var() / (p * (1 - p)) + 4) / (n + 4)))


def binomial_variance(p: Floats, n: float) -> Floats:
    """Variance of one 0/1 point, with two successes and two failures added: never zero."""
    pt = (n * np.clip(p, 0.0, 1.0) + 2) / (n + 4)
    return np.asarray(pt * (1 - pt), dtype=np.float64)


def _draw_variance(points: Floats) -> float:
    """Variance component of the draws in a crossed draws x examples table; may be negative.

    (MS_draw - MS_residual) / n of the two-way analysis of variance without replication.
    """
    draws, n = points.shape
    if draws < 2 or n < 2:
        return 0.0
    of_draw = points.mean(axis=1, keepdims=True)
    of_row = points.mean(axis=0, keepdims=True)
    residual = points - of_draw - of_row + points.mean()
    ms_residual = float((residual**2).sum()) / ((draws - 1) * (n - 1))
    return float(of_draw.var(ddof=1) - ms_residual / n)


def _pooled(measured: Floats, prior: Floats, draws: Floats, fixed: Bools) -> Floats:
    """Draw variance of each method, drawn towards the prior and towards the other methods, (K,).

    A variance from 2 or 3 draws is nearly worthless alone. `r` is how much more the methods of
    this board move than assumed; each method then adds its own draws to that.
    """
    freedom = np.where(fixed, 0.0, draws - 1)
    r = (PRIOR_WEIGHT + (freedom * measured / prior).sum()) / (PRIOR_WEIGHT + freedom.sum())
    own = (PRIOR_WEIGHT * max(r, 0.04) * prior + freedom * measured) / (PRIOR_WEIGHT + freedom)
    return np.where(fixed, 0.0, np.maximum(own, 0.04 * prior))


def pair_se(E: Floats, draw_part: Floats, n: float, grain: Floats) -> Floats:
    """Standard error of p_j - p_m of every pair, (K, K); 2/n^2 keeps that of twins above 0.

    Two 0/1 twins may differ by a point on the next example, graded ones (`grain`) by less.
    """
    own = np.diag(E) + draw_part
    twins = 2 / n**2 * np.sqrt(grain[:, None] * grain)
    return np.asarray(np.sqrt(np.maximum(own[:, None] + own - 2 * E, 0) + twins))


def critical(alpha: float, contenders: int) -> float:
    """One-sided normal quantile shared by K - 1 rivals (Hsu 1984; Gupta 1965); 0 with no rival."""
    return NormalDist().inv_cdf(1 - alpha / (contenders - 1)) if contenders > 1 else 0.0


def interval(centre: float, variance: float, n: float, freedom: float) -> tuple[float, float]:
    """Wilson's interval around `centre` with Student's t and an effective size; inside [0, 1].

    `variance` is that of the mean, draws included (step 4). A binomial with the same variance
    would have q / variance examples: that is the size in Wilson's (1927) formula. `n` is how many
    0/1 examples the board's examples are worth.
    """
    p = min(max(centre, 0.0), 1.0)
    t = float(stdtrit(freedom, 0.5 + CONFIDENCE / 2))
    size = float(np.clip(binomial_variance(np.array(p), n) / variance, 2, 4 * n))
    middle = (p + t * t / (2 * size)) / (1 + t * t / size)
    half = t / (1 + t * t / size) * float(np.sqrt(p * (1 - p) / size + (t / (2 * size)) ** 2))
    return max(0.0, min(p, middle - half)), min(1.0, max(p, middle + half))


def _method_interval(contest: Contest, m: int, centre: float, draws: float) -> tuple[float, float]:
    """Interval around `centre` for method `m` averaged over `draws` draws (Satterthwaite's df)."""
    of_rows, of_draws = float(contest.E[m, m]), float(contest.s2[m]) / draws
    freedom = (of_rows + of_draws) ** 2 / (
        of_rows**2 / max(contest.n - 1, 1) + of_draws**2 / (PRIOR_WEIGHT + contest.draws[m] - 1)
    )
    return interval(centre, of_rows + of_draws, contest.n / float(contest.grain[m]), freedom)


def intervals(contest: Contest) -> Floats:
    """95% interval of every method, (K, 2)."""
    return np.array(
        [
            _method_interval(contest, m, contest.p[m], contest.draws[m])
            for m in range(len(contest.p))
        ]
    )


def could_be_best(p: Floats, se: Floats, z: float) -> Bools:
    """Which methods no rival beats by more than z standard errors, (..., K) for p of (..., K)."""
    lead = p[..., :, None] - p[..., None, :]
    return np.asarray((lead <= z * se).all(axis=-2))


def picks(p: Floats, inside: Bools, contest: Contest, give_up: float) -> Ints:
    """Index of the pick for each row of `p` (B, K), given the methods `inside` the set (B, K).

    The cheapest allowed method of the set within `give_up` of the best allowed score; where no
    such method is in the set, the best allowed one. Ties in cost by score, then by name.
    """
    top = np.where(contest.allowed, p, -np.inf).max(axis=-1, keepdims=True)
    behind = np.where(contest.allowed, top - p, np.inf)
    open_to = inside & (behind <= give_up + TINY)
    open_to |= ~open_to.any(axis=-1, keepdims=True) & (behind <= TINY)
    cost = np.where(open_to, contest.cost, np.inf)
    cheapest = open_to & (cost == cost.min(axis=-1, keepdims=True))
    return np.asarray(np.where(cheapest, p.round(9), -np.inf).argmax(axis=-1))


def settled_to(p: Floats, pick: Ints, se: Floats, z: float, allowed: Bools) -> Floats:
    """How much better the best other allowed method could be, (B,); -inf without rivals."""
    rival = allowed & (np.arange(p.shape[-1]) != pick[:, None])
    could = p - np.take_along_axis(p, pick[:, None], axis=-1) + z * se[pick]
    return np.asarray(np.where(rival, could, -np.inf).max(axis=-1))


def _root(covariance: Floats) -> Floats:
    """The symmetric square root: unlike a Cholesky factor it exists for twins, and is unique."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)


def _noise(contest: Contest, pairs: int) -> tuple[Floats, Floats]:
    """(from examples, from draws): errors of `p` and their mirror images, each (2 * pairs, K).

    Mirrored, so that a pick which no noise changes is flattered by exactly nothing.
    """
    rng = np.random.default_rng([_SEED, 0])
    size = (pairs, len(contest.p))
    rows = rng.standard_normal(size) @ _root(contest.E)
    draws = rng.standard_normal(size) * np.sqrt(contest.draw_part)
    return np.concatenate([rows, -rows]), np.concatenate([draws, -draws])


def optimism(contest: Contest, z: float, give_up: float) -> tuple[float, float]:
    """By how much winning flatters the pick: (all noise, example noise only), both >= 0 (step 7).

    The contest is held again 1,000 times with fresh noise around the measured means, and the noise
    of whoever wins is averaged: the selection bootstrap (Tibshirani and Tibshirani 2009;
    Tsamardinos et al. 2018), on means, so that luck of the draws is corrected even at one draw.
    """
    of_rows, of_draws = _noise(contest, _SELECTIONS // 2)
    p = contest.p + of_rows + of_draws
    pick = picks(p, could_be_best(p, contest.se, z), contest, give_up)[:, None]
    luck_rows = float(np.take_along_axis(of_rows, pick, axis=1).mean())
    luck = luck_rows + float(np.take_along_axis(of_draws, pick, axis=1).mean())
    return max(0.0, luck), max(0.0, luck_rows)


def corrected(
    contest: Contest, pick: int, z: float, give_up: float, fresh: Floats | None
) -> tuple[float, float, float, float]:
    """(optimism, score, low, high) of the pick (step 7), or of its `fresh` draws (step 8).

    Fresh draws were not chosen on: only the luck of the test examples is left to take off.
    """
    luck, luck_of_rows = optimism(contest, z, give_up)
    centre, draws = float(contest.p[pick]), float(contest.draws[pick])
    if fresh is not None:
        luck, centre, draws = luck_of_rows, float(fresh.mean()), float(len(fresh))
    score = min(max(centre - luck, 0.0), 1.0)
    return (luck, score, *_method_interval(contest, pick, score, draws))


def _share_settled(
    p: Floats, E: Floats, draw_part: Floats, n: float, contest: Contest, z: float, margins: _Margins
) -> float:
    """Share of the futures `p` (B, K) in which the decision is settled."""
    se = pair_se(E, draw_part, n, contest.grain)
    pick = picks(p, could_be_best(p, se, z), contest, margins.give_up)
    bound = settled_to(p, pick, se, z, contest.allowed)
    return float((bound <= margins.delta + TINY).mean())


@dataclass(frozen=True)
class _Margins:
    """What the user would give up, and to within what a decision counts as settled."""

    give_up: float
    delta: float


def forecast_rows(
    contest: Contest, z: float, factor: float, give_up: float = 0.02, delta: float = 0.05
) -> float:
    """Chance that the decision is settled with `factor` * n test examples in all (section 3).

    400 futures: the truth is drawn around what was measured, then the new rows around the truth.
    """
    rng = np.random.default_rng([_SEED, 1])
    root, size = _root(contest.E), (_FUTURES, len(contest.p))
    truth_off = rng.standard_normal(size) @ root
    new_off = truth_off + rng.standard_normal(size) @ root / np.sqrt(factor - 1)
    p = contest.p + new_off * (factor - 1) / factor
    E, n = contest.E / factor, contest.n * factor
    return _share_settled(p, E, contest.draw_part, n, contest, z, _Margins(give_up, delta))


def _verdict(contest: Contest, inside: Bools, settled: bool, assumed: bool) -> str:
    """Step 9. One draw never settles: there the doubt about the draws is assumed, not measured."""
    if contest.n < FEWEST_ROWS or len(contest.p) == 1:
        return "cannot_tell"
    if settled:
        return "leaning" if assumed else "settled"
    return "cannot_tell" if 2 * inside.sum() >= len(contest.p) else "leaning"


def mdd(contest: Contest, inside: Bools, pick: int, z: float) -> float | None:
    """The difference seen with 80% power: (z + .84) * median standard error among contenders."""
    members = np.flatnonzero(inside)
    pairs = contest.se[np.ix_(members, members)][np.triu_indices(len(members), 1)]
    if not len(pairs):
        pairs = np.delete(contest.se[pick], pick)
    return float((z + NormalDist().inv_cdf(0.8)) * np.median(pairs)) if len(pairs) else None


@dataclass(frozen=True)
class Outcome:
    """What the tables count of a decision; `inside` (K,), contenders in the order of names."""

    pick: int
    inside: Bools
    verdict: str
    bound: float
    score: float
    low: float
    high: float
    seen: float | None


def decide(
    columns: Sequence[Column], fresh: Callable[[int], Floats | None] = lambda pick: None
) -> Outcome:
    """The decision; `fresh` gives two draws of the pick that it was not chosen on, or None."""
    contest, z = estimate(columns), critical(0.05, len(columns))
    inside = could_be_best(contest.p, contest.se, z)
    pick = int(picks(contest.p[None], inside[None], contest, 0.02)[0])
    _, score, low, high = corrected(contest, pick, z, 0.02, fresh(pick))
    at = np.array([pick])
    bound = float(settled_to(contest.p[None], at, contest.se, z, contest.allowed)[0])
    once = (contest.draws == 1) & ~contest.fixed & (inside | (np.arange(len(inside)) == pick))
    verdict = _verdict(contest, inside, bound <= 0.05 + TINY, bool(once.any()))
    return Outcome(pick, inside, verdict, bound, score, low, high, mdd(contest, inside, pick, z))
