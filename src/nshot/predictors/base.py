"""What answers. Many ways to teach, few ways to answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from nshot.core.types import Example, Input, Prediction, Task


class Predictor(Protocol):
    """Answers inputs row by row: any order or split of the inputs gives the same answers."""

    @property
    def task(self) -> Task:
        """What it answers."""
        ...

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """One prediction per input, in order."""
        ...

    def save(self, folder: Path) -> None:
        """Write everything `nshot.predictors.load` needs: safetensors and JSON only."""
        ...


@runtime_checkable
class Extends(Protocol):
    """A predictor to which classes can be added without retraining."""

    def extend(self, examples: Sequence[Example]) -> Predictor:
        """A new predictor that also knows the examples' labels; the old weights are unchanged."""
        ...


@runtime_checkable
class AskedElsewhere(Protocol):
    """A predictor that asks a model behind an address, or has a part that does."""

    def anew(self) -> Predictor | None:
        """It, asking again what was answered before; None where no part of it asks anybody."""
        ...

    def in_reverse(self) -> Predictor | None:
        """It, with the options in reverse; None where they have no order."""
        ...

    def in_other_words(self) -> Predictor | None:
        """It, asking the same in other words; None where no part of it asks anybody."""
        ...
