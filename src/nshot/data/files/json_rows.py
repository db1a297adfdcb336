"""Rows of JSON: one object a line, an array of objects, or another shape that means the same."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

from nshot.core.errors import Fault, InputError
from nshot.data.faults import Faults
from nshot.data.files.json_shapes import Shape, rows_in
from nshot.data.files.opened import Opened
from nshot.data.table import Row, Table

_NAMES = {list: "list", str: "text", int: "number", float: "number", type(None): "null"}
_LINE = 'one object per line, such as {"text": "...", "label": "..."}'


def read_lines_of_json(file: Opened, faults: Faults) -> Table:
    """One object a line; or what a ``.json`` may hold, where the text begins with ``[``."""
    text = file.text()
    if text.lstrip().startswith("["):
        return _read(file, text, faults)
    return _lines_or_stream(file, text, faults)


def _lines_or_stream(file: Opened, text: str, faults: Faults) -> Table:
    """One object a line, else objects one after the other, whatever their line ends."""
    trial = Faults()
    table = _lines(file.path, text, trial)
    if trial and (objects := _stream(text)):
        file.notes.append(f"{file.path.name}: objects one after the other")
        return _table(file.path, Shape(objects), faults)
    faults.join(trial)
    return table


def _stream(text: str) -> list[Any]:
    """The objects of a text that holds nothing else but space and commas; [] for any other."""
    decoder = json.JSONDecoder(object_pairs_hook=_without_repeats, parse_constant=_no_constant)
    objects: list[Any] = []
    at = _next(text, 0)
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return []
        if not isinstance(value, dict):
            return []
        objects.append(value)
        at = _next(text, at)
    return objects


def _next(text: str, at: int) -> int:
    match = re.compile(r"[\s,]*").match(text, at)
    return match.end() if match else at


def _lines(path: Path, text: str, faults: Faults) -> Table:
    table = Table(path, ())
    columns: dict[str, None] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = object_of(line)
        except ValueError as error:
            table.broken = True
            faults.at(path, "line", number, str(error), _LINE)
            continue
        columns.update(dict.fromkeys(row))
        table.rows.append(row)
        table.places.append(number)
    table.columns = tuple(columns)
    return table


def object_of(line: str) -> Row:
    """The object that a line holds. Raises `ValueError` that says what it holds instead."""
    try:
        row = _of_python(line) if line.lstrip().startswith("{'") else _strict(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not a JSON object: {getattr(error, 'msg', None) or error}") from None
    if not isinstance(row, dict):
        raise ValueError(f"not a JSON object: a JSON {_NAMES.get(type(row), 'value')}")
    return row


def _of_python(line: str) -> Any:
    """An object as Python prints it, with single quotes; nothing in it is run."""
    try:
        return ast.literal_eval(line.strip())
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ValueError(f"neither JSON nor printed by Python: {error}") from None


def _strict(text: str) -> Any:
    """JSON without repeated keys and without halves of surrogate pairs; else `ValueError`."""
    content = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_no_constant)
    if "\\ud" in text or "\\uD" in text:
        json.dumps(content, ensure_ascii=False).encode()  # half a surrogate pair raises ValueError
    return content


def _without_repeats(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError("a key stands twice")
    return row


def _no_constant(name: str) -> None:
    """NaN, as some writers put for a value that is missing."""


def read_json(file: Opened, faults: Faults) -> Table | None:
    """An array of objects, each a row; one object a line, which files of this name hold too; or
    one of the shapes of `json_shapes`.
    """
    return _read(file, file.text(), faults)


def _read(file: Opened, text: str, faults: Faults) -> Table:
    try:
        whole = _strict(text)
    except (ValueError, RecursionError) as error:
        if not text.lstrip().startswith("["):
            return _lines_or_stream(file, text, faults)
        inner = re.fullmatch(r"\s*\[(.*),\s*\]\s*", text, re.DOTALL)
        if inner and (objects := _stream(inner[1])):
            file.notes.append(f"{file.path.name}: a comma before the last bracket is left out")
            return _table(file.path, Shape(objects), faults)
        line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        problem = f"not JSON: {getattr(error, 'msg', None) or error}"
        where = f"{file.path}{line}"
        raise InputError(Fault(problem, "an array of objects", where=where)) from None
    shape = rows_in(whole, file.path)
    file.notes += [f"{file.path.name}: {shape.note}"] if shape.note else []
    return _table(file.path, shape, faults)


def _table(path: Path, shape: Shape, faults: Faults) -> Table:
    table = Table(path, (), unit="row")
    for number, item in enumerate(shape.rows, start=1):
        if isinstance(item, dict):
            table.rows.append(item)
            table.places.append(number)
            continue
        table.broken = True
        problem = f"not an object: a JSON {_NAMES.get(type(item), 'value')}"
        faults.at(
            path, "row", number, problem, 'an object, such as {"text": "...", "label": "..."}'
        )
    table.columns = tuple(dict.fromkeys(name for row in table.rows for name in row))
    return table
