"""Prompt tuning: embeddings before every input, trained in place of words."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from nshot.core.types import Shots, Task
from nshot.methods.soft_prompting import SoftPrompting
from nshot.models.base import Lent
from nshot.prompts.render import instruction

_COMMON = 5000
"""Entries of the vocabulary that are drawn from: a tokenizer learns the common ones first."""


class PromptTuning(SoftPrompting):
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
    about: ClassVar[str] = "trained embeddings before every input"

    init: Literal["text", "vocabulary", "random"] = "text"
    learning_rate: float = Field(default=1e-2, ge=0)

    def config(self, lent: Lent) -> Any:
        """PEFT's configuration; what it begins with is set afterwards."""
        from peft import PromptTuningConfig

        return PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=self.length)

    def begin(self, task: Task, shots: Shots, seed: int, lent: Lent) -> Any:
        """The module, its soft prompt initialised as `init` says."""
        import torch

        module = self.install(lent, seed)
        weight = module.prompt_encoder["default"].embedding.weight
        with torch.no_grad():
            if self.init == "random":
                generator = torch.Generator().manual_seed(seed)
                weight.copy_(torch.rand(weight.shape, generator=generator) - 0.5)
            else:
                ids = torch.tensor(self._tokens(task, seed, lent.tokenizer), device=lent.device)
                weight.copy_(lent.module.get_input_embeddings()(ids))
        return module

    def _tokens(self, task: Task, seed: int, tokenizer: Any) -> list[int]:
        """The tokens, `length` of them, whose embeddings the soft prompt begins as."""
        if self.init == "text":
            ids = tokenizer(instruction(task), add_special_tokens=False)["input_ids"]
            return [ids[i % len(ids)] for i in range(self.length)]
        special = set(tokenizer.all_special_ids)
        common = [i for i in range(min(_COMMON, len(tokenizer))) if i not in special]
        return random.Random(f"soft prompt:{seed}").choices(common, k=self.length)
