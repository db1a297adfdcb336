"""What stands above the header of a table: comments, a title, who exported it and when."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from nshot.data.header import KNOWN_NAMES, without_marks

_MOST = 12
"""Lines that may stand above a header."""
_ROWS = 2
"""Rows, the header among them, that must follow."""
_MOSTLY = 0.9
_FIRST = 1 << 18


def lines_above(text: str, marks: Sequence[str]) -> int:
    """How many lines stand above the header: they have one cell where all that follow have more.

    They begin with ``#``, a blank line follows them, or the header has a name that is known and
    they have none.
    """
    for mark in marks:
        if above := _above(text[:_FIRST], mark):
            return above
    return 0


def _above(text: str, mark: str) -> int:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=True)
    rows: list[tuple[list[str], int]] = []
    try:
        rows += [(cells, reader.line_num) for cells in reader]
    except csv.Error:
        return 0
    at = next((i for i, (cells, _) in enumerate(rows) if len(cells) > 1), 0)
    gap = next((i for i, (cells, _) in enumerate(rows[:_MOST]) if not any(cells)), 0)
    if at < gap < len(rows) - 1:  # a title with a separator in it, and a blank line
        at = gap + 1
    if not 0 < at <= _MOST:
        return 0
    widths = [len(cells) for cells, _ in rows[at:] if any(map(str.strip, cells))]
    alike = sum(width == widths[0] for width in widths)
    if len(widths) <= _ROWS or alike < _MOSTLY * len(widths):
        return 0
    above = [cells for cells, _ in rows[:at]]
    comments = all(not cells or cells[0].lstrip().startswith("#") for cells in above)
    blank = not any(map(str.strip, above[-1]))
    names = {without_marks(name).casefold() for name in rows[at][0]}
    titles = {without_marks(cell).casefold() for cells in above for cell in cells}
    known = bool(names & KNOWN_NAMES) and not titles & KNOWN_NAMES
    wide = any(len(cells) > 1 for cells in above)
    return rows[at - 1][1] if known or ((comments or blank) and not wide) else 0
