"""Columns of 0 and 1 (yes and no, x and nothing), one for each label, become one of labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nshot.data.table import Table, cell_text

LABEL = "label"
_SIGNS: Mapping[str, str] = {
    "1 1.0 true": "0 0.0 false",
    "yes y": "no n",
    "예 네": "아니오 아니요",
    "ja": "nein",
    "o ○ ◯": "x ×",
    "x": "",
    "✓ ✔ ☑ v": "✗ ✘ ☐",
}
"""What stands where a label applies, and where it does not: there a cell may also be empty."""
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
    on = _on(table, names)
    return [sum(_word(row.get(name)) in on for name in names) for row in table.rows]


def flag_columns(table: Table, taken: Sequence[str]) -> tuple[str, ...]:
    """The columns that hold 0 and 1 only, and both; or two other signs of `_SIGNS`.

    Of several kinds of signs those that most columns are written with; one of other signs than 0
    and 1 is none, for a column of yes and no is a label itself.
    """
    words = {name: _words(table, name) for name in table.columns if name not in taken}
    kinds = [_written_with(words, on, off) for on, off in _SIGNS.items()]
    numbers, *others = kinds
    best = max(others, key=len)
    return numbers if len(best) < 2 or len(numbers) >= len(best) else best


def _written_with(words: Mapping[str, frozenset[str]], on: str, off: str) -> tuple[str, ...]:
    ons, offs = frozenset(on.split()), frozenset(off.split()) | {""}
    both = offs if not off else offs - {""}
    return tuple(
        name for name, held in words.items() if held <= ons | offs and held & ons and held & both
    )


def _on(table: Table, names: Sequence[str]) -> frozenset[str]:
    """The signs with which the columns say that a label applies."""
    held = frozenset[str]().union(*(_words(table, name) for name in names))
    pairs = ((frozenset(on.split()), off.split()) for on, off in _SIGNS.items())
    fitting = (on for on, off in pairs if held & on and held <= on.union(off, [""]))
    return next(fitting, frozenset())


def sign_of(table: Table, names: Sequence[str]) -> str:
    """The sign that most cells have where a label applies, as a note shows it."""
    words = Counter(_word(row.get(name)) for row in table.rows for name in names)
    on = _on(table, names) & words.keys()
    best = max(sorted(on), key=lambda word: words[word], default="1")
    return "1" if best in ("1.0", "true") else best


def _words(table: Table, column: str) -> frozenset[str]:
    return frozenset(_word(row.get(column)) for row in table.rows)


def _word(cell: Any) -> str:
    text = cell_text(cell)
    return "a list" if text is None else text.strip().casefold()


def fold_one_hot(table: Table, names: Sequence[str]) -> None:
    """Put one column `LABEL` in the place of the columns, if the table has them all.

    A row with several 1s gets a list of labels, one with none no label.
    """
    if not set(names) <= set(table.columns):
        return
    rows = []
    on = _on(table, names)
    for row in table.rows:
        labels: list[str] = [name for name in names if _word(row.get(name)) in on]
        rest = {name: cell for name, cell in row.items() if name not in names}
        rows.append({**rest, LABEL: labels[0] if len(labels) == 1 else labels})
    table.rows = rows
    table.columns = (*(name for name in table.columns if name not in names), LABEL)


def one_hot_note(names: Sequence[str], sign: str = "1") -> str:
    """What was made of the columns, where `sign` stands for a label that applies."""
    return f"columns {_listing(names)} hold one {sign} a row: read as one label, the column's name"


def several_hot_note(names: Sequence[str], sign: str = "1") -> str:
    """The same, where rows have several of them or none."""
    marks = "0 and 1" if sign == "1" else f"{sign} or not"
    return (
        f"columns {_listing(names)} hold {marks}: kind multilabel, a row has the labels whose "
        f"columns hold {sign} (--label names one of them as the only label)"
    )


def _listing(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(map(repr, names[:_SHOWN]))}{more}"
