"""The predictor that does not look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nshot.core.types import Input, Prediction, Task
from nshot.models.base import Models
from nshot.predictors.folder import Saved, write
from nshot.predictors.scores import classified


@dataclass(frozen=True)
class Constant:
    """Gives every input the same scores: log-probabilities of the labels, in the task's order."""

    task: Task
    logprobs: tuple[float, ...]

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """The label of highest probability, the first of equals, for every input."""
        rows = np.tile(np.array(self.logprobs), (len(inputs), 1))
        return classified(self.task, rows, [0] * len(inputs))

    def save(self, folder: Path) -> None:
        """One JSON file."""
        write(folder, "constant", self.task, {"logprobs": list(self.logprobs)})

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Constant:
        """The predictor that `save` wrote."""
        return cls(saved.task, tuple(saved.settings["logprobs"]))
