"""Two methods in a row: the cheap one answers where it is sure, the dear one the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from nshot.core.errors import CannotAdapt
from nshot.core.types import (
    LABELLED,
    Cost,
    Example,
    Fold,
    Kind,
    Prediction,
    Rung,
    Shots,
    Task,
    Trains,
)
from nshot.data.drawing import sample
from nshot.methods.contract import Brief, Method, Taken, Workbench
from nshot.methods.table import Nested
from nshot.models.base import Floats
from nshot.predictors.base import Predictor
from nshot.predictors.cascade import Cascade as Answering
from nshot.predictors.cascade import sureness

ERROR = 0.05
"""How often a target accuracy may be missed on new rows like the labelled ones."""
FOLDS, SLOW_FOLDS = 4, 2
"""In which a part learns to answer rows that it has not seen."""
SLOW_ROWS = 200
"""Labelled rows that a slow part answers for the threshold, at most."""
PASSED = 0.3
"""The share of rows that is passed on, in a forecast: what it is, the rows say."""
_TRAINS: Sequence[Trains] = ("nothing", "head", "adapter", "weights")


class _OfBoth:
    """What its two methods are together, where a value is looked at; of the class, a default."""

    def __init__(self, name: str, default: Any) -> None:
        self._name, self._default = name, default

    def __get__(self, method: Cascade | None, cls: type[Cascade]) -> Any:
        if method is None:
            return self._default
        pair = [getattr(part, self._name) for part in (method.cheap, method.dear)]
        if self._name == "trains":
            return max(pair, key=_TRAINS.index)
        return any(pair) if self._name == "learns" else all(pair)


class _Validation(NamedTuple):
    """Rows that neither part had learned from: how sure the cheap one is, who is right."""

    sure: Floats
    cheap: Floats
    dear: Floats


class Cascade(Method):
    """Viola and Jones, "Rapid Object Detection using a Boosted Cascade", CVPR 2001.

    https://doi.org/10.1109/CVPR.2001.990517 - most inputs are easy, and need not cost what the hard
    ones do. The probability from which the cheap method answers is chosen on labelled rows that
    neither had learned from. For a target accuracy it is the lowest that keeps it with 95 %
    confidence: thresholds are tested from the surest down, until one fails (fixed sequence testing,
    Angelopoulos et al. 2021, "Learn then Test", https://arxiv.org/abs/2110.01052, section 2.2).

    Args:
        cheap: answers first, and must give probabilities.
        dear: answers what the cheap one is not sure of.
        accuracy: the share of right answers to keep; None: the highest that there is, with the
            fewest rows passed on.
    """

    name: ClassVar = "cascade"
    rung: ClassVar[Rung] = "compose"
    kinds: ClassVar[frozenset[Kind]] = LABELLED
    takes: ClassVar[frozenset[Taken]] = frozenset({"text", "pictures"})
    trains: ClassVar[Any] = _OfBoth("trains", "nothing")
    fast: ClassVar[Any] = _OfBoth("fast", False)
    learns: ClassVar[Any] = _OfBoth("learns", True)
    hands_over: ClassVar[Any] = _OfBoth("hands_over", True)
    about: ClassVar[str] = "a cheap method where it is sure, a dear one for the rest"

    cheap: Nested
    dear: Nested
    accuracy: float | None = Field(default=None, gt=0, lt=1)

    @property
    def called(self) -> str:
        """With the names of both."""
        return f"{self.name}:{self.cheap.called}+{self.dear.called}"

    def why_not(self, brief: Brief) -> str | None:
        """Also where one of them cannot work."""
        if reason := super().why_not(brief):
            return reason
        for part in (self.cheap, self.dear):
            if reason := part.why_not(brief):
                return f"its {part.called} {reason}"
        return None if brief.per_label > 1 else "needs two labelled rows of each label"

    def forecast(self, brief: Brief) -> Cost:
        """Both are built on all rows, and on folds of them for the threshold."""
        cost = Cost()
        for part in (self.cheap, self.dear):
            rows = brief.labelled if part.fast else min(brief.labelled, SLOW_ROWS)
            cost = cost.then(part.forecast(brief)).then(
                part.use_forecast(replace(brief, test=rows))
            )
            for _ in range(_folds(part) if part.learns else 0):
                cost = cost.then(part.forecast(brief))
        return cost

    def use_forecast(self, brief: Brief) -> Cost:
        """The cheap one answers all rows, the dear one some of them."""
        some = replace(brief, test=max(1, int(PASSED * brief.test)))
        return self.cheap.use_forecast(brief).then(self.dear.use_forecast(some))

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Choose the threshold, then build both on all rows.

        Raises `CannotAdapt` where the cheap one gives no probabilities, or rows are too few.
        """
        validation = self._validation(task, shots, bench)
        threshold = self._threshold(validation, bench)
        cheap = self._part("cheap", self.cheap, task, shots, bench)
        dear = self._part("dear", self.dear, task, shots, bench)
        return Answering(task, cheap, dear, threshold)

    def _part(
        self, role: str, part: Method, task: Task, shots: Shots, bench: Workbench
    ) -> Predictor:
        if part.learns:
            return bench.adapt(role, part, task, shots)
        return part.adapt(task, shots, bench)

    # ---------------------------------------------------------------------------- the threshold

    def _validation(self, task: Task, shots: Shots, bench: Workbench) -> _Validation:
        rows = shots.labelled
        if not (self.cheap.fast and self.dear.fast):
            rows = sample(rows, SLOW_ROWS, 0, task.drawn_labels)
        cheap = self._unseen("cheap", self.cheap, task, shots, rows, bench)
        dear = self._unseen("dear", self.dear, task, shots, rows, bench)
        both = [row for row in rows if row.id in cheap and row.id in dear]
        if not both:
            raise CannotAdapt("needs two labelled rows of a label that are not of one group")
        answers = [cheap[row.id] for row in both]
        if not any(answer.scores for answer in answers):
            raise CannotAdapt(f"{self.cheap.called} gives no probabilities: it cannot be unsure")
        return _Validation(
            sureness(answers),
            np.array([a.answer == row.label for a, row in zip(answers, both, strict=True)]),
            np.array([dear[row.id].answer == row.label for row in both]),
        )

    def _unseen(
        self,
        role: str,
        part: Method,
        task: Task,
        shots: Shots,
        rows: Sequence[Example],
        bench: Workbench,
    ) -> dict[str, Prediction]:
        """What a part answers to rows that it has not learned from, by id."""
        if not part.learns:
            predictor = part.adapt(task, shots, bench)
            answers = predictor.predict([row.input for row in rows])
            return {row.id: one for row, one in zip(rows, answers, strict=True)}
        chosen = {row.id for row in rows}
        known: dict[str, Prediction] = {}
        for fold in shots.folds(_folds(part)):
            dev = [row for row in fold.dev if row.id in chosen]
            predictor = self._of_fold(role, part, task, fold, bench)
            answers = predictor.predict([row.input for row in dev])
            known |= {row.id: one for row, one in zip(dev, answers, strict=True)}
        return known

    def _of_fold(
        self, role: str, part: Method, task: Task, fold: Fold, bench: Workbench
    ) -> Predictor:
        return bench.adapt(f"{role} of a fold", part, task, fold.shots)

    def _threshold(self, validation: _Validation, bench: Workbench) -> float:
        count = len(validation.sure)
        if self.accuracy is None:
            threshold, right = best_threshold(*validation)
            passed = float((validation.sure < threshold).mean())
            bench.note(
                f"threshold {threshold:.3g}: of {count} validation rows it passed"
                f" {100 * passed:.0f} % on, and {100 * right:.0f} % were right"
            )
            return threshold
        threshold = sure_threshold(*validation, accuracy=self.accuracy)
        if not np.isfinite(threshold):
            bench.note(
                f"{count} validation rows do not show that {100 * self.accuracy:g} % is kept, even"
                f" where {self.dear.called} answers all: it does"
            )
            return EVERYTHING
        bench.note(f"threshold {threshold:.3g}: keeps {100 * self.accuracy:g} % of {count}"
                   " validation rows, with 95 % confidence")  # fmt: skip
        return threshold


EVERYTHING = 2.0
"""A threshold that no probability reaches."""


def _folds(part: Method) -> int:
    return FOLDS if part.fast else SLOW_FOLDS


def _candidates(sure: Floats) -> list[float]:
    """Thresholds from the one that passes all on down to the one that passes none."""
    return [EVERYTHING, *sorted({float(one) for one in sure if one >= 0}, reverse=True)]


def best_threshold(sure: Floats, cheap: Floats, dear: Floats) -> tuple[float, float]:
    """(threshold, share of right answers): the highest share, of equals the lowest threshold.

    (rows,) each: how sure the cheap one is, and whether each of the two is right.
    """
    best = (EVERYTHING, -1.0)
    for threshold in _candidates(sure):
        right = float(np.where(sure >= threshold, cheap, dear).mean())
        if right >= best[1]:
            best = (threshold, right)
    return best


def sure_threshold(sure: Floats, cheap: Floats, dear: Floats, accuracy: float) -> float:
    """The lowest threshold at which so many answers are right, at an error of `ERROR`; inf: none.

    From the one that passes all on down, each is tested by the binomial distribution, and the first
    that fails ends it: an error in any of them is then an error in the first that is wrong.
    """
    from scipy.stats import binom

    thresholds = _candidates(sure)
    hits = np.array([np.where(sure >= one, cheap, dear).sum() for one in thresholds])
    fails = np.flatnonzero(binom.sf(hits - 1, len(sure), accuracy) > ERROR)
    passed = len(thresholds) if not len(fails) else int(fails[0])
    return thresholds[passed - 1] if passed else float("inf")
