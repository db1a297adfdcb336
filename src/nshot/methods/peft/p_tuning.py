"""P-tuning: soft tokens that a small network makes, with words between them if wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from nshot.core.types import Shots, Task
from nshot.methods.contract import Brief
from nshot.methods.trained import Trained
from nshot.models.base import Lent
from nshot.training.parts.soft_prompt import SoftPrompt, why_no_soft_prompt


class PTuning(Trained):
    """P-tuning.

    Xiao Liu, Yanan Zheng, Zhengxiao Du, Ming Ding, Yujie Qian, Zhilin Yang, Jie Tang. "GPT
    Understands, Too", 2021. https://arxiv.org/abs/2103.10385

    The embeddings that stand before the input are not free: h_i = MLP(LSTM(e)_i), with a
    bidirectional LSTM of two layers or an MLP alone, so that they move together. What is trained
    are the e (length, width) and the network; what is kept are the embeddings it gives. The base
    stays frozen, where the paper also tunes it.

    Args:
        length: soft tokens.
        encoder: ``lstm`` as in the paper, or ``mlp``.
        hidden: width of the network, of each direction in the LSTM.
        anchors: a text whose token embeddings stand, untrained, in the middle of the soft tokens,
            as the words in the paper's templates do.
    """

    name: ClassVar[str] = "p_tuning"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (1e-3, 3e-4, 3e-3)}
    after: ClassVar[str] = "lora"
    about: ClassVar[str] = "embeddings before every input, made by a trained network"

    length: int = Field(default=16, ge=2)
    encoder: Literal["lstm", "mlp"] = "lstm"
    hidden: int = Field(default=128, ge=1)
    anchors: str = ""
    learning_rate: float = Field(default=1e-3, ge=0)

    def why_not(self, brief: Brief) -> str | None:
        """Also where a soft prompt cannot be kept, or leaves no room."""
        return super().why_not(brief) or why_no_soft_prompt(
            self.length, brief.abilities, brief.context
        )

    def part(self, task: Task, shots: Shots, seed: int) -> SoftPrompt:
        """What the network reads, and the network."""
        return SoftPrompt(self.name, self.config, self._positions, self._begin, self.length)

    def config(self, lent: Lent) -> Any:
        """PEFT's configuration of the soft tokens alone."""
        from peft import PromptEncoderConfig

        return PromptEncoderConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=self.length,
            encoder_reparameterization_type=self.encoder.upper(),
            encoder_hidden_size=self.hidden,
        )

    def _positions(self, tokenizer: Any) -> int:
        """Soft tokens and anchors."""
        return self.length + len(self._anchors(tokenizer))

    def _begin(self, module: Any, lent: Lent, seed: int) -> None:
        """Put the anchors among what the encoder gives."""
        import torch

        from nshot.training.parts.anchored import Anchored

        if ids := self._anchors(lent.tokenizer):
            with torch.no_grad():
                words = lent.module.get_input_embeddings()(torch.tensor(ids, device=lent.device))
            soft = module.prompt_encoder["default"]
            module.prompt_encoder["default"] = Anchored(soft, words)
            # What is saved are the folded embeddings, anchors and all.
            module.prompt_tokens["default"] = torch.arange(self.length + len(ids))
            module.peft_config["default"].num_virtual_tokens = self.length + len(ids)

    def _anchors(self, tokenizer: Any) -> list[int]:
        from nshot.models.hf.tokens import bare

        return list(bare(tokenizer, self.anchors))
