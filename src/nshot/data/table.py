"""A table: named columns, rows of values, and where each row stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from nshot.data.faults import Place

Row: TypeAlias = dict[str, Any]


@dataclass
class Table:
    """Rows of one file: `places[i]` is where row i stands, counted in `unit`.

    `broken` says that rows were left out because they could not be read, `headed` that the names
    of the columns stand in the file. `pictures` is the folder that pictures' names are read from,
    where it is not the file's own.
    """

    path: Path
    columns: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    unit: str = "line"
    broken: bool = False
    notes: list[str] = field(default_factory=list)
    headed: bool = True
    pictures: Path | None = None


def cell_text(cell: Any) -> str | None:
    """A cell as text: numbers and dates as they print, whole floats as integers, nothing as "".

    None for lists and mappings.
    """
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return "" if cell != cell else str(int(cell)) if cell.is_integer() else repr(cell)
    return None if isinstance(cell, (list, dict, tuple, set, bytes)) else str(cell)
