"""Rows with too many cells, for a text has separators in it and no quotes round it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nshot.data.header import Record

_LEAST = 2
"""Sound rows that show what the columns hold."""


def mended(records: Sequence[Record], mark: str) -> tuple[list[Record], int] | None:
    """The records with the pieces of a text put together again, and how many rows had several.

    That is done where it can be in one way only: of one column, when the other columns of these
    rows then hold what they hold in the sound rows too. None elsewhere.
    """
    rows = [cells for cells, _ in records if cells and any(map(str.strip, cells))]
    if len(rows) < _LEAST + 2 or any(cells is None for cells, _ in records):
        return None
    width = len(rows[0])
    sound = [cells for cells in rows[1:] if len(cells) == width]
    long = [cells for cells in rows[1:] if len(cells) > width]
    if width < 2 or not long or len(sound) < _LEAST or len(sound) + len(long) + 1 < len(rows):
        return None
    fitting = [at for at in range(width) if _fits(at, width, sound, long)]
    if len(fitting) != 1:
        return None
    put = [(_joined(cells or [], fitting[0], width, mark), place) for cells, place in records]
    return [(cells, place) for cells, place in put], len(long)


def _fits(
    at: int, width: int, sound: Sequence[Sequence[str]], long: Sequence[Sequence[str]]
) -> bool:
    """Do the other columns of the long rows hold what they hold elsewhere: a few values?"""
    recurs = False
    for column in range(width):
        if column == at:
            continue
        place = column if column < at else column - width
        usual = Counter(cells[place].strip() for cells in sound)
        values = Counter(cells[place].strip() for cells in long)
        kinds = usual.keys() | values.keys()
        few = 2 * len(kinds) <= max(4, len(sound) + len(long)) and (
            2 * len(usual) <= max(4, len(sound))
        )
        again = all(usual[value] or count > 1 for value, count in values.items())
        if not (few and again) and not all(map(str.isdecimal, kinds)):
            return False
        recurs |= few
    return recurs


def _joined(cells: list[str], at: int, width: int, mark: str) -> list[str]:
    more = len(cells) - width
    if more <= 0:
        return cells
    return [*cells[:at], mark.join(cells[at : at + more + 1]), *cells[at + more + 1 :]]
