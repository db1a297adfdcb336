"""Instruction tuning with LoRA."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field

from nshot.core.types import Cost, Kind, Rung, Shots, Task
from nshot.methods.contract import Brief
from nshot.methods.peft.lora import LowRank
from nshot.methods.prompting import WRITTEN_TOKEN
from nshot.methods.trained import Trained
from nshot.training.data.chats import Chats, split

_HEADERS = 12
"""Tokens that a chat template adds to a question and its answer."""


class Conversing(BaseModel):
    """Settings of instruction tuning, whichever parameters it trains.

    Args:
        format: ``chat``, always: every row goes through the model's chat template.
        max_tokens: the longest conversation; see `nshot.training.data.chats` for the rule by
            which a longer one is cut.
        packing: read several conversations in one sequence, none of which sees another.
        validation: share of the shots that nothing is learned from; only their loss is taken.
    """

    rung: ClassVar[Rung] = "finetune"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"generate"})

    epochs: int = Field(default=3, ge=1)
    batch_size: int = Field(default=8, ge=1)
    format: Literal["chat"] = "chat"
    max_tokens: int = Field(default=1024, ge=16)
    packing: bool = True
    validation: float = Field(default=0.1, ge=0, le=0.5)

    def data(self, task: Task, shots: Shots, seed: int) -> Chats:
        """All that the assistant says; a seeded share of the shots, groups whole, is kept out."""
        learned, validation = split(shots.labelled, self.validation, seed)
        return Chats(task, learned, validation, self.max_tokens, self.packing)

    def use_forecast(self, brief: Brief) -> Cost:
        """The prompts are read, and answers as long as they are written."""
        read = (brief.tokens + _HEADERS) * brief.test
        written = brief.tokens * brief.test
        seconds = (read + WRITTEN_TOKEN * written) / brief.rates.lm_tokens
        return Cost(seconds=seconds, tokens_in=round(read), tokens_out=round(written))


def with_answers(brief: Brief) -> Brief:
    """The brief of rows whose answers are about as long as what is asked."""
    return replace(brief, tokens=2 * brief.tokens + _HEADERS)


class Instruct(Conversing, LowRank, Trained):
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

    The settings are those of `Conversing`, of `LowRank` and of `Trained`.
    """

    name: ClassVar[str] = "instruct"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (5e-4, 2e-4, 1e-3)}
    about: ClassVar[str] = "conversations of many tasks, taught to an adapter"

    learning_rate: float = Field(default=5e-4, ge=0)

    def forecast(self, brief: Brief) -> Cost:
        """As others, of longer rows."""
        return super().forecast(with_answers(brief))
