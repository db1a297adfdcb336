"""Inputs of any kind that nshot reads, as blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nshot.core.errors import Fault, InputError
from nshot.core.types import Example, Input, Task
from nshot.data.blocks.readers import JsonLines, ParquetRows, PlainLines, Reader, Separated
from nshot.data.blocks.rows import Block, Blocks, Listed, Row, cut
from nshot.data.blocks.text import Source, Text
from nshot.data.columns import missing_column
from nshot.data.faults import Faults, Place
from nshot.data.files import READ
from nshot.data.files.opened import STANDARD_INPUT, is_text, kind_of
from nshot.data.formats.format import Format, Problems
from nshot.data.header import clean_names, is_blank
from nshot.data.inputs import (
    Inputs,
    call_as,
    columns_of,
    form_of,
    id_column,
    inputs_of_row,
    lines_of,
    own_ids,
    read_mixed,
    read_table_of_inputs,
    shown,
)
from nshot.data.loading import content_ids
from nshot.data.mojibake import mend, mending_of, texts_of
from nshot.data.pictures import FOREIGN, SUFFIXES
from nshot.data.table import Row as Values
from nshot.data.table import Table, cell_text
from nshot.data.tables import read_table

_STREAMED = frozenset({".jsonl", ".csv", ".tsv", ".txt"})


def open_inputs(
    paths: Sequence[Path],
    task: Task,
    encoding: str | None = None,
    pictures: Path | None = None,
    strict: bool = False,
) -> Blocks:
    """The rows of what `read_table_of_inputs` reads, and of files that are too large for it.

    Files beyond some megabytes, of lines of JSON or text, cells or parquet, and such standard
    input, are never in memory as a whole: their first megabyte tells encoding, columns and format
    of all of it, and rows are called by their own ids, or by their content, without looking whether
    two are called alike. A row that cannot be read says why; with `strict` it is an `InputError`,
    of a file that is read whole with those of all others. Raises `InputError` for what cannot be
    read at all.
    """
    path = paths[0]
    picture = task.pictures and path.suffix.lower() in SUFFIXES | FOREIGN
    if len(paths) > 1 or path.is_dir() or picture or task.pictures:
        return _as_listed(read_table_of_inputs(paths, task, encoding, pictures))
    if (reader := _reader(path, task, encoding)) is not None:
        return Streamed(reader, task, encoding)
    if strict:
        return _as_listed(read_table_of_inputs(paths, task, encoding, pictures))
    return _whole(path, task, encoding)


def mixed(path: Path, tasks: Mapping[str, Task], encoding: str | None = None) -> Listed:
    """The rows of a file that name their folder, read whole: see `read_mixed`."""
    rows = enumerate(read_mixed(path, tasks, encoding), 1)
    return Listed([Row(n, f"row {n}", key, one, {}, under) for n, (key, under, one) in rows])


def _reader(path: Path, task: Task, encoding: str | None) -> Reader | None:
    """What reads a large file row by row; None where it is to be read whole."""
    standard = str(path) == STANDARD_INPUT
    if not standard and (not path.is_file() or not {path.suffix.lower()} & {*READ}):
        return None  # the whole file's reader says what is wrong
    if path.suffix.lower() == ".parquet":
        return ParquetRows(path) if path.stat().st_size else None
    source = Source(path)
    kind = kind_of(source.beginning) if standard else source.suffix
    kind = ".jsonl" if standard and kind == ".json" else kind
    if source.is_whole or kind not in _STREAMED or not is_text(source.beginning):
        return None
    text = Text(source, encoding)
    if kind == ".jsonl":
        if text.head.lstrip().startswith("["):
            problem = "an array of objects that is too large to be read whole"
            do = "jq -c '.[]', and take its lines"
            raise InputError(Fault(problem, "one object a line", do, str(path)))
        return JsonLines(text)
    names = columns_of(task)
    first = set(text.head.partition("\n")[0].rstrip("\r").split("\t"))
    if kind == ".txt" and not (len(first) > 1 and set(names) <= first):
        if len(names) > 1:
            lines_of(path, names, encoding)  # says which columns are expected
        return PlainLines(text, names[0])
    return Separated(text, "," if kind == ".csv" else "\t")


def _as_listed(inputs: Inputs) -> Listed:
    cells = inputs.cells or [{}] * len(inputs.rows)
    rows = [
        Row(number, f"row {number}", key, one, own)
        for number, ((key, one), own) in enumerate(zip(inputs.rows, cells, strict=True), 1)
    ]
    return Listed(rows, _columns_in(rows), inputs.notes)


def _columns_in(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for row in rows for name in row.cells))


def _chosen(table: Table, task: Task, faults: Faults) -> Format | None:
    """The format of a table's rows, its columns called as the task's. Raises `InputError`."""
    form = form_of(table, task)
    if form is None:
        names = columns_of(task)
        call_as(table, names)
        faults.add(*(missing_column(table, name) for name in names if name not in table.columns))
    if faults.general:
        raise faults.error()
    return form


def _ask(values: Values, task: Task, form: Format | None) -> tuple[Input | None, str]:
    """What a row asks, or why it asks nothing."""
    problems = Problems()
    inputs = inputs_of_row(values, task, form, problems)
    if not problems and len(inputs) != 1:
        problems.append((f"{len(inputs)} questions in one row", "one"))
    if problems:
        return None, "; ".join(_sentence(*one) for one in problems)
    return inputs[0], ""


def _sentence(problem: str, expected: str) -> str:
    return f"{problem} (expected: {expected})" if expected else problem


def _whole(path: Path, task: Task, encoding: str | None) -> Listed:
    """A file that is read at once, in every shape that nshot knows."""
    faults, names = Faults(), columns_of(task)
    table = lines_of(path, names, encoding) if path.suffix.lower() == ".txt" else None
    table = table or read_table(path, faults, encoding)
    if table is None:
        raise faults.error()
    cells = [{name: shown(cell) for name, cell in row.items()} for row in table.rows]
    form = _chosen(table, task, faults)
    ids, notes = own_ids(table)
    rows: list[tuple[Place, Row]] = []
    for at, (values, place) in enumerate(zip(table.rows, table.places, strict=True)):
        one, problem = _ask(values, task, form)
        name = ids[at] if ids else ""
        rows.append((place, Row(0, f"{table.unit} {place}", name, one, cells[at], "", problem)))
    for place, fault in faults.of_rows():
        problem = _sentence(fault.found, fault.expected)
        rows.append((place, Row(0, f"{table.unit} {place}", "", None, {}, "", problem)))
    rows.sort(key=lambda one: int(one[0]) if isinstance(one[0], int) else 0)
    if not ids:
        names_of = iter(content_ids([Example("", r.input) for _, r in rows if r.input]))
        rows = [(p, replace(r, id=next(names_of)) if r.input else r) for p, r in rows]
    numbered = [replace(row, number=number) for number, (_, row) in enumerate(rows, 1)]
    return Listed(numbered, _columns_in(numbered), [*table.notes, *notes])


class Streamed:
    """A file that is never in memory as a whole."""

    def __init__(self, reader: Reader, task: Task, encoding: str | None = None) -> None:
        self._reader, self._task = reader, task
        table = reader.head
        where = str(table.path)
        self._mending = mending_of(texts_of(table)) if encoding is None else None
        if self._mending:
            mend(table)
        if not any(not is_blank(row) for row in table.rows):
            raise InputError(Fault("no rows", expected="a row for each example", where=where))
        self.columns, self.notes = table.columns, table.notes
        clean_names(table)
        self._form = _chosen(table, task, Faults())
        own, notes = own_ids(table)
        self._id = id_column(table.columns) if own else None
        self.notes += [f"{table.path.name}: read row by row, as its first rows are", *notes]

    def __iter__(self) -> Iterator[Block]:
        return cut(self._reader.records(), self._parse)

    def share(self) -> float | None:
        """How much of the file was read."""
        return self._reader.share()

    def _parse(self, block: Block) -> list[Row]:
        """The rows of a block, their columns called as those of the first rows."""
        head = self._reader.head
        table = Table(head.path, self.columns, unit=head.unit)
        problems: dict[Place, str] = {}
        for record in block.records:
            try:
                values = self._reader.row(record)
                values = self._mending.of_value(values) if self._mending else values
            except ValueError as error:
                problems[record.place] = str(error)
                continue
            if not is_blank(values):
                table.rows.append(values)
                table.places.append(record.place)
        table.columns = tuple(dict.fromkeys([*self.columns, *(n for r in table.rows for n in r)]))
        cells = [{name: shown(cell) for name, cell in row.items()} for row in table.rows]
        clean_names(table)
        if self._form is None:
            call_as(table, columns_of(self._task))
        known = {
            place: (row, own)
            for place, row, own in zip(table.places, table.rows, cells, strict=True)
        }
        rows = []
        for number, record in enumerate(block.records, block.first):
            where = f"{head.unit} {record.place}"
            if record.place in problems:
                rows.append(Row(number, where, "", None, {}, "", problems[record.place]))
            elif record.place in known:
                rows.append(self._row(number, where, *known[record.place]))
        return rows

    def _row(self, number: int, where: str, values: Values, cells: dict[str, str]) -> Row:
        one, problem = _ask(values, self._task, self._form)
        name = (cell_text(values.get(self._id)) or "") if self._id else ""
        if one is not None and not name:
            (name,) = content_ids([Example("", one)])
        return Row(number, where, name, one, cells, "", problem)
