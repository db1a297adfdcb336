"""The expected level of an answer, beside the level itself."""

from __future__ import annotations

import re

import numpy as np

from nshot.core.types import Prediction, Task

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")


def expected_level(task: Task, prediction: Prediction) -> float:
    """The mean of the levels, weighted by their probabilities.

    Levels that name a number count as that (``4 stars``), others from 1 upwards.
    """
    numbers = [_NUMBER.findall(name) for name in task.label_names]
    if all(len(of_name) == 1 for of_name in numbers):
        values = [float(number) for (number,) in numbers]
    else:
        values = [float(place) for place in range(1, len(numbers) + 1)]
    weights = np.exp(prediction.scores)
    return float(weights @ values / weights.sum())
