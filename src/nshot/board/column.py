"""A contender as it stands on the board, in numbers: what a decision is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import Fault, InputError

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.intp]
Bools: TypeAlias = NDArray[np.bool_]
Question: TypeAlias = Literal[1, 2]
"""1: what to deliver, every contender fitted once on all labelled rows. 2: how methods do with n
examples of a label, over draws of them."""

LIFT = 0.05
"""What a search of settings may still bring to a contender that was measured without one."""


@dataclass(frozen=True)
class Column:
    """One contender as it was measured.

    Attributes:
        name: its row.
        points: (S, n_m) points in [0, 1] of the first n_m of the board's n test rows, or jackknife
            pseudo-values of a metric that is no mean of points. S is 1 for one fit, the repeats of
            folds, or the draws of the shots (draw s is the same shots for every method).
        cost: under the user's wish, lower is better.
        deterministic: neither shots nor seed change its answers.
        allowed: the user's wish lets it be the pick. If not, it still counts and is shown.
        fast: answers at once, so that it has all rows and, of the shots, many draws.
        searched: its settings are chosen. If not, it counts at its score plus `LIFT` and may not
            be picked.
        folds: into how many folds the labelled rows were cut for these points; 0: the points are of
            rows that nothing learned from.
        score: of a metric that is no mean of points, the score itself.
        without: (G,) of such a metric with groups, the score without each group of its rows, in
            ascending order of the group numbers.
    """

    name: str
    points: Floats
    cost: float
    deterministic: bool = False
    allowed: bool = True
    fast: bool = True
    searched: bool = True
    folds: int = 0
    score: float | None = None
    without: Floats | None = None

    @property
    def rows(self) -> int:
        """How many test rows it answered."""
        return int(self.points.shape[1])

    @property
    def row_means(self) -> Floats:
        """(n_m,) mean point of each row."""
        return np.asarray(self.points.mean(axis=0), dtype=np.float64)

    @property
    def mean(self) -> float:
        """Its score on the rows that it answered."""
        if self.score is not None:
            return self.score
        return float(self.points.sum() / self.points.size)  # the same for any order of the rows


def in_order(columns: Sequence[Column], groups: Sequence[int] | None = None) -> list[Column]:
    """The columns sorted by name, so that their order cannot change a simulated figure.

    Raises `InputError` on a board with no method, `ValueError` on points that are no board.
    """
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
    for c in columns:
        if c.points.ndim != 2 or c.points.size == 0 or not np.isfinite(c.points).all():
            raise ValueError(f"{c.name}: points must be (draws, test rows), finite and not empty")
        if np.isnan(c.cost) or c.folds == 1 or c.folds < 0:
            raise ValueError(f"{c.name}: cost must be a number, folds 0 or at least 2")
    _check_groups(columns, groups)
    return sorted(columns, key=lambda c: c.name)


def _check_groups(columns: Sequence[Column], groups: Sequence[int] | None) -> None:
    """Raise `ValueError` where group numbers do not fit the rows."""
    if groups is None:
        return
    if len(groups) < max(c.rows for c in columns):
        raise ValueError(f"{len(groups)} group numbers for {max(c.rows for c in columns)} rows")
    for c in columns:
        present = len(np.unique(groups[: c.rows]))
        if c.without is not None and len(c.without) != present:
            raise ValueError(
                f"{c.name}: {len(c.without)} scores without a group for {present} groups"
            )
