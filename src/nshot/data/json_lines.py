"""Files of one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nshot.core.errors import Fault, InputError
from nshot.core.files import write_atomic
from nshot.core.serial import dumps


def write_rows(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object per line, UTF-8, keys in their order: the whole file or none of it."""
    write_atomic(Path(path), "".join(dumps(row, canonical=False) + "\n" for row in rows))


def read_rows(path: str | Path) -> list[dict[str, Any]]:
    """Read what `write_rows` wrote. Raises `InputError` with the line of a broken row."""
    rows = []
    lines = Path(path).read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(
                Fault(f"not a row of JSON: {error}", where=f"{path}, line {number}")
            ) from None
        rows.append(row)
    return rows
