"""Shots as prompts and the number of their label: what a head over the labels is taught."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nshot.core.types import Example, ModelRef, Task
from nshot.models.base import Lent, Models
from nshot.models.hf.tokens import cut_left, encode_prompts
from nshot.predictors.label_head import trained_head
from nshot.prompts.render import Format, render
from nshot.training.data.answers import supervised
from nshot.training.data.tokens import TokenRows, cut_note
from nshot.training.learned import Fit, answered, chance
from nshot.training.recipe import Lesson
from nshot.training.rows import Row


@dataclass(frozen=True)
class Labels(TokenRows):
    """Classified examples, put in `format`."""

    task: Task
    format: Format
    examples: tuple[Example, ...]

    def lesson(self, lent: Lent, room: int) -> Lesson[Row]:
        """A row an example; a prompt that is too long loses its beginning."""
        rows, cut = encode_labels(self.task, self.format, self.examples, lent.tokenizer, room)
        return Lesson(rows, notes=cut_note(cut, room))

    def fit(self, models: Models, ref: ModelRef) -> Fit:
        """A model without a trained head knows nothing: to it all labels are equally likely."""
        from nshot.nets.label_head import is_label_head

        if not ref.deltas or not is_label_head(Path(ref.deltas[-1].folder)):
            return chance(self.task)
        return answered(trained_head(self.task, models, ref, self.format), self.examples)


def encode_labels(
    task: Task, format: Format, examples: Sequence[Example], tokenizer: Any, context: int
) -> tuple[list[Row], int]:
    """Examples as prompts of at most `context` tokens, and how many were cut to fit.

    For a head over the labels: what is to be answered at a prompt's last token is the label's
    number.
    """
    prompts = encode_prompts(tokenizer, [render(task, format, e.input) for e in examples])
    fitting = [cut_left(tokens, context, tokenizer.bos_token_id) for tokens in prompts]
    rows = [
        supervised(example.id, tokens, (task.label_names.index(example.label),))
        for example, (tokens, _) in zip(examples, fitting, strict=True)
    ]
    return rows, sum(cut for _, cut in fitting)
