"""The most frequent label, whatever is asked."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import numpy as np

from nshot.core.label_sets import joined
from nshot.core.types import OF_LABELS, Kind, Shots, Task
from nshot.methods.contract import Method, Workbench
from nshot.methods.label_sets import indicators
from nshot.predictors.base import Predictor
from nshot.predictors.constant import Constant
from nshot.predictors.label_sets import FixedLabels


class Majority(Method):
    """Answers the label that most shots have, the first in the task's order of equals.

    No paper: the score that can be had without looking. With the same number of shots per label
    all are equal and it is the first label; with all rows it is the base rate. Both are the same
    in every draw, hence `learns` is False. Where several labels may apply (kind multilabel) it
    answers those that, given to every row, have the highest micro F1: so many of the commonest.
    """

    name: ClassVar = "majority"
    rung: ClassVar = "trivial"
    kinds: ClassVar[frozenset[Kind]] = OF_LABELS
    takes: ClassVar = frozenset({"text", "pictures"})
    learns: ClassVar = False
    about: ClassVar = "the most frequent label, whatever is asked"

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Count labels; one is added to each count (Laplace), so that no probability is zero."""
        if task.kind == "multilabel":
            return _fixed(task, shots)
        counts = Counter(example.label for example in shots.labelled)
        smoothed = np.array([counts[name] + 1.0 for name in task.label_names])
        return Constant(task, tuple(np.log(smoothed / smoothed.sum()).tolist()))


def _fixed(task: Task, shots: Shots) -> FixedLabels:
    """F1 of the k commonest labels is 2 (rows that have them) / (k rows + all labels of rows)."""
    applies = indicators(task, shots.labelled)
    counts = applies.sum(axis=0)
    order = np.argsort(-counts, kind="stable")
    sizes = np.arange(1, len(order) + 1) * len(applies)
    f1 = 2 * counts[order].cumsum() / np.maximum(sizes + counts.sum(), 1)
    chosen = {task.label_names[place] for place in order[: int(f1.argmax()) + 1]}
    shares = counts / max(1, len(applies))
    return FixedLabels(task, joined(task, chosen if counts.any() else ()), tuple(shares.tolist()))
