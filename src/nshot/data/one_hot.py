"""Columns of 0 and 1, one for each label, become one column of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nshot.data.table import Table, cell_text

LABEL = "label"
_ON, _OFF = frozenset({"1", "1.0", "true"}), frozenset({"0", "0.0", "false", ""})
_BARE = 0.05
"""Share of rows that may have no 1: these have no label."""
_SHOWN = 8


def one_hot_columns(table: Table, taken: Sequence[str]) -> tuple[str, ...]:
    """The columns of 0 and 1 where each row has at most one 1, and nearly every row has one."""
    names = flag_columns(table, taken)
    ones = _ones(table, names)
    sound = len(names) > 1 and max(ones) == 1 and ones.count(0) <= _BARE * len(ones)
    return names if sound else ()


def several_hot_columns(table: Table, taken: Sequence[str], share: float) -> tuple[str, ...]:
    """The columns of 0 and 1 where `share` of the rows with a 1, or more, have several."""
    names = flag_columns(table, taken)
    ones = [count for count in _ones(table, names) if count]
    several = sum(count > 1 for count in ones)
    return names if len(names) > 1 and several >= share * len(ones) else ()


def _ones(table: Table, names: Sequence[str]) -> list[int]:
    return [sum(_is_on(row.get(name)) for name in names) for row in table.rows]


def flag_columns(table: Table, taken: Sequence[str]) -> tuple[str, ...]:
    """The columns that hold 0 and 1 only, and both."""
    return tuple(name for name in table.columns if name not in taken and _is_flag(table, name))


def _is_flag(table: Table, column: str) -> bool:
    words = {_word(row.get(column)) for row in table.rows}
    return words <= _ON | _OFF and bool(words & _ON) and bool(words & (_OFF - {""}))


def _word(cell: Any) -> str:
    text = cell_text(cell)
    return "a list" if text is None else text.strip().casefold()


def _is_on(cell: Any) -> bool:
    return _word(cell) in _ON


def fold_one_hot(table: Table, names: Sequence[str]) -> None:
    """Put one column `LABEL` in the place of the columns, if the table has them all.

    A row with several 1s gets a list of labels, one with none no label.
    """
    if not set(names) <= set(table.columns):
        return
    rows = []
    for row in table.rows:
        labels: list[str] = [name for name in names if _is_on(row.get(name))]
        rest = {name: cell for name, cell in row.items() if name not in names}
        rows.append({**rest, LABEL: labels[0] if len(labels) == 1 else labels})
    table.rows = rows
    table.columns = (*(name for name in table.columns if name not in names), LABEL)


def one_hot_note(names: Sequence[str]) -> str:
    """What was made of the columns."""
    return f"columns {_listing(names)} hold one 1 a row: read as one label, the column's name"


def several_hot_note(names: Sequence[str]) -> str:
    """The same, where rows have several 1s or none."""
    return (
        f"columns {_listing(names)} hold 0 and 1: kind multilabel, a row has the labels whose "
        "columns hold 1 (--label names one of them as the only label)"
    )


def _listing(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(map(repr, names[:_SHOWN]))}{more}"
