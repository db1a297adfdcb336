"""Is it the right label, or the right one of the given answers?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nshot.core.types import Example, Prediction
from nshot.metrics.metric import Floats, Mean


class Accuracy(Mean):
    """1 where the answer is the label (classify) or one of the references (generate)."""

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """(1,) or (0,)."""
        return (float(prediction.answer in example.targets),)


class PairAccuracy(Mean):
    """1 where the answer ranked first is one of those graded highest.

    Where there is one answer nothing is chosen, so nothing is right: 0.
    """

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """(1,) or (0,)."""
        if len(example.grades) < 2:
            return (0.0,)
        top = max(example.grades)
        best = {a for a, g in zip(example.input.answers, example.grades, strict=True) if g == top}
        return (float(prediction.answer in best),)


class MacroF1:
    """Unweighted mean of F1 over the labels that occur or are answered, as scikit-learn's."""

    mean = False

    def __init__(self, labels: Sequence[str]) -> None:
        self._index = {label: i for i, label in enumerate(labels)}

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """True positives, said and occurring, for each label: 3 x labels numbers."""
        row = np.zeros((3, len(self._index)))
        expected = self._index[example.label]
        answer = self._index.get(prediction.answer)
        row[2, expected] = 1
        if answer is not None:
            row[1, answer] = 1
            row[0, expected] = float(answer == expected)
        return tuple(row.ravel().tolist())

    def value(self, total: Floats, count: int) -> float:
        """Mean of 2 tp / (said + occurring); 0 where no label occurs."""
        return f1(total)


def f1(total: Floats) -> float:
    """Mean F1 over the labels that have any, of (true positives, answered, occurring) of each."""
    hits, answers, occurring = np.asarray(total).reshape(3, -1)
    denominator = answers + occurring
    present = denominator > 0
    return float((2 * hits[present] / denominator[present]).mean()) if present.any() else 0.0
