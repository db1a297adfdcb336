"""Who could still be the best, who is picked, and how much better another could be."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from nshot.board.column import Bools, Floats, Ints
from nshot.board.contest import Contest, pairs

SEED = 20240617
TINY = 1e-9
"""Scores nearer than this are ties: .80 - .78 must not exceed a give-up of .02."""
ALIKE_SHARE, ALIKE_SECONDS = 0.2, 0.5
"""Costs nearer than that share of the lower one, or those seconds, are told apart by chance: a
clock read twice differs by as much. Of bytes (a wish for little memory) only the share counts."""
SIMULATIONS = 10_000
"""So many that the one fixed sample leaves 5 % between 4.8 and 5.4 % for each of twelve."""


def criticals(contest: Contest, alphas: Sequence[float], tried: int) -> Floats:
    """(len(alphas), K): how many standard errors ahead of m a rival must be to rule m out.

    The quantile of the largest of m's differences under no difference (Dunnett 1955, here with the
    covariance that was measured), in Student's t. Contenders that were tried and have no score keep
    their share of alpha. With one rival it is the plain one-sided quantile.
    """
    from scipy.special import ndtr, ndtri, stdtrit  # late: `nshot --help` need not pay for it

    k = len(contest.p)
    if k == 1:
        return np.zeros((len(alphas), 1))
    levels = 1 - np.array(alphas) * (k - 1) / max(tried - 1, k - 1)
    values = np.repeat(ndtri(levels)[:, None], k, axis=1)
    if k > 2:
        errors = noise(contest.noise, SIMULATIONS, 3).astype(np.float32)
        variance = pairs(contest.noise) + np.diag(np.full(k, np.inf))  # nobody is its own rival
        weight = (1 / np.sqrt(np.maximum(variance, 1e-18))).astype(np.float32)
        for m in range(k):
            largest = ((errors - errors[:, [m]]) * weight[m]).max(axis=1)
            values[:, m] = np.maximum(np.quantile(largest, levels), values[:, m])
        for m in range(k):  # twins are not told apart by the luck of a simulation
            alike = contest.twin == contest.twin[m]
            values[:, alike] = values[:, alike].max(axis=1, keepdims=True)
    return np.asarray(stdtrit(contest.freedom, ndtr(np.minimum(values, 6.0))))


def could_be_best(
    p: Floats, contest: Contest, se: Floats, c: Floats, among: Bools | None = None
) -> Bools:
    """Which no rival beats by more than c standard errors, (..., K) for scores `p` (..., K).

    `among`: the rivals that count; all without it.
    """
    lead = p[..., :, None] - (p + contest.lift)[..., None, :]
    near = lead <= c * se
    return np.asarray((near if among is None else near | ~among[:, None]).all(axis=-2))


def picks(p: Floats, inside: Bools, contest: Contest, give_up: float) -> Ints:
    """Index of the pick for each row of `p` (B, K), given the contenders `inside` the set (B, K).

    The cheapest allowed one of the set within `give_up` of the top; where no such is in the set,
    the best allowed one. Costs that are alike by score, then by name.
    """
    top = np.where(contest.rated, p, -np.inf).max(axis=-1, keepdims=True)
    behind = np.where(contest.allowed, top - p, np.inf)
    open_to = inside & (behind <= give_up + TINY)
    best = behind <= behind.min(axis=-1, keepdims=True) + TINY
    open_to |= ~open_to.any(axis=-1, keepdims=True) & best
    cost = np.where(open_to, contest.cost, np.inf)
    cheapest = open_to & alike(cost, cost.min(axis=-1, keepdims=True))
    return np.asarray(np.where(cheapest, p.round(9), -np.inf).argmax(axis=-1))


def alike(cost: Floats, other: Floats | float) -> Bools:
    """Which costs are the same as `other`, as far as a clock can tell."""
    near = np.maximum(ALIKE_SHARE * np.minimum(cost, other), ALIKE_SECONDS) + TINY
    return np.asarray((cost <= other + near) & (other <= cost + near))


def loss_bounds(p: Floats, pick: Ints, contest: Contest, se: Floats, c: Floats) -> Floats:
    """By how much each rival could be better than the pick, (B, K); -inf for those that cannot.

    Rivals are those that the wish allows and that none of these rules out, each with its own
    critical value and with what a search may still bring it.
    """
    rival = contest.wished & could_be_best(p, contest, se, c, contest.wished)
    rival &= np.arange(contest.k) != pick[:, None]
    ahead = p + contest.lift - np.take_along_axis(p, pick[:, None], axis=-1)
    return np.where(rival, ahead + c * se[pick], -np.inf)


def noise(covariance: Floats, draws: int, stream: int) -> Floats:
    """(draws, K) normal errors and their mirror images, always the same ones of a stream.

    Mirrored, so that a pick which no noise changes is flattered by exactly nothing.
    """
    rng = np.random.default_rng([SEED, stream])
    errors = rng.standard_normal((draws // 2, len(covariance))) @ root(covariance)
    return np.concatenate([errors, -errors])


def root(covariance: Floats) -> Floats:
    """The symmetric square root: unlike a Cholesky factor it exists for twins, and is unique."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)


def seen_difference(contest: Contest, inside: Bools, pick: int, c: Floats) -> float | None:
    """The difference seen with 80 % power: (c + .84) * median standard error beside the pick."""
    rivals = inside & (np.arange(len(contest.p)) != pick)
    se = contest.se[pick, rivals] if rivals.any() else np.delete(contest.se[pick], pick)
    if not len(se):
        return None
    return float((np.median(c) + NormalDist().inv_cdf(0.8)) * np.median(se))
