"""Predictors of tasks of kind number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nshot.core.numbers import written
from nshot.core.types import Example, Input, ModelRef, Prediction, Task
from nshot.models.base import Floats, Models
from nshot.predictors.features import Source, source_from
from nshot.predictors.folder import Saved, array, write
from nshot.predictors.label_head import head_of, products
from nshot.predictors.nearest import cosines, neighbours
from nshot.prompts.render import Format


@dataclass(frozen=True)
class Spread:
    """Where the numbers of some rows lie. A head that is trained answers deviations from the mean.

    `deviation` is their standard deviation, 1 where they are all equal.
    """

    mean: float
    deviation: float
    low: float
    high: float

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Spread:
        """Of the numbers of `examples`, which are not empty."""
        values = np.array([float(example.targets[0]) for example in examples])
        deviation = float(values.std()) or 1.0
        return cls(float(values.mean()), deviation, float(values.min()), float(values.max()))


@dataclass(frozen=True)
class FixedNumber:
    """The same number for every input."""

    task: Task
    value: float

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """No scores: the answers are numbers."""
        return [Prediction(written(self.value))] * len(inputs)

    def save(self, folder: Path) -> None:
        """One JSON file."""
        write(folder, "fixed_number", self.task, {"value": self.value})

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> FixedNumber:
        """The predictor that `save` wrote."""
        return cls(saved.task, float(saved.settings["value"]))


@dataclass(frozen=True)
class NumberHead:
    """features @ weights + bias, kept between `low` and `high`; `weights` (width,)."""

    task: Task
    source: Source
    weights: Floats
    bias: float
    low: float
    high: float

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """No scores: the answers are numbers."""
        if not inputs:
            return []
        features = self.source.read(inputs)
        matrix = features.matrix.astype(np.float64)
        values = products(matrix, self.weights[:, None])[:, 0] + self.bias
        kept = np.clip(values, self.low, self.high)
        return [
            Prediction(written(value), tokens_in=tokens)
            for value, tokens in zip(kept.tolist(), features.tokens_in, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Weights as safetensors, the rest as JSON."""
        settings = {
            "source": self.source.settings(folder),
            "bias": self.bias,
            "low": self.low,
            "high": self.high,
        }
        arrays = {**self.source.arrays(), "weights": self.weights}
        write(folder, "number_head", self.task, settings, arrays)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> NumberHead:
        """The predictor that `save` wrote."""
        bias, low, high = (float(saved.settings[key]) for key in ("bias", "low", "high"))
        source = source_from(saved, models)
        return cls(saved.task, source, array(saved, "weights"), bias, low, high)


@dataclass(frozen=True)
class NeighbourMean:
    """The mean number of the `k` nearest labelled examples, by the features' cosine.

    `vectors` (examples, width), `numbers` (examples,).
    """

    task: Task
    source: Source
    vectors: NDArray[np.float32]
    numbers: Floats
    k: int

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """No scores: the answers are numbers."""
        if not inputs:
            return []
        features = self.source.read(inputs)
        chosen = neighbours(cosines(features.matrix, self.vectors), self.k)
        return [
            Prediction(written(value), tokens_in=tokens)
            for value, tokens in zip(
                self.numbers[chosen].mean(axis=1).tolist(), features.tokens_in, strict=True
            )
        ]

    def save(self, folder: Path) -> None:
        """Vectors and numbers as safetensors, the rest as JSON."""
        settings = {"source": self.source.settings(folder), "k": self.k}
        arrays = {**self.source.arrays(), "vectors": self.vectors, "numbers": self.numbers}
        write(folder, "neighbour_mean", self.task, settings, arrays)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> NeighbourMean:
        """The predictor that `save` wrote."""
        source, k = source_from(saved, models), int(saved.settings["k"])
        return cls(saved.task, source, array(saved, "vectors"), array(saved, "numbers"), k)


def trained_number(
    task: Task, models: Models, ref: ModelRef, format: Format, spread: Spread
) -> NumberHead:
    """The head in the last delta of `ref`, which answers deviations from the mean of `spread`."""
    weights, source = head_of(task, models, ref, format)
    scaled = weights[:, 0] * spread.deviation
    return NumberHead(task, source, scaled, spread.mean, spread.low, spread.high)
