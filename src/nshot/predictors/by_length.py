"""Which of the given answers is the longest, or the shortest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nshot.core.types import Input, Prediction, Task
from nshot.models.base import Models
from nshot.predictors.folder import Saved, write
from nshot.predictors.scores import ranked, require_answers


@dataclass(frozen=True)
class ByLength:
    """Scores each of an input's answers by its characters: the more, or the fewer, the better."""

    task: Task
    longest: bool

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """The longest or shortest of each input's answers, one score per answer."""
        require_answers(inputs)
        sign = 1.0 if self.longest else -1.0
        return [ranked(input, [sign * len(a) for a in input.answers]) for input in inputs]

    def save(self, folder: Path) -> None:
        """One JSON file."""
        write(folder, "by_length", self.task, {"longest": self.longest})

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> ByLength:
        """The predictor that `save` wrote."""
        return cls(saved.task, saved.settings["longest"])
