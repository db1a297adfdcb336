"""Files become tables: named columns, rows, and where each row stands."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any, Literal, TypeAlias

from nshot.core.errors import Fault, InputError
from nshot.core.files import UNSAFE, decode
from nshot.data.faults import Faults, Place

Row: TypeAlias = dict[str, Any]
_Quoting: TypeAlias = Literal[0, 3]

_CELL_LIMIT = 2**31 - 1
_MAGIC = (
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"\x93NUMPY", "a numpy array"),
)


@dataclass
class Table:
    """Rows of one file: `places[i]` is where row i stands, counted in `unit`.

    `broken` says that rows were left out because they could not be read.
    """

    path: Path
    columns: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    unit: str = "line"
    broken: bool = False
    notes: list[str] = field(default_factory=list)


def read_table(path: Path, faults: Faults) -> Table | None:
    """Read a .jsonl, .json, .csv, .tsv or .parquet file.

    Notes in `faults` every line that cannot be read; None when nothing can be.
    """
    try:
        raw = _bytes(path)
        table = _READERS[path.suffix.lower()](path, raw, faults)
    except InputError as error:
        faults.add(*error.faults)
        return None
    except OSError as error:
        where = str(error.filename or path)
        faults.add(Fault(f"cannot be read: {error.strerror}", where=where))
        return None
    if table is not None and not table.rows and not table.broken:
        faults.add(Fault("no rows", expected="a row for each example", where=str(path)))
    return table if table is not None and table.rows else None


def _bytes(path: Path, known: Iterable[str] = ()) -> bytes:
    """The content of a file. Raises `InputError`: absent, empty, pickled, of no known kind."""
    suffix, where = path.suffix.lower(), str(path)
    kinds = ", ".join(known or _READERS)
    if not path.exists():
        near = sorted(p.name for p in path.parent.glob("*") if p.suffix in _READERS)[:8]
        have = f"{path.parent} has {', '.join(near)}" if near else ""
        raise InputError(Fault("no such file", expected=f"one of {kinds}", do=have, where=where))
    if suffix in UNSAFE:
        raise InputError(_pickled(f"a {suffix} file is, or may hold, a pickle", kinds, where))
    with path.open("rb") as file:
        head = file.read(8)
    kind = next((name for magic, name in _MAGIC if head.startswith(magic)), None)
    if kind == "a pickle":
        raise InputError(_pickled("this is a pickle", kinds, where))
    if suffix not in (known or _READERS):
        problem = (
            f"no reader for '{suffix}' files" if suffix else "a file name without an extension"
        )
        raise InputError(Fault(problem, expected=f"one of {kinds}", where=where))
    if kind:
        raise InputError(Fault(f"this is {kind}", expected=f"text of kind {suffix}", where=where))
    if not head:
        raise InputError(Fault("the file is empty", expected="a row for each example", where=where))
    return path.read_bytes()


def _pickled(problem: str, kinds: str, where: str) -> Fault:
    return Fault(
        f"{problem}: it can run code when it is opened, so nshot does not open it",
        expected=f"one of {kinds}",
        do="write the rows as .jsonl: one JSON object per line",
        where=where,
    )


def _jsonl(path: Path, raw: bytes, faults: Faults) -> Table:
    table = Table(path, ())
    columns: dict[str, None] = {}
    for number, line in enumerate(decode(raw, path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = _json_object(line)
        except (ValueError, RecursionError) as error:
            table.broken = True
            faults.at(
                path,
                "line",
                number,
                f"not a JSON object: {getattr(error, 'msg', None) or error}",
                expected='one object per line, such as {"text": "...", "label": "..."}',
            )
            continue
        columns.update(dict.fromkeys(row))
        table.rows.append(row)
        table.places.append(number)
    table.columns = tuple(columns)
    return table


def _json_object(line: str) -> Row:
    row = _strict_json(line)
    if not isinstance(row, dict):
        raise ValueError(f"a JSON {_JSON_NAMES.get(type(row), 'value')}")
    return row


def _strict_json(text: str) -> Any:
    """JSON without repeated keys and without halves of surrogate pairs; else `ValueError`."""
    content = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_no_constant)
    if "\\ud" in text or "\\uD" in text:
        json.dumps(content, ensure_ascii=False).encode()  # half a surrogate pair raises ValueError
    return content


_JSON_NAMES = {list: "list", str: "text", int: "number", float: "number", type(None): "null"}


def _without_repeats(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError("a key stands twice")
    return row


def _no_constant(name: str) -> None:
    """NaN, as some writers put for a value that is missing."""


def _json(path: Path, raw: bytes, faults: Faults) -> Table | None:
    """An array of objects, each a row; or one object a line, which files of this name hold too."""
    text = decode(raw, path)
    if not text.lstrip().startswith("["):
        return _object_lines(path, text, faults)
    try:
        items = _strict_json(text)
    except (ValueError, RecursionError) as error:
        line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        problem = f"not JSON: {getattr(error, 'msg', None) or error}"
        raise InputError(Fault(problem, "an array of objects", where=f"{path}{line}")) from None
    table = Table(path, (), unit="row")
    for number, item in enumerate(items, start=1):
        if isinstance(item, dict):
            table.rows.append(item)
            table.places.append(number)
            continue
        table.broken = True
        problem = f"not an object: a JSON {_JSON_NAMES.get(type(item), 'value')}"
        faults.at(
            path, "row", number, problem, 'an object, such as {"text": "...", "label": "..."}'
        )
    table.columns = tuple(dict.fromkeys(name for row in table.rows for name in row))
    return table


def _object_lines(path: Path, text: str, faults: Faults) -> Table:
    """One object a line. Raises `InputError` for a text that is one value as a whole."""
    try:
        whole = _strict_json(text)
    except (ValueError, RecursionError):
        return _jsonl(path, text.encode(), faults)
    inner = [k for k, v in whole.items() if isinstance(v, list)] if isinstance(whole, dict) else []
    rows = quote(str(path.with_suffix(".rows.json")))
    do = f"jq {quote(f'.{inner[0]}')} {quote(str(path))} > {rows}" if inner else ""
    problem = f"a JSON {_JSON_NAMES.get(type(whole), 'object')}"
    raise InputError(Fault(problem, "an array of objects, or one a line", do, str(path)))


def _csv(path: Path, raw: bytes, faults: Faults) -> Table | None:
    return _separated(path, decode(raw, path), ",", csv.QUOTE_MINIMAL, faults)


def _tsv(path: Path, raw: bytes, faults: Faults) -> Table | None:
    """Tabs; quotes group cells where that reads without a fault, else they are plain text."""
    text, trial = decode(raw, path), Faults()
    table = _separated(path, text, "\t", csv.QUOTE_MINIMAL, trial)
    if not trial:
        return table
    table = _separated(path, text, "\t", csv.QUOTE_NONE, faults)
    if table is not None:
        table.notes.append(f"{path.name}: quotes are read as plain text")
    return table


def _separated(
    path: Path, text: str, comma: str, quoting: _Quoting, faults: Faults
) -> Table | None:
    """A header and rows of as many cells. None when the header itself is at fault."""
    with _long_cells():
        records = _records(path, text, comma, quoting, faults)
        header, first = next(records, ([], 1))
        header = [name.strip() for name in header]
        if not _sound_header(path, header, first, faults):
            return None
        table = Table(path, tuple(header))
        for cells, line in records:
            if len(cells) == len(header) and cells is not _BROKEN:
                table.rows.append(dict(zip(header, cells, strict=True)))
                table.places.append(line)
                continue
            table.broken = True
            if cells is not _BROKEN:
                faults.at(
                    path,
                    "line",
                    line,
                    f"{len(cells)} cells, the header has {len(header)}",
                    expected='a cell that holds a separator or a line end in quotes: "like, this"',
                )
    return table


_BROKEN: list[str] = []
"""Stands for a record that could not be read; told apart by identity."""


def _records(
    path: Path, text: str, comma: str, quoting: _Quoting, faults: Faults
) -> Iterator[tuple[list[str], int]]:
    """(cells, first line) of each record that is not blank."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=comma, quoting=quoting, strict=True
    )
    while True:
        first = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            open_ended = "unexpected end of data" in str(error)
            problem = "a quote opened here is never closed" if open_ended else str(error)
            faults.at(
                path,
                "line",
                first,
                f"malformed: {problem}",
                expected='a quote inside quotes doubled: "say ""hello"""',
            )
            yield _BROKEN, first
            continue
        if cells:
            yield cells, first


def _sound_header(path: Path, header: list[str], line: int, faults: Faults) -> bool:
    if not header:
        faults.add(Fault("the file has no header", where=f"{path}, line {line}"))
    for name in sorted({name for name in header if header.count(name) > 1}):
        faults.at(
            path,
            "line",
            line,
            f"{header.count(name)} columns have the name '{name}'",
            expected="a header with a name of its own for each column",
        )
    return bool(header) and len(set(header)) == len(header)


@contextmanager
def _long_cells() -> Iterator[None]:
    """The csv module's limit of 128 KiB a cell lifted, and put back."""
    before = csv.field_size_limit(_CELL_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _parquet(path: Path, raw: bytes, faults: Faults) -> Table | None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError(
            Fault(
                "parquet files need pyarrow, which is not installed",
                do="pip install 'nshot[parquet]'",
                where=str(path),
            )
        ) from None
    try:
        content = pyarrow.parquet.read_table(pyarrow.BufferReader(raw))
        columns = {name: content.column(name).to_pylist() for name in content.column_names}
    except (pyarrow.ArrowException, ValueError, KeyError) as error:
        raise InputError(Fault(f"not a parquet file: {error}", where=str(path))) from None
    _name_classes(columns, content.schema.metadata or {})
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return Table(path, tuple(columns), rows, list(range(1, len(rows) + 1)), unit="row")


def _name_classes(columns: dict[str, list[Any]], metadata: dict[bytes, bytes]) -> None:
    """Put names for the numbers of ClassLabel columns, which Hugging Face keeps in the metadata."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return
    for name, feature in features.items():
        if name in columns and isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
            names = feature.get("names") or []
            columns[name] = [
                names[v] if isinstance(v, int) and 0 <= v < len(names) else v for v in columns[name]
            ]


_READERS = {".jsonl": _jsonl, ".json": _json, ".csv": _csv, ".tsv": _tsv, ".parquet": _parquet}


READ = tuple(_READERS)
"""The endings of files that are read."""


def cell_text(cell: Any) -> str | None:
    """A cell as text: numbers and dates as they print, whole floats as integers, nothing as "".

    None for lists and mappings.
    """
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return "" if cell != cell else str(int(cell)) if cell.is_integer() else repr(cell)
    return None if isinstance(cell, (list, dict, tuple, set, bytes)) else str(cell)


def read_lines(path: Path) -> list[str]:
    """The lines of a ``.txt`` file, without the last line end."""
    return read_text(path).replace("\r\n", "\n").removesuffix("\n").split("\n")


def read_text(path: Path) -> str:
    """All of a ``.txt`` file. Raises `InputError`: absent, empty, not UTF-8."""
    return decode(_bytes(path, known=(".txt",)), path)
