"""Try a method on a few of the labelled rows, before it costs minutes: no test row is asked."""

from __future__ import annotations

from collections.abc import Sequence

from nshot.bench.jobs.job import Body, Job
from nshot.bench.jobs.place import Workplace
from nshot.core import machine
from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Fold, Shots, group_of
from nshot.data import sample
from nshot.predictors.measure import answer

LEARNED, LEARNED_OF_EACH = 24, 3
"""Labelled rows that a trial learns from; more where that were fewer than so many of each label."""
ASKED = 64
"""Labelled rows that it asks: of half as many, 19 points behind could still be luck."""


def do(job: Job, place: Workplace) -> Body:
    """Ids and statistics of the rows asked, and the seconds it took."""
    method, task = place.method(job), place.setting.task
    fold = trial_fold(place.setting.split.train, task.drawn_labels)
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
    """What a trial learns from and what it asks, the same for every method.

    Each label by its share, no group on both sides. None where too few rows would be left to ask.
    """
    count = max(LEARNED, LEARNED_OF_EACH * len(labels))
    learned = sample(rows, count, 0, labels)
    groups, known = {group_of(row) for row in learned}, {_label(row, labels) for row in learned}
    others = [row for row in rows if group_of(row) not in groups and _label(row, labels) in known]
    answered = sample(others, ASKED, 1, labels)
    return Fold(Shots(labelled=learned), answered) if len(answered) == ASKED else None


def _label(row: Example, labels: Sequence[str]) -> str:
    return row.label if labels else ""
