"""Weights of the model itself; subclasses say which."""

from __future__ import annotations

from abc import abstractmethod
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
        from safetensors.torch import save_file

        target = folder / "weights"
        target.mkdir(parents=True, exist_ok=True)
        names = set(lent.trained)
        changed = {
            name: p.detach().contiguous().cpu()
            for name, p in module.named_parameters()
            if name in names
        }
        save_file(changed, target / "weights.safetensors")
        return Delta("weights", str(target), content_hash(target))
