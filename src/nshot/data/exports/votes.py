"""Exports of labelling tools become rows with a label; several annotators a row become a vote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from shlex import quote
from typing import Any

from nshot.core.errors import Fault, InputError
from nshot.data.agreement import krippendorff_alpha
from nshot.data.exports.argilla import FLAT, RECORDS
from nshot.data.exports.clouds import MANIFEST, VERTEX
from nshot.data.exports.doccano import DOCCANO, DOCCANO_1
from nshot.data.exports.export import Answer, Export, Marked
from nshot.data.exports.label_studio import ROWS, TASKS, control_last
from nshot.data.exports.prodigy import PRODIGY, name_contrary
from nshot.data.exports.spacy import SPACY
from nshot.data.faults import Faults, Place
from nshot.data.spans import span_of
from nshot.data.table import Table

EXPORTS: tuple[Export, ...] = (
    TASKS, ROWS, RECORDS, FLAT, PRODIGY, SPACY, DOCCANO, DOCCANO_1, MANIFEST, VERTEX,
)  # fmt: skip
LABEL = "label"
_NAMED = 5
"""Rows on which annotators differ that are named."""


def read_export(table: Table, faults: Faults, question: str | None = None) -> str | None:
    """Put texts and labels in the place of an export's own rows.

    A row of several annotators has the label that most of them gave; where two labels have equally
    many it has none. What was left out, and how far they agree, becomes a note of the table.
    `question` names the one whose answers are the labels, of a project with several. Gives the
    name of the column of labels; None where the table is no export, or has no such question.
    Raises `InputError` where there are several questions and none is named.
    """
    export = next((one for one in EXPORTS if table.rows and one.claims(table.rows[0])), None)
    if export is None:
        return None
    if export is PRODIGY:
        name_contrary(table)
    columns = control_last(table) if export is ROWS else []
    if len(columns) > 1:
        raise InputError(_which(table, columns))
    read: list[tuple[Marked, Place]] = []
    for row, place in zip(table.rows, table.places, strict=True):
        marked = export.read(row) if export.claims(row) else None
        if marked is None:
            problem = f"a row that cannot be read as an export of {export.name}"
            expected = "choices among labels, or pieces of the text that were marked"
            faults.at(table.path, table.unit, place, problem, expected)
        else:
            read.append((marked, place))
    questions = dict.fromkeys(name for marked, _ in read for name in marked.by_question)
    if question is not None and question not in questions:
        return None
    read = _of_question(read, question, list(questions), table)
    left_out = Counter(marked.left_out for marked, _ in read if marked.left_out)
    kept = list(_joined([pair for pair in read if not pair[0].left_out]))
    table.notes.append(f"{table.path.name}: an export of {export.name}")
    table.notes += [f"{count} rows left out: {reason}" for reason, count in left_out.items()]
    table.notes += [*_agreement(table, kept), *_span_note(kept)]
    return _fill(table, kept, question)


def _of_question(
    read: list[tuple[Marked, Place]], question: str | None, names: Sequence[str], table: Table
) -> list[tuple[Marked, Place]]:
    """The answers to the one question that is named, or the only one."""
    if question is not None:
        return [
            (replace(one, answers=one.by_question.get(question, ()), spans=()), place)
            for one, place in read
        ]
    if any(spans for marked, _ in read for spans in marked.spans):
        table.notes += [
            f"{table.path.name}: beside the pieces that were marked, '{name}' was answered: not "
            f"used (--label {quote(name)} takes it)"
            for name in names
        ]
    elif len(names) > 1:
        raise InputError(_which(table, names))
    return read


def vote_on(table: Table, kept: Sequence[tuple[Marked, Place]], label: str) -> None:
    """Put rows with the label that most annotators gave in the place of a table's own."""
    table.notes += _agreement(table, kept)
    _fill(table, kept, label)


def _which(table: Table, names: Sequence[str]) -> Fault:
    """A project that asks several questions of each text."""
    ways = [f"nshot compare {quote(str(table.path))} --label {quote(name)}" for name in names[:3]]
    problem = f"{len(names)} questions were answered: {', '.join(names)}"
    return Fault(problem, "one of them as the label", " , or ".join(ways), str(table.path))


def _joined(read: Sequence[tuple[Marked, Place]]) -> Iterator[tuple[Marked, Place]]:
    """Rows of one key as one, where it first stands."""
    places: dict[str, int] = {}
    joined: list[tuple[Marked, Place]] = []
    for marked, place in read:
        if marked.key and marked.key in places:
            first, where = joined[places[marked.key]]
            more = replace(
                first,
                answers=(*first.answers, *marked.answers),
                spans=(*first.spans, *marked.spans),
            )
            joined[places[marked.key]] = (more, where)
            continue
        places[marked.key] = len(joined)
        joined.append((marked, place))
    return iter(joined)


def _fill(table: Table, kept: Sequence[tuple[Marked, Place]], question: str | None) -> str:
    """The rows, and the name of their column of labels."""
    label = question or LABEL
    fields = dict.fromkeys(name for marked, _ in kept for name in marked.fields if name != label)
    table.columns = (*fields, label)
    table.rows = [
        {**{name: marked.fields.get(name) for name in fields}, label: _answer(marked)}
        for marked, _ in kept
    ]
    table.places = [place for _, place in kept]
    return label


def _answer(marked: Marked) -> Any:
    """The label of the vote; of spans those that more than half of the annotators marked."""
    if not marked.spans:
        return _vote(marked.answers)
    if len(marked.spans) == 1:
        return list(marked.spans[0])
    each = [set(filter(None, map(span_of, spans))) for spans in marked.spans]
    counts = Counter(span for spans in each for span in spans)
    return [
        [span.start, span.end, span.label]
        for span, count in sorted(counts.items())
        if 2 * count > len(each)
    ]


def _span_note(kept: Sequence[tuple[Marked, Place]]) -> list[str]:
    several = sum(len(marked.spans) > 1 and any(marked.spans) for marked, _ in kept)
    note = f"{several} rows have several annotators: spans that more than half of them marked"
    return [note] if several else []


def _vote(answers: Sequence[Answer]) -> str | list[str] | None:
    """The answer that most gave; None where nobody answered, or two are level."""
    counts = Counter(map(_key, answers)).most_common(2)
    if not counts or (len(counts) == 2 and counts[0][1] == counts[1][1]):
        return None
    labels = counts[0][0]
    return labels[0] if len(labels) == 1 else list(labels)


def _key(answer: Answer) -> tuple[str, ...]:
    return (answer,) if isinstance(answer, str) else tuple(sorted(answer))


def _agreement(table: Table, kept: Sequence[tuple[Marked, Place]]) -> list[str]:
    several = [(marked, place) for marked, place in kept if len(marked.answers) > 1]
    if not several:
        return []
    alpha = krippendorff_alpha([list(map(_key, marked.answers)) for marked, _ in several])
    measured = "" if alpha is None else f" (Krippendorff's alpha {alpha:.2f})"
    note = f"{len(several)} rows have several annotators{measured}: the label most of them gave"
    split = [place for marked, place in several if len(set(map(_key, marked.answers))) > 1]
    if split:
        shown = ", ".join(map(str, split[:_NAMED])) + ", ..." * (len(split) > _NAMED)
        note += f"; they differ on {len(split)} ({table.unit} {shown})"
    level = sum(_vote(marked.answers) is None for marked, _ in several)
    return [note, *([f"{level} rows have two labels equally often: no label"] if level else [])]
