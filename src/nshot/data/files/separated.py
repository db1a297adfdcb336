"""Rows of cells with a separator between."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from nshot.core.files import decode
from nshot.data.faults import Faults
from nshot.data.header import Record, table_of
from nshot.data.table import Table

_Quoting: TypeAlias = Literal[0, 3]
_CELL_LIMIT = 2**31 - 1


def read_csv(path: Path, raw: bytes, faults: Faults) -> Table | None:
    """Commas, and quotes round cells that hold one."""
    return _separated(path, decode(raw, path), ",", csv.QUOTE_MINIMAL, faults)


def read_tsv(path: Path, raw: bytes, faults: Faults) -> Table | None:
    """Tabs; quotes group cells where that reads without a fault, else they are plain text."""
    text, trial = decode(raw, path), Faults()
    table = _separated(path, text, "\t", csv.QUOTE_MINIMAL, trial)
    if not trial:
        return table
    table = _separated(path, text, "\t", csv.QUOTE_NONE, faults)
    if table is not None:
        table.notes.append(f"{path.name}: quotes are read as plain text")
    return table


def _separated(
    path: Path, text: str, comma: str, quoting: _Quoting, faults: Faults
) -> Table | None:
    """A header and rows of as many cells. None when the header itself is at fault."""
    with _long_cells():
        return table_of(path, _records(path, text, comma, quoting, faults), faults)


def _records(
    path: Path, text: str, comma: str, quoting: _Quoting, faults: Faults
) -> Iterator[Record]:
    """(cells, first line) of each record that is not blank."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=comma, quoting=quoting, strict=True
    )
    while True:
        first = reader.line_num + 1
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
