"""A soft prompt: positions before every input that hold no words."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nshot.core.errors import CannotAdapt
from nshot.core.types import Delta
from nshot.models.base import Lent
from nshot.training.parts.adapter import save_adapter, wrap
from nshot.training.recipe import Part

_LEAST = 16
"""Tokens that a text and its answer need, at least."""


@dataclass(frozen=True)
class SoftPrompt(Part):
    """PEFT's soft prompt of `length` positions; subclasses say of which kind.

    Args:
        name: the method's, for what is said where it cannot be put on.
    """

    name: str
    length: int

    @abstractmethod
    def config(self, lent: Lent) -> Any:
        """PEFT's configuration of it for this model."""

    def begin(self, module: Any, lent: Lent, seed: int) -> None:
        """Write into the fresh `module` what it begins as; as PEFT made it, if nothing."""

    def positions(self, tokenizer: Any) -> int:
        """How many positions stand before every input."""
        return self.length

    @property
    def starts_as_base(self) -> bool:
        """No: what stands before an input changes the answer."""
        return False

    @property
    def positions_read(self) -> int:
        """Embeddings go through the layers, once for the whole batch."""
        return self.length

    def room(self, lent: Lent, context: int) -> int:
        """What the positions leave, which must be enough for a text and its answer."""
        length = self.positions(lent.tokenizer)
        _require_room(length, context, lent.module.config)
        return context - length

    def put_on(self, lent: Lent, seed: int) -> Any:
        """The lent module behind a fresh soft prompt."""
        module = wrap(self.name, lent.module, self.config(lent), seed)
        self.begin(module, lent, seed)
        return module

    def save(self, lent: Lent, module: Any, folder: Path) -> Delta:
        """PEFT's own folder."""
        return save_adapter(lent, module, folder)


def why_no_soft_prompt(length: int, abilities: Set[str], context: int) -> str | None:
    """One sentence where a model cannot keep `length` positions, or they leave it no room.

    `context` is 0 where unknown.
    """
    if "generate" not in abilities:
        return "a soft prompt is kept as keys and values, which this model does not have"
    return _no_room(length, context) if context and length + _LEAST > context else None


def _no_room(length: int, context: int) -> str:
    return (
        f"a soft prompt of {length} tokens leaves {max(0, context - length)} of the model's "
        f"{context} for the text and its answer"
    )


def _require_room(length: int, context: int, config: Any) -> None:
    from nshot.models.hf.cache import kinds

    if length + _LEAST > context:
        raise CannotAdapt(_no_room(length, context))
    if "sliding_attention" in kinds(config):
        window = config.get_text_config().sliding_window
        if length >= window:
            raise CannotAdapt(
                f"a soft prompt of {length} tokens does not fit into the {window} tokens "
                "to which the model's sliding attention looks back"
            )
