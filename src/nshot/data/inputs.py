"""Inputs without answers, for a predictor that is ready."""

from __future__ import annotations

from pathlib import Path

from nshot.data.columns import ID_NAMES, missing_column
from nshot.data.faults import Faults
from nshot.data.loading import cell_text, content_ids, read_input
from nshot.data.tables import Table, read_lines, read_table
from nshot.errors import Fault, InputError
from nshot.types import Example, Input, Task


def read_inputs(path: str | Path, task: Task) -> list[tuple[str, Input]]:
    """(id, input) of each row of a ``.jsonl``, ``.csv``, ``.tsv``, ``.parquet`` or ``.txt`` file.

    Columns go by the names of the task's fields, others are left alone; a ``.txt`` file has one
    input a line, for tasks of one field. Ids are the file's own where they are unique, else names
    of the content. Raises `InputError` with every fault.
    """
    path, faults = Path(path), Faults()
    names = [name for name, _ in task.field_names] or ["text"]
    table = _lines(path, names) if path.suffix.lower() == ".txt" else read_table(path, faults)
    if table is None:
        raise faults.error()
    if missing := [name for name in names if name not in table.columns]:
        faults.add(*(missing_column(table, name) for name in missing))
        raise faults.error()
    inputs = []
    for row, place in zip(table.rows, table.places, strict=True):
        found: list[tuple[str, str]] = []
        inputs.append(read_input(row, names, task.kind, found))
        for problem, expected in found:
            faults.at(table.path, table.unit, place, problem, expected)
    if faults:
        raise faults.error()
    return list(zip(_ids(table, inputs), inputs, strict=True))


def _lines(path: Path, names: list[str]) -> Table:
    if len(names) != 1:
        raise InputError(
            Fault(
                f"a .txt file has one text a line, the task has {len(names)} fields",
                expected=f"a .jsonl or .csv file with: {', '.join(names)}",
                where=str(path),
            )
        )
    lines = read_lines(path)
    rows = [{names[0]: line} for line in lines]
    return Table(path, (names[0],), rows, list(range(1, len(rows) + 1)))


def _ids(table: Table, inputs: list[Input]) -> list[str]:
    known = {column.lower(): column for column in table.columns}
    column = next((known[name] for name in ID_NAMES if name in known), None)
    own = [cell_text(row.get(column)) or "" for row in table.rows] if column is not None else []
    if own and all(own) and len(set(own)) == len(own):
        return own
    return content_ids([Example("", one) for one in inputs])
