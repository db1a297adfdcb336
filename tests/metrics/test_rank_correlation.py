"""Spearman's rho, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from nshot.core.types import Example, Input, Label, Prediction, Scale, Task
from nshot.metrics import metric_of, points, score

TASK = Task("prices", "number", scale=Scale(10.0, 4.0))
STARS = Task("stars", "score", tuple(Label(str(i)) for i in range(1, 6)))
pairs = st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=4, max_size=40)


def statistics(task: Task, answers: list[tuple[object, object]]) -> np.ndarray:
    metric = metric_of(task, "spearman")
    return np.array([
        metric.statistics(Example("x", Input(), (str(right),)), Prediction(str(answer)))
        for right, answer in answers
    ], dtype=np.float64)  # fmt: skip


def expected(rows: np.ndarray) -> float:
    """SciPy's, which is no number where all values of a side are equal."""
    if any(len(set(side)) == 1 for side in rows.T):
        return 0.0
    return float(spearmanr(*rows.T).statistic)


@settings(deadline=None, max_examples=60)
@given(pairs)
def test_rho_and_each_row_left_out_are_scipys(answers: list[tuple[int, int]]) -> None:
    metric, rows = metric_of(TASK, "spearman"), statistics(TASK, list(answers))
    assert score(metric, rows) == pytest.approx(expected(rows), abs=1e-9)
    own = points(metric, rows)
    assert own.mean() == pytest.approx(score(metric, rows))
    without = np.array([expected(np.delete(rows, i, axis=0)) for i in range(len(rows))])
    pseudo = len(rows) * expected(rows) - (len(rows) - 1) * without
    np.testing.assert_allclose(own - own.mean(), pseudo - pseudo.mean(), atol=1e-6)


def test_by_hand() -> None:
    """1 - 6 sum d^2 / (n (n^2 - 1)): of 1, 2, 3, 4 answered as 10, 30, 20, 40 it is 1 - 12/60."""
    rows = statistics(TASK, [(1, 10), (2, 30), (3, 20), (4, 40)])
    assert score(metric_of(TASK, "spearman"), rows) == pytest.approx(0.8)


def test_only_the_order_counts() -> None:
    metric = metric_of(TASK, "spearman")
    assert score(metric, statistics(TASK, [(i, 1000 * i**3) for i in range(6)])) == 1.0
    assert score(metric, statistics(TASK, [(i, -i) for i in range(6)])) == -1.0
    assert score(metric, statistics(TASK, [(i, 7) for i in range(6)])) == 0.0


def test_levels_have_an_order_too() -> None:
    answers: list[tuple[object, object]] = [(1, 1), (2, 2), (5, 4), (4, 3)]
    assert score(metric_of(STARS, "spearman"), statistics(STARS, answers)) == pytest.approx(1.0)


def test_many_rows_are_left_out_one_by_one_in_little_memory() -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 50, (3000, 2)).astype(np.float64)
    own = points(metric_of(TASK, "spearman"), rows)
    assert own.shape == (3000,)
    assert own.mean() == pytest.approx(spearmanr(*rows.T).statistic)


def test_the_interval_is_about_that_of_the_bootstrap() -> None:
    rng = np.random.default_rng(1)
    first = rng.standard_normal(300)
    rows = np.stack([first, first + rng.standard_normal(300)], axis=1)
    own = points(metric_of(TASK, "spearman"), rows)
    drawn = [spearmanr(*rows[rng.integers(0, 300, 300)].T).statistic for _ in range(300)]
    assert own.std(ddof=1) / 300**0.5 == pytest.approx(np.std(drawn), rel=0.2)
