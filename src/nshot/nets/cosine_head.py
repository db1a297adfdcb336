"""A classifier by angle: the cosine with each class's weight, times a learned scale."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SCALE = 10.0
"""Where the scale begins: cosines end at 1, and softmax needs more than that to be sure."""


def cosine_logits(features: Tensor, weights: Tensor, scale: Tensor | float) -> Tensor:
    """scale * cos(x, w_j): (..., n, width) and (..., classes, width) -> (..., n, classes)."""
    rows = nn.functional.normalize(features, dim=-1)
    return scale * (rows @ nn.functional.normalize(weights, dim=-1).transpose(-1, -2))


class CosineHead(nn.Module):
    """The classifier of Baseline++, and with class means for weights that of Meta-Baseline.

    Wei-Yu Chen et al., "A Closer Look at Few-shot Classification", ICLR 2019, section 3.2,
    https://arxiv.org/abs/1904.04232: only the angle counts, so that a class's features must lie
    close together. The scale is learned, as in Yinbo Chen et al., "Meta-Baseline", ICCV 2021,
    https://arxiv.org/abs/2003.04390.

    Args:
        width: numbers in a feature vector.
        classes: how many are told apart; classes * width + 1 parameters.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, width))
        nn.init.normal_(self.weight, std=width**-0.5)
        self.scale = nn.Parameter(torch.tensor(SCALE))

    def forward(self, features: Tensor) -> Tensor:
        """(n, width) -> (n, classes)."""
        return cosine_logits(features, self.weight, self.scale)
