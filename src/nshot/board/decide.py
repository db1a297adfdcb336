"""Which method to take, how sure that is, and what would make it surer.

:func:`decide` turns points per method, draw and test example into a :class:`Decision`;
``words.py`` puts it into sentences. No I/O, and no clock; the same input gives the same output, to
the bit.

Letters, as in the equations: K methods, S draws of the shots, n test examples; `p` (K,) mean
scores; `E` (K, K) covariance of `p` over test examples; `s2` (K,) variance of a method's score over
draws; `z` the critical value. ``docs/decision.md`` says why the rule is as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import Fault, InputError

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.intp]
Bools: TypeAlias = NDArray[np.bool_]
Verdict: TypeAlias = Literal["settled", "leaning", "cannot_tell"]

CONFIDENCE = 0.95
FEWEST_ROWS = 50
"""Below this many test examples no verdict is given."""
PRIOR_SD = 0.115
"""Assumed draw sd over sqrt(p(1-p)): 5 points at p = .75, 2.3 at .96."""
PRIOR_WEIGHT = 4.0
"""How many degrees of freedom that assumption is worth."""
FORECAST_FACTORS = (1.5, 2.0, 3.0, 5.0, 10.0)
FORECAST_SURE = 0.8
_SELECTIONS = 1000
_FUTURES = 400
_SEED = 20240617
TINY = 1e-9
"""Scores nearer than this are ties: .80 - .78 must not exceed a give-up of .02."""


# ------------------------------------------------------------------------------------- numbers


@dataclass(frozen=True)
class Column:
    """One method as it stands on the board at the largest number of shots.

    `points` is (S_m draws, n test examples): per example scores in [0, 1], or jackknife
    pseudo-values of a metric that is no mean of points. Draw s is the same shots for every method,
    and the n examples are the same. `cost` is under the user's wish, lower is better.
    `deterministic`: neither shots nor seed change its answers, so it has no draw variance.
    `allowed` False: the user's wish excludes it from the pick; it still counts and is shown.
    """

    name: str
    points: Floats
    cost: float
    deterministic: bool = False
    allowed: bool = True


@dataclass(frozen=True)
class Decision:
    """What the numbers say. Scores and differences are fractions of one, not percent.

    `mean`, `low`, `high`: score of each method and its 95% interval. `gap`, `gap_low`, `gap_high`:
    each method minus the pick, with bounds that hold for all rivals at once. `could_be_best`: the
    methods no rival rules out, best measured first. `corrected_*`: the pick's score lowered by
    `optimism`, what winning this contest flatters; `confirmed`: measured on fresh draws.
    `settled_to`: no other allowed method is more than this better (at 1 - alpha). `mdd`: the
    difference this board sees four times in five. `more_test_labels`: total test examples that
    would settle it, None with the reason in `outlook`; `more_draws_settle`: two more draws would.
    `assumed`: a contender has one draw only, so how it moves with other shots is an assumption.
    """

    mean: Mapping[str, float]
    low: Mapping[str, float]
    high: Mapping[str, float]
    draw_sd: Mapping[str, float]
    gap: Mapping[str, float]
    gap_low: Mapping[str, float]
    gap_high: Mapping[str, float]
    could_be_best: tuple[str, ...]
    top: str
    pick: str
    optimism: float
    corrected_score: float
    corrected_low: float
    corrected_high: float
    confirmed: bool
    verdict: Verdict
    settled_to: float | None
    mdd: float | None
    more_test_labels: int | None
    more_draws_settle: bool
    outlook: str
    assumed: bool
    rows: int
    draws: int
    contenders: int
    give_up: float
    delta: float
    alpha: float
    look: int


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


def _check(columns: Sequence[Column]) -> None:
    """Raise InputError on a board with no method, ValueError on points that are no board."""
    if not columns:
        raise InputError(
            Fault(
                "no method was measured",
                "at least one measured method",
                "look at the reasons in the skipped and failed rows, then `nshot compare` again",
            )
        )
    if len({c.name for c in columns}) < len(columns):
        raise ValueError(f"two columns of one name among {sorted(c.name for c in columns)}")
    if len({c.points.shape[1:] for c in columns}) > 1 or columns[0].points.ndim != 2:
        raise ValueError("points must be (draws, test examples) with the same test examples")
    for c in columns:
        if c.points.size == 0 or not np.isfinite(c.points).all() or np.isnan(c.cost):
            raise ValueError(f"{c.name}: points must be finite and not empty, cost a number")


def estimate(columns: Sequence[Column]) -> Contest:
    """Means, their covariance over examples, and the pooled draw variance (steps 1-3).

    The columns are sorted by name, so that their order cannot change a simulated figure.
    """
    _check(columns)
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
    from scipy.special import stdtrit  # late: a sixth of a second that `nshot --help` need not pay

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


def forecast_draws(
    contest: Contest, z: float, extra: int = 2, give_up: float = 0.02, delta: float = 0.05
) -> float:
    """Chance that the decision is settled after `extra` more draws on the same test examples."""
    rng = np.random.default_rng([_SEED, 2])
    size = (_FUTURES, len(contest.p))
    truth_off = rng.standard_normal(size) * np.sqrt(contest.draw_part)
    new_off = truth_off + rng.standard_normal(size) * np.sqrt(contest.s2 / extra)
    p = contest.p + new_off * extra / (contest.draws + extra)
    draw_part = contest.s2 / (contest.draws + extra)
    return _share_settled(p, contest.E, draw_part, contest.n, contest, z, _Margins(give_up, delta))


def round_up(rows: float) -> int:
    """A round number, not smaller: a multiple of 50 up to 500, of 100 up to 1,000, and so on."""
    steps = ((500, 50), (1000, 100), (2000, 200), (5000, 500))
    step = next((step for limit, step in steps if rows <= limit), 1000)
    return int(-(-(rows - TINY) // step) * step)


def decide(
    columns: Sequence[Column],
    *,
    give_up: float = 0.02,
    delta: float = 0.05,
    alpha: float = 0.05,
    contenders: int | None = None,
    fresh: Floats | None = None,
    look: int = 1,
) -> Decision:
    """Pick a method and say how far that is settled.

    Args:
        columns: what was measured; unequal numbers of draws are fine.
        give_up: measured score the user gives up for a cheaper method; 0 takes the top score.
        delta: settled means that no other method is more than this better.
        alpha: chance of ruling out the true best, at the first look.
        contenders: methods that ever saw the test examples, failed ones too.
        fresh: (draws, n) points of the pick on draws it was not chosen on.
        look: how often this test set has been decided on; look k uses alpha / 2^(k-1), so that
            the total error stays under 2 alpha.

    Raises:
        InputError: no column, or the wish excludes every method.
        ValueError: points not finite or not of one test set, two equal names, fresh of other rows.
    """
    contest = estimate(columns)
    if not contest.allowed.any():
        raise InputError(
            Fault(
                "the wish excludes every measured method",
                f"at least one allowed method among {', '.join(contest.names)}",
                "ask again without --no-training or --keep-base, or measure a method they allow",
            )
        )
    if fresh is not None and (fresh.ndim != 2 or fresh.shape[1] != contest.n):
        raise ValueError(f"fresh must be (draws, {contest.n}), not {fresh.shape}")
    contenders = max(contenders or 0, len(columns))
    z = critical(alpha / 2 ** (look - 1), contenders)
    inside = could_be_best(contest.p, contest.se, z)
    pick = int(picks(contest.p[None], inside[None], contest, give_up)[0])
    luck, score, low, high = corrected(contest, pick, z, give_up, fresh)
    bound = float(settled_to(contest.p[None], np.array([pick]), contest.se, z, contest.allowed)[0])
    assumed = bool(((contest.draws == 1) & ~contest.fixed & (inside | _at(contest, pick))).any())
    outlook = _outlook(contest, z, pick, _Margins(give_up, delta), bound, assumed)
    by_score = np.lexsort((np.arange(len(contest.p)), -contest.p.round(9)))
    reach = z * contest.se[pick]
    ends = intervals(contest)
    return Decision(
        mean=_named(contest, np.clip(contest.p, 0, 1)),
        low=_named(contest, ends[:, 0]),
        high=_named(contest, ends[:, 1]),
        draw_sd=_named(contest, np.sqrt(contest.s2)),
        gap=_named(contest, contest.p - contest.p[pick]),
        gap_low=_named(
            contest, np.where(_at(contest, pick), 0, contest.p - contest.p[pick] - reach)
        ),
        gap_high=_named(
            contest, np.where(_at(contest, pick), 0, contest.p - contest.p[pick] + reach)
        ),
        could_be_best=tuple(contest.names[m] for m in by_score if inside[m]),
        top=contest.names[by_score[0]],
        pick=contest.names[pick],
        optimism=luck,
        corrected_score=score,
        corrected_low=low,
        corrected_high=high,
        confirmed=fresh is not None,
        verdict=_verdict(contest, inside, bound <= delta + TINY, assumed),
        settled_to=bound if np.isfinite(bound) else None,
        mdd=_mdd(contest, inside, pick, z),
        more_test_labels=outlook[0],
        more_draws_settle=outlook[1],
        outlook=outlook[2],
        assumed=assumed,
        rows=contest.n,
        draws=int(contest.draws.max()),
        contenders=contenders,
        give_up=give_up,
        delta=delta,
        alpha=alpha,
        look=look,
    )


def _at(contest: Contest, m: int) -> Bools:
    """(K,) true at `m` only."""
    return np.asarray(np.arange(len(contest.p)) == m)


def _named(contest: Contest, values: Floats) -> dict[str, float]:
    return {name: float(value) for name, value in zip(contest.names, values, strict=True)}


def _verdict(contest: Contest, inside: Bools, settled: bool, assumed: bool) -> Verdict:
    """Step 9. One draw never settles: there the doubt about the draws is assumed, not measured."""
    if contest.n < FEWEST_ROWS or len(contest.p) == 1:
        return "cannot_tell"
    if settled:
        return "leaning" if assumed else "settled"
    return "cannot_tell" if 2 * inside.sum() >= len(contest.p) else "leaning"


def _mdd(contest: Contest, inside: Bools, pick: int, z: float) -> float | None:
    """The difference seen with 80% power: (z + .84) * median standard error among contenders."""
    members = np.flatnonzero(inside)
    pairs = contest.se[np.ix_(members, members)][np.triu_indices(len(members), 1)]
    if not len(pairs):
        pairs = np.delete(contest.se[pick], pick)
    return float((z + NormalDist().inv_cdf(0.8)) * np.median(pairs)) if len(pairs) else None


def _outlook(
    contest: Contest, z: float, pick: int, margins: _Margins, bound: float, assumed: bool
) -> tuple[int | None, bool, str]:
    """(total test examples that would settle it, two more draws would, the sentence)."""
    within = f"to within {in_points(margins.delta)}"
    if len(contest.p) == 1:
        return None, False, "One method was measured: there is nothing to settle."
    if contest.n < FEWEST_ROWS:
        few = f"With {contest.n} test examples no forecast is made: bring at least {FEWEST_ROWS}."
        return None, False, few
    if bound <= margins.delta + TINY and not assumed:
        return None, False, f"No more test labels are needed to settle this {within}."
    if assumed:
        once = "One draw of the shots gives no forecast: measure 3 draws (--seeds 3) first."
        return None, False, once
    draws = forecast_draws(contest, z, 2, margins.give_up, margins.delta) >= FORECAST_SURE
    for factor in FORECAST_FACTORS:
        share = forecast_rows(contest, z, factor, margins.give_up, margins.delta)
        if share >= FORECAST_SURE:
            total = round_up(contest.n * factor)
            return total, draws, _enough(total, contest.n, within, draws)
    return None, draws, _refusal(contest, z, pick, draws)


def _enough(total: int, n: int, within: str, draws: bool) -> str:
    also = " So would two more draws of the shots." if draws else ""
    return (
        f"About {total:,} test examples in all ({total - n:,} more, from the same source) would "
        f"settle it {within}: so it ended in at least 8 of 10 simulated futures.{also}"
    )


def _refusal(contest: Contest, z: float, pick: int, draws: bool) -> str:
    """Why no number of test examples up to ten times today's is promised."""
    could = np.where(contest.allowed, contest.p + z * contest.se[pick], -np.inf)
    could[pick] = -np.inf
    rival = int(could.argmax())
    share = (contest.draw_part[rival] + contest.draw_part[pick]) / contest.se[pick, rival] ** 2
    if draws:
        return (
            "More test examples alone will not settle this; two more draws of the shots would: "
            f"{share:.0%} of the doubt is from the draws."
        )
    if share >= 0.5:
        return (
            f"More test examples will not settle this: {share:.0%} of the doubt is from the draws "
            "of the shots. More draws (--seeds) are the lever, and two more are not enough."
        )
    return (
        "More test examples will not settle this, not ten times as many: the gap is smaller than "
        "you asked to see."
    )


def in_points(fraction: float) -> str:
    """A difference of scores in words: ``1.4 points``."""
    value = f"{100 * abs(fraction):.1f}".removesuffix(".0")
    return f"{value} point" if value == "1" else f"{value} points"
