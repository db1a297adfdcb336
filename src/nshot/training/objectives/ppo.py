"""Proximal policy optimisation of a language model: a token is an action, an answer an episode.

John Schulman, Philipp Moritz, Sergey Levine, Michael Jordan, Pieter Abbeel. "High-Dimensional
Continuous Control Using Generalized Advantage Estimation", 2016. https://arxiv.org/abs/1506.02438
John Schulman, Filip Wolski, Prafulla Dhariwal, Alec Radford, Oleg Klimov. "Proximal Policy
Optimization Algorithms", 2017. https://arxiv.org/abs/1707.06347
Daniel M. Ziegler et al. "Fine-Tuning Language Models from Human Preferences", 2019.
https://arxiv.org/abs/1909.08593
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from nshot.training.objectives.kl import k1
from nshot.training.rows import Row

_FLOOR = 1e-8
"""Added to a variance before its root divides."""


class Estimates(NamedTuple):
    """Of each token of an answer, (tokens,) each."""

    advantages: Tensor
    returns: Tensor


@dataclass(frozen=True)
class Judged:
    """An answer of the policy as it is learned from.

    `row` reads the prompt and the answer, its points are the answer's tokens; of each of them:
    `old`, the log-probability under the policy that wrote it, `values`, what the critic then
    expected, its advantage and its return.
    """

    id: str
    row: Row
    old: tuple[float, ...]
    values: tuple[float, ...]
    advantages: tuple[float, ...]
    returns: tuple[float, ...]

    @property
    def length(self) -> int:
        """Tokens that are read."""
        return self.row.length


class Critic(Protocol):
    """A policy that also says what it expects; what `PPOLoss` is given instead of the model."""

    def judge(self, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
        """(log-probabilities of the targets, values) at all points of all rows, (points,) each."""
        ...


def token_rewards(score: float, policy: Tensor, reference: Tensor, coefficient: float) -> Tensor:
    """The reward of each token of an answer, (tokens,): its KL penalty; the last has the score too.

    Ziegler et al. 2019, equation 2, token by token: -coefficient * (log pi - log ref).
    """
    rewards = -coefficient * k1(policy, reference)
    rewards[-1] += score
    return rewards


def estimates(rewards: Tensor, values: Tensor, discount: float, decay: float) -> Estimates:
    """Advantages and returns of an answer's tokens; nothing is expected behind the last.

    Schulman et al. 2016, equations 11 and 16: with delta_t = r_t + discount * V_{t+1} - V_t, the
    advantage is the sum over l of (discount * decay)^l * delta_{t+l}; the return adds the value.
    """
    advantage = torch.zeros((), dtype=rewards.dtype, device=rewards.device)
    following = torch.zeros_like(advantage)
    advantages = []
    for reward, value in zip(rewards.flip(0), values.flip(0), strict=True):
        delta = reward + discount * following - value
        advantage = delta + discount * decay * advantage
        following = value
        advantages.append(advantage)
    backwards = torch.stack(advantages).flip(0)
    return Estimates(backwards, backwards + values)


def whitened(values: Tensor) -> Tensor:
    """Of mean 0 and variance 1 (unbiased) over all of them; a single one becomes 0."""
    centred = values - values.mean()
    if values.numel() < 2:
        return centred
    return centred * (values.var() + _FLOOR).rsqrt()


def policy_loss(now: Tensor, old: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """Of each token: the clipped surrogate of Schulman et al. 2017, equation 7, negated.

    `now` and `old` are log-probabilities of the tokens; all are of one shape, so is the loss.
    """
    ratio = (now - old).exp()
    return torch.maximum(-advantages * ratio, -advantages * ratio.clamp(1 - clip, 1 + clip))


def value_loss(now: Tensor, old: Tensor, returns: Tensor, clip: float) -> Tensor:
    """Of each token: half the squared error, of `now` or of `now` within `clip` of `old`.

    The larger of the two counts, as in the code of Schulman et al. 2017. All are of one shape.
    """
    near = torch.clamp(now, old - clip, old + clip)
    return 0.5 * torch.maximum((now - returns) ** 2, (near - returns) ** 2)


@dataclass(frozen=True)
class PPOLoss:
    """Schulman et al. 2017, equation 9 without its entropy, a mean over tokens.

    Args:
        clip: how far from 1 the ratio of probabilities still counts.
        value_clip: how far from what was expected the critic's new value still counts.
        value_share: weight of the critic's loss.
    """

    clip: float = 0.2
    value_clip: float = 0.2
    value_share: float = 0.1

    def weight(self, rows: Sequence[Judged]) -> float:
        """The number of tokens that were written."""
        return float(sum(len(row.old) for row in rows))

    def total(self, model: Critic, rows: Sequence[Judged]) -> Tensor:
        """Summed over the tokens of all answers."""
        now, values = model.judge([row.row for row in rows])
        old, expected, advantages, returns = (
            now.new_tensor([x for row in rows for x in getattr(row, name)])
            for name in ("old", "values", "advantages", "returns")
        )
        losses = policy_loss(now, old, advantages, self.clip)
        errors = value_loss(values, expected, returns, self.value_clip)
        return (losses + self.value_share * errors).sum()
