"""From a file to a table: one module a format, each gives the table and what it assumed.

What the file is called decides the reader, but for what its first bytes show for certain. Header
and columns are judged by others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from nshot.data.faults import Faults
from nshot.data.files.conll import read_conll
from nshot.data.files.excel import read_excel
from nshot.data.files.json_rows import read_json, read_lines_of_json
from nshot.data.files.opened import Opened, open_file
from nshot.data.files.parquet import read_parquet
from nshot.data.files.separated import read_csv, read_tsv
from nshot.data.files.text_rows import read_txt
from nshot.data.table import Table

_READERS: Mapping[str, Callable[[Opened, Faults], Table | None]] = {
    ".jsonl": read_lines_of_json,
    ".json": read_json,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".txt": read_txt,
    ".conll": read_conll,
    ".bio": read_conll,
    ".xlsx": read_excel,
    ".parquet": read_parquet,
}
KINDS = tuple(_READERS)
"""The endings of files of rows."""
READ = (*KINDS, ".gz", ".zip", ".bz2", ".xz")
"""The endings of files that are read, packed ones too."""


def read_file(path: Path, faults: Faults, encoding: str | None = None) -> Table | None:
    """The rows of a file of one of the endings `READ`; of standard input where `path` is ``-``.

    Every line that cannot be read goes into `faults`. Raises `InputError` where nothing can be.
    """
    file = open_file(path, KINDS, encoding)
    table = _READERS[file.kind](file, faults)
    if table is not None:
        table.notes[:0] = file.notes
    return table


def read_lines(path: Path, encoding: str | None = None) -> list[str]:
    """The lines of a ``.txt`` file, without the last line end.

    Raises `InputError`: absent, empty, of no encoding that can be told.
    """
    text = open_file(path, (".txt",), encoding).text()
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")


def read_bytes(path: Path) -> bytes:
    """The content of a ``.txt`` file. Raises `InputError`: absent, empty."""
    return open_file(path, (".txt",)).raw
