"""Answers nothing: what it is asked is marked as held back, for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nshot.core.types import Input, Prediction, Task
from nshot.models.base import Models
from nshot.predictors.folder import Saved, write


@dataclass(frozen=True)
class ToAPerson:
    """The answer "" to every input, marked as `abstained`, with what a person takes for it."""

    task: Task
    seconds: float
    money: float = 0.0

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """One for each input, and all alike."""
        one = Prediction("", seconds=self.seconds, money=self.money, abstained=True)
        return [one for _ in inputs]

    def save(self, folder: Path) -> None:
        """One JSON file."""
        write(folder, "to_a_person", self.task, {"seconds": self.seconds, "money": self.money})

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> ToAPerson:
        """The predictor that `save` wrote."""
        return cls(saved.task, saved.settings["seconds"], saved.settings["money"])
