"""Several labels as one answer: ``anger | joy``, in the task's order; "" where none applies."""

from __future__ import annotations

from collections.abc import Collection

from nshot.core.types import Task

BETWEEN = "|"
"""Stands between two labels of an answer, and so in no label of a task of kind multilabel."""


def joined(task: Task, labels: Collection[str]) -> str:
    """The labels as an answer."""
    return f" {BETWEEN} ".join(name for name in task.label_names if name in labels)


def labels_of(answer: str) -> tuple[str, ...]:
    """The labels of an answer; pieces that are no label stay what they are."""
    return tuple(name for piece in answer.split(BETWEEN) if (name := piece.strip()))
