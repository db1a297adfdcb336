"""A soft prompt: positions before every input that hold no words."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any

from nshot.core.errors import CannotAdapt
from nshot.models.base import Lent
from nshot.training.parts.adapter import Adapter

_LEAST = 16
"""Tokens that a text and its answer need, at least."""


@dataclass(frozen=True)
class SoftPrompt(Adapter):
    """PEFT's soft prompt.

    Args:
        positions: how many stand before every input, for a model's tokenizer.
        begin: writes into the fresh module, with the lent one and the seed, what it begins as.
        positions_read: how many go through the layers, once for the whole batch: of keys and
            values none.
    """

    positions: Callable[[Any], int]
    begin: Callable[[Any, Lent, int], None]
    positions_read: int = 0
    starts_as_base: bool = False

    def room(self, lent: Lent, context: int) -> int:
        """What the positions leave, which must be enough for a text and its answer."""
        from nshot.models.hf.cache import kinds

        length, config = self.positions(lent.tokenizer), lent.module.config
        if length + _LEAST > context:
            raise CannotAdapt(_no_room(length, context))
        if "sliding_attention" in kinds(config):
            window = config.get_text_config().sliding_window
            if length >= window:
                raise CannotAdapt(
                    f"a soft prompt of {length} tokens does not fit into the {window} tokens "
                    "to which the model's sliding attention looks back"
                )
        return context - length

    def put_on(self, lent: Lent, seed: int) -> Any:
        """The lent module behind a fresh soft prompt."""
        module = super().put_on(lent, seed)
        self.begin(module, lent, seed)
        return module


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
