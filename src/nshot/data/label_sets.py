"""Cells that hold several labels: lists, or labels with a sign between, as ``anger|joy``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nshot.core.label_sets import BETWEEN
from nshot.data.faults import Faults
from nshot.data.table import Table, cell_text
from nshot.data.values import (
    clean_spellings,
    for_predict,
    items_of,
    missing_texts,
    no_label_note,
    no_rows_left,
    spelling_note,
)

MARKS = (BETWEEN, ";", ",")
"""What is looked for between labels; nothing else is taken apart."""
SOME = 0.05
"""Share of the rows with several labels from which these are what the column holds."""
_RECUR = 0.8
"""Share of those rows whose pieces all stand in other cells too."""
_FRACTIONS = frozenset({"0", "5", "25", "50", "75"})
"""What stands behind the comma of halves and quarters."""
_WIDTH = 40
"""Characters: longer pieces, on average, are text with signs in it."""


def tell_several(table: Table, column: str) -> str | None:
    """How a column shows that its rows have several labels, in words; None where it does not."""
    cells = [row.get(column) for row in table.rows]
    lists = [items for cell in cells if (items := items_of(cell)) is not None]
    if lists:
        several = sum(len(items) > 1 for items in lists)
        return "lists" if several >= max(1, SOME * len(cells)) else None
    texts = Counter(text for cell in cells if (text := (cell_text(cell) or "").strip()))
    mark = _mark(texts, SOME * texts.total())
    return f"labels with {mark!r} between" if mark else None


def _mark(texts: Counter[str], least: float, asks: bool = False) -> str | None:
    """The sign that parts labels in `least` rows or more: pieces recur, and some stand alone.

    Where the user `asks` for several labels, figures with a comma are no decimals.
    """
    return next((mark for mark in MARKS if _parts(texts, mark, least, asks)), None)


def _parts(texts: Counter[str], mark: str, least: float, asks: bool) -> bool:
    pieces = {text: _pieces(text, mark) for text in texts}
    several = {text: parts for text, parts in pieces.items() if len(parts) > 1}
    figures = mark == "," and all(part.isdecimal() for parts in pieces.values() for part in parts)
    standing = Counter[str]()
    for text, parts in pieces.items():
        standing.update(dict.fromkeys(parts, texts[text] if figures or asks else 1))
    alone = {parts[0] for parts in pieces.values() if len(parts) == 1}
    recurring = {
        text
        for text, parts in several.items()
        if all(standing[part] > 1 for part in parts) and not alone.isdisjoint(parts)
    }
    rows = sum(texts[text] for text in several)
    width = sum(map(len, standing)) / max(1, len(standing))
    if figures and not asks and not _are_numbers_of_labels(texts, several):
        return False  # 12,5 is a number
    return (
        rows >= max(least, 1)
        and sum(texts[text] for text in recurring) >= _RECUR * rows
        and width <= _WIDTH
    )


def _are_numbers_of_labels(texts: Counter[str], several: Mapping[str, list[str]]) -> bool:
    """Are figures with a comma sets of numbered labels ("0,27"), and no decimals?

    Three in a row are. Of two at most half of the rows have a comma, and what follows it is no
    half or quarter, nor padded with zeros, and not always the same.
    """
    if any(len(parts) > 2 for parts in several.values()):
        return True
    behind = {parts[1] for parts in several.values()}
    rows = sum(texts[text] for text in several)
    padded = any(second[0] == "0" and len(second) > 1 for second in behind)
    return 2 * rows <= texts.total() and len(behind - _FRACTIONS) > 1 and not padded


def _pieces(text: str, mark: str) -> list[str]:
    return [piece for part in text.split(mark) if (piece := part.strip())]


def read_label_sets(
    tables: Sequence[Table],
    column: str,
    listed: Sequence[str],
    faults: Faults,
    notes: list[str],
    name: str = "TASK",
) -> None:
    """Put a sorted list of labels in the place of what stands in `column`, train rows first.

    Spellings of a label are one, as in `data.values.read_labels`. An empty list is a row to which
    no label applies; so is an empty cell, where labels stand with a sign between and not in lists.
    A cell that says that nothing is known (``NaN``, null beside lists) takes its row out, counted.
    """
    train, *tests = tables
    for test in tests:
        if column not in test.columns:
            faults.add(for_predict(test, f"{test.path.name} has no labels", name))
            test.broken, test.rows, test.places = True, [], []
    cells = [row.get(column) for table in tables for row in table.rows]
    listing = any(items_of(cell) is not None for cell in cells)
    texts = Counter(text for cell in cells if (text := (cell_text(cell) or "").strip()))
    mark = None if listing else _mark(texts, 1, asks=True)
    sets = [[_set(row.get(column), listing, mark) for row in table.rows] for table in tables]
    counts = Counter(text for rows in sets for labels in rows if labels for text in labels)
    missing = missing_texts(counts, listed)
    spelling = clean_spellings({t: n for t, n in counts.items() if t not in missing}, listed)
    notes += spelling_note(counts, spelling)
    for table, rows in zip(tables, sets, strict=True):
        unknown = _fill(table, column, rows, missing, spelling)
        if unknown and not table.rows:
            no_rows_left(table, table is train, name, faults)
        elif unknown:
            notes.append(no_label_note(table, unknown))
        none = sum(row[column] == [] for row in table.rows)
        if none:
            notes.append(f"{table.path.name}: to {none} of {len(table.rows)} rows no label applies")


def _set(cell: Any, listing: bool, mark: str | None) -> list[str] | None:
    """The pieces of a cell as they are written; None where it says nothing of its labels."""
    if (items := items_of(cell)) is not None:
        return [cell_text(item) or "" for item in items]
    text = cell_text(cell)
    if cell is None or text is None or (listing and not text.strip()):
        return None
    return _pieces(text, mark) if mark else [text.strip()] * bool(text.strip())


def _fill(
    table: Table,
    column: str,
    sets: Sequence[list[str] | None],
    missing: set[str],
    spelling: Mapping[str, str],
) -> Counter[str]:
    """Put the labels in their rows; rows of which nothing is known go, their cells counted."""
    unknown: Counter[str] = Counter()
    rows, places = [], []
    for row, place, labels in zip(table.rows, table.places, sets, strict=True):
        if labels is None or (labels and missing.issuperset(labels)):
            unknown[(labels or [""])[0]] += 1
            continue
        row[column] = sorted({spelling[label] for label in labels if label not in missing})
        rows.append(row)
        places.append(place)
    table.rows, table.places = rows, places
    return unknown
