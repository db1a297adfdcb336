"""A prompt encoder with words between its soft tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Anchored(nn.Module):
    """The soft tokens of PEFT's prompt encoder, with fixed embeddings in their middle.

    Args:
        encoder: gives (rows, length, width) for the indices 0 to length - 1.
        anchors: (anchors, width), not trained.
    """

    def __init__(self, encoder: Any, anchors: Tensor) -> None:
        super().__init__()
        self.encoder = encoder
        self.length: int = encoder.total_virtual_tokens
        self.anchors: Tensor
        self.register_buffer("anchors", anchors, persistent=False)

    @property
    def embedding(self) -> Any:
        """What PEFT asks where the encoder lies."""
        return self.encoder.embedding

    def forward(self, indices: Tensor) -> Tensor:
        """(rows, length + anchors, width) for `indices` (rows, length + anchors)."""
        soft = self.encoder(indices[:, : self.length])
        middle = (self.length + 1) // 2
        anchors = self.anchors.to(soft.dtype).expand(len(soft), -1, -1)
        return torch.cat([soft[:, :middle], anchors, soft[:, middle:]], 1)
