"""Answers held back: those that are less probable than a threshold, given or kept with a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from nshot.core.errors import Fault, InputError
from nshot.core.files import write_atomic
from nshot.core.serial import dumps, from_data, read_json
from nshot.core.types import Prediction, Task

FILE = "abstain.json"
"""Beside a folder's record: the threshold that it keeps."""
UNANSWERED = "leave --abstain-below away, or give 0: it answers everything"


@dataclass(frozen=True)
class Kept:
    """What `FILE` holds: the probability under which the folder abstains."""

    abstain_below: Annotated[float, Field(ge=0, le=1)]


def kept_threshold(folder: Path) -> float | None:
    """The threshold that the folder keeps; None without one.

    Raises `InputError` for a file that holds something else.
    """
    path = folder / FILE
    return from_data(Kept, read_json(path), str(path)).abstain_below if path.is_file() else None


def keep_threshold(folder: Path, threshold: float) -> None:
    """Let every later use of the folder abstain below `threshold`."""
    write_atomic(folder / FILE, dumps({"abstain_below": threshold}))


def misfit(threshold: float, task: Task, folder: Path) -> Fault | None:
    """Why answers cannot be held back so."""
    if not 0 <= threshold <= 1:
        return Fault(f"a threshold of {threshold:g}", "a probability, from 0 to 1", UNANSWERED)
    if not task.has_labels and threshold:
        problem = f"a task of kind {task.kind} has no probabilities to hold answers back by"
        return Fault(problem, "a folder that gives one label", UNANSWERED, str(folder))
    return None


def held_back(task: Task, predictions: Sequence[Prediction], threshold: float) -> list[Prediction]:
    """The predictions, those less probable than `threshold` without their answer.

    Scores are log-probabilities of the task's labels, and they stay. Raises `InputError` where an
    answer has none: whether it is held back cannot be said.
    """
    if bare := [one for one in predictions if len(one.scores) != len(task.labels)]:
        problem = f"{len(bare)} of {len(predictions)} answers have no probabilities"
        raise InputError(Fault(problem, "a method that scores labels", UNANSWERED))
    return [
        replace(one, answer="", abstained=True) if _highest(one) < threshold else one
        for one in predictions
    ]


def probability(task: Task, prediction: Prediction) -> float:
    """Of the label that is answered; of the most probable one where the answer was held back."""
    if task.kind != "classify" or prediction.answer not in task.label_names:
        return _highest(prediction)
    return float(np.exp(prediction.scores[task.label_names.index(prediction.answer)]))


def _highest(prediction: Prediction) -> float:
    return float(np.exp(max(prediction.scores)))
