"""What the learners have in common that compare vectors: how an item becomes one."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from nshot.nets.conv4 import Embedding
from nshot.nets.learner import Learner


class Embedded(Learner, ABC):
    """Items become vectors by an `Embedding`.

    Args:
        shape: of one item.
        filters: of the `Conv4` that embeds pictures; vectors are taken as they are.
    """

    def __init__(self, shape: Sequence[int], filters: int = 64) -> None:
        super().__init__(shape)
        self.filters = filters
        self.embedding = Embedding(shape, filters)

    @property
    def settings(self) -> dict[str, Any]:
        """Shape and filters."""
        return {**super().settings, "filters": self.filters}

    def embed(self, items: Tensor) -> Tensor:
        """(n, *shape) -> (n, width)."""
        vectors: Tensor = self.embedding(items)
        return vectors
