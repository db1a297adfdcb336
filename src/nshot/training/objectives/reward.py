"""The loss of a reward model: of two answers to one prompt the better one is to get more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from nshot.training.data.rankings import Comparison, Ranking, Rankings


def pair_losses(first: Tensor, second: Tensor, preferred: Tensor, margins: Tensor) -> Tensor:
    """Cross-entropy of which of two answers is better, in nats; all of shape (pairs,).

    ``-p log sigmoid(d - m) - (1 - p) log sigmoid(-d - m)`` with ``d = first - second``: the model
    of Bradley and Terry (1952). `preferred` is p, the probability that the first is the better
    one: 1 where that is known (Ouyang et al. 2022, equation 1), 1/2 of a tie (Nakano et al. 2021,
    section 3.2, "soft 50% labels"), 1 - epsilon where a share epsilon of the judgements is wrong
    (Mitchell 2023, equation 3). `margins` is m, by how much the better one must be ahead (Touvron
    et al. 2023, "Llama 2", equation 2).
    """
    ahead = first - second
    return -preferred * logsigmoid(ahead - margins) - (1 - preferred) * logsigmoid(-ahead - margins)


def ranking_loss(rewards: Tensor, comparisons: Sequence[Comparison], margin: float = 0.0) -> Tensor:
    """Mean loss of the comparisons of one prompt's answers, whose `rewards` are (answers,).

    Ouyang et al. 2022, equation 1: ``-1 / C(K, 2)`` times the sum over the pairs, so that a prompt
    with nine answers counts no more than one with two. Each comparison is taken `margin` times the
    difference of its grades.
    """
    first = rewards[[one.first for one in comparisons]]
    second = rewards[[one.second for one in comparisons]]
    preferred = rewards.new_tensor([one.preferred for one in comparisons])
    margins = margin * rewards.new_tensor([one.difference for one in comparisons])
    return pair_losses(first, second, preferred, margins).mean()


@dataclass(frozen=True)
class RankedAnswers:
    """Mean over prompts of `ranking_loss`, all pairs of a prompt in one batch.

    Long Ouyang et al. "Training language models to follow instructions with human feedback", 2022,
    section 3.5. https://arxiv.org/abs/2203.02155: pairs that are shuffled into different batches
    are read K - 1 times as often, and overfit.
    """

    margin: float = 0.0

    def weight(self, rows: Sequence[Ranking]) -> float:
        """The number of prompts."""
        return float(len(rows))

    def total(self, model: Rankings, rows: Sequence[Ranking]) -> Tensor:
        """Nats, summed over the prompts."""
        each = zip(model.logits(rows), rows, strict=True)
        losses = [ranking_loss(out[:, 0], row.comparisons, self.margin) for out, row in each]
        return torch.stack(losses).sum()
