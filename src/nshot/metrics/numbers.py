"""How far is the number from the right one?"""

from __future__ import annotations

import numpy as np

from nshot.core.numbers import number
from nshot.core.types import Example, Prediction, Scale, Task
from nshot.metrics.metric import Floats, Mean


class Distances:
    """Right and answered numbers in units of the task's deviation, around its median.

    An answer that is no number counts as the median: as good as not looking.
    """

    def __init__(self, task: Task) -> None:
        self._scale = task.scale or Scale(0.0, 1.0)

    def of(self, example: Example, prediction: Prediction) -> tuple[float, float]:
        """(right, answered)."""
        return self._scaled(number(example.targets[0])), self._scaled(number(prediction.answer))

    def _scaled(self, value: float | None) -> float:
        if value is None:
            return 0.0
        return (value - self._scale.median) / self._scale.deviation


class MeanErrorSkill(Mean):
    """1 - mean absolute error / the labelled rows' mean absolute distance from their median.

    The share of the error of always answering the median that is saved: 1 is no error, 0 no better
    than the median, below 0 worse. The mean absolute error is (1 - skill) x that distance.
    """

    def __init__(self, task: Task) -> None:
        self._distances = Distances(task)

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """One number, at most 1."""
        right, answer = self._distances.of(example, prediction)
        return (1 - abs(answer - right),)


class RSquared:
    """1 - sum of squared errors / sum of squares around the answered rows' own mean.

    1 is no error, 0 what always answering that mean gives, below 0 worse.
    """

    mean = False

    def __init__(self, task: Task) -> None:
        self._distances = Distances(task)

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """The right number, its square, and the squared error."""
        right, answer = self._distances.of(example, prediction)
        return (right, right**2, (right - answer) ** 2)

    def value(self, total: Floats, count: int) -> float:
        """R squared; of rows that are all equal 1 without error, else 0."""
        right, squares, errors = np.asarray(total, dtype=np.float64)
        around = squares - right**2 / max(count, 1)
        if around <= 1e-12 * max(squares, 1):
            return float(errors == 0)
        return float(1 - errors / around)
