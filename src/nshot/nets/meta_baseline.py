"""Classes as means of embeddings, compared by a cosine with a learned scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from nshot.nets.cosine_head import SCALE, cosine_logits
from nshot.nets.embedded import Embedded
from nshot.nets.learner import class_means


class MetaBaseline(Embedded):
    """scale * cos(query, class mean): Yinbo Chen et al., "Meta-Baseline", ICCV 2021, section 3.2.

    https://arxiv.org/abs/2003.04390

    Args:
        shape: of one item.
        filters: of the `Conv4` that embeds pictures; vectors are taken as they are.
    """

    kind: ClassVar = "meta_baseline"

    def __init__(self, shape: Sequence[int], filters: int = 64) -> None:
        super().__init__(shape, filters)
        self.scale = nn.Parameter(torch.tensor(SCALE))

    def logits(self, support: Tensor, labels: Tensor, queries: Tensor, way: int) -> Tensor:
        """The scaled cosine with each class's mean: (episodes, q, way)."""
        return cosine_logits(queries, class_means(support, labels, way), self.scale)
