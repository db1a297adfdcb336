"""Classifiers fitted to the support sets of many episodes at once, on features that stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nshot.nets.cosine_head import SCALE, cosine_logits


@dataclass(frozen=True)
class Recipe:
    """How a head is fitted: gradient descent with momentum, in batches of the support set.

    The defaults are those of Wei-Yu Chen et al., "A Closer Look at Few-shot Classification", ICLR
    2019, https://arxiv.org/abs/1904.04232: of their program, in which the 100 iterations of
    section 4.1 are passes over the support set.
    """

    learning_rate: float = 0.01
    passes: int = 100
    batch_size: int = 4
    weight_decay: float = 1e-3
    seed: int = 0


MOMENTUM = 0.9
"""Also the dampening, as in the paper's program: a step is as long as without momentum."""


def fit_linear(support: Tensor, targets: Tensor, way: int, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Softmax classifiers: weights (E, way, width) and bias (E, way), fitted from zero.

    `support` (E, n, width), `targets` (E, n). The rate is one for features whose entries are about
    1: they are divided by their root mean square, one number an episode, which the weights that
    come back make up for.
    """
    size = _root_mean_square(support)
    weights = support.new_zeros(len(support), way, support.shape[-1])
    bias = support.new_zeros(len(support), 1, way)

    def logits(rows: Tensor) -> Tensor:
        return rows @ weights.transpose(1, 2) + bias

    _descend([weights, bias], logits, support / size, targets, recipe)
    return weights / size, bias.squeeze(1)


def fit_cosine(support: Tensor, targets: Tensor, way: int, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Cosine classifiers: weights (E, way, width) and scale (E,).

    `support` (E, n, width), `targets` (E, n). All episodes begin at the same random directions of
    unit length: only their angles to the features count.
    """
    draw = torch.Generator().manual_seed(recipe.seed)
    start = torch.randn(way, support.shape[-1], generator=draw).to(support)
    start = nn.functional.normalize(start, dim=-1)
    weights = start.expand(len(support), -1, -1).clone()
    scale = support.new_full((len(support), 1, 1), SCALE)

    def logits(rows: Tensor) -> Tensor:
        return cosine_logits(rows, weights, scale)

    _descend([weights, scale], logits, support, targets, recipe)
    return weights, scale.flatten()


def batches(rows: int, recipe: Recipe) -> list[Tensor]:
    """The rows of each step: every pass in a new order, cut into batches; one for all episodes."""
    draw = torch.Generator().manual_seed(recipe.seed)
    cut: list[Tensor] = []
    for _ in range(recipe.passes):
        order = torch.randperm(rows, generator=draw)
        cut += [order[i : i + recipe.batch_size] for i in range(0, rows, recipe.batch_size)]
    return cut


def _descend(
    parameters: Sequence[Tensor],
    logits: Callable[[Tensor], Tensor],
    support: Tensor,
    targets: Tensor,
    recipe: Recipe,
) -> None:
    """Change `parameters` in place: the episodes' losses are summed, so none feels another."""
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimiser = torch.optim.SGD(
        parameters, recipe.learning_rate, MOMENTUM, MOMENTUM, recipe.weight_decay
    )
    for rows in batches(support.shape[1], recipe):
        with torch.enable_grad():
            scores = logits(support[:, rows]).flatten(0, 1)
            right = targets[:, rows].flatten()
            loss = nn.functional.cross_entropy(scores, right, reduction="sum") / len(rows)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    for parameter in parameters:
        parameter.requires_grad_(False)


def _root_mean_square(support: Tensor) -> Tensor:
    """(E, 1, 1) size of an entry, 1 where all are zero."""
    size = support.square().mean(dim=(1, 2), keepdim=True).sqrt()
    return torch.where(size > 0, size, torch.ones_like(size))
