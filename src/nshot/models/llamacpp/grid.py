"""The numbers that a GGUF block can hold, and the nearest of them to each weight, in torch.

A block is 32 neighbours of a row. Q8_0: the largest weight / 127 is the step. Q5_0 and Q4_0: the
weight that is furthest from zero is the lowest of 32 or 16 levels. The step is kept in 16 bits.
Rounding is that of llama.cpp's reference quantiser, so that a number of the grid stays what it is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nshot.models.llamacpp.write_gguf import BLOCK, GridBits

_HALF: dict[GridBits, int] = {"Q5_0": 16, "Q4_0": 8}
"""How many levels lie below zero."""


@torch.no_grad()
def on_grid(weights: Tensor, bits: GridBits) -> Tensor:
    """The weights as a GGUF file of these bits would hold them: float32, of the same shape.

    The last dimension is a multiple of 32. ``on_grid(on_grid(w, b), b) == on_grid(w, b)``.
    """
    blocks = weights.detach().float().reshape(-1, BLOCK)
    high, low = blocks.amax(1, keepdim=True), blocks.amin(1, keepdim=True)
    far = torch.where(high > -low, high, low)
    if bits == "Q8_0":
        step = far.abs() / 127
        whole = _away_from_zero(blocks * _inverse(step))
    else:
        half = _HALF[bits]
        step = far / -half
        whole = (blocks * _inverse(step)).add_(half + 0.5).floor_()
        whole = whole.clamp_(0, 2 * half - 1).sub_(half)
    return whole.mul_(step.half().float()).reshape(weights.shape)


def _inverse(step: Tensor) -> Tensor:
    return torch.where(step == 0, 0.0, 1 / step)


def _away_from_zero(values: Tensor) -> Tensor:
    """Rounded to whole numbers, halves away from zero."""
    size = values.abs()
    low = size.floor()
    return values.sign() * (low + (2 * (size - low)).floor())
