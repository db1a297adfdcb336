"""Rows of JSON: one object a line, or an array of objects."""

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote
from typing import Any

from nshot.core.errors import Fault, InputError
from nshot.core.files import decode
from nshot.data.faults import Faults
from nshot.data.table import Row, Table


def read_lines_of_json(path: Path, raw: bytes, faults: Faults) -> Table:
    """One object a line."""
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


def read_json(path: Path, raw: bytes, faults: Faults) -> Table | None:
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
        return read_lines_of_json(path, text.encode(), faults)
    inner = [k for k, v in whole.items() if isinstance(v, list)] if isinstance(whole, dict) else []
    rows = quote(str(path.with_suffix(".rows.json")))
    do = f"jq {quote(f'.{inner[0]}')} {quote(str(path))} > {rows}" if inner else ""
    problem = f"a JSON {_JSON_NAMES.get(type(whole), 'object')}"
    raise InputError(Fault(problem, "an array of objects, or one a line", do, str(path)))
