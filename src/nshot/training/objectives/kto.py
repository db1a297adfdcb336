"""The loss of Kahneman-Tversky optimisation: single answers that people liked or did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nshot.training.data.likings import Liked, Likings


def kto_losses(
    ratios: Tensor, liked: Tensor, divergence: Tensor, beta: float, weights: tuple[float, float]
) -> Tensor:
    """Losses of answers, (answers,): Ethayarajh et al. 2024, equation 8.

    ``w (1 - sigmoid(beta (ratio - z)))`` of an answer that was liked and
    ``w (1 - sigmoid(beta (z - ratio)))`` of one that was not. `ratios` are log pi - log ref of each
    answer, `divergence` is z: how far the policy is from its reference in nats, not below 0 and
    without a gradient. `weights` are those of answers that were liked, and that were not.
    """
    ahead = beta * (ratios - divergence.detach().clamp(min=0))
    gains = torch.sigmoid(torch.where(liked, ahead, -ahead))
    return torch.where(liked, weights[0], weights[1]) * (1 - gains)


@dataclass(frozen=True)
class KahnemanTversky:
    """Mean of `kto_losses` over the answers.

    Kawin Ethayarajh, Winnie Xu, Niklas Muennighoff, Dan Jurafsky, Douwe Kiela. "KTO: Model
    Alignment as Prospect Theoretic Optimization", 2024. https://arxiv.org/abs/2402.01306

    The divergence is estimated as there (section 4.2): from each prompt with the answer to another
    prompt of the same block, whose answers are therefore read together.

    Args:
        beta: what a step away from the reference counts: the smaller, the further the policy goes.
        weights: of answers that were liked, and of those that were not.
    """

    beta: float = 0.1
    weights: tuple[float, float] = (1.0, 1.0)

    def weight(self, rows: Sequence[Liked]) -> float:
        """The number of answers."""
        return float(sum(len(block.rows) for block in rows))

    def total(self, model: Likings, rows: Sequence[Liked]) -> Tensor:
        """Summed over the answers of all blocks."""
        return torch.stack([self._loss(model, block) for block in rows]).sum()

    def _loss(self, model: Likings, block: Liked) -> Tensor:
        policy = model.logprobs(block.rows)
        with torch.no_grad():
            others = model.logprobs(block.others)
        divergence = (others - others.new_tensor(block.others_reference)).mean()
        ratios = policy - policy.new_tensor(block.reference)
        liked = torch.tensor(block.liked, device=policy.device)
        return kto_losses(ratios, liked, divergence, self.beta, self.weights).sum()
