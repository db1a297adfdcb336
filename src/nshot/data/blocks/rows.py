"""What is read of a file of inputs: rows in blocks, each with what it asks or why it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from nshot.core.types import Input
from nshot.data.faults import Place

ROWS, SIZE = 256, 1 << 20
"""A block ends after so many rows, or once it has so many characters."""


class Record(NamedTuple):
    """A row as it stands in its file: where, and what: a line, cells, or values by name."""

    place: Place
    content: Any

    @property
    def size(self) -> int:
        """Characters, nearly."""
        content = self.content.values() if isinstance(self.content, dict) else self.content
        return len(content) if isinstance(content, str) else sum(map(_length, content))


def _length(value: object) -> int:
    return len(value) if isinstance(value, (str, bytes, list, dict)) else 8


@dataclass(frozen=True)
class Row:
    """One row: its `number` in the file from 1, and `where` that is in words (``line 7``).

    `cells` are the columns of its table as they stand; `under` names the folder that answers it,
    of several. `input` is None where the row cannot be read: `problem` says why.
    """

    number: int
    where: str
    id: str
    input: Input | None
    cells: Mapping[str, str]
    under: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Block:
    """Rows that are read and answered together; `first` is the number of the first.

    Where a block ends follows from the file alone: whoever begins in its middle cuts it alike.
    """

    first: int
    records: Sequence[Record]
    parse: Callable[[Block], list[Row]]

    def rows(self) -> list[Row]:
        """The rows; those that hold nothing are left out."""
        return self.parse(self)

    def contents(self) -> Iterator[tuple[int, bytes]]:
        """The number and the content of each row, without taking it apart."""
        for number, record in enumerate(self.records, self.first):
            yield number, repr(record.content).encode("utf-8", "surrogatepass")


class Blocks(Protocol):
    """A file of inputs, block after block; `columns` are its table's, () where it is none."""

    columns: tuple[str, ...]
    notes: list[str]

    def __iter__(self) -> Iterator[Block]:
        """The blocks from the first. Raises `InputError` where the rest cannot be read."""
        ...

    def share(self) -> float | None:
        """How much of the file was read so far, from 0 to 1; None where nobody knows."""
        ...


class Listed:
    """Rows that are at hand, all of them."""

    def __init__(
        self, rows: Sequence[Row], columns: tuple[str, ...] = (), notes: Sequence[str] = ()
    ) -> None:
        self.columns, self.notes = columns, list(notes)
        self._rows, self._read = rows, 0

    def __iter__(self) -> Iterator[Block]:
        for start in range(0, len(self._rows), ROWS):
            some = self._rows[start : start + ROWS]
            self._read = start + len(some)
            records = [Record(row.where, (row.under, row.input)) for row in some]
            yield Block(start + 1, records, self._parse)

    def share(self) -> float:
        """Rows that were handed out, of all."""
        return self._read / max(1, len(self._rows))

    def _parse(self, block: Block) -> list[Row]:
        return list(self._rows[block.first - 1 : block.first - 1 + len(block.records)])


def cut(records: Iterable[Record], parse: Callable[[Block], list[Row]]) -> Iterator[Block]:
    """Blocks of records as they come."""
    first, some, size = 1, list[Record](), 0
    for record in records:
        some.append(record)
        size += record.size
        if len(some) == ROWS or size >= SIZE:
            yield Block(first, some, parse)
            first, some, size = first + len(some), [], 0
    if some:
        yield Block(first, some, parse)
