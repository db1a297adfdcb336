"""What rounding single matrices costs: estimated from gradients, and measured as a loss.

Zhen Dong, Zhewei Yao, Daiyaan Arfeen, Amir Gholami, Michael W. Mahoney, Kurt Keutzer. "HAWQ-V2:
Hessian Aware trace-Weighted Quantization of Neural Networks", 2019.
https://arxiv.org/abs/1911.03852
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

import torch

from nshot.models.llamacpp.grid import on_grid
from nshot.models.llamacpp.write_gguf import GridBits, Kinds
from nshot.training.forward import Whole
from nshot.training.loop import Objective, still
from nshot.training.rows import Row
from nshot.training.straight_through import outside, reading_on_grid

GRIDS: tuple[GridBits, ...] = get_args(GridBits)
_TOGETHER = 8
"""Rows that are read at once where a loss is measured."""


def round_outside(module: Any) -> None:
    """Put embeddings and head on the grid of 8 bits, as every file of fewer bits keeps them."""
    for weight in outside(module).values():
        weight.data = on_grid(weight.data, "Q8_0").to(weight.dtype)


def expected_rises(
    module: Any,
    rows: Sequence[Row],
    objective: Objective[Any, Any],
    names: Sequence[str],
    progress: Callable[[int, int], None] = still,
) -> dict[str, dict[GridBits, float]]:
    """By matrix and bits: how much the loss of `rows`, in nats, rises where it alone is rounded.

    To second order, with the empirical Fisher matrix in place of the Hessian: the sum over rows of
    (g . d)^2 / 2, where g is the gradient of the row's loss and d what rounding adds to the
    weights. HAWQ-V2 takes the mean curvature times |d|^2; here it is the curvature along d itself.
    Never below 0.
    """
    weights = [module.get_parameter(name) for name in names]
    rises: dict[str, dict[GridBits, float]] = {name: dict.fromkeys(GRIDS, 0.0) for name in names}
    reader = Whole(module, str(module.device))
    module.requires_grad_(False)
    for weight in weights:
        weight.requires_grad_(True)
    for done, row in enumerate(rows, 1):
        gradients = torch.autograd.grad(objective.total(reader, [row]), weights)
        for name, weight, gradient in zip(names, weights, gradients, strict=True):
            for bits in GRIDS:
                moved = on_grid(weight, bits) - weight.detach().float()
                rises[name][bits] += float((gradient.float() * moved).sum()) ** 2 / 2
        progress(done, len(rows))
    module.requires_grad_(False)
    return rises


@torch.no_grad()
def loss_on_grid(
    module: Any, rows: Sequence[Row], objective: Objective[Any, Any], kinds: Kinds
) -> float:
    """The loss of `rows`, summed, in nats, with the named matrices read as a file keeps them."""
    reader = Whole(module, str(module.device))
    with reading_on_grid(module, kinds):
        return sum(
            float(objective.total(reader, rows[start : start + _TOGETHER]))
            for start in range(0, len(rows), _TOGETHER)
        )
