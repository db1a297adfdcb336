"""Instruction tuning of the model's own weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from nshot.methods.finetune.full import FullFineTuning
from nshot.methods.instructing import InstructionTuning


class InstructFull(InstructionTuning, FullFineTuning):
    """Instruction tuning of all weights, or of the upper blocks.

    Jason Wei, Maarten Bosma, Vincent Y. Zhao, Kelvin Guu, Adams Wei Yu, Brian Lester, Nan Du,
    Andrew M. Dai, Quoc V. Le. "Finetuned Language Models Are Zero-Shot Learners", 2021.
    https://arxiv.org/abs/2109.01652
    Rohan Taori, Ishaan Gulrajani, Tianyi Zhang, Yann Dubois, Xuechen Li, Carlos Guestrin, Percy
    Liang, Tatsunori B. Hashimoto. "Stanford Alpaca: An Instruction-following LLaMA model", 2023,
    for three passes over short instructions. https://github.com/tatsu-lab/stanford_alpaca

    See `nshot.methods.finetune.instruct.Instruct` for what is taught. The settings are those of
    `FullFineTuning` and of `InstructionTuning`.
    """

    name: ClassVar[str] = "instruct_full"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (1e-4, 3e-5, 3e-4)}
    about: ClassVar[str] = "conversations of many tasks, taught to the weights"

    learning_rate: float = Field(default=1e-4, ge=0)
