"""What would settle an open board: more test rows, or more draws of the shots, by simulation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from nshot.board.column import Floats
from nshot.board.contest import Contest, pairs
from nshot.board.critical import SEED, TINY, could_be_best, loss_bounds, picks, root

FACTORS = (1.5, 2.0, 3.0, 5.0, 10.0)
SURE = 0.8
_FUTURES = 400
Why: TypeAlias = Literal[
    "one contender", "few rows", "few groups", "settled", "one draw", "rows", "draws", "gap"
]
"""What an outlook rests on: `rows` would settle it, or `draws` keep it open, or the gap does."""


@dataclass(frozen=True)
class Margins:
    """What is given up for less cost, and to within what a decision counts as settled."""

    give_up: float
    delta: float


@dataclass(frozen=True)
class Outlook:
    """What would settle it.

    `rows`: test rows in all, None where no number can be given. `draws`: two more draws of the
    shots would. `draw_share`: how much of the doubt between the pick and its nearest rival is from
    draws.
    """

    why: Why
    rows: int | None = None
    draws: bool = False
    draw_share: float = 0.0


def outlook(contest: Contest, pick: int, c: Floats, margins: Margins, why: Why | None) -> Outlook:
    """What would settle a decision; `why` no forecast is made, where none is."""
    if why is not None:
        return Outlook(why)
    drawn = bool((contest.s2 > 0).any())
    draws = drawn and forecast_draws(contest, c, margins) >= SURE
    ahead = loss_bounds(contest.p[None], np.array([pick]), contest, contest.se, c)[0]
    rival = int(ahead.argmax())
    share = float(pairs(contest.G)[pick, rival] / contest.se[pick, rival] ** 2)
    for factor in FACTORS:
        if forecast_rows(contest, c, factor, margins) >= SURE:
            return Outlook("rows", round_up(contest.n * factor), draws, share)
    return Outlook("draws" if draws or share >= 0.5 else "gap", None, draws, share)


def forecast_rows(contest: Contest, c: Floats, factor: float, margins: Margins) -> float:
    """Chance that the decision is settled with `factor` * n test rows in all.

    400 futures: the truth is drawn around what was measured, then the new rows around the truth.
    Critical values stay as they are.
    """
    rng, size = np.random.default_rng([SEED, 1]), (_FUTURES, contest.k)
    spread = root(contest.E)
    truth_off = rng.standard_normal(size) @ spread
    new_off = truth_off + rng.standard_normal(size) @ spread / np.sqrt(factor - 1)
    of_draws = pairs(contest.G)
    se = np.sqrt(np.maximum(contest.se**2 - of_draws, 0) / factor + of_draws)
    return _share_settled(contest.p + new_off * (factor - 1) / factor, contest, se, c, margins)


def forecast_draws(contest: Contest, c: Floats, margins: Margins, extra: int = 2) -> float:
    """Chance that it is settled after `extra` more draws of the shots on the same test rows."""
    rng, size = np.random.default_rng([SEED, 2]), (_FUTURES, contest.k)
    spread = root(contest.G)
    after = contest.draws + extra
    truth_off = rng.standard_normal(size) @ spread
    fresh = rng.standard_normal(size) @ spread * np.sqrt(contest.draws / extra)
    left = np.sqrt(contest.draws / after)
    se = np.sqrt(contest.se**2 - pairs(contest.G) + pairs(contest.G * np.outer(left, left)))
    p = contest.p + (truth_off + fresh) * extra / after
    return _share_settled(p, contest, se, c, margins)


def _share_settled(p: Floats, contest: Contest, se: Floats, c: Floats, margins: Margins) -> float:
    """Share of the futures `p` (B, K) in which the decision is settled."""
    inside = could_be_best(p, contest, se, c)
    pick = picks(p, inside, contest, margins.give_up)
    bound = loss_bounds(p, pick, contest, se, c).max(axis=1)
    return float((bound <= margins.delta + TINY).mean())


def round_up(rows: float) -> int:
    """A round number, not smaller: a multiple of 50 up to 500, of 100 up to 1,000, and so on."""
    steps = ((500, 50), (1000, 100), (2000, 200), (5000, 500))
    step = next((step for limit, step in steps if rows <= limit), 1000)
    return int(-(-(rows - TINY) // step) * step)
