"""Somebody who answers what a cascade passes on."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveFloat

from nshot.core.types import LABELLED, Cost, Kind, Rung, Shots, Task
from nshot.methods.contract import Brief, Method, Taken, Workbench
from nshot.predictors.base import Predictor
from nshot.predictors.to_a_person import ToAPerson


class Person(Method):
    """Chow, "On Optimum Recognition Error and Reject Tradeoff", 1970, IEEE Trans. Inf. Theory 16.

    https://doi.org/10.1109/TIT.1970.1054406 - a row whose answer is too doubtful is rejected, and
    left to somebody. Nothing is answered: the row is marked as held back. It is the dear part of a
    `cascade`, whose threshold takes the person to be right.

    Args:
        seconds: what an answer takes.
        money: what an answer costs, in any currency.
    """

    name: ClassVar = "person"
    rung: ClassVar[Rung] = "compose"
    kinds: ClassVar[frozenset[Kind]] = LABELLED
    takes: ClassVar[frozenset[Taken]] = frozenset({"text", "pictures"})
    learns: ClassVar[bool] = False
    learns_labels: ClassVar[bool] = False
    about: ClassVar[str] = "somebody: what a cascade passes on is marked as held back"

    seconds: PositiveFloat
    money: float = Field(default=0.0, ge=0)

    def use_forecast(self, brief: Brief) -> Cost:
        """As it is said."""
        return Cost(seconds=brief.test * self.seconds, money=brief.test * self.money)

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Nothing is learned."""
        return ToAPerson(task, self.seconds, self.money)
