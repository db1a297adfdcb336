"""What the export of a labelling tool is: rows with the answers of one annotator or of several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from nshot.data.table import Row

Answer: TypeAlias = str | Sequence[str]
"""What an annotator chose: a label, or several."""
Spans: TypeAlias = Sequence[Any]
"""What an annotator marked, as `nshot.data.spans` reads it."""


@dataclass(frozen=True)
class Marked:
    """A text with the answers to it.

    `fields` are its named texts, `answers` those of its annotators, () where none has answered;
    of pieces of the text that were marked, the `spans` of each annotator. `by_question` are the
    answers to each of the questions that the project asks, where these have names.
    Rows of the same `key` are one text seen by several annotators. `left_out` says why it is not
    read: the annotator took it out.
    """

    fields: Mapping[str, Any]
    answers: tuple[Answer, ...] = ()
    key: str = ""
    left_out: str = ""
    spans: tuple[Spans, ...] = ()
    by_question: Mapping[str, tuple[Answer, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Export:
    """How one tool writes: `claims` a row by its keys, and `read`s it; None where it cannot.

    `name` is the tool's, `uses` are the keys that are understood.
    """

    name: str
    claims: Callable[[Row], bool]
    read: Callable[[Row], Marked | None]
    uses: frozenset[str]


def rest(row: Row, taken: frozenset[str]) -> dict[str, Any]:
    """The fields of a row that the tool does not write for itself."""
    return {name: cell for name, cell in row.items() if name not in taken}


def one_or_several(labels: Sequence[Any]) -> tuple[Answer, ...]:
    """The answer of one annotator who chose from a list: () where nothing was chosen."""
    names = [str(label) for label in labels]
    return (names[0] if len(names) == 1 else names,) if names else ()
