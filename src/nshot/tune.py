"""The one search: a method declares what may be tried, the folds of its shots say what is best.

Coordinates in the declared order: the values of one setting are tried with the others held at the
best so far; a candidate that falls behind the best is not followed through all folds. No test
example is ever seen here, and the search is part of the method's cost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from nshot.errors import CannotAdapt, RunFailed, WorkerLost
from nshot.method import Method
from nshot.metrics import metric_of, score
from nshot.types import Example, Fold, Prediction, Shots, Task, Trial


@dataclass(frozen=True)
class Look:
    """What a candidate did on the folds: its score, and how sure it was of the right answers.

    `fit` is the mean log-probability of the right label, -inf where there are no scores. It only
    parts candidates of equal score: on a few dev rows many are equal. `course` is the score after
    each fold; one that fell behind was `stopped` before the last.
    """

    score: float
    fit: float
    course: tuple[float, ...] = ()
    stopped: bool = False

    def better_than(self, other: Look) -> bool:
        """Higher score, or the same score and a better fit."""
        return (self.score, self.fit) > (other.score, other.fit)


@dataclass(frozen=True)
class Tuned:
    """The method with its chosen settings, and all that was tried."""

    method: Method
    tried: tuple[Trial, ...]
    note: str = ""


_Looks: TypeAlias = dict[str, tuple[Method, Look | None, str]]
Answer = Callable[[Method, Fold, int], Sequence[Prediction]]
"""Adapt a candidate to a fold's shots and answer its dev rows (the third value: which fold)."""


def open_settings(method: Method) -> dict[str, tuple[Any, ...]]:
    """What may be tried: the declared space without the settings that the user set."""
    return {
        name: values for name, values in method.space.items() if name not in method.model_fields_set
    }


def trials(method: Method) -> int:
    """How many candidates a search looks at."""
    return 1 + sum(len(values) - 1 for values in open_settings(method).values())


def search(method: Method, task: Task, shots: Shots, answer: Answer) -> Tuned:
    """The best settings on the folds of `shots`; the defaults, with a note, where there are none.

    A candidate that fails on a fold loses; if all fail, the defaults stand and the job itself
    will say why.
    """
    space = open_settings(method)
    if not space:
        return Tuned(method, ())
    folds = shots.folds(method.search_folds, labels=task.kind == "classify")
    if len(folds) < 2:
        return Tuned(method, (), "untuned: one shot per label leaves nothing to choose on")
    looks: _Looks = {}
    best = _with(method, {name: values[0] for name, values in space.items()})
    _try(best, task, folds, answer, looks)
    for name, values in space.items():
        for candidate in _line(best, name, values):
            _try(candidate, task, folds, answer, looks)
        leader = _best(looks)
        best = leader[0] if leader else best
    chosen = _key(best)
    return Tuned(
        best,
        tuple(
            Trial(
                {name: getattr(candidate, name) for name in space},
                look.score if look else None,
                chosen=key == chosen,
                note=note,
            )
            for key, (candidate, look, note) in looks.items()
        ),
    )


def _with(method: Method, settings: dict[str, Any]) -> Method:
    """A validated copy; what the user set stays marked as set."""
    values = {name: getattr(method, name) for name in method.model_fields_set} | settings
    return type(method).model_validate(values)


def _line(best: Method, name: str, values: Sequence[Any]) -> Iterator[Method]:
    for value in values:
        yield _with(best, {name: value})


def _key(method: Method) -> str:
    return repr(sorted(method.model_dump(mode="json").items()))


def _try(
    candidate: Method,
    task: Task,
    folds: Sequence[Fold],
    answer: Answer,
    looks: _Looks,
) -> None:
    key = _key(candidate)
    if key in looks:
        return
    try:
        leader = _best(looks)
        look = _look(candidate, task, folds, answer, leader[1] if leader else None)
        seen = f"stopped after {len(look.course)} of {len(folds)} folds, behind"
        note = seen if look.stopped else ""
    except WorkerLost:
        raise
    except (CannotAdapt, RunFailed) as error:
        look, note = None, str(error)
    looks[key] = (candidate, look, note)


def _look(
    candidate: Method, task: Task, folds: Sequence[Fold], answer: Answer, best: Look | None
) -> Look:
    """Score over all dev rows together: every labelled row is dev exactly once.

    Ends early when more than one row's worth behind the best on the folds so far.
    """
    metric = metric_of(task)
    stats: list[tuple[float, ...]] = []
    fits: list[float] = []
    course: list[float] = []
    for index, fold in enumerate(folds):
        for example, prediction in zip(fold.dev, answer(candidate, fold, index), strict=True):
            stats.append(metric.stats(example, prediction))
            fits.append(_fit(task, example, prediction))
        course.append(score(metric, np.array(stats)))
        behind = best is not None and best.course[index] - course[-1] > 1 / len(stats) + 1e-9
        if behind and index + 1 < len(folds):
            return Look(course[-1], float(np.mean(fits)), tuple(course), stopped=True)
    return Look(course[-1], float(np.mean(fits)), tuple(course))


def _fit(task: Task, example: Example, prediction: Prediction) -> float:
    """Log-probability of the right label, the scores normalised over the labels."""
    if task.kind != "classify" or len(prediction.scores) != len(task.labels):
        return -math.inf
    scores = np.array(prediction.scores)
    right = scores[task.label_names.index(example.label)]
    return float(right - np.logaddexp.reduce(scores))


def _best(looks: _Looks) -> tuple[Method, Look] | None:
    best: tuple[Method, Look] | None = None
    for candidate, look, _ in looks.values():
        if look is None or look.stopped:
            continue
        if best is None or look.better_than(best[1]):
            best = (candidate, look)
    return best
