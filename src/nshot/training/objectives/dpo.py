"""Direct preference optimisation: the policy is its own reward model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nshot.training.data.rankings import Ranking, Rankings, answer_logprobs, answer_tokens
from nshot.training.objectives.reward import pair_losses


def implicit_rewards(
    policy: Tensor, reference: Tensor, beta: float, tokens: Tensor | None = None
) -> Tensor:
    """``beta * (log pi - log ref)`` of answers, all of shape (answers,).

    Rafailov et al. 2023, equation 5, without the term that all answers to a prompt share. With the
    number of `tokens` of each answer the reward is that of a mean token (Lambert et al. 2024,
    "Tulu 3", equation 6), so that a long answer has no greater say.
    """
    rewards = beta * (policy - reference)
    return rewards if tokens is None else rewards / tokens


def dpo_losses(chosen: Tensor, rejected: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Losses of pairs, whose implicit rewards are (pairs,) each.

    ``-log sigmoid(chosen - rejected)``: Rafailov et al. 2023, equation 7. `label_smoothing` is the
    share of judgements that are taken for wrong (conservative DPO: Mitchell 2023, "A note on DPO
    with noisy preferences and relationship to IPO", equation 3).
    """
    return pair_losses(
        chosen, rejected, torch.full_like(chosen, 1 - label_smoothing), torch.zeros_like(chosen)
    )


@dataclass(frozen=True)
class DirectPreferences:
    """Mean over prompts of the DPO loss of their comparisons.

    Rafael Rafailov, Archit Sharma, Eric Mitchell, Stefano Ermon, Christopher D. Manning, Chelsea
    Finn. "Direct Preference Optimization: Your Language Model is Secretly a Reward Model", 2023.
    https://arxiv.org/abs/2305.18290

    Args:
        beta: how much the reward weighs a step away from the reference.
        label_smoothing: see `dpo_losses`.
        per_token: see `implicit_rewards`.
    """

    beta: float = 0.1
    label_smoothing: float = 0.0
    per_token: bool = False

    def weight(self, rows: Sequence[Ranking]) -> float:
        """The number of prompts."""
        return float(len(rows))

    def total(self, model: Rankings, rows: Sequence[Ranking]) -> Tensor:
        """Nats, summed over the prompts."""
        each = zip(model.logits(rows), rows, strict=True)
        return torch.stack([self._loss(logits, row) for logits, row in each]).sum()

    def _loss(self, logits: Tensor, ranking: Ranking) -> Tensor:
        tokens = logits.new_tensor(answer_tokens(ranking)) if self.per_token else None
        policy = answer_logprobs(logits, ranking)
        reference = logits.new_tensor(ranking.reference)
        rewards = implicit_rewards(policy, reference, self.beta, tokens)
        better, worse = zip(*((one.first, one.second) for one in ranking.comparisons), strict=True)
        return dpo_losses(rewards[[*better]], rewards[[*worse]], self.label_smoothing).mean()
