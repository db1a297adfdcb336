"""Whether a training was worth its name: the model on its own training rows, before and after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nshot.core.errors import DidNotLearn
from nshot.core.label_sets import labels_of
from nshot.core.types import Example, Task
from nshot.models.base import Scores
from nshot.predictors.base import Predictor
from nshot.predictors.numbers import Spread
from nshot.predictors.scores import log_softmax
from nshot.prompts.render import Format, answer_text, label_answers, render, shown_answer

CHECKED_ROWS = 64
"""Rows looked at, at most, evenly spaced: enough to see learning, cheap beside it."""
_NOTICED = 1e-4
"""Nats by which the loss must fall; less is rounding."""


@dataclass(frozen=True)
class Fit:
    """How a model does on its training rows.

    `nll`: nats by which it misses the right answer, mean per row; among the labels for a classify
    task; of numbers Huber's loss. `accuracy`: share of rows whose label is the likeliest; None
    where there are no labels.
    """

    nll: float
    accuracy: float | None

    def __str__(self) -> str:
        right = "" if self.accuracy is None else f" and accuracy {self.accuracy:.2f}"
        return f"loss {self.nll:.3f}{right}"


def fit(model: Scores, task: Task, format: Format, examples: Sequence[Example]) -> Fit:
    """How `model` does on (an evenly spaced sample of) the rows it is taught."""
    rows = _sample(examples)
    prompts = [render(task, format, example.input) for example in rows]
    if not task.has_labels:
        texts = [[answer_text(shown_answer(task, example), format)] for example in rows]
        scores = model.logprobs(prompts, texts)
        return Fit(-float(np.mean([score.logprobs[0] for score in scores])), None)
    answers = label_answers(task, format)
    scores = model.logprobs(prompts, [answers] * len(rows))
    likely = log_softmax(np.array([score.logprobs for score in scores]))
    right = np.array([task.label_names.index(example.label) for example in rows])
    nll = -float(likely[np.arange(len(rows)), right].mean())
    return Fit(nll, float((likely.argmax(axis=1) == right).mean()))


def answered(predictor: Predictor, examples: Sequence[Example]) -> Fit:
    """How a predictor of labels does on (the same sample of) the rows it was taught."""
    names = predictor.task.label_names
    rows = _sample(examples)
    predictions = predictor.predict([example.input for example in rows])
    labels = [names.index(example.label) for example in rows]
    nll = -float(np.mean([p.scores[i] for p, i in zip(predictions, labels, strict=True)]))
    hits = [p.answer == example.label for p, example in zip(predictions, rows, strict=True)]
    return Fit(nll, float(np.mean(hits)))


def answered_sets(predictor: Predictor, examples: Sequence[Example]) -> Fit:
    """How a predictor of several labels a row does on (the same sample of) its rows.

    `nll`: mean over rows and labels; `accuracy`: share of these pairs that are answered rightly.
    """
    names, rows = predictor.task.label_names, _sample(examples)
    predictions = predictor.predict([example.input for example in rows])
    applies = np.array([[name in example.targets for name in names] for example in rows])
    yes = np.exp([one.scores for one in predictions])
    answers = [set(labels_of(one.answer)) for one in predictions]
    right = applies == np.array([[name in some for name in names] for some in answers])
    return Fit(-float(np.log(np.where(applies, yes, 1 - yes)).mean()), float(right.mean()))


def answered_numbers(predictor: Predictor, examples: Sequence[Example], spread: Spread) -> Fit:
    """How a predictor of numbers does on (the same sample of) the rows it was taught."""
    rows = _sample(examples)
    answers = predictor.predict([example.input for example in rows])
    return _of_numbers([float(one.answer) for one in answers], rows, spread)


def at_the_mean(examples: Sequence[Example], spread: Spread) -> Fit:
    """How one does who always answers the mean."""
    rows = _sample(examples)
    return _of_numbers([spread.mean] * len(rows), rows, spread)


def _of_numbers(answers: Sequence[float], rows: Sequence[Example], spread: Spread) -> Fit:
    """Huber's loss of the distances in deviations, as `nshot.training.objectives.heads.Huber`."""
    right = np.array([float(example.targets[0]) for example in rows])
    far = np.abs(np.array(answers) - right) / spread.deviation
    return Fit(float(np.where(far <= 1, far**2 / 2, far - 0.5).mean()), None)


def chance(task: Task) -> Fit:
    """How one does who knows nothing: all labels are equally likely; of sets, each half."""
    if task.kind == "multilabel":
        return Fit(math.log(2), 0.5)
    return Fit(math.log(len(task.labels)), 1 / len(task.labels))


def _sample(examples: Sequence[Example]) -> Sequence[Example]:
    return examples[:: max(1, -(-len(examples) // CHECKED_ROWS))]


def require_learned(before: Fit, after: Fit) -> None:
    """Raise `DidNotLearn`, with both figures, unless the loss fell or the accuracy rose."""
    surer = after.nll < before.nll - _NOTICED
    righter = (after.accuracy or 0.0) > (before.accuracy or 0.0)
    if not (surer or righter):
        raise DidNotLearn(
            f"did not learn: on its own training rows it began at {before} and ended at {after}"
        )


def preferred(predictor: Predictor, examples: Sequence[Example], scale: float = 1.0) -> Fit:
    """How a predictor of kind rank does on (the same sample of) the comparisons it was taught.

    `nll`: of the better answer, by Bradley and Terry's model on `scale` times the scores; mean
    over prompts of the mean over their comparisons. `accuracy`: share in which it has more.
    """
    from nshot.training.data.rankings import comparisons

    rows = [(e, pairs) for e in _sample(examples) if (pairs := comparisons(e.grades))]
    if not rows:
        return even()
    losses, hits = [], []
    for (_, pairs), one in zip(rows, predictor.predict([e.input for e, _ in rows]), strict=True):
        ahead = np.array([one.scores[pair.first] - one.scores[pair.second] for pair in pairs])
        losses.append(float(np.logaddexp(0, -scale * ahead).mean()))
        hits.append(float((ahead > 0).mean()))
    return Fit(float(np.mean(losses)), float(np.mean(hits)))


def even() -> Fit:
    """How one does to whom all answers are equally good."""
    return Fit(math.log(2), 0.5)
