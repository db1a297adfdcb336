"""A column that says of each row whether it is to learn from or to test on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace

from nshot.data.roles import ROLES, Role, are_parts, role_of
from nshot.data.table import Table, cell_text

PART = "split"
"""What the column is called where a reader makes it."""


def part_column(table: Table, taken: Collection[str] = ()) -> str | None:
    """The column whose cells are all names of parts (``train``, ``dev``, ``TEST``), if it is one.

    A column of one part only says nothing.
    """
    free = [name for name in table.columns if name not in taken]
    fitting = [name for name in free if are_parts(_words(table, name))]
    return fitting[0] if len(fitting) == 1 else None


def _words(table: Table, column: str) -> set[str]:
    words = set[str]()
    for row in table.rows:
        words.add(cell_text(row.get(column)) or "")
        if len(words) > len(ROLES):
            break
    return words


def in_parts(
    table: Table, taken: Collection[str], has_test: bool, notes: list[str]
) -> tuple[Table, ...]:
    """The rows to learn from and the test rows, where a column says which; else the table.

    `taken` are columns with another use. The part ``test`` has the test rows, ``val`` where there
    is no other. With `has_test` there are test rows elsewhere, and neither is used.
    """
    column = part_column(table, taken)
    if column is None:
        return (table,)
    roles = [role_of(cell_text(row[column]) or "") for row in table.rows]
    counts = Counter(roles)
    held: Role = "test" if counts["test"] else "validation"
    uses = [f"{counts['train']} to learn from"]
    uses.append(f"{counts[held]} not used (--test was given)" if has_test else
                f"{counts[held]} ({held}) to test on")  # fmt: skip
    if held == "test" and counts["validation"]:
        uses.append(f"{counts['validation']} (validation) not used: settings are chosen on folds")
    notes.append(f"{table.path.name}: '{column}' says which rows are which: {', '.join(uses)}")
    roles_used: tuple[Role, ...] = ("train",) if has_test else ("train", held)
    return tuple(_only(table, column, roles, role) for role in roles_used)


def _only(table: Table, column: str, roles: list[Role | None], role: Role) -> Table:
    """The rows of one part, without the column."""
    rows = [
        ({name: cell for name, cell in row.items() if name != column}, place)
        for row, place, own in zip(table.rows, table.places, roles, strict=True)
        if own == role
    ]
    return replace(
        table,
        columns=tuple(name for name in table.columns if name != column),
        rows=[row for row, _ in rows],
        places=[place for _, place in rows],
        notes=table.notes if role == "train" else [],
    )
