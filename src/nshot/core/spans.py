"""Pieces of a text: where they begin and end, and what they are.

An answer of kind ``spans`` is a text as every other answer, a JSON list in the order of the text::

    [{"start": 0, "end": 9, "label": "name", "text": "The Eagle"}]

`start` and `end` count characters (Unicode code points) from 0, the end not included; `text` stands
there for readers only.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

_JOINERS = frozenset("\u200d\ufe0e\ufe0f")
"""What makes one sign of several: the joiner of emoji, and how a sign is to look."""


@dataclass(frozen=True, order=True)
class Span:
    """The characters from `start` up to `end`, without it, and the name of what they are."""

    start: int
    end: int
    label: str


def written(text: str, spans: Iterable[Span]) -> str:
    """Spans of a text as an answer."""
    rows = [
        {"start": one.start, "end": one.end, "label": one.label, "text": text[one.start : one.end]}
        for one in sorted(spans)
    ]
    return json.dumps(rows, ensure_ascii=False)


def spans_of(answer: str) -> tuple[Span, ...]:
    """The spans of an answer that `written` made; none of any other text."""
    try:
        return tuple(Span(one["start"], one["end"], one["label"]) for one in json.loads(answer))
    except (ValueError, TypeError, KeyError):
        return ()


def trimmed(text: str, span: Span) -> Span:
    """The span without white space at its ends; empty where it holds nothing else."""
    piece = text[span.start : span.end]
    start = span.start + len(piece) - len(piece.lstrip())
    return Span(start, max(start, span.end - len(piece) + len(piece.rstrip())), span.label)


def splits_a_character(text: str, at: int) -> bool:
    """Does the place before character `at` lie inside what is read as one sign?

    Between a letter and its combining mark, or in an emoji of several code points.
    """
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    return bool(unicodedata.combining(after)) or after in _JOINERS or before == "\u200d"


def crossing(spans: Sequence[Span]) -> tuple[Span, Span] | None:
    """The first two spans that share a character, the spans in the order of the text."""
    ordered = sorted(spans)
    for first, second in pairwise(ordered):
        if second.start < first.end:
            return first, second
    return None
