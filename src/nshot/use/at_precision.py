"""Yes or no at a stated precision: from which probability on the positive label is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nshot.core.errors import Fault, InputError
from nshot.core.types import Prediction, Task
from nshot.predictors.base import Predictor
from nshot.predictors.calibrated import Calibrated


def threshold_of(predictor: Predictor, precision: float, folder: Path) -> float:
    """The probability of the positive label from which the validation rows had that precision.

    Of the precisions that the folder keeps the lowest that is as high. Raises `InputError` where it
    keeps none, and for a task without a positive label.
    """
    task, where = predictor.task, str(folder)
    if task.positive is None:
        problem = "a precision is asked of a task without a positive label"
        do = "nshot compare TASK --positive LABEL"
        raise InputError(Fault(problem, "two labels, one of them positive", do, where))
    if not 0 < precision < 1:
        raise InputError(
            Fault(f"a precision of {precision:g}", "a share, such as .95", where=where)
        )
    steps = predictor.calibration.precisions if isinstance(predictor, Calibrated) else ()
    for kept, threshold in sorted(steps):
        if kept >= precision:
            return threshold
    known = ", ".join(f"{kept:g}" for kept, _ in steps) or "none"
    raise InputError(
        Fault(
            f"no threshold for a precision of {precision:g}",
            f"a precision that its validation rows reached: {known}",
            "label more rows, and compare again",
            where,
        )
    )


def answered_at(
    task: Task, predictions: Sequence[Prediction], threshold: float
) -> list[Prediction]:
    """The positive label where it is as probable as `threshold`, else the other; scores stay."""
    place = next(i for i, name in enumerate(task.label_names) if name == task.positive)
    other = task.label_names[1 - place]
    return [
        replace(one, answer=task.label_names[place] if _is_over(one, place, threshold) else other)
        if len(one.scores) == len(task.labels)
        else one
        for one in predictions
    ]


def _is_over(one: Prediction, place: int, threshold: float) -> bool:
    return float(np.exp(one.scores[place])) >= threshold
