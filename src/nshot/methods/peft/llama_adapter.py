"""LLaMA-Adapter: prompts inside the upper blocks, faded in from zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from nshot.core.errors import CannotAdapt
from nshot.core.types import Shots, Task
from nshot.methods.contract import Brief
from nshot.methods.trained import Trained
from nshot.models.base import Lent
from nshot.training.parts.adapter import Adapter

_FAMILIES = frozenset({"llama", "mistral"})
"""Families whose attention PEFT extends as the paper does."""


class LlamaAdapter(Trained):
    """Adaption prompts with zero-initialised attention.

    Renrui Zhang, Jiaming Han, Chris Liu, Peng Gao, Aojun Zhou, Xiangfei Hu, Shilin Yan, Lu Lu,
    Hongsheng Li, Yu Qiao. "LLaMA-Adapter: Efficient Fine-tuning of Language Models with Zero-init
    Attention", 2023. https://arxiv.org/abs/2303.16199

    In each of the top L blocks every token also attends to K learned vectors, by a softmax of its
    own that is multiplied by a gate (equation 7). The gate starts at zero, so that training begins
    at the base model. L (K d + 1) parameters are trained, d the model's width.

    Args:
        length: learned vectors a block, K.
        layers: how many of the upper blocks have them, L; a model with fewer has them in all.
    """

    name: ClassVar[str] = "llama_adapter"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (5e-3, 1e-3, 2e-2)}
    about: ClassVar[str] = "learned prompts in the upper blocks, gated from zero"

    length: int = Field(default=10, ge=1)
    layers: int = Field(default=30, ge=1)
    learning_rate: float = Field(default=5e-3, ge=0)

    def why_not(self, brief: Brief) -> str | None:
        """PEFT extends the attention of a few families only."""
        if brief.architecture and (reason := _misfit(brief.architecture)):
            return reason
        return super().why_not(brief)

    def part(self, task: Task, shots: Shots, seed: int) -> Adapter:
        """The vectors and gates of the upper blocks."""
        return Adapter(self.name, self.config)

    def config(self, lent: Lent) -> Any:
        """PEFT's configuration; raises `CannotAdapt` where PEFT would count or add wrongly."""
        from peft import AdaptionPromptConfig

        model = lent.module.config
        if reason := _misfit(model.model_type):
            raise CannotAdapt(f"llama_adapter {reason}")
        head = getattr(model, "head_dim", None) or model.hidden_size // model.num_attention_heads
        if head * model.num_attention_heads != model.hidden_size:
            raise CannotAdapt(
                f"llama_adapter needs heads that together are as wide as the model: "
                f"{model.num_attention_heads} heads of {head} are not {model.hidden_size}"
            )
        if any(n.endswith("o_proj.bias") for n, _ in lent.module.named_parameters()):
            raise CannotAdapt(
                "llama_adapter needs an attention that ends without a bias: PEFT would add it twice"
            )
        return AdaptionPromptConfig(
            task_type="CAUSAL_LM",
            adapter_len=self.length,
            adapter_layers=min(self.layers, model.num_hidden_layers),
        )


def _misfit(family: str) -> str | None:
    """Why it cannot be put on a family of models; None where it can."""
    if family == "gpt2":
        return (
            "cannot be put on gpt2: PEFT adds what the prompts say behind the output projection,"
            " where the paper (equation 8) adds it before"
        )
    if family not in _FAMILIES:
        return f"extends the attention of {' and '.join(sorted(_FAMILIES))}, not of {family}"
    return None
