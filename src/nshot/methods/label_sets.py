"""What methods of kind multilabel share: which labels apply, and from which probability on."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nshot.core.types import Example, Shots, Task, group_of
from nshot.methods.contract import Brief, Method, Workbench
from nshot.models.base import Floats
from nshot.predictors.label_sets import AskedLabels, applying
from nshot.prompts.questions import question_task, questions

if TYPE_CHECKING:
    from nshot.predictors.base import Predictor

FOLDS = 3
"""Folds of the shots on which thresholds are chosen."""
LEAST = 20
"""Rows from which a threshold is chosen; below it is a half."""
OWN = 200
"""Rows from which each label has a threshold of its own, where the metric counts labels alike."""
HELD = 32
"""Labelled rows that a language model does not learn from: its threshold is chosen on them."""
_GRID = tuple(percent / 100 for percent in range(2, 100, 2))
_QUESTION_TOKENS = 10

Fitted: TypeAlias = Callable[[NDArray[np.intp], NDArray[np.intp]], Floats]
"""(learned from, asked): numbers of shots -> (asked, labels) probabilities."""


def indicators(task: Task, examples: Sequence[Example]) -> Floats:
    """(examples, labels): 1 where the label applies, else 0."""
    return np.array(
        [[float(name in example.targets) for name in task.label_names] for example in examples]
    ).reshape(len(examples), len(task.labels))


def fold_thresholds(task: Task, shots: Shots, seed: int, fitted: Fitted) -> Floats:
    """(labels,) thresholds, chosen on the folds of the shots: no row is asked that was learned."""
    place = {example.id: i for i, example in enumerate(shots.labelled)}
    rows: list[Example] = []
    shares: list[Floats] = []
    for fold in shots.folds(FOLDS, seed) if len(shots.labelled) >= LEAST else ():
        learned, held_out = (
            np.array([place[one.id] for one in part]) for part in (fold.shots.labelled, fold.dev)
        )
        shares.append(fitted(learned, held_out))
        rows += fold.dev
    if not rows:
        return np.full(len(task.labels), 0.5)
    return thresholds(task, np.concatenate(shares), rows)


def thresholds(task: Task, probabilities: Floats, examples: Sequence[Example]) -> Floats:
    """(labels,) the thresholds that give the task's metric its highest value on these examples.

    One for all labels: with true probabilities the best for micro F1 is the same for every label
    (Lipton, Elkan and Naryanaswamy, "Optimal Thresholding of Classifiers to Maximize F1 Measure",
    2014, https://arxiv.org/abs/1402.1892), and few rows say little of each. For ``macro_f1`` each
    label's own from `OWN` rows on. Of equals the one next to a half.
    """
    if len(examples) < LEAST:
        return np.full(len(task.labels), 0.5)
    applies = indicators(task, examples)
    if task.metric == "macro_f1" and len(examples) >= OWN:
        pairs = zip(probabilities.T, applies.T, strict=True)
        return np.array([_best(partial(_f1, *pair)) for pair in pairs])
    return np.full(len(task.labels), _best(partial(_value, task, probabilities, examples)))


def _best(value: Callable[[float], float]) -> float:
    return max(_GRID, key=lambda t: (value(t), -abs(t - 0.5)))


def _f1(probabilities: Floats, applies: Floats, t: float) -> float:
    answered = probabilities >= t
    both = float(answered.sum() + applies.sum())
    return 2 * float(applies[answered].sum()) / both if both else 1.0


def _value(task: Task, probabilities: Floats, examples: Sequence[Example], t: float) -> float:
    from nshot.metrics import metric_of, score

    metric = metric_of(task)
    count = len(examples)
    answers = applying(task, probabilities, [t] * len(task.labels), [0] * count)
    pairs = zip(examples, answers, strict=True)
    return score(metric, np.array([metric.statistics(one, answer) for one, answer in pairs]))


def by_questions(method: Method, task: Task, shots: Shots, bench: Workbench) -> Predictor:
    """The method adapted to questions of yes or no, one for each row and label.

    Where it learns from labels, the threshold is chosen on rows `kept_back` from it; else it is a
    half.
    """
    kept, held = shots.labelled, tuple[Example, ...]()
    if method.learns_labels:
        kept, held = kept_back(shots.labelled, bench.seed)
    rows = Shots(questions(task, kept), questions(task, shots.unlabelled))
    inner = method.adapt(question_task(task), rows, bench)
    predictor = AskedLabels(task, inner, (0.5,) * len(task.labels))
    if not held:
        return predictor
    answers = predictor.predict([example.input for example in held])
    chosen = thresholds(task, np.exp([answer.scores for answer in answers]), held)
    return replace(predictor, thresholds=tuple(chosen.tolist()))


def kept_back(
    examples: tuple[Example, ...], seed: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Rows to learn from, and up to `HELD` rows, a quarter at most, to choose thresholds on.

    All are learned from where a quarter is fewer than `LEAST`: they could choose none. No group is
    on both sides.
    """
    count = min(HELD, len(examples) // 4)
    if count < LEAST:
        return examples, ()
    groups: dict[str, int] = {}
    for example in examples:
        groups[group_of(example)] = groups.get(group_of(example), 0) + 1
    names = sorted(groups)
    random.Random(f"thresholds:{seed}").shuffle(names)
    chosen, size = set[str](), 0
    for name in names:
        if size + groups[name] <= count:
            chosen.add(name)
            size += groups[name]
    if size < LEAST:
        return examples, ()
    learned = tuple(example for example in examples if group_of(example) not in chosen)
    return learned, tuple(example for example in examples if group_of(example) in chosen)


def brief_of_questions(brief: Brief) -> Brief:
    """What is asked of a language model in place of the task: a question a row and label."""
    if brief.task.kind != "multilabel":
        return brief
    labels = len(brief.task.labels)
    return replace(
        brief,
        task=question_task(brief.task),
        labelled=brief.labelled * labels,
        unlabelled=brief.unlabelled * labels,
        test=brief.test * labels,
        tokens=brief.tokens + _QUESTION_TOKENS,
        longest=brief.longest + _QUESTION_TOKENS,
    )
