"""Columns of numbers: how they are written, and where they lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nshot.core.numbers import has_decimal_commas, number, with_points
from nshot.core.types import Scale
from nshot.data.table import Table, cell_text

_DISTINCT, _FRACTIONS = 20, 10
"""Different values, and different ones of which some are no whole numbers, that are no labels."""
_NO_NUMBER = frozenset(
    ("", "-", "nan", "na", "n/a", "#n/a", "<na>", "none", "null", "unknown", "없음", "미상")
)
"""What stands, in any case, where there is no number."""
_SPREAD = 3
"""Numbers of classes lie close together: the range of mere numbers is this often their count."""


def looks_like_numbers(texts: Sequence[str]) -> bool:
    """Many different numbers, that are not the numbers of classes; gaps among them do not count."""
    written = {text for text in texts if not _is_gap(text)}
    values = {number(text) for text in as_points(sorted(written))}
    known = [value for value in values if value is not None]
    if len(known) < len(values) or len(known) <= _FRACTIONS:
        return False
    if any(value != round(value) for value in known):
        return True
    return len(known) > _DISTINCT and max(known) - min(known) > _SPREAD * len(known)


def leave_gaps_out(table: Table, column: str) -> None:
    """Take out the rows without a number in `column`; how many, and what stood there, is a note."""
    count, gaps = len(table.rows), Counter[str]()
    kept = []
    for row, place in zip(table.rows, table.places, strict=True):
        text = cell_text(row.get(column))
        if text is not None and _is_gap(text):
            gaps[text.strip()] += 1
        else:
            kept.append((row, place))
    if not gaps or not kept:
        return
    table.rows, table.places = [row for row, _ in kept], [place for _, place in kept]
    words = ", ".join(repr(word) if word else "empty" for word, _ in gaps.most_common())
    table.notes.append(
        f"{table.path.name}: {gaps.total()} of {count} rows have no number in '{column}' "
        f"({words}), left out"
    )


def _is_gap(text: str) -> bool:
    return text.strip().casefold() in _NO_NUMBER


def as_points(texts: Sequence[str]) -> list[str]:
    """Of a column with decimal commas the texts with points; else as they are."""
    return [with_points(text) for text in texts] if has_decimal_commas(texts) else list(texts)


def scale_of(values: Sequence[float]) -> Scale:
    """Median, and mean absolute distance from it."""
    middle = float(np.median(values))
    return Scale(middle, float(np.abs(np.array(values) - middle).mean()))
