"""A cosine head, fitted to the shots by gradient descent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from nshot.core.types import Rung, Task, Trains
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.features import encoder_of
from nshot.methods.fewshot.baseline import HeadOnFeatures, batch_of_one, scattered
from nshot.methods.fewshot.episodic import Episodic, Phase
from nshot.predictors.base import Predictor
from nshot.predictors.nearest import Nearest

if TYPE_CHECKING:
    from torch import nn

    from nshot.nets.learner import Learner


class BaselinePP(HeadOnFeatures, Episodic):
    """Chen, Liu, Kira, Wang and Huang, "A Closer Look at Few-shot Classification", ICLR 2019.

    https://arxiv.org/abs/1904.04232, section 3.2, Baseline++ - as `baseline`, but the classifier
    judges by the cosine between a feature and each class's weight, times a learned scale, so that
    the features of a class are drawn close together. Settings: see `HeadOnFeatures`.
    """

    name: ClassVar = "baseline_pp"
    rung: ClassVar[Rung] = "fewshot"
    takes: ClassVar = frozenset({"text", "pictures"})
    needs_encoder: ClassVar = True
    trains: ClassVar[Trains] = "head"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"fit_rate": (0.01, 0.1)}
    about: ClassVar = "a cosine head fitted to the shots by gradient descent; classes can be added"

    def learner(self, shape: tuple[int, ...]) -> Learner:
        """A `Conv4` for pictures; vectors stay as they are."""
        from nshot.nets.baseline import BaselinePP as Module

        return Module(shape, self.filters, self.fit_rate, self.fit_passes, self.fit_batch)

    def head(self, phase: Phase, learner: Learner, classes: int) -> nn.Module:
        """The background classes, too, are told apart by cosine."""
        from nshot.nets.baseline import BaselinePP as Module
        from nshot.nets.cosine_head import CosineHead

        return CosineHead(cast(Module, learner).embedding.width, classes)

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
        """The trained weights are prototypes to which a cosine is taken; see
        `HeadOnFeatures.fitted`."""
        from nshot.nets.support_heads import fit_cosine

        present, among = np.unique(numbers, return_inverse=True)
        weights, scale = fit_cosine(
            *batch_of_one(vectors, among), len(present), self.recipe(len(vectors), bench.seed)
        )
        every = scattered(np.asarray(weights[0].numpy()), present, len(task.labels))
        return Nearest(task, encoder_of(bench), every, scale.item())
