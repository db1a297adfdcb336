"""CoNLL files: a token a line with its tag in the last column, a blank line between sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from nshot.data.faults import Faults
from nshot.data.files.opened import Opened
from nshot.data.table import Table

_TAG = re.compile(r"O|[BIESLU]-.+")
"""Tags of BIO (1 and 2), BIOES and BILOU."""
_DOCUMENT = "-DOCSTART-"
_MOSTLY = 0.9
_LOOKED_AT = 1000
"""Lines that tell whether a text is of this kind."""
_EXPECTED = "token and tag: O, or B-, I-, E-, S-, L-, U- with a label, as B-PER"


class _Token(NamedTuple):
    text: str
    tag: str
    line: int


def is_tag(text: str) -> bool:
    """Is this a tag of BIO, BIOES or BILOU?"""
    return bool(_TAG.fullmatch(text))


def is_conll(text: str) -> bool:
    """Do nearly all lines end in a tag behind a token, some of them in one with a label?"""
    lines = [line.split() for line in text.split("\n")[:_LOOKED_AT] if line.strip()]
    tags = [cells[-1] for cells in lines if len(cells) > 1 and _TAG.fullmatch(cells[-1])]
    return len(tags) > _MOSTLY * len(lines) and any(tag != "O" for tag in tags)


def read_conll(file: Opened, faults: Faults) -> Table:
    """Columns ``text``, the tokens of a sentence with a space between, and ``spans``.

    Comments (``# id``) and document marks are left out.
    """
    table = Table(file.path, ("text", "spans"))
    for sentence in _sentences(file, table, faults):
        text, spans = _row(sentence)
        table.rows.append({"text": text, "spans": spans})
        table.places.append(sentence[0].line)
    file.notes.append(f"{file.path.name}: tokens and tags (CoNLL); tokens joined by spaces")
    return table


def _sentences(file: Opened, table: Table, faults: Faults) -> Iterator[list[_Token]]:
    sentence: list[_Token] = []
    for number, line in enumerate([*file.text().split("\n"), ""], start=1):
        cells = line.rstrip("\r").split("\t" if "\t" in line else None)
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            if sentence:
                yield sentence
            sentence = []
        elif cells[0] == _DOCUMENT or _is_comment(cells):
            continue
        elif len(cells) > 1 and cells[0] and _TAG.fullmatch(cells[-1]):
            sentence.append(_Token(cells[0], cells[-1], number))
        else:
            table.broken = True
            problem = f"{line.strip()[:40]!r} is no token with a tag"
            faults.at(file.path, "line", number, problem, _EXPECTED)


def _is_comment(cells: Sequence[str]) -> bool:
    return cells[0].startswith("#") and not (len(cells) > 1 and _TAG.fullmatch(cells[-1]))


def _row(sentence: Sequence[_Token]) -> tuple[str, list[list[Any]]]:
    """The text and its spans."""
    text, starts = "", list[int]()
    for token in sentence:
        starts.append(len(text) + bool(text))
        text = f"{text} {token.text}" if text else token.text
    ends = [start + len(token.text) for start, token in zip(starts, sentence, strict=True)]
    return text, spans_of_tags(starts, ends, [token.tag for token in sentence])


def spans_of_tags(
    starts: Sequence[int], ends: Sequence[int], tags: Sequence[str]
) -> list[list[Any]]:
    """``[start, end, label]`` of tagged tokens: one begins at B, S, U, or another label.

    As conlleval reads tags.
    """
    spans, before = list[list[Any]](), "O"
    for start, end, tag in zip(starts, ends, tags, strict=True):
        mark, _, label = tag.partition("-")
        goes_on = before[0] in "BI" and before[2:] == label and mark in "IEL"
        if goes_on:
            spans[-1][1] = end
        elif label:
            spans.append([start, end, label])
        before = tag
    return spans
