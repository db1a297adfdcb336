"""The race between prompts: the weaker half goes after each block of rows.

Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization",
AISTATS 2016, https://arxiv.org/abs/1502.07943, algorithm 1 (successive halving). Beside it, who is
behind the leader by two standard errors in pairs goes at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

K = TypeVar("K")
PAIRED = 16
"""Rows from which a difference in pairs sends a candidate away."""


@dataclass(frozen=True)
class Look:
    """What a candidate did on the first rows: its score, its points of each row, (rows,).

    `fit` is the mean log-probability of the right label, -inf where there are none: it parts those
    of equal score.
    """

    score: float
    fit: float
    points: NDArray[np.float64]


def ends(rows: int, first: int = 8) -> list[int]:
    """After how many rows candidates are looked at: twice as many each time, up to `rows`."""
    stages = [first * 2**k for k in range(32) if first * 2**k < rows]
    return [*stages, rows] if rows else []


def race(
    keys: Sequence[K],
    look: Callable[[K, int], Look | None],
    cost: Callable[[K, int], int],
    room: Callable[[], int],
    stages: Sequence[int],
    keep: int,
) -> list[K]:
    """The best first, `keep` of them at most; [] where none could be asked.

    Args:
        keys: candidates; where not all can be paid for, those in front are asked.
        look: how one did on the first n rows, asked where it was not; None where it failed.
        cost: what that takes at most; 0 where it was asked.
        room: what may still be spent.
    """
    alive: list[K] = list(keys)
    ranking: list[K] = []
    for stage, rows in enumerate(stages):
        if stage and len(alive) <= keep:
            break
        alive = _affordable(alive, rows, cost, room())
        if not alive or (stage and len(alive) < 2):
            break
        looks = [(one, seen) for one in alive if (seen := look(one, rows)) is not None]
        looks.sort(key=lambda pair: (-pair[1].score, -pair[1].fit))
        ranking = [one for one, _ in looks]
        near = [one for one, seen in looks if not behind(seen, looks[0][1])]
        alive = near[: max(keep, math.ceil(len(looks) / 2))]
    return ranking[:keep]


def behind(own: Look, leader: Look) -> bool:
    """Is it behind the leader by two standard errors of the difference in pairs?"""
    count = len(own.points)
    if count < PAIRED:
        return False
    difference = leader.points - own.points
    return float(difference.mean()) > 2 * float(difference.std(ddof=1)) / math.sqrt(count)


def _affordable(alive: Sequence[K], rows: int, cost: Callable[[K, int], int], room: int) -> list[K]:
    """As many of the first as can be paid for."""
    paid: list[K] = []
    for one in alive:
        room -= cost(one, rows)
        if room < 0:
            break
        paid.append(one)
    return paid
