"""Full-context embeddings: what an example looks like in the company of the whole support set."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FullContext(nn.Module):
    """Embeds the support set as a set, and each query in sight of it.

    Oriol Vinyals et al., "Matching Networks for One Shot Learning", NeurIPS 2016, appendix A,
    https://arxiv.org/abs/1606.04080. A support vector x_i becomes h_i(forward) + h_i(backward) +
    x_i, both LSTMs read over the support set; a query becomes h_K of an LSTM that reads the same
    query `steps` times, each time with what it has attended to in the support set beside it.

    Args:
        width: numbers in a vector; 28 * width^2 + 24 * width parameters in all.
        steps: K, how often a query looks at the support set.
    """

    def __init__(self, width: int, steps: int = 5) -> None:
        super().__init__()
        self.steps = steps
        self.support = nn.LSTM(width, width, batch_first=True, bidirectional=True)
        # The paper's LSTM has [h, r] for state: weights on r are weights on a further input.
        self.query = nn.LSTMCell(2 * width, width)

    def forward(self, support: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
        """(E, n, width) and (E, q, width) -> the same two shapes; no query sees another."""
        known = self.in_company(support)
        return known, self.attending(queries, known)

    def in_company(self, support: Tensor) -> Tensor:
        """g(x_i, S), section A.2: (E, n, width) in the order in which they are read."""
        both, _ = self.support(support)
        forth, back = both.chunk(2, dim=-1)
        company: Tensor = forth + back + support
        return company

    def attending(self, queries: Tensor, known: Tensor) -> Tensor:
        """f(x, S), equations 3 to 6 of section A.1: (E, q, width) from queries and g(S)."""
        episodes, count, width = queries.shape
        rows = queries.reshape(-1, width)
        hidden, cell = torch.zeros_like(rows), torch.zeros_like(rows)
        read = torch.zeros_like(rows)
        for _ in range(self.steps):
            fresh, cell = self.query(torch.cat([rows, read], dim=-1), (hidden, cell))
            hidden = fresh + rows
            looking = hidden.view(episodes, count, width)
            attention = torch.softmax(looking @ known.transpose(1, 2), dim=-1)
            read = (attention @ known).reshape(-1, width)
        return hidden.view(episodes, count, width)
