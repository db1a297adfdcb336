"""A linear head on frozen features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nshot.core.types import Input, ModelRef, Prediction, Task
from nshot.models.base import Floats, Models
from nshot.predictors.eight_bits import as_kept, on_grid
from nshot.predictors.features import HiddenStates, Source, source_from
from nshot.predictors.folder import Saved, array, in_eight_bits, write
from nshot.predictors.scores import classified, log_softmax
from nshot.prompts.render import Format


@dataclass(frozen=True)
class LabelHead:
    """log softmax(features @ weights + bias).

    `weights` (width, labels) and `bias` (labels,), float64. A head that was fitted on standardised
    features has the standardisation in them (`standardised`). With `eight_bits` the weights of a
    label are whole numbers and a scale (`nshot.predictors.eight_bits`), kept so in the folder.
    """

    task: Task
    source: Source
    weights: Floats
    bias: Floats
    eight_bits: bool = False

    def __post_init__(self) -> None:
        """Weights row after row, as the saved file holds them: the layout decides the rounding."""
        object.__setattr__(self, "weights", np.ascontiguousarray(self.weights))

    @classmethod
    def standardised(
        cls,
        task: Task,
        source: Source,
        weights: Floats,
        bias: Floats,
        mean: Floats,
        deviation: Floats,
    ) -> LabelHead:
        """A head for raw features x from one for (x - mean) / deviation, both (width,)."""
        folded = weights / deviation[:, None]
        return cls(task, source, folded, bias - mean @ folded)

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """The most probable label of each input; scores are log-probabilities."""
        if not inputs:
            return []
        features = self.source.read(inputs)
        matrix = features.matrix.astype(np.float64)
        logits = products(matrix, self.weights) + self.bias
        return classified(self.task, log_softmax(logits), features.tokens_in)

    def in_eight_bits(self) -> LabelHead:
        """The same with its weights rounded; the bias stays."""
        return replace(self, weights=on_grid(self.weights, 0), eight_bits=True)

    def save(self, folder: Path) -> None:
        """Weights and the source's arrays as safetensors, the rest as JSON."""
        settings = {"source": self.source.settings(folder)}
        weights = as_kept("weights", self.weights, 0, self.eight_bits)
        arrays = {**self.source.arrays(), **weights, "bias": self.bias}
        write(folder, "label_head", self.task, settings, arrays)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> LabelHead:
        """The predictor that `save` wrote."""
        source = source_from(saved, models)
        weights, bias = array(saved, "weights"), array(saved, "bias")
        return cls(saved.task, source, weights, bias, in_eight_bits(saved, "weights"))


def products(matrix: Any, weights: Floats) -> Floats:
    """(rows, labels) of (rows, width), dense or CSR, and (width, labels).

    Dense rows one by one: a product of many at once rounds by how many they are.
    """
    if not isinstance(matrix, np.ndarray):
        return np.asarray(matrix @ weights)
    return np.stack([row @ weights for row in matrix])


def head_of(
    task: Task, models: Models, ref: ModelRef, format: Format
) -> tuple[Floats, HiddenStates]:
    """The head in the last delta of `ref`, (width, outputs), and the states that it reads.

    Those are of the last token of the prompt, from the model with the delta.
    """
    from nshot.nets.label_head import head_weights

    weights: Floats = head_weights(Path(ref.deltas[-1].folder)).double().numpy().T
    layers = models.open(ref).facts.layers
    return weights, HiddenStates(task, models, ref, layers, "last", format)


def trained_head(task: Task, models: Models, ref: ModelRef, format: Format) -> LabelHead:
    """The head in the last delta of `ref`, one output a label."""
    weights, source = head_of(task, models, ref, format)
    return LabelHead(task, source, weights, 0 * weights[0])
