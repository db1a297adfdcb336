"""Columns of numbers: how they are written, and where they lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nshot.core.errors import Fault
from nshot.core.numbers import (
    has_decimal_commas,
    has_dots_between,
    may_have_dots_between,
    number,
    with_points,
)
from nshot.core.types import Scale
from nshot.core.units import unit
from nshot.data.table import Table, cell_text

_DISTINCT, _FRACTIONS = 20, 10
"""Different values, and different ones of which some are no whole numbers, that are no labels."""
_NO_NUMBER = frozenset(
    ("", "-", "\\n", "nan", "na", "n/a", "#n/a", "<na>", "none", "null", "unknown", "없음", "미상")
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
    """Of a column with decimal commas, or with dots between thousands, the texts with points as
    decimals; else as they are."""
    foreign = has_decimal_commas(texts) or has_dots_between(texts)
    return [with_points(text) for text in texts] if foreign else list(texts)


def writing_notes(texts: Sequence[str]) -> list[str]:
    """What was assumed of how the numbers of a column are written."""
    notes = []
    if has_decimal_commas(texts):
        notes.append("numbers have decimal commas: 12,5 is read as 12.5")
    elif has_dots_between(texts):
        notes.append("dots part the thousands: 1.234.567 is read as 1234567")
    elif may_have_dots_between(texts):
        shown = next(text for text in texts if "." in text)
        notes.append(
            f"{shown!r} is read with a decimal point; if dots part thousands, leave them out"
        )
    if any(text.strip().startswith("(") for text in texts):
        notes.append("amounts in brackets are read as negative")
    return notes


def several_units(label: str, texts: Sequence[str], where: str) -> Fault | None:
    """The fault of numbers that do not count the same: kg and g, dollars and euros."""
    units = Counter(name for text in texts if (name := unit(text)))
    if len(units) < 2:
        return None
    shown = ", ".join(f"{name} ({count} rows)" for name, count in units.most_common(5))
    problem = f"the numbers of '{label}' are in several units: {shown}"
    do = "write all of them in one unit, or --kind classify takes them for labels"
    return Fault(problem, "one unit, for 500 g is not more than 2 kg", do, where)


def scale_of(values: Sequence[float]) -> Scale:
    """Median, and mean absolute distance from it."""
    middle = float(np.median(values))
    return Scale(middle, float(np.abs(np.array(values) - middle).mean()))
