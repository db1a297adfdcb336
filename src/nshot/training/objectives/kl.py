"""How far a policy is from its reference, estimated on what the policy wrote, and what that costs.

John Schulman. "Approximating KL Divergence", 2020. http://joschu.net/blog/kl-approx.html
Daniel M. Ziegler et al. "Fine-Tuning Language Models from Human Preferences", 2019, section 2.2.
https://arxiv.org/abs/1909.08593
"""

from __future__ import annotations

from torch import Tensor

_MOST = 0.2
"""How far one measurement may move the coefficient: a share of it by `horizon` answers."""


def k1(policy: Tensor, reference: Tensor) -> Tensor:
    """log pi - log ref of sampled tokens, in nats: unbiased, negative where the reference is surer.

    Both are log-probabilities of the same tokens, of any one shape; so is what comes back.
    """
    return policy - reference


def k3(policy: Tensor, reference: Tensor) -> Tensor:
    """r - 1 - log r with r = ref / pi: unbiased too, never negative, of less variance. As `k1`."""
    ratio = reference - policy
    return ratio.expm1() - ratio


def next_coefficient(
    coefficient: float, kl: float, target: float | None, answers: int, horizon: float
) -> float:
    """The coefficient of the KL penalty after `answers` that were `kl` nats away on average.

    Without a `target` it stays; with one it follows Ziegler et al., section 2.2: it is multiplied
    by 1 + e * answers / horizon, where e = kl / target - 1 is kept within 0.2 of zero.
    """
    if target is None:
        return coefficient
    error = min(max(kl / target - 1, -_MOST), _MOST)
    return coefficient * (1 + error * answers / horizon)
