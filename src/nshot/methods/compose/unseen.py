"""A part of a method of methods: built, and its answers to rows that it has not learned from."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from nshot.core.types import Example, Prediction, Shots, Task
from nshot.methods.contract import Method, Workbench
from nshot.predictors.base import Predictor

FOLDS, SLOW_FOLDS = 4, 2
"""In which a part learns to answer rows that it has not seen."""


def folds_of(part: Method) -> int:
    """Fewer for a part that takes minutes."""
    return FOLDS if part.fast else SLOW_FOLDS


def built(role: str, part: Method, task: Task, shots: Shots, bench: Workbench) -> Predictor:
    """The part on all rows, kept where it learns from them."""
    if part.learns:
        return bench.adapt(role, part, task, shots)
    return part.adapt(task, shots, bench)


def unseen(
    role: str,
    part: Method,
    task: Task,
    shots: Shots,
    rows: Sequence[Example],
    bench: Workbench,
) -> dict[str, Prediction]:
    """What a part answers to `rows`, labelled ones that it has not learned from, by id.

    A part that learns is adapted on folds; a row that is in none is left out. Each answer has the
    seconds that it took: here, where it is not answered elsewhere.
    """
    if not part.learns:
        return _timed(part.adapt(task, shots, bench), rows)
    chosen = {row.id for row in rows}
    known: dict[str, Prediction] = {}
    for fold in shots.folds(folds_of(part)):
        predictor = bench.adapt(f"{role} of a fold", part, task, fold.shots)
        known |= _timed(predictor, [row for row in fold.dev if row.id in chosen])
    return known


def _timed(predictor: Predictor, rows: Sequence[Example]) -> dict[str, Prediction]:
    start = time.monotonic()
    answers = predictor.predict([row.input for row in rows])
    each = (time.monotonic() - start) / max(len(rows), 1)
    return {
        row.id: replace(one, seconds=each if one.seconds is None else one.seconds)
        for row, one in zip(rows, answers, strict=True)
    }
