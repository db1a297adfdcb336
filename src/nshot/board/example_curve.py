"""Score over how many examples a prompt shows, and whether more of them pay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nshot.board.ablation import Worth, variance_of_mean, worth_of
from nshot.board.column import Floats
from nshot.board.draws import PRIOR_SD, PRIOR_WEIGHT, draw_variance
from nshot.board.score import CONFIDENCE


@dataclass(frozen=True)
class CurvePoint:
    """A number of examples: the score of each draw of them, and the tokens of a request, mean."""

    shown: int
    scores: tuple[float, ...]
    tokens: float

    @property
    def score(self) -> float:
        """The mean over the draws."""
        return float(np.mean(self.scores))


@dataclass(frozen=True)
class Gain:
    """What some number of examples adds to a smaller one, on the same rows, with its interval."""

    fewer: int
    more: int
    difference: float
    low: float
    high: float

    @property
    def worth(self) -> Worth:
        """By the side of zero on which the whole interval lies."""
        return worth_of(self.low, self.high)


def gain(
    fewer: tuple[int, Floats], more: tuple[int, Floats], groups: Sequence[int] | None = None
) -> Gain:
    """The difference of two (draws, rows) tables of points, whose rows are the same.

    Of `fewer` the draws are those of `more`, or it is one that no draw moves. The interval is
    Student's at 95 %, for other rows and other draws: the rows' luck over whole groups, and that
    of the draws as on the board (`nshot.board.draws`), a variance of few draws drawn towards the
    one that was assumed beforehand; degrees of freedom by Satterthwaite (1946). As wide as can be,
    -1 to 1, where the rows are of one group.
    """
    from scipy.special import stdtrit  # late: scipy takes a second to load

    (few, before), (many, after) = fewer, more
    table = after - before
    draws, count = table.shape
    by_row = table.mean(axis=0)
    mean = float(by_row.mean())
    numbers = np.arange(count) if groups is None else np.array(groups)
    units = len(np.unique(numbers))
    if units < 2:
        return Gain(few, many, mean, -1.0, 1.0)
    of_rows = variance_of_mean(by_row, numbers)
    share = float(np.clip(after.mean(), 0.0, 1.0))
    assumed = PRIOR_SD**2 * share * (1 - share)
    measured = max(0.0, draw_variance(table))
    freedom = PRIOR_WEIGHT + draws - 1
    of_draws = (PRIOR_WEIGHT * assumed + (draws - 1) * measured) / freedom / draws
    variance = of_rows + of_draws
    degrees = variance**2 / max(of_rows**2 / (units - 1) + of_draws**2 / freedom, 1e-30)
    width = float(stdtrit(max(degrees, 1.0), 0.5 + CONFIDENCE / 2)) * variance**0.5
    return Gain(few, many, mean, max(-1.0, mean - width), min(1.0, mean + width))
