"""Who reads rows and prompts: a tokenizer, by which they are counted and shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nshot.core.errors import ModelNotFound
from nshot.core.types import Prompt
from nshot.models.catalog import resolve
from nshot.models.hf.tokenizers import open_tokenizer
from nshot.models.hf.tokens import bare, encode, render


@dataclass(frozen=True)
class Reader:
    """Who reads the rows: a tokenizer, None for a model that has none to look at."""

    name: str
    tokenizer: Any = None
    context: int | None = None

    @property
    def chats(self) -> bool:
        """Does it have a chat template?"""
        return bool(self.tokenizer is not None and self.tokenizer.chat_template)

    @property
    def unit(self) -> str:
        """What `count` counts."""
        return "words" if self.tokenizer is None else "tokens"

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        """Tokens of each text or chat; words where there is no tokenizer to look at."""
        if self.tokenizer is None:
            return [len(plain(prompt).split()) for prompt in prompts]
        return [self._tokens(prompt) for prompt in prompts]

    def _tokens(self, prompt: Prompt) -> int:
        if isinstance(prompt, str) or not self.chats:
            return len(bare(self.tokenizer, plain(prompt)))
        return len(encode(self.tokenizer, [render(self.tokenizer, prompt)])[0])


def plain(prompt: Prompt) -> str:
    """A prompt as it is read aloud: of turns, who says what."""
    if isinstance(prompt, str):
        return prompt
    return "\n".join(f"[{turn.role}] {turn.text}" for turn in prompt)


def reader(model: str | None) -> Reader:
    """The tokenizer of the model that is named, or of the embedded one where it is at hand.

    Raises `ModelNotFound` for a model that is named and not at hand.
    """
    try:
        ref = resolve(model, "lm")
    except ModelNotFound:
        if model:
            raise
        return Reader("no model, for none is at hand (--model M)")
    if ref.engine != "hf":
        return Reader(f"no tokenizer, for {model} shows none")
    return Reader(ref.name, *open_tokenizer(ref))
