"""Predictor + test examples -> what it answered, its points and what answering cost.

The only room, with `data/`, that opens the test set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nshot.core.errors import RunFailed
from nshot.core.machine import Meter
from nshot.core.types import Cost, Example, Prediction, Task
from nshot.metrics import metric_of, score
from nshot.predictors.base import Predictor

TRAIN_SAMPLE = 200
"""Rows of its own shots that a predictor is asked for its train score, at most."""


@dataclass(frozen=True)
class Answered:
    """The answers to some examples: ids, predictions, statistics, and what it took."""

    ids: tuple[str, ...]
    predictions: tuple[Prediction, ...]
    statistics: tuple[tuple[float, ...], ...]
    use: Cost


def answer(predictor: Predictor, task: Task, examples: Sequence[Example]) -> Answered:
    """Ask the predictor for every example and mark its answers.

    Raises `RunFailed` when it returns another number of answers or a score that is no number.
    """
    meter = Meter()
    with meter.running():
        predictions = predictor.predict([example.input for example in examples])
    if len(predictions) != len(examples):
        raise RunFailed(f"{len(predictions)} answers to {len(examples)} inputs")
    if any(np.isnan(prediction.scores).any() for prediction in predictions):
        raise RunFailed("a score that is not a number")
    metric = metric_of(task)
    return Answered(
        ids=tuple(example.id for example in examples),
        predictions=tuple(predictions),
        statistics=tuple(
            metric.statistics(example, prediction)
            for example, prediction in zip(examples, predictions, strict=True)
        ),
        use=Cost(
            seconds=_seconds(meter, predictions),
            spent_seconds=meter.spent_seconds,
            peak_bytes=meter.grown_bytes,
            tokens_in=sum(p.tokens_in for p in predictions),
            tokens_out=sum(p.tokens_out for p in predictions),
            money=sum(p.money for p in predictions),
        ),
    )


def _seconds(meter: Meter, predictions: Sequence[Prediction]) -> float:
    """By this machine's clock; of answers from elsewhere what each took, one after the other."""
    elsewhere = [p.seconds for p in predictions if p.seconds is not None]
    return sum(elsewhere) if elsewhere else meter.seconds


def value(task: Task, statistics: Sequence[tuple[float, ...]]) -> float:
    """The task's score of some statistics, in [0, 1]."""
    return score(metric_of(task), np.array(statistics, dtype=np.float64))


def train_score(predictor: Predictor, task: Task, labelled: Sequence[Example]) -> float | None:
    """Score on (a fixed part of) the shots it learned from: train minus test is the overfit."""
    if not labelled:
        return None
    step = max(1, -(-len(labelled) // TRAIN_SAMPLE))
    return value(task, answer(predictor, task, labelled[::step]).statistics)


def joined(parts: Sequence[Answered]) -> Answered:
    """Out-of-fold answers as one: each example answered by the predictor that never saw it."""
    use = Cost()
    for part in parts:
        use = use.then(part.use)
    return Answered(
        ids=tuple(i for part in parts for i in part.ids),
        predictions=tuple(p for part in parts for p in part.predictions),
        statistics=tuple(s for part in parts for s in part.statistics),
        use=replace(use, disk_bytes=max((part.use.disk_bytes for part in parts), default=0)),
    )
