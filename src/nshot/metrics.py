"""What a score is: statistics per example, and the value of their sum.

A metric gives each example a row of statistics; its value is a function of their total. Accuracy
is a mean, so its points are the statistics themselves; macro-F1 is not, so the decision is fed
jackknife pseudo-values (`points`).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nshot.errors import Fault, InputError, nearest
from nshot.types import Example, Prediction, Task

Floats = NDArray[np.float64]


class Metric(Protocol):
    """Statistics of one example, and the value of the total of `count` examples."""

    @property
    def mean(self) -> bool:
        """True when the value is the mean of the first statistic."""
        ...

    def stats(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """What is summed; the same length for every example."""
        ...

    def value(self, total: Floats, count: int) -> float:
        """The score in [0, 1] of statistics summed over `count` examples."""
        ...


class _Mean:
    """A metric that is the mean of one number per example."""

    mean = True

    def value(self, total: Floats, count: int) -> float:
        return float(total[0] / count) if count else 0.0


class Accuracy(_Mean):
    """1 where the answer is the label (classify) or one of the references (generate)."""

    def stats(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """(1,) or (0,)."""
        return (float(prediction.answer in example.targets),)


class ExactMatch(_Mean):
    """1 where the answer equals a reference after folding case, width, space and outer marks."""

    def stats(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """(1,) or (0,), the best over the references."""
        said = folded(prediction.answer)
        return (float(any(folded(target) == said for target in example.targets)),)


class TokenF1(_Mean):
    """F1 of the bags of words, the best over the references (Rajpurkar et al. 2016)."""

    def stats(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """(F1,)."""
        said = folded(prediction.answer).split()
        return (max((_bag_f1(said, folded(t).split()) for t in example.targets), default=0.0),)


class PairAccuracy(_Mean):
    """1 where the answer ranked first is one of those graded highest."""

    def stats(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """(1,) or (0,)."""
        top = max(example.grades)
        best = {a for a, g in zip(example.input.answers, example.grades, strict=True) if g == top}
        return (float(prediction.answer in best),)


class MacroF1:
    """Unweighted mean over the labels of F1 (a label that neither occurs nor is said counts 0)."""

    mean = False

    def __init__(self, labels: Sequence[str]) -> None:
        self._index = {label: i for i, label in enumerate(labels)}

    def stats(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """True positives, said and occurring, for each label: 3 x labels numbers."""
        row = np.zeros((3, len(self._index)))
        expected = self._index[example.label]
        said = self._index.get(prediction.answer)
        row[2, expected] = 1
        if said is not None:
            row[1, said] = 1
            row[0, expected] = float(said == expected)
        return tuple(row.ravel().tolist())

    def value(self, total: Floats, count: int) -> float:
        """Mean of 2 tp / (said + occurring)."""
        hits, said, occurring = np.asarray(total).reshape(3, -1)
        denominator = said + occurring
        f1 = np.divide(2 * hits, denominator, out=np.zeros_like(hits), where=denominator > 0)
        return float(f1.mean())


METRICS = ("accuracy", "macro_f1", "exact_match", "token_f1", "pair_accuracy")


def metric_of(task: Task) -> Metric:
    """The metric a task names; `InputError` for an unknown name."""
    match task.metric:
        case "accuracy":
            return Accuracy()
        case "macro_f1":
            return MacroF1(task.label_names)
        case "exact_match":
            return ExactMatch()
        case "token_f1":
            return TokenF1()
        case "pair_accuracy":
            return PairAccuracy()
    raise InputError(Fault(f"unknown metric '{task.metric}'", do=nearest(task.metric, METRICS)))


def score(metric: Metric, stats: Floats) -> float:
    """Value of (examples, k) statistics; 0 where nothing was answered."""
    return metric.value(stats.sum(axis=0), len(stats)) if len(stats) else 0.0


def points(metric: Metric, stats: Floats) -> Floats:
    """One point per example whose mean is the score: (examples, k) -> (examples,).

    For a metric that is no mean: jackknife pseudo-values n t - (n-1) t_(-i) (Tukey 1958), shifted
    so that their mean is the score itself and not its bias-corrected version.
    """
    if metric.mean:
        return stats[:, 0].astype(np.float64)
    count, total = len(stats), stats.sum(axis=0)
    value = metric.value(total, count)
    without = np.array([metric.value(total - row, count - 1) for row in stats])
    pseudo = count * value - (count - 1) * without
    return np.asarray(pseudo + (value - pseudo.mean()), dtype=np.float64)


def folded(text: str) -> str:
    """Text without what does not count: case, width, repeated space, outer punctuation."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(" .,!?\"'`")


def _bag_f1(said: list[str], target: list[str]) -> float:
    if not said or not target:
        return float(said == target)
    common = sum((Counter(said) & Counter(target)).values())
    return 2 * common / (len(said) + len(target))
