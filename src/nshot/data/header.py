"""Rows of cells become a table: which of them is the header, and which columns hold anything."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from nshot.core.errors import Fault
from nshot.data.faults import Faults
from nshot.data.roles import are_parts
from nshot.data.table import Row, Table

Record: TypeAlias = tuple[list[str] | None, int]
"""The cells of a row, None where they cannot be read, and the row's place."""

KNOWN_NAMES = frozenset({
    "id", "idx", "index", "guid", "uuid", "text", "sentence", "message", "utterance", "review",
    "comment", "content", "tweet", "document", "body", "query", "question", "title", "headline",
    "description", "input", "prompt", "output", "answer", "instruction", "label", "labels",
    "label_text", "label_name", "intent", "category", "class", "topic", "sentiment", "target",
    "emotion", "tag", "gold_label", "group", "premise", "hypothesis", "sentence1", "sentence2",
    "text1", "text2", "rating", "score", "stars", "date", "name", "image", "file", "path",
    "내용", "문장", "본문", "제목", "리뷰", "질문", "답변", "분류", "라벨", "레이블", "감정",
})  # fmt: skip
"""Names that say that a line is a header, whatever stands under them."""
UNNAMED = re.compile(r"(unnamed: \d+(_level_\d+)?(\.\d+)?)?", re.IGNORECASE)
"""No name, or the one that pandas writes for none."""
_INVISIBLE = re.compile(
    "[\u200b\u200e\u200f\u2060\ufeff\u00ad\u202a-\u202e\u2066-\u2069]|^[\u200c\u200d]+|[\u200c\u200d]+$"
)
"""What has no width; joiners within a word or an emoji belong to it."""
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")
_FEW = 3
"""Times that each value of a column stands, on average, where the column is of few."""
WIDE = 'a cell that holds a separator or a line end in quotes: "like, this"'


def without_marks(text: str) -> str:
    """A name as it looks: composed (NFC), without what cannot be seen, white space as one space."""
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFC", text)).split())


@dataclass(frozen=True)
class Header:
    """The columns of records: `names` by place (None: a column left out), `first` as it stands.

    Where the names were made up `headed` is False: the first record holds data. `usual` are the
    values of columns of a few that recur, by place: they show that a short record begins as others
    do.
    """

    first: Sequence[str]
    names: tuple[str | None, ...]
    headed: bool
    usual: Mapping[int, frozenset[str]] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that are there."""
        return tuple(name for name in self.names if name is not None)

    def repeats(self, cells: Sequence[str]) -> bool:
        """Is this the header once more?"""
        return self.headed and cells == self.first

    def fits(self, cells: Sequence[str]) -> bool:
        """Are there as many cells as names? Empty ones at the end do not count.

        Cells may be missing at the end where a column of few values has one of these, and no
        other column has one of those that are missing.
        """
        width = len(self.names)
        if len(cells) < width:
            return self._begins_like_others([cell.strip() for cell in cells])
        return not any(map(str.strip, cells[width:]))

    def _begins_like_others(self, cells: Sequence[str]) -> bool:
        lost = {value for at, values in self.usual.items() if at >= len(cells) for value in values}
        shows = False
        for at, cell in enumerate(cells):
            values = self.usual.get(at, frozenset())
            if cell and (cell not in values if values else cell in lost):
                return False
            shows |= cell in values and len(values) > 1
        return shows

    def row(self, cells: Sequence[str]) -> dict[str, str] | None:
        """The cells by name; None where they do not fit."""
        if not self.fits(cells):
            return None
        padded = [*cells, *[""] * (len(self.names) - len(cells))]
        pairs = zip(self.names, padded, strict=False)
        return {name: cell for name, cell in pairs if name is not None}

    def misfit(self, cells: Sequence[str]) -> str:
        """What is wrong with cells that make no row."""
        return f"{len(cells)} cells, the header has {len(self.names)}"


def header_of(
    path: Path,
    records: Sequence[tuple[list[str], int]],
    notes: list[str],
) -> Header:
    """The header of records that hold something: the first, unless it looks like data.

    Then the columns are called by what they hold. Of columns of one name those that are empty or
    the same go, others are numbered, told.
    """
    first, _ = records[0]
    names = [without_marks(name) for name in first]
    width = len(names)
    body = [cells for cells, _ in records[1:] if len(cells) == width]
    if reason := why_data(names, body):
        body.insert(0, first)
        names = names_by_content(body, width)
        notes.append(
            f"{path.name}: no header, for {reason}; the columns are called {', '.join(names)}"
        )
    headed = not reason
    bare = Header(first, tuple(names), headed)
    whole = [cells[:width] for cells, _ in records[headed:] if bare.fits(cells)]
    rows = [cells for cells in whole if not bare.repeats(cells)]
    named = _named(path, names, rows, notes)
    return Header(first, tuple(_unique(path, named, rows, notes)), headed, _usual(named, whole))


def table_of(
    path: Path, records: Iterable[Record], faults: Faults, unit: str = "line"
) -> Table | None:
    """The table of records under their header (`header_of`).

    Records without content are left out, so are columns with neither a name nor content. A record
    with more or fewer cells than the header has names is a fault. None where the header itself is
    at fault.
    """
    rows = list(records)
    filled = [(cells, place) for cells, place in rows if cells and any(map(str.strip, cells))]
    notes: list[str] = []
    empty = sum(cells is not None for cells, _ in rows) - len(filled)
    if empty:
        notes.append(f"{path.name}: {empty} {unit}s without content, left out")
    if not filled:
        faults.add(Fault("the file has no header", where=str(path)))
        return None
    titles = _titles(filled)
    if titles:
        filled = filled[titles:]
        notes.append(f"{path.name}: {titles} {unit}s above the header are left out")
    header = header_of(path, filled, notes)
    body = filled[header.headed :]
    if again := sum(header.repeats(cells) for cells, _ in body):
        notes.append(f"{path.name}: the header stands {again + 1} times, read once")
    table = Table(path, header.columns, unit=unit, notes=notes, headed=header.headed)
    table.broken = any(cells is None for cells, _ in rows)
    short = 0
    for cells, place in body:
        if header.repeats(cells):
            continue
        row = header.row(cells)
        short += row is not None and len(cells) < len(header.names)
        if row is None:
            table.broken = True
            faults.at(path, unit, place, header.misfit(cells), expected=WIDE)
        else:
            table.rows.append(row)
            table.places.append(place)
    if short:
        notes.append(f"{path.name}: {short} {unit}s end early: the cells that they lack are empty")
    return table


def _titles(rows: Sequence[tuple[list[str], int]]) -> int:
    """How many rows stand above the header: their first cell alone is filled, with no known name,
    and a row with a known name follows."""
    at = 0
    while at < len(rows) - 2 and list(filter(str.strip, rows[at][0])) == rows[at][0][:1]:
        at += 1
    names = [{without_marks(cell).lower() for cell in cells} for cells, _ in rows[: at + 1]]
    wide = len([cell for cell in rows[at][0] if cell.strip()]) > 1
    known = bool(names[-1] & KNOWN_NAMES) and not any(one & KNOWN_NAMES for one in names[:-1])
    return at if wide and known else 0


def why_data(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
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


def names_by_content(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """``text`` for the one column of words, ``label`` for the one of few values, ``split`` for the
    one of parts, else numbers."""
    names = [f"column {at + 1}" for at in range(width)]
    values = [[row[at].strip() for row in rows] for at in range(width)]
    counted = [at for at in range(width) if counts_up(values[at])]
    wordy = [at for at in range(width) if _is_wordy(values[at])]
    parts = [at for at in range(width) if are_parts(values[at])]
    taken = (*counted, *wordy, *parts)
    few = [at for at in range(width) if at not in taken and _repeats(values[at])]
    for name, places in (("id", counted), ("text", wordy), ("label", few), ("split", parts)):
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


def _unique(
    path: Path, names: Sequence[str | None], rows: Sequence[Sequence[str]], notes: list[str]
) -> list[str | None]:
    """A name for each column: of several that have one, empty ones and copies go, told.

    What differs is numbered, all of it, so that nobody takes the first for the only one.
    """
    unique = list(names)
    counts = Counter(name for name in names if name is not None)
    for name in sorted(name for name, count in counts.items() if count > 1):
        places = [at for at, one in enumerate(names) if one == name]
        held = {at: [row[at].strip() for row in rows] for at in places}
        kept = [at for at in places if any(held[at])] or places[:1]
        kept = [at for n, at in enumerate(kept) if held[at] not in [held[b] for b in kept[:n]]]
        for at in places:
            unique[at] = name if at in kept else None
        if len(kept) < len(places):
            less = len(places) - len(kept)
            notes.append(
                f"{path.name}: {len(places)} columns have the name '{name}': {less} without "
                "content, or with the same, left out"
            )
        if len(kept) > 1:
            called = _numbered(name, len(kept), counts)
            unique = [called[kept.index(at)] if at in kept else u for at, u in enumerate(unique)]
            shown = ", ".join(map(repr, called))
            notes.append(f"{path.name}: {len(kept)} columns have the name '{name}': called {shown}")
    return unique


def _numbered(name: str, count: int, names: Collection[str | None]) -> list[str]:
    """The name with numbers, none of which is another column's name."""
    numbers = (f"{name} ({number})" for number in range(1, count + len(names) + 1))
    return [one for one in numbers if one not in names][:count]


def _usual(names: Sequence[str | None], rows: Sequence[Sequence[str]]) -> dict[int, frozenset[str]]:
    """The values of columns of a few that recur, in records of full width."""
    usual: dict[int, frozenset[str]] = {}
    for at, name in enumerate(names):
        values = Counter(cell for row in rows if (cell := row[at].strip()))
        recur = all(count > 1 for count in values.values())
        if name and values and recur and _FEW * len(values) <= values.total():
            usual[at] = frozenset(values)
    return usual


def tidied(table: Table) -> Table:
    """A table of named columns with its names as they look, and without rows that hold nothing."""
    clean_names(table)
    kept = [
        (row, place)
        for row, place in zip(table.rows, table.places, strict=True)
        if not is_blank(row)
    ]
    if kept and len(kept) < len(table.rows):
        empty = len(table.rows) - len(kept)
        table.notes.append(f"{table.path.name}: {empty} {table.unit}s without content, left out")
        table.rows, table.places = [row for row, _ in kept], [place for _, place in kept]
    return table


def clean_names(table: Table) -> None:
    """Call the columns by their names as they look, where each stays another's."""
    names = {name: without_marks(name) for name in table.columns}
    if len(set(names.values())) == len(names) and any(old != new for old, new in names.items()):
        table.columns = tuple(names.values())
        table.rows = [{names[old]: cell for old, cell in row.items()} for row in table.rows]


def is_blank(row: Row) -> bool:
    """Does no cell of the row hold anything?"""
    return all(
        cell is None or cell != cell or (isinstance(cell, str) and not cell.strip())
        for cell in row.values()
    )
