"""A cosine head, fitted to the shots by gradient descent."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from nshot.core.types import Task
from nshot.methods.fewshot.baseline import HeadOnFeatures, Places
from nshot.methods.fewshot.episodic import Episodic, Phase
from nshot.models.base import Floats
from nshot.predictors.base import Predictor
from nshot.predictors.features import Encoded
from nshot.predictors.nearest import Nearest

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nshot.nets.embedded import Embedded
    from nshot.nets.learner import Learner
    from nshot.nets.support_heads import Recipe


class BaselinePP(HeadOnFeatures, Episodic):
    """Chen, Liu, Kira, Wang and Huang, "A Closer Look at Few-shot Classification", ICLR 2019.

    https://arxiv.org/abs/1904.04232, section 3.2, Baseline++ - as `baseline`, but the classifier
    judges by the cosine between a feature and each class's weight, times a learned scale, so that
    the features of a class are drawn close together. Settings: see `HeadOnFeatures`.
    """

    name: ClassVar = "baseline_pp"
    about: ClassVar = "a cosine head fitted to the shots by gradient descent; classes can be added"

    def head(self, phase: Phase, learner: Learner, classes: int) -> nn.Module:
        """The background classes, too, are told apart by cosine."""
        from nshot.nets.cosine_head import CosineHead

        return CosineHead(cast("Embedded", learner).embedding.width, classes)

    def fit(
        self, support: Tensor, among: Tensor, way: int, recipe: Recipe
    ) -> tuple[Tensor, Tensor]:
        """The weights and the scale of a cosine classifier."""
        from nshot.nets.support_heads import fit_cosine

        return fit_cosine(support, among, way, recipe)

    def fitted(
        self, task: Task, source: Encoded, weights: Floats, other: Floats, present: Places
    ) -> Predictor:
        """The weights are prototypes to which a cosine is taken."""
        return Nearest(task, source, weights, other.item())
