"""The interval of a score, and by how much winning flatters it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nshot.board.column import Floats
from nshot.board.contest import Contest, binomial_variance
from nshot.board.critical import could_be_best, noise, picks
from nshot.board.draws import PRIOR_WEIGHT, draw_variance

CONFIDENCE = 0.95
_SELECTIONS = 1000


def interval(centre: float, variance: float, n: float, freedom: float) -> tuple[float, float]:
    """Wilson's interval around `centre` with Student's t and an effective size; inside [0, 1].

    `variance` is that of the mean. A binomial with the same variance would have q / variance rows:
    that is the size in Wilson's (1927) formula. `n` is how many 0/1 rows the rows are worth. A
    score below 0, which metrics like ``mae_skill`` know, is no share: its interval is Student's.
    """
    from scipy.special import stdtrit  # late: a sixth of a second that `nshot --help` need not pay

    t = float(stdtrit(freedom, 0.5 + CONFIDENCE / 2))
    if centre < 0:
        half = t * float(np.sqrt(variance))
        return centre - half, min(1.0, centre + half)
    p = min(centre, 1.0)
    size = float(binomial_variance(np.array(p), n)) / max(variance, 1e-12)
    size = float(np.clip(size, 2, 4 * n)) if freedom > 3 else max(size, 0.5)
    middle = (p + t * t / (2 * size)) / (1 + t * t / size)
    half = t / (1 + t * t / size) * float(np.sqrt(p * (1 - p) / size + (t / (2 * size)) ** 2))
    return max(0.0, min(p, middle - half)), min(1.0, max(p, middle + half))


def interval_of(contest: Contest, m: int, centre: float, draws: float) -> tuple[float, float]:
    """Interval around `centre` for contender `m` averaged over `draws` draws of the shots.

    Degrees of freedom by Satterthwaite (1946).
    """
    of_rows, of_draws = float(contest.E[m, m]), float(contest.s2[m]) / draws
    freedom = (of_rows + of_draws) ** 2 / max(
        of_rows**2 / float(contest.df[m])
        + of_draws**2 / (PRIOR_WEIGHT + float(contest.draws[m]) - 1),
        1e-30,
    )
    size = float(contest.rows[m] / contest.grain[m])
    return interval(centre, of_rows + of_draws, size, freedom)


def intervals(contest: Contest) -> Floats:
    """95 % interval of every contender, (K, 2)."""
    return np.array(
        [interval_of(contest, m, float(contest.p[m]), contest.draws[m]) for m in range(contest.k)]
    )


@dataclass(frozen=True)
class PickScore:
    """The pick's score, lowered by `luck`, and its 95 % interval."""

    luck: float
    score: float
    low: float
    high: float


def pick_score(
    contest: Contest,
    pick: int,
    c: Floats,
    give_up: float,
    own: Floats | None = None,
    fresh: Floats | None = None,
) -> PickScore:
    """The score of the pick on new inputs.

    Its low end is that of the lowered score, its high end that of the measured one: it may not have
    been luck. `fresh` draws of the shots, (draws, n), were not chosen on: of them only the luck of
    the rows is taken off, and `own`, the pick's points, tell with them how much draws move it.
    """
    luck, luck_of_rows = optimism(contest, pick, c, give_up)
    centre, draws = float(contest.p[pick]), float(contest.draws[pick])
    if fresh is not None:
        luck, centre, draws = luck_of_rows, float(fresh.mean()), float(len(fresh))
        drawn = fresh if own is None else np.concatenate([own, fresh])
        contest = _with_own_spread(contest, pick, drawn)
    # A share does not fall below 0 by luck; a score that lies there already is no share.
    score = centre - luck if centre < 0 else min(max(centre - luck, 0.0), 1.0)
    low = interval_of(contest, pick, score, draws)[0]
    high = interval_of(contest, pick, centre, draws)[1]
    return PickScore(luck, score, low, high)


def optimism(contest: Contest, pick: int, c: Floats, give_up: float) -> tuple[float, float]:
    """By how much winning flatters the pick: (all luck, luck of the rows only), both >= 0.

    The contest is held again 1,000 times with fresh noise around the measured scores, and the luck
    of whoever wins is averaged: the selection bootstrap (Tibshirani and Tibshirani 2009;
    Tsamardinos et al. 2018), on means. It is averaged in the winner's own standard deviations, so
    that a noisy rival that wins now and then does not lower the score of a pick measured well.
    """
    of_rows, of_draws = noise(contest.E, _SELECTIONS, 0), noise(contest.G, _SELECTIONS, 4)
    p = contest.p + of_rows + of_draws
    winner = picks(p, could_be_best(p, contest, contest.se, c), contest, give_up)

    def luck(errors: Floats, covariance: Floats) -> float:
        sd = np.sqrt(np.diag(covariance))
        own = np.take_along_axis(errors, winner[:, None], axis=1)[:, 0]
        scaled = np.divide(own, sd[winner], out=np.zeros(len(own)), where=sd[winner] > 0)
        return max(0.0, float(scaled.mean() * sd[pick]))

    return luck(of_rows + of_draws, contest.E + contest.G), luck(of_rows, contest.E)


def _with_own_spread(contest: Contest, m: int, points: Floats) -> Contest:
    """The contest with the larger of the pooled draw variance of `m` and that of all its draws."""
    freedom = len(points) - 1
    pooled = float(contest.s2[m])
    own = (PRIOR_WEIGHT * pooled + freedom * draw_variance(points)) / (PRIOR_WEIGHT + freedom)
    s2, draws = contest.s2.copy(), contest.draws.copy()
    s2[m], draws[m] = max(pooled, own), len(points)
    return replace(contest, s2=s2, draws=draws)
