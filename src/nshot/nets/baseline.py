"""A classifier fitted to the support set, on an embedding that stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor

from nshot.nets.cosine_head import cosine_logits
from nshot.nets.embedded import Embedded
from nshot.nets.support_heads import Recipe, fit_cosine, fit_linear


class Baseline(Embedded):
    """A linear classifier, fitted anew to each support set (Chen et al. 2019, section 3.2).

    Args:
        shape: of one item.
        filters: of the `Conv4` that embeds pictures; vectors are taken as they are.
        learning_rate, passes, batch_size: of the fit; see `Recipe`.
    """

    kind: ClassVar = "baseline"
    at_once: ClassVar = 256

    def __init__(
        self,
        shape: Sequence[int],
        filters: int = 64,
        learning_rate: float = 0.01,
        passes: int = 100,
        batch_size: int = 4,
    ) -> None:
        super().__init__(shape, filters)
        self.recipe = Recipe(learning_rate, passes, batch_size)

    @property
    def settings(self) -> dict[str, Any]:
        """Shape, filters, and how a head is fitted."""
        fit = {
            "learning_rate": self.recipe.learning_rate,
            "passes": self.recipe.passes,
            "batch_size": self.recipe.batch_size,
        }
        return {**super().settings, **fit}

    def logits(self, support: Tensor, labels: Tensor, queries: Tensor, way: int) -> Tensor:
        """Of the fitted classifiers; the features have no part in the gradient."""
        known = support.detach()
        weights, bias = fit_linear(known, labels.expand(len(known), -1), way, self.recipe)
        return queries @ weights.transpose(1, 2) + bias.unsqueeze(1)


class BaselinePP(Baseline):
    """Baseline++: the fitted classifier judges by the cosine alone (Chen et al. 2019)."""

    kind: ClassVar = "baseline_pp"

    def logits(self, support: Tensor, labels: Tensor, queries: Tensor, way: int) -> Tensor:
        """Of the fitted classifiers; the features have no part in the gradient."""
        known = support.detach()
        weights, scale = fit_cosine(known, labels.expand(len(known), -1), way, self.recipe)
        return cosine_logits(queries, weights, scale.view(-1, 1, 1))
