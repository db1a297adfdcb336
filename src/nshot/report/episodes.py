"""Episodes on a terminal, and how the learning went as a drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nshot.core.files import write_atomic
from nshot.report import charts
from nshot.report.numbers import say
from nshot.report.terminal import text_table

_SHOWN_STEPS = 120
"""Points of a loss curve: each is the mean of the steps around it."""


def table(result: Mapping[str, Any], width: int | None = None) -> str:
    """Each method's accuracy on each set and shape, its untrained self beside it."""
    measured = [column.rpartition(" ") for column in columns(result)]
    headings = [("method", False), *((f"{one[0]}\n{one[2]}", False) for one in measured)]
    headings += [("parameters", True), ("steps", True), ("training", True), ("note", False)]
    rows = [_cells(row, len(measured)) for row in result["methods"]]
    return text_table(headings, rows, width, least=110)


def columns(result: Mapping[str, Any]) -> list[str]:
    """What is measured, in the order of each method's scores: ``5-way 1-shot``, sets named."""
    return [
        f"{one['name']}: {_named(shape)}" if i else _named(shape)
        for i, one in enumerate(result["sets"])
        for shape in one["shapes"]
    ]


def _named(shape: Mapping[str, Any]) -> str:
    return f"{shape['way']}-way {shape['shot']}-shot"


def cell(after: Mapping[str, Any], before: Mapping[str, Any] | None) -> str:
    """``97.1 ±0.3 (56.1)``: percent, half of the 95 % interval, and untrained."""
    half = "" if after["half"] is None else f" ±{100 * after['half']:.1f}"
    was = "" if before is None else f" ({say(before['mean'], 'score')})"
    return f"{say(after['mean'], 'score')}{half}{was}"


def _cells(row: Mapping[str, Any], count: int) -> Sequence[str]:
    training = row["training"]
    scores = ["-"] * count
    if row["status"] == "ok":
        before = row["untrained"] if training else [None] * count
        scores = [cell(one, was) for one, was in zip(row["scores"], before, strict=True)]
    done = ["", "", ""]
    if training:
        took = say(training["seconds"], "seconds")
        done = [f"{training['parameters']:,}", f"{len(training['losses'])}", took]
    why = "" if row["status"] == "ok" else f"{row['status']}: {row['reason']}"
    return row["name"], *scores, *done, why


def learning(result: Mapping[str, Any]) -> str | None:
    """The learning of each trained method as one SVG file's text; None where nothing was trained.

    Above the loss on background classes, below the accuracy on those that were kept out of it.
    """
    trained = [row for row in result["methods"] if row["training"]]
    if not trained:
        return None
    losses = [
        charts.Losses(row["name"], "could", _smoothed(row["training"]["losses"])) for row in trained
    ]
    accuracy = [
        charts.Series(
            row["name"], "could", tuple((s, v, None, None) for s, v in row["training"]["watched"])
        )
        for row in trained
    ]
    return charts.standalone(charts.learning(losses, accuracy, "How the learning went"))


def _smoothed(losses: Sequence[float]) -> tuple[tuple[int, float], ...]:
    """(last step, mean loss) of about `_SHOWN_STEPS` stretches."""
    size = max(1, len(losses) // _SHOWN_STEPS)
    parts = [losses[i : i + size] for i in range(0, len(losses), size)]
    return tuple((i * size + len(part), sum(part) / len(part)) for i, part in enumerate(parts))


def write(result: Mapping[str, Any], folder: Path) -> Path | None:
    """Put ``learning.svg`` into a run's folder, if anything was trained; where it lies."""
    drawing = learning(result)
    if drawing is None:
        return None
    target = folder / "learning.svg"
    write_atomic(target, drawing)
    return target
