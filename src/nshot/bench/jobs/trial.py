"""Try a method on a few of the labelled rows, before it costs minutes: no test row is asked."""

from __future__ import annotations

from collections.abc import Sequence

from nshot.bench.jobs.job import Body, Job
from nshot.bench.jobs.place import Workplace
from nshot.core import machine
from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Fold, Shots
from nshot.data import sample
from nshot.predictors.measure import answer

ROWS = 120
"""Labelled rows of a trial; more where that were fewer than `ROWS_OF_EACH` of each label."""
ROWS_OF_EACH = 3
FOLDS = 3
"""Two thirds of them are learned from, a third is asked."""


def do(job: Job, place: Workplace) -> Body:
    """Ids and statistics of the rows asked, and the seconds it took."""
    method, task = place.method(job), place.setting.task
    fold = trial_fold(place.setting.split.train, task.label_names)
    if fold is None:
        raise CannotAdapt("too few labelled rows for a trial")
    meter = machine.Meter()
    bench = place.bench(job, job.name(place.context))
    with meter.running():
        predictor = method.adapt(task, fold.shots, bench)
        answered = answer(predictor, task, fold.dev)
    return {
        "ids": list(answered.ids),
        "statistics": [list(row) for row in answered.statistics],
        "learned": len(fold.shots.labelled),
        "seconds": meter.seconds + bench.charged,
        "spent_seconds": meter.spent_seconds,
    }


def trial_fold(rows: Sequence[Example], labels: Sequence[str]) -> Fold | None:
    """What a trial learns from and what it asks, the same for every method; None: too few rows."""
    chosen = sample(rows, max(ROWS, ROWS_OF_EACH * len(labels)), 0, labels)
    folds = Shots(labelled=chosen).folds(FOLDS, labels=bool(labels))
    return folds[0] if folds else None
