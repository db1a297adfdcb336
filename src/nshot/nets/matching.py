"""A weighted vote of the support set, the weights by likeness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nshot.nets.context import FullContext
from nshot.nets.embedded import Embedded

SCALE = 10.0
"""Where the number begins that cosines are multiplied by."""


class Matching(Embedded):
    """Softmax over the support of scale * cosine, summed by class (Vinyals et al. 2016, eq. 1).

    Args:
        shape: of one item.
        filters: of the `Conv4` that embeds pictures; vectors are taken as they are.
        full_context: `FullContext` over the support set and the queries.
    """

    kind: ClassVar = "matching"

    def __init__(self, shape: Sequence[int], filters: int = 64, full_context: bool = False) -> None:
        super().__init__(shape, filters)
        self.context = FullContext(self.embedding.width) if full_context else None
        self.scale = nn.Parameter(torch.tensor(SCALE))

    @property
    def settings(self) -> dict[str, Any]:
        """Shape, filters, and whether there is a context."""
        context = self.context is not None
        return {**super().settings, "full_context": context}

    def embed(self, items: Tensor) -> Tensor:
        """(n, *shape) -> (n, width): directions, each of unit length, where no context is seen."""
        vectors = super().embed(items)
        return nn.functional.normalize(vectors, dim=-1) if self.context is None else vectors

    def logits(self, support: Tensor, labels: Tensor, queries: Tensor, way: int) -> Tensor:
        """Logarithms of each class's share of the attention: (episodes, q, way)."""
        if self.context is not None:
            support, queries = (
                nn.functional.normalize(seen, dim=-1) for seen in self.context(support, queries)
            )
        return summed_by_class(self.scale * (support @ queries.transpose(1, 2)), labels, way)


def summed_by_class(likeness: Tensor, labels: Tensor, way: int) -> Tensor:
    """(episodes, n, q) -> (episodes, q, way): log of the sum of exp over each class's items.

    Support items come first: their sums then run along the queries, which lie side by side.
    """
    top = likeness.amax(dim=1, keepdim=True).detach()
    members = nn.functional.one_hot(labels, way).T.to(likeness)
    shares = members @ (likeness - top).exp()
    logits = shares.clamp_min(torch.finfo(shares.dtype).tiny).log() + top
    return logits.transpose(1, 2).contiguous()
