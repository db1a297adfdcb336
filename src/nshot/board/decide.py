"""Which contender to take, how sure that is, and what would make it surer.

:func:`decide` turns :class:`Column`s into a :class:`Decision`; ``words.py`` puts it into sentences.
No I/O, and no clock; the same input gives the same output, to the bit. ``docs/decision.md`` says
why the rule is as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from nshot.board.column import Bools, Column, Floats, Question
from nshot.board.contest import Contest, estimate
from nshot.board.critical import (
    TINY,
    could_be_best,
    criticals,
    loss_bounds,
    picks,
    seen_difference,
)
from nshot.board.outlook import Margins, Outlook, Why, outlook
from nshot.board.score import PickScore, interval, intervals, pick_score
from nshot.core.errors import Fault, InputError

__all__ = [
    "Column",
    "Decision",
    "Floats",
    "Question",
    "Verdict",
    "decide",
    "estimate",
    "interval",
    "intervals",
]
Verdict: TypeAlias = Literal["settled", "leaning", "cannot_tell"]

FEWEST_ROWS = 50
"""Below this many test rows no verdict is given."""
FEWEST_GROUPS = 8
"""Below this many groups (of equal size; more of unequal ones) neither."""
BEST = 1.0
"""No score is higher: how much better what nobody measured can be is bounded by it."""
LEAN = 0.25
"""Leaning is what holds at 3 in 4."""
NOMINAL: Mapping[Question, float] = {1: 1.0, 2: 0.6}
"""Share of alpha that the set takes: with draws, the rest is kept for stopping early."""


@dataclass(frozen=True)
class Decision:
    """What the numbers say. Scores and differences are fractions of one, not percent.

    `mean`, `low`, `high`: score of each contender and its 95 % interval. `gap`, `gap_low`,
    `gap_high`: each minus the pick, with bounds that hold for all rivals at once, and with what a
    search may still bring. `could_be_best`: those that no rival rules out, best measured first.
    `corrected_*`: the pick's score lowered by `optimism`, what winning this contest flatters;
    `confirmed`: measured on fresh draws of the shots. `settled_to`: no other one that the wish
    allows is more than this better, at 1 - alpha; `leaning_to`: the same at 3 in 4. `mdd`: the
    difference this board sees four times in five. `assumed`: the pick has one draw of the shots, so
    how it moves with others is an assumption. `groups`: how many groups the rows are of, None
    without. `alpha` is what this look spent, `draws` those of the pick, `contenders` how many were
    tried, the failed ones too. `left_out` more could have been measured and were not.
    """

    question: Question
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
    leaning_to: float | None
    mdd: float | None
    outlook: Outlook
    assumed: bool
    rows: int
    groups: int | None
    draws: int
    contenders: int
    give_up: float
    delta: float
    alpha: float
    look: int
    left_out: int = 0


def decide(
    columns: Sequence[Column],
    *,
    question: Question = 1,
    groups: Sequence[int] | None = None,
    give_up: float = 0.02,
    delta: float = 0.05,
    alpha: float = 0.05,
    tried: int | None = None,
    fresh: Floats | None = None,
    look: int = 1,
    left_out: int = 0,
) -> Decision:
    """Pick a contender and say how far that is settled.

    Args:
        columns: what was measured; unequal numbers of rows and draws are fine.
        question: 1, every contender fitted once; 2, rows of points are draws of the shots.
        groups: the group number of each test row, in the order of the rows: rows of one group
            (an author, a photograph) share their luck.
        give_up: measured score the user gives up for a cheaper contender; 0 takes the top score.
        delta: settled means that no other contender is more than this better.
        alpha: chance of ruling out the true best, at the first look.
        tried: contenders that were tried at all: failed and put aside ones too.
        fresh: (draws, n) points of the pick on draws of the shots that it was not chosen on.
        look: how often these test rows have been decided on; look k spends alpha / 2^(k-1), so
            that all looks together stay under 2 alpha.
        left_out: contenders that were not measured, though they could have been and nothing rules
            them out: with one of these nothing is settled, unless the pick is so good that no
            score could be more than delta above it.

    Raises:
        InputError: no column, or the wish excludes every contender.
        ValueError: points not finite, two equal names, fresh draws of other rows, too few groups.
    """
    contest = estimate(columns, question=question, groups=groups)
    if not contest.wished.any():
        raise InputError(
            Fault(
                "the wish excludes every measured method",
                f"at least one allowed method among {', '.join(contest.names)}",
                "ask again without --no-training or --keep-base, or measure a method they allow",
            )
        )
    if fresh is not None and (question == 1 or fresh.ndim != 2 or fresh.shape[1] != contest.n):
        raise ValueError(f"fresh must be draws of the shots, (draws, {contest.n})")
    tried, spent = max(tried or 0, contest.k), alpha / 2 ** (look - 1)
    terms = Terms(question, give_up, delta, spent, tried, left_out)
    points = {column.name: column.points for column in columns}
    choice = choose(contest, terms, points, fresh)
    pick, c, score = choice.pick, choice.c, choice.score
    ends, by_score = intervals(contest), np.lexsort((np.arange(contest.k), -contest.p.round(9)))
    gap, other = contest.p - contest.p[pick], np.arange(contest.k) != pick
    return Decision(
        question=question,
        mean=_named(contest, np.clip(contest.p, 0, 1)),
        low=_named(contest, ends[:, 0]),
        high=_named(contest, ends[:, 1]),
        draw_sd=_named(contest, np.sqrt(contest.s2)),
        gap=_named(contest, gap),
        gap_low=_named(contest, gap - other * c[pick] * contest.se[pick]),
        gap_high=_named(contest, gap + other * (contest.lift + c * contest.se[pick])),
        could_be_best=tuple(contest.names[m] for m in by_score if choice.inside[m]),
        top=contest.names[by_score[0]],
        pick=contest.names[pick],
        optimism=score.luck,
        corrected_score=score.score,
        corrected_low=score.low,
        corrected_high=score.high,
        confirmed=fresh is not None,
        verdict=choice.verdict,
        settled_to=choice.settled_to,
        leaning_to=choice.leaning_to,
        mdd=seen_difference(contest, choice.inside, pick, c),
        outlook=outlook(contest, pick, c, Margins(give_up, delta), _no_forecast(contest, choice)),
        assumed=choice.assumed,
        rows=contest.n,
        groups=None if groups is None else contest.units,
        draws=int(contest.draws[pick]),
        contenders=tried,
        give_up=give_up,
        delta=delta,
        alpha=spent,
        look=look,
        left_out=left_out,
    )


@dataclass(frozen=True)
class Terms:
    """Under what a contest is decided: as in `decide`, with the alpha that this look spends."""

    question: Question = 1
    give_up: float = 0.02
    delta: float = 0.05
    alpha: float = 0.05
    tried: int = 0
    left_out: int = 0


@dataclass(frozen=True)
class Choice:
    """What a contest comes to; contenders by their index, `inside` and `c` are (K,)."""

    pick: int
    inside: Bools
    c: Floats
    settled_to: float | None
    leaning_to: float | None
    settled: bool
    assumed: bool
    score: PickScore
    verdict: Verdict


def choose(
    contest: Contest,
    terms: Terms,
    points: Mapping[str, Floats] | None = None,
    fresh: Floats | None = None,
) -> Choice:
    """The set, the pick, its score and the verdict.

    `points` of every contender by name and `fresh` ones of the pick: see `pick_score`.
    """
    share = NOMINAL[terms.question]
    levels = (terms.alpha * share, max(LEAN * share, terms.alpha))
    c, c_leaning = criticals(contest, levels, max(terms.tried, contest.k))
    inside = could_be_best(contest.p, contest, contest.se, c)
    pick = int(picks(contest.p[None], inside[None], contest, terms.give_up)[0])
    bound, lean = _bound(contest, pick, c), _bound(contest, pick, c_leaning)
    settled, leaning = ((b or 0.0) <= terms.delta + TINY for b in (bound, lean))
    assumed = bool(contest.draws[pick] == 1 and not contest.fixed[pick])
    own = None if points is None else points[contest.names[pick]]
    score = pick_score(contest, pick, c, terms.give_up, own, fresh)
    beatable = terms.left_out > 0 and BEST - score.low > terms.delta + TINY
    return Choice(
        pick=pick,
        inside=inside,
        c=c,
        settled_to=bound,
        leaning_to=lean,
        settled=settled,
        assumed=assumed,
        score=score,
        verdict=_verdict(contest, pick, settled, leaning, assumed or beatable),
    )


def _bound(contest: Contest, pick: int, c: Floats) -> float | None:
    """How much better the best other one could be, 0 where none could; None without another."""
    if contest.wished.sum() < 2:
        return None
    bounds = loss_bounds(contest.p[None], np.array([pick]), contest, contest.se, c)
    return max(float(bounds.max()), 0.0)


def _named(contest: Contest, values: Floats) -> dict[str, float]:
    return {name: float(value) for name, value in zip(contest.names, values, strict=True)}


def too_few(contest: Contest) -> Why | None:
    """Why there can be no verdict on these rows, however they fell out."""
    if contest.wished.sum() < 2:
        return "one contender"
    if contest.n < FEWEST_ROWS:
        return "few rows"
    few_groups = contest.units < contest.n and contest.freedom + 1 < FEWEST_GROUPS
    return "few groups" if few_groups else None


def _verdict(contest: Contest, pick: int, settled: bool, leaning: bool, unsure: bool) -> Verdict:
    """Settled, leaning, or not.

    Never settled where the board is `unsure`: one assumed draw, contenders nobody measured. An
    unfinished pick is not even leaning.
    """
    if too_few(contest) or not contest.ready[pick]:
        return "cannot_tell"
    if settled and not unsure:
        return "settled"
    return "leaning" if leaning or settled else "cannot_tell"


def _no_forecast(contest: Contest, choice: Choice) -> Why | None:
    if reason := too_few(contest):
        return reason
    if choice.assumed:
        return "one draw"
    return "settled" if choice.settled else None
