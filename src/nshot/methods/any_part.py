"""What learns is a setting: LoRA's matrices, all weights, or those of the upper blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nshot.core.types import Kind, Shots, Task, Trains
from nshot.methods.finetune.full import Blocks
from nshot.methods.peft.lora import LowRank
from nshot.training.recipe import Part

_SLOWER = 10
"""How many times slower than LoRA's the model's own weights learn: as `lora` and `full` do."""


class _ByPart:
    """What is trained, of a method by its setting; of the class, by default."""

    def __get__(self, method: AnyPart | None, cls: type[AnyPart]) -> Trains:
        return "weights" if method is not None and method.learn == "weights" else "adapter"


class AnyPart(LowRank):
    """The settings of what learns, besides those of `LowRank`.

    Args:
        learn: ``low_rank``, LoRA's matrices; ``weights``, the model's own. Their rate is a tenth
            unless it is given.
        top_layers: of the weights, how many of the last blocks learn, with the norm above them.
            None: everything.
    """

    trains: ClassVar[Any] = _ByPart()

    learn: Literal["low_rank", "weights"] = "low_rank"
    top_layers: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _slower_weights(self) -> Self:
        """The model's own weights learn slower, where nobody says how fast: this pins nothing."""
        if self.learn == "weights" and "learning_rate" not in self.model_fields_set:
            usual = type(self).model_fields["learning_rate"].default
            self.__dict__["learning_rate"] = usual / _SLOWER
        return self

    def searched(self, kind: Kind) -> Mapping[str, tuple[Any, ...]]:
        """The rates of what learns."""
        space: Mapping[str, tuple[Any, ...]] = super().searched(kind)  # type: ignore[misc]
        if self.learn == "low_rank":
            return space
        return {
            name: tuple(rate / _SLOWER for rate in values) if name == "learning_rate" else values
            for name, values in space.items()
        }

    def part(self, task: Task, shots: Shots, seed: int) -> Part:
        """LoRA's matrices, or the weights."""
        if self.learn == "weights":
            return Blocks(self.top_layers)
        return super().part(task, shots, seed)
