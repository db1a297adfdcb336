"""Training rows that a model continues word for word, against what its base does with them.

Carlini et al. 2023, "Quantifying Memorization Across Neural Language Models",
https://arxiv.org/abs/2202.07646, section 3: a text is extractable where the model, given its
beginning, writes the rest greedily. A near continuation is one of which nine in ten characters are
the same; that line is nshot's own.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from nshot.audit.change.before_after import Pair, prompted
from nshot.audit.contract import Subject
from nshot.audit.estimates import share_of
from nshot.core.types import Example
from nshot.models.base import Completion, Decoding, LanguageModel
from nshot.prompts.render import render

ROWS = 50
FEWEST_WORDS = 6
"""A shorter text is continued rightly by chance."""
MOST_TOKENS = 64
NEAR = 0.9


@dataclass(frozen=True)
class Cut:
    """A learned row in two: what the model is given, and how it goes on."""

    id: str
    given: str
    rest: str


def cuts(subject: Subject) -> tuple[Cut, ...]:
    """Rows that the subject learned, drawn by its seed, each cut after half of its words.

    Cut is the answer of a task whose answers are written, else the input. What stands before the
    text in the prompt, it is given too.
    """
    rows = [row for row in subject.learned if len(_text(subject, row).split()) >= FEWEST_WORDS]
    random.Random(subject.seed).shuffle(rows)
    return tuple(_cut(subject, row) for row in rows[:ROWS])


def memorised(subject: Subject, before: LanguageModel, after: LanguageModel) -> list[Pair]:
    """The share of `cuts` that are continued exactly, and nearly; none where nothing was cut.

    Raises `CannotAdapt` for a model that writes no texts.
    """
    rows = cuts(subject)
    if not rows:
        return []
    one, other = (_alike(rows, _written(model, rows)) for model in (before, after))
    return [
        Pair(
            *(
                share_of(f"training rows continued {name}", "memorised", alike >= least)
                for alike in (one, other)
            )
        )
        for name, least in (("exactly", 1.0), ("nearly", NEAR))
    ]


def recalled(subject: Subject, nearly: Pair) -> tuple[str, ...]:
    """Ids of the rows that are continued at least nearly, by the last pair of `memorised`."""
    hits = nearly.after.parts[:, 0]
    return tuple(row.id for row, hit in zip(cuts(subject), hits, strict=True) if hit)


def likeness(rest: str, written: str) -> float:
    """How alike the characters of the rest and of as much as was written are: 1 for the same.

    Blanks count as one; 1 only where nothing differs.
    """
    expected = " ".join(rest.split())
    text = " ".join(written.split())[: len(expected)]
    return SequenceMatcher(None, expected, text, autojunk=False).ratio()


def _text(subject: Subject, row: Example) -> str:
    writes = subject.task is not None and subject.task.is_written
    return row.targets[0] if writes and row.targets else row.input.text


def _cut(subject: Subject, row: Example) -> Cut:
    text = _text(subject, row)
    words = text.split()
    given = " ".join(words[: len(words) // 2])
    rest = " ".join(words[len(words) // 2 :]).encode()[:MOST_TOKENS]  # a token is a byte or more
    return Cut(row.id, _lead(subject, row, text) + given, rest.decode(errors="ignore"))


def _lead(subject: Subject, row: Example, text: str) -> str:
    """What the prompt says before the text; "" in a chat, where a turn cannot be left open."""
    one = prompted(subject)
    if one is None or one.format == "chat" or one.retrieval is not None:
        return ""
    whole = str(render(one.task, one.format, row.input, one.demos))
    if one.task.is_written:
        return f"{whole} "
    start, match, _ = whole.rpartition(text.strip())
    return start if match else ""


def _written(model: LanguageModel, rows: Sequence[Cut]) -> list[Completion]:
    return model.generate([row.given for row in rows], Decoding(MOST_TOKENS))


def _alike(
    rows: Sequence[Cut], texts: Sequence[Completion]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([likeness(row.rest, one.text) for row, one in zip(rows, texts, strict=True)])
