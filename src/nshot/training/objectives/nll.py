"""The negative log-likelihood of what is to be answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nshot.training.forward import Reader
from nshot.training.rows import Row


@dataclass(frozen=True)
class AnswerTokens:
    """Mean negative log-likelihood of the answers' tokens, given the prompt and those before.

    At the first token of a label only the tokens compete with which a label can begin. How much of
    the probability lies on them all is the same for every label, so it cannot change the answer:
    steps spent on it are steps not spent on telling the labels apart.
    """

    def weight(self, rows: Sequence[Row]) -> float:
        """The number of supervised tokens."""
        return float(sum(len(row.points) for row in rows))

    def total(self, model: Reader, rows: Sequence[Row]) -> Tensor:
        """Nats, summed over the rows' supervised tokens."""
        logits = among_choices(model.logits(rows), rows)
        targets = logits.new_tensor([t for row in rows for t in row.targets]).long()
        return functional.cross_entropy(logits, targets, reduction="sum")


def among_choices(logits: Tensor, rows: Sequence[Row], never: float = -torch.inf) -> Tensor:
    """Logits (points, vocabulary) with all but its choices `never` at each row's first point."""
    if not any(row.choices for row in rows):
        return logits
    ruled_out = torch.zeros_like(logits, dtype=torch.bool)
    point = 0
    for row in rows:
        if row.choices:
            ruled_out[point] = True
            ruled_out[point, list(row.choices)] = False
        point += len(row.points)
    return logits.masked_fill(ruled_out, never)
