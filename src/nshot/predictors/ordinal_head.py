"""Levels in order, by one line through frozen features and thresholds along it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nshot.core.types import Input, Prediction, Task
from nshot.models.base import Floats, Models
from nshot.predictors.features import Source, source_from
from nshot.predictors.folder import Saved, array, write
from nshot.predictors.label_head import products

NEVER = -30.0
"""Log-probability of a level that no example had."""


@dataclass(frozen=True)
class OrdinalHead:
    """P(level <= k) = sigmoid(threshold k - features @ weights).

    `weights` (width,) and `thresholds` (known levels - 1,), rising; `known` (known levels,): the
    places in the task of the levels that had examples. The answer is the level nearest to the
    expected one, the levels counted from 0.
    """

    task: Task
    source: Source
    weights: Floats
    thresholds: Floats
    known: NDArray[np.int64]

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Scores are log-probabilities of the levels."""
        if not inputs:
            return []
        features = self.source.read(inputs)
        matrix = features.matrix.astype(np.float64)
        places = products(matrix, self.weights[:, None])[:, 0]
        scores = np.full((len(places), len(self.task.labels)), NEVER)
        scores[:, self.known] = level_logprobs(places, self.thresholds)
        names = self.task.label_names
        expected = np.exp(scores) @ np.arange(len(names))
        return [
            Prediction(names[min(round(level), len(names) - 1)], tuple(row.tolist()), tokens)
            for level, row, tokens in zip(expected, scores, features.tokens_in, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Arrays as safetensors, the rest as JSON."""
        arrays = {
            **self.source.arrays(),
            "weights": self.weights,
            "thresholds": self.thresholds,
            "known": self.known,
        }
        settings = {"source": self.source.settings(folder)}
        write(folder, "ordinal_head", self.task, settings, arrays)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> OrdinalHead:
        """The predictor that `save` wrote."""
        weights, thresholds = array(saved, "weights"), array(saved, "thresholds")
        source = source_from(saved, models)
        return cls(saved.task, source, weights, thresholds, array(saved, "known"))


def level_logprobs(places: Floats, thresholds: Floats) -> Floats:
    """(rows, levels) log-probabilities of rows at `places` (rows,) on the line.

    sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)): nothing is subtracted that
    is nearly equal.
    """
    edges = thresholds[None, :] - places[:, None]
    none = np.zeros((len(places), 1))
    below, above = -np.logaddexp(0, -edges), -np.logaddexp(0, edges)
    inside = np.log(-np.expm1(-np.diff(thresholds)))[None, :]
    middle = np.hstack([none, np.broadcast_to(inside, (len(places), inside.shape[1])), none])
    if not len(thresholds):
        return none
    return np.asarray(np.hstack([below, none]) + np.hstack([none, above]) + middle)
