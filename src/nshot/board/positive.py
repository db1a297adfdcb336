"""Yes or no: how well a contender's probabilities part the positive test rows from the others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nshot.board.schema import PositiveCell
from nshot.core.types import Example, Measurement, Task
from nshot.metrics.ranking import Curve, precision_recall, roc

POINTS = 60
"""Of a curve with more points, about so many are drawn."""


def positive_cell(
    task: Task, measurement: Measurement, examples: Mapping[str, Example]
) -> PositiveCell | None:
    """Of one measurement; None without a positive label, and where one kind of rows is missing.

    Answers that are no label, and so have no probabilities, are left out.
    """
    if task.positive is None:
        return None
    place = task.label_names.index(task.positive)
    answers = zip(measurement.ids, measurement.predictions, strict=True)
    known = [
        (one.scores[place], examples[name].label == task.positive)
        for name, one in answers
        if len(one.scores) == len(task.labels)
    ]
    positive = np.array([is_positive for _, is_positive in known], dtype=bool)
    if not known or positive.all() or not positive.any():
        return None
    scores = np.array([score for score, _ in known], dtype=np.float64)
    over, beside = roc(scores, positive), precision_recall(scores, positive)
    return PositiveCell(
        label=task.positive,
        rows=int(positive.sum()),
        of=len(positive),
        roc=_points(over),
        roc_area=over.area,
        precision_recall=_points(beside),
        average_precision=beside.area,
    )


def _points(curve: Curve) -> tuple[tuple[float, float], ...]:
    count = len(curve.x)
    shown = np.unique(np.linspace(0, count - 1, min(count, POINTS)).round().astype(int))
    return tuple(zip(curve.x[shown].tolist(), curve.y[shown].tolist(), strict=True))
