"""A linear head that tags tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nshot.core.spans import written
from nshot.core.types import Input, ModelRef, Prediction, Task
from nshot.models.base import Floats, Layer, Models, TokenVectors, token_reader
from nshot.predictors.folder import Saved, array, ref_from_json, ref_to_json, write
from nshot.predictors.label_head import products
from nshot.predictors.scores import log_softmax
from nshot.predictors.tags import likeliest, tagged


@dataclass(frozen=True)
class Tagger:
    """Tags each token of an encoder by log softmax(vector @ weights + bias); see `tags`.

    `weights` (width, tags) and `bias` (tags,), float64.
    """

    task: Task
    models: Models
    ref: ModelRef
    layer: Layer
    weights: Floats
    bias: Floats

    def __post_init__(self) -> None:
        """Weights row after row, as the saved file holds them: the layout decides the rounding."""
        object.__setattr__(self, "weights", np.ascontiguousarray(self.weights))

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """No scores: the answers are spans."""
        encoder = self.models.encoder(self.ref)
        texts = [input.text for input in inputs]
        read = token_reader(encoder).tokens(texts, self.layer)
        return [
            Prediction(self._answer(text, tokens), tokens_in=count)
            for text, tokens, count in zip(texts, read, encoder.count(texts), strict=True)
        ]

    def _answer(self, text: str, tokens: TokenVectors) -> str:
        if not len(tokens.vectors):
            return written(text, ())
        logits = products(tokens.vectors.astype(np.float64), self.weights) + self.bias
        path = likeliest(log_softmax(logits))
        return written(text, tagged(text, path, self.task.label_names, tokens))

    def save(self, folder: Path) -> None:
        """Weights as safetensors, the rest as JSON."""
        settings = {"ref": ref_to_json(self.ref, folder), "layer": self.layer}
        write(folder, "tagger", self.task, settings, {"weights": self.weights, "bias": self.bias})

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Tagger:
        """The predictor that `save` wrote."""
        ref = ref_from_json(saved.settings["ref"], saved.folder)
        layer, weights, bias = (
            saved.settings["layer"],
            array(saved, "weights"),
            array(saved, "bias"),
        )
        return cls(saved.task, models, ref, layer, weights, bias)
