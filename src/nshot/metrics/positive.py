"""Yes or no: how many of those that are looked for are answered, and how many answers are right."""

from __future__ import annotations

import numpy as np

from nshot.core.types import Example, Prediction, Task
from nshot.metrics.metric import Floats


class _OfPositive:
    """Counts of the positive label: answered rightly, answered, occurring.

    An answer that is no label counts as the other one.
    """

    mean = False

    def __init__(self, task: Task) -> None:
        self._positive = task.positive

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """(right, answered, occurring), each 0 or 1."""
        occurs, answered = (one == self._positive for one in (example.label, prediction.answer))
        return float(occurs and answered), float(answered), float(occurs)


class F1(_OfPositive):
    """F1 of the positive label, as scikit-learn's `f1_score` with `pos_label`."""

    def value(self, total: Floats, count: int) -> float:
        """2 right / (answered + occurring); 0 where it neither occurs nor is answered."""
        right, answered, occurring = np.asarray(total, dtype=np.float64)
        return _share(2 * right, answered + occurring)


class Precision(_OfPositive):
    """Share of the positive answers that are right, as `precision_score` with `pos_label`."""

    def value(self, total: Floats, count: int) -> float:
        """Right / answered; 0 where it is never answered."""
        right, answered, _ = np.asarray(total, dtype=np.float64)
        return _share(right, answered)


class Recall(_OfPositive):
    """Share of the positive rows that are answered so, as `recall_score` with `pos_label`."""

    def value(self, total: Floats, count: int) -> float:
        """Right / occurring; 0 where it does not occur."""
        right, _, occurring = np.asarray(total, dtype=np.float64)
        return _share(right, occurring)


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
