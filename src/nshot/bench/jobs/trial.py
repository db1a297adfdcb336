"""Try a method on some of the labelled rows, before it costs minutes: no test row is asked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from nshot.bench.jobs.job import Body, Job
from nshot.bench.jobs.place import Workplace
from nshot.board.decide import Floats
from nshot.board.racing import hopeless, looks_of
from nshot.core import machine
from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Fold, Shots, Task, group_of
from nshot.data import sample
from nshot.metrics import metric_of, points
from nshot.predictors.measure import Answered, answer, joined

LEARNED, LEARNED_OF_EACH = 24, 3
"""Labelled rows that a trial learns from; more where that were fewer than so many of each label."""
ASKED = 64
"""Labelled rows that it asks: of half as many, 19 points behind could still be luck."""


def do(job: Job, place: Workplace) -> Body:
    """Ids and statistics of the rows asked, and the seconds it took.

    `job.source` is the trial of the head that it is compared with, on the same rows: where it is
    hopelessly behind after some of them, the others are not asked. `job.rows`: learned from; None:
    from all labelled rows that are not asked.
    """
    method, task = place.method(job), place.setting.task
    fold = trial_fold(place.setting.split.train, task.drawn_labels, job.rows is None)
    if fold is None:
        raise CannotAdapt("too few labelled rows for a trial")
    meter = machine.Meter()
    bench = place.bench(job, job.name(place.context))
    head, short = _head(job, place), job.kind == "short_trial"
    parts: list[Answered] = []
    with meter.running():
        predictor = method.adapt(task, fold.shots, bench)
        for start, stop in pairwise((0, *(rows for rows, _ in looks_of(short)))):
            parts.append(answer(predictor, task, fold.dev[start:stop]))
            own = _points(joined(parts).statistics, task)
            if head is not None and hopeless(own, head, short):
                break
    answered = joined(parts)
    return {
        "ids": list(answered.ids),
        "statistics": [list(row) for row in answered.statistics],
        "learned": len(fold.shots.labelled),
        "steps": len(bench.curve.get("train", ())),
        "seconds": meter.seconds + bench.charged,
        "spent_seconds": meter.spent_seconds,
    }


def _head(job: Job, place: Workplace) -> Floats | None:
    """Points of the head that it is compared with."""
    stored = place.store.get(job.source) if job.source else None
    return _points(stored[1]["statistics"], place.setting.task) if stored else None


def _points(statistics: Sequence[Sequence[float]], task: Task) -> Floats:
    return points(metric_of(task), np.array(statistics, dtype=np.float64))


def learned_rows(labels: Sequence[str]) -> int:
    """Labelled rows that a trial of what trains learns from."""
    return max(LEARNED, LEARNED_OF_EACH * len(labels))


def trial_fold(
    rows: Sequence[Example], labels: Sequence[str], everything: bool = False
) -> Fold | None:
    """What a trial learns from and what it asks, the same for every method.

    Each label by its share, no group on both sides. None where too few rows would be left to ask.
    `everything`: the same rows are asked, and all others learned from.
    """
    learned = sample(rows, learned_rows(labels), 0, labels)
    groups, known = {group_of(row) for row in learned}, {_label(row, labels) for row in learned}
    others = [row for row in rows if group_of(row) not in groups and _label(row, labels) in known]
    answered = sample(others, ASKED, 1, labels)
    if len(answered) < ASKED:
        return None
    if everything:
        outside = {group_of(row) for row in answered}
        learned = tuple(row for row in rows if group_of(row) not in outside)
    return Fold(Shots(labelled=learned), answered)


def _label(row: Example, labels: Sequence[str]) -> str:
    return row.label if labels else ""
