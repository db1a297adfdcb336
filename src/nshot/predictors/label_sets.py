"""Predictors of tasks of kind multilabel: a label applies whose probability reaches a threshold.

Scores are the logarithms of the probabilities; thresholds are probabilities, one a label.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nshot.core.label_sets import joined
from nshot.core.types import Input, ModelRef, Prediction, Task
from nshot.models.base import Floats, Models
from nshot.predictors import load
from nshot.predictors.base import Predictor
from nshot.predictors.eight_bits import as_kept, on_grid
from nshot.predictors.features import Source, source_from
from nshot.predictors.folder import Saved, array, in_eight_bits, write
from nshot.predictors.label_head import head_of, products
from nshot.predictors.nearest import cosines, neighbours
from nshot.predictors.scores import charged
from nshot.prompts.questions import question_of
from nshot.prompts.render import Format

LEAST = 1e-3
"""The least probability that is given, and the least distance from 1."""
INNER = "questions"
"""The folder of the predictor that answers yes or no."""


def applying(
    task: Task, probabilities: Floats, thresholds: Sequence[float], tokens_in: Sequence[int]
) -> list[Prediction]:
    """One prediction per row of (inputs, labels) probabilities."""
    kept = np.clip(np.asarray(probabilities, dtype=np.float64), LEAST, 1 - LEAST)
    names, least = task.label_names, np.clip(np.asarray(thresholds), LEAST, 1 - LEAST)
    return [
        Prediction(
            joined(task, {name for name, on in zip(names, row >= least, strict=True) if on}),
            tuple(np.log(row).tolist()),
            tokens_in=tokens,
        )
        for row, tokens in zip(kept, tokens_in, strict=True)
    ]


def sigmoid(logits: Floats) -> Floats:
    """1 / (1 + exp(-logits)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(logits / 2)))


@dataclass(frozen=True)
class FixedLabels:
    """The same `answer` for every input; `shares` (labels,): of how many rows each label is one."""

    task: Task
    answer: str
    shares: tuple[float, ...]

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Scores are the logarithms of the shares."""
        scores = np.log(np.clip(self.shares, LEAST, 1 - LEAST))
        return [Prediction(self.answer, tuple(scores.tolist()))] * len(inputs)

    def save(self, folder: Path) -> None:
        """One JSON file."""
        settings = {"answer": self.answer, "shares": list(self.shares)}
        write(folder, "fixed_labels", self.task, settings)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> FixedLabels:
        """The predictor that `save` wrote."""
        return cls(saved.task, saved.settings["answer"], tuple(saved.settings["shares"]))


@dataclass(frozen=True)
class LabelSetHead:
    """P(label) = sigmoid(features @ weights + bias), each label for itself.

    `weights` (width, labels), `bias` and `thresholds` (labels,), float64. `eight_bits` as of
    `nshot.predictors.label_head.LabelHead`.
    """

    task: Task
    source: Source
    weights: Floats
    bias: Floats
    thresholds: Floats
    eight_bits: bool = False

    def __post_init__(self) -> None:
        """Weights row after row, as the saved file holds them: the layout decides the rounding."""
        object.__setattr__(self, "weights", np.ascontiguousarray(self.weights))

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Scores are log-probabilities, one a label."""
        if not inputs:
            return []
        features = self.source.read(inputs)
        logits = products(features.matrix.astype(np.float64), self.weights) + self.bias
        thresholds = self.thresholds.tolist()
        return applying(self.task, sigmoid(logits), thresholds, features.tokens_in)

    def in_eight_bits(self) -> LabelSetHead:
        """The same with its weights rounded; bias and thresholds stay."""
        return replace(self, weights=on_grid(self.weights, 0), eight_bits=True)

    def save(self, folder: Path) -> None:
        """Arrays as safetensors, the rest as JSON."""
        arrays = {
            **self.source.arrays(),
            **as_kept("weights", self.weights, 0, self.eight_bits),
            "bias": self.bias,
            "thresholds": self.thresholds,
        }
        settings = {"source": self.source.settings(folder)}
        write(folder, "label_set_head", self.task, settings, arrays)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> LabelSetHead:
        """The predictor that `save` wrote."""
        weights, bias, thresholds = (
            array(saved, name) for name in ("weights", "bias", "thresholds")
        )
        source, eight_bits = source_from(saved, models), in_eight_bits(saved, "weights")
        return cls(saved.task, source, weights, bias, thresholds, eight_bits)


def trained_label_sets(task: Task, models: Models, ref: ModelRef, format: Format) -> LabelSetHead:
    """The head in the last delta of `ref`, one output a label; the thresholds are a half."""
    weights, source = head_of(task, models, ref, format)
    return LabelSetHead(task, source, weights, 0 * weights[0], np.full(len(task.labels), 0.5))


@dataclass(frozen=True)
class NeighbourShares:
    """P(label) = its share among the `k` nearest labelled examples, by the features' cosine.

    `vectors` (examples, width); `applies` (examples, labels), 0 and 1; `thresholds` (labels,).
    """

    task: Task
    source: Source
    vectors: NDArray[np.float32]
    applies: Floats
    thresholds: Floats
    k: int

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Scores are the logarithms of the shares."""
        if not inputs:
            return []
        features = self.source.read(inputs)
        chosen = neighbours(cosines(features.matrix, self.vectors), self.k)
        shares = self.applies[chosen].mean(axis=1)
        return applying(self.task, shares, self.thresholds.tolist(), features.tokens_in)

    def save(self, folder: Path) -> None:
        """Arrays as safetensors, the rest as JSON."""
        arrays = {
            **self.source.arrays(),
            "vectors": self.vectors,
            "applies": self.applies,
            "thresholds": self.thresholds,
        }
        settings = {"source": self.source.settings(folder), "k": self.k}
        write(folder, "neighbour_shares", self.task, settings, arrays)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> NeighbourShares:
        """The predictor that `save` wrote."""
        vectors, applies, thresholds = (
            array(saved, name) for name in ("vectors", "applies", "thresholds")
        )
        source, k = source_from(saved, models), int(saved.settings["k"])
        return cls(saved.task, source, vectors, applies, thresholds, k)


@dataclass(frozen=True)
class AskedLabels:
    """Asks `inner`, which answers yes or no, whether each label applies (`prompts.questions`).

    `inner` may give no scores: then yes is as probable as can be, or no.
    """

    task: Task
    inner: Predictor
    thresholds: tuple[float, ...]

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Scores are the log-probabilities of yes; what it takes is what all questions take."""
        if not inputs:
            return []
        labels = self.task.labels
        questions = [question_of(self.task, label, one) for one in inputs for label in labels]
        answers = self.inner.predict(questions)
        shape = len(inputs), len(labels)
        yes = np.array([_yes(one) for one in answers]).reshape(shape)
        made = applying(self.task, yes, self.thresholds, [0] * len(inputs))
        each = len(labels)
        return [charged(one, answers[at * each : (at + 1) * each]) for at, one in enumerate(made)]

    def save(self, folder: Path) -> None:
        """The predictor of yes and no in a folder of its own; the thresholds as JSON."""
        self.inner.save(folder / INNER)
        write(folder, "asked_labels", self.task, {"thresholds": list(self.thresholds)})

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> AskedLabels:
        """The predictor that `save` wrote."""
        inner = load(saved.folder / INNER, models)
        return cls(saved.task, inner, tuple(saved.settings["thresholds"]))


def _yes(answer: Prediction) -> float:
    if len(answer.scores) != 2:
        return float(answer.answer == "yes")
    yes, no = answer.scores
    return 1 / (1 + math.exp(min(no - yes, 700)))
