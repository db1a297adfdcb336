"""Matrices that are read through the grid of a quantised file, and learn as if they were not.

Yoshua Bengio, Nicholas Leonard, Aaron Courville. "Estimating or Propagating Gradients Through
Stochastic Neurons for Conditional Computation", 2013. https://arxiv.org/abs/1308.3432
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

from nshot.models.llamacpp.grid import on_grid
from nshot.models.llamacpp.write_gguf import GridBits, Kinds


class _Through(Function):
    """The weights on the grid; the gradient goes through as if they had not been moved."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, bits: GridBits) -> Tensor:
        return on_grid(weights, bits).to(weights.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


def read_on_grid(module: nn.Module, bits: GridBits) -> None:
    """Let the matrices in the blocks of `module` be read as a file of these bits holds them."""
    for _, matrix in matrices(module):
        matrix.forward = partial(_read, matrix, bits)


@contextmanager
def reading_on_grid(module: nn.Module, kinds: Kinds) -> Iterator[None]:
    """Inside, the linear layers whose weights are named are read as a file keeps them."""
    parts = [(module.get_submodule(name.removesuffix(".weight")), bits)
             for name, bits in kinds.items()]  # fmt: skip
    for part, bits in parts:
        part.forward = partial(_read, part, bits)
    try:
        yield
    finally:
        for part, _ in parts:
            del part.forward


def matrices(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """The linear layers inside the blocks, each with the adapter that stands beside it."""
    from peft.tuners.lora import LoraLayer

    adapted: list[str] = []
    for name, part in module.named_modules():
        if any(name.startswith(f"{one}.") for one in adapted) or ".layers." not in name:
            continue
        if isinstance(part, LoraLayer):
            adapted.append(name)
            yield name, part
        elif isinstance(part, nn.Linear):
            yield name, part


def weight_of(matrix: Any) -> Tensor:
    """A matrix with what its adapter adds to it."""
    if isinstance(matrix, nn.Linear):
        return matrix.weight
    (name,) = matrix.active_adapters
    added: Tensor = matrix.get_delta_weight(name)
    own: Tensor = matrix.get_base_layer().weight
    return own + added


def _read(matrix: Any, bits: GridBits, states: Tensor, *_: Any, **__: Any) -> Tensor:
    """What the matrix makes of (..., in) states: (..., out), its weights on the grid."""
    weights: Tensor = _Through.apply(weight_of(matrix), bits)  # type: ignore[no-untyped-call]
    return functional.linear(states, weights)


def outside(module: Any) -> dict[str, Tensor]:
    """Embeddings and head by their names; a tied one once."""
    ends = {id(module.get_input_embeddings().weight), id(module.get_output_embeddings().weight)}
    return {name: p for name, p in module.named_parameters() if id(p) in ends}
