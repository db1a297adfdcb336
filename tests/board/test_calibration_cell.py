"""What a row says of its probabilities: thresholds from validation rows, measured on test rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from nshot.board.calibration import NO_ROWS, calibration_cell
from nshot.board.reduce import Entry, Facts, reduce
from nshot.board.schema import Board
from nshot.core.serial import to_data
from nshot.core.types import Cost, Example, Input, Label, Measurement, Prediction, Split, Task
from nshot.methods.fewshot.knn import KNN
from nshot.predictors.calibration import Calibration

TASK = Task("문의", "classify", (Label("환불"), Label("parcel")))


def rows(count: int, group: int = 0) -> tuple[Example, ...]:
    """Every second one of label 환불; of `group` rows each, where that is said."""
    return tuple(
        Example(f"{i:03}", Input((("text", f"{i}"),)), (TASK.label_names[i % 2],),
                group=str(i // group) if group else None)
        for i in range(count)
    )  # fmt: skip


def measured(
    examples: Sequence[Example], sure: Sequence[float], right: Sequence[bool],
    calibration: Sequence[tuple[int, Calibration]] = (),
) -> Measurement:  # fmt: skip
    """Answers of probability `sure`, those of `right` with the label."""
    predictions = []
    for example, p, hit in zip(examples, sure, right, strict=True):
        place = TASK.label_names.index(example.label)
        answer = place if hit else 1 - place
        scores = np.log([p, 1 - p] if answer == 0 else [1 - p, p])
        predictions.append(Prediction(TASK.label_names[answer], tuple(scores.tolist())))
    extra = {"calibration": [[count, to_data(one)] for count, one in calibration]}
    return Measurement(
        "job", "knn", {}, "fewshot", "trained", None, "f", None, 0,
        tuple(e.id for e in examples), tuple(predictions),
        tuple((float(hit),) for hit in right), Cost(), Cost(), extra=extra if calibration else {},
    )  # fmt: skip


def by_id(examples: Sequence[Example]) -> dict[str, Example]:
    return {example.id: example for example in examples}


FITTED = Calibration("temperature", 120, 1.5, thresholds=((0.9, 0.0), (0.95, 0.8), (0.99, 0.97)))


def test_thresholds_of_validation_rows_are_measured_on_test_rows() -> None:
    """100 rows: 60 at .9 with 57 right, 40 at .6 with 30 right."""
    examples = rows(100)
    right = [True] * 57 + [False] * 3 + [True] * 30 + [False] * 10
    whole = measured(examples, [0.9] * 60 + [0.6] * 40, right, [(100, FITTED)])
    cell = calibration_cell(TASK, whole, by_id(examples))
    assert cell is not None
    assert (cell.kind, cell.temperature, cell.rows, cell.reason) == ("temperature", 1.5, 120, "")
    all_rows, most, none = cell.thresholds
    assert (all_rows.threshold, all_rows.answered.value) == (0.0, 1.0)
    assert all_rows.right is not None
    assert all_rows.right.value == 0.87
    assert (most.accuracy, most.threshold, most.answered.value) == (0.95, 0.8, 0.6)
    assert most.right is not None
    assert most.right.value == 0.95
    assert (most.answered.low, most.answered.high) == pytest.approx((0.502, 0.691), abs=1e-3)
    assert (most.right.low, most.right.high) == pytest.approx((0.863, 0.983), abs=1e-3)
    assert (none.answered.value, none.right) == (0.0, None)
    assert cell.brier.value == pytest.approx((57 * 0.02 + 3 * 1.62 + 30 * 0.32 + 10 * 0.72) / 100)
    assert [(one.rows, one.right.value) for one in cell.bins] == [(40, 0.75), (60, 0.95)]


def test_each_fold_has_its_own_threshold() -> None:
    examples = rows(40)
    other = replace(FITTED, temperature=2.5, thresholds=((0.95, 0.5), (0.99, 0.6)))
    sure = [0.7] * 20 + [0.55] * 20
    whole = measured(examples, sure, [True] * 40, [(20, FITTED), (20, other)])
    cell = calibration_cell(TASK, whole, by_id(examples))
    assert cell is not None
    assert cell.temperature == 2.0
    assert [one.accuracy for one in cell.thresholds] == [0.95, 0.99], "those that every fold has"
    assert cell.thresholds[0].threshold == pytest.approx(0.65)
    assert cell.thresholds[0].answered.value == 0.5, "the second fold's rows are over its own .5"


def test_a_race_that_went_on_has_one_calibration_for_all_its_rows() -> None:
    examples = rows(60)
    whole = measured(examples, [0.9] * 60, [True] * 60, [(20, FITTED)])
    cell = calibration_cell(TASK, whole, by_id(examples))
    assert cell is not None
    assert cell.thresholds[1].answered.value == 1.0


def test_rows_of_one_group_are_drawn_together() -> None:
    right = ([True] * 5 + [False] * 5) * 10
    sure = list(np.random.default_rng(0).uniform(0.5, 1, 100))
    alone, grouped = (
        calibration_cell(TASK, measured(some, sure, right, [(100, FITTED)]), by_id(some))
        for some in (rows(100), rows(100, group=5))
    )
    assert alone is not None
    assert grouped is not None
    assert grouped.brier.value == alone.brier.value
    assert grouped.brier.high - grouped.brier.low > 1.5 * (alone.brier.high - alone.brier.low)


def test_what_was_not_calibrated_says_why_and_is_measured_all_the_same() -> None:
    examples = rows(60)
    plain = measured(examples, [0.8] * 60, [True] * 60)
    cell = calibration_cell(TASK, plain, by_id(examples))
    assert cell is not None
    assert (cell.kind, cell.temperature, cell.reason, cell.thresholds) == ("none", 1.0, NO_ROWS, ())
    assert cell.error is not None
    assert cell.error.value == pytest.approx(0.2)
    few = calibration_cell(TASK, measured(rows(8), [0.8] * 8, [True] * 8), by_id(rows(8)))
    assert few is not None
    assert (few.error, few.bins) == (None, ())


def test_answers_without_probabilities_have_none() -> None:
    examples = rows(40)
    whole = measured(examples, [0.8] * 40, [True] * 40)
    written = replace(whole, predictions=tuple(Prediction("환불") for _ in examples))
    assert calibration_cell(TASK, written, by_id(examples)) is None
    mixed = replace(whole, predictions=(*whole.predictions[:30], *written.predictions[30:]))
    cell = calibration_cell(TASK, mixed, by_id(examples))
    assert cell is not None
    assert sum(one.rows for one in cell.bins) == 30
    ranked = replace(TASK, kind="rank")
    assert calibration_cell(ranked, whole, by_id(examples)) is None


def test_the_board_has_it_on_every_measured_row_and_in_its_file() -> None:
    examples = rows(60)
    whole = measured(examples, [0.8] * 60, [True, False, True] * 20, [(60, FITTED)])
    entries = [
        Entry(KNN(), measurements={None: [whole]}),
        Entry(KNN(k=3), name="not measured", failed=True, reason="because"),
    ]
    delivered = Entry(KNN(), measurements={None: [whole]}, form="deployed", parent="knn")
    split = Split(rows(20), examples, "file", "f")
    board = reduce(Facts(TASK, split, (None,), 1), entries, [delivered])
    first, second, third = board.rows
    assert first.calibration == calibration_cell(TASK, whole, by_id(examples))
    assert second.calibration is None
    assert third.calibration == first.calibration
    again = Board.model_validate_json(board.dumps())
    assert again.rows == board.rows
    assert entries[0].calibrations == {"job:60": first.calibration}


def test_what_the_temperature_mended_stands_beside_what_is_left() -> None:
    """100 rows at .9 with 60 right; under a temperature of 3 they had been at .999."""
    examples = rows(100)
    right = [True] * 60 + [False] * 40
    one = replace(FITTED, temperature=3.0)
    cell = calibration_cell(
        TASK, measured(examples, [0.9] * 100, right, [(100, one)]), by_id(examples)
    )
    assert cell is not None
    assert cell.bare is not None
    sure = 0.9**3 / (0.9**3 + 0.1**3)
    brier = 2 * (0.6 * (1 - sure) ** 2 + 0.4 * sure**2)
    assert cell.bare.brier.value == pytest.approx(brier)
    assert cell.bare.brier.value > cell.brier.value
    plain = calibration_cell(TASK, measured(examples, [0.9] * 100, right), by_id(examples))
    assert plain is not None
    assert plain.bare is None, "nothing was mended"
