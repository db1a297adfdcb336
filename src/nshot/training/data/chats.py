"""Conversations as rows to train on: what the assistant says in them is taught, the rest is read.

A conversation longer than allowed is cut by one rule: the oldest exchanges behind the system prompt
go, as many as must. A single exchange that is still too long loses the beginning of its question.
One whose answer alone is too long is left out: half an answer would teach to stop nowhere.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, ModelRef, Task, Turn
from nshot.models.base import Lent, Models
from nshot.models.hf.spans import Rendered, apart
from nshot.prompts.render import chat, shown_answer
from nshot.training.learned import Fit, fit
from nshot.training.recipe import Data, Lesson
from nshot.training.rows import Row

Turns: TypeAlias = tuple[Turn, ...]
Rows: TypeAlias = tuple[Rendered, ...]
_FEW = 10
_AROUND = 24
"""Tokens that a chat template puts around a question and its answer, about."""


@dataclass(frozen=True)
class Chats(Data[Row]):
    """Conversations to learn from, and some of which only the loss is taken.

    Args:
        limit: the longest conversation, in tokens.
        packing: whether several are read in one sequence.
    """

    task: Task
    examples: tuple[Example, ...]
    validation: tuple[Example, ...]
    limit: int
    packing: bool

    def lesson(self, lent: Lent, room: int) -> Lesson[Row]:
        """All answers of all conversations; what was cut or left out is noted."""
        limit = min(self.limit, room)
        rows, counts = encode(self.task, self.examples, lent.tokenizer, limit)
        validation, _ = encode(self.task, self.validation, lent.tokenizer, limit)
        notes = counts.notes(limit)
        if self.validation:
            every = len(self.examples) + len(self.validation)
            notes = [
                f"{len(self.validation)} of {every} shots were kept for validation: their loss "
                "stands in the learning curve, and nothing was learned from them",
                *notes,
            ]
        return Lesson(rows, validation, tuple(notes))

    def fit(self, models: Models, ref: ModelRef) -> Fit:
        """Without the rows whose answer alone is longer than the context: they are not taught."""
        model = models.open(ref)
        context = model.facts.context
        lengths = model.count([example.targets[0] for example in self.examples])
        short = [
            e
            for e, length in zip(self.examples, lengths, strict=True)
            if length + _AROUND <= context
        ]
        if not short:
            raise CannotAdapt(f"every answer is longer than the model's {context} tokens")
        return fit(model, self.task, "chat", short)


@dataclass(frozen=True)
class Counts:
    """Conversations that were too long, and what was done with them."""

    shortened: int = 0
    cut: int = 0
    left_out: int = 0

    def notes(self, limit: int) -> list[str]:
        """In words, for the row on the board."""
        fates = (
            (self.shortened, "lost their oldest turns"),
            (self.cut, "lost the beginning of their question"),
            (self.left_out, "were left out, for their answer alone is longer"),
        )
        return [
            f"{count} conversations longer than {limit} tokens {what}"
            for count, what in fates
            if count
        ]


class Fitted(NamedTuple):
    """A conversation within its limit, and what it lost: "", or the name of a count."""

    rows: Rows
    lost: str


def conversation(task: Task, example: Example) -> Turns:
    """The example as it is asked (`nshot.prompts.render.chat`), with its answer."""
    return (*chat(task, example.input), Turn("assistant", shown_answer(task, example)))


def split(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Examples to learn from, and about a `share` of them for validation: seeded, groups whole.

    Of fewer than ten none is kept out: one row's loss says little, and is missed.
    """
    groups: dict[str, int] = Counter(example.group or example.id for example in examples)
    room = max(1, round(share * len(examples))) if share and len(examples) >= _FEW else 0
    names = sorted(groups)
    random.Random(f"watched:{seed}").shuffle(names)
    chosen = set()
    for name in names:
        if groups[name] <= room:
            room -= groups[name]
            chosen.add(name)
    out = tuple(e for e in examples if (e.group or e.id) in chosen)
    return tuple(e for e in examples if (e.group or e.id) not in chosen), out


def encode(
    task: Task, examples: Sequence[Example], tokenizer: Any, limit: int
) -> tuple[list[Row], Counts]:
    """Examples as rows of at most `limit` tokens, with all the assistant's turns to learn.

    An example is one row, or one for each answer where the template writes earlier answers
    otherwise (`nshot.models.hf.spans.apart`). Raises `CannotAdapt` where there is no chat template,
    and for turns that it refuses.
    """
    rows: list[Row] = []
    counts = Counts()
    for example in examples:
        each, lost = fitted(tokenizer, conversation(task, example), limit)
        if lost:
            counts = replace(counts, **{lost: getattr(counts, lost) + 1})
        rows += [_row(f"{example.id}/{k}", one) for k, one in enumerate(each)]
    return rows, counts


def fitted(tokenizer: Any, turns: Turns, limit: int) -> Fitted:
    """The rows of a conversation, cut by the rule above."""

    def rows(some: Turns) -> Rows | None:
        each = apart(tokenizer, some)
        return each if all(len(one.tokens) <= limit for one in each) else None

    def first(ways: Sequence[int], cut: Callable[[int], Turns]) -> Rows | None:
        """Rows of the first way that fits; all ways behind it give less."""
        at = bisect_left(ways, True, key=lambda way: rows(cut(way)) is not None)
        return rows(cut(ways[at])) if at < len(ways) else None

    if whole := rows(turns):
        return Fitted(whole, "")
    asks = [k for k, turn in enumerate(turns) if turn.role == "user"]
    if not asks:
        return Fitted((), "left_out")
    system, (*_, last) = turns[: asks[0]], asks
    if shorter := first(asks[1:], lambda k: (*system, *turns[k:])):
        return Fitted(shorter, "shortened")
    question, answer = turns[last], turns[last + 1 :]
    beginnings = range(1, len(question.text) + 1)
    if shorter := first(beginnings, lambda k: (*system, _without(question, k), *answer)):
        return Fitted(shorter, "cut")
    return Fitted((), "left_out")


def _without(turn: Turn, beginning: int) -> Turn:
    """The turn without so many characters."""
    return replace(turn, text=turn.text[beginning:])


def _row(name: str, whole: Rendered) -> Row:
    """Nothing behind the last token that is taught is read, and the token itself is not."""
    at = [i for i, is_taught in enumerate(whole.supervised) if is_taught and i]
    end = at[-1] if at else len(whole.tokens)
    points, targets = (i - 1 for i in at), (whole.tokens[i] for i in at)
    return Row(name, whole.tokens[:end], tuple(points), tuple(targets))
