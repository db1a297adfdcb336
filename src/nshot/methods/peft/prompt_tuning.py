"""Prompt tuning: embeddings before every input, trained in place of words."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import Field

from nshot.core.types import Shots, Task
from nshot.methods.contract import Brief
from nshot.methods.trained import Trained
from nshot.models.base import Lent
from nshot.prompts.parts import instruction
from nshot.training.parts.soft_prompt import SoftPrompt, why_no_soft_prompt

_COMMON = 5000
"""Entries of the vocabulary that are drawn from: a tokenizer learns the common ones first."""


class PromptTuning(Trained):
    """Prompt tuning.

    Brian Lester, Rami Al-Rfou, Noah Constant. "The Power of Scale for Parameter-Efficient Prompt
    Tuning", 2021. https://arxiv.org/abs/2104.08691

    The embeddings P (length, width) stand before those of the input, [P; X], and are all that is
    trained: length * width parameters (section 2). The paper's initialisations of section 2.1 are
    settings here; it finds them to matter most for small models.

    Args:
        length: rows of P.
        init: where P begins: the embeddings of the task's instruction and labels, repeated or cut
            to its length (``text``); of common tokens drawn from the ``vocabulary``; or uniform
            in [-0.5, 0.5] (``random``).
    """

    name: ClassVar[str] = "prompt_tuning"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (1e-2, 3e-3, 3e-2)}
    after: ClassVar[str] = "lora"
    about: ClassVar[str] = "trained embeddings before every input"

    length: int = Field(default=16, ge=2)
    init: Literal["text", "vocabulary", "random"] = "text"
    learning_rate: float = Field(default=1e-2, ge=0)

    def why_not(self, brief: Brief) -> str | None:
        """Also where a soft prompt cannot be kept, or leaves no room."""
        return super().why_not(brief) or why_no_soft_prompt(
            self.length, brief.abilities, brief.context
        )

    def part(self, task: Task, shots: Shots, seed: int) -> SoftPrompt:
        """The rows of P."""
        begin = partial(self._begin, instruction(task))
        return SoftPrompt(self.name, self.config, lambda _: self.length, begin, self.length)

    def config(self, lent: Lent) -> Any:
        """PEFT's configuration; what it begins with is set afterwards."""
        from peft import PromptTuningConfig

        return PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=self.length)

    def _begin(self, text: str, module: Any, lent: Lent, seed: int) -> None:
        """Write the first embeddings, as `init` says; `text` is what they may say."""
        import torch

        weight = module.prompt_encoder["default"].embedding.weight
        with torch.no_grad():
            if self.init == "random":
                generator = torch.Generator().manual_seed(seed)
                weight.copy_(torch.rand(weight.shape, generator=generator) - 0.5)
            else:
                ids = torch.tensor(self._tokens(text, seed, lent.tokenizer), device=lent.device)
                weight.copy_(lent.module.get_input_embeddings()(ids))

    def _tokens(self, text: str, seed: int, tokenizer: Any) -> list[int]:
        """The tokens, `length` of them, whose embeddings the soft prompt begins as."""
        if self.init == "text":
            from nshot.models.hf.tokens import bare

            ids = bare(tokenizer, text)
            return [ids[i % len(ids)] for i in range(self.length)]
        special = set(tokenizer.all_special_ids)
        common = [i for i in range(min(_COMMON, len(tokenizer))) if i not in special]
        return random.Random(f"soft prompt:{seed}").choices(common, k=self.length)
