"""What learns is a setting: LoRA's matrices, all weights, or those of the upper blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from nshot.core.types import Kind, Shots, Task
from nshot.methods.finetune.full import Blocks
from nshot.methods.peft.lora import LowRank
from nshot.training.recipe import Part

OWN_RATE = 1e-4
"""The learning rate of the model's own weights, as of `nshot.methods.finetune.full`."""


class _Trains:
    """What a method trains, by its `weights`."""

    def __get__(self, method: Any, cls: type[Any]) -> str:
        return "adapter" if method is None or method.weights == "lora" else "weights"


class AnyPart(LowRank):
    """Settings of a method that any part can learn; those of LoRA count where LoRA learns.

    Args:
        weights: ``lora``: low-rank matrices beside the frozen weights; ``full``: all weights;
            ``upper``: those of the last `top_layers` blocks and the norm above them.
        top_layers: of ``upper``.
        learning_rate: AdamW's peak rate: 1e-3 of LoRA, 1e-4 of the model's own weights.
    """

    trains: ClassVar[Any] = _Trains()

    weights: Literal["lora", "full", "upper"] = "lora"
    top_layers: int = Field(default=4, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _own_rate(cls, settings: Any) -> Any:
        """The model's own weights want a lower rate than LoRA's, where none is given."""
        if isinstance(settings, Mapping) and settings.get("weights", "lora") != "lora":
            return {"learning_rate": OWN_RATE, **settings}
        return settings

    def searched(self, kind: Kind) -> Mapping[str, tuple[Any, ...]]:
        """The rates that are tried are LoRA's."""
        return self.space if self.weights == "lora" else {}

    def part(self, task: Task, shots: Shots, seed: int) -> Part:
        """What `weights` names."""
        if self.weights == "lora":
            return super().part(task, shots, seed)
        return Blocks(None if self.weights == "full" else self.top_layers)
