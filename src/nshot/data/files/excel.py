"""The first sheet with content of an Excel workbook."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from nshot.core.errors import Fault, InputError
from nshot.data.faults import Faults
from nshot.data.files.opened import Opened, room, too_large
from nshot.data.header import Record, table_of
from nshot.data.part_column import PART
from nshot.data.roles import are_parts
from nshot.data.table import Table, cell_text


def read_excel(file: Opened, faults: Faults) -> Table | None:
    """Rows of cells as they print; needs openpyxl. Formulas count with their stored values."""
    try:
        import openpyxl
    except ImportError:
        raise InputError(
            Fault(
                ".xlsx files need openpyxl, which is not installed",
                do="pip install 'nshot[excel]'",
                where=str(file.path),
            )
        ) from None
    _check_size(file)
    try:
        book = openpyxl.load_workbook(io.BytesIO(file.raw), read_only=True, data_only=True)
        sheets = [(sheet.title, _records(sheet)) for sheet in book.worksheets]
    except Exception as error:  # a broken workbook raises whatever the part raises that is broken
        problem = f"no Excel workbook that can be read: {error}"
        raise InputError(
            Fault(problem, "a workbook as Excel saves it", where=str(file.path))
        ) from None
    full = [(title, records) for title, records in sheets if records]
    if not full:
        raise InputError(Fault("the workbook is empty", where=str(file.path)))
    if are_parts(title for title, _ in full):
        return _of_parts(file, full, faults)
    title, records = next((pair for pair in full if _is_table(pair[1])), full[0])
    if len(full) > 1:
        others = ", ".join(repr(name) for name, _ in full if name != title)
        file.notes.append(f"{file.path.name}: sheet {title!r} is read, {others} not")
    return table_of(file.path, records, faults, unit="row")


def _is_table(records: list[Record]) -> bool:
    """A header and a row, each of two cells or more: no page of notes."""
    return sum(len(list(filter(None, cells or ()))) > 1 for cells, _ in records) > 1


def _of_parts(file: Opened, sheets: list[tuple[str, list[Record]]], faults: Faults) -> Table | None:
    """The rows of sheets that are called as the parts of a data set, each with its part."""
    tables = [(title, table_of(file.path, rows, faults, unit="row")) for title, rows in sheets]
    whole = Table(file.path, (), unit="row")
    for title, table in tables:
        if table is None:
            return None
        whole.columns = tuple(dict.fromkeys((*whole.columns, *table.columns)))
        whole.rows += [{**row, PART: title} for row in table.rows]
        whole.places += [f"{place} of {title}" for place in table.places]
        whole.notes += table.notes
        whole.broken |= table.broken
    whole.columns = (*whole.columns, PART)
    return whole


def _check_size(file: Opened) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(file.raw)) as archive:
            size = sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        problem = f"no Excel workbook that can be read: {error}"
        raise InputError(Fault(problem, where=str(file.path))) from None
    if size > room(file.raw):
        raise too_large(file.path, room(file.raw))


def _records(sheet: Any) -> list[Record]:
    """Rows with content, each as wide as the sheet, and their numbers."""
    sheet.reset_dimensions()  # what a file says of its size may be wrong
    rows: list[tuple[list[str], int]] = []
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        cells = [cell_text(cell) or "" for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            rows.append((cells, number))
    width = max((len(cells) for cells, _ in rows), default=0)
    return [(cells + [""] * (width - len(cells)), number) for cells, number in rows]
