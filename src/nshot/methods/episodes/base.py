"""What an episode is, and how a method takes part in episodes. Loads no torch.

A method that takes part is an `Episodic`: it makes an untrained `Learner`, says in which phases
that is trained on background classes, and what is minimised in each. All else (classes, sampling,
schedule, checkpoints, accuracy) is the same for every method, and not its business.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import PositiveInt

from nshot.core.types import Cost, Shots, Task
from nshot.methods.contract import Brief, Method, Workbench
from nshot.predictors.base import Predictor

STEPS = 400
"""Optimiser steps of each phase on a task of one's own, where a method's settings do not say."""
_TRAINED, _EMBEDDED = 9e-3, 3e-3
"""Seconds for a picture of 84 pixels: forward and backward, and forward alone, on one core."""
_PICTURE = (3, 84, 84)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nshot.nets.learner import Learner


@dataclass(frozen=True)
class EpisodeShape:
    """`way` classes, `shot` support items of each, `queries` items of each to be told."""

    way: int
    shot: int
    queries: int

    @property
    def name(self) -> str:
        """As papers say it: ``5-way 1-shot``."""
        return f"{self.way}-way {self.shot}-shot"


@dataclass(frozen=True)
class Episodes:
    """Episodes of one shape, as tensors. Items are uint8 pictures, vectors, or their features.

    Classes have a number in their episode, from 0 to way - 1; items lie class by class.
    """

    shape: EpisodeShape
    support: Tensor
    """(episodes, way * shot, *item)."""
    labels: Tensor
    """(way * shot,) int64: 0, ..., 0, 1, ..., the same in every episode."""
    queries: Tensor
    """(episodes, way * queries, *item)."""
    targets: Tensor
    """(way * queries,) int64."""


@dataclass(frozen=True)
class Items:
    """A batch of background items with their classes, from 0 to classes - 1."""

    items: Tensor
    """(n, *item)."""
    targets: Tensor
    """(n,) int64."""


@dataclass(frozen=True)
class OfEpisodes:
    """Each step sees `at_once` episodes; fewer classes than `way` are all taken."""

    shape: EpisodeShape
    at_once: int = 1

    @property
    def items(self) -> int:
        """Items that a step sees."""
        return self.at_once * self.shape.way * (self.shape.shot + self.shape.queries)


@dataclass(frozen=True)
class OfItems:
    """Each step sees `batch` items of any background classes."""

    batch: int

    @property
    def items(self) -> int:
        """Items that a step sees."""
        return self.batch


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

    takes: ClassVar = frozenset({"pictures"})

    steps: tuple[PositiveInt, ...] = ()

    @abstractmethod
    def learner(self, shape: tuple[int, ...]) -> Learner:
        """Untrained, for items of this shape: (channels, height, width), or (width,) of vectors.

        Its weights come from torch's random state, which the caller has seeded.
        """

    @abstractmethod
    def phases(self, shape: tuple[int, ...]) -> tuple[Phase, ...]:
        """How it is trained, for items of this shape; () where it has nothing to train."""

    def objective(self, phase: Phase, learner: Learner, classes: int) -> nn.Module:
        """What is trained in `phase`: a module that holds `learner` and returns the loss.

        ``objective(batch, progress)`` is a scalar; `batch` is `Episodes` or `Items` after
        ``phase.draws`` and `progress` the share of the phase's steps that is done. All its
        parameters are trained; what is not the learner's is dropped at the phase's end.
        `classes` counts the background classes. The default is the answer's cross-entropy.
        """
        from nshot.methods.episodes.objectives import AnswerLoss

        return AnswerLoss(learner)

    def why_not(self, brief: Brief) -> str | None:
        """Without background classes there is nothing to learn from."""
        if reason := super().why_not(brief):
            return reason
        if not brief.background:
            return "needs background classes to learn from; `nshot episodes` trains it on a file"
        return None

    def forecast(self, brief: Brief) -> Cost:
        """The steps of all phases on pictures of full size."""
        phases = self.phases(_PICTURE)
        steps = self.steps or (STEPS,) * len(phases)
        seen = sum(n * phase.draws.items for n, phase in zip(steps, phases, strict=False))
        return Cost(seconds=1 + _TRAINED * seen + _EMBEDDED * brief.labelled)

    def use_forecast(self, brief: Brief) -> Cost:
        """Every test picture is embedded."""
        return Cost(seconds=0.01 + _EMBEDDED * brief.test)

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Learn from the background classes; the labelled examples are the support set.

        Raises `CannotAdapt` without background classes, `Diverged` where the training broke.
        """
        from nshot.methods.episodes.adapting import adapt

        return adapt(self, task, shots, bench)
