"""Shots as prompts and the number of their label: what a head over the labels is taught."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nshot.core.types import Example, ModelRef, Task
from nshot.models.base import Lent, Models
from nshot.models.hf.tokens import cut_left, encode_prompts
from nshot.predictors.label_head import trained_head
from nshot.prompts.render import Format, render
from nshot.training.data.answers import cut_note, supervised
from nshot.training.learned import Fit, answered, chance
from nshot.training.recipe import Data, Lesson
from nshot.training.rows import Row


@dataclass(frozen=True)
class Labels(Data[Row]):
    """Classified examples, put in `format`."""

    task: Task
    format: Format
    examples: tuple[Example, ...]

    def lesson(self, lent: Lent, room: int) -> Lesson[Row]:
        """Prompts of at most `room` tokens, and what is to be answered at their last one."""
        tokenizer, names = lent.tokenizer, self.task.label_names
        prompts = [render(self.task, self.format, example.input) for example in self.examples]
        coded = encode_prompts(tokenizer, prompts)
        fitting = [cut_left(tokens, room, tokenizer.bos_token_id) for tokens in coded]
        rows = [
            supervised(example.id, tokens, (names.index(example.label),))
            for example, (tokens, _) in zip(self.examples, fitting, strict=True)
        ]
        return Lesson(rows, notes=cut_note(sum(cut for _, cut in fitting), room))

    def fit(self, models: Models, ref: ModelRef) -> Fit:
        """A model without a trained head knows nothing: to it all labels are equally likely."""
        from nshot.nets.label_head import is_label_head

        if not ref.deltas or not is_label_head(Path(ref.deltas[-1].folder)):
            return chance(self.task)
        return answered(trained_head(self.task, models, ref, self.format), self.examples)
