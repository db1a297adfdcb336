"""The losses of heads that answer several labels or a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from nshot.training.forward import Reader
from nshot.training.rows import Valued


def _targets(logits: Tensor, rows: Sequence[Valued]) -> Tensor:
    """(rows, values) what the head should answer."""
    return logits.new_tensor([row.values for row in rows])


@dataclass(frozen=True)
class EachLabel:
    """Mean binary cross-entropy over rows and labels, each label for itself.

    Jinseok Nam, Jungi Kim, Eneldo Loza Mencía, Iryna Gurevych, Johannes Fürnkranz. "Large-scale
    Multi-label Text Classification - Revisiting Neural Networks", 2014, section 3.
    https://arxiv.org/abs/1312.5419
    """

    def weight(self, rows: Sequence[Valued]) -> float:
        """The number of pairs of a row and a label."""
        return float(sum(len(row.values) for row in rows))

    def total(self, model: Reader, rows: Sequence[Valued]) -> Tensor:
        """Nats, summed over rows and labels."""
        logits = model.logits(rows)
        return functional.binary_cross_entropy_with_logits(
            logits, _targets(logits, rows), reduction="sum"
        )


@dataclass(frozen=True)
class Huber:
    """Mean of half the squared error up to one standard deviation, beyond it of the distance.

    Peter J. Huber. "Robust Estimation of a Location Parameter", 1964, with k = 1.
    https://doi.org/10.1214/aoms/1177703732 - so that a number far off does not pull all others.
    """

    def weight(self, rows: Sequence[Valued]) -> float:
        """The number of rows."""
        return float(len(rows))

    def total(self, model: Reader, rows: Sequence[Valued]) -> Tensor:
        """Summed over the rows."""
        answers = model.logits(rows)
        return functional.huber_loss(answers, _targets(answers, rows), reduction="sum")
