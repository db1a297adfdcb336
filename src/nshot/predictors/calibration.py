"""How scores become probabilities that come true: fitted on rows that nothing was learned from.

Temperature scaling: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks",
ICML 2017, https://arxiv.org/abs/1706.04599, section 4.2. After it, where that is better, isotonic
regression of the answer's probability: Zadrozny and Elkan, "Transforming Classifier Scores into
Accurate Multiclass Probability Estimates", KDD 2002; the answer stays (Zhang, Kailkhura and Han,
"Mix-n-Match", ICML 2020, https://arxiv.org/abs/2003.07329, section 3.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import floor
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nshot.core.types import Example, Prediction, Task
from nshot.models.base import Floats
from nshot.predictors.scores import log_softmax

Kind: TypeAlias = Literal["none", "temperature", "isotonic"]

LEAST = 30
"""Validation rows that a temperature is fitted on, at least. Simulated with two labels and a true
temperature of 2, half of those fitted on 30 rows were within a quarter of it and nine in ten within
a factor of 1.9; with 10 rows within a half, and 3."""
ISOTONIC = 200
"""Validation rows from which isotonic regression is tried. A step function learns many values:
without a trial it takes a thousand rows not to fit their noise (Niculescu-Mizil and Caruana,
"Predicting Good Probabilities With Supervised Learning", ICML 2005, section 5). `_steps_help` is
that trial; with it, from 200 rows on, simulated errors of calibration were never more than .3
points above those of the temperature alone, and up to 8 points below them where a temperature is
the wrong form (naive Bayes). On the support tickets, 240 rows, those of knn fell from 22 to 7."""
PARTS = 5
"""Into which the validation rows are cut for that trial."""
ACCURACIES = (0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
"""For which a threshold is looked for."""
ANSWERS = 20
"""Validation rows over a threshold, at least."""
_COLDEST, _HOTTEST = 0.02, 50.0
_LOWEST = -100.0
"""Log-probabilities under it are as good as zero."""


@dataclass(frozen=True)
class Calibration:
    """What was fitted on `rows` validation rows; `reason` says why nothing was, of kind ``none``.

    `temperature` divides log-probabilities. `knots` are (probability of the answer, how often such
    answers were right), both rising, straight between them. `thresholds` are (accuracy,
    probability): of the validation rows that were at least so probable, so many were right.
    `precisions` are the same of the positive label of two: (precision, its probability).
    """

    kind: Kind = "none"
    rows: int = 0
    temperature: float = 1.0
    knots: tuple[tuple[float, float], ...] = ()
    thresholds: tuple[tuple[float, float], ...] = ()
    precisions: tuple[tuple[float, float], ...] = ()
    reason: str = ""

    def logprobs(self, scores: NDArray[np.floating]) -> Floats:
        """(rows, labels) log-probabilities from (rows, labels) scores; the highest stays it."""
        tempered = log_softmax(np.asarray(scores, dtype=np.float64) / self.temperature)
        if not self.knots:
            return tempered
        return _stepped(tempered, np.argmax(scores, axis=1), self.knots)

    def of(self, task: Task, predictions: Sequence[Prediction]) -> list[Prediction]:
        """The predictions with calibrated scores; those without scores as they are."""
        rows = list(predictions)
        places = [i for i, one in enumerate(rows) if _has_scores(task, one)]
        if self.kind == "none" or not places:
            return rows
        scores = self.logprobs(np.array([rows[i].scores for i in places]))
        for i, row in zip(places, scores.tolist(), strict=True):
            # Vector instructions round the last digit by a row's place among those asked with it.
            rows[i] = replace(rows[i], scores=tuple(round(score, 12) for score in row))
        return rows


def calibration_of(
    task: Task, validation: Sequence[tuple[Example, Prediction]]
) -> Calibration | None:
    """Fitted on rows and what was answered without having learned from them.

    None for a task that has no labels.
    """
    if not task.has_labels:
        return None
    pairs = [(example, one) for example, one in validation if _has_scores(task, one)]
    if validation and not pairs:
        return Calibration(reason="its answers have no scores")
    if len(pairs) < LEAST:
        needed = f"at least {LEAST} validation rows are needed, and it has {len(pairs)}"
        return Calibration(rows=len(pairs), reason=needed)
    scores = log_softmax(np.array([one.scores for _, one in pairs], dtype=np.float64))
    targets = np.array([task.label_names.index(example.label) for example, _ in pairs])
    right = np.argmax(scores, axis=1) == targets
    fitted, stepped = _fits(scores, targets)
    if len(pairs) >= ISOTONIC and _steps_help(scores, targets):
        fitted = stepped
    probabilities = np.exp(fitted.logprobs(scores))
    precisions: tuple[tuple[float, float], ...] = ()
    if task.positive is not None:
        place = task.label_names.index(task.positive)
        precisions = thresholds(probabilities[:, place], targets == place)
    steps = thresholds(probabilities.max(axis=1), right)
    return replace(fitted, thresholds=steps, precisions=precisions)


def _fits(scores: Floats, targets: NDArray[np.integer]) -> tuple[Calibration, Calibration]:
    """(temperature alone, isotonic regression after it)."""
    plain = Calibration("temperature", len(scores), temperature(scores, targets))
    top = np.exp(plain.logprobs(scores).max(axis=1))
    knots = isotonic(top, np.argmax(scores, axis=1) == targets)
    return plain, replace(plain, kind="isotonic", knots=knots)


def _steps_help(scores: Floats, targets: NDArray[np.integer]) -> bool:
    """Are rows likelier by isotonic regression than by the temperature, fitted on other rows?"""
    part, gain = np.arange(len(scores)) % PARTS, 0.0
    for index in range(PARTS):
        fit, look = part != index, part == index
        plain, stepped = _fits(scores[fit], targets[fit])
        rows = np.arange(int(look.sum())), targets[look]
        gain += float((stepped.logprobs(scores[look]) - plain.logprobs(scores[look]))[rows].sum())
    return gain > 0


def temperature(scores: Floats, targets: NDArray[np.integer]) -> float:
    """The T that makes log softmax(scores / T) likeliest, (rows, labels) and (rows,) given.

    The negative log-likelihood is convex in 1 / T, so its slope has one root. One nat of a gamma
    prior with its mode at T = 1 keeps it finite where every row is right, and is nothing beside
    the rows where they say anything. Between `_COLDEST` and `_HOTTEST`.
    """
    from scipy.optimize import brentq

    logits = np.maximum(scores - scores.max(axis=1, keepdims=True), _LOWEST)
    chosen = logits[np.arange(len(logits)), targets]

    def slope(inverse: float) -> float:
        """Of the negative log-likelihood and the prior, by 1 / T."""
        expected = (np.exp(log_softmax(logits * inverse)) * logits).sum(axis=1)
        return float((expected - chosen).sum() + 1 - 1 / inverse)

    low, high = 1 / _HOTTEST, 1 / _COLDEST
    if slope(low) >= 0:
        return _HOTTEST
    if slope(high) <= 0:
        return _COLDEST
    return 1 / float(brentq(slope, low, high, xtol=1e-12))


def isotonic(probability: Floats, right: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    """The knots of the rising step function nearest to `right` (least squares), both (rows,).

    Nobody is sure: its values keep the (rows + 2)th part from 0 and 1.
    """
    from scipy.optimize import isotonic_regression

    values, place = np.unique(probability, return_inverse=True)
    counts = np.bincount(place)
    shares = np.bincount(place, weights=right) / counts
    heights = isotonic_regression(shares, weights=counts).x
    least = 1 / (len(probability) + 2)
    heights = np.clip(heights, least, 1 - least)
    rises = np.diff(heights) > 0
    ends = np.concatenate([[True], rises]) | np.concatenate([rises, [True]])
    return tuple(zip(values[ends].tolist(), heights[ends].tolist(), strict=True))


def thresholds(probability: Floats, right: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    """(accuracy, the least probability) for those of `ACCURACIES` that can be reached.

    The lowest threshold over which so many of the rows are right, and of one more that were wrong:
    the lowest of several is a lucky one. Where all rows are so accurate it is 0. It has no more
    decimals than it takes to tell it from the next lower probability.
    """
    order = np.argsort(-probability, kind="stable")
    sure, hits = probability[order], np.cumsum(right[order])
    counts = np.arange(1, len(sure) + 1)
    below = np.append(sure[1:], 0.0)
    may_end = (counts >= ANSWERS) & ((below < sure) | (counts == len(sure)))
    rows = []
    for accuracy in ACCURACIES:
        (ends,) = np.nonzero(may_end & (hits >= accuracy * (counts + 1)))
        if len(ends):
            last = ends[-1]
            whole = last == len(sure) - 1
            rows.append((accuracy, 0.0 if whole else _between(below[last], sure[last])))
    return tuple(rows)


def _between(low: float, high: float) -> float:
    """A number with few decimals over `low` and not over `high`."""
    for decimals in range(2, 16):
        scale = 10.0**decimals
        short = floor(high * scale) / scale
        if low < short <= high:
            return short
    return high


def _has_scores(task: Task, prediction: Prediction) -> bool:
    """One for each label, and the answer is the label of the highest, which is a number."""
    names, scores = task.label_names, prediction.scores
    if not len(scores) == len(names) > 1:
        return False
    best = int(np.argmax(scores))
    return bool(np.isfinite(scores[best])) and prediction.answer == names[best]


def _stepped(
    logprobs: Floats, best: NDArray[np.intp], knots: Sequence[tuple[float, float]]
) -> Floats:
    """The `best` probability of each row as the knots have it; the others keep their proportions.

    It stays the highest: it is put no lower than where the next one would be as high.
    """
    rows = np.arange(len(logprobs))
    others = logprobs.copy()
    others[rows, best] = -np.inf
    second = others.max(axis=1, keepdims=True)
    possible = np.isfinite(second[:, 0])  # where no other label is, there is nothing to share out
    shares = log_softmax(others[possible])
    next_best = np.exp(shares.max(axis=1))
    least = next_best / (1 + next_best) * (1 + 1e-9)
    probabilities, heights = np.array(knots).T
    steps = np.interp(np.exp(logprobs[rows, best][possible]), probabilities, heights)
    sure = np.maximum(steps, least)
    stepped = logprobs.copy()
    stepped[possible] = shares + np.log1p(-sure)[:, None]
    stepped[rows[possible], best[possible]] = np.log(sure)
    return stepped
