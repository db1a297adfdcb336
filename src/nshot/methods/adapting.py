"""What the methods that PEFT builds have in common: an adapter on a frozen model, in its folder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from nshot.core.errors import CannotAdapt
from nshot.core.types import Delta, Rung
from nshot.methods.contract import Trains
from nshot.methods.supervised import SupervisedTuning, content_hash
from nshot.models.base import Lent


def require_targets(lent: Lent, targets: Sequence[str]) -> None:
    """Raise `CannotAdapt` unless every name ends the name of some module of the model.

    PEFT itself is content when one of them does, and trains that much less.
    """
    names = [f".{name}" for name, _ in lent.module.named_modules()]
    if missing := [t for t in targets if not any(name.endswith(f".{t}") for name in names)]:
        kind = lent.module.config.model_type
        raise CannotAdapt(f"a {kind} has no modules named {' or '.join(missing)}")


class AdapterTuning(SupervisedTuning):
    """A language model taught through an adapter that PEFT knows; subclasses say which."""

    rung: ClassVar[Rung] = "peft"
    trains: ClassVar[Trains] = "adapter"

    @abstractmethod
    def config(self, lent: Lent) -> Any:
        """PEFT's configuration of the adapter for this model."""

    def install(self, lent: Lent, seed: int) -> Any:
        """The lent module with a fresh adapter, seeded.

        Raises `CannotAdapt` where PEFT does not know how to put it on this architecture, and
        where nothing of what it put there can be trained.
        """
        import torch
        from peft import get_peft_model

        kind = lent.module.config.model_type
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            try:
                module = get_peft_model(lent.module, self.config(lent))
            except (ValueError, NotImplementedError, KeyError) as error:
                raise CannotAdapt(f"{self.name} cannot be put on a {kind}: {error}") from error
        if not any(p.requires_grad for p in module.parameters()):
            raise CannotAdapt(f"{self.name} on a {kind} has nothing to train")
        return module

    def keep(self, lent: Lent, module: Any, folder: Path) -> Delta:
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
