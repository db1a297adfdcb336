"""The report of a run: one self-contained HTML page made of its board and its details."""

from __future__ import annotations

from pathlib import Path

from nshot.audit.carrying_out import FILE, FOLDER, AuditReport, read
from nshot.board.schema import Board, Details
from nshot.core.files import write_atomic
from nshot.core.serial import read_json
from nshot.report.page import render

__all__ = ["render", "write"]


def write(folder: Path) -> Path:
    """Write ``report.html`` of a run's folder from its files and return where it lies.

    Raises `InputError` where there is no board, or none that can be read.
    """
    target = folder / "report.html"
    board, details = Board.read(folder), Details.read(folder)
    write_atomic(target, render(board, details, _audit(folder)))
    return target


def _audit(folder: Path) -> AuditReport | None:
    """The audit of the winner that lies in a run's folder; None of none, or of an earlier one."""
    if not (folder / FOLDER / FILE).is_file():
        return None
    report = read(folder / FOLDER)
    origin = folder / "winner" / "method.json"
    job = read_json(origin).get("job") if origin.is_file() else None
    return report if report.winner == job else None
