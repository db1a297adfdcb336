"""A head on what another method holds for probable, beside the text's vector."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from pydantic import PositiveFloat

from nshot.core.errors import CannotAdapt
from nshot.core.types import LABELLED, Cost, Kind, Rung, Shots, Task
from nshot.methods.compose.unseen import built, folds_of, unseen
from nshot.methods.compress.of_inner import OfInner
from nshot.methods.contract import Brief, Method, Taken, Workbench
from nshot.methods.features import encoder_of, one_hot, seconds_to_read
from nshot.methods.logistic import Design, logistic_of_shares
from nshot.methods.table import Nested
from nshot.predictors.base import Predictor
from nshot.predictors.stacked import Stacked as Answering
from nshot.predictors.stacked import features


class Stacked(Method):
    """Wolpert, "Stacked generalization", Neural Networks 1992.

    https://doi.org/10.1016/S0893-6080(05)80023-1 - a linear head learns from the log-probabilities
    that a contender gives each label, and from the text's vector. They are those of rows that the
    contender had not learned from, on folds where it learns (Ting and Witten 1999,
    https://doi.org/10.1613/jair.594: probabilities, not answers, are what to stack). So the labels
    of a decision model are corrected where it errs alike again and again.

    Args:
        of: the contender, which must give probabilities.
        C: inverse of the L2 penalty.
    """

    name: ClassVar = "stacked"
    rung: ClassVar[Rung] = "compose"
    kinds: ClassVar[frozenset[Kind]] = LABELLED
    takes: ClassVar[frozenset[Taken]] = frozenset({"text", "pictures"})
    needs_encoder: ClassVar[bool] = True
    trains: ClassVar = "head"
    fast: ClassVar[Any] = OfInner("of", "fast", False)
    hands_over: ClassVar[Any] = OfInner("of", "hands_over", True)
    about: ClassVar[str] = "a head on a contender's probabilities and the text's vector"

    of: Nested
    C: PositiveFloat = 1.0

    @property
    def called(self) -> str:
        """With the contender's name."""
        return f"{self.name}:{self.of.called}"

    def why_not(self, brief: Brief) -> str | None:
        """Also where the contender cannot work."""
        if reason := super().why_not(brief):
            return reason
        if reason := self.of.why_not(brief):
            return f"its {self.of.called} {reason}"
        return None if brief.per_label > 1 else "needs two labelled rows of each label"

    def forecast(self, brief: Brief) -> Cost:
        """The contender is built on all rows and on folds, and answers all; the head is quick."""
        cost = Cost(seconds=0.05 + seconds_to_read(brief.labelled, brief))
        for _ in range(1 + (folds_of(self.of) if self.of.learns else 0)):
            cost = cost.then(self.of.forecast(brief))
        return cost.then(self.of.use_forecast(_asking(brief, brief.labelled)))

    def use_forecast(self, brief: Brief) -> Cost:
        """The contender answers and the encoder reads every row."""
        return self.of.use_forecast(brief).then(Cost(seconds=seconds_to_read(brief.test, brief)))

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Fit the head on answers that were not learned, then build the contender on all rows.

        Raises `CannotAdapt` where it gives no probabilities, or rows are too few.
        """
        answers = unseen("of", self.of, task, shots, shots.labelled, bench)
        rows = [row for row in shots.labelled if row.id in answers]
        if not rows:
            raise CannotAdapt("needs two labelled rows of a label that are not of one group")
        known = [answers[row.id] for row in rows]
        if not any(one.scores for one in known):
            raise CannotAdapt(f"{self.of.called} gives no probabilities to learn from")
        bench.charge(0.0, sum(one.money for one in known))
        source = encoder_of(bench)
        vectors = np.asarray(source.read([row.input for row in rows]).matrix, dtype=np.float64)
        design = Design.of(features(task, known, vectors))
        weights, bias = logistic_of_shares(design, one_hot(task, rows), self.C)
        bench.trained(weights.size + bias.size)
        return Answering(task, built("of", self.of, task, shots, bench), source, weights, bias)


def _asking(brief: Brief, rows: int) -> Brief:
    return replace(brief, test=max(rows, 1))
