"""Reading rows with a causal language model: the vocabulary is projected only where it is asked.

The head of a small model costs as much as a quarter of its depth, and training looks at two or
three positions of a row. A hook hands the head only those, so tied heads, scaled or capped logits
and PEFT-wrapped models all go their own ordinary way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor

from nshot.training.rows import Row

_TOLERANCE = 1e-4
_CACHING = 8
"""Rows that go through the frozen layers at once."""


class Reader(Protocol):
    """Reads rows; what an objective is given instead of the model."""

    def logits(self, rows: Sequence[Row]) -> Tensor:
        """Logits at all points of all rows, in order: (points, vocabulary), float32."""
        ...


class Whole:
    """The ordinary way: every token goes through every layer."""

    def __init__(self, module: Any, device: str) -> None:
        self.module, self.device = module, device

    def logits(self, rows: Sequence[Row]) -> Tensor:
        """See `Reader`. Padding stands on the right, where a causal model never looks."""
        with _only_at(self.module, rows, self.device):
            out = self.module(input_ids=_padded(rows, self.device), use_cache=False)
        return _flat(out.logits)


class Upper:
    """The upper layers alone, on hidden states the frozen lower layers computed once per row.

    Args:
        module: a causal model whose blocks are `blocks`, an `nn.ModuleList` of its body.
        free: how many of the last blocks are trained.
    """

    def __init__(self, module: Any, free: int, device: str) -> None:
        self.module, self.free, self.device = module, free, device
        self.states: dict[str, Tensor] = {}

    @torch.no_grad()
    def remember(self, rows: Sequence[Row]) -> None:
        """Compute the state of every token at the boundary: (tokens, width) for each row."""
        order = sorted(rows, key=lambda row: (len(row.tokens), row.id))
        for start in range(0, len(order), _CACHING):
            some = order[start : start + _CACHING]
            with _only_at(self.module, some, self.device):
                out = self.module(
                    input_ids=_padded(some, self.device), use_cache=False, output_hidden_states=True
                )
            boundary = out.hidden_states[-1 - self.free]
            for row, state in zip(some, boundary, strict=True):
                self.states[row.id] = state[: len(row.tokens)].clone()

    def logits(self, rows: Sequence[Row]) -> Tensor:
        """See `Reader`; the rows must have been given to `remember`."""
        states = [self.states[row.id] for row in rows]
        inputs = torch.nn.utils.rnn.pad_sequence(states, batch_first=True)
        with _last_blocks(self.module, self.free), _only_at(self.module, rows, self.device):
            out = self.module(inputs_embeds=inputs, use_cache=False)
        return _flat(out.logits)


def reader(module: Any, rows: Sequence[Row], free: int | None, device: str) -> Reader:
    """The fastest way to read these rows that gives the ordinary logits.

    `free` is the number of upper blocks being trained, None when gradients reach lower. The short
    way is taken only where it was seen to equal the ordinary one on this very model.
    """
    whole = Whole(module, device)
    blocks = _blocks(module)
    if free is None or blocks is None or not 0 < free < len(blocks):
        return whole
    upper = Upper(module, free, device)
    probe = sorted(rows, key=lambda row: len(row.tokens))[:: max(1, len(rows) - 1)][:2]
    if not _equal(upper, whole, probe):
        return whole
    upper.remember(rows)
    return upper


@torch.no_grad()
def _equal(upper: Upper, whole: Whole, probe: Sequence[Row]) -> bool:
    try:
        upper.remember(probe)
        found = upper.logits(probe)
    except (RuntimeError, TypeError, ValueError, IndexError, KeyError):
        # An architecture that cannot be entered halfway: how it says so is its own affair.
        return False
    return bool(torch.allclose(found, whole.logits(probe), rtol=_TOLERANCE, atol=_TOLERANCE))


def _blocks(module: Any) -> torch.nn.ModuleList | None:
    """The list of transformer blocks, where the body keeps it under the usual name."""
    blocks = getattr(module.base_model, "layers", None)
    return blocks if isinstance(blocks, torch.nn.ModuleList) else None


@contextmanager
def _last_blocks(module: Any, free: int) -> Iterator[None]:
    """Inside, the body has only its last `free` blocks, so that it starts at the boundary."""
    body = module.base_model
    blocks = body.layers
    body.layers = blocks[len(blocks) - free :]
    try:
        yield
    finally:
        body.layers = blocks


@contextmanager
def _only_at(module: Any, rows: Sequence[Row], device: str) -> Iterator[None]:
    """Inside, the head sees (points, width) instead of (rows, length, width)."""
    row = torch.tensor([i for i, r in enumerate(rows) for _ in r.points], device=device)
    column = torch.tensor([point for r in rows for point in r.points], device=device)
    head = module.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _, inputs: (inputs[0][row, column],))
    try:
        yield
    finally:
        hook.remove()


def _flat(logits: Tensor) -> Tensor:
    return logits.reshape(-1, logits.shape[-1]).float()


def _padded(rows: Sequence[Row], device: str) -> Tensor:
    """(rows, longest) token ids; the padding's value is never looked at."""
    tokens = [torch.tensor(row.tokens) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True).to(device)
