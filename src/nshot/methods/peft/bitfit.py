"""BitFit: of all the model's weights, the biases and the layer norms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from nshot.core.types import Shots, Task, Trains
from nshot.methods.trained import Trained
from nshot.models.base import ModelFacts
from nshot.training.parts.weights import Weights


class Vectors(Weights):
    """The one-dimensional parameters."""

    def free(self, model: ModelFacts) -> tuple[str, ...]:
        """All of them, by name."""
        return tuple(name for name, shape in model.shapes.items() if len(shape) == 1)


class BitFit(Trained):
    """Bias-term fine-tuning.

    Elad Ben Zaken, Shauli Ravfogel, Yoav Goldberg. "BitFit: Simple Parameter-efficient
    Fine-tuning for Transformer-based Masked Language-models", 2021.
    https://arxiv.org/abs/2106.10199

    Every matrix stays frozen; what is added to its result, or rescales it, is trained: the
    one-dimensional parameters, which are the biases and the layer norms. Llama and its kin have no
    biases (Qwen2 has three a block), so there the norms alone learn: (2 L + 1) d parameters with L
    blocks of width d, against (9 d + d_ff) L + 2 d in GPT-2.
    """

    name: ClassVar[str] = "bitfit"
    trains: ClassVar[Trains] = "weights"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (1e-3, 3e-4, 3e-3)}
    about: ClassVar[str] = "the model's own biases and layer norms"

    learning_rate: float = Field(default=1e-3, ge=0)

    def part(self, task: Task, shots: Shots, seed: int) -> Vectors:
        """The vectors: a file of some kilobytes."""
        return Vectors()
