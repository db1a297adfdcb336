"""Kahneman-Tversky optimisation: answers that were liked or not, without pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from nshot.core.types import Cost, ModelRef, Shots, Task
from nshot.methods.align.preferring import Preferring, asked_pairs, with_two_answers
from nshot.methods.any_part import AnyPart
from nshot.methods.contract import Brief, Workbench
from nshot.methods.trained import Trained
from nshot.predictors.base import Predictor
from nshot.predictors.implicit import Implicit
from nshot.training.recipe import Data
from nshot.training.rows import Schedule

if TYPE_CHECKING:
    from nshot.training.loop import Objective


class KTO(Preferring, AnyPart, Trained):
    """A policy that writes rather what was liked, from a yes or no to single answers.

    Kawin Ethayarajh, Winnie Xu, Niklas Muennighoff, Dan Jurafsky, Douwe Kiela. "KTO: Model
    Alignment as Prospect Theoretic Optimization", 2024, equation 8.
    https://arxiv.org/abs/2402.01306

    The reference is the model as it was lent, the policy an adapter on it, or its own weights set
    free: one base in memory. Of a prompt with several graded answers those above their mean count
    as liked, those below not.

    Settings besides those of `Preferring`, of `AnyPart` and of `Trained`; `batch_size` counts
    answers:

    Args:
        beta: what a step away from the reference counts: the smaller, the further the policy goes.
        liked: weight of answers that were liked.
        disliked: weight of answers that were not; for one liked in ten, ten times as little.
    """

    name: ClassVar[str] = "kto"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    about: ClassVar[str] = "an adapter that writes rather what was liked, from single answers"

    learning_rate: float = Field(default=2e-4, ge=0)
    batch_size: int = Field(default=16, ge=2)
    beta: float = Field(default=0.1, gt=0)
    liked: float = Field(default=1.0, gt=0)
    disliked: float = Field(default=1.0, gt=0)

    def data(self, task: Task, shots: Shots, seed: int) -> Data[Any]:
        """Every judged answer in blocks of a batch, and what the reference thinks of it."""
        from nshot.training.data.likings import LikedRows

        rows, limit = shots.labelled, self.max_tokens
        return LikedRows(task, self.format, rows, limit, self.batch_size, self.beta, seed)

    def objective(self) -> Objective[Any, Any]:
        """Equation 8."""
        from nshot.training.objectives.kto import KahnemanTversky

        return KahnemanTversky(self.beta, (self.liked, self.disliked))

    def schedule(self, seed: int) -> Schedule:
        """A step learns from one block."""
        return replace(super().schedule(seed), batch_size=1)

    def predictor(self, task: Task, shots: Shots, bench: Workbench, ref: ModelRef) -> Predictor:
        """Ranks by the implicit reward, and writes."""
        return Implicit(task, bench.models, ref, self.format, self.beta)

    def forecast(self, brief: Brief) -> Cost:
        """As others, of longer rows, each of which the reference reads twice."""
        longer = with_two_answers(brief)
        reading = 3 * brief.labelled * longer.tokens / brief.rates.lm_tokens
        return super().forecast(longer).then(Cost(seconds=reading))

    def use_forecast(self, brief: Brief) -> Cost:
        """Every answer is scored by the policy and by the reference."""
        return asked_pairs(brief, 2)
