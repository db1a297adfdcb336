"""The most frequent label, whatever is asked."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import numpy as np

from nshot.core.types import Shots, Task
from nshot.methods.contract import Method, Workbench
from nshot.predictors.base import Predictor
from nshot.predictors.constant import Constant


class Majority(Method):
    """Answers the label that most shots have, the first in the task's order of equals.

    No paper: the score that can be had without looking. With the same number of shots per label
    all are equal and it is the first label; with all rows it is the base rate. Both are the same
    in every draw, hence `learns` is False.
    """

    name: ClassVar = "majority"
    rung: ClassVar = "trivial"
    takes: ClassVar = frozenset({"text", "pictures"})
    learns: ClassVar = False
    about: ClassVar = "the most frequent label, whatever is asked"

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Count labels; one is added to each count (Laplace), so that no probability is zero."""
        counts = Counter(example.label for example in shots.labelled)
        smoothed = np.array([counts[name] + 1.0 for name in task.label_names])
        return Constant(task, tuple(np.log(smoothed / smoothed.sum()).tolist()))
