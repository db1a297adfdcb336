"""Rows of cells with a separator between."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from nshot.core.errors import Fault, InputError
from nshot.data.faults import Faults
from nshot.data.files.marks import Plain, plainly, rarely, with_unit
from nshot.data.files.opened import Opened
from nshot.data.files.overlong import mended
from nshot.data.files.preface import lines_above
from nshot.data.files.separator import NAMES, named_by_excel, tell_separator
from nshot.data.header import Header, Record, header_of, table_of
from nshot.data.table import Table

_Quoting: TypeAlias = Literal[0, 3]
_CELL_LIMIT = 2**31 - 1
_LOOKED_AT = 1000
"""Rows that are looked at for spaces after separators."""
_DOUBLED = 'a quote inside quotes doubled: "say ""hello"""'


class _Way(NamedTuple):
    """How a text is taken apart; `note` says what is unusual of it."""

    mark: str
    quoting: _Quoting = csv.QUOTE_MINIMAL
    spaces: bool = False
    escaped: bool = False
    note: str = ""
    quote: str = '"'
    escape: str | None = None
    padded: bool = False
    long: str = ""

    def written(self, text: str) -> str:
        """The text as the csv module reads it."""
        if self.long:
            text = with_unit(text, self.long)
        if self.padded:
            text = re.sub(rf'"[ ]+(?={re.escape(self.mark)}|$)', '"', text, flags=re.MULTILINE)
            text = re.sub(r'^[ ]+(?=")', "", text, flags=re.MULTILINE)
        return text.replace('\\"', '""') if self.escaped else text


class Cells(NamedTuple):
    """How a text is read record by record: `before` lines stand before the header."""

    way: _Way
    before: int
    header: Header


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
    with long_cells():
        named, rest = named_by_excel(text)
        above = lines_above(rest, [usual, *NAMES])
        if above:
            rest = "".join(rest.splitlines(keepends=True)[above:])
            _note(file, f"{above} lines above the header are left out")
        before = above + (1 if named else 0)
        plain = Plain(rest, named) if named else _separator(rest, usual, file.path)
        _note(file, plain.note)
        if plain.mark != usual and not plain.note:
            _note(file, f"parted by {NAMES.get(plain.mark, repr(plain.mark))}")
        return _first_sound(file, plain, before, faults)


def _separator(text: str, usual: str, path: Path) -> Plain:
    """What parts the cells of a text: a usual sign, else a rare or a long one."""
    plain = plainly(text)
    if plain.mark:
        return plain
    if mark := tell_separator(text, usual, path):
        return plain._replace(mark=mark)
    return rarely(text) or plain._replace(mark=usual)


def _note(file: Opened, words: str) -> None:
    file.notes += [f"{file.path.name}: {words}"] if words else []


def _first_sound(file: Opened, plain: Plain, before: int, faults: Faults) -> Table | None:
    """The table of the likeliest way in which the text reads without a fault."""
    text, mark = plain.text, plain.mark
    first: tuple[Table | None, Faults, list[Record]] | None = None
    for way in _ways(text, plain):
        trial = Faults()
        records = list(_records(file.path, way.written(text), way, before, trial))
        table = table_of(file.path, records, trial)
        if not trial:
            _note(file, way.note)
            return table
        first = first or (table, trial, records)
    assert first is not None  # there is a way at least
    if put := mended(first[2], plain.long or mark):
        trial = Faults()
        table = table_of(file.path, put[0], trial)
        if not trial:
            name = NAMES.get(mark, repr(plain.long or mark))
            _note(file, f"{put[1]} rows have {name} without quotes in a text: put together")
            return table
    faults.join(first[1])
    return first[0]


def cells_of(beginning: str, usual: str, path: Path, notes: list[str]) -> Cells:
    """How a text is read, told from its first lines. Raises `InputError` where that cannot be told.

    The last record of the beginning may be cut: it does not count.
    """
    with long_cells():
        named, rest = named_by_excel(beginning)
        above = lines_above(rest, [usual, *NAMES])
        if above:
            rest = "".join(rest.splitlines(keepends=True)[above:])
            notes.append(f"{path.name}: {above} lines above the header are left out")
        before = above + (1 if named else 0)
        plain = Plain(rest, named) if named else _separator(rest, usual, path)
        trials: list[tuple[int, Cells, list[str]]] = []
        for way in _ways(rest, plain):
            records = list(_records(path, way.written(rest), way, before, Faults()))[:-1]
            filled = [(cells, at) for cells, at in records if cells and any(map(str.strip, cells))]
            own: list[str] = []
            if not filled:
                continue
            header = header_of(path, filled, own)
            wrong = len(records) - sum(
                cells is not None and header.fits(cells) for cells, _ in records
            )
            own += [f"{path.name}: {way.note}"] if way.note else []
            trials.append((wrong, Cells(way, before, header), own))
            if not wrong:
                break
    if not trials:
        raise InputError(Fault("the file has no header", where=str(path)))
    wrong, cells, own = next((one for one in trials if not one[0]), trials[0])
    if plain.mark != usual:
        name = NAMES.get(plain.mark, repr(plain.long or plain.mark))
        notes.append(f"{path.name}: parted by {name}")
    notes += own
    return cells


def records_of(lines: Iterable[str], how: Cells, path: Path) -> Iterator[tuple[list[str], int]]:
    """(cells, first line) of each record under the header, as the lines come.

    Raises `InputError` for a quote that is never closed, and the like: what follows it is lost.
    """
    rest = iter(lines)
    for _ in range(how.before):
        next(rest, "")
    reader = csv.reader(
        (how.way.written(line) for line in rest),
        delimiter=how.way.mark,
        quoting=how.way.quoting,
        quotechar=how.way.quote,
        escapechar=how.way.escape,
        skipinitialspace=how.way.spaces,
        strict=True,
    )
    with long_cells():
        while True:
            first = how.before + reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                where = f"{path}, line {first}"
                raise InputError(Fault(f"malformed: {error}", _DOUBLED, where=where)) from None
            if not any(map(str.strip, cells)) or how.header.repeats(cells):
                continue
            yield cells, first


def _ways(text: str, plain: Plain) -> Iterator[_Way]:
    """How the text may be meant, the likeliest first."""
    mark = plain.mark
    if plain.long:
        yield _Way(mark, long=plain.long)
        yield _Way(mark, csv.QUOTE_NONE, long=plain.long, note="quotes are read as plain text")
        return
    if _in_single_quotes(text, mark):
        yield _Way(mark, quote="'", spaces=True, note="single quotes stand round the cells")
    if _spaced(text, mark):
        yield _Way(mark, spaces=True, note="spaces after separators are left out")
    yield _Way(mark)
    if '\\"' in text:
        yield _Way(mark, escaped=True, note='\\" inside quotes is read as a quote')
    if f"\\{mark}" in text:
        yield _Way(mark, escape="\\", note="a backslash makes a separator plain text")
    if '"' in text and re.search(rf'"[ ]+{re.escape(mark)}', text):
        yield _Way(mark, spaces=True, padded=True, note="spaces beside separators are left out")
    if mark == "\t":
        yield _Way(mark, csv.QUOTE_NONE, note="quotes are read as plain text")


def _in_single_quotes(text: str, mark: str) -> bool:
    """Does each line begin and end with a single quote, and has each cell its two?"""
    if text.lstrip()[:1] != "'":
        return False
    lines = [line.strip() for line in text.splitlines()[:_LOOKED_AT] if line.strip()]
    between = re.compile(rf"'\s*{re.escape(mark)}\s*'")
    return len(lines) > 1 and all(
        line[0] == "'" == line[-1] and len(between.findall(line)) == len(between.findall(lines[0]))
        for line in lines
    ) and bool(between.search(lines[0]))  # fmt: skip


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
        quotechar=way.quote,
        escapechar=way.escape,
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
                expected=_DOUBLED,
            )
            yield None, first
            continue
        if cells:
            yield cells, first


@contextmanager
def long_cells() -> Iterator[None]:
    """The csv module's limit of 128 KiB a cell lifted, and put back."""
    before = csv.field_size_limit(_CELL_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(before)
