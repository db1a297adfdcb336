"""Several predictors as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nshot.core.types import Input, Prediction, Task
from nshot.models.base import Models
from nshot.predictors.base import Predictor
from nshot.predictors.folder import Saved, write
from nshot.predictors.scores import classified, log_softmax


@dataclass(frozen=True)
class Voting:
    """The label of highest mean probability; a member without scores abstains."""

    task: Task
    members: tuple[Predictor, ...]

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Scores are logarithms of the mean probability; tokens are those of all members."""
        asked = [member.predict(inputs) for member in self.members]
        mixed = np.zeros((len(inputs), len(self.task.labels)))
        for answers in asked:
            for row, answer in zip(mixed, answers, strict=True):
                if answer.scores:
                    row += np.exp(log_softmax(np.array(answer.scores)))
        shares = (mixed + 1e-12) / (mixed + 1e-12).sum(axis=1, keepdims=True)
        tokens = [sum(answer.tokens_in for answer in row) for row in zip(*asked, strict=True)]
        return classified(self.task, np.log(shares), tokens)

    def save(self, folder: Path) -> None:
        """Each member in a folder of its own."""
        for index, member in enumerate(self.members):
            member.save(folder / f"member-{index}")
        write(folder, "voting", self.task, {"members": len(self.members)})

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Voting:
        """The predictor that `save` wrote."""
        from nshot.predictors import load

        count = saved.settings["members"]
        members = [load(saved.folder / f"member-{index}", models) for index in range(count)]
        return cls(saved.task, tuple(members))
