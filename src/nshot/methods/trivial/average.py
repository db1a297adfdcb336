"""The middle of the labelled numbers, whatever is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from nshot.core.types import Kind, Shots, Task
from nshot.methods.contract import Method, Workbench
from nshot.methods.features import numbers
from nshot.predictors.base import Predictor
from nshot.predictors.numbers import FixedNumber


class Average(Method):
    """Answers the median, or the mean, of the labelled numbers.

    No paper: the error that can be had without looking. The median has the least mean absolute
    error of all fixed answers, the mean the least squared one.

    Args:
        of: which of the two.
    """

    name: ClassVar = "average"
    rung: ClassVar = "trivial"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"number"})
    takes: ClassVar = frozenset({"text", "pictures"})
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"of": ("median", "mean")}
    about: ClassVar = "the median or mean of the labelled numbers, whatever is asked"

    of: Literal["median", "mean"] = "median"

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """One number."""
        values = numbers(shots.labelled)
        return FixedNumber(task, float(np.median(values) if self.of == "median" else values.mean()))
