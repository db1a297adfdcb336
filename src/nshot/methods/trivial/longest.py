"""The longest of the given answers, whatever is asked."""

from __future__ import annotations

from typing import ClassVar

from nshot.core.types import Kind, Shots, Task
from nshot.methods.contract import Method, Workbench
from nshot.predictors.base import Predictor
from nshot.predictors.by_length import ByLength


class Longest(Method):
    """Prefers the answer with the most characters.

    Prasann Singhal, Tanya Goyal, Jiacheng Xu, Greg Durrett. "A Long Way to Go: Investigating Length
    Correlations in RLHF", 2023. https://arxiv.org/abs/2310.03716: on many preference data length
    alone gets most of what a reward model gets. One that is no better has learned to count.
    """

    name: ClassVar = "longest"
    rung: ClassVar = "trivial"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"rank"})
    learns: ClassVar = False
    about: ClassVar = "the longest of the given answers"

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Nothing is learned."""
        return ByLength(task, longest=True)
