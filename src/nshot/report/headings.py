"""What a board is of, in the few words that a terminal and a page put over it. Plain values."""

from __future__ import annotations

from typing import Literal, TypeAlias

from nshot.board.schema import Row, TaskSummary
from nshot.core.types import LABELLED

Settings: TypeAlias = Literal["searched", "default", "fixed"]
"""Chosen by a search; as the method comes, though a search could choose; nothing left to choose."""


def question(task: TaskSummary) -> str:
    """Which question the board answers: what was fitted, on how much, how often."""
    if task.question == 1 and task.mode == "folds":
        repeats = f", {task.seeds} repeats" if task.seeds > 1 else ""
        return f"all {task.train:,} labelled rows in folds{repeats}; delivered: fitted on all"
    if task.question == 1:
        delivered = "as delivered" if task.refit is None else "delivered fitted anew"
        return f"all {task.train:,} labelled rows, one fit a method, {delivered}"
    size = task.shots[-1] if task.shots else "all"
    each = " a label" * (task.kind in LABELLED)
    learned = "all rows" if size == "all" else f"{size} examples{each}"
    return f"{learned}, {'1 draw' if task.seeds == 1 else f'up to {task.seeds} draws'}"


def rows_answered(row: Row, task: TaskSummary) -> str:
    """How many test rows a row has answered: ``400``, or ``100 of 400``; "" where none."""
    if not row.test_rows:
        return ""
    whole = f"{task.test:,}"
    return whole if row.test_rows >= task.test else f"{row.test_rows:,} of {whole}"


def settings_of(row: Row) -> Settings:
    """How the settings came about that a row was measured with."""
    if not row.searched:
        return "default"
    return "searched" if row.trials else "fixed"
