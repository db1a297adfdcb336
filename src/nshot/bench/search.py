"""The one search: a method declares what may be tried, the folds of its shots say what is best.

Coordinates in the declared order: the values of one setting are tried with the others held at the
best so far. The values race: after each fold those are out that are more than one row behind the
leader, or behind both in rows and in the probability they gave to the right labels; the last one
left has won. No test example is ever seen here, and the search is part of the method's
cost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from nshot.board.schema import Trial
from nshot.core.errors import CannotAdapt, EndpointFailed, RunFailed, WorkerLost
from nshot.core.types import LABELLED, Example, Fold, Kind, Prediction, Shots, Task
from nshot.methods.contract import Method
from nshot.methods.spec import parts, spec
from nshot.metrics import metric_of, score
from nshot.predictors.calibration import LEAST

ASKED = 100
"""Rows that a language model without open settings answers for its calibration, about: by so many a
temperature is known to a fifth, and they are a third of a usual test."""


@dataclass(frozen=True)
class Look:
    """What a candidate did on some folds: its score, and how sure it was of the right answers.

    `fit` is the mean log-probability of the right label, -inf where there are no scores. It only
    parts candidates of equal score: on a few dev rows many are equal.
    """

    score: float
    fit: float
    rows: int

    def better_than(self, other: Look) -> bool:
        """Higher score, or the same score and a better fit."""
        return (self.score, self.fit) > (other.score, other.fit)

    def in_sight_of(self, leader: Look) -> bool:
        """Not more than one row's worth behind, and not both less right and less sure."""
        behind = self.score < leader.score and self.fit < leader.fit
        return not behind and leader.score - self.score <= 1 / self.rows + 1e-9


Answered: TypeAlias = tuple[Example, Prediction]
"""A validation row, and what was answered without having learned from it."""


@dataclass(frozen=True)
class Tuned:
    """The method with its chosen settings, all that was tried, and how the method then answers.

    `validation` are the rows of the folds that the chosen settings were asked on: fewer than all
    where the race ended early and a fold costs much.
    """

    method: Method
    tried: tuple[Trial, ...]
    note: str = ""
    validation: tuple[Answered, ...] = ()


Answer = Callable[[Method, Fold, int], Sequence[Prediction]]
"""Adapt a candidate to a fold's shots and answer its dev rows (the third value: which fold)."""


def open_settings(method: Method, kind: Kind) -> dict[str, tuple[Any, ...]]:
    """What may be tried on a task of this kind, without the settings that the user set."""
    space = method.searched(kind)
    return {name: values for name, values in space.items() if name not in method.model_fields_set}


def trials(method: Method, kind: Kind) -> int:
    """How many candidates a search looks at."""
    return 1 + sum(len(values) - 1 for values in open_settings(method, kind).values())


def validates(method: Method, kind: Kind) -> bool:
    """Are folds of it answered though nothing is open, for its calibration? Where they cost little.

    That is where no language model is read and at most a head is trained, and where nothing is
    trained at all: a model that is asked as it is answers one fold of `ASKED` rows. Not where a
    part has learned from all rows before: its answers to them are no news. Nor where a part
    searches while it adapts.
    """
    inside = parts(method)
    if kind not in LABELLED or any(part.knows_rows or part.searches for part in inside):
        return False
    return _is_cheap(method) or method.trains == "nothing"


def _is_cheap(method: Method) -> bool:
    inside = parts(method)
    return not any(p.needs for p in inside) and all(p.trains in ("nothing", "head") for p in inside)


def search(method: Method, task: Task, shots: Shots, answer: Answer) -> Tuned:
    """The best settings on the folds of `shots`; the defaults, with a note, where there are none.

    A candidate that fails on a fold loses; if all fail, the defaults stand and the job itself
    will say why.
    """
    space = open_settings(method, task.kind)
    if not space:
        return Tuned(method, (), validation=_validation(method, task, shots, answer))
    folds = shots.folds(method.search_folds, labels=task.has_strata)
    if len(folds) < 2:
        several = len(shots.labelled) > max(len(task.labels), 1)
        few = "having the rows of a label in one group" if several else "one shot per label"
        return Tuned(method, (), f"untuned: {few} leaves nothing to choose on")
    race = _Race(task, folds, answer)
    best = _with(method, {name: values[0] for name, values in space.items()})
    for name, values in space.items():
        if name == "calibration" and not race.gives_scores(best):
            continue  # it moves scores: all candidates would ask, and be billed for, the same
        best = race.winner([best, *_line(best, name, values)]) or best
    tried = race.tried(best, tuple(space))
    whole = _is_cheap(best) and len(shots.labelled) >= LEAST
    return Tuned(best, tried, validation=race.validation(best, whole))


def _validation(method: Method, task: Task, shots: Shots, answer: Answer) -> tuple[Answered, ...]:
    """The answers to the folds of a method without open settings; () where they would cost much.

    Nothing is asked where the rows are too few to calibrate by. A method that fails on a fold has
    no answers: its own job will say why.
    """
    rows = len(shots.labelled)
    if rows < LEAST or not validates(method, task.kind):
        return ()
    cheap = _is_cheap(method)
    folds = shots.folds(method.search_folds if cheap else max(2, rows // ASKED))
    if not folds:  # the rows of each label are of one group
        return ()
    race = _Race(task, folds if cheap else folds[:1], answer)
    return race.validation(method, whole=True)


def _with(method: Method, settings: dict[str, Any]) -> Method:
    """A validated copy; what the user set stays marked as set."""
    values = {name: getattr(method, name) for name in method.model_fields_set} | settings
    return type(method).model_validate(values)


def _line(best: Method, name: str, values: Sequence[Any]) -> Iterator[Method]:
    for value in values:
        yield _with(best, {name: value})


def _key(method: Method) -> str:
    return repr(sorted(spec(method).items()))


@dataclass
class _Runner:
    """A candidate in the race: its answers, statistics and fits, fold by fold, or why it fell."""

    method: Method
    answers: list[list[Answered]] = field(default_factory=list)
    statistics: list[list[tuple[float, ...]]] = field(default_factory=list)
    fits: list[list[float]] = field(default_factory=list)
    fell: str = ""


class _Race:
    """Asks candidates fold by fold, each of them once, and only as far as it must."""

    def __init__(self, task: Task, folds: Sequence[Fold], answer: Answer) -> None:
        self._task, self._folds, self._answer = task, folds, answer
        self._metric = metric_of(task)
        self._runners: dict[str, _Runner] = {}

    def winner(self, candidates: Sequence[Method]) -> Method | None:
        """The best of the candidates, the first of equals; None where all of them fell."""
        alive = list({_key(c): c for c in candidates}.values())
        best: Method | None = None
        for count in range(1, len(self._folds) + 1):
            looks = [(c, look) for c in alive if (look := self._look(c, count)) is not None]
            if not looks:
                return best
            best, leading = looks[0]
            for candidate, look in looks[1:]:
                if look.better_than(leading):
                    best, leading = candidate, look
            alive = [c for c, look in looks if look.in_sight_of(leading)]
            if len(alive) == 1:
                break
        return best

    def gives_scores(self, candidate: Method) -> bool:
        """Have answers of it scores? So it is taken to be of one that fell."""
        if self._look(candidate, 1) is None:
            return True
        (first, *_) = self._runners[_key(candidate)].answers
        return any(one.scores for _, one in first)

    def tried(self, chosen: Method, names: Sequence[str]) -> tuple[Trial, ...]:
        """Every candidate in the order of starting, its score on the folds it was asked on."""
        return tuple(
            Trial(
                settings={name: getattr(runner.method, name) for name in names},
                score=None if runner.fell else self._score(runner, len(runner.statistics)).score,
                chosen=key == _key(chosen),
                note=runner.fell or self._seen(runner),
            )
            for key, runner in self._runners.items()
        )

    def validation(self, chosen: Method, whole: bool) -> tuple[Answered, ...]:
        """What it answered on the folds it was asked on; `whole`: on those it was not, as well.

        () of a candidate that fell.
        """
        if whole:
            self._look(chosen, len(self._folds))
        runner = self._runners.get(_key(chosen))
        if runner is None or runner.fell:
            return ()
        return tuple(pair for fold in runner.answers for pair in fold)

    def _seen(self, runner: _Runner) -> str:
        count, folds = len(runner.statistics), len(self._folds)
        return "" if count == folds else f"on {count} of {folds} folds"

    def _look(self, candidate: Method, count: int) -> Look | None:
        """How it did on the first `count` folds; None where it fell."""
        runner = self._runners.setdefault(_key(candidate), _Runner(candidate))
        while len(runner.statistics) < count and not runner.fell:
            try:
                self._run(runner, len(runner.statistics))
            except (WorkerLost, EndpointFailed):  # no finding: the same command asks again
                raise
            except (CannotAdapt, RunFailed) as error:
                runner.fell = str(error)
        return None if runner.fell else self._score(runner, count)

    def _run(self, runner: _Runner, index: int) -> None:
        fold = self._folds[index]
        predictions = self._answer(runner.method, fold, index)
        pairs = list(zip(fold.dev, predictions, strict=True))
        runner.answers.append(pairs)
        runner.statistics.append([self._metric.statistics(e, p) for e, p in pairs])
        runner.fits.append([_fit(self._task, e, p) for e, p in pairs])

    def _score(self, runner: _Runner, count: int) -> Look:
        """Over all dev rows of the folds together: every labelled row is dev exactly once."""
        rows = [row for fold in runner.statistics[:count] for row in fold]
        fits = [fit for fold in runner.fits[:count] for fit in fold]
        return Look(score(self._metric, np.array(rows)), float(np.mean(fits)), len(rows))


def _fit(task: Task, example: Example, prediction: Prediction) -> float:
    """Log-probability of the right label, the scores normalised over the labels.

    Where several may apply: the mean over the labels of that of their applying, or not.
    """
    if len(prediction.scores) != len(task.labels) or not task.has_strata:
        return -math.inf
    scores = np.array(prediction.scores)
    if task.kind == "multilabel":
        applies = np.isin(task.label_names, example.targets)
        return float(np.where(applies, scores, np.log1p(-np.exp(np.minimum(scores, -1e-9)))).mean())
    right = scores[task.label_names.index(example.label)]
    return float(right - np.logaddexp.reduce(scores))
