"""From a file to a table: one module a format, each gives the table and what it assumed.

What the file is called decides the reader. Header and columns are judged by others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from nshot.core.files import decode
from nshot.data.faults import Faults
from nshot.data.files.json_rows import read_json, read_lines_of_json
from nshot.data.files.opened import content
from nshot.data.files.parquet import read_parquet
from nshot.data.files.separated import read_csv, read_tsv
from nshot.data.table import Table

_READERS: Mapping[str, Callable[[Path, bytes, Faults], Table | None]] = {
    ".jsonl": read_lines_of_json,
    ".json": read_json,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
}
READ = tuple(_READERS)
"""The endings of files that are read."""


def read_file(path: Path, faults: Faults) -> Table | None:
    """The rows of a file of one of the endings `READ`.

    Every line that cannot be read goes into `faults`. Raises `InputError` where nothing can be.
    """
    raw = content(path, READ)
    return _READERS[path.suffix.lower()](path, raw, faults)


def read_lines(path: Path) -> list[str]:
    """The lines of a ``.txt`` file, without the last line end."""
    return read_text(path).replace("\r\n", "\n").removesuffix("\n").split("\n")


def read_text(path: Path) -> str:
    """All of a ``.txt`` file. Raises `InputError`: absent, empty, not UTF-8."""
    return decode(content(path, (".txt",)), path)
