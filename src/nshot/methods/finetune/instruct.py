"""Instruction tuning with LoRA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from nshot.methods.instructing import InstructionTuning
from nshot.methods.peft.lora import LoRA


class Instruct(InstructionTuning, LoRA):
    """Instruction tuning of a low-rank adapter.

    Jason Wei, Maarten Bosma, Vincent Y. Zhao, Kelvin Guu, Adams Wei Yu, Brian Lester, Nan Du,
    Andrew M. Dai, Quoc V. Le. "Finetuned Language Models Are Zero-Shot Learners", 2021.
    https://arxiv.org/abs/2109.01652
    Long Ouyang et al. "Training language models to follow instructions with human feedback",
    2022, section 3.5, step 1. https://arxiv.org/abs/2203.02155
    Mario Michael Krell, Matej Kosec, Sergio P. Perez, Andrew Fitzgibbon. "Efficient Sequence
    Packing without Cross-contamination", 2021, for packing. https://arxiv.org/abs/2107.02027

    Conversations of many tasks in one training, through the chat template; the loss is the mean
    negative log-likelihood of the assistant's tokens, the end of each turn included.

    The settings are LoRA's and those of `InstructionTuning`.
    """

    name: ClassVar[str] = "instruct"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (5e-4, 2e-4, 1e-3)}
    about: ClassVar[str] = "conversations of many tasks, taught to an adapter"

    learning_rate: float = Field(default=5e-4, ge=0)
