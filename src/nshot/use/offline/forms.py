"""Forms of a file of answers: lines of JSON, cells, parquet. Each is written piece by piece."""

from __future__ import annotations

import csv
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from nshot.core.errors import Fault, InputError
from nshot.data.files.separated import long_cells

Line: TypeAlias = Mapping[str, Any]
"""An answer; of a table all columns of its row."""
SUFFIXES = (".jsonl", ".csv", ".tsv", ".parquet")
_FOREIGN = frozenset({".xlsx", ".xls", ".ods", ".feather", ".arrow", ".zip", ".gz"})
"""What a reader would take for something else than lines of JSON."""
_GROUP = 50_000
"""Rows of one group of a parquet file."""


class Form(ABC):
    """How lines become bytes. A `table` has the columns of the inputs beside the answers."""

    table = True

    def begin(self, columns: Sequence[str]) -> bytes:
        """What stands before the first line."""
        return b""

    @abstractmethod
    def lines(self, lines: Sequence[Line], columns: Sequence[str]) -> bytes:
        """The lines as they are appended."""

    @abstractmethod
    def read(self, path: Path) -> Iterator[dict[str, Any]]:
        """The lines of a whole file."""

    def close(self, pieces: Path) -> Path:
        """The whole file, made of all that was appended to `pieces`."""
        return pieces


class JsonLines(Form):
    """A JSON object a line."""

    table = False

    def lines(self, lines: Sequence[Line], columns: Sequence[str]) -> bytes:
        """One after the other, in UTF-8."""
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()

    def read(self, path: Path) -> Iterator[dict[str, Any]]:
        """The objects."""
        with path.open(encoding="utf-8", newline="\n") as file:
            for line in file:
                yield json.loads(line)


class _Lines:
    """Rows as the csv module writes them: it quotes a cell with an end of line of its own, "\r\n",
    in it. The rows end with "\n"."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        self.lines.append(line.removesuffix("\r\n") + "\n")


class Cells(Form):
    """Cells with a separator between, under a header."""

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect

    def begin(self, columns: Sequence[str]) -> bytes:
        """The names of the columns."""
        return self._written([columns])

    def lines(self, lines: Sequence[Line], columns: Sequence[str]) -> bytes:
        """A row of cells each; nothing where a line lacks the column."""
        return self._written([[_cell(line.get(name)) for name in columns] for line in lines])

    def _written(self, rows: Sequence[Sequence[object]]) -> bytes:
        written = _Lines()
        csv.writer(written, self._dialect).writerows(rows)
        return "".join(written.lines).encode()

    def read(self, path: Path) -> Iterator[dict[str, Any]]:
        """The rows, every cell as text."""
        with long_cells(), path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file, dialect=self._dialect)


def _cell(value: object) -> object:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | list) else value


class Parquet(Form):
    """Columns in groups of rows. It is closed at the end: until then its rows are lines of JSON."""

    def __init__(self) -> None:
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            do = "pip install 'nshot[parquet]', or -o answers.csv"
            raise InputError(
                Fault("parquet files need pyarrow, which is not installed", do=do)
            ) from None

    def lines(self, lines: Sequence[Line], columns: Sequence[str]) -> bytes:
        """All columns of each line, None where it lacks one."""
        return JsonLines().lines([{n: line.get(n) for n in columns} for line in lines], columns)

    def read(self, path: Path) -> Iterator[dict[str, Any]]:
        """The rows."""
        import pyarrow.parquet

        for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()

    def close(self, pieces: Path) -> Path:
        """The types of all columns, then the rows, group by group."""
        import pyarrow
        import pyarrow.parquet

        schema = pyarrow.schema([])
        for group in _groups(pieces):
            own = pyarrow.Table.from_pylist(group, None).schema
            schema = pyarrow.unify_schemas([schema, own], promote_options="permissive")
        whole = pieces.with_name(f"{pieces.name}.whole")
        with whole.open("wb") as file:
            with pyarrow.parquet.ParquetWriter(file, schema) as writer:
                for group in _groups(pieces):
                    writer.write_table(pyarrow.Table.from_pylist(group, schema))
            os.fsync(file.fileno())
        return whole


def _groups(pieces: Path) -> Iterator[list[dict[str, Any]]]:
    rows = JsonLines().read(pieces)
    while group := list(islice(rows, _GROUP)):
        yield group


def form_of(output: Path) -> Form:
    """The form that the file's name stands for: lines of JSON where it stands for none.

    Raises `InputError` for names of files of another kind.
    """
    if output.is_dir():
        raise InputError(Fault(f"-o {output} is a folder", expected="a file to write"))
    suffix = output.suffix.lower()
    if suffix in _FOREIGN:
        expected = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        raise InputError(Fault(f"-o {output}: predict writes no such file", expected))
    if suffix == ".parquet":
        return Parquet()
    if suffix in (".csv", ".tsv"):
        return Cells("excel" if suffix == ".csv" else "excel-tab")
    return JsonLines()
