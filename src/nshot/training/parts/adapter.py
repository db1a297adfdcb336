"""An adapter that PEFT knows, on a frozen model and in its own folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nshot.core.errors import CannotAdapt
from nshot.core.files import content_hash
from nshot.core.machine import seeded
from nshot.core.types import Delta
from nshot.models.base import Lent, LentModel
from nshot.training.recipe import Part


@dataclass(frozen=True)
class Adapter(Part):
    """An adapter that is made from a configuration alone.

    Args:
        name: the method's, for what is said where it cannot be put on.
        config: PEFT's configuration of it for a model.
    """

    name: str
    config: Callable[[Lent], Any]

    def put_on(self, lent: Lent, seed: int) -> Any:
        """PEFT's wrapper of the lent module with a fresh adapter, seeded; on the ref's own deltas.

        Raises `CannotAdapt`; see `wrap`.
        """
        config = self.config(lent)
        if lent.ref.deltas and isinstance(lent, LentModel):
            return lent.add("default", config, seed)
        return self.wrap(lent.module, config, seed)

    def wrap(self, module: Any, config: Any, seed: int) -> Any:
        """`module` with a fresh adapter of this configuration, seeded.

        Raises `CannotAdapt` where PEFT does not know how to put it on this architecture, and
        where nothing of what it put there can be trained.
        """
        from peft import get_peft_model

        kind = module.config.model_type
        with seeded(seed):
            try:
                wrapped = get_peft_model(module, config)
            except (ValueError, NotImplementedError, KeyError) as error:
                raise CannotAdapt(f"{self.name} cannot be put on a {kind}: {error}") from error
        if not any(p.requires_grad for p in wrapped.parameters()):
            raise CannotAdapt(f"{self.name} on a {kind} has nothing to train")
        return wrapped

    def save(self, lent: Lent, module: Any, folder: Path) -> Delta:
        """PEFT's own folder, which any PEFT program can load."""
        return save_adapter(lent, module, folder / "adapter")


@dataclass(frozen=True)
class NamedAdapter(Adapter):
    """As `Adapter`, on a lent base under its own name, where others can stand beside it."""

    def put_on(self, lent: Lent, seed: int) -> Any:
        """PEFT's model, the adapter in use; see `LentModel.add`."""
        if not isinstance(lent, LentModel):
            raise CannotAdapt(f"{self.name} stands on a language model")
        return lent.add(self.name, self.config(lent), seed)

    def save(self, lent: Lent, module: Any, folder: Path) -> Delta:
        """PEFT's own folder, of its name."""
        return save_adapter(lent, module, folder, self.name)


def save_adapter(lent: Lent, module: Any, target: Path, name: str = "default") -> Delta:
    """The adapter `name` of PEFT's model in its own folder: `target`, or `target` / `name`."""
    base = Path(lent.ref.name)
    config = module.peft_config[name]
    # A path of this machine would mean nothing on the next; a Hub id stays as it is.
    config.base_model_name_or_path = base.name if base.is_absolute() else lent.ref.name
    for key, value in vars(config).items():
        if isinstance(value, set):  # in an order that differs from process to process
            setattr(config, key, sorted(value))
    # No embedding is trained, and PEFT need not ask a hub whether the vocabulary grew.
    module.save_pretrained(target, save_embedding_layers=False, selected_adapters=[name])
    (target / "README.md").unlink(missing_ok=True)
    folder = target if name == "default" else target / name
    return Delta("peft", str(folder), content_hash(folder))
