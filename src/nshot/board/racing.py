"""Who is worth going on with: what a plan asks between two rounds of measuring. Pure.

Question 1: slow contenders answer the test rows in blocks; :func:`race` says who goes on. Question
2: they are drawn again and on more rows; :func:`race_draws` says who. Who stops is put aside, never
ruled out: it stays in the set and in the verdict at its score and what a search may still bring.
``docs/decision.md`` has the rules and what they saved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from nshot.board.column import LIFT, Bools, Column, Floats, Ints
from nshot.board.contest import Contest, estimate
from nshot.board.critical import (
    SEED,
    TINY,
    alike,
    could_be_best,
    criticals,
    loss_bounds,
    picks,
)
from nshot.board.decide import NOMINAL, too_few
from nshot.board.draws import residual_variance

FIRST, SECOND = 100, 300
"""Rows of the first block of a slow contender, and of the first two together."""
GOES_ON = 0.05
"""The least chance of being the pick that is worth measuring on."""
SEARCH_SD = 0.03
"""How unsure it is what a search brings."""
TRIAL_LOOKS = ((16, 0.005), (32, 0.005), (64, 0.02))
"""Rows of a trial after which it may end, and the chance of being the pick under which it does.
With those of a short trial they come to `GOES_ON`: who could be the pick is lost no more often."""
SHORT_LOOKS = ((16, 0.01), (32, 0.01))
"""The same of a short trial, in which training stops after a few steps."""
MORE_STEPS, MORE_STEPS_SD = 0.15, 0.10
"""What the other steps may bring after a short trial, and how unsure that is. Assumed: wide, so
that a short trial puts aside only what has not begun to learn where heads have."""
FINISH = 0.2
"""The least chance of a settled verdict for which those who keep it open are finished."""
GAIN, GAIN_BEFORE_SEARCH = 0.004, 0.002
"""The least expected gain of the pick that is worth another draw, and a search (question 2)."""
INTERIM = 0.002
"""Error of calling it settled before the end, at each round (Haybittle 1971; Peto 1976)."""
NEW_EACH_DRAW = 0.6
"""Share of a row's variance that is taken for new in every draw, until it is measured."""
_FUTURES = 200


@dataclass(frozen=True)
class Standing:
    """A round of question 1.

    `chance` of every unfinished contender that it will be the pick, `pick` of those with chosen
    settings as it stands. `go`: who goes on. `blockers`: where nobody does, who alone keeps the
    verdict from being settled and is worth finishing for it.
    """

    chance: Mapping[str, float]
    pick: str
    go: tuple[str, ...]
    blockers: tuple[str, ...]


@dataclass(frozen=True)
class DrawStanding:
    """A round of question 2.

    `gain`: what the pick's score is expected to gain if this unfinished contender alone is measured
    to the end. `settled`: so clearly that nobody but the pick goes on. The rest as in `Standing`.
    """

    gain: Mapping[str, float]
    pick: str
    go: tuple[str, ...]
    blockers: tuple[str, ...]
    settled: bool


def blocks(rows: int, groups: Sequence[int] | None = None) -> tuple[int, ...]:
    """After how many rows a slow contender stops to be looked at; the last one is all of them.

    100, 300 and all, of groups whole ones. A block with less than half of itself after it is not
    worth a stop.
    """
    ends = []
    for size in (FIRST, SECOND):
        end = size
        while groups is not None and end < rows and groups[end] == groups[end - 1]:
            end += 1
        if rows >= 1.5 * end:
            ends.append(end)
    return tuple(dict.fromkeys((*ends, rows)))


def draw_steps(
    rows: int, draws: int, groups: Sequence[int] | None = None
) -> tuple[tuple[int, int], ...]:
    """(draws, rows) at which a slow contender of question 2 stops to be looked at.

    The first draw on the first block and on the second, further draws on that, all on all rows.
    """
    first, *_ = ends = blocks(rows, groups)
    second = ends[-2] if len(ends) > 2 else rows
    middle = [(draw, second) for draw in range(1, draws + 1)]
    return tuple(dict.fromkeys([(1, first), *middle, (draws, rows)]))


def chance_before_test(contender: Floats, head: Floats, short: bool = False) -> float:
    """Chance that a contender could be the pick, by its first candidate on validation rows.

    `contender` and `head` are (v,) points on the same rows, of the first candidate of its search
    and of the best fast contender. `short`: it has trained only a few of its steps.
    """
    gap = contender - head
    v = len(gap)
    more, more_sd = (MORE_STEPS, MORE_STEPS_SD) if short else (0.0, 0.0)
    sd = np.sqrt(gap.var() / v + 2 / v**2 + SEARCH_SD**2 + more_sd**2)
    return NormalDist().cdf(float((gap.mean() + LIFT + more - 0.02) / sd))


def looks_of(short: bool) -> tuple[tuple[int, float], ...]:
    """(rows, level) of each look at a trial, or at a short one."""
    return SHORT_LOOKS if short else TRIAL_LOOKS


def hopeless(contender: Floats, head: Floats, short: bool = False) -> bool:
    """Was its chance under the level at one of the looks? Then it is put aside untested.

    `contender` (v,) and `head`, at least as many: points on the same rows, in one order. A look
    that `contender` has not reached does not count.
    """
    return any(
        chance_before_test(contender[:rows], head[:rows], short) < level
        for rows, level in looks_of(short)
        if rows <= len(contender)
    )


def race(
    columns: Sequence[Column],
    *,
    rows: int,
    groups: Sequence[int] | None = None,
    give_up: float = 0.02,
    delta: float = 0.05,
    alpha: float = 0.05,
    tried: int | None = None,
) -> Standing:
    """Who of the unfinished contenders goes on (question 1).

    One is unfinished with fewer than `rows` rows or without its search. It goes on where its chance
    to be the pick, once it has all rows and its search, is `GOES_ON` or more: it has to come within
    the give-up where it is cheaper than today's pick, and to beat it by that where it is dearer.

    Args:
        columns: what is measured so far.
        rows: test rows that there are.
        groups: their groups, as in `decide`.
        give_up, delta, alpha, tried: as in `decide`.
    """
    contest = _with_searched_picks(estimate(columns, groups=groups))
    searched = contest.lift == 0
    live = contest.wished & ~(searched & (contest.rows == rows))
    pick = _pick(contest, give_up)
    q = np.clip(contest.p * (1 - contest.p), 0.01, 0.25)
    left = np.maximum(contest.residual, 0.1 * q / contest.rows) * (1 - contest.rows / rows)
    sd = np.sqrt(np.maximum(left, 0))
    ahead = _ahead(contest, pick, give_up)
    unsure = np.sqrt(left + np.where(searched, 0, SEARCH_SD**2))
    chance = np.array([_normal(gap, s) for gap, s in zip(ahead, unsure, strict=True)])
    go = live & (chance >= GOES_ON)
    blocking = np.zeros(contest.k, dtype=bool)
    if not go.any() and too_few(contest) is None:
        (c,) = criticals(contest, [alpha], max(tried or 0, contest.k))
        blocking = _blockers(contest, pick, live, sd, c, _Price(give_up, delta))
    return Standing(
        chance=_named(contest, chance, live),
        pick=contest.names[pick],
        go=_names(contest, go),
        blockers=_names(contest, blocking),
    )


def race_draws(
    columns: Sequence[Column],
    *,
    rows: int,
    draws: int,
    groups: Sequence[int] | None = None,
    give_up: float = 0.02,
    delta: float = 0.05,
    alpha: float = 0.05,
    tried: int | None = None,
) -> DrawStanding:
    """Which slow contenders get their search or the next step of `draw_steps` (question 2).

    Those whose finishing is expected to raise the pick's score by `GAIN` or more, `draws` draws on
    `rows` rows being the end. The pick itself always goes on, also where it is settled: what has
    not answered all rows could not be taken.
    """
    contest = _with_searched_picks(estimate(columns, question=2, groups=groups))
    by_name = {c.name: c for c in columns}
    ordered = [by_name[name] for name in contest.names]
    searched = contest.lift == 0
    still = np.array([c.deterministic for c in ordered])
    ended = searched & (contest.rows == rows) & (still | (contest.draws >= draws))
    live = contest.wished & ~ended & ~np.array([c.fast for c in ordered])
    pick = _pick(contest, give_up)
    sd = _still_to_move(contest, ordered, rows, draws)
    ahead = _ahead(contest, pick, give_up)
    gain = np.array([_expected_gain(gap, s) for gap, s in zip(ahead, sd, strict=True)])
    tried = max(tried or 0, contest.k)
    settled = bool((still | (contest.draws > 1))[pick]) and _settled_early(
        contest, pick, tried, delta
    )
    go = live & (gain >= np.where(searched, GAIN, GAIN_BEFORE_SEARCH)) & (not settled)
    go |= live & (np.arange(contest.k) == pick)
    blocking = np.zeros(contest.k, dtype=bool)
    if not go.any() and not settled and too_few(contest) is None:
        (c,) = criticals(contest, [alpha * NOMINAL[2]], tried)
        blocking = _blockers(contest, pick, live, sd, c, _Price(give_up, delta))
    return DrawStanding(
        gain=_named(contest, gain, live),
        pick=contest.names[pick],
        go=_names(contest, go),
        blockers=_names(contest, blocking),
        settled=settled,
    )


# ----------------------------------------------------------------------------------- the parts


@dataclass(frozen=True)
class _Price:
    """The give-up, and to within what a verdict counts as settled."""

    give_up: float
    delta: float


def _with_searched_picks(contest: Contest) -> Contest:
    """While racing, what has few rows yet may be the pick: it then goes on."""
    return replace(contest, ready=contest.lift == 0)


def _pick(contest: Contest, give_up: float) -> int:
    """The cheapest within the give-up of the top; the set is not asked yet."""
    everyone = np.ones((1, contest.k), dtype=bool)
    return int(picks(contest.p[None], everyone, contest, give_up)[0])


def _ahead(contest: Contest, pick: int, give_up: float) -> Floats:
    """By how much each, searched, would be past the point where it becomes the pick, (K,).

    A dearer one has to beat the pick by the give-up, a cheaper one to come within it, one of a cost
    that is alike to be better. The pick itself is not asked to beat itself.
    """
    price = np.where(contest.cost > contest.cost[pick], give_up, -give_up)
    price[alike(contest.cost, float(contest.cost[pick]))] = 0.0
    price[pick] = -give_up
    return np.asarray(contest.p + contest.lift - contest.p[pick] - price)


def _normal(gap: float, sd: float) -> float:
    """Chance that a normal variable of this mean is above 0."""
    return NormalDist().cdf(float(gap / sd)) if sd > 0 else float(gap >= 0)


def _expected_gain(gap: float, sd: float) -> float:
    """Mean of the positive part of a normal variable of this mean."""
    if sd <= 0:
        return 0.0
    u = float(gap / sd)
    return float(sd * (NormalDist().pdf(u) + u * NormalDist().cdf(u)))


def _still_to_move(contest: Contest, columns: Sequence[Column], rows: int, draws: int) -> Floats:
    """(K,) sd of what draws, fresh noise and rows will still do to each score until the end."""
    q = np.clip(contest.p * (1 - contest.p), 0.01, 0.25)
    still = np.array([c.deterministic for c in columns])
    new = np.array([_new_each_draw(c, v) for c, v in zip(columns, q, strict=True)])
    kept = np.maximum(q - new, 0.1 * q)
    end = np.where(still, 1, np.maximum(contest.draws, draws))
    of_draws = contest.s2 * (1 / contest.draws - 1 / end)
    of_noise = new * (1 / (contest.draws * contest.rows) - 1 / (end * rows))
    of_rows = kept * (1 / contest.rows - 1 / rows)
    return np.asarray(np.sqrt(np.maximum(of_draws + of_noise + of_rows, 0)))


def _new_each_draw(column: Column, q: float) -> float:
    """Variance of a row that is new in every draw: assumed, then measured (from 6 draws on)."""
    if column.deterministic:
        return 0.0
    draws, assumed = len(column.points), NEW_EACH_DRAW * q
    if draws < 2 or column.rows < 2:
        return assumed
    measured = residual_variance(column.points)
    return measured if draws >= 6 else (assumed + measured) / 2


def _settled_early(contest: Contest, pick: int, tried: int, delta: float) -> bool:
    """No other one can be more than delta better, at an error small enough to ask every round."""
    z = NormalDist().inv_cdf(1 - INTERIM / max(tried - 1, 1))
    could = contest.p + contest.lift - contest.p[pick] + z * contest.se[pick]
    rivals = contest.wished & (np.arange(contest.k) != pick)
    return bool((could[rivals] <= delta + TINY).all())


def _blockers(
    contest: Contest, pick: int, live: Bools, sd: Floats, c: Floats, price: _Price
) -> Bools:
    """Unfinished ones that alone keep the verdict open, where finishing them may well settle it."""
    bounds = loss_bounds(contest.p[None], np.array([pick]), contest, contest.se, c)[0]
    open_ = bounds > price.delta + TINY
    blocking = live & (open_ | (np.arange(contest.k) == pick))
    none = np.zeros(contest.k, dtype=bool)
    if not blocking.any() or (open_ & ~blocking).any():
        return none
    return blocking if _chance_settled(contest, blocking, sd, c, price) >= FINISH else none


def _chance_settled(
    contest: Contest, finished: Bools, sd: Floats, c: Floats, price: _Price
) -> float:
    """Share of 200 futures that are settled once these have all their rows and their search."""
    move = np.where(finished, sd, 0.0)
    rng = np.random.default_rng([SEED, 5])
    p = contest.p + rng.standard_normal((_FUTURES, contest.k)) * move
    left = contest.se**2 - move[:, None] ** 2 - move**2
    se = np.sqrt(np.maximum(left, 0.1 * contest.se**2))
    then = replace(
        contest, lift=np.where(finished, 0.0, contest.lift), ready=contest.ready | finished
    )
    pick: Ints = picks(p, could_be_best(p, then, se, c), then, price.give_up)
    bounds = loss_bounds(p, pick, then, se, c).max(axis=1)
    return float((bounds <= price.delta + TINY).mean())


def _named(contest: Contest, values: Floats, of: Bools) -> dict[str, float]:
    return {contest.names[m]: float(values[m]) for m in np.flatnonzero(of)}


def _names(contest: Contest, of: Bools) -> tuple[str, ...]:
    return tuple(contest.names[m] for m in np.flatnonzero(of))
