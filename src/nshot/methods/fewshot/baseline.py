"""A linear head, fitted to the shots by gradient descent."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, PositiveFloat, PositiveInt

from nshot.core.types import Cost, Shots, Task, Trains
from nshot.methods.contract import Brief, Taken, Workbench
from nshot.methods.features import ABSENT, encoded, encoder_of, seconds_to_read, targets
from nshot.methods.fewshot.episodic import Episodic, Phase
from nshot.models.base import Floats
from nshot.predictors.base import Predictor
from nshot.predictors.features import Encoded
from nshot.predictors.label_head import LabelHead
from nshot.training.data.episodes import OfItems

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nshot.nets.embedded import Embedded
    from nshot.nets.learner import Learner
    from nshot.nets.support_heads import Recipe
    from nshot.training.loop import Objective
    from nshot.training.objectives.episode import Learning

Places: TypeAlias = NDArray[np.int64]
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

    name: ClassVar[str]
    takes: ClassVar[frozenset[Taken]] = frozenset({"text", "pictures"})
    needs_encoder: ClassVar[bool] = True
    needs_background: ClassVar[bool] = False
    trains: ClassVar[Trains] = "head"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"fit_rate": (0.01, 0.1)}

    fit_rate: PositiveFloat = 0.01
    fit_passes: PositiveInt = 100
    fit_batch: PositiveInt = 4
    filters: PositiveInt = 64
    batch: PositiveInt = 128
    learning_rate: PositiveFloat = 2e-3

    def learner(self, shape: tuple[int, ...]) -> Learner:
        """A `Conv4` for pictures; vectors stay as they are."""
        from nshot.nets.learners import make

        fit = {"learning_rate": self.fit_rate, "passes": self.fit_passes}
        settings = {"shape": shape, "filters": self.filters, "batch_size": self.fit_batch}
        return make(self.name, {**settings, **fit})

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
        reading = seconds_to_read(brief.labelled, brief)
        steps = self.fit_passes * math.ceil(brief.labelled / self.shots_a_step(brief.labelled))
        return Cost(seconds=0.05 + reading + STEP_SECONDS * steps)

    def use_forecast(self, brief: Brief) -> Cost:
        """The encoder reads every test row."""
        return Cost(seconds=seconds_to_read(brief.test, brief))

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Encode the shots and fit the head to them.

        A label without any shot is left out of the fit and all but excluded from the answers.
        """
        import torch

        from nshot.nets.support_heads import Recipe

        vectors = encoded(bench, [example.input for example in shots.labelled])
        bench.trained((vectors.shape[1] + 1) * len(task.labels))
        present, among = np.unique(targets(task, shots.labelled), return_inverse=True)
        support = torch.from_numpy(vectors.astype(np.float64))[None]
        step = self.shots_a_step(len(vectors))
        recipe = Recipe(self.fit_rate, self.fit_passes, step, seed=bench.seed)
        fit = self.fit(support, torch.from_numpy(among)[None], len(present), recipe)
        weights, other = (np.asarray(part[0].numpy()) for part in fit)
        every = np.zeros((len(task.labels), vectors.shape[1]))
        every[present] = weights
        return self.fitted(task, encoder_of(bench), every, other, present)

    @abstractmethod
    def fit(
        self, support: Tensor, among: Tensor, way: int, recipe: Recipe
    ) -> tuple[Tensor, Tensor]:
        """Weights (1, way, width) and what else is fitted; see `nshot.nets.support_heads`."""

    @abstractmethod
    def fitted(
        self, task: Task, source: Encoded, weights: Floats, other: Floats, present: Places
    ) -> Predictor:
        """What answers.

        Args:
            weights: (labels, width), zeros for labels without a shot.
            other: what `fit` gives beside them, of the labels that are `present`.
        """

    def shots_a_step(self, count: int) -> int:
        """Of `count` shots: as set, or as many as end in `FIT_STEPS` steps."""
        return max(self.fit_batch, math.ceil(self.fit_passes * count / FIT_STEPS))


class Baseline(HeadOnFeatures, Episodic):
    """Chen, Liu, Kira, Wang and Huang, "A Closer Look at Few-shot Classification", ICLR 2019.

    https://arxiv.org/abs/1904.04232 - the plain way: an embedding that was trained to tell other
    classes apart is left as it is, and a linear classifier is fitted to the shots by gradient
    descent: 100 passes, 4 shots a step. With a good embedding it beats methods that learn to learn.
    In `compare` the embedding is the encoder; in `nshot episodes` it is trained on the background.

    Settings: see `HeadOnFeatures`.
    """

    name: ClassVar = "baseline"
    version: ClassVar = 2
    about: ClassVar = "a linear head fitted to the shots by gradient descent, on features that stay"

    def head(self, phase: Phase, learner: Learner, classes: int) -> nn.Module:
        """What tells the background classes apart."""
        from torch import nn

        return nn.Linear(cast("Embedded", learner).embedding.width, classes)

    def fit(
        self, support: Tensor, among: Tensor, way: int, recipe: Recipe
    ) -> tuple[Tensor, Tensor]:
        """The weights and the bias of a linear classifier."""
        from nshot.nets.support_heads import fit_linear

        return fit_linear(support, among, way, recipe)

    def fitted(
        self, task: Task, source: Encoded, weights: Floats, other: Floats, present: Places
    ) -> Predictor:
        """The linear classifier."""
        bias = np.full(len(task.labels), ABSENT)
        bias[present] = other
        return LabelHead(task, source, weights.T, bias)
