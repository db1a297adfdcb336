"""Runs a plain script as a user would, and reads its names."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PLAIN = Path(__file__).resolve().parents[2] / "examples" / "plain"


def lines(path: Path, rows: Sequence[Any]) -> None:
    """Write rows as JSON lines."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")


def run(monkeypatch: Any, folder: Path, script: Path, *words: object) -> dict[str, Any]:
    """The names of a script that ran in `folder`."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [script.name, *map(str, words)])
    return runpy.run_path(str(script))
