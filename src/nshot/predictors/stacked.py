"""A linear head on a predictor's log-probabilities and the text's vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nshot.core import machine
from nshot.core.errors import Fault, InputError
from nshot.core.types import Input, Prediction, Task
from nshot.models.base import Floats, Models
from nshot.predictors import load
from nshot.predictors.base import AskedElsewhere, Predictor
from nshot.predictors.features import Source, source_from
from nshot.predictors.folder import Saved, array, write
from nshot.predictors.label_head import products
from nshot.predictors.scores import classified, log_softmax

OF = "of"
"""The folder of the predictor inside, beside the record."""
LOWEST = -10.0
"""A log-probability under it is as good as none: how sure a model is beyond it says nothing."""


@dataclass(frozen=True)
class Stacked:
    """log softmax([vector, log-probabilities of `of`] @ weights + bias).

    `weights` (width + labels, labels) and `bias` (labels,), float64.
    """

    task: Task
    of: Predictor
    source: Source
    weights: Floats
    bias: Floats

    def __post_init__(self) -> None:
        """Weights row after row, as the saved file holds them: the layout decides the rounding."""
        object.__setattr__(self, "weights", np.ascontiguousarray(self.weights))

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """The most probable label of each input; tokens, seconds and money are of both."""
        if not inputs:
            return []
        inner = self.of.predict(inputs)
        start = machine.cold_clock()
        read = self.source.read(inputs)
        matrix = features(self.task, inner, np.asarray(read.matrix, dtype=np.float64))
        scores = log_softmax(products(matrix, self.weights) + self.bias)
        own = classified(self.task, scores, read.tokens_in)
        each = (machine.cold_clock() - start) / len(inputs)
        return [
            replace(
                one,
                tokens_in=one.tokens_in + before.tokens_in,
                tokens_out=before.tokens_out,
                money=before.money,
                seconds=None if before.seconds is None else before.seconds + each,
            )
            for one, before in zip(own, inner, strict=True)
        ]

    def anew(self) -> Stacked | None:
        """It, asking again what was answered before; None where nobody is asked."""
        return self._with(self.of.anew() if isinstance(self.of, AskedElsewhere) else None)

    def in_reverse(self) -> Stacked | None:
        """It, with the options of what it asks in reverse; None where they have no order."""
        return self._with(self.of.in_reverse() if isinstance(self.of, AskedElsewhere) else None)

    def in_other_words(self) -> Stacked | None:
        """It, asking the same in other words; None where nobody is asked."""
        return self._with(self.of.in_other_words() if isinstance(self.of, AskedElsewhere) else None)

    def _with(self, of: Predictor | None) -> Stacked | None:
        return None if of is None else replace(self, of=of)

    def save(self, folder: Path) -> None:
        """The predictor inside in a folder of its own; weights as safetensors, the rest as JSON."""
        self.of.save(folder / OF)
        settings = {"source": self.source.settings(folder)}
        arrays = {**self.source.arrays(), "weights": self.weights, "bias": self.bias}
        write(folder, "stacked", self.task, settings, arrays)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Stacked:
        """The predictor that `save` wrote."""
        place = saved.folder / OF
        if not place.is_dir():
            do, where = "copy the whole folder again", str(saved.folder)
            raise InputError(Fault(f"no folder {OF}", do=do, where=where))
        source = source_from(saved, models)
        weights, bias = array(saved, "weights"), array(saved, "bias")
        return cls(saved.task, load(place, models), source, weights, bias)


def features(task: Task, answers: Sequence[Prediction], vectors: Floats) -> Floats:
    """(rows, width + labels): the vectors, and of each label its log-probability less their mean.

    Where an answer has no scores (it was refused) all labels are alike.
    """
    rows = np.zeros((len(answers), len(task.labels)))
    for row, one in zip(rows, answers, strict=True):
        if len(one.scores) == len(task.labels):
            row[:] = np.maximum(log_softmax(np.array(one.scores, dtype=np.float64)), LOWEST)
            row -= row.mean()
    return np.concatenate([vectors, rows], axis=1)
