"""How far is the level from the right one?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nshot.core.types import Example, Prediction
from nshot.metrics.metric import Floats, Mean


class Levels:
    """The levels of a task by name, the lowest first, counted from 0."""

    def __init__(self, names: Sequence[str]) -> None:
        self._places = {name: place for place, name in enumerate(names)}
        self.top = max(len(names) - 1, 1)

    def of(self, example: Example, prediction: Prediction) -> tuple[int, int]:
        """The right level and the answered one; an answer that is none counts as the farthest."""
        right = self._places[example.label]
        farthest = 0 if 2 * right > self.top else self.top
        return right, self._places.get(prediction.answer, farthest)


class Closeness(Mean):
    """1 - |answered level - right level| / (levels - 1): a mean absolute error of 0 levels is 1."""

    def __init__(self, names: Sequence[str]) -> None:
        self._levels = Levels(names)

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """One number in [0, 1]."""
        right, answer = self._levels.of(example, prediction)
        return (1 - abs(answer - right) / self._levels.top,)


class QuadraticKappa:
    """Agreement beyond chance, a miss by two levels weighing four times a miss by one.

    Cohen, "Weighted kappa", Psychological Bulletin 70(4), 1968: 1 - sum w O / sum w E with
    w = (i - j)^2, O the shares of (right, answered) levels and E what they would be if one did not
    depend on the other. E's sum is mean(i^2) + mean(j^2) - 2 mean(i) mean(j). 1 is perfect, 0 what
    always answering one level gives; below 0 is worse than that.
    """

    mean = False

    def __init__(self, names: Sequence[str]) -> None:
        self._levels = Levels(names)

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """Right level, answered level, and both squared."""
        right, answer = self._levels.of(example, prediction)
        return (right, answer, right**2 + answer**2, (right - answer) ** 2)

    def value(self, total: Floats, count: int) -> float:
        """Quadratic weighted kappa; 1 where all is right though there is one level only."""
        right, answer, squares, misses = np.asarray(total, dtype=np.float64) / max(count, 1)
        by_chance = squares - 2 * right * answer
        if by_chance <= 0:
            return float(misses == 0)
        return float(1 - misses / by_chance)
