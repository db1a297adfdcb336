"""The card of a run's data: ``data/README.md`` in the form of the Hugging Face Hub.

What a run knows of its rows: how many, of which labels, how they were cut, their hash, what was
wrong in them. What only their owner knows (origin, licence, consent) is asked for by name.
"""

from __future__ import annotations

from collections.abc import Iterator

from nshot.audit.carrying_out import AuditReport
from nshot.board.schema import Board
from nshot.core.types import Kind
from nshot.report.audits_told import audit_lines

_CATEGORIES: dict[Kind, str] = {
    "classify": "text-classification",
    "score": "text-scoring",
    "multilabel": "multi-label-classification",
    "number": "text-scoring",
    "spans": "token-classification",
    "rank": "text-ranking",
    "generate": "text-generation",
}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_MODES = {
    "file": "the test rows came in a file of their own",
    "holdout": "the test rows were held out at random, whole groups together",
    "folds": "no rows were held out: each was answered by a model that had not seen it",
}
_FOR_THE_OWNER = (
    "where the rows come from, who wrote and who labelled them, and by which rules",
    "under which licence or contract they may be used and passed on",
    "whether people in them have agreed, and what is personal in them",
    "whom they leave out: languages, dialects, times, groups",
)


def data_card(board: Board, audit: AuditReport | None = None) -> str:
    """The whole file. Nothing in it is a row of the data."""
    from huggingface_hub import DatasetCardData

    task = board.task
    rows = task.train if task.mode == "folds" else task.train + task.test
    data = DatasetCardData(
        pretty_name=task.name,
        task_categories=[_CATEGORIES.get(task.kind, "other")],
        size_categories=[next((name for most, name in _SIZES if rows < most), "n>1M")],
        tags=["nshot"],
    )
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(_sections(board, rows, audit)) + "\n"


def _sections(board: Board, rows: int, audit: AuditReport | None) -> Iterator[str]:
    task = board.task
    yield f"# Data of {task.name}"
    yield (
        f"{rows} labelled rows for a task of kind {task.kind}, as a run of nshot read them. The"
        f" rows themselves are not here: their hash is `{board.fingerprint}`."
    )
    yield "## Rows"
    lines = [f"- {task.train} to learn from, {task.test} to test on: {_MODES[task.mode]}"]
    if task.fewest is not None:
        lines.append(f"- the rarest label has {task.fewest} labelled rows")
    yield "\n".join(lines)
    if task.labels:
        yield "\n".join(
            f"- `{label.name}`" + (f": {label.description}" if label.description else "")
            for label in task.labels
        )
    yield "## What was wrong in them"
    yield "\n".join(f"- {note}" for note in task.notes) or "Nothing that nshot looks for."
    yield from audit_lines(audit, ("data", "slices"))
    yield "## What only their owner can say"
    yield "\n".join(f"- {line}: not stated" for line in _FOR_THE_OWNER)
