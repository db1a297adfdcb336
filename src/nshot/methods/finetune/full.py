"""Full fine-tuning, and its cheaper sister that trains the upper layers only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from nshot.core.types import Rung, Shots, Task, Trains
from nshot.methods.trained import Trained
from nshot.models.base import ModelFacts
from nshot.training.parts.weights import Weights

_FORWARD = 1 / 3
"""Share of a training step's cost that is its forward pass."""


@dataclass(frozen=True)
class Blocks(Weights):
    """All weights (`free_blocks` None), or those of the last blocks and the norm above them."""

    free_blocks: int | None

    def free(self, model: ModelFacts) -> tuple[str, ...]:
        """Patterns of their names."""
        if self.free_blocks is None:
            return ("*",)
        first = max(0, model.layers - self.free_blocks)
        return (*(f"model.layers.{i}.*" for i in range(first, model.layers)), "model.norm.*")

    def share(self, layers: int, epochs: int) -> float:
        """The trained part of the depth each epoch, the rest forward and once."""
        if self.free_blocks is None or layers <= self.free_blocks:
            return 1.0
        trained = self.free_blocks / layers
        return trained + (1 - trained) * _FORWARD / epochs


class OwnWeights(BaseModel):
    """Settings of every method that trains the model's own weights.

    Args:
        top_layers: how many of the last blocks are trained, with the final norm; the embeddings
            and the tied head stay. None trains everything.
    """

    trains: ClassVar[Trains] = "weights"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (1e-4, 3e-5, 3e-4)}

    top_layers: int | None = Field(default=None, ge=1)
    learning_rate: float = Field(default=1e-4, ge=0)

    def part(self, task: Task, shots: Shots, seed: int) -> Blocks:
        """The weights themselves."""
        return Blocks(self.top_layers)


class FullFineTuning(OwnWeights, Trained):
    """Fine-tuning of the model's own weights: all of them, or the upper blocks.

    Jeremy Howard, Sebastian Ruder. "Universal Language Model Fine-tuning for Text
    Classification", 2018. https://arxiv.org/abs/1801.06146
    Jason Yosinski, Jeff Clune, Yoshua Bengio, Hod Lipson. "How transferable are features in deep
    neural networks?", 2014. https://arxiv.org/abs/1411.1792

    Lower layers hold what is general, upper layers what is the task's: with few examples it is
    often enough, and safer, to free the last blocks. Their inputs are then computed once a row, so
    that a step costs only the depth that is trained.

    The settings are those of `OwnWeights` and of `Trained`.
    """

    name: ClassVar[str] = "full"
    rung: ClassVar[Rung] = "finetune"
    after: ClassVar[str] = "lora"
    above: ClassVar[float] = 0.05
    about: ClassVar[str] = "the model's own weights, or those of its upper layers"
