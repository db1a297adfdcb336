"""Examples put by several patterns in turn, behind demonstrations drawn anew in every pass."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nshot.core.types import Example, ModelRef, Prompt, Task
from nshot.models.base import Lent, Models
from nshot.models.hf.tokens import rows as tokenised
from nshot.predictors.scores import log_softmax
from nshot.prompts.patterns import View
from nshot.prompts.render import label_answers, render
from nshot.training.data.answers import cut_note, supervised
from nshot.training.data.demonstrations import drawn_for
from nshot.training.forward import token_reader
from nshot.training.learned import CHECKED_ROWS, Fit
from nshot.training.objectives.competition import Contest
from nshot.training.recipe import Data, Lesson, Part


class Put(NamedTuple):
    """An example as one pattern puts it, in one pass over the examples."""

    id: str
    prompt: Prompt
    answers: tuple[str, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class PatternRows(Data[Contest]):
    """Labels to be told from each other, each pass by another of the patterns.

    Args:
        task: whose labels the examples have.
        views: the task by each pattern; in pass p example i is put by number (i + p) modulo them.
        examples: what is learned; `shares` says how probable each label of each is.
        pool: labelled rows that may be shown.
        demonstrations: how many of each label stand before a row.
        passes: over the examples.
    """

    task: Task
    views: tuple[View, ...]
    examples: tuple[Example, ...]
    shares: tuple[tuple[float, ...], ...]
    pool: tuple[Example, ...]
    demonstrations: int
    passes: int
    seed: int

    def lesson(self, lent: Lent, room: int) -> Lesson[Contest]:
        """Rows of all passes; what is too long loses its beginning, the first demonstrations."""
        every = [one for number in range(self.passes) for one in self.put(number)]
        coded = tokenised(
            lent.tokenizer, [one.prompt for one in every], [one.answers for one in every], room
        )
        contests = [
            Contest(
                one.id,
                tuple(
                    supervised(f"{one.id}/{k}", row.context, answer)
                    for k, answer in enumerate(row.answers)
                ),
                one.shares,
            )
            for one, row in zip(every, coded, strict=True)
        ]
        return Lesson(contests, notes=cut_note(sum(row.cut for row in coded), room))

    def put(self, number: int) -> Iterator[Put]:
        """The examples in pass `number`."""
        for i, (example, shares) in enumerate(zip(self.examples, self.shares, strict=True)):
            view = self.views[(i + number) % len(self.views)]
            rng = random.Random(f"shown:{self.seed}:{number}:{example.id}")
            shown = drawn_for(example, self.pool, self.demonstrations, rng)
            demos = [view.example(self.task, one) for one in shown]
            prompt = render(view.task, view.format, example.input, demos)
            answers = label_answers(view.task, view.format)
            yield Put(f"{example.id}:{number}", prompt, answers, shares)

    def reader(
        self,
        module: Any,
        lesson: Lesson[Contest],
        part: Part,
        device: str,
        note: Callable[[str], None],
    ) -> Any:
        """Reads every label of a prompt as a row: what they share is read once."""
        every = [row for contest in lesson.rows for row in contest.rows]
        return token_reader(module, every, (), part.free_blocks, device, False, note)

    def fit(self, models: Models, ref: ModelRef) -> Fit:
        """The shares' cross-entropy on the first pass, and how often the likeliest label is it."""
        every = list(self.put(0))
        some = every[:: max(1, -(-len(every) // CHECKED_ROWS))]
        model = models.open(ref)
        scores = model.logprobs([one.prompt for one in some], [one.answers for one in some])
        return _fit([score.logprobs for score in scores], [one.shares for one in some])


def _fit(logprobs: Sequence[Any], shares: Sequence[tuple[float, ...]]) -> Fit:
    likely, right = log_softmax(np.array(logprobs)), np.array(shares)
    hits = likely.argmax(axis=1) == right.argmax(axis=1)
    return Fit(-float((right * likely).sum(axis=1).mean()), float(hits.mean()))
