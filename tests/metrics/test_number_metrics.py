"""Errors of numbers, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, r2_score

from nshot.core.types import Example, Input, Prediction, Scale, Task
from nshot.metrics import metric_of, points, score

TASK = Task("t", "number", scale=Scale(10.0, 4.0))
values = st.integers(-50, 50).map(float)
pairs = st.lists(st.tuples(values, values), min_size=2)


def statistics(metric: str, answers: list[tuple[float, object]]) -> np.ndarray:
    made = metric_of(TASK, metric)
    return np.array([
        made.statistics(Example("x", Input(), (str(right),)), Prediction(str(answer)))
        for right, answer in answers
    ])  # fmt: skip


@settings(deadline=None, max_examples=50)
@given(pairs.filter(lambda answers: len({right for right, _ in answers}) > 1))
def test_r2_is_scikit_learns(answers: list[tuple[float, float]]) -> None:
    value = score(metric_of(TASK, "r2"), statistics("r2", answers))
    assert value == pytest.approx(r2_score(*zip(*answers, strict=True)), rel=1e-6, abs=1e-9)


@settings(deadline=None, max_examples=50)
@given(pairs)
def test_skill_is_the_mean_absolute_error_in_units_of_the_scale(
    answers: list[tuple[float, float]],
) -> None:
    value = score(metric_of(TASK, "mae_skill"), statistics("mae_skill", answers))
    assert (1 - value) * 4.0 == pytest.approx(mean_absolute_error(*zip(*answers, strict=True)))


@settings(deadline=None, max_examples=50)
@given(pairs.filter(lambda answers: len(answers) > 3))
def test_r2s_points_have_its_value_as_their_mean(answers: list[tuple[float, float]]) -> None:
    metric, rows = metric_of(TASK, "r2"), statistics("r2", answers)
    assert points(metric, rows).mean() == pytest.approx(score(metric, rows))


def test_an_answer_that_is_no_number_is_as_good_as_the_median() -> None:
    assert statistics("mae_skill", [(14.0, "dear")]) == statistics("mae_skill", [(14.0, 10.0)])


def test_equal_rows_have_no_spread_to_explain() -> None:
    metric = metric_of(TASK, "r2")
    assert score(metric, statistics("r2", [(3.0, 3.0)] * 3)) == 1.0
    assert score(metric, statistics("r2", [(3.0, 4.0)] * 3)) == 0.0
