"""What stands beside the task's own columns: cells of further columns, for the rows of a task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nshot.core.errors import InputError
from nshot.core.types import Example, Task
from nshot.data.inputs import columns_of, read_table_of_inputs
from nshot.data.same import exact


def columns_beside(
    files: Iterable[Path], task: Task, rows: Sequence[Example], encoding: str | None = None
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """(cells by column and by the row's id, notes): the columns of the files that hold the rows.

    A row is known by what it says, to the letter; one that the files hold with two different cells
    has none. The columns that the task reads are left out. A file that gives no such table is
    told of in the notes.
    """
    cells: dict[str, dict[str, str | None]] = {}
    names = {exact(row.input): row.id for row in rows}
    notes = []
    for file in files:
        try:
            table = read_table_of_inputs(file, task, encoding)
        except InputError as error:
            first = str(error.faults[0]).splitlines()[0]
            notes.append(f"{file.name}: no further columns are read: {first}")
            continue
        for (_, asked_for), row in zip(table.rows, table.cells, strict=False):
            _add(cells, names.get(exact(asked_for)), row)
    own = set(columns_of(task))
    return {
        column: {name: cell for name, cell in by_row.items() if cell}
        for column, by_row in cells.items()
        if column not in own
    }, notes


def _add(cells: dict[str, dict[str, str | None]], name: str | None, row: Mapping[str, str]) -> None:
    """The cells of a row; None where the row stands twice with two different ones."""
    if name is None:
        return
    for column, cell in row.items():
        text = str(cell or "").strip()
        by_row = cells.setdefault(column, {})
        by_row[name] = text if by_row.get(name, text) == text else None
