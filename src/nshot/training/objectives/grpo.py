"""Group relative policy optimisation: the other answers to a prompt say what to expect of it.

Zhihong Shao, Peiyi Wang, Qihao Zhu, Runxin Xu, Junxiao Song, Xiao Bi, Haowei Zhang, Mingchuan
Zhang, Y. K. Li, Y. Wu, Daya Guo. "DeepSeekMath: Pushing the Limits of Mathematical Reasoning in
Open Language Models", 2024, section 4.1. https://arxiv.org/abs/2402.03300
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from nshot.training.objectives.kl import k3
from nshot.training.objectives.ppo import policy_loss
from nshot.training.rows import Row

_FLOOR = 1e-4
"""Added to a standard deviation that divides: answers that are nearly alike are not set apart."""


@dataclass(frozen=True)
class Compared:
    """An answer of the policy as it is learned from.

    `row` reads the prompt and the answer, its points are the answer's tokens. `old` and `reference`
    are their log-probabilities under the policy that wrote them and under the reference.
    """

    id: str
    row: Row
    old: tuple[float, ...]
    reference: tuple[float, ...]
    advantage: float

    @property
    def length(self) -> int:
        """Tokens that are read."""
        return self.row.length


class Policy(Protocol):
    """What `GRPOLoss` is given instead of the model."""

    def logprobs(self, rows: Sequence[Row]) -> Tensor:
        """Log-probabilities of the targets at all points of all rows, (points,)."""
        ...


def group_advantages(rewards: Tensor, scaled: bool = True) -> Tensor:
    """How much better each answer is than the others to its prompt: (..., answers), as `rewards`.

    Shao et al. 2024, section 4.1.2: (r - mean) / standard deviation (unbiased), over each prompt's
    answers. Without `scaled` only the mean is taken off (Liu et al. 2025,
    https://arxiv.org/abs/2503.20783): an easy prompt then counts no more than a hard one. Answers
    that are worth the same teach nothing: 0.
    """
    centred = rewards - rewards.mean(-1, keepdim=True)
    return centred / (rewards.std(-1, keepdim=True) + _FLOOR) if scaled else centred


@dataclass(frozen=True)
class GRPOLoss:
    """Shao et al. 2024, equations 3 and 4.

    Args:
        clip: how far from 1 the ratio of probabilities still counts.
        kl: weight of the divergence from the reference, estimated by `k3`.
        average: over ``answers`` of each one's mean over tokens, as in the paper, or over all
            ``tokens`` (Yu et al. 2025, https://arxiv.org/abs/2503.14476): a long answer then weighs
            more, and a wrong one is not the better for being long.
    """

    clip: float = 0.2
    kl: float = 0.04
    average: Literal["answers", "tokens"] = "answers"

    def weight(self, rows: Sequence[Compared]) -> float:
        """The number of answers, or of their tokens."""
        return float(len(rows) if self.average == "answers" else sum(len(r.old) for r in rows))

    def total(self, model: Policy, rows: Sequence[Compared]) -> Tensor:
        """Summed over the answers, or over their tokens."""
        now = model.logprobs([row.row for row in rows])
        old, reference = (
            now.new_tensor([x for row in rows for x in getattr(row, name)])
            for name in ("old", "reference")
        )
        lengths = torch.tensor([len(row.old) for row in rows], device=now.device)
        advantages = now.new_tensor([row.advantage for row in rows]).repeat_interleave(lengths)
        losses = policy_loss(now, old, advantages, self.clip)
        if self.kl:
            losses = losses + self.kl * k3(now, reference)
        if self.average == "tokens":
            return losses.sum()
        return (losses / lengths.repeat_interleave(lengths)).sum()
