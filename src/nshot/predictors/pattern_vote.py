"""Several patterns of one task, asked and averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nshot.core.serial import from_data, to_data
from nshot.core.types import Example, Input, ModelRef, Prediction, Task
from nshot.models.base import Floats, Models
from nshot.predictors.folder import Saved, ref_from_json, ref_to_json, write
from nshot.predictors.prompted import Prompted
from nshot.predictors.scores import classified


@dataclass(frozen=True)
class PatternVote:
    """The label whose probability is the highest, on average over `members`.

    Schick and Schütze 2020, section 3.2, without weights. Each member puts the task in its own way:
    its labels may have other names, but they are the task's labels in the task's order. Members
    that ask one model share it, in memory and on disk.
    """

    task: Task
    members: tuple[Prompted, ...]

    @property
    def ref(self) -> ModelRef:
        """The model of the first member: all stand on one base."""
        return self.members[0].ref

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """One prediction an input; tokens are those of all members."""
        if not inputs:
            return []
        answers = [member.predict(inputs) for member in self.members]
        shares = [
            probabilities(member.task, some)
            for member, some in zip(self.members, answers, strict=True)
        ]
        scores = np.log(np.maximum(np.mean(shares, axis=0), np.finfo(np.float64).tiny))
        read = [sum(one.tokens_in for one in row) for row in zip(*answers, strict=True)]
        return classified(self.task, scores, read)

    def save(self, folder: Path) -> None:
        """Each model's deltas once, in a folder of its own; the members as JSON."""
        refs = list(dict.fromkeys(member.ref for member in self.members))
        settings = {
            "models": [ref_to_json(ref, member_folder(folder, i)) for i, ref in enumerate(refs)],
            "members": [_settings(member, refs) for member in self.members],
        }
        write(folder, "pattern_vote", self.task, settings)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> PatternVote:
        """The predictor that `save` wrote."""
        refs = [
            ref_from_json(data, member_folder(saved.folder, i))
            for i, data in enumerate(saved.settings["models"])
        ]
        members = tuple(
            Prompted(
                from_data(Task, data["task"]),
                models,
                refs[data["model"]],
                data["format"],
                tuple(from_data(Example, demo) for demo in data["demos"]),
            )
            for data in saved.settings["members"]
        )
        return cls(saved.task, members)


def probabilities(task: Task, answers: Sequence[Prediction]) -> Floats:
    """(answers, labels): what scores say; without them all for the answer, or for all labels."""
    rows = np.full((len(answers), len(task.labels)), 1 / len(task.labels))
    for row, one in zip(rows, answers, strict=True):
        if one.scores:
            row[:] = np.exp(one.scores)
        elif one.answer:
            row[:] = 0.0
            row[task.label_names.index(one.answer)] = 1.0
    return rows


def _settings(member: Prompted, refs: Sequence[ModelRef]) -> dict[str, Any]:
    return {
        "task": to_data(member.task),
        "model": refs.index(member.ref),
        "format": member.format,
        "demos": [to_data(demo) for demo in member.demos],
    }


def member_folder(folder: Path, index: int) -> Path:
    """Where the deltas of the model of this index lie in a saved predictor."""
    return folder / f"model-{index}"
