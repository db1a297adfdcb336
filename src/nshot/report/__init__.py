"""The report of a run: one self-contained HTML page made of leaderboard.json and details.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nshot.core.errors import Fault, InputError
from nshot.core.files import write_atomic
from nshot.report.html import render

__all__ = ["render", "write"]


def write(folder: Path) -> Path:
    """Write ``report.html`` of a run's folder from its two files and return where it lies.

    Raises:
        InputError: leaderboard.json is absent or is not a JSON object, or details.json is none.
    """
    board = _read(folder / "leaderboard.json")
    details_file = folder / "details.json"
    details = _read(details_file) if details_file.exists() else {}
    target = folder / "report.html"
    write_atomic(target, render(board, details))
    return target


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        do = "nshot compare TASK --out " + str(file.parent)
        raise InputError(Fault("no such file", "the folder of a run", do, str(file))) from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(Fault(str(error), "JSON as nshot wrote it", "", str(file))) from None
    if not isinstance(found, dict):
        raise InputError(Fault("not a JSON object", "JSON as nshot wrote it", "", str(file)))
    return found
