"""What instruction tuning is, whichever parameters it trains."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nshot.core.errors import CannotAdapt
from nshot.core.types import Cost, Kind, ModelRef, Rung, Shots, Task
from nshot.methods.contract import Brief, Workbench
from nshot.methods.prompting import WRITTEN_TOKEN
from nshot.methods.supervised import SupervisedTuning
from nshot.models.base import Lent

if TYPE_CHECKING:
    from nshot.training.learned import Fit
    from nshot.training.rows import Row

_HEADERS = 12
"""Tokens that a chat template adds to a question and its answer."""


class InstructionTuning(SupervisedTuning):
    """A chat model taught what the assistant says in conversations; subclasses say how.

    Settings of all, beside those of `SupervisedTuning`:

    Args:
        format: ``chat``, always: every row goes through the model's chat template.
        max_tokens: the longest conversation; see `nshot.training.conversations` for the rule by
            which a longer one is cut.
        packing: read several conversations in one sequence, none of which sees another.
        validation: share of the shots that are only watched, never learned from.
    """

    rung: ClassVar[Rung] = "finetune"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"generate"})

    epochs: int = Field(default=3, ge=1)
    batch_size: int = Field(default=8, ge=1)
    format: Literal["chat"] = "chat"
    max_tokens: int = Field(default=1024, ge=16)
    packing: bool = True
    validation: float = Field(default=0.1, ge=0, le=0.5)

    def packs(self) -> bool:
        """As was asked."""
        return self.packing

    def parted(self, shots: Shots, bench: Workbench) -> tuple[Shots, Shots]:
        """A seeded share of the shots is watched, groups whole; the row says how many."""
        from nshot.training.conversations import parted

        taught, watched = parted(shots.labelled, self.validation, bench.seed)
        if watched:
            bench.note(
                f"{len(watched)} of {len(shots.labelled)} shots were only watched: their loss "
                "stands in the learning curve, and nothing was learned from them"
            )
        return replace(shots, labelled=taught), Shots(labelled=watched)

    def encode(self, task: Task, shots: Shots, lent: Lent, context: int) -> tuple[list[Row], int]:
        """All answers of all conversations, and how many conversations were cut to fit."""
        from nshot.training.conversations import encode

        rows, lost = encode(task, shots.labelled, lent.tokenizer, self._limit(context))
        return rows, lost.all

    def forecast(self, brief: Brief) -> Cost:
        """As others, of rows whose answers are about as long as what is asked."""
        return super().forecast(_longer(brief))

    def use_forecast(self, brief: Brief) -> Cost:
        """The prompts are read, and answers as long as they are written."""
        read = (brief.tokens + _HEADERS) * brief.test
        written = brief.tokens * brief.test
        seconds = (read + WRITTEN_TOKEN * written) / brief.rates.lm_tokens
        return Cost(seconds=seconds, tokens_in=round(read), tokens_out=round(written))

    def _rows(
        self, task: Task, shots: Shots, bench: Workbench, lent: Lent, context: int
    ) -> list[Row]:
        from nshot.training.conversations import encode

        limit = self._limit(context)
        rows, lost = encode(task, shots.labelled, lent.tokenizer, limit)
        for note in lost.notes(limit):
            bench.note(note)
        return rows

    def _fit(self, task: Task, shots: Shots, bench: Workbench, ref: ModelRef) -> Fit:
        """Without the rows whose answer alone is longer than the context: they are not taught."""
        model = bench.models.open(ref)
        lengths = model.count([example.targets[0] for example in shots.labelled])
        room = model.facts.context - 2 * _HEADERS
        short = [e for e, length in zip(shots.labelled, lengths, strict=True) if length <= room]
        if not short:
            raise CannotAdapt(
                f"every answer is longer than the model's {model.facts.context} tokens"
            )
        return super()._fit(task, replace(shots, labelled=tuple(short)), bench, ref)

    def _limit(self, context: int) -> int:
        return min(self.max_tokens, context)


def _longer(brief: Brief) -> Brief:
    return replace(brief, tokens=2 * brief.tokens + _HEADERS)
