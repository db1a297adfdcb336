"""Large files row by row: one class a format, each judged by the file's beginning."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from nshot.core.errors import Fault, InputError
from nshot.data.blocks.rows import ROWS, Record
from nshot.data.blocks.text import Text
from nshot.data.files.json_rows import object_of
from nshot.data.files.parquet import import_parquet, name_classes
from nshot.data.files.separated import cells_of, records_of
from nshot.data.table import Row, Table


class Reader(ABC):
    """A file of rows that is never read whole; `head` is a table of its first rows."""

    head: Table

    @abstractmethod
    def records(self) -> Iterator[Record]:
        """All rows, as they stand. Raises `InputError` where the rest cannot be read."""

    @abstractmethod
    def row(self, record: Record) -> Row:
        """The values of a row. Raises `ValueError` that says why it has none."""

    @abstractmethod
    def share(self) -> float | None:
        """How much was read, from 0 to 1."""

    def _fill(self, first: Iterator[Record]) -> None:
        """Put the first rows that can be read into the head."""
        columns = dict.fromkeys(self.head.columns)
        for record in first:
            try:
                row = self.row(record)
            except ValueError:
                continue
            columns.update(dict.fromkeys(row))
            self.head.rows.append(row)
            self.head.places.append(record.place)
        self.head.columns = tuple(columns)


class JsonLines(Reader):
    """One object a line."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self.head = Table(text.path, (), notes=text.notes)
        self._fill(_numbered(io.StringIO(text.head, newline="\n")))

    def records(self) -> Iterator[Record]:
        """The lines that hold something."""
        return _numbered(self._text.lines("\n"))

    def row(self, record: Record) -> Row:
        """The line's object."""
        return object_of(self._text.sound(record.content))

    def share(self) -> float | None:
        """Bytes of the file's."""
        return self._text.source.share()


def _numbered(lines: Iterator[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield Record(number, line)


class PlainLines(Reader):
    """One text a line, the task's field `name`."""

    def __init__(self, text: Text, name: str) -> None:
        self._text, self._name = text, name
        self.head = Table(text.path, (name,), notes=text.notes)
        self._fill(_texts(io.StringIO(text.head, newline="\n")))

    def records(self) -> Iterator[Record]:
        """All lines, those without content too."""
        return _texts(self._text.lines("\n"))

    def row(self, record: Record) -> Row:
        """The line under the field's name."""
        if not record.content.strip():
            raise ValueError(f"the text '{self._name}' is empty (expected: a text in every row)")
        return {self._name: self._text.sound(record.content)}

    def share(self) -> float | None:
        """Bytes of the file's."""
        return self._text.source.share()


def _texts(lines: Iterator[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        yield Record(number, line.removesuffix("\n").removesuffix("\r"))


class Separated(Reader):
    """Cells with a separator between; `usual` is the one that the file's name stands for."""

    def __init__(self, text: Text, usual: str) -> None:
        self._text = text
        self._cells = cells_of(text.head, usual, text.path, text.notes)
        self.head = Table(text.path, self._cells.header.columns, notes=text.notes)
        self._fill(self._first())

    def _first(self) -> Iterator[Record]:
        """The records of the beginning; of the last one an end may be missing."""
        try:
            yield from self._records(io.StringIO(self._text.head, newline=""))
        except InputError:
            return

    def records(self) -> Iterator[Record]:
        """The records that hold something, without the header."""
        return self._records(self._text.lines(""))

    def _records(self, lines: Iterator[str]) -> Iterator[Record]:
        for cells, line in records_of(lines, self._cells, self._text.path):
            yield Record(line, cells)

    def row(self, record: Record) -> Row:
        """The cells under their columns' names."""
        row = self._cells.header.row([self._text.sound(cell) for cell in record.content])
        if row is None:
            raise ValueError(self._cells.header.misfit(record.content))
        return dict(row)

    def share(self) -> float | None:
        """Bytes of the file's."""
        return self._text.source.share()


class ParquetRows(Reader):
    """The rows of a parquet file, a group of them in memory at a time."""

    def __init__(self, path: Path) -> None:
        import_parquet(path)
        import pyarrow
        import pyarrow.parquet

        try:
            self._file = pyarrow.parquet.ParquetFile(path)
        except (pyarrow.ArrowException, ValueError) as error:
            raise InputError(Fault(f"not a parquet file: {error}", where=str(path))) from None
        self._read, self._rows = 0, self._file.metadata.num_rows
        self.head = Table(path, tuple(self._file.schema_arrow.names), unit="row")
        self._fill(record for record, _ in zip(self.records(), range(ROWS), strict=False))

    def records(self) -> Iterator[Record]:
        """Values by column; names stand for the numbers of classes."""
        self._read = 0
        for batch in self._file.iter_batches(batch_size=ROWS):
            columns = batch.to_pydict()
            name_classes(columns, self._file.schema_arrow.metadata or {})
            for values in zip(*columns.values(), strict=True):
                self._read += 1
                yield Record(self._read, dict(zip(columns, values, strict=True)))

    def row(self, record: Record) -> Row:
        """As it stands."""
        return dict(record.content)

    def share(self) -> float | None:
        """Rows of the file's."""
        return float(self._read / max(1, self._rows))
