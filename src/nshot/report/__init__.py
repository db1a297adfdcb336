"""The report of a run: one self-contained HTML page made of its board and its details."""

from __future__ import annotations

from pathlib import Path

from nshot.board.schema import Board, Details
from nshot.core.files import write_atomic
from nshot.report.cards import audit_of
from nshot.report.page import render

__all__ = ["render", "write"]


def write(folder: Path) -> Path:
    """Write ``report.html`` of a run's folder from its files and return where it lies.

    Raises `InputError` where there is no board, or none that can be read.
    """
    target = folder / "report.html"
    board, details = Board.read(folder), Details.read(folder)
    write_atomic(target, render(board, details, audit_of(folder)))
    return target
