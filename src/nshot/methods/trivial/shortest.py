"""The shortest of the given answers, whatever is asked."""

from __future__ import annotations

from typing import ClassVar

from nshot.core.types import Kind, Shots, Task
from nshot.methods.contract import Method, Workbench
from nshot.predictors.base import Predictor
from nshot.predictors.by_length import ByLength


class Shortest(Method):
    """Prefers the answer with the fewest characters.

    Singhal et al., "A Long Way to Go: Investigating Length Correlations in RLHF", 2023,
    https://arxiv.org/abs/2310.03716, read the other way round: where people preferred a refusal or
    a plain answer, the shorter one is the better guess.
    """

    name: ClassVar = "shortest"
    rung: ClassVar = "trivial"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"rank"})
    learns: ClassVar = False
    about: ClassVar = "the shortest of the given answers"

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Nothing is learned."""
        return ByLength(task, longest=False)
