"""Two methods in a row: the cheap one answers where it is sure, the dear one the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
from pydantic import Field

from nshot.core.errors import CannotAdapt
from nshot.core.types import (
    LABELLED,
    Cost,
    Example,
    Kind,
    Prediction,
    Rung,
    Shots,
    Task,
    Trains,
)
from nshot.data.drawing import sample
from nshot.methods.compose.unseen import built, folds_of, unseen
from nshot.methods.contract import Brief, Method, Taken, Workbench
from nshot.methods.table import Nested
from nshot.metrics.binomial import exact_interval
from nshot.models.base import Floats
from nshot.predictors.base import Predictor
from nshot.predictors.cascade import Cascade as Answering
from nshot.predictors.cascade import sureness

ERROR = 0.05
"""How often a target accuracy may be missed on new rows like the labelled ones."""
SLOW_ROWS = 200
"""Labelled rows that a slow part answers for the threshold, at most."""
PASSED = 0.3
"""The share of rows that is passed on, in a forecast: what it is, the rows say."""
Budgeted: TypeAlias = Literal["passed_on", "money", "seconds"]
_UNITS: dict[Budgeted, str] = {
    "passed_on": "of the rows",
    "money": "in money for 1,000 rows",
    "seconds": "seconds for 1,000 rows",
}
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
    """Rows that neither part had learned from: how sure the cheap one is, who is right.

    `costs` are what 1,000 answers of each part come to, in what the budget is of.
    """

    sure: Floats
    cheap: Floats
    dear: Floats
    costs: tuple[float, float] = (0.0, 0.0)


class Cascade(Method):
    """Viola and Jones, "Rapid Object Detection using a Boosted Cascade", CVPR 2001.

    https://doi.org/10.1109/CVPR.2001.990517 - most inputs are easy, and need not cost what the hard
    ones do. The probability from which the cheap method answers is chosen on labelled rows that
    neither had learned from. For a target accuracy it is the lowest that keeps it with 95 %
    confidence: thresholds are tested from the surest down, until one fails (fixed sequence testing,
    Angelopoulos et al. 2021, "Learn then Test", https://arxiv.org/abs/2110.01052, section 2.2).

    Args:
        cheap: answers first, and must give probabilities.
        dear: answers what the cheap one is not sure of; `person`: somebody does.
        accuracy: the share of right answers to keep; None: the highest that there is, with the
            fewest rows passed on.
        budget: what 1,000 rows may cost, or the share of the rows that may be passed on.
        budget_of: what `budget` is of: ``passed_on``, a share; ``money``, by the prices that the
            parts are given; ``seconds``, as the parts take here.
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
    budget: float | None = Field(default=None, gt=0)
    budget_of: Budgeted = "passed_on"

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
        if self.budget is not None and self.budget_of == "passed_on" and self.budget > 1:
            return f"has a budget of {self.budget:g}, and a share of the rows is 1 at most"
        return None if brief.per_label > 1 else "needs two labelled rows of each label"

    def forecast(self, brief: Brief) -> Cost:
        """Both are built on all rows, and on folds of them for the threshold."""
        cost = Cost()
        for part in (self.cheap, self.dear):
            rows = brief.labelled if part.fast else min(brief.labelled, SLOW_ROWS)
            cost = cost.then(part.forecast(brief)).then(
                part.use_forecast(replace(brief, test=rows))
            )
            for _ in range(folds_of(part) if part.learns else 0):
                cost = cost.then(part.forecast(brief))
        return cost

    def use_forecast(self, brief: Brief) -> Cost:
        """The cheap one answers all rows, the dear one some of them."""
        by_share = self.budget is not None and self.budget_of == "passed_on"
        share = min(self.budget or 1.0, 1.0) if by_share else PASSED
        some = replace(brief, test=max(1, int(share * brief.test)))
        return self.cheap.use_forecast(brief).then(self.dear.use_forecast(some))

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Choose the threshold, then build both on all rows.

        Raises `CannotAdapt` where the cheap one gives no probabilities, or rows are too few.
        """
        validation = self._validation(task, shots, bench)
        threshold = self._threshold(validation, bench)
        cheap = built("cheap", self.cheap, task, shots, bench)
        dear = built("dear", self.dear, task, shots, bench)
        return Answering(task, cheap, dear, threshold)

    # ---------------------------------------------------------------------------- the threshold

    def _validation(self, task: Task, shots: Shots, bench: Workbench) -> _Validation:
        rows = shots.labelled
        if not (self.cheap.fast and self.dear.fast):
            rows = sample(rows, SLOW_ROWS, 0, task.drawn_labels)
        cheap = unseen("cheap", self.cheap, task, shots, rows, bench)
        dear = unseen("dear", self.dear, task, shots, rows, bench)
        both = [row for row in rows if row.id in cheap and row.id in dear]
        if not both:
            raise CannotAdapt("needs two labelled rows of a label that are not of one group")
        bench.charge(0.0, sum(one.money for part in (cheap, dear) for one in part.values()))
        answers = [cheap[row.id] for row in both]
        if not any(answer.scores for answer in answers):
            raise CannotAdapt(f"{self.cheap.called} gives no probabilities: it cannot be unsure")
        return _Validation(
            sureness(answers),
            np.array([a.answer == row.label for a, row in zip(answers, both, strict=True)]),
            np.array([_is_right(dear[row.id], row) for row in both]),
            (self._cost(answers), self._cost([dear[row.id] for row in both])),
        )

    def _cost(self, answers: Sequence[Prediction]) -> float:
        """Of 1,000 such answers, in what the budget is of."""
        if self.budget_of == "passed_on":
            return 0.0
        values = [a.money if self.budget_of == "money" else a.seconds or 0.0 for a in answers]
        return 1000 * float(np.mean(values))

    def _threshold(self, validation: _Validation, bench: Workbench) -> float:
        limit = self._limit(validation)
        if self.accuracy is None:
            threshold, right = best_threshold(*validation[:3], limit=limit)
            self._note(threshold, validation, f"{100 * right:.0f} % were right", bench)
            return threshold
        threshold = sure_threshold(*validation[:3], accuracy=self.accuracy)
        aim, count = f"{100 * self.accuracy:g} %", len(validation.sure)
        if not np.isfinite(threshold):
            bench.note(
                f"{count} validation rows do not show that {aim} is kept, even where"
                f" {self.dear.called} answers all: it answers as much as it may"
            )
            return limit
        if threshold > limit:
            self._note(limit, validation, f"to keep {aim} costs more than the budget", bench)
            return limit
        bench.note(f"threshold {threshold:.3g}: keeps {aim} of {count} validation rows, with 95 %"
                   " confidence")  # fmt: skip
        return threshold

    def _limit(self, validation: _Validation) -> float:
        """The highest threshold that the budget allows.

        Raises `CannotAdapt` where the cheap part alone costs more.
        """
        if self.budget is None:
            return EVERYTHING
        cheap, dear = validation.costs
        for threshold in _candidates(validation.sure):
            share = float((validation.sure < threshold).mean())
            cost = share if self.budget_of == "passed_on" else cheap + share * dear
            if cost <= self.budget + 1e-12:
                return threshold
        unit = _UNITS[self.budget_of]
        raise CannotAdapt(
            f"passes no fewer on than cost {cost:.3g} {unit}, and its budget is {self.budget:g}"
        )

    def _note(self, threshold: float, validation: _Validation, then: str, bench: Workbench) -> None:
        passed, count = int((validation.sure < threshold).sum()), len(validation.sure)
        low, high = exact_interval(passed, count)
        within = ""
        if self.budget is not None:
            within = f", within a budget of {self.budget:g} {_UNITS[self.budget_of]}"
        bench.note(
            f"threshold {threshold:.3g}: of {count} validation rows it passed"
            f" {100 * passed / count:.0f} % on ({100 * low:.0f} to {100 * high:.0f}){within}, and"
            f" {then}"
        )


def _is_right(answer: Prediction, row: Example) -> bool:
    """A person who is passed a row is taken to be right."""
    return answer.abstained or answer.answer == row.label


EVERYTHING = 2.0
"""A threshold that no probability reaches."""


def _candidates(sure: Floats) -> list[float]:
    """Thresholds from the one that passes all on down to the one that passes none."""
    return [EVERYTHING, *sorted({float(one) for one in sure if one >= 0}, reverse=True)]


def best_threshold(
    sure: Floats, cheap: Floats, dear: Floats, limit: float = EVERYTHING
) -> tuple[float, float]:
    """(threshold, share of right answers): the highest share, of equals the lowest threshold.

    (rows,) each: how sure the cheap one is, and whether each of the two is right. No threshold is
    over `limit`.
    """
    best = (limit, -1.0)
    for threshold in (one for one in _candidates(sure) if one <= limit):
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
