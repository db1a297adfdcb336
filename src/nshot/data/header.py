"""Rows of cells become a table: which of them is the header, and which columns hold anything."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from nshot.core.errors import Fault
from nshot.data.faults import Faults
from nshot.data.table import Table

Record: TypeAlias = tuple[list[str] | None, int]
"""The cells of a row, None where they cannot be read, and the row's place."""

KNOWN_NAMES = frozenset({
    "id", "idx", "index", "guid", "uuid", "text", "sentence", "message", "utterance", "review",
    "comment", "content", "tweet", "document", "body", "query", "question", "title", "headline",
    "description", "input", "prompt", "output", "answer", "instruction", "label", "labels",
    "label_text", "label_name", "intent", "category", "class", "topic", "sentiment", "target",
    "emotion", "tag", "gold_label", "group", "premise", "hypothesis", "sentence1", "sentence2",
    "text1", "text2", "rating", "score", "stars", "date", "name", "image", "file", "path",
})  # fmt: skip
"""Names that say that a line is a header, whatever stands under them."""
UNNAMED = re.compile(r"(unnamed: \d+(_level_\d+)?(\.\d+)?)?", re.IGNORECASE)
"""No name, or the one that pandas writes for none."""
_INVISIBLE = re.compile(
    "[\u200b\u200e\u200f\u2060\ufeff\u00ad\u202a-\u202e\u2066-\u2069]|^[\u200c\u200d]+|[\u200c\u200d]+$"
)
"""What has no width; joiners within a word or an emoji belong to it."""
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")
_WIDE = 'a cell that holds a separator or a line end in quotes: "like, this"'


def without_marks(text: str) -> str:
    """A name as it looks: composed (NFC), without what cannot be seen, white space as one space."""
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFC", text)).split())


def table_of(
    path: Path, records: Iterable[Record], faults: Faults, unit: str = "line"
) -> Table | None:
    """The table of records, the first of which is the header unless it looks like data.

    Then the columns are called by what they hold. Records without content are left out, so are
    columns with neither a name nor content. A record with more or fewer cells than the header has
    names is a fault. None where the header itself is at fault.
    """
    rows = list(records)
    broken = any(cells is None for cells, _ in rows)
    filled = [(cells, place) for cells, place in rows if cells and any(map(str.strip, cells))]
    notes = []
    empty = sum(cells is not None for cells, _ in rows) - len(filled)
    if empty:
        notes.append(f"{path.name}: {empty} {unit}s without content, left out")
    if not filled:
        faults.add(Fault("the file has no header", where=str(path)))
        return None
    first, place = filled[0]
    names = [without_marks(name) for name in first]
    body = filled[1:]
    width = len(names)
    if reason := _looks_like_data(names, [cells for cells, _ in body if len(cells) == width]):
        body = filled
        names = _names_by_content([cells for cells, _ in body if len(cells) == width], width)
        notes.append(
            f"{path.name}: no header, for {reason}; the columns are called {', '.join(names)}"
        )
    headed = body is not filled
    again = [one for one in body if headed and one[0] == first]
    if again:
        body = [one for one in body if one[0] != first]
        notes.append(f"{path.name}: the header stands {len(again) + 1} times, read once")
    sound = _sound(path, body, width, unit, faults)
    named = _named(path, names, [cells for cells, _ in sound], notes)
    if not _unique(path, named, place, unit, faults):
        return None
    kept = [(at, name) for at, name in enumerate(named) if name is not None]
    table = Table(path, tuple(name for _, name in kept), unit=unit, notes=notes, headed=headed)
    table.broken = broken or len(sound) < len(body)
    table.rows = [{name: cells[at] for at, name in kept} for cells, _ in sound]
    table.places = [place for _, place in sound]
    return table


def _sound(
    path: Path, body: Sequence[tuple[list[str], int]], width: int, unit: str, faults: Faults
) -> list[tuple[list[str], int]]:
    """The records of as many cells as there are names; empty ones at the end do not count."""
    sound = []
    for cells, place in body:
        if len(cells) > width and not any(map(str.strip, cells[width:])):
            cells = cells[:width]
        if len(cells) == width:
            sound.append((cells, place))
        else:
            problem = f"{len(cells)} cells, the header has {width}"
            faults.at(path, unit, place, problem, expected=_WIDE)
    return sound


def _looks_like_data(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Why the first record is no header; "" where it may be one.

    It is data where a cell of it is one of the few values that its column has, or a number above
    numbers. A known name among the cells, one bare word above sentences, or the numbers 0, 1, 2,
    ... as names make it a header.
    """
    numbered = list(names) == [str(i) for i in range(len(names))]
    if len(rows) < 2 or numbered or any(name.lower() in KNOWN_NAMES for name in names):
        return ""
    others = [row for row in rows if list(map(without_marks, row)) != list(names)]
    columns = [[row[at].strip() for row in others] for at in range(len(names))]
    if any(name and " " not in name and _is_wordy(columns[at]) for at, name in enumerate(names)):
        return ""
    for at, name in enumerate(names):
        values = columns[at]
        filled = Counter(value for value in values if value)
        if name and filled[name] and 2 * len(filled) <= max(4, filled.total()):
            return f"{name!r} in line 1 is one of the values under it"
        if _NUMBER.fullmatch(name) and filled and all(map(_NUMBER.fullmatch, filled)):
            return f"{name!r} in line 1 stands above numbers only"
    return ""


def _names_by_content(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """``text`` for the one column of words, ``label`` for the one of few values, else numbers."""
    names = [f"column {at + 1}" for at in range(width)]
    values = [[row[at].strip() for row in rows] for at in range(width)]
    counted = [at for at in range(width) if counts_up(values[at])]
    wordy = [at for at in range(width) if _is_wordy(values[at])]
    few = [at for at in range(width) if at not in (*counted, *wordy) and _repeats(values[at])]
    for name, places in (("id", counted), ("text", wordy), ("label", few)):
        if len(places) == 1:
            names[places[0]] = name
    return names


def counts_up(values: Sequence[str]) -> bool:
    """Row numbers: whole numbers, each one more than the last."""
    if not all(value.isdecimal() for value in values):
        return False
    numbers = [int(value) for value in values]
    return len(numbers) > 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _is_wordy(values: Sequence[str]) -> bool:
    filled = [value for value in values if value]
    spaced = sum(" " in value for value in filled)
    return 2 * len(filled) > len(values) and 2 * spaced > len(filled) < 2 * len(set(filled))


def _repeats(values: Sequence[str]) -> bool:
    return 2 * len(set(values)) <= max(4, len(values))


def _named(
    path: Path, names: Sequence[str], rows: Sequence[Sequence[str]], notes: list[str]
) -> list[str | None]:
    """A name for each column that holds anything; None for one with neither name nor content.

    A first column of row numbers without a name keeps none: it is an index.
    """
    named: list[str | None] = []
    dropped = 0
    for at, name in enumerate(names):
        if not UNNAMED.fullmatch(name):
            named.append(name)
        elif not any(row[at].strip() for row in rows):
            named.append(None)
            dropped += 1
        elif name or (at == 0 and counts_up([row[at].strip() for row in rows])):
            named.append(name)
        else:
            named.append(f"column {at + 1}")
            notes.append(f"{path.name}: a column without a name is called 'column {at + 1}'")
    if dropped:
        plural = "s" * (dropped > 1)
        notes.append(f"{path.name}: {dropped} column{plural} without name and content, left out")
    return named


def _unique(path: Path, names: Sequence[str | None], place: int, unit: str, faults: Faults) -> bool:
    counts = Counter(name for name in names if name is not None)
    for name, count in sorted(counts.items()):
        if count > 1:
            problem = f"{count} columns have the name '{name}'"
            faults.at(path, unit, place, problem, "a header with a name of its own for each column")
    return max(counts.values(), default=1) == 1


def tidied(table: Table) -> Table:
    """A table of named columns with its names as they look, and without rows that hold nothing."""
    names = {name: without_marks(name) for name in table.columns}
    if len(set(names.values())) == len(names) and any(old != new for old, new in names.items()):
        table.columns = tuple(names.values())
        table.rows = [{names[old]: cell for old, cell in row.items()} for row in table.rows]
    kept = [
        (row, place)
        for row, place in zip(table.rows, table.places, strict=True)
        if any(not _is_blank(cell) for cell in row.values())
    ]
    if kept and len(kept) < len(table.rows):
        empty = len(table.rows) - len(kept)
        table.notes.append(f"{table.path.name}: {empty} {table.unit}s without content, left out")
        table.rows, table.places = [row for row, _ in kept], [place for _, place in kept]
    return table


def _is_blank(cell: object) -> bool:
    return cell is None or cell != cell or (isinstance(cell, str) and not cell.strip())
