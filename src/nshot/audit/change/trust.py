"""Are probabilities truer after adapting than before? On the rows that were not learned.

Guo et al. 2017, "On Calibration of Modern Neural Networks", https://arxiv.org/abs/1706.04599.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nshot.audit.change.before_after import Pair, prompted
from nshot.audit.contract import Subject
from nshot.audit.estimates import Figure, share
from nshot.core.types import Example, Prediction, Task, group_of
from nshot.metrics.calibration import brier
from nshot.predictors.calibrated import bare


def trust(subject: Subject) -> list[Pair]:
    """Brier score (0 to 2), and how much surer than right the answers are.

    Before: the same prompt asks the base, without examples, rationale or votes. None where the
    subject asks no language model for a label, or has no row whose label is known, or is that base
    itself.
    """
    one, task = prompted(subject), subject.task
    if one is None or task is None or not task.has_labels:
        return []
    base = subject.against or replace(one.ref, deltas=(), quant=None)
    rows = [row for row in subject.labelled if row.label in task.label_names]
    nothing_around = subject.predictor is not None and bare(subject.predictor) is one
    if not rows or (base == one.ref and not one.demos and nothing_around):
        return []
    inputs = [row.input for row in rows]
    plain = replace(one, ref=base, demos=(), offsets=())
    answered = (plain.predict(inputs), subject.answers(rows))
    if not all(given.scores for answers in answered for given in answers):
        return []
    first, second = (_figures(task, rows, answers) for answers in answered)
    return [Pair(a, b) for a, b in zip(first, second, strict=True)]


def _figures(
    task: Task, rows: Sequence[Example], answers: Sequence[Prediction]
) -> tuple[Figure, ...]:
    logprobs = np.array([one.scores for one in answers])
    targets = np.array([task.label_names.index(row.label) for row in rows], dtype=np.intp)
    likeliest = logprobs.argmax(axis=1)
    over = np.exp(logprobs.max(axis=1)) - (likeliest == targets)
    groups = np.unique([group_of(row) for row in rows], return_inverse=True)[1]
    one = np.ones(len(rows))
    return (
        Figure("Brier score", "calibration", np.stack([brier(logprobs, targets), one], axis=1),
               groups, share, 0.0, 2.0),
        Figure("surer than right", "calibration", np.stack([over, one], axis=1), groups, share,
               -1.0, 1.0),
    )  # fmt: skip
