"""Episodes of text: some solved examples of a task and a query, of many tasks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from nshot.core.types import Example, Label, ModelRef, Prompt, Task
from nshot.models.base import Lent, Models
from nshot.models.hf.tokens import rows as tokenised
from nshot.prompts.render import Format, label_answers, render
from nshot.training.data.answers import cut_note, supervised
from nshot.training.data.demonstrations import drawn_for
from nshot.training.learned import CHECKED_ROWS, Fit
from nshot.training.recipe import Data, Lesson
from nshot.training.rows import Row


class Source(NamedTuple):
    """A task of the background, with its rows."""

    task: Task
    rows: tuple[Example, ...]


class Episode(NamedTuple):
    """Solved examples and a query as one prompt; the answers that are possible, and the right."""

    id: str
    prompt: Prompt
    answers: tuple[str, ...]
    right: int


@dataclass(frozen=True)
class InContext(Data[Row]):
    """Queries behind solved examples of their own task; the query's answer alone is taught.

    Args:
        sources: tasks, each as likely as the others.
        way: labels of an episode; a source with more lends a random few, one with fewer all.
        n: solved examples before a query, of all labels together.
        episodes: how many.
    """

    sources: tuple[Source, ...]
    format: Format
    way: int
    n: int
    episodes: int
    seed: int

    def lesson(self, lent: Lent, room: int) -> Lesson[Row]:
        """A row an episode; what is too long loses its beginning, the first examples."""
        every = list(self.drawn(self.episodes))
        coded = tokenised(
            lent.tokenizer, [one.prompt for one in every], [one.answers for one in every], room
        )
        rows = [
            supervised(one.id, row.context, row.answers[one.right])
            for one, row in zip(every, coded, strict=True)
        ]
        return Lesson(rows, notes=cut_note(sum(row.cut for row in coded), room))

    def drawn(self, count: int) -> Iterator[Episode]:
        """The first `count` episodes: each depends on the seed and its number alone."""
        for number in range(count):
            rng = random.Random(f"episode:{self.seed}:{number}")
            task, rows = rng.choice(self.sources)
            if len(task.labels) > self.way:
                labels = tuple(sorted(rng.sample(task.labels, self.way), key=task.labels.index))
                task = replace(task, labels=labels)
                rows = tuple(row for row in rows if row.label in task.label_names)
            query = rng.choice(rows)
            shown = drawn_for(query, rows, -(-self.n // len(task.labels)), rng)[: self.n]
            yield Episode(
                f"{number}:{query.id}",
                render(task, self.format, query.input, shown),
                label_answers(task, self.format),
                task.label_names.index(query.label),
            )

    def fit(self, models: Models, ref: ModelRef) -> Fit:
        """The answers' loss on the first episodes, and how often the right label is likeliest."""
        some = list(self.drawn(min(self.episodes, CHECKED_ROWS)))
        scores = models.open(ref).logprobs([e.prompt for e in some], [e.answers for e in some])
        right = [score.logprobs[e.right] for e, score in zip(some, scores, strict=True)]
        hits = [int(np.argmax(s.logprobs)) == e.right for e, s in zip(some, scores, strict=True)]
        return Fit(-float(np.mean(right)), float(np.mean(hits)))


def sources_of(task: Task, background: Sequence[Example]) -> tuple[Source, ...]:
    """The tasks of a background: examples of one group are one, those without a group another.

    The answer is called as in `task`, whose prompts are asked later; nothing else of it is theirs.
    One label alone is no task, and is left out.
    """
    groups: dict[str, list[Example]] = {}
    for row in background:
        groups.setdefault(row.group or "other classes", []).append(row)
    sources = []
    for name in sorted(groups):
        rows = sorted(groups[name], key=lambda row: row.id)
        labels = tuple(map(Label, sorted({row.label for row in rows})))
        if len(labels) > 1:
            other = Task(name, "classify", labels, answer_name=task.answer_name)
            apart = tuple(replace(row, group=None) for row in rows)
            sources.append(Source(other, apart))
    return tuple(sources)
