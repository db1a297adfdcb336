"""Weights of the model itself; subclasses say which."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nshot.core.files import content_hash
from nshot.core.types import Delta
from nshot.models.base import Lent, ModelFacts
from nshot.training.recipe import Part


class Weights(Part):
    """The model's own parameters, those that `free` names."""

    @abstractmethod
    def free(self, model: ModelFacts) -> tuple[str, ...]:
        """Names, or patterns of them, of the parameters that learn."""

    def put_on(self, lent: Lent, seed: int) -> Any:
        """The lent module itself."""
        return lent.module

    def save(self, lent: Lent, module: Any, folder: Path) -> Delta:
        """The changed tensors under their names in the model, nothing else."""
        # Under an adapter PEFT calls a matrix its adapter's base layer.
        named = ((n.replace(".base_layer.", "."), p) for n, p in lent.module.named_parameters())
        trained = set(lent.trained)
        return save_weights({name: p for name, p in named if name in trained}, folder)


def save_weights(changed: Mapping[str, Any], folder: Path) -> Delta:
    """Tensors under their names in the model, as one safetensors file in ``weights``."""
    from safetensors.torch import save_file

    target = folder / "weights"
    target.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in changed.items()}
    save_file(tensors, target / "weights.safetensors")
    return Delta("weights", str(target), content_hash(target))


@dataclass(frozen=True)
class Body(Weights):
    """All but the embeddings and the head: what a step changes of them is little, and costs much.

    Of a small model they are a quarter of the weights.
    """

    def free(self, model: ModelFacts) -> tuple[str, ...]:
        """The names of what is under no embedding and no head."""
        return tuple(n for n in model.shapes if "embed" not in n and not n.startswith("lm_head"))


@dataclass(frozen=True)
class WholeModel(Body):
    """As `Body`, and kept as a plain Hugging Face folder, which needs no base."""

    def save(self, lent: Lent, module: Any, folder: Path) -> Delta:
        """Weights, configuration and tokenizer."""
        target = folder / "model"
        module.save_pretrained(target)
        lent.tokenizer.save_pretrained(target)
        return Delta("model", str(target), content_hash(target))
