"""A linear head, fitted to the shots by gradient descent."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, PositiveFloat, PositiveInt

from nshot.core.types import Cost, Rung, Shots, Task, Trains
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.features import ABSENT, encoded, encoder_of, targets
from nshot.methods.fewshot.episodic import Episodic, Phase
from nshot.models.base import Floats
from nshot.predictors.base import Predictor
from nshot.predictors.label_head import LabelHead
from nshot.training.data.episodes import OfItems

if TYPE_CHECKING:
    from torch import nn

    from nshot.nets.learner import Learner
    from nshot.nets.support_heads import Recipe
    from nshot.training.loop import Objective
    from nshot.training.objectives.episode import Learning

FIT_STEPS = 2000
"""Steps of the gradient descent on the shots, at most: thousands of shots take more at a step."""
STEP_SECONDS = 2e-4
"""A step of the gradient descent on the shots, about."""


class HeadOnFeatures(BaseModel):
    """A head that is fitted to the shots on features that stay: what `baseline` and `baseline_pp`
    share.

    Args:
        fit_rate: of the gradient descent on the shots, for features whose entries are about 1;
            they are brought to that.
        fit_passes: of the gradient descent over the shots.
        fit_batch: shots a step; more where that would be over `FIT_STEPS` steps.
        filters: of the convolutional embedding; this and what follows is for `nshot episodes`.
        batch: items a step when the embedding is trained.
        learning_rate: of AdamW then.
    """

    fit_rate: PositiveFloat = 0.01
    fit_passes: PositiveInt = 100
    fit_batch: PositiveInt = 4
    filters: PositiveInt = 64
    batch: PositiveInt = 128
    learning_rate: PositiveFloat = 2e-3

    def phases(self, shape: tuple[int, ...]) -> tuple[Phase, ...]:
        """All background classes are told apart; nothing for vectors, which stay as they are."""
        if len(shape) != 3:
            return ()
        return (Phase("classes", OfItems(self.batch), self.learning_rate),)

    def objective(self, phase: Phase) -> Objective[Learning, Any]:
        """Cross-entropy of a classifier of the background classes."""
        from nshot.training.objectives.episode import Classes

        return Classes()

    def forecast(self, brief: Brief) -> Cost:
        """The encoder reads every shot; a step is quick."""
        reading = brief.labelled * brief.tokens / brief.rates.encoder_tokens
        steps = self.fit_passes * math.ceil(brief.labelled / self.shots_a_step(brief.labelled))
        return Cost(seconds=0.05 + reading + STEP_SECONDS * steps)

    def use_forecast(self, brief: Brief) -> Cost:
        """The encoder reads every test row."""
        return Cost(seconds=brief.test * brief.tokens / brief.rates.encoder_tokens)

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Encode the shots and fit the head to them."""
        vectors = encoded(bench, [example.input for example in shots.labelled])
        numbers = targets(task, shots.labelled)
        bench.trained((vectors.shape[1] + 1) * len(task.labels))
        return self.fitted(task, bench, vectors, numbers)

    @abstractmethod
    def fitted(
        self,
        task: Task,
        bench: Workbench,
        vectors: NDArray[np.float32],
        numbers: NDArray[np.int64],
    ) -> Predictor:
        """What answers, from the shots' `vectors` (n, width) and labels `numbers` (n,).

        A label without any shot is left out of the fit and all but excluded from the answers.
        """

    def shots_a_step(self, count: int) -> int:
        """Of `count` shots: as set, or as many as end in `FIT_STEPS` steps."""
        return max(self.fit_batch, math.ceil(self.fit_passes * count / FIT_STEPS))

    def recipe(self, count: int, seed: int) -> Recipe:
        """How the head is fitted to `count` shots."""
        from nshot.nets.support_heads import Recipe

        return Recipe(self.fit_rate, self.fit_passes, self.shots_a_step(count), seed=seed)


class Baseline(HeadOnFeatures, Episodic):
    """Chen, Liu, Kira, Wang and Huang, "A Closer Look at Few-shot Classification", ICLR 2019.

    https://arxiv.org/abs/1904.04232 - the plain way: an embedding that was trained to tell other
    classes apart is left as it is, and a linear classifier is fitted to the shots by gradient
    descent: 100 passes, 4 shots a step. With a good embedding it beats methods that learn to learn.
    In `compare` the embedding is the encoder; in `nshot episodes` it is trained on the background.

    Settings: see `HeadOnFeatures`.
    """

    name: ClassVar = "baseline"
    rung: ClassVar[Rung] = "fewshot"
    takes: ClassVar = frozenset({"text", "pictures"})
    needs_encoder: ClassVar = True
    trains: ClassVar[Trains] = "head"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"fit_rate": (0.01, 0.1)}
    version: ClassVar = 2
    about: ClassVar = "a linear head fitted to the shots by gradient descent, on features that stay"

    def learner(self, shape: tuple[int, ...]) -> Learner:
        """A `Conv4` for pictures; vectors stay as they are."""
        from nshot.nets.baseline import Baseline as Module

        return Module(shape, self.filters, self.fit_rate, self.fit_passes, self.fit_batch)

    def head(self, phase: Phase, learner: Learner, classes: int) -> nn.Module:
        """What tells the background classes apart."""
        from torch import nn

        from nshot.nets.baseline import Baseline as Module

        return nn.Linear(cast(Module, learner).embedding.width, classes)

    def why_not(self, brief: Brief) -> str | None:
        """No background classes are needed: the encoder has learned elsewhere."""
        return Method.why_not(self, brief)

    def fitted(
        self,
        task: Task,
        bench: Workbench,
        vectors: NDArray[np.float32],
        numbers: NDArray[np.int64],
    ) -> Predictor:
        """The weights and the bias of a linear classifier; see `HeadOnFeatures.fitted`."""
        from nshot.nets.support_heads import fit_linear

        present, among = np.unique(numbers, return_inverse=True)
        fit = fit_linear(
            *batch_of_one(vectors, among), len(present), self.recipe(len(vectors), bench.seed)
        )
        weights, bias = (np.asarray(part[0].numpy()) for part in fit)
        every = np.full(len(task.labels), ABSENT)
        every[present] = bias
        source = encoder_of(bench)
        return LabelHead(task, source, scattered(weights, present, len(task.labels)).T, every)


def batch_of_one(vectors: NDArray[np.float32], targets: NDArray[np.intp]) -> tuple[Any, Any]:
    """The shots as one episode's tensors: (1, n, width) float64 and (1, n)."""
    import torch

    return torch.from_numpy(vectors.astype(np.float64))[None], torch.from_numpy(targets)[None]


def scattered(rows: Floats, places: NDArray[np.int64], count: int) -> Floats:
    """(count, width): each of `rows` in its place, zeros elsewhere."""
    every = np.zeros((count, rows.shape[1]))
    every[places] = rows
    return every
