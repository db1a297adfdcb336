"""Cells that hold objects, taken apart into columns of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nshot.data.spans import SPAN_LISTS
from nshot.data.table import Table

_NAMES = ("name", "label", "value", "displayName", "display_name", "title")
"""Keys under which an object has its name."""
_DEPTH = 2


def flatten(table: Table) -> None:
    """Put the keys of objects in the place of the columns that hold them, told.

    A key is a column by its own name where that is free, else with the name of its object and a
    point before it. Objects in objects are taken apart once more; lists of spans stay.
    """
    for _ in range(_DEPTH):
        for name in [name for name in table.columns if holds_objects(table, name)]:
            _take_apart(table, name)


def holds_objects(table: Table, name: str) -> bool:
    """Are all cells of a column that hold anything objects, and none of them a list of spans?"""
    cells = [cell for row in table.rows if (cell := row.get(name)) not in (None, "")]
    return bool(cells) and all(
        isinstance(cell, Mapping)
        and all(isinstance(key, str) for key in cell)
        and not any(isinstance(cell.get(key), list) for key in SPAN_LISTS)
        for cell in cells
    )


def name_objects(table: Table, column: str) -> None:
    """Put the names of objects in their place: ``{"id": 0, "name": "refund"}``."""
    cells = [cell for row in table.rows if isinstance(cell := row.get(column), Mapping)]
    key = next((key for key in _NAMES if all(isinstance(c.get(key), str) for c in cells)), None)
    if not cells or key is None:
        return
    for row in table.rows:
        cell = row.get(column)
        row[column] = cell[key] if isinstance(cell, Mapping) else cell
    table.notes.append(f"{table.path.name}: '{column}' holds objects: read by their '{key}'")


def _take_apart(table: Table, name: str) -> None:
    cells: list[Mapping[str, Any]] = [row.get(name) or {} for row in table.rows]
    keys = dict.fromkeys(key for cell in cells for key in cell)
    others = {column for column in table.columns if column != name}
    called = {key: f"{name}.{key}" if key in others else key for key in keys}
    table.rows = [
        {
            **{column: cell for column, cell in row.items() if column != name},
            **{called[key]: value for key, value in cell.items()},
        }
        for row, cell in zip(table.rows, cells, strict=True)
    ]
    at = table.columns.index(name)
    new = tuple(called.values())
    table.columns = (*table.columns[:at], *new, *table.columns[at + 1 :])
    table.notes.append(f"{table.path.name}: '{name}' holds objects: read as {', '.join(new)}")
