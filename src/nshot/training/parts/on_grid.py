"""Weights that learn while the model reads them as a quantised file will hold them.

Benoit Jacob et al. "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", 2017, section 3. https://arxiv.org/abs/1712.05877
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nshot.core.errors import CannotAdapt
from nshot.core.types import Delta
from nshot.models.base import Lent, ModelFacts
from nshot.models.llamacpp.write_gguf import BLOCK, GridBits, foreign
from nshot.training.parts.weights import save_weights
from nshot.training.recipe import Part

_EMBEDDINGS: GridBits = "Q8_0"
"""What embeddings and head are written in; see `nshot.models.llamacpp.write_gguf`."""
_ROUNDING = 0.3
"""What rounding all weights costs beside a training step: of 135M parameters half a second, where a
step on 100 tokens takes about two."""


@dataclass(frozen=True)
class OnGrid(Part):
    """What another part trains, read in every forward pass as the file of these bits will hold it.

    An adapter's product is added to its matrix first, and the sum is put on the grid. Embeddings
    and head are put on theirs once and do not learn. What is kept are the numbers of the grid.

    Args:
        inner: the matrices of LoRA, or the model's own weights.
        bits: of the file that is to be written.
    """

    inner: Part
    bits: GridBits

    starts_as_base = False

    def free(self, model: ModelFacts) -> tuple[str, ...]:
        """Those of the inner part."""
        return self.inner.free(model)

    def share(self, layers: int, epochs: int) -> float:
        """That of the inner part, and `_ROUNDING`."""
        return _ROUNDING + self.inner.share(layers, epochs)

    def put_on(self, lent: Lent, seed: int) -> Any:
        """The inner part's module, its matrices read through the grid.

        Raises `CannotAdapt` for a model that no GGUF file of the Llama family can hold.
        """
        from nshot.models.llamacpp.grid import on_grid
        from nshot.training.straight_through import matrices, outside, read_on_grid, weight_of

        if faults := foreign(lent.module.config):
            expected = ", ".join(str(fault.expected) for fault in faults)
            raise CannotAdapt(f"{faults[0].found} cannot be written as GGUF: {expected}")
        for name, matrix in matrices(lent.module):
            width = int(weight_of(matrix).shape[-1])
            if width % BLOCK:
                raise CannotAdapt(f"{name} has rows of {width} weights, no multiple of {BLOCK}")
        module = self.inner.put_on(lent, seed)
        for weight in outside(lent.module).values():
            weight.data = on_grid(weight.data, _EMBEDDINGS).to(weight.dtype)
        read_on_grid(lent.module, self.bits)  # comes off with all that was put on
        return module

    def save(self, lent: Lent, module: Any, folder: Path) -> Delta:
        """Every matrix as it was read, embeddings and head, and what else has learned."""
        from nshot.models.llamacpp.grid import on_grid
        from nshot.training.straight_through import matrices, outside, weight_of

        learned = set(lent.trained)
        changed = {name: p for name, p in lent.module.named_parameters() if name in learned}
        changed |= outside(lent.module)
        changed |= {
            f"{name}.weight": on_grid(weight_of(matrix), self.bits)
            for name, matrix in matrices(lent.module)
        }
        return save_weights(changed, folder)
