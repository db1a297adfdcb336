"""Rows of cells with a separator between."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from nshot.data.faults import Faults
from nshot.data.files.opened import Opened
from nshot.data.files.separator import NAMES, named_by_excel, tell_separator
from nshot.data.header import Record, table_of
from nshot.data.table import Table

_Quoting: TypeAlias = Literal[0, 3]
_CELL_LIMIT = 2**31 - 1
_LOOKED_AT = 1000
"""Rows that are looked at for spaces after separators."""


class _Way(NamedTuple):
    """How a text is taken apart; `note` says what is unusual of it."""

    mark: str
    quoting: _Quoting = csv.QUOTE_MINIMAL
    spaces: bool = False
    escaped: bool = False
    note: str = ""


def read_csv(file: Opened, faults: Faults) -> Table | None:
    """Commas as a rule, and quotes round cells that hold one."""
    return read_separated(file, file.text(), ",", faults)


def read_tsv(file: Opened, faults: Faults) -> Table | None:
    """Tabs as a rule."""
    return read_separated(file, file.text(), "\t", faults)


def read_separated(file: Opened, text: str, usual: str, faults: Faults) -> Table | None:
    """Rows of cells; the separator is told from the content, `usual` is what the name says.

    Quotes group cells where that reads without a fault; with tabs they else are plain text.
    """
    with _long_cells():
        named, rest = named_by_excel(text)
        mark = named or tell_separator(rest, usual, file.path) or usual
        before = 1 if named else 0
        if mark != usual:
            file.notes.append(f"{file.path.name}: parted by {NAMES.get(mark, repr(mark))}")
        first: tuple[Table | None, Faults] | None = None
        for way in _ways(rest, mark):
            trial = Faults()
            body = rest.replace('\\"', '""') if way.escaped else rest
            records = _records(file.path, body, way, before, trial)
            table = table_of(file.path, records, trial)
            if not trial:
                file.notes += [f"{file.path.name}: {way.note}"] if way.note else []
                return table
            first = first or (table, trial)
    assert first is not None  # there is a way at least
    faults.join(first[1])
    return first[0]


def _ways(text: str, mark: str) -> Iterator[_Way]:
    """How the text may be meant, the likeliest first."""
    if _spaced(text, mark):
        yield _Way(mark, spaces=True, note="spaces after separators are left out")
    yield _Way(mark)
    if '\\"' in text:
        yield _Way(mark, escaped=True, note='\\" inside quotes is read as a quote')
    if mark == "\t":
        yield _Way(mark, csv.QUOTE_NONE, note="quotes are read as plain text")


def _spaced(text: str, mark: str) -> bool:
    """Is each cell after the first set off by a space, or does a quote stand after one?"""
    if mark + " " not in text:
        return False
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    cells: list[str] = []
    try:
        for row, _ in zip(rows, range(_LOOKED_AT), strict=False):
            cells += [cell for cell in row[1:] if cell]
    except csv.Error:
        return False
    quoted = any(re.match(' +"', cell) for cell in cells)
    return bool(cells) and (quoted or all(cell.startswith(" ") for cell in cells))


def _records(path: Path, text: str, way: _Way, before: int, faults: Faults) -> Iterator[Record]:
    """(cells, first line) of each record that is not blank; None for one that cannot be read."""
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=way.mark,
        quoting=way.quoting,
        skipinitialspace=way.spaces,
        strict=True,
    )
    while True:
        first = before + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            open_ended = "unexpected end of data" in str(error)
            problem = "a quote opened here is never closed" if open_ended else str(error)
            faults.at(
                path,
                "line",
                first,
                f"malformed: {problem}",
                expected='a quote inside quotes doubled: "say ""hello"""',
            )
            yield None, first
            continue
        if cells:
            yield cells, first


@contextmanager
def _long_cells() -> Iterator[None]:
    """The csv module's limit of 128 KiB a cell lifted, and put back."""
    before = csv.field_size_limit(_CELL_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(before)
