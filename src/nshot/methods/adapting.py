"""What the methods that PEFT builds have in common: an adapter on a frozen model, in its folder."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from nshot.errors import CannotAdapt
from nshot.method import Trains
from nshot.methods.supervised import SupervisedTuning, content_hash
from nshot.models.base import Trainable
from nshot.types import Delta, Rung


class AdapterTuning(SupervisedTuning):
    """A language model taught through an adapter that PEFT knows; subclasses say which."""

    rung: ClassVar[Rung] = "peft"
    trains: ClassVar[Trains] = "adapter"

    @abstractmethod
    def config(self, lent: Trainable) -> Any:
        """PEFT's configuration of the adapter for this model."""

    def install(self, lent: Trainable, seed: int) -> Any:
        """The lent module with a fresh adapter, seeded.

        Raises `CannotAdapt` where PEFT does not know how to put it on this architecture.
        """
        import torch
        from peft import get_peft_model

        with torch.random.fork_rng():
            torch.manual_seed(seed)
            try:
                return get_peft_model(lent.module, self.config(lent))
            except (ValueError, NotImplementedError, KeyError) as error:
                kind = lent.module.config.model_type
                raise CannotAdapt(f"{self.name} cannot be put on a {kind}: {error}") from error

    def keep(self, lent: Trainable, module: Any, folder: Path) -> Delta:
        """PEFT's own folder, which any PEFT program can load."""
        target = folder / "adapter"
        base = Path(lent.ref.name)
        # A path of this machine would mean nothing on the next; a Hub id stays as it is.
        name = base.name if base.is_absolute() else lent.ref.name
        module.peft_config["default"].base_model_name_or_path = name
        # No embedding is trained, and PEFT need not ask a hub whether the vocabulary grew.
        module.save_pretrained(target, save_embedding_layers=False)
        (target / "README.md").unlink(missing_ok=True)
        return Delta("peft", str(target), content_hash(target))
