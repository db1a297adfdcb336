"""MAML's inner loop: gradient steps on a support set, as a pure function of the parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

Parameters: TypeAlias = Mapping[str, Tensor]
Loss: TypeAlias = Callable[[Parameters, Tensor, Tensor], Tensor]
"""(parameters, inputs, targets) -> a scalar."""


def adapted(
    loss: Loss,
    parameters: Parameters,
    inputs: Tensor,
    targets: Tensor,
    *,
    rate: float,
    steps: int,
    first_order: bool = False,
) -> list[dict[str, Tensor]]:
    """The parameters after each of `steps` gradient steps on one support set.

    Chelsea Finn et al., "Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks",
    ICML 2017, algorithm 1, https://arxiv.org/abs/1703.03400. They can be differentiated with
    respect to `parameters`: through the steps' own gradients, or, with `first_order`, as if those
    were constants (section 5.2).
    """
    trail = [dict(parameters)]
    for _ in range(steps):
        now = trail[-1]
        slope = torch.func.grad(loss)(now, inputs, targets)
        if first_order:
            slope = {name: gradient.detach() for name, gradient in slope.items()}
        trail.append({name: value - rate * slope[name] for name, value in now.items()})
    return trail[1:]


def meta_loss(
    loss: Loss,
    trail: Sequence[Parameters],
    inputs: Tensor,
    targets: Tensor,
    weights: Sequence[float],
) -> Tensor:
    """The queries' loss of the parameters after each step, weighted by `weights` (one a step).

    The paper's is that after the last step. Antreas Antoniou et al., "How to train your MAML",
    ICLR 2019, section 4, https://arxiv.org/abs/1810.09502, weigh all of them: the gradient then
    reaches the first step on a short way too.
    """
    losses = [
        weight * loss(parameters, inputs, targets)
        for parameters, weight in zip(trail, weights, strict=True)
        if weight
    ]
    return torch.stack(losses).sum()


def step_weights(steps: int, progress: float) -> tuple[float, ...]:
    """What each inner step's loss counts when `progress` (0 to 1) of the training is done.

    All alike in the beginning, only the last from `ANNEALED` on, linearly between (MAML++).
    """
    share = max(0.0, 1.0 - progress / ANNEALED) / steps
    return (*(share for _ in range(steps - 1)), 1.0 - share * (steps - 1))


ANNEALED = 0.5
"""Share of the training after which only the last inner step counts."""
