"""The answers of the last run by their inputs: rows that did not change keep theirs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nshot.data.blocks import Row
from nshot.use.answers import key_of
from nshot.use.lines import answer_column
from nshot.use.offline.forms import Form
from nshot.use.offline.state import Beside, State

BYTES = 32
_AT_ONCE = 500


def key(row: Row) -> bytes:
    """The `BYTES` that name what a row asks of whom; of one that cannot be read nothing."""
    return b"" if row.input is None else key_of(row.under, row.input)


class LastAnswers:
    """What the last run wrote, by the inputs' keys, in a file that goes with it."""

    def __init__(self, beside: Beside, form: Form, record: State) -> None:
        self._path = beside.output.with_name(f".{beside.output.name}.last")
        self._path.unlink(missing_ok=True)
        self._db = sqlite3.connect(self._path)
        self._db.execute("pragma journal_mode=off")
        self._db.execute("pragma synchronous=off")
        self._db.execute("create table last (key blob primary key, line text) without rowid")
        lines = (json.dumps(_bare(line, record, form.table)) for line in form.read(beside.output))
        with self._db:
            rows = zip(_keys(beside.keys), lines, strict=False)
            self._db.executemany("insert or ignore into last values (?, ?)", rows)

    def get(self, keys: Sequence[bytes]) -> dict[bytes, dict[str, Any]]:
        """The answers that are there."""
        known: dict[bytes, dict[str, Any]] = {}
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            query = f"select key, line from last where key in ({','.join('?' * len(some))})"
            known |= {key: json.loads(line) for key, line in self._db.execute(query, some)}
        return known

    def close(self) -> None:
        """The file goes."""
        self._db.close()
        self._path.unlink(missing_ok=True)


def _keys(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while key := file.read(BYTES):
            yield key


def _bare(line: dict[str, Any], record: State, table: bool) -> dict[str, Any]:
    """The answer alone, under its own keys."""
    if not table:
        return {name: value for name, value in line.items() if name != "id"}
    cells = record.cells
    own = {answer_column(key, cells): key for key in (n.removeprefix("nshot_") for n in cells)}
    answers = [name for name in record.columns or () if name not in cells and name != "id"]
    return {own.get(name, name): line[name] for name in answers}
