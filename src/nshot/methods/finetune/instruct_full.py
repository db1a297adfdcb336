"""Instruction tuning of the model's own weights."""

from __future__ import annotations

from typing import ClassVar

from nshot.core.types import Cost
from nshot.methods.contract import Brief
from nshot.methods.finetune.full import OwnWeights
from nshot.methods.finetune.instruct import Conversing, with_answers
from nshot.methods.trained import Trained


class InstructFull(Conversing, OwnWeights, Trained):
    """Instruction tuning of all weights, or of the upper blocks.

    Jason Wei, Maarten Bosma, Vincent Y. Zhao, Kelvin Guu, Adams Wei Yu, Brian Lester, Nan Du,
    Andrew M. Dai, Quoc V. Le. "Finetuned Language Models Are Zero-Shot Learners", 2021.
    https://arxiv.org/abs/2109.01652
    Rohan Taori, Ishaan Gulrajani, Tianyi Zhang, Yann Dubois, Xuechen Li, Carlos Guestrin, Percy
    Liang, Tatsunori B. Hashimoto. "Stanford Alpaca: An Instruction-following LLaMA model", 2023,
    for three passes over short instructions. https://github.com/tatsu-lab/stanford_alpaca

    See `nshot.methods.finetune.instruct.Instruct` for what is taught. The settings are those of
    `Conversing`, of `OwnWeights` and of `Trained`.
    """

    name: ClassVar[str] = "instruct_full"
    about: ClassVar[str] = "conversations of many tasks, taught to the weights"

    def forecast(self, brief: Brief) -> Cost:
        """As others, of longer rows."""
        return super().forecast(with_answers(brief))
