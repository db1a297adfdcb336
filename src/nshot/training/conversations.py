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

from nshot.core.types import Example, Task, Turn
from nshot.models.hf.spans import Rendered, apart
from nshot.prompts.render import chat, said
from nshot.training.rows import Row

Turns: TypeAlias = tuple[Turn, ...]
Rows: TypeAlias = tuple[Rendered, ...]
_FEW = 10


@dataclass(frozen=True)
class Counts:
    """Conversations that were too long, and what was done with them."""

    shortened: int = 0
    cut: int = 0
    left_out: int = 0

    @property
    def all(self) -> int:
        """Conversations of which something is missing."""
        return self.shortened + self.cut + self.left_out

    def notes(self, limit: int) -> list[str]:
        """In words, for the row on the board."""
        told = (
            (self.shortened, "lost their oldest turns"),
            (self.cut, "lost the beginning of their question"),
            (self.left_out, "were left out, for their answer alone is longer"),
        )
        return [
            f"{count} conversations longer than {limit} tokens {what}"
            for count, what in told
            if count
        ]


class Fitted(NamedTuple):
    """A conversation within its limit, and what it lost: "", or the name of a count."""

    rows: Rows
    lost: str


def conversation(task: Task, example: Example) -> Turns:
    """The example as it is asked (`nshot.prompts.render.chat`), with its answer."""
    return (*chat(task, example.input), Turn("assistant", said(task, example)))


def parted(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Examples to learn from, and about a `share` of them to watch: seeded, groups whole.

    Of fewer than ten none is watched: one row's loss says little, and is missed.
    """
    groups: dict[str, int] = Counter(example.group or example.id for example in examples)
    room = max(1, round(share * len(examples))) if share and len(examples) >= _FEW else 0
    names = sorted(groups)
    random.Random(f"watched:{seed}").shuffle(names)
    watched = set()
    for name in names:
        if groups[name] <= room:
            room -= groups[name]
            watched.add(name)
    out = tuple(e for e in examples if (e.group or e.id) in watched)
    return tuple(e for e in examples if (e.group or e.id) not in watched), out


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
        found, lost = fitted(tokenizer, conversation(task, example), limit)
        if lost:
            counts = replace(counts, **{lost: getattr(counts, lost) + 1})
        rows += [_row(f"{example.id}/{k}", one) for k, one in enumerate(found)]
    return rows, counts


def fitted(tokenizer: Any, turns: Turns, limit: int) -> Fitted:
    """The rows of a conversation, cut by the rule above."""

    def rows(some: Turns) -> Rows | None:
        found = apart(tokenizer, some)
        return found if all(len(one.tokens) <= limit for one in found) else None

    def first(ways: Sequence[int], shorter: Callable[[int], Turns]) -> Rows | None:
        """Rows of the first way that fits; all ways behind it give less."""
        at = bisect_left(ways, True, key=lambda way: rows(shorter(way)) is not None)
        return rows(shorter(ways[at])) if at < len(ways) else None

    if whole := rows(turns):
        return Fitted(whole, "")
    asks = [k for k, turn in enumerate(turns) if turn.role == "user"]
    system, (*_, last) = turns[: asks[0]], asks
    if found := first(asks[1:], lambda k: (*system, *turns[k:])):
        return Fitted(found, "shortened")
    asked, answer = turns[last], turns[last + 1 :]
    beginnings = range(1, len(asked.text) + 1)
    if found := first(beginnings, lambda k: (*system, _without(asked, k), *answer)):
        return Fitted(found, "cut")
    return Fitted((), "left_out")


def _without(turn: Turn, beginning: int) -> Turn:
    """The turn without so many characters."""
    return replace(turn, text=turn.text[beginning:])


def _row(name: str, found: Rendered) -> Row:
    """Nothing behind the last token that is taught is read, and the token itself is not."""
    taught = [at for at, is_taught in enumerate(found.supervised) if is_taught and at]
    end = taught[-1] if taught else len(found.tokens)
    return Row(
        name,
        found.tokens[:end],
        tuple(at - 1 for at in taught),
        tuple(found.tokens[at] for at in taught),
    )
