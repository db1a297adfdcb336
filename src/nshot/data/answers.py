"""Answers that another system gave to a task's rows: read, matched to the rows, and checked."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nshot.core.errors import Fault, InputError, nearest
from nshot.core.label_sets import BETWEEN, joined
from nshot.core.numbers import number, written
from nshot.core.types import LABELLED, Example, Input, Kind, Prediction, Task
from nshot.data.columns import ID_NAMES
from nshot.data.faults import Faults, Place
from nshot.data.same import exact, fold, sameness, shown
from nshot.data.table import Row, Table, cell_text
from nshot.data.tables import read_table

KINDS: frozenset[Kind] = LABELLED | {"multilabel", "number", "generate"}
"""The kinds of tasks whose answers a file can hold."""
ANSWER_NAMES = ("answer", "prediction", "predicted")
PROBABILITY_NAMES = ("probabilities", "probability", "scores")
COST_NAMES, SECOND_NAMES = ("cost", "money", "price"), ("seconds", "latency", "latency_seconds")
SUM_MAY_MISS = 0.02
"""By how much the probabilities of a row may miss a sum of one; they are then scaled to it."""
LEAST = 1e-9
"""A probability of nothing, so that its logarithm is a number."""
_SHOWN = 3

Find: TypeAlias = Callable[[Row], Sequence[Example]]
"""The rows of the task that a row of the file answers."""


class Replies(NamedTuple):
    """What was answered, by the content of the input (`nshot.data.same.exact`).

    `seconds` is what an answer took, on the mean of the rows that are measured; None where one of
    them does not say. `notes` are for the reader of the score.
    """

    answers: Mapping[str, Prediction]
    seconds: float | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Line:
    """An answer where it stands in the file; `text` as it is written there."""

    place: Place
    text: str
    reply: Prediction
    has_seconds: bool


def read_answers(
    path: str | Path,
    task: Task,
    rows: Sequence[Example],
    measured: Sequence[Example],
    encoding: str | None = None,
) -> Replies:
    """The answers in a file (.csv, .jsonl and what else is read) to `rows` of the task.

    A row of the file names the task's row by ``id`` or by its text, and has ``answer``; it may have
    ``probabilities`` (a mapping of label to probability), ``cost`` and ``seconds``. Each of the
    rows that are `measured` needs an answer; "" says that the system gave none. Raises `InputError`
    with every fault.
    """
    path = Path(path).expanduser()
    if task.kind not in KINDS:
        problem = f"answers of a task of kind {task.kind}"
        raise InputError(
            Fault(problem, f"kind {', '.join(sorted(KINDS))}", "leave --answers out", str(path))
        )
    faults = Faults()
    table = read_table(path, faults, encoding)
    if table is None:
        raise faults.error()
    columns = {name.casefold(): name for name in table.columns}
    answer = next((columns[name] for name in ANSWER_NAMES if name in columns), None)
    find = _finder(table, columns, task, rows)
    if answer is None:
        do = nearest("answer", table.columns)
        faults.add(Fault("no column 'answer'", "what was answered to each row", do, str(path)))
    if find is None:
        faults.add(_nothing_matches(path, task, rows))
    if answer is None or find is None:
        raise faults.error()
    lines, strangers = _lines(table, columns, answer, task, find, faults)
    faults.add(*_double(path, lines, rows), *_missing(path, lines, measured))
    if faults:
        raise faults.error()
    return _replies(lines, rows, measured, strangers, task, path)


# ---------------------------------------------------------------------------------------- the rows


def _finder(
    table: Table, columns: Mapping[str, str], task: Task, rows: Sequence[Example]
) -> Find | None:
    """How a row of the file finds its rows: by id where one of them is known, else by its text."""
    column = next((columns[name] for name in ID_NAMES if name in columns), None)
    by_id = {row.id: row for row in rows}
    if column is not None and any(cell_text(row.get(column)) in by_id for row in table.rows):
        return lambda row: [by_id[name]] if (name := cell_text(row.get(column))) in by_id else []
    names = [columns.get(name.casefold()) for name, _ in task.field_names or (("text", ""),)]
    texts = [name for name in names if name is not None]
    if len(texts) < len(names) or any(row.input.images or row.input.turns for row in rows):
        return None
    by_text: dict[str, list[Example]] = {}
    for one in rows:
        by_text.setdefault(sameness(one.input), []).append(one)

    def find(row: Row) -> Sequence[Example]:
        return by_text.get(sameness(_input(row, texts)), [])

    return find if any(find(row) for row in table.rows) else None


def _input(row: Row, names: Sequence[str]) -> Input:
    return Input(tuple((name, cell_text(row.get(name)) or "") for name in names))


def _nothing_matches(path: Path, task: Task, rows: Sequence[Example]) -> Fault:
    names = [name for name, _ in task.field_names] or ["text"]
    return Fault(
        "no row of this file has the id or the text of a row of the task",
        f"a column 'id' with ids such as '{rows[0].id}', or the texts in {', '.join(names)}",
        "take the column over from the file that the task was read from",
        str(path),
    )


def _double(
    path: Path, lines: Mapping[str, Sequence[_Line]], rows: Sequence[Example]
) -> list[Fault]:
    """Rows that are answered twice, and differently."""
    conflicts = {name: some for name, some in lines.items() if len({one.text for one in some}) > 1}
    if not conflicts:
        return []
    by_id = {row.id: row for row in rows}
    name, some = next(iter(conflicts.items()))
    places = " and ".join(str(one.place) for one in some[:2])
    problem = (
        f"{len(conflicts)} rows are answered more than once, and differently, such as"
        f" {shown(by_id[name], 40)} ({places})"
    )
    do = "keep one line of each"
    return [Fault(problem, "one answer for each row", do, str(path))]


def _missing(path: Path, lines: Mapping[str, object], measured: Sequence[Example]) -> list[Fault]:
    """Rows that are to be measured and have no answer."""
    absent = [row for row in measured if row.id not in lines]
    if not absent:
        return []
    some = ", ".join(shown(row, 40) for row in absent[:_SHOWN])
    problem = f"{len(absent)} of {len(measured)} rows that are measured have no answer: {some}"
    do = (
        'answer every row of the task\'s file; one that the system leaves unanswered has answer "",'
        " which counts as wrong"
    )
    return [Fault(problem, "an answer for each, so that all are measured alike", do, str(path))]


# ------------------------------------------------------------------------------------- the answers


def _lines(
    table: Table,
    columns: Mapping[str, str],
    answer: str,
    task: Task,
    find: Find,
    faults: Faults,
) -> tuple[dict[str, list[_Line]], int]:
    """The lines of the file by the row that they answer, and how many answer none."""
    lines: dict[str, list[_Line]] = {}
    strangers = 0
    read = _Reader(table, columns, answer, task, faults)
    for row, place in zip(table.rows, table.places, strict=True):
        rows = find(row)
        strangers += not rows
        line = read.line(row, place) if rows else None
        for one in rows:
            if line:
                lines.setdefault(one.id, []).append(line)
    return lines, strangers


class _Reader:
    """Reads the cells of a row of the file; what is wrong with them goes to the faults."""

    def __init__(
        self, table: Table, columns: Mapping[str, str], answer: str, task: Task, faults: Faults
    ) -> None:
        def named(names: Sequence[str]) -> str | None:
            return next((columns[name] for name in names if name in columns), None)

        self._table, self._answer, self._task, self._faults = table, answer, task, faults
        self._probabilities = named(PROBABILITY_NAMES) if task.has_labels else None
        self._cost, self._seconds = named(COST_NAMES), named(SECOND_NAMES)
        self._labels = _label_names(task)

    def line(self, row: Row, place: Place) -> _Line:
        """The answer of a row."""
        cell = row.get(self._answer)
        text = self._text(cell)
        seconds = self._number(row, place, self._seconds)
        reply = Prediction(
            self._known(text, cell),
            self._scores(row, place),
            seconds=seconds or 0.0,
            money=self._number(row, place, self._cost) or 0.0,
        )
        return _Line(place, text, reply, seconds is not None)

    def _text(self, cell: Any) -> str:
        if isinstance(cell, list):
            return f" {BETWEEN} ".join(map(str, cell))
        return (cell_text(cell) or "").strip()

    def _known(self, text: str, cell: Any) -> str:
        """The answer as the task writes it; "" where it is none that the task has."""
        if self._task.has_labels:
            return self._labels.get(text) or self._labels.get(fold(text), "")
        if self._task.kind == "multilabel":
            pieces = cell if isinstance(cell, list) else _pieces(text, self._labels)
            names = [str(piece).strip() for piece in pieces]
            known = {self._labels.get(name) or self._labels.get(fold(name), "") for name in names}
            return joined(self._task, known)
        if self._task.kind == "number":
            value = number(text)
            return "" if value is None else written(value)
        return text

    def _number(self, row: Row, place: Place, column: str | None) -> float | None:
        """A cost or a time, which is no less than nothing; None where there is none."""
        cell = None if column is None else row.get(column)
        if cell is None or cell == "":
            return None
        value = _float(cell)
        if value is None or not math.isfinite(value) or value < 0:
            self._fault(place, f"{column} is {cell!r}", "a number, 0 or more")
            return None
        return value

    def _scores(self, row: Row, place: Place) -> tuple[float, ...]:
        """Log-probabilities of the labels; () where there are none."""
        cell = row.get(self._probabilities) if self._probabilities else None
        if cell is None or cell == "":
            return ()
        given = _mapping(cell)
        if given is None:
            expected = f'label and probability, as in {{"{self._task.label_names[0]}": 0.9, ...}}'
            self._fault(place, f"{self._probabilities} is {str(cell)[:60]!r}", expected)
            return ()
        values = np.zeros(len(self._task.labels))
        for label, one in given.items():
            name = self._labels.get(str(label)) or self._labels.get(fold(str(label)))
            value = _float(one)
            if name is None:
                do = nearest(str(label), self._task.label_names)
                self._fault(place, f"a probability of '{label}', which is no label", do=do)
                return ()
            if value is None or not 0 <= value <= 1 + SUM_MAY_MISS:
                value_shown = "no number" if value is None or math.isnan(value) else one
                self._fault(
                    place, f"the probability of '{label}' is {value_shown}", "one from 0 to 1"
                )
                return ()
            values[self._task.label_names.index(name)] = value
        if abs(values.sum() - 1) > SUM_MAY_MISS:
            self._fault(place, f"probabilities that sum to {values.sum():.3g}", "a sum of 1")
            return ()
        values = np.maximum(values, LEAST)
        return tuple(np.log(values / values.sum()).tolist())

    def _fault(self, place: Place, problem: str, expected: str = "", do: str = "") -> None:
        self._faults.at(self._table.path, self._table.unit, place, problem, expected, do)


def _label_names(task: Task) -> dict[str, str]:
    """The label that a text means: to the letter, or but for case, white space and punctuation."""
    exactly = {name: name for name in task.label_names}
    loosely: dict[str, list[str]] = {}
    for label in task.labels:
        for text in {fold(label.name), fold(label.words)}:
            loosely.setdefault(text, []).append(label.name)
    return {text: names[0] for text, names in loosely.items() if len(names) == 1} | exactly


def _pieces(text: str, labels: Mapping[str, str]) -> list[str]:
    """Several labels as they are written in one cell."""
    between = next((sign for sign in (BETWEEN, ";", ",") if sign in text), None)
    return [text] if between is None or text in labels else text.split(between)


def _mapping(cell: Any) -> Mapping[str, Any] | None:
    """A mapping, or the JSON of one."""
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except ValueError:
            return None
    return cell if isinstance(cell, Mapping) and cell else None


def _float(cell: Any) -> float | None:
    try:
        return None if isinstance(cell, bool) else float(cell)
    except (TypeError, ValueError):
        return None


# ------------------------------------------------------------------------------------------ notes


def _replies(
    lines: Mapping[str, Sequence[_Line]],
    rows: Sequence[Example],
    measured: Sequence[Example],
    strangers: int,
    task: Task,
    path: Path,
) -> Replies:
    """The answers by content, and what a reader of their score must know."""
    first = {row.id: lines[row.id][0] for row in rows if row.id in lines}
    own = [first[row.id] for row in measured]
    whole = all(line.has_seconds for line in own)
    answers: dict[str, Prediction] = {}
    for row in (*measured, *rows):
        if row.id in first:
            answers.setdefault(exact(row.input), _timed(first[row.id].reply, whole))
    notes = [
        *_outside(task, own),
        *_unlike(task, own),
        *_repeats(lines, strangers, path),
        *([] if whole else ["what its answers take was not recorded"]),
    ]
    mean = sum(line.reply.seconds or 0.0 for line in own) / max(len(own), 1)
    return Replies(answers, mean if whole else None, tuple(notes))


def _timed(reply: Prediction, whole: bool) -> Prediction:
    return reply if whole else replace(reply, seconds=0.0)


def _outside(task: Task, lines: Sequence[_Line]) -> list[str]:
    """Answers that are none that the task has; rows without any are counted on the board."""
    others = Counter(line.text for line in lines if line.text and not line.reply.answer)
    if not others:
        return []
    some = ", ".join(f"'{text[:40]}' ({n})" for text, n in others.most_common(_SHOWN))
    what = "numbers" if task.kind == "number" else "labels"
    return [
        f"{others.total()} of {len(lines)} answers are no {what} of the task and count as wrong:"
        f" {some}"
    ]


def _unlike(task: Task, lines: Sequence[_Line]) -> list[str]:
    """Answers that are not the most probable label: the answer counts."""
    count = sum(
        bool(line.reply.scores)
        and bool(line.reply.answer)
        and line.reply.scores[task.label_names.index(line.reply.answer)] < max(line.reply.scores)
        for line in lines
    )
    return [f"{count} answers are not the most probable label: the answer counts"] if count else []


def _repeats(lines: Mapping[str, Sequence[_Line]], strangers: int, path: Path) -> list[str]:
    copies = sum(len(some) > 1 for some in lines.values())
    notes = [f"{copies} rows stand twice in {path.name}, with the same answer"] * bool(copies)
    if strangers:
        notes.append(f"{strangers} lines of {path.name} answer no row of the task and are left out")
    return notes
