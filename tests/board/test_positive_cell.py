"""What a row says of how well its probabilities find the positive label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nshot.board.positive import POINTS, positive_cell
from nshot.core.types import Cost, Example, Input, Label, Measurement, Prediction, Task

TASK = Task("mails", "classify", (Label("ham"), Label("spam")), positive="spam")


def measured(spam: list[bool], probability: list[float]) -> tuple[Measurement, dict[str, Example]]:
    """Rows that are spam or not, each with the probability of spam that was answered."""
    names = tuple(f"{i:03}" for i in range(len(spam)))
    rows = {
        name: Example(name, Input((("text", name),)), ("spam" if one else "ham",))
        for name, one in zip(names, spam, strict=True)
    }
    predictions = tuple(
        Prediction("spam" if p > 0.5 else "ham", tuple(np.log([1 - p, p]).tolist()))
        for p in probability
    )
    statistics = tuple((1.0,) for _ in names)
    measurement = Measurement(
        "job", "knn", {}, "fewshot", "trained", None, "f", None, 0,
        names, predictions, statistics, Cost(), Cost(),
    )  # fmt: skip
    return measurement, rows


def test_areas_and_points_of_a_small_set() -> None:
    """By hand: spam at .9, .8 and .3, ham at .4 and .1: one pair of six is the wrong way round."""
    cell = positive_cell(
        TASK, *measured([True, True, False, True, False], [0.9, 0.8, 0.4, 0.3, 0.1])
    )
    assert cell is not None
    assert (cell.label, cell.rows, cell.of) == ("spam", 3, 5)
    assert cell.roc_area == pytest.approx(5 / 6)
    assert cell.average_precision == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert cell.roc[0] == (0, 0)
    assert cell.roc[-1] == (1, 1)
    assert cell.precision_recall[-1] == (1, pytest.approx(3 / 5))


def test_the_other_label_as_the_positive_one() -> None:
    measurement, rows = measured([True, False], [0.9, 0.2])
    cell = positive_cell(replace(TASK, positive="ham"), measurement, rows)
    assert cell is not None
    assert (cell.label, cell.roc_area) == ("ham", 1.0)


def test_there_is_none_without_a_positive_label_or_with_rows_of_one_kind() -> None:
    measurement, rows = measured([True, False], [0.9, 0.2])
    assert positive_cell(replace(TASK, positive=None), measurement, rows) is None
    assert positive_cell(TASK, *measured([True, True], [0.9, 0.2])) is None
    bare = replace(measurement, predictions=(Prediction("spam"), Prediction("ham")))
    assert positive_cell(TASK, bare, rows) is None


def test_long_curves_are_thinned_and_keep_their_ends() -> None:
    rng = np.random.default_rng(0)
    spam = (rng.random(2000) < 0.3).tolist()
    cell = positive_cell(TASK, *measured(spam, rng.uniform(0.01, 0.99, 2000).tolist()))
    assert cell is not None
    assert len(cell.roc) == POINTS
    assert (cell.roc[0], cell.roc[-1]) == ((0, 0), (1, 1))
    assert cell.roc_area == pytest.approx(0.5, abs=0.05)
