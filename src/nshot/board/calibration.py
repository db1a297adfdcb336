"""How far a contender's probabilities come true on the test rows, and what abstaining would buy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nshot.board.schema import (
    BareProbabilities,
    CalibrationCell,
    Proportion,
    ReliabilityBin,
    Threshold,
)
from nshot.core.serial import from_data
from nshot.core.types import Example, Measurement, Task, group_numbers
from nshot.metrics import calibration as measures
from nshot.metrics.calibration import Bools, Groups, Interval
from nshot.metrics.metric import Floats
from nshot.predictors.calibration import ACCURACIES, Calibration
from nshot.predictors.scores import log_softmax

NO_ROWS = "no validation rows: nothing of it was searched"


def calibration_cell(
    task: Task, measurement: Measurement, examples: Mapping[str, Example]
) -> CalibrationCell | None:
    """Of one measurement; None for a task without labels and for answers without probabilities.

    Answers that are no label, and so have none, are left out. Thresholds were chosen on validation
    rows: what they answer, and how much of it is right, is measured on the test rows.
    """
    answers = list(zip(measurement.ids, measurement.predictions, strict=True))
    places = [i for i, (_, p) in enumerate(answers) if len(p.scores) == len(task.labels) > 1]
    if not task.has_labels or not places:
        return None
    rows = [examples[answers[i][0]] for i in places]
    scores = np.array([answers[i][1].scores for i in places], dtype=np.float64)
    targets = np.array([task.label_names.index(row.label) for row in rows])
    right = np.array([answers[i][1].answer for i in places]) == np.array([r.label for r in rows])
    probability, numbers = np.exp(scores.max(axis=1)), group_numbers(rows)
    groups = None if numbers is None else np.array(numbers)
    fitted = _fitted(measurement)
    error = measures.calibration_error(probability, right, groups)
    return CalibrationCell(
        kind=fitted[0][1].kind,
        temperature=float(np.mean([one.temperature for _, one in fitted])),
        rows=fitted[0][1].rows,
        reason=fitted[0][1].reason,
        error=error and _proportion(error),
        brier=_proportion(measures.mean(measures.brier(scores, targets), groups)),
        bare=_bare(fitted, np.array(places), scores, targets, right, groups),
        bins=tuple(
            ReliabilityBin(rows=n, probability=p, right=_proportion(r))
            for n, p, r in measures.reliability(probability, right, groups)
        ),
        thresholds=_thresholds(fitted, np.array(places), probability, right, groups),
    )


def _fitted(measurement: Measurement) -> list[tuple[int, Calibration]]:
    """(answers, the calibration they were given by): one pair, or one for each fold, in order."""
    known = measurement.extra.get("calibration", ())
    pairs = [(int(rows), from_data(Calibration, body)) for rows, body in known]
    if len(pairs) > 1:
        return pairs
    return [(len(measurement.ids), pairs[0][1] if pairs else Calibration(reason=NO_ROWS))]


def _bare(
    fitted: Sequence[tuple[int, Calibration]],
    places: NDArray[np.intp],
    scores: Floats,
    targets: NDArray[np.intp],
    right: Bools,
    groups: Groups,
) -> BareProbabilities | None:
    """What the temperature mended: multiplied by it, log-probabilities are what they were.

    None where nothing was calibrated, or by steps, which keep no way back.
    """
    if {one.kind for _, one in fitted} != {"temperature"}:
        return None
    each = np.repeat([one.temperature for _, one in fitted], [rows for rows, _ in fitted])[places]
    before = log_softmax(scores * each[:, None])
    error = measures.calibration_error(np.exp(before.max(axis=1)), right, groups)
    return BareProbabilities(
        error=error and _proportion(error),
        brier=_proportion(measures.mean(measures.brier(before, targets), groups)),
    )


def _thresholds(
    fitted: Sequence[tuple[int, Calibration]],
    places: NDArray[np.intp],
    probability: Floats,
    right: Bools,
    groups: Groups,
) -> tuple[Threshold, ...]:
    """What each accuracy's threshold leaves answered, where every fold has one for it."""
    steps = []
    for accuracy in ACCURACIES:
        chosen = [(rows, dict(one.thresholds).get(accuracy)) for rows, one in fitted]
        known = [(rows, threshold) for rows, threshold in chosen if threshold is not None]
        if len(known) < len(fitted):
            continue
        each = np.repeat([one for _, one in known], [rows for rows, _ in known])[places]
        over = probability >= each
        everything = np.ones(len(over), dtype=bool)
        hits = measures.share(right, over, groups) if over.any() else None
        steps.append(
            Threshold(
                accuracy=accuracy,
                threshold=float(np.mean([one for _, one in known])),
                answered=_proportion(measures.share(over, everything, groups)),
                right=hits and _proportion(hits),
            )
        )
    return tuple(steps)


def _proportion(of: Interval) -> Proportion:
    return Proportion(value=of.value, low=of.low, high=of.high)
