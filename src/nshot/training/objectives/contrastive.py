"""The loss that brings texts of one label together and others apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from nshot.training.data.pairs import Pair, Sentences


@dataclass(frozen=True)
class CosineSimilarity:
    """(cos(u, v) - y)^2, y being 1 for texts of one label and 0 for others.

    Reimers and Gurevych 2019 (https://arxiv.org/abs/1908.10084), section 3, the regression
    objective; the one that SetFit trains with.
    """

    def weight(self, rows: Sequence[Pair]) -> float:
        """The number of pairs."""
        return float(len(rows))

    def total(self, model: Sentences, rows: Sequence[Pair]) -> Tensor:
        """Squared errors, summed over the pairs."""
        first, second = model.vectors(rows)
        targets = first.new_tensor([float(row.alike) for row in rows])
        cosines = functional.cosine_similarity(first, second)
        return functional.mse_loss(cosines, targets, reduction="sum")
