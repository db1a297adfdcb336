"""A method that learns to learn: it makes an untrained `Learner` and says how that is trained.

It says in which phases, on what of the background classes, and what is minimised in each. All else
(classes, sampling, schedule, checkpoints, accuracy) is the same for every method. Loads no torch.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import PositiveInt

from nshot.core.types import Cost, Rung, Shots, Task, Trains
from nshot.methods.contract import Brief, Method, Taken, Workbench
from nshot.predictors.base import Predictor
from nshot.training.data.episodes import OfEpisodes, OfItems

STEPS = 400
"""Optimiser steps of each phase on a task of one's own, where a method's settings do not say."""
_TRAINED, _EMBEDDED = 9e-3, 3e-3
"""Seconds for a picture of 84 pixels: forward and backward, and forward alone, on one core."""
_PICTURE = (3, 84, 84)

if TYPE_CHECKING:
    from torch import nn

    from nshot.nets.learner import Learner
    from nshot.training.loop import Objective
    from nshot.training.objectives.episode import Learning


@dataclass(frozen=True)
class Phase:
    """One stretch of training on background classes: AdamW, a rate that falls along a cosine.

    `share` is its part of the time when time is granted. The rate rises over the share `warmup`
    of the phase's steps; `clip` bounds the gradient's norm.
    """

    name: str
    draws: OfEpisodes | OfItems
    learning_rate: float
    share: float = 1.0
    weight_decay: float = 0.0
    warmup: float = 0.05
    clip: float = 10.0


class Episodic(Method):
    """A method that learns from background classes how to learn new ones.

    Args:
        steps: optimiser steps of each phase; () is as many as the minutes granted hold, measured
            once and then fixed in the run's specification.
    """

    rung: ClassVar[Rung] = "fewshot"
    takes: ClassVar[frozenset[Taken]] = frozenset({"pictures"})
    trains: ClassVar[Trains] = "weights"
    needs_background: ClassVar[bool] = True
    """Without classes to learn from it cannot answer."""

    steps: tuple[PositiveInt, ...] = ()

    @abstractmethod
    def learner(self, shape: tuple[int, ...]) -> Learner:
        """Untrained, for items of this shape: (channels, height, width), or (width,) of vectors.

        Its weights come from torch's random state, which the caller has seeded.
        """

    @abstractmethod
    def phases(self, shape: tuple[int, ...]) -> tuple[Phase, ...]:
        """How it is trained, for items of this shape; () where it has nothing to train."""

    def objective(self, phase: Phase) -> Objective[Learning, Any]:
        """What is minimised in `phase`, on what ``phase.draws`` gives.

        The answers' cross-entropy, each item of a class once the support, where a method has
        nothing else: see `nshot.training.objectives.episode`.
        """
        from nshot.training.objectives.episode import Turns

        return Turns()

    def head(self, phase: Phase, learner: Learner, classes: int) -> nn.Module | None:
        """What is trained in `phase` beside the learner, and dropped afterwards: nothing.

        `classes` counts the background classes. Its weights come from torch's random state.
        """
        return None

    def why_not(self, brief: Brief) -> str | None:
        """Without background classes there is mostly nothing to learn from."""
        if reason := super().why_not(brief):
            return reason
        if self.needs_background and not brief.background:
            return "needs background classes to learn from; `nshot episodes` trains it on a file"
        return None

    def forecast(self, brief: Brief) -> Cost:
        """The steps of all phases on pictures of full size."""
        phases = self.phases(_PICTURE)
        steps = self.steps or (STEPS,) * len(phases)
        items = sum(n * phase.draws.items for n, phase in zip(steps, phases, strict=False))
        return Cost(seconds=1 + _TRAINED * items + _EMBEDDED * brief.labelled)

    def use_forecast(self, brief: Brief) -> Cost:
        """Every test picture is embedded."""
        return Cost(seconds=0.01 + _EMBEDDED * brief.test)

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Learn from the background classes; the labelled examples are the support set.

        Raises `CannotAdapt` without background classes, `Diverged` where the training broke.
        """
        from nshot.methods.fewshot.learning import adapt

        return adapt(self, task, shots, bench)
