"""Levels in order, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, mean_absolute_error

from nshot.core.types import Example, Input, Label, Prediction, Task
from nshot.metrics import metric_of, misfits, points, score

LEVELS = ("none", "low", "high", "critical")
TASK = Task("t", "score", tuple(map(Label, LEVELS)))
PLACES = {level: place for place, level in enumerate(LEVELS)}
pairs = st.lists(st.tuples(st.sampled_from(LEVELS), st.sampled_from(LEVELS)), min_size=2)


def statistics(metric: str, answers: list[tuple[str, str]]) -> np.ndarray:
    made = metric_of(TASK, metric)
    rows = [Example(str(i), Input(), (right,)) for i, (right, _) in enumerate(answers)]
    return np.array([
        made.statistics(row, Prediction(answer))
        for row, (_, answer) in zip(rows, answers, strict=True)
    ])  # fmt: skip


@settings(deadline=None, max_examples=50)
@given(pairs)
def test_kappa_is_scikit_learns(answers: list[tuple[str, str]]) -> None:
    right, said = ([PLACES[pair[k]] for pair in answers] for k in (0, 1))
    value = score(metric_of(TASK, "kappa"), statistics("kappa", answers))
    if len({*right, *said}) == 1:
        assert value == 1.0, "one level, always answered: scikit-learn has no number"
        return
    expected = cohen_kappa_score(right, said, weights="quadratic", labels=range(len(LEVELS)))
    assert value == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(pairs)
def test_closeness_is_the_mean_absolute_error_turned_round(answers: list[tuple[str, str]]) -> None:
    right, said = ([PLACES[pair[k]] for pair in answers] for k in (0, 1))
    value = score(metric_of(TASK, "closeness"), statistics("closeness", answers))
    assert (1 - value) * (len(LEVELS) - 1) == pytest.approx(mean_absolute_error(right, said))


@settings(deadline=None, max_examples=50)
@given(pairs.filter(lambda answers: len(answers) > 3))
def test_kappas_points_have_its_value_as_their_mean(answers: list[tuple[str, str]]) -> None:
    metric, rows = metric_of(TASK, "kappa"), statistics("kappa", answers)
    assert points(metric, rows).mean() == pytest.approx(score(metric, rows))


def test_always_answering_one_level_is_0() -> None:
    answers = [(level, "low") for level in LEVELS]
    assert score(metric_of(TASK, "kappa"), statistics("kappa", answers)) == 0.0


@pytest.mark.parametrize(("right", "closeness"), [("none", 0.0), ("low", 1 / 3), ("critical", 0.0)])
def test_an_answer_that_is_no_level_is_the_farthest(right: str, closeness: float) -> None:
    assert statistics("closeness", [(right, "?")])[0, 0] == pytest.approx(closeness)


def test_labels_without_an_order_have_neither() -> None:
    labels = Task("t", "classify", TASK.labels, metric="kappa")
    (fault,) = misfits(labels, (), [Example("a", Input(), ("low",))])
    assert "not for tasks of kind classify" in fault.found
