"""The model card of a delivered folder: ``README.md`` in the form of the Hugging Face Hub.

The board, what it was measured on, and what nobody measured. ``huggingface_hub`` writes the
metadata, so that the Hub reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from nshot.audit.carrying_out import AuditReport
from nshot.board.schema import Advice, Board, Row
from nshot.core.energy import Spent
from nshot.core.types import Kind
from nshot.report.audits_told import audit_lines

FILE = "README.md"
_PIPELINES: dict[Kind, str] = {
    "classify": "text-classification",
    "score": "text-classification",
    "multilabel": "text-classification",
    "number": "text-classification",
    "spans": "token-classification",
    "rank": "text-ranking",
    "generate": "text-generation",
}
_VERBS: dict[Kind, str] = {
    "classify": "giving one label to",
    "score": "giving a level to",
    "multilabel": "giving labels to",
    "number": "giving a number to",
    "spans": "marking pieces of",
    "rank": "putting answers in order for",
    "generate": "answering",
}
_TITLES = ("contender", "score", "95 % interval", "test rows")


class Beside(NamedTuple):
    """What lies beside a board: the audit of its pick, and what its run has taken."""

    audit: AuditReport | None = None
    spent: Spent | None = None


NOTHING = Beside()


def card(board: Board, advice: Advice, beside: Beside = NOTHING) -> str:
    """The whole file."""
    from huggingface_hub import EvalResult, ModelCardData

    task, pick = board.task, board.row(advice.pick)
    results = None
    if pick.score is not None:
        results = [
            EvalResult(
                task_type=_PIPELINES.get(task.kind, "other"),
                dataset_type=f"private-{board.fingerprint[:16]}",
                dataset_name=task.name,
                metric_type=task.metric,
                metric_value=round(pick.score, 4),
            )
        ]
    data = ModelCardData(
        model_name=task.name,
        library_name="nshot",
        pipeline_tag=_PIPELINES.get(task.kind),
        base_model=_hub_id(pick.base),
        tags=["nshot", pick.method],
        eval_results=results,
    )
    return (
        f"---\n{data.to_yaml()}\n---\n\n"
        + "\n\n".join(_sections(board, advice, pick, beside))
        + "\n"
    )


def _sections(board: Board, advice: Advice, pick: Row, beside: Beside) -> Iterator[str]:
    task = board.task
    yield f"# {task.name}"
    models = [f"on {name}" for name in (pick.base, pick.encoder) if name]
    yield (
        f"A model for a task of kind {task.kind}, made by nshot: method `{pick.method}`"
        f"{' ' if models else ''}{' '.join(models)}, adapted on {task.train} labelled rows."
    )
    if task.labels:
        names = ", ".join(f"`{label.name}`" for label in task.labels)
        yield f"It answers one of: {names}."
    yield "## Use"
    yield (
        "```python\nimport nshot\n\nmodel = nshot.load(FOLDER)  # the folder of this file\n"
        'model.predict(["..."])\n```\n\n'
        "`nshot check FOLDER` compares its answers on this machine with those that it was delivered"
        " with (`check.jsonl`); a file that has changed since it was saved is refused."
    )
    yield "\n".join(f"- {line}" for line in _uses(board))
    yield "## How good it is"
    yield "\n".join(f"- {reason}" for reason in advice.reasons)
    yield _table(board)
    yield (
        f"Score is {task.metric} on {task.test} test rows ({_MODES[task.mode]}). The data are known"
        f" by the hash of every row: `{board.fingerprint}`. A board with the same hash was measured"
        " on the same rows."
    )
    yield "## Limits"
    yield "\n".join(f"- {limit}" for limit in _limits(board, advice, pick))
    yield from audit_lines(beside.audit, ())
    yield "## What it took"
    yield _taken(board, beside.spent)


_MODES = {
    "file": "a test file of its own",
    "holdout": "held out, never learned from",
    "folds": "folds: each row answered by a model that had not seen it",
}


def _table(board: Board) -> str:
    """The rows of the contest that have a score, the best first."""
    rows = [row for row in board.contest if row.score is not None]
    lines = [f"| {' | '.join(_TITLES)} |", "|---|--:|--:|--:|"]
    for row in sorted(rows, key=lambda row: -(row.score or 0.0)):
        ends = "" if row.low is None or row.high is None else f"{row.low:.3f} to {row.high:.3f}"
        lines.append(f"| {row.name} | {row.score:.3f} | {ends} | {row.test_rows or ''} |")
    return "\n".join(lines)


def _uses(board: Board) -> Iterator[str]:
    """What it was made for, and what it was not."""
    task = board.task
    yield f"Made for: {_VERBS.get(task.kind, 'answering')} inputs like the rows of {task.name}."
    yield (
        "Not made for: decisions about people without one who looks at them, inputs of another kind"
        " than its rows, and use as evidence of anything but the rows it was measured on."
    )
    yield "Licence: that of the base model and of the rows, which nshot does not know: not stated."


def _taken(board: Board, spent: Spent | None) -> str:
    """Of the whole comparison, of which this model is one row."""
    tried = len(board.contest)
    if spent is None:
        return f"Energy: not counted. {tried} contenders were compared to find this one."
    text = (
        f"{spent.processor_seconds:,.0f} seconds of the processor for the whole comparison of"
        f" {tried} contenders"
    )
    if spent.kwh is None:
        return f"{text}. Energy: unknown, since this machine shows no counter of it."
    return (
        f"{text}; {spent.kwh:.4f} kWh by the processors' own counters (RAPL), whatever else ran on"
        " them, without memory, graphics cards and cooling."
    )


def _limits(board: Board, advice: Advice, pick: Row) -> Iterator[str]:
    """What the measurement does not say."""
    task = board.task
    yield (
        f"On new inputs like the test rows expect {advice.corrected_score:.3f}"
        f" ({advice.corrected_low:.3f} to {advice.corrected_high:.3f}): the pick's score less what"
        " winning flatters."
    )
    yield "Inputs of another origin, time or language than the rows above were not measured."
    if task.labels:
        yield "It has no answer but its labels: an input that fits none gets one all the same."
    if task.fewest is not None:
        yield f"The rarest label has {task.fewest} labelled rows."
    yield from pick.notes
    yield from task.notes


def _hub_id(name: str | None) -> str | None:
    """A base that the Hub knows by its name; a folder of this machine is none of its business."""
    return name if name and name.count("/") == 1 and not name.startswith((".", "/", "~")) else None
